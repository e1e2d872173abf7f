/** Mail, queue and directory in PostgreSQL, the octets in the data directory's segments: `store.backend = "postgres"`. */
import type { Directory } from '../auth/directory.ts';
import { DIRECTORY } from '../auth/postgres/directory-tables.ts';
import { PostgresDirectory } from '../auth/postgres/directory.ts';
import type { PostgresDirectoryOptions } from '../auth/postgres/directory.ts';
import type { DirectorySettings } from '../auth/resolve-address.ts';
import type { Config } from '../config/config.ts';
import { migrate } from '../postgres/migrate.ts';
import { Postgres } from '../postgres/postgres.ts';
import { QUEUE } from '../queue/postgres/queue-tables.ts';
import { PostgresQueue } from '../queue/postgres/queue.ts';
import { openHints } from '../sqlite/hint.ts';
import { PostgresMailStore } from '../store/postgres/mail-store.ts';
import { MAIL } from '../store/postgres/mail-tables.ts';
import { PostgresTraceStore } from '../trace/postgres/trace-store.ts';
import { TRACE } from '../trace/postgres/trace-tables.ts';
import type { TraceBounds, TraceStore } from '../trace/trace-store.ts';
import { claimSegmentHome } from '../store/postgres/segment-home.ts';
import { PostgresTlsRecords } from '../tls-policy/postgres/tls-records.ts';
import { TLS } from '../tls-policy/postgres/tls-tables.ts';
import { mustBeBackend, type Keepers } from './backend-choice.ts';
import { systemClock, systemRandom } from './system.ts';

/** Of one thread. */
function connect({ store }: Config): Postgres {
  return new Postgres({ url: store.url ?? '' });
}

/** Before any thread opens it. Throws `PostgresRefused` for a database that is another's or newer, and `Fault`. */
export async function preparePostgres(config: Config): Promise<void> {
  mustBeBackend(config.dataDirectory, 'postgres');
  const postgres = connect(config);
  try {
    for (const kind of [MAIL, QUEUE, DIRECTORY, TLS, TRACE])
      await migrate(postgres, kind, systemClock.nowMs());
    await claimSegmentHome(postgres, config.dataDirectory);
  } finally {
    await postgres.close();
  }
}

/** The database is prepared. */
export function openPostgres(config: Config, options: Omit<PostgresDirectoryOptions, 'postgres'>): Keepers {
  const { clock } = options;
  const postgres = connect(config);
  const hints = openHints(config.dataDirectory);
  const mail = new PostgresMailStore({ postgres, hints, clock });
  const queue = new PostgresQueue({ postgres, hints, clock });
  return {
    mail,
    queue,
    directory: new PostgresDirectory({ ...options, postgres }),
    tls: new PostgresTlsRecords(postgres),
    blobUsers: [mail, queue],
    maintain: () => mail.maintain(),
    close: async () => {
      mail.close();
      queue.close();
      hints.close();
      await postgres.close();
    },
  };
}

/** Traces wait for nobody's connection, and nobody waits for theirs. */
export function openPostgresTraces(
  { store }: Config,
  bounds: TraceBounds,
): { readonly store: TraceStore; close(): Promise<void> } {
  const postgres = new Postgres({ url: store.url ?? '', connectionsMax: 1 });
  return {
    store: new PostgresTraceStore({ postgres, bounds, clock: systemClock }),
    close: () => postgres.close(),
  };
}

/** To look at, with the tables as they are. */
export function readPostgresDirectory(
  config: Config,
  settings: DirectorySettings,
): { readonly directory: Directory; close(): Promise<void> } {
  const postgres = connect(config);
  return {
    directory: new PostgresDirectory({ ...settings, postgres, clock: systemClock, random: systemRandom }),
    close: () => postgres.close(),
  };
}

/** For a command on a post office that does not run. */
export async function openPostgresDirectory(
  config: Config,
  settings: DirectorySettings,
): Promise<{ readonly directory: Directory; close(): Promise<void> }> {
  await preparePostgres(config);
  return readPostgresDirectory(config, settings);
}
