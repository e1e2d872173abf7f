/**
 * Accounts' mail in PostgreSQL. The tables are there and migrated before this is opened. The octets of messages are
 * elsewhere; rows hold their places.
 *
 * What differs from the embedded store, and what does not: docs/store.md, "PostgreSQL". Errors: `Fault` when the database
 * cannot be asked.
 */
import type { Clock } from '../../base/clock.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Postgres, Value } from '../../postgres/postgres.ts';
import { numberAt, octetsAt, optionalNumberAt, textAt } from '../../sqlite/database.ts';
import type { Row } from '../../sqlite/database.ts';
import type { Hints } from '../../sqlite/hint.ts';
import { toBlobPlace } from '../blob-store.ts';
import type { BlobPlace } from '../blob-store.ts';
import type { BlobUser } from '../blob-use.ts';
import { readAccountChanges } from '../embedded/mail-changes.ts';
import type { ChangesAnswer, ChangesQuestion } from '../embedded/mail-changes.ts';
import {
  toEntry,
  toMailbox,
  toMetadata,
  toMetadataChanged,
  toListed,
  toPlaced,
  toSortables,
  toStored,
} from '../embedded/mail-rows.ts';
import { ACCOUNT_TABLES, REMOVAL_KEYS, SQL } from '../embedded/mail-schema.ts';
import { known, toModSeq, toUid } from '../ids.ts';
import type { AccountId, MailboxId, ModSeq, Uid } from '../ids.ts';
import { spellKeywords } from '../keyword.ts';
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
import { withOlder } from '../sortable.ts';
import { AccountWatch } from './account-watch.ts';
import type { Listener } from './account-watch.ts';
import { MAIL_SQL, numbered, SORTABLES_SQL } from './mail-tables.ts';
import {
  AccountTransaction,
  askForAppend,
  askForFlags,
  askForReplace,
  askForTransfer,
  pack,
} from './mail-transactions.ts';
import type { Statement } from './mail-transactions.ts';

export type PostgresMailStoreOptions = {
  readonly postgres: Postgres;
  /** Of all threads of this process. */
  readonly hints: Hints;
  readonly clock: Clock;
};

const PAGE_ROWS = 2500;
const PLACED_PAGE = 500;
const LISTED_PAGE = 500;
const MESSAGES_PAGE = 250;
const SORTABLES_PAGE = 2000;
const PLACES_PAGE = 5000;
const ENTRIES_MAX = 10_000;
const UID_MAX = 4_294_967_295;
const ACCOUNT_ROWS_REMOVED = 2000;
const ACCOUNTS_PRUNED = 200;
const DELIVERY_KEPT_MS = 30 * 86_400_000;

/** Throws for what is no keyword here, with the caller's stack. */
function checkKeywords(keywords: readonly string[]): void {
  spellKeywords(new Map(), keywords);
}

export class PostgresMailStore implements MailStore, BlobUser {
  readonly #postgres: Postgres;
  readonly #clock: Clock;
  readonly #watch: AccountWatch;

  constructor({ postgres, hints, clock }: PostgresMailStoreOptions) {
    this.#postgres = postgres;
    this.#clock = clock;
    this.#watch = new AccountWatch(postgres, hints, clock);
  }

  async openAccount(account: AccountId): Promise<void> {
    if ((await this.#accountRow(account)) === undefined) await this.#open(account);
  }

  async removeAccount(account: AccountId): Promise<void> {
    // Piece by piece, so that nobody waits long.
    // oxlint-disable-next-line no-await-in-loop -- one piece after the other
    while (!(await this.#removeSome(account)));
  }

  async #removeSome(account: AccountId): Promise<boolean> {
    return this.#postgres.transaction('Removing an account', async (transaction) => {
      await transaction.rows(MAIL_SQL.lockAccount, account);
      let left = ACCOUNT_ROWS_REMOVED;
      for (const table of ACCOUNT_TABLES) {
        const key = REMOVAL_KEYS[table];
        const remove =
          `DELETE FROM ${table} WHERE account_id = $1 AND ${key} <= (SELECT max(${key}) FROM` +
          ` (SELECT ${key} FROM ${table} WHERE account_id = $1 ORDER BY ${key} LIMIT ${ACCOUNT_ROWS_REMOVED}) first)`;
        // oxlint-disable-next-line no-await-in-loop -- those that others refer to last
        left -= await transaction.run(remove, account);
        if (left <= 0) return false;
      }
      return true;
    });
  }

  async quota(account: AccountId): Promise<Quota> {
    const row = (await this.#accountRow(account)) ?? (await this.#open(account));
    return {
      octetsUsed: numberAt(row, 2),
      messagesUsed: numberAt(row, 3),
      octetsMax: optionalNumberAt(row, 4),
    };
  }

  async setQuota(account: AccountId, octetsMax: number | undefined): Promise<void> {
    await this.#change('Setting a quota', account, [], async (changing) => changing.setQuota(octetsMax));
  }

  async mailboxes(account: AccountId): Promise<readonly Mailbox[]> {
    let rows = await this.#rows(numbered(SQL.mailboxes), account);
    if (rows.length === 0) {
      await this.#open(account);
      rows = await this.#rows(numbered(SQL.mailboxes), account);
    }
    return inTreeOrder(rows.map(toMailbox));
  }

  async mailbox(account: AccountId, mailbox: MailboxId): Promise<Mailbox | undefined> {
    const [row] = await this.#rows(numbered(SQL.mailbox), account, mailbox);
    if (row !== undefined) return toMailbox(row);
    await this.openAccount(account);
    return (await this.#rows(numbered(SQL.mailbox), account, mailbox)).map(toMailbox)[0];
  }

  async createMailbox(
    account: AccountId,
    { parent, name, role }: Parameters<MailStore['createMailbox']>[1],
  ): Promise<Result<Mailbox, MailboxProblem>> {
    return this.#change('Making a mailbox', account, [[numbered(SQL.mailboxes), account]], (changing) =>
      changing.createMailbox({ parent, name, role }),
    );
  }

  async renameMailbox(
    account: AccountId,
    mailbox: MailboxId,
    to: Parameters<MailStore['renameMailbox']>[2],
  ): Promise<Result<Mailbox, MailboxProblem>> {
    return this.#change('Renaming a mailbox', account, [[numbered(SQL.mailboxes), account]], (changing) =>
      changing.renameMailbox(mailbox, to),
    );
  }

  async removeMailbox(account: AccountId, mailbox: MailboxId): Promise<Result<void, MailboxProblem>> {
    return this.#change('Removing a mailbox', account, [[numbered(SQL.mailboxes), account]], (changing) =>
      changing.removeMailbox(mailbox),
    );
  }

  async subscriptions(account: AccountId): Promise<readonly string[]> {
    await this.openAccount(account);
    return (await this.#rows(numbered(SQL.subscriptions), account)).map((row) => textAt(row, 0)).toSorted();
  }

  async subscribe(
    account: AccountId,
    path: string,
    subscribed: boolean,
  ): Promise<Result<void, SubscriptionProblem>> {
    const stored = toMailboxPath(path);
    if (stored === undefined) return err({ kind: 'bad-name' });
    return this.#change('Subscribing', account, [], (changing) => changing.subscribe(stored, subscribed));
  }

  async urlKey(account: AccountId, { owner, mailbox }: UrlKeyMailbox): Promise<Uint8Array | undefined> {
    const [row] = await this.#rows(numbered(SQL.urlKey), account, owner, mailbox);
    return row && octetsAt(row, 0);
  }

  setUrlKey(
    account: AccountId,
    of: UrlKeyMailbox,
    key: Uint8Array,
    mode: 'keep' | 'replace',
  ): Promise<Result<Uint8Array, TooManyUrlKeys>> {
    const { owner, mailbox } = of;
    const asked = [
      [numbered(SQL.urlKey), account, owner, mailbox],
      [numbered(SQL.countUrlKeys), account],
    ] as const;
    return this.#change('Keeping a key for URLs', account, asked, async (changing) =>
      changing.setUrlKey(of, key, mode),
    );
  }

  async removeUrlKeys(account: AccountId): Promise<void> {
    await this.#change('Removing the keys for URLs', account, [], async (changing) =>
      changing.removeUrlKeys(),
    );
  }

  async metadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
  ): Promise<readonly MetadataEntry[]> {
    return (await this.#rows(numbered(SQL.metadata), account, mailbox ?? 0, reader)).map(toMetadata);
  }

  async mailboxMetadata(account: AccountId, reader: AccountId): Promise<readonly MetadataEntry[]> {
    return (await this.#rows(numbered(SQL.mailboxMetadata), account, reader)).map(toMetadata);
  }

  setMetadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
    changes: readonly MetadataChange[],
  ): Promise<Result<ModSeq, NoSuchMailbox | MetadataProblem>> {
    const questions = [
      [numbered(SQL.mailboxUids), account, mailbox ?? 0],
      [numbered(SQL.metadataSizes), account, mailbox ?? 0, reader],
      [numbered(SQL.metadataOctets), account, reader],
    ] as const;
    return this.#change('Setting annotations', account, questions, async (changing) =>
      changing.setMetadata(reader, mailbox, changes),
    );
  }

  async metadataNews(account: AccountId, reader: AccountId, since: ModSeq): Promise<MetadataNews> {
    const row = (await this.#accountRow(account)) ?? (await this.#open(account));
    const modSeq = known(toModSeq(numberAt(row, 0)));
    if (modSeq <= since) return { modSeq, changed: [] };
    const rows = await this.#rows(numbered(SQL.metadataNews), account, since, modSeq, reader);
    return { modSeq, changed: rows.map(toMetadataChanged) };
  }

  async append(
    account: AccountId,
    mailbox: MailboxId,
    messages: readonly NewMessage[],
  ): Promise<Result<Appended, NoSuchMailbox | OverQuota | KeywordProblem>> {
    const appended = await this.#append('Appending messages', account, mailbox, messages, undefined);
    if (!appended.ok) return appended;
    const { uidValidity, uids, modSeq } = appended.value;
    return ok({ uidValidity, uids, modSeq });
  }

  async replace(
    account: AccountId,
    replaced: ReplacedPlace,
    mailbox: MailboxId,
    message: NewMessage,
  ): Promise<Result<Appended, NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem>> {
    checkKeywords(message.keywords);
    const packed = pack(message);
    return this.#change(
      'Replacing a message',
      account,
      askForReplace(account, replaced, mailbox, packed),
      (changing) => changing.replace(replaced.mailbox, packed),
    );
  }

  async deliver(
    account: AccountId,
    mailbox: MailboxId | undefined,
    key: DeliveryKey,
    message: NewMessage,
  ): Promise<Result<Appended & { readonly duplicate: boolean }, NoSuchMailbox | OverQuota | KeywordProblem>> {
    return this.#append('Delivering a message', account, mailbox, [message], key);
  }

  async #append(
    doing: string,
    account: AccountId,
    mailbox: MailboxId | undefined,
    messages: readonly NewMessage[],
    key: DeliveryKey | undefined,
  ): Promise<Result<Appended & { readonly duplicate: boolean }, NoSuchMailbox | OverQuota | KeywordProblem>> {
    for (const { keywords } of messages) checkKeywords(keywords);
    const packed = messages.map(pack);
    return this.#change(doing, account, askForAppend(account, mailbox, packed, key), async (changing) =>
      changing.append(packed, key),
    );
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
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const rows = await this.#rows(numbered(SQL.entries), account, mailbox, after, count);
      for (const row of rows) entries.push(toEntry(row));
      if (rows.length < count) break;
      after = entries.at(-1)?.uid ?? UID_MAX;
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
    await this.#pages(account, numbered(SQL.changedEntries), mailbox, since, highestModSeq, (row) => {
      const entry = toEntry(row);
      changed.set(entry.uid, entry);
      return [entry.modSeq, entry.uid];
    });
    const vanished: Uid[] = [];
    if (since > 0)
      await this.#pages(account, numbered(SQL.vanishedUids), mailbox, since, highestModSeq, (row) => {
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
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const rows = await this.#rows(sql, account, at[0], upTo, mailbox, ...at, PAGE_ROWS);
      for (const row of rows) at = take(row);
      if (rows.length < PAGE_ROWS) return;
    }
  }

  async changes(account: AccountId, since: ModSeq, limit: number): Promise<AccountChanges> {
    await this.openAccount(account);
    return this.#postgres.snapshot('Reading changes', async (transaction) => {
      const answer = async (question: ChangesQuestion): Promise<ChangesAnswer> =>
        question.kind === 'existing'
          ? [await transaction.rows(MAIL_SQL.existingEmails, account, question.emails)]
          : Promise.all(
              question.asked.map(([sql, ...values]) => transaction.rows(numbered(sql), account, ...values)),
            );
      const page = readAccountChanges(since, limit);
      let step = page.next();
      // oxlint-disable-next-line no-await-in-loop -- what is asked next depends on the answer
      while (step.done !== true) step = page.next(await answer(step.value));
      return step.value;
    });
  }

  placed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly PlacedMessage[]> {
    return this.#read(account, MAIL_SQL.placed, mailbox, uids, PLACED_PAGE, (rows) => rows.map(toPlaced));
  }

  listed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly ListedMessage[]> {
    return this.#read(account, MAIL_SQL.listed, mailbox, uids, LISTED_PAGE, (rows) => rows.map(toListed));
  }

  messages(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly StoredMessage[]> {
    return this.#read(account, MAIL_SQL.messages, mailbox, uids, MESSAGES_PAGE, (rows) => rows.map(toStored));
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
    const ascending = [...new Set(uids)].toSorted((a, b) => a - b);
    const messages: Message[] = [];
    for (let at = 0; at < ascending.length; at += page) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const rows = await this.#rows(sql, account, mailbox, ascending.slice(at, at + page));
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
    return this.#change('Setting flags', account, askForFlags(account, mailbox, uids), async (changing) =>
      changing.setFlags(mailbox, change),
    );
  }

  async keywords(account: AccountId): Promise<readonly string[]> {
    return (await this.#rows(numbered(SQL.keywords), account)).map((row) => textAt(row, 1));
  }

  async copy(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox | OverQuota>> {
    return this.#change(
      'Copying messages',
      account,
      askForTransfer(account, from, uids, to),
      async (changing) => changing.transfer(from, to, false),
    );
  }

  async move(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox>> {
    const moved = await this.#change(
      'Moving messages',
      account,
      askForTransfer(account, from, uids, to),
      async (changing) => changing.transfer(from, to, true),
    );
    if (moved.ok) return moved;
    if (moved.error.kind !== 'no-such-mailbox') throw new TypeError('A move was refused for its size');
    return err(moved.error);
  }

  async expunge(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[] | undefined,
  ): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    const questions = [
      [numbered(SQL.mailboxUids), account, mailbox],
      [MAIL_SQL.deletedPlaces, account, mailbox, uids ?? null],
    ] as const;
    return this.#change('Expunging', account, questions, (changing) => changing.expunge(mailbox));
  }

  async remove(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
  ): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    const questions = [
      [numbered(SQL.mailboxUids), account, mailbox],
      [MAIL_SQL.placesByUid, account, mailbox, uids],
    ] as const;
    return this.#change('Removing messages', account, questions, (changing) => changing.expunge(mailbox));
  }

  watch(account: AccountId, listener: Listener): { close(): void } {
    return this.#watch.watch(account, listener);
  }

  async placesBetween(from: BlobPlace, before: BlobPlace): Promise<readonly BlobPlace[]> {
    const places: BlobPlace[] = [];
    for (let at: number = from; ;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const rows = await this.#rows(numbered(SQL.blobPlaces), at, before, PLACES_PAGE);
      for (const row of rows) places.push(known(toBlobPlace(numberAt(row, 0))));
      if (rows.length < PLACES_PAGE) return places;
      at = (places.at(-1) ?? before) + 1;
    }
  }

  async relocate(moves: readonly { readonly from: BlobPlace; readonly to: BlobPlace }[]): Promise<void> {
    if (moves.length === 0) return;
    const [before, after] = [moves.map(({ from }) => from), moves.map(({ to }) => to)];
    await this.#postgres.run('Moving blobs', MAIL_SQL.relocate, before, after);
  }

  /** Forgets what need not be known any more (deliveries of 30 days ago); a little at a time. Once a day is enough. */
  async maintain(): Promise<void> {
    const beforeMs = Math.trunc(this.#clock.nowMs()) - DELIVERY_KEPT_MS;
    for (let after = 0; ;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const rows = await this.#rows(numbered(SQL.accountsAfter), after, ACCOUNTS_PRUNED);
      const accounts = rows.map((row) => numberAt(row, 0));
      const last = accounts.at(-1);
      if (last === undefined) return;
      // oxlint-disable-next-line no-await-in-loop -- the same
      await this.#postgres.run('Forgetting deliveries', MAIL_SQL.pruneDeliveries, accounts, beforeMs);
      after = last;
    }
  }

  /** The database stays open: it is its owner's. */
  close(): void {
    this.#watch.close();
  }

  /** One transaction with the account's row locked; its watchers hear of it once it is durable. */
  async #change<Answer>(
    doing: string,
    account: AccountId,
    questions: readonly Statement[],
    body: (changing: AccountTransaction) => Promise<Answer>,
  ): Promise<Answer> {
    const to = { account, nowMs: Math.trunc(this.#clock.nowMs()) };
    const { answer, modSeq } = await this.#postgres.transaction(doing, async (transaction) => {
      const changing = await AccountTransaction.begin(transaction, to, ...questions);
      return { answer: await body(changing), modSeq: changing.modSeq };
    });
    this.#watch.changed(account, modSeq);
    return answer;
  }

  #rows(sql: string, ...values: readonly Value[]): Promise<readonly Row[]> {
    return this.#postgres.rows('Reading mail', sql, ...values);
  }

  async #accountRow(account: AccountId): Promise<Row | undefined> {
    return (await this.#rows(numbered(SQL.account), account))[0];
  }

  async #open(account: AccountId): Promise<Row> {
    await this.#change('Opening an account', account, [], async () => undefined);
    return (await this.#accountRow(account)) ?? [0, 0, 0, 0, null];
  }
}
