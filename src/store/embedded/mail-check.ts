/**
 * Checks the shards of the mail store, and mends them: for `fsck`. Reads each account in one snapshot, so it may run beside
 * a working server; mending goes through the shard's writer, an account at a time.
 */
import { Fault } from '../../base/fault.ts';
import { toBuffer } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import type { MessageDigest } from '../../message/digest.ts';
import { isWorldError, numberAt, octetsAt, reading, textAt } from '../../sqlite/database.ts';
import type { Database } from '../../sqlite/database.ts';
import { DatabaseRefused } from '../../sqlite/migrate.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { ownOctets } from '../../sqlite/writer.ts';
import type { Writer } from '../../sqlite/writer.ts';
import { toBlobPlace } from '../blob-store.ts';
import type { BlobRef } from '../blob-store.ts';
import { known, toAccountId, toBlobId } from '../ids.ts';
import type { AccountId, EmailId } from '../ids.ts';
import { encodeDigest } from './mail-digest.ts';
import { mailShardFile } from './mail-files.ts';
import { findInAccount } from './mail-findings.ts';
import type { AccountFinding } from './mail-findings.ts';
import type { MailOperations } from './mail-operations.ts';
import { CHECK_SQL, kind } from './mail-schema.ts';

export type MailFinding =
  | {
      readonly kind: 'damaged-file';
      readonly shard: number;
      readonly detail: string;
      readonly isRepaired: false;
    }
  | (AccountFinding & { readonly shard: number; readonly account: AccountId; readonly isRepaired: boolean });

export type MailCheckOptions = {
  readonly dataDirectory: string;
  readonly shards: number;
  /** One account only; all when undefined. */
  readonly account?: AccountId;
  readonly repair?: {
    readonly writer: (shard: number) => Writer<MailOperations>;
    readonly clock: Clock;
    /** The digest of `prefix ‖ blob`, made again; `undefined` when the octets cannot be read. */
    readonly digest: (blob: BlobRef, prefix: Uint8Array) => Promise<MessageDigest | undefined>;
  };
};

/** Gives findings as they are found; nothing at all when all is well. */
export async function* checkMail(options: MailCheckOptions): AsyncGenerator<MailFinding, void, void> {
  for (let shard = 0; shard < options.shards; shard += 1) {
    if (options.account !== undefined && options.account % options.shards !== shard) continue;
    try {
      yield* checkShard(shard, options);
    } catch (error) {
      // The other shards are looked at all the same. A newer file is not damaged: that is for the caller.
      const isRefused = error instanceof DatabaseRefused && error.refusal.kind !== 'newer';
      if (!(error instanceof Fault) && !isRefused) throw error;
      yield { kind: 'damaged-file', shard, detail: describe(error), isRepaired: false };
    }
  }
}

function describe(error: Error): string {
  return error.cause instanceof Error ? `${error.message} failed: ${error.cause.message}` : error.message;
}

async function* checkShard(
  shard: number,
  options: MailCheckOptions,
): AsyncGenerator<MailFinding, void, void> {
  const reader = openDatabase(mailShardFile(options.dataDirectory, shard), kind, { readOnly: true });
  try {
    yield* checkFile(reader, shard);
    for (const account of accountsOf(reader, options.account))
      yield* checkAccount(reader, shard, account, options);
  } finally {
    reader.close();
  }
}

function* checkFile(reader: Database, shard: number): Generator<MailFinding, void, void> {
  try {
    for (const row of reader.prepare(CHECK_SQL.integrity).rows()) {
      const detail = textAt(row, 0);
      if (detail !== 'ok') yield { kind: 'damaged-file', shard, detail, isRepaired: false };
    }
  } catch (error) {
    if (!isWorldError(error)) throw error;
    yield { kind: 'damaged-file', shard, detail: String(error), isRepaired: false };
  }
}

function accountsOf(reader: Database, only: AccountId | undefined): readonly AccountId[] {
  if (only !== undefined) return [only];
  const rows = reading('Listing accounts', () => reader.prepare(CHECK_SQL.owners).rows());
  return rows.map((row) => known(toAccountId(numberAt(row, 0))));
}

async function* checkAccount(
  reader: Database,
  shard: number,
  account: AccountId,
  { repair }: MailCheckOptions,
): AsyncGenerator<MailFinding, void, void> {
  let findings: readonly AccountFinding[];
  try {
    findings = reader.snapshot(() => findInAccount(reader, account));
  } catch (error) {
    if (!isWorldError(error)) throw error;
    yield { kind: 'damaged-file', shard, detail: `account ${account}: ${String(error)}`, isRepaired: false };
    return;
  }
  if (findings.length > 0 && repair !== undefined) {
    try {
      findings = await repair.writer(shard).call('repairAccount', { account, nowMs: repair.clock.nowMs() });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // Rolled back: everything is as it was found.
      for (const finding of findings) yield { ...finding, shard, account, isRepaired: false };
      yield {
        kind: 'damaged-file',
        shard,
        detail: `account ${account}: ${describe(error)}`,
        isRepaired: false,
      };
      return;
    }
  }
  for (const finding of findings) {
    const isOfDigest = finding.kind === 'digest-damaged' || finding.kind === 'message-without-digest';
    const isRepaired =
      repair !== undefined &&
      (!isOfDigest || (await makeDigest(reader, shard, account, finding.email, repair)));
    yield { ...finding, shard, account, isRepaired };
  }
}

async function makeDigest(
  reader: Database,
  shard: number,
  account: AccountId,
  email: EmailId,
  repair: NonNullable<MailCheckOptions['repair']>,
): Promise<boolean> {
  const row = reading('Reading a message', () => reader.prepare(CHECK_SQL.blob).row(account, email));
  if (row === undefined) return false;
  const blob: BlobRef = {
    id: known(toBlobId(toBuffer(octetsAt(row, 0)).toString('hex'))),
    octets: numberAt(row, 1),
    place: known(toBlobPlace(numberAt(row, 2))),
  };
  const digest = await repair.digest(blob, octetsAt(row, 3));
  if (digest === undefined) return false;
  const octets = ownOctets(encodeDigest(digest));
  try {
    await repair.writer(shard).call('putDigest', { account, email, octets });
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
  return true;
}
