/**
 * What a backend is to the rest of the program, and which one a data directory has.
 *
 * A data directory's segments are named by the rows of one backend. Under the other one they would look like octets that
 * nobody needs and be reclaimed: so a directory stays with the backend that it began with.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Directory } from '../auth/directory.ts';
import type { Config } from '../config/config.ts';
import { PostgresRefused } from '../postgres/refused.ts';
import type { Queue } from '../queue/queue.ts';
import type { BlobUser } from '../store/blob-use.ts';
import type { MailStore } from '../store/mail-store.ts';
import type { TlsRecords } from '../tls-policy/tls-records.ts';

/** Everything that is kept, but for the octets of messages. */
export type Keepers = {
  readonly mail: MailStore;
  readonly queue: Queue;
  readonly directory: Directory;
  readonly tls: TlsRecords;
  /** All who keep blobs' places in rows. */
  readonly blobUsers: readonly BlobUser[];
  /** Forgets what need not be known any more; once a day is enough. */
  maintain(): Promise<void>;
  /** Finishes what was begun; nothing may be asked for afterwards. */
  close(): Promise<void>;
};

/** What each backend leaves in the data directory when it is first used. */
const MARKS = { embedded: 'mail-shards.json', postgres: 'postgres.json' } as const;

/** Throws `PostgresRefused`. */
export function mustBeBackend(dataDirectory: string, backend: Config['store']['backend']): void {
  const other = backend === 'embedded' ? 'postgres' : 'embedded';
  if (!existsSync(join(dataDirectory, MARKS[other]))) return;
  throw new PostgresRefused(
    `The data directory ${JSON.stringify(dataDirectory)} is one of store.backend = "${other}", not "${backend}"`,
  );
}
