/**
 * The embedded mail store as one thread sees it: writes go to the shards' writers, reads are its own, each in a read
 * transaction that ends with it. The writers are open, and so the files there and migrated, before this is opened.
 *
 * What is decided where: docs/store.md. Errors: `Fault` when the disk or a writer fails.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { numberAt, octetsAt, optionalNumberAt, reading, textAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { openHints } from '../../sqlite/hint.ts';
import type { Hints } from '../../sqlite/hint.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { ownOctets } from '../../sqlite/writer.ts';
import type { Writer } from '../../sqlite/writer.ts';
import { MAIL_TOPIC } from '../account-state.ts';
import type { BlobUser } from '../blob-use.ts';
import { known, toAccountId, toModSeq, toUid } from '../ids.ts';
import type { AccountId, MailboxId, ModSeq, Uid } from '../ids.ts';
import { spellKeywords, withoutContradiction } from '../keyword.ts';
import type {
  AccountChanges,
  Appended,
  Copied,
  DeliveryKey,
  Entry,
  FlagChange,
  FlagsChanged,
  KeywordProblem,
  ListedMessage,
  Mailbox,
  MailboxChanges,
  MailboxProblem,
  MetadataChange,
  MetadataEntry,
  MetadataNews,
  MetadataProblem,
  MailboxRole,
  MailStore,
  NewMessage,
  NoSuchMailbox,
  NoSuchMessage,
  OverQuota,
  PlacedMessage,
  Quota,
  ReplacedPlace,
  Sortable,
  SortPart,
  StoredMessage,
  SubscriptionProblem,
  TooManyUrlKeys,
  UrlKeyMailbox,
} from '../mail-store.ts';
import { inTreeOrder, toMailboxPath } from '../mailbox-name.ts';
import { mailBlobUser } from './mail-blob-user.ts';
import { readAccountChanges } from './mail-changes.ts';
import type { ChangesAnswer, ChangesQuestion } from './mail-changes.ts';
import { toSortColumns, withOlder } from '../sortable.ts';
import { encodeDigest, threadKeyNumbers } from './mail-digest.ts';
import { mailShardFile } from './mail-files.ts';
import type { MailOperations, PackedMessage } from './mail-operations.ts';
import {
  rowsOf,
  toEntry,
  toMailbox,
  toMetadata,
  toMetadataChanged,
  toListed,
  toPlaced,
  toSortables,
  toStored,
} from './mail-rows.ts';
import { kind, SORTABLES_SQL, SQL } from './mail-schema.ts';

export type EmbeddedMailStoreOptions = {
  readonly dataDirectory: string;
  /** As `fixShardCount` gave it. */
  readonly shards: number;
  /** The writer of a shard: `connectWriter(port, mailShardName(shard))`. */
  readonly writer: (shard: number) => Writer<MailOperations>;
  /** As given to the writers. */
  readonly hintScope: string;
  readonly clock: Clock;
};

export type EmbeddedMailStore = MailStore & {
  /** One for each shard, for the compaction. */
  readonly blobUsers: readonly BlobUser[];
  /** Forgets what need not be known any more (deliveries of 30 days ago); a little at a time. Once a day is enough. */
  maintain(): Promise<void>;
  close(): void;
};

type Listener = (modSeq: ModSeq) => void;

/** Rows read before other work of the thread has its turn: about 3 ms each. */
const PAGE_ROWS = 2500;
const PLACED_PAGE = 500;
const LISTED_PAGE = 500;
const MESSAGES_PAGE = 250;
const SORTABLES_PAGE = 2000;
const ENTRIES_MAX = 10_000;
const UID_MAX = 4_294_967_295;
const ACCOUNT_ROWS_REMOVED = 2000;
const ACCOUNTS_PRUNED = 200;
const DELIVERY_KEPT_MS = 30 * 86_400_000;
/** A reader's page cache; the operating system has the pages too. */
const READER_CACHE_KIB = 512;

function pack(message: NewMessage): PackedMessage {
  const { blob, prefix, digest } = message;
  const octets = Buffer.concat([Buffer.from(blob.id, 'hex'), prefix, encodeDigest(digest)]);
  return {
    octets: ownOctets(octets),
    prefixOctets: prefix.length,
    blobOctets: blob.octets,
    blobPlace: blob.place,
    flags: message.flags,
    keywords: withoutContradiction(message.keywords),
    receivedAtMs: message.receivedAtMs,
    threadKeys: threadKeyNumbers(digest),
    sorting: toSortColumns(digest),
  };
}

/** Throws for what is no keyword here, with the caller's stack, and not in the writer's group. */
function checkKeywords(keywords: readonly string[]): void {
  spellKeywords(new Map(), keywords);
}

/** Answers what a page of the change feed asks for, inside a snapshot. */
function answerChanges(
  reader: Database,
  account: AccountId,
  page: ReturnType<typeof readAccountChanges>,
): AccountChanges {
  const answer = (question: ChangesQuestion): ChangesAnswer => {
    if (question.kind === 'rows')
      return question.asked.map(([sql, ...values]) => reader.prepare(sql).rows(account, ...values));
    const exists = reader.prepare(SQL.hasMessage);
    return [
      question.emails.filter((email) => exists.row(account, email) !== undefined).map((email) => [email]),
    ];
  };
  let step = page.next();
  while (step.done !== true) step = page.next(answer(step.value));
  return step.value;
}

class EmbeddedStore implements EmbeddedMailStore {
  readonly #options: EmbeddedMailStoreOptions;
  readonly #readers: (Database | undefined)[] = [];
  readonly #writers: (Writer<MailOperations> | undefined)[] = [];
  readonly #hints: Hints;
  readonly #listeners = new Map<AccountId, Set<Listener>>();
  readonly blobUsers: readonly BlobUser[];

  constructor(options: EmbeddedMailStoreOptions) {
    this.#options = options;
    this.#hints = openHints(options.hintScope);
    this.#hints.subscribe(MAIL_TOPIC, (key, value) => this.#hint(key, value));
    this.blobUsers = Array.from({ length: options.shards }, (_, shard) =>
      mailBlobUser(
        () => this.#readerOf(shard),
        () => this.#writerOf(shard),
      ),
    );
  }

  async openAccount(account: AccountId): Promise<void> {
    if (this.#accountRow(account) === undefined) await this.#open(account);
  }

  async removeAccount(account: AccountId): Promise<void> {
    const writer = this.#writer(account);
    const args = { account, rowsMax: ACCOUNT_ROWS_REMOVED };
    // oxlint-disable-next-line no-await-in-loop -- piece by piece, so that no other account waits long
    while (!(await writer.call('removeAccount', args)));
  }

  async quota(account: AccountId): Promise<Quota> {
    const row = this.#accountRow(account) ?? (await this.#open(account));
    return {
      octetsUsed: numberAt(row, 2),
      messagesUsed: numberAt(row, 3),
      octetsMax: optionalNumberAt(row, 4),
    };
  }

  async setQuota(account: AccountId, octetsMax: number | undefined): Promise<void> {
    await this.#writer(account).call('setQuota', { ...this.#to(account), octetsMax });
  }

  async mailboxes(account: AccountId): Promise<readonly Mailbox[]> {
    let rows = this.#rows(account, SQL.mailboxes, account);
    if (rows.length === 0) {
      await this.#open(account);
      rows = this.#rows(account, SQL.mailboxes, account);
    }
    return inTreeOrder(rows.map(toMailbox));
  }

  async mailbox(account: AccountId, mailbox: MailboxId): Promise<Mailbox | undefined> {
    const [row] = this.#rows(account, SQL.mailbox, account, mailbox);
    if (row !== undefined) return toMailbox(row);
    await this.openAccount(account);
    return this.#rows(account, SQL.mailbox, account, mailbox).map(toMailbox)[0];
  }

  createMailbox(
    account: AccountId,
    { parent, name, role }: Parameters<MailStore['createMailbox']>[1],
  ): Promise<Result<Mailbox, MailboxProblem>> {
    const args: { parent: MailboxId | undefined; name: string; role: MailboxRole | undefined } = {
      parent,
      name,
      role,
    };
    return this.#writer(account).call('createMailbox', { ...this.#to(account), ...args });
  }

  renameMailbox(
    account: AccountId,
    mailbox: MailboxId,
    { parent, name }: Parameters<MailStore['renameMailbox']>[2],
  ): Promise<Result<Mailbox, MailboxProblem>> {
    return this.#writer(account).call('renameMailbox', { ...this.#to(account), mailbox, parent, name });
  }

  removeMailbox(account: AccountId, mailbox: MailboxId): Promise<Result<void, MailboxProblem>> {
    return this.#writer(account).call('removeMailbox', { ...this.#to(account), mailbox });
  }

  async subscriptions(account: AccountId): Promise<readonly string[]> {
    await this.openAccount(account);
    return this.#rows(account, SQL.subscriptions, account)
      .map((row) => textAt(row, 0))
      .toSorted();
  }

  async subscribe(
    account: AccountId,
    path: string,
    subscribed: boolean,
  ): Promise<Result<void, SubscriptionProblem>> {
    const stored = toMailboxPath(path);
    if (stored === undefined) return err({ kind: 'bad-name' });
    return this.#writer(account).call('subscribe', { ...this.#to(account), path: stored, subscribed });
  }

  async urlKey(account: AccountId, { owner, mailbox }: UrlKeyMailbox): Promise<Uint8Array | undefined> {
    const [row] = this.#rows(account, SQL.urlKey, account, owner, mailbox);
    return row && octetsAt(row, 0);
  }

  setUrlKey(
    account: AccountId,
    of: UrlKeyMailbox,
    key: Uint8Array,
    mode: 'keep' | 'replace',
  ): Promise<Result<Uint8Array, TooManyUrlKeys>> {
    return this.#writer(account).call('setUrlKey', { ...this.#to(account), ...of, key, mode });
  }

  removeUrlKeys(account: AccountId): Promise<void> {
    return this.#writer(account).call('removeUrlKeys', this.#to(account));
  }

  async metadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
  ): Promise<readonly MetadataEntry[]> {
    return this.#rows(account, SQL.metadata, account, mailbox ?? 0, reader).map(toMetadata);
  }

  async mailboxMetadata(account: AccountId, reader: AccountId): Promise<readonly MetadataEntry[]> {
    return this.#rows(account, SQL.mailboxMetadata, account, reader).map(toMetadata);
  }

  setMetadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
    changes: readonly MetadataChange[],
  ): Promise<Result<ModSeq, NoSuchMailbox | MetadataProblem>> {
    return this.#writer(account).call('setMetadata', { ...this.#to(account), reader, mailbox, changes });
  }

  async metadataNews(account: AccountId, reader: AccountId, since: ModSeq): Promise<MetadataNews> {
    const row = this.#accountRow(account) ?? (await this.#open(account));
    const modSeq = known(toModSeq(numberAt(row, 0)));
    if (modSeq <= since) return { modSeq, changed: [] };
    const rows = this.#rows(account, SQL.metadataNews, account, since, modSeq, reader);
    return { modSeq, changed: rows.map(toMetadataChanged) };
  }

  async append(
    account: AccountId,
    mailbox: MailboxId,
    messages: readonly NewMessage[],
  ): Promise<Result<Appended, NoSuchMailbox | OverQuota | KeywordProblem>> {
    for (const { keywords } of messages) checkKeywords(keywords);
    const packed: PackedMessage[] = [];
    for (const message of messages) {
      // oxlint-disable-next-line no-await-in-loop -- other work of the thread has its turn
      if (packed.length > 0 && packed.length % MESSAGES_PAGE === 0) await turn();
      packed.push(pack(message));
    }
    return this.#writer(account).call('append', { ...this.#to(account), mailbox, messages: packed });
  }

  async replace(
    account: AccountId,
    replaced: ReplacedPlace,
    mailbox: MailboxId,
    message: NewMessage,
  ): Promise<Result<Appended, NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem>> {
    checkKeywords(message.keywords);
    const args = { ...this.#to(account), replaced, mailbox, message: pack(message) };
    return this.#writer(account).call('replace', args);
  }

  async deliver(
    account: AccountId,
    mailbox: MailboxId | undefined,
    key: DeliveryKey,
    message: NewMessage,
  ): Promise<Result<Appended & { readonly duplicate: boolean }, NoSuchMailbox | OverQuota | KeywordProblem>> {
    checkKeywords(message.keywords);
    const args = { ...this.#to(account), mailbox, key, message: pack(message) };
    return this.#writer(account).call('deliver', args);
  }

  async entries(
    account: AccountId,
    mailbox: MailboxId,
    afterUid: number,
    limit: number,
  ): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    const wanted = Math.min(limit, ENTRIES_MAX);
    for (let after = afterUid; entries.length < wanted;) {
      const count = Math.min(PAGE_ROWS, wanted - entries.length);
      const rows = this.#rows(account, SQL.entries, account, mailbox, after, count);
      for (const row of rows) entries.push(toEntry(row));
      if (rows.length < count) break;
      after = entries.at(-1)?.uid ?? UID_MAX;
      // oxlint-disable-next-line no-await-in-loop -- other work of the thread has its turn
      await turn();
    }
    return entries;
  }

  async mailboxChanges(
    account: AccountId,
    mailbox: MailboxId,
    since: ModSeq,
  ): Promise<Result<MailboxChanges, NoSuchMailbox>> {
    const box = await this.mailbox(account, mailbox);
    if (box === undefined) return err({ kind: 'no-such-mailbox' });
    const { highestModSeq, uidNext } = box;
    if (highestModSeq <= since) return ok({ highestModSeq, uidNext, changed: [], vanished: [] });
    // Everything up to what the mailbox said; what changes while pages are read is told the next time.
    const changed = new Map<number, Entry>();
    await this.#pages(account, SQL.changedEntries, mailbox, since, highestModSeq, (row) => {
      const entry = toEntry(row);
      changed.set(entry.uid, entry);
      return [entry.modSeq, entry.uid];
    });
    const vanished: Uid[] = [];
    if (since > 0)
      await this.#pages(account, SQL.vanishedUids, mailbox, since, highestModSeq, (row) => {
        const [modSeq, uid] = [numberAt(row, 0), numberAt(row, 1)];
        vanished.push(known(toUid(uid)));
        return [modSeq, uid];
      });
    return ok({
      highestModSeq,
      uidNext,
      changed: [...changed.values()].toSorted((a, b) => a.uid - b.uid),
      vanished: vanished.toSorted((a, b) => a - b),
    });
  }

  /** Reads rows with `since` < modseq ≤ `upTo` in pages by (modseq, UID), which `take` gives for each row. */
  async #pages(
    account: AccountId,
    sql: string,
    mailbox: MailboxId,
    since: number,
    upTo: number,
    take: (row: Row) => readonly [modSeq: number, uid: number],
  ): Promise<void> {
    let at: readonly [modSeq: number, uid: number] = [since, UID_MAX];
    for (;;) {
      const rows = this.#rows(account, sql, account, at[0], upTo, mailbox, ...at, PAGE_ROWS);
      for (const row of rows) at = take(row);
      if (rows.length < PAGE_ROWS) return;
      // oxlint-disable-next-line no-await-in-loop -- other work of the thread has its turn
      await turn();
    }
  }

  async changes(account: AccountId, since: ModSeq, limit: number): Promise<AccountChanges> {
    await this.openAccount(account);
    const reader = this.#reader(account);
    return reading('Reading changes', () =>
      reader.snapshot(() => answerChanges(reader, account, readAccountChanges(since, limit))),
    );
  }

  placed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly PlacedMessage[]> {
    return this.#read(account, SQL.placed, mailbox, uids, PLACED_PAGE, (rows) => rows.map(toPlaced));
  }

  listed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly ListedMessage[]> {
    return this.#read(account, SQL.listed, mailbox, uids, LISTED_PAGE, (rows) => rows.map(toListed));
  }

  messages(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly StoredMessage[]> {
    return this.#read(account, SQL.messages, mailbox, uids, MESSAGES_PAGE, (rows) => rows.map(toStored));
  }

  async sortables(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
    part?: SortPart,
  ): Promise<readonly Sortable[]> {
    const sql = SORTABLES_SQL[part ?? 'none'];
    const found = await this.#read(account, sql, mailbox, uids, SORTABLES_PAGE, (rows) =>
      toSortables(rows, part),
    );
    return withOlder(found, part, (older) => this.messages(account, mailbox, older));
  }

  async #read<Message>(
    account: AccountId,
    sql: string,
    mailbox: MailboxId,
    uids: readonly Uid[],
    page: number,
    toMessages: (rows: readonly Row[]) => readonly Message[],
  ): Promise<Message[]> {
    const reader = this.#reader(account);
    const ascending = [...new Set(uids)].toSorted((a, b) => a - b);
    const messages: Message[] = [];
    for (let at = 0; at < ascending.length; at += page) {
      // oxlint-disable-next-line no-await-in-loop -- other work of the thread has its turn
      if (at > 0) await turn();
      const some = ascending.slice(at, at + page);
      const rows = reading('Reading messages', () =>
        reader.snapshot(() => rowsOf(reader, sql, account, mailbox, some)),
      );
      for (const message of toMessages(rows)) messages.push(message);
    }
    return messages;
  }

  async setFlags(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
    change: FlagChange,
  ): Promise<Result<FlagsChanged, NoSuchMailbox | KeywordProblem>> {
    checkKeywords(change.keywords);
    return this.#writer(account).call('setFlags', { ...this.#to(account), mailbox, uids, change });
  }

  async keywords(account: AccountId): Promise<readonly string[]> {
    return this.#rows(account, SQL.keywords, account).map((row) => textAt(row, 1));
  }

  copy(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox | OverQuota>> {
    return this.#writer(account).call('transfer', { ...this.#to(account), from, uids, to, isMove: false });
  }

  async move(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox>> {
    const args = { ...this.#to(account), from, uids, to, isMove: true };
    const moved = await this.#writer(account).call('transfer', args);
    if (moved.ok) return moved;
    if (moved.error.kind !== 'no-such-mailbox') throw new TypeError('A move was refused for its size');
    return err(moved.error);
  }

  expunge(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[] | undefined,
  ): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    return this.#writer(account).call('expunge', { ...this.#to(account), mailbox, uids });
  }

  remove(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
  ): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    return this.#writer(account).call('remove', { ...this.#to(account), mailbox, uids });
  }

  watch(account: AccountId, listener: Listener): { close(): void } {
    const listeners = this.#listeners.get(account) ?? new Set();
    this.#listeners.set(account, listeners.add(listener));
    return {
      close: () => {
        listeners.delete(listener);
        if (listeners.size === 0 && this.#listeners.get(account) === listeners)
          this.#listeners.delete(account);
      },
    };
  }

  async maintain(): Promise<void> {
    const beforeMs = this.#options.clock.nowMs() - DELIVERY_KEPT_MS;
    for (let shard = 0; shard < this.#options.shards; shard += 1) {
      let afterAccount: number | undefined = 0;
      while (afterAccount !== undefined) {
        const args: Parameters<MailOperations['pruneDeliveries']>[0] = {
          afterAccount,
          accountsMax: ACCOUNTS_PRUNED,
          beforeMs,
        };
        // oxlint-disable-next-line no-await-in-loop -- a little at a time
        afterAccount = await this.#writerOf(shard).lazy('pruneDeliveries', args);
      }
    }
  }

  close(): void {
    this.#hints.close();
    this.#listeners.clear();
    for (const reader of this.#readers) reader?.close();
    this.#readers.length = 0;
  }

  #hint(key: number, value: number): void {
    const account = toAccountId(key);
    const modSeq = toModSeq(value);
    if (account === undefined || modSeq === undefined) return;
    for (const listener of this.#listeners.get(account) ?? []) listener(modSeq);
  }

  #to(account: AccountId): { readonly account: AccountId; readonly nowMs: number } {
    return { account, nowMs: this.#options.clock.nowMs() };
  }

  #shardOf(account: AccountId): number {
    return account % this.#options.shards;
  }

  #writer(account: AccountId): Writer<MailOperations> {
    return this.#writerOf(this.#shardOf(account));
  }

  #writerOf(shard: number): Writer<MailOperations> {
    return (this.#writers[shard] ??= this.#options.writer(shard));
  }

  #reader(account: AccountId): Database {
    return this.#readerOf(this.#shardOf(account));
  }

  #readerOf(shard: number): Database {
    const options = { readOnly: true, cacheKib: READER_CACHE_KIB };
    return (this.#readers[shard] ??= openDatabase(
      mailShardFile(this.#options.dataDirectory, shard),
      kind,
      options,
    ));
  }

  #rows(account: AccountId, sql: string, ...values: readonly number[]): readonly Row[] {
    return reading('Reading mail', () =>
      this.#reader(account)
        .prepare(sql)
        .rows(...values),
    );
  }

  #accountRow(account: AccountId): Row | undefined {
    return this.#rows(account, SQL.account, account)[0];
  }

  async #open(account: AccountId): Promise<Row> {
    await this.#writer(account).call('openAccount', this.#to(account));
    return this.#accountRow(account) ?? [0, 0, 0, 0, null];
  }
}

export function openEmbeddedMailStore(options: EmbeddedMailStoreOptions): EmbeddedMailStore {
  return new EmbeddedStore(options);
}
