/**
 * Looks through the search indexes of a stopped post office for `fsck`: whether each can be read, knows what it says it knows, and
 * how far it has come. With `repair` those that are damaged are made again, and those that are behind brought up. docs/search.md.
 */
import { existsSync, readdirSync } from 'node:fs';
import { Fault } from '../../base/fault.ts';
import { isWorldError, numberAt, octetsAt, textAt, type Database } from '../../sqlite/database.ts';
import { DatabaseRefused } from '../../sqlite/migrate.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import { mailShardFile } from '../../store/embedded/mail-files.ts';
import { kind as mailKind, SQL } from '../../store/embedded/mail-schema.ts';
import type { Finding } from '../../store/finding.ts';
import { known, toAccountId, type AccountId } from '../../store/ids.ts';
import { kind, readState, searchFile, searchFolder, unpackTexts } from './index-file.ts';
import { Indexer, PENDING_COUNT } from './indexer.ts';

export type CheckIndexesOptions = {
  readonly dataDirectory: string;
  readonly shards: number;
  readonly blobs: BlobStore;
  readonly repair: boolean;
};

/** Rows that are read at once. */
const PAGE = 500;
const LINES_MAX = 20;

type Problem = Pick<Finding, 'kind' | 'severity' | 'text'>;

export async function* checkIndexes(options: CheckIndexesOptions): AsyncGenerator<Finding, void, void> {
  const { dataDirectory, shards, repair } = options;
  const folder = searchFolder(dataDirectory);
  const indexer = repair ? new Indexer(options) : undefined;
  try {
    const present = new Set<number>();
    for (let shard = 0; shard < shards; shard += 1) {
      const mail = openShard(dataDirectory, shard);
      // What is wrong with it, checking the mail says.
      if (mail === undefined) continue;
      try {
        for (const account of accountsOf(mail)) {
          present.add(account);
          // oxlint-disable-next-line no-await-in-loop -- one account after the other
          for (const problem of problemsOf(dataDirectory, account, mail)) {
            if (problem.severity === 'damage') indexer?.remove(account);
            yield { ...problem, mended: indexer !== undefined };
            if (problem.severity === 'damage') break;
          }
          await indexer?.update(account, async () => true);
        }
      } finally {
        mail.close();
      }
    }
    const files = existsSync(folder) ? readdirSync(folder) : [];
    for (const name of files) {
      const account = Number(/^(\d+)\.sqlite$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(account) || present.has(account) || shards === 0) continue;
      yield {
        kind: 'search.leftover',
        severity: 'note',
        text: `${name} is of an account that is gone`,
        mended: indexer !== undefined,
      };
    }
    indexer?.sweep();
  } finally {
    indexer?.close();
  }
}

function openShard(dataDirectory: string, shard: number): Database | undefined {
  try {
    return openDatabase(mailShardFile(dataDirectory, shard), mailKind, { readOnly: true });
  } catch (cause) {
    if (isUnreadable(cause)) return undefined;
    throw cause;
  }
}

function isUnreadable(cause: unknown): boolean {
  return cause instanceof Fault || cause instanceof DatabaseRefused || isWorldError(cause);
}

function* accountsOf(mail: Database): Generator<AccountId, void, void> {
  for (let after = -1, isFull = true; isFull;) {
    const rows = mail.prepare(SQL.accountsAfter).rows(after, PAGE);
    for (const row of rows) yield known(toAccountId(numberAt(row, 0)));
    isFull = rows.length === PAGE;
    after = numberAt(rows.at(-1) ?? [0], 0);
  }
}

/** The first damage is enough: the index is made again as a whole. */
function* problemsOf(
  dataDirectory: string,
  account: AccountId,
  mail: Database,
): Generator<Problem, void, void> {
  const file = searchFile(dataDirectory, account);
  const behind = (through: number): readonly Problem[] => {
    const pending = numberAt(mail.prepare(PENDING_COUNT).row(account, through) ?? [0], 0);
    const text = `${pending} messages of account ${account} are not in its index yet: searches read them`;
    return pending === 0 ? [] : [{ kind: 'search.behind', severity: 'note', text }];
  };
  if (!existsSync(file)) return yield* behind(0);
  let database: Database;
  try {
    database = openDatabase(file, kind, { readOnly: true });
  } catch (cause) {
    if (!isUnreadable(cause) || isNewer(cause)) throw cause;
    if (isOlder(cause))
      return yield {
        kind: 'search.older',
        severity: 'note',
        text: `${file} is of an older form: it is made again`,
      };
    // Without writing, the file cannot be taken back to where it was before the crash: there was nothing in it.
    if (existsSync(`${file}-journal`))
      return yield {
        kind: 'search.unfinished',
        severity: 'note',
        text: `${file} was being made when the system stopped: it is made again`,
      };
    return yield damaged(file, messageOf(cause));
  }
  try {
    const { through, vanishedThrough } = readState(database);
    const modSeq = numberAt(mail.prepare(SQL.account).row(account) ?? [0], 0);
    if (Math.max(through, vanishedThrough) > modSeq)
      yield damaged(file, 'it is ahead of the mail, which is an older copy');
    for (const text of damageIn(database, account, mail, through)) yield damaged(file, text);
    yield* behind(through);
  } catch (cause) {
    if (!isUnreadable(cause)) throw cause;
    yield damaged(file, messageOf(cause));
  } finally {
    database.close();
  }
}

function isNewer(cause: unknown): boolean {
  return cause instanceof DatabaseRefused && cause.refusal.kind === 'newer';
}

function isOlder(cause: unknown): boolean {
  return cause instanceof DatabaseRefused && cause.refusal.kind === 'older';
}

function damaged(file: string, text: string): Problem {
  return { kind: 'search.damaged', severity: 'damage', text: `${file}: ${text}` };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function* damageIn(
  database: Database,
  account: AccountId,
  mail: Database,
  through: number,
): Generator<string, void, void> {
  // Of the indexes of words as well.
  for (const row of database.prepare(`PRAGMA integrity_check(${LINES_MAX})`).rows()) {
    const line = textAt(row, 0);
    if (line !== 'ok') yield line;
  }
  const isKnown = database.prepare('SELECT 1 FROM document WHERE email_id = ?');
  let missing = 0;
  for (let after = 0, isFull = true; isFull;) {
    const rows = mail.prepare(SQL.createdEmails).rows(account, after, PAGE);
    for (const row of rows) {
      after = numberAt(row, 0);
      if (after <= through && isKnown.row(after) === undefined) missing += 1;
    }
    isFull = rows.length === PAGE && after < through;
  }
  if (missing > 0) yield `${missing} messages are missing, and searches would not find them`;
  const unsaid = database
    .prepare(
      'SELECT count(*) FROM document WHERE NOT EXISTS (SELECT 1 FROM said WHERE said.rowid = email_id)',
    )
    .row();
  if (numberAt(unsaid ?? [0], 0) > 0)
    yield 'words of some messages are missing, and searches would not find them';
  for (let after = 0, isFull = true; isFull;) {
    const rows = database
      .prepare('SELECT email_id, header, body FROM text WHERE email_id > ? ORDER BY email_id LIMIT ?')
      .rows(after, PAGE);
    for (const row of rows) {
      after = numberAt(row, 0);
      unpackTexts(octetsAt(row, 1));
      unpackTexts(octetsAt(row, 2));
    }
    isFull = rows.length === PAGE;
  }
}
