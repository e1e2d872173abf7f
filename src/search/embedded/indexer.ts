/**
 * Brings the indexes up to what is in the mail store: adds what came, removes what is gone. Whatever is in an index was read
 * from the store, so one that is lost or set back is made again by the same steps. docs/search.md.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { BlobError, toBlobPlace, type BlobStore } from '../../store/blob-store.ts';
import { decodeDigest } from '../../store/embedded/mail-digest.ts';
import { mailShardFile } from '../../store/embedded/mail-files.ts';
import { kind as mailKind, SQL } from '../../store/embedded/mail-schema.ts';
import { known, toAccountId, toBlobId, toEmailId, type AccountId, type EmailId } from '../../store/ids.ts';
import type { KeptOctets } from '../../store/placed-octets.ts';
import { toBuffer } from '../../base/bytes.ts';
import { numberAt, octetsAt, type Database, type Row } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { readTexts } from '../message-text.ts';
import {
  clearIndex,
  IndexGrowth,
  kind,
  readState,
  searchFile,
  searchFolder,
  writeState,
  type NewDocument,
} from './index-file.ts';

export type IndexerOptions = {
  readonly dataDirectory: string;
  /** As `fixShardCount` gave it. */
  readonly shards: number;
  readonly blobs: BlobStore;
};

/** Messages of one transaction. */
const BATCH = 64;
const ACCOUNTS_PAGE = 1000;

const PENDING = `SELECT m.email_id, m.blob_id, m.blob_octets, m.blob_place, m.prefix, d.digest FROM message m
  LEFT JOIN digest d ON d.account_id = m.account_id AND d.email_id = m.email_id
  WHERE m.account_id = ? AND m.email_id > ? ORDER BY m.email_id LIMIT ?`;
const GONE = 'SELECT DISTINCT email_id FROM vanished WHERE account_id = ? AND modseq > ?';
export const PENDING_COUNT = 'SELECT count(*) FROM message WHERE account_id = ? AND email_id > ?';

/** How far an account's index has come. */
export type IndexStatus = {
  readonly indexed: number;
  readonly pending: number;
  /** With words that are not in the index: a search reads them. */
  readonly unread: number;
};

export class Indexer {
  readonly #options: IndexerOptions;
  readonly #shards: (Database | undefined)[] = [];

  constructor(options: IndexerOptions) {
    this.#options = options;
    mkdirSync(searchFolder(options.dataDirectory), { recursive: true, mode: 0o700 });
  }

  close(): void {
    for (const shard of this.#shards) shard?.close();
  }

  /** Every account that has mail. */
  accounts(): AccountId[] {
    const found: AccountId[] = [];
    for (let shard = 0; shard < this.#options.shards; shard += 1) {
      const statement = this.#shard(shard).prepare(SQL.accountsAfter);
      for (let after = -1, isFull = true; isFull;) {
        const rows = statement.rows(after, ACCOUNTS_PAGE);
        found.push(...rows.map((row) => known(toAccountId(numberAt(row, 0)))));
        isFull = rows.length === ACCOUNTS_PAGE;
        after = found.at(-1) ?? 0;
      }
    }
    return found;
  }

  /** Removes indexes of accounts that are gone. */
  sweep(): void {
    const present = new Set<number>(this.accounts());
    for (const name of readdirSync(searchFolder(this.#options.dataDirectory))) {
      const account = toAccountId(Number(/^(\d+)\.sqlite$/.exec(name)?.[1] ?? Number.NaN));
      if (account !== undefined && !present.has(account)) this.remove(account);
    }
  }

  /** Forgets what the index knows, so that all is read again. */
  reset(account: AccountId): void {
    this.#withFile(account, (database) => inTransaction(database, () => clearIndex(database)));
  }

  status(account: AccountId): IndexStatus {
    const counted = this.#withFile(account, (database) =>
      database
        .prepare(
          'SELECT through, count(email_id), coalesce(sum(unread > 0), 0) FROM state LEFT JOIN document',
        )
        .row(),
    );
    const [through, indexed, unread] = [0, 1, 2].map((at) => numberAt(counted ?? [0, 0, 0], at));
    const [row] = this.#shardOf(account)
      .prepare(PENDING_COUNT)
      .rows(account, through ?? 0);
    return {
      indexed: indexed ?? 0,
      unread: unread ?? 0,
      pending: row === undefined ? 0 : numberAt(row, 0),
    };
  }

  /**
   * Brings one account's index up to now, a batch at a time.
   * @param pause is waited for after each batch; false ends it early
   */
  async update(account: AccountId, pause: () => Promise<boolean>): Promise<void> {
    const owner = this.#shardOf(account).prepare(SQL.account).row(account);
    if (owner === undefined) return this.remove(account);
    const modSeq = numberAt(owner, 0);
    const database = this.#openFile(account);
    try {
      this.#removeGone(database, account, modSeq);
      const growth = new IndexGrowth(database);
      for (;;) {
        const { through } = readState(database);
        const rows = this.#shardOf(account).prepare(PENDING).rows(account, through, BATCH);
        if (rows.length === 0) return;
        const documents: NewDocument[] = [];
        // oxlint-disable-next-line no-await-in-loop -- one at a time: octets are not gathered
        for (const row of rows) documents.push(await this.#read(row));
        inTransaction(database, () => {
          const state = readState(database);
          // It was set back meanwhile: what was read is read again in its order.
          if (state.through !== through) return;
          for (const document of documents) growth.add(document);
          writeState(database, { ...state, through: documents.at(-1)?.emailId ?? through });
        });
        // oxlint-disable-next-line no-await-in-loop -- others have the processor in between
        if (!(await pause())) return;
      }
    } finally {
      database.close();
    }
  }

  /** What went since the last time; or everything, where the store was set back to an older copy. */
  #removeGone(database: Database, account: AccountId, modSeq: number): void {
    const { through, vanishedThrough } = readState(database);
    if (Math.max(through, vanishedThrough) > modSeq) {
      inTransaction(database, () => clearIndex(database));
      return;
    }
    if (vanishedThrough === modSeq) return;
    const mail = this.#shardOf(account);
    // A new index holds nothing that could be gone.
    const gone = through === 0 ? [] : mail.prepare(GONE).rows(account, vanishedThrough);
    const isThere = mail.prepare(SQL.hasMessage);
    inTransaction(database, () => {
      const growth = new IndexGrowth(database);
      for (const row of gone) {
        const email = known(toEmailId(numberAt(row, 0)));
        if (isThere.row(account, email) === undefined) growth.remove(email);
      }
      writeState(database, { ...readState(database), vanishedThrough: modSeq });
    });
  }

  async #read(row: Row): Promise<NewDocument> {
    const emailId: EmailId = known(toEmailId(numberAt(row, 0)));
    const octets = row[5];
    const digest = octets instanceof Uint8Array ? decodeDigest(octets) : undefined;
    if (digest === undefined) return { emailId, said: undefined };
    const kept: KeptOctets = {
      blob: {
        id: known(toBlobId(toBuffer(octetsAt(row, 1)).toString('hex'))),
        octets: numberAt(row, 2),
        place: known(toBlobPlace(numberAt(row, 3))),
      },
      prefix: octetsAt(row, 4),
    };
    try {
      const texts = await readTexts(kept, digest.headerOctets, this.#options.blobs, true);
      return { emailId, said: { texts, subject: digest.subject } };
    } catch (cause) {
      // Gone meanwhile, moved or damaged: whoever searches reads it, and finds out.
      if (cause instanceof BlobError) return { emailId, said: undefined };
      throw cause;
    }
  }

  /** Its next update makes it anew. */
  remove(account: AccountId): void {
    const file = searchFile(this.#options.dataDirectory, account);
    for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
  }

  #openFile(account: AccountId): Database {
    const database = openDatabase(searchFile(this.#options.dataDirectory, account), kind);
    // What a power cut takes is read again: the state is in the commit of what it tells of.
    database.setSynced(false);
    return database;
  }

  #withFile<Answer>(account: AccountId, work: (database: Database) => Answer): Answer {
    const database = this.#openFile(account);
    try {
      return work(database);
    } finally {
      database.close();
    }
  }

  #shardOf(account: AccountId): Database {
    return this.#shard(account % this.#options.shards);
  }

  #shard(shard: number): Database {
    return (this.#shards[shard] ??= openDatabase(
      mailShardFile(this.#options.dataDirectory, shard),
      mailKind,
      {
        readOnly: true,
      },
    ));
  }
}

function inTransaction(database: Database, work: () => void): void {
  database.begin();
  try {
    work();
    database.commit();
  } catch (cause) {
    database.rollback();
    throw cause;
  }
}
