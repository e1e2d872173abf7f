/**
 * `postrider fsck`: looks through all stored mail and every index of it, on a stopped server, and with `--repair` mends
 * what can be mended. One line a finding, as it is found. What cannot be opened is a finding too, and hinders nothing else.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkDirectory } from '../auth/embedded/check-directory.ts';
import type { DirectoryFinding } from '../auth/directory.ts';
import { Fault } from '../base/fault.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Config } from '../config/config.ts';
import { digestMessage, type MessageDigest } from '../message/digest.ts';
import { scanMessage } from '../message/scan.ts';
import * as queueWriter from '../queue/embedded/queue-writer.ts';
import { checkQueue } from '../queue/embedded/queue-check.ts';
import { EmbeddedQueue } from '../queue/embedded/queue.ts';
import { openHints } from '../sqlite/hint.ts';
import { DatabaseRefused } from '../sqlite/migrate.ts';
import { openDatabase } from '../sqlite/open-database.ts';
import { openLocalWriter, type LocalWriter, type Writer } from '../sqlite/writer.ts';
import { BlobError, type BlobRef, type BlobStore } from '../store/blob-store.ts';
import type { BlobUser } from '../store/blob-use.ts';
import { checkMail } from '../store/embedded/mail-check.ts';
import { fixShardCount, mailShardFile, ShardCountRefused } from '../store/embedded/mail-files.ts';
import * as mailOperations from '../store/embedded/mail-operations.ts';
import { openEmbeddedMailStore } from '../store/embedded/mail-store.ts';
import { checkSegments } from '../store/embedded/segment-check.ts';
import { recoverSegments } from '../store/embedded/segment-recovery.ts';
import { openSegmentStore } from '../store/embedded/segment-store.ts';
import type { Finding } from '../store/finding.ts';
import { segmentDirectory } from './backends.ts';
import { describeDirectoryProblem, files, findDataDirectory } from './data-directory.ts';
import { describeInUse, takeDataLock } from './data-lock.ts';
import { checkTls } from '../tls-policy/embedded/tls-check.ts';
import { defaultDirectory } from './default-directory.ts';
import type { FsckOptions } from './cli/options.ts';
import { fromMailFinding } from './fsck-text.ts';
import { localConfig } from './open-stores.ts';
import { hasSearchIndex } from './search.ts';
import { checkIndexes } from '../search/embedded/index-check.ts';
import { readConfig } from './read-config.ts';
import { systemClock } from './system.ts';

type Refusal = { readonly code: 1 | 3 | 6; readonly kind: string; readonly text: string };

/** Gives the exit code: 0 nothing wrong, 4 damage was found (mended or not), 1 failed, 3 and 6 nothing was looked at. */
export async function runFsck(options: FsckOptions): Promise<number> {
  const config = await findConfig(options);
  if (!config.ok) return refuse(config.error, options.json);
  const lock = await takeDataLock(config.value.dataDirectory, {
    pid: process.pid,
    what: 'postrider fsck',
    sinceMs: systemClock.nowMs(),
  });
  if (!lock.ok) {
    const text = `${describeInUse(config.value.dataDirectory, lock.error)}. Stop it, and try again`;
    return refuse({ code: 6, kind: 'in-use', text }, options.json);
  }
  const report = new Report(options.json);
  try {
    for await (const finding of checkAll(config.value, options.repair)) report.tell(finding);
    return report.end(options.repair);
  } catch (cause) {
    if (!(cause instanceof DatabaseRefused) && !(cause instanceof ShardCountRefused)) throw cause;
    return refuse({ code: 6, kind: 'refused-data', text: cause.message }, options.json);
  } finally {
    await lock.value.release();
  }
}

async function findConfig({ config: file, dir }: FsckOptions): Promise<Result<Config, Refusal>> {
  let config: Config;
  if (file === undefined) config = localConfig(resolve(dir ?? defaultDirectory()));
  else {
    const read = await readConfig(file);
    if (!read.ok)
      return err({
        code: 3,
        kind: 'invalid-config',
        text: ['The configuration is not valid:', ...read.error].join('\n  '),
      });
    config = read.value;
  }
  const { dataDirectory, store } = config;
  if (store.backend !== 'embedded')
    return err({
      code: 6,
      kind: 'not-embedded',
      text: `The mail is kept by ${store.backend}, which fsck cannot look into`,
    });
  const found = await findDataDirectory(dataDirectory);
  if (!found.ok)
    return err({ code: 6, kind: 'refused-data', text: describeDirectoryProblem(dataDirectory, found.error) });
  if (found.value === undefined)
    return err({
      code: 1,
      kind: 'not-found',
      text: `There is no post office in ${JSON.stringify(dataDirectory)}`,
    });
  return ok(config);
}

function refuse({ code, kind, text }: Refusal, isJson: boolean): number {
  console.error(isJson ? JSON.stringify({ error: { kind, message: text } }) : `postrider: ${text}`);
  return code;
}

/** Prints findings as they come, since there may be many, and what they amount to. */
class Report {
  readonly #isJson: boolean;
  readonly #counts = { damage: 0, mended: 0, notes: 0 };

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  tell(finding: Finding): void {
    const { kind, severity, text, mended } = finding;
    const isFirst = this.#counts.damage + this.#counts.notes === 0;
    if (severity === 'note') this.#counts.notes += 1;
    else {
      this.#counts.damage += 1;
      if (mended) this.#counts.mended += 1;
    }
    if (this.#isJson)
      process.stdout.write(
        `${isFirst ? '{"found":[' : ','}\n${JSON.stringify({ kind, severity, text, mended })}`,
      );
    else console.log(`${severity === 'note' ? 'note' : mended ? 'mended' : 'damage'}: ${kind}: ${text}`);
  }

  end(isRepair: boolean): number {
    const { damage, mended, notes } = this.#counts;
    if (this.#isJson) {
      const start = damage + notes === 0 ? '{"found":[' : '\n';
      const counts = JSON.stringify({ ok: damage === 0, ...this.#counts }).slice(1);
      process.stdout.write(`${start}],${counts}\n`);
    } else if (damage === 0) console.log('All is well');
    else if (isRepair) console.log(`${damage} found damaged, ${mended} of them mended`);
    else console.log(`${damage} found damaged; --repair mends what can be mended`);
    return damage === 0 ? 0 : 4;
  }
}

function damageOf(kind: string, text: string, mended = false): Finding {
  return { kind, severity: 'damage', text, mended };
}

/** All findings over the data of a stopped server, whose lock is held. */
export async function* checkAll(config: Config, repair: boolean): AsyncGenerator<Finding, void, void> {
  const { dataDirectory } = config;
  const mail = yield* openMail(dataDirectory, repair);
  const queue = yield* openQueue(dataDirectory, repair);
  const blobs = await openSegmentStore({
    directory: segmentDirectory(config),
    clock: systemClock,
    owner: 'fsck',
  });
  try {
    const isWhole = mail?.isWhole !== false && queue !== undefined;
    const users = [...(mail?.users ?? []), ...(queue?.users ?? [])];
    yield* contained('segment.failed', checkOctets(segmentDirectory(config), users, repair, isWhole));
    if (mail !== undefined) yield* contained('mail.failed', checkShards(dataDirectory, mail, blobs, repair));
    if (mail !== undefined && hasSearchIndex(config)) {
      const { shards } = mail;
      yield* contained('search.failed', checkIndexes({ dataDirectory, shards, blobs, repair }));
    }
    queue?.close();
    if (queue !== undefined)
      yield* contained('queue.failed', checkQueue({ file: files.queue(dataDirectory), repair }));
    yield* contained('directory.failed', checkAccounts(dataDirectory, repair));
    yield* contained('tls.failed', checkTlsRecords(dataDirectory, repair));
  } finally {
    mail?.close();
    queue?.close();
    await blobs.close();
  }
}

/** A file that cannot be read any further is a finding; the others are looked at all the same. */
async function* contained(
  kind: string,
  findings: AsyncIterable<Finding>,
): AsyncGenerator<Finding, void, void> {
  try {
    yield* findings;
  } catch (cause) {
    if (isNewer(cause) || !isOfTheFile(cause)) throw cause;
    yield damageOf(kind, messageOf(cause));
  }
}

function isOfTheFile(cause: unknown): boolean {
  return cause instanceof Fault || cause instanceof DatabaseRefused;
}

/** Written by a newer version: nothing is wrong with it, but we cannot say so. */
function isNewer(cause: unknown): boolean {
  return cause instanceof DatabaseRefused && cause.refusal.kind === 'newer';
}

function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} failed: ${cause.cause.message}` : cause.message;
}

type Opened = { readonly users: readonly BlobUser[]; close(): void };
type OpenedMail = Opened & {
  readonly shards: number;
  /** Every shard can be read. */
  readonly isWhole: boolean;
  readonly writer: (shard: number) => MailWriter;
};
type MailWriter = Writer<mailOperations.MailOperations>;

const NO_WRITER: Writer<never> = {
  call: () => Promise.reject(new TypeError('fsck without --repair changes nothing')),
  lazy: () => Promise.reject(new TypeError('fsck without --repair changes nothing')),
};

/** The shards that can be opened; the others are findings, and undefined where there are none at all. */
async function* openMail(
  dataDirectory: string,
  repair: boolean,
): AsyncGenerator<Finding, OpenedMail | undefined, void> {
  const present = (await readdir(dataDirectory)).filter((name) => /^mail-\d{4}\.sqlite$/.test(name));
  const isCounted = existsSync(join(dataDirectory, 'mail-shards.json'));
  if (!isCounted && present.length === 0) return undefined;
  if (!isCounted) {
    // Shards are numbered from 0 without gaps, so that their files say how many there are.
    if (repair) fixShardCount(dataDirectory, present.length);
    yield damageOf(
      'mail.no-shard-count',
      `mail-shards.json is missing beside ${present.length} shards`,
      repair,
    );
  }
  const shards = isCounted ? fixShardCount(dataDirectory, present.length) : present.length;
  const hintScope = `fsck ${dataDirectory}`;
  const writers = new Map<number, LocalWriter<mailOperations.MailOperations>>();
  const sound = new Set<number>();
  for (let shard = 0; shard < shards; shard += 1) {
    const file = mailShardFile(dataDirectory, shard);
    if (repair && !existsSync(file))
      yield damageOf('mail.damaged-file', `${file} is gone, and made anew without mail`, true);
    const writer = repair ? tryOpen(() => openLocalWriter(mailOperations, file, { hintScope })) : undefined;
    const isReadable = tryOpen(() => openDatabase(file, mailOperations.kind, { readOnly: true }).close());
    // What is wrong with the others, checking them says.
    if (!(writer instanceof Error) && !(isReadable instanceof Error)) sound.add(shard);
    if (writer !== undefined && !(writer instanceof Error)) writers.set(shard, writer);
  }
  const writerOf = (shard: number): MailWriter => writers.get(shard) ?? NO_WRITER;
  const store = openEmbeddedMailStore({
    dataDirectory,
    shards,
    writer: writerOf,
    hintScope,
    clock: systemClock,
  });
  return {
    shards,
    isWhole: sound.size === shards,
    writer: writerOf,
    users: store.blobUsers.filter((_user, shard) => sound.has(shard)),
    close: () => {
      store.close();
      for (const writer of writers.values()) writer.close();
    },
  };
}

async function* openQueue(
  dataDirectory: string,
  repair: boolean,
): AsyncGenerator<Finding, Opened | undefined, void> {
  const file = files.queue(dataDirectory);
  // Before the first start has come so far.
  if (!existsSync(file) && !existsSync(join(dataDirectory, 'mail-shards.json'))) return undefined;
  if (repair && !existsSync(file))
    yield damageOf('queue.damaged', `${file} is gone, and made anew without messages`, true);
  const writer = repair ? tryOpen(() => openLocalWriter(queueWriter, file, undefined)) : undefined;
  if (writer instanceof Error) {
    yield damageOf('queue.damaged', writer.message);
    return undefined;
  }
  const hints = openHints(`fsck ${dataDirectory}`);
  const queue = tryOpen(
    () => new EmbeddedQueue({ file, writer: writer ?? NO_WRITER, hints, clock: systemClock }),
  );
  if (queue instanceof Error) {
    hints.close();
    writer?.close();
    yield damageOf('queue.damaged', queue.message);
    return undefined;
  }
  let isOpen = true;
  return {
    users: [queue],
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      queue.close();
      writer?.close();
      hints.close();
    },
  };
}

function tryOpen<Value>(open: () => Value): Value | Error {
  try {
    return open();
  } catch (cause) {
    if (isNewer(cause) || !isOfTheFile(cause)) throw cause;
    return new Error(messageOf(cause), { cause });
  }
}

async function* checkOctets(
  directory: string,
  users: readonly BlobUser[],
  repair: boolean,
  isWhole: boolean,
): AsyncGenerator<Finding, void, void> {
  // Only what was never acknowledged is cut off by it, as at every start; so all who name places must be heard.
  if (repair && isWhole) await recoverSegments({ directory, users });
  yield* checkSegments({ directory, users, repair });
}

async function* checkShards(
  dataDirectory: string,
  { shards, writer }: OpenedMail,
  blobs: BlobStore,
  repair: boolean,
): AsyncGenerator<Finding, void, void> {
  const mending = { writer, clock: systemClock, digest: digestOf(blobs) };
  for await (const finding of checkMail({ dataDirectory, shards, ...(repair ? { repair: mending } : {}) }))
    yield fromMailFinding(finding);
}

function digestOf(blobs: BlobStore) {
  return async (blob: BlobRef, prefix: Uint8Array): Promise<MessageDigest | undefined> => {
    try {
      return digestMessage(scanMessage(Buffer.concat([prefix, await blobs.read(blob)])));
    } catch (cause) {
      // Its octets are a finding of their own.
      if (cause instanceof BlobError) return undefined;
      throw cause;
    }
  };
}

async function* checkAccounts(dataDirectory: string, repair: boolean): AsyncGenerator<Finding, void, void> {
  const file = files.directory(dataDirectory);
  if (!existsSync(file)) {
    if (existsSync(files.queue(dataDirectory)))
      yield damageOf('directory.damaged-file', `${file} is missing`);
    return;
  }
  for (const finding of checkDirectory({ file, repair, nowMs: systemClock.nowMs() }))
    yield fromDirectory(finding);
}

/** Made at the start by whoever needs it first: where it is missing nothing is lost that is not found out again. */
async function* checkTlsRecords(dataDirectory: string, repair: boolean): AsyncGenerator<Finding, void, void> {
  const file = files.tls(dataDirectory);
  if (existsSync(file)) yield* checkTls({ file, repair });
}

function fromDirectory({ kind, subject, text, repaired }: DirectoryFinding): Finding {
  return damageOf(`directory.${kind}`, `${subject}: ${text}`, repaired);
}
