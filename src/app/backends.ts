/**
 * What keeps mail, queue and directory, as one thread sees it: the same ports whatever is behind them. The embedded ones
 * write through threads of their own, which the main thread starts once (`openWriters`); PostgreSQL is asked by each thread.
 */
import { availableParallelism } from 'node:os';
import type { MessagePort } from 'node:worker_threads';
import { openEmbeddedDirectory, type EmbeddedDirectoryOptions } from '../auth/embedded/directory.ts';
import { HashGate } from '../auth/credential/hash-gate.ts';
import { Argon2Hasher } from '../auth/credential/password-hash.ts';
import { ScramKeyMaker } from '../auth/credential/scram-key-maker.ts';
import { NetworkLoginThrottle, UNTHROTTLED } from '../auth/login-throttle.ts';
import type { DirectorySettings } from '../auth/resolve-address.ts';
import { sleep, type Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import type { Config } from '../config/config.ts';
import { EmbeddedQueue, QUEUE_WRITER_URL } from '../queue/embedded/queue.ts';
import type { QueueOperations } from '../queue/embedded/queue-writer.ts';
import { openHints } from '../sqlite/hint.ts';
import { connectWriter, startWriterThread, type WriterFile, type WriterThread } from '../sqlite/writer.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { fixShardCount, mailShardName, mailWriterFiles } from '../store/embedded/mail-files.ts';
import { openEmbeddedMailStore } from '../store/embedded/mail-store.ts';
import { SegmentCompaction } from '../store/embedded/segment-compaction.ts';
import { openSegmentDisk } from '../store/embedded/segment-disk.ts';
import { recoverSegments } from '../store/embedded/segment-recovery.ts';
import { openSegmentStore } from '../store/embedded/segment-store.ts';
import { openEmbeddedTlsRecords } from '../tls-policy/embedded/tls-records.ts';
import { mustBeBackend, type Keepers } from './backend-choice.ts';
import type { Rates } from '../policy/rate.ts';
import { files } from './data-directory.ts';
import { hashThrough } from './hashing.ts';
import { createTrust } from './trust.ts';

export type Backends = Keepers & { readonly blobs: BlobStore };

export type BackendOptions = {
  readonly config: Config;
  readonly writers: WriterPorts;
  /** Letters and digits; no other thread has it. */
  readonly owner: string;
  readonly clock: Clock;
  readonly random: Random;
  /** To a thread that hashes passwords; undefined: in this process's pool, for a command that ends soon. */
  readonly hashes?: MessagePort;
  /** Where failures to sign in are counted; undefined: nowhere, for a command. */
  readonly rates?: Rates;
};

/** Ports to the writer threads, which may be transferred to another thread; `mail` by shard. Several may be the same. */
type EmbeddedPorts = {
  readonly kind: 'embedded';
  readonly queue: MessagePort;
  readonly mail: readonly MessagePort[];
};

/** How a thread comes to what is kept. PostgreSQL needs nothing of us: each thread connects to it. */
export type WriterPorts = EmbeddedPorts | { readonly kind: 'postgres' };

/** The threads that own the SQLite files; none with PostgreSQL. */
export type Writers = {
  connect(): WriterPorts;
  close(): Promise<void>;
  /** Resolves when one of them has ended: with why, unless by `close`. */
  readonly ended: Promise<Error | undefined>;
};

/** The queue's file, as its writer is asked for. */
const QUEUE = 'queue';

export function segmentDirectory({ store, dataDirectory }: Config): string {
  return store.segmentDirectory ?? files.segments(dataDirectory);
}

export function directorySettings({ postmaster, subaddressSeparator, signIn }: Config): DirectorySettings {
  return {
    postmasterAddress: postmaster,
    detailSeparator: subaddressSeparator,
    makesScramKeys: signIn.scram !== 'never',
  };
}

/**
 * A writer thread costs memory and, at its start, time; two of them make commits side by side. With two cores the sessions
 * need what there is, and one thread for all files is no slower: docs/performance.md.
 */
function writerThreads(): number {
  return Math.max(1, availableParallelism() - 1);
}

/** The file of index n goes to thread n modulo their number. */
function dealOut(all: readonly WriterFile[], threads: number): readonly (readonly WriterFile[])[] {
  const dealt = all.map((_, index) => all.filter((_file, other) => other % threads === index));
  return dealt.filter((some) => some.length > 0);
}

/** The ports of {@link WriterPorts}, each once: files of one thread share theirs. */
export function portsOf(ports: WriterPorts): readonly MessagePort[] {
  return ports.kind === 'embedded' ? [...new Set([ports.queue, ...ports.mail])] : [];
}

/**
 * Opens and migrates the files, or the database. Throws `DatabaseRefused` and `PostgresRefused` for what is not ours or
 * newer, and `Fault`.
 */
export async function openWriters(config: Config): Promise<Writers> {
  if (config.store.backend === 'embedded') return openEmbeddedWriters(config);
  // The driver is loaded only by who uses it.
  const { preparePostgres } = await import('./postgres-backends.ts');
  await preparePostgres(config);
  return {
    connect: () => ({ kind: 'postgres' }),
    close: async () => undefined,
    ended: new Promise(() => undefined),
  };
}

async function openEmbeddedWriters({ dataDirectory, store }: Config): Promise<Writers> {
  mustBeBackend(dataDirectory, 'embedded');
  const shards = fixShardCount(dataDirectory, store.shards);
  const hintScope = dataDirectory;
  const threads: WriterThread[] = [];
  const close = async (): Promise<void> => {
    const closed = await Promise.allSettled(threads.map((thread) => thread.close()));
    for (const one of closed) if (one.status === 'rejected') throw one.reason;
  };
  try {
    const queue = { name: QUEUE, file: files.queue(dataDirectory), moduleUrl: QUEUE_WRITER_URL };
    const owned = dealOut([queue, ...mailWriterFiles(dataDirectory, shards, { hintScope })], writerThreads());
    threads.push(...(await Promise.all(owned.map((some) => startWriterThread(some)))));
  } catch (cause) {
    await close();
    throw cause;
  }
  return {
    connect: () => {
      const ports = threads.map((thread) => thread.connect());
      const portOf = (file: number): MessagePort => {
        const port = ports[file % ports.length];
        if (port === undefined) throw new TypeError('There is no writer');
        return port;
      };
      return {
        kind: 'embedded',
        queue: portOf(0),
        mail: Array.from({ length: shards }, (_, shard) => portOf(shard + 1)),
      };
    },
    close,
    ended: Promise.race(threads.map(({ ended }) => ended)),
  };
}

/** What makes hashes and keys of passwords, a few at once over both. */
function secretMakers(
  hashes: MessagePort | undefined,
): Pick<EmbeddedDirectoryOptions, 'hasher' | 'scramKeyMaker'> {
  const gate = new HashGate(LIMITS.passwordHashesAtOnceMax, LIMITS.passwordHashesWaitingMax);
  const threads = hashes === undefined ? undefined : hashThrough(hashes);
  return {
    hasher: new Argon2Hasher(undefined, gate, threads?.argon2id),
    scramKeyMaker: new ScramKeyMaker(undefined, gate, threads?.saltedPassword),
  };
}

/** The writers are open. */
export async function openBackends(options: BackendOptions): Promise<Backends> {
  const { config, writers, owner, clock, random, hashes, rates } = options;
  const trust = createTrust(config);
  const directoryOptions = {
    ...directorySettings(config),
    clock,
    random,
    throttle:
      rates === undefined ? UNTHROTTLED : new NetworkLoginThrottle(rates, (source) => trust.isExempt(source)),
    ...secretMakers(hashes),
  };
  const keepers =
    writers.kind === 'embedded'
      ? openEmbedded(config, writers, directoryOptions)
      : (await import('./postgres-backends.ts')).openPostgres(config, directoryOptions);
  const blobs = await openSegmentStore({ directory: segmentDirectory(config), clock, owner });
  return {
    ...keepers,
    blobs,
    close: async () => {
      await blobs.close();
      await keepers.close();
      for (const port of portsOf(writers)) port.close();
      hashes?.close();
    },
  };
}

function openEmbedded(
  { dataDirectory }: Config,
  writers: EmbeddedPorts,
  options: Omit<EmbeddedDirectoryOptions, 'file'>,
): Keepers {
  const { clock } = options;
  const mail = openEmbeddedMailStore({
    dataDirectory,
    shards: writers.mail.length,
    writer: (shard) => {
      const port = writers.mail[shard];
      if (port === undefined) throw new TypeError(`There is no shard ${shard}`);
      return connectWriter(port, mailShardName(shard));
    },
    hintScope: dataDirectory,
    clock,
  });
  const hints = openHints(dataDirectory);
  const queue = new EmbeddedQueue({
    file: files.queue(dataDirectory),
    writer: connectWriter<QueueOperations>(writers.queue, QUEUE),
    hints,
    clock,
  });
  const directory = openEmbeddedDirectory({ ...options, file: files.directory(dataDirectory) });
  const tls = openEmbeddedTlsRecords(files.tls(dataDirectory));
  return {
    mail,
    queue,
    directory,
    tls,
    blobUsers: [...mail.blobUsers, queue],
    maintain: () => mail.maintain(),
    close: async () => {
      mail.close();
      queue.close();
      hints.close();
      directory.close();
      tls.close();
    },
  };
}

/** Seals what a crash left open: of one thread that died, or of all, when none is running. */
export async function recoverStorage(
  config: Config,
  { blobUsers }: Backends,
  owner: string | undefined,
): Promise<void> {
  await recoverSegments({
    directory: segmentDirectory(config),
    users: blobUsers,
    ...(owner === undefined ? {} : { owner }),
  });
}

const COMPACTION_PAUSE_MS = 600_000;
const DAY_MS = 86_400_000;

/** Reclaims room and forgets what is old, until the signal. Faults are told, and it goes on. */
export async function maintain(
  config: Config,
  backends: Backends,
  clock: Clock,
  signal: AbortSignal,
  onFault: (cause: unknown) => void,
): Promise<void> {
  const directory = segmentDirectory(config);
  const store = await openSegmentStore({ directory, clock, owner: 'compaction' });
  const compaction = new SegmentCompaction({
    disk: await openSegmentDisk(directory),
    store,
    users: backends.blobUsers,
    clock,
  });
  let forgottenMs = clock.monotonicMs();
  while (!signal.aborted) {
    await sleep(clock, COMPACTION_PAUSE_MS, signal);
    if (signal.aborted) break;
    try {
      await compaction.pass(signal);
      if (clock.monotonicMs() - forgottenMs < DAY_MS) continue;
      forgottenMs = clock.monotonicMs();
      await backends.maintain();
    } catch (cause) {
      onFault(cause);
    }
  }
  await store.close();
}
