/**
 * The writes of the mail store, each one transaction. The account's row is locked first, so that the changes of an account
 * follow each other and a reader who sees a modseq sees all changes below it. What is read for the decision is sent along
 * with the lock and so is of the same instant; each decides before it writes, so that a refusal leaves nothing behind.
 */
import { LIMITS } from '../../base/limits.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Transaction, Value } from '../../postgres/postgres.ts';
import { numberAt, octetsAt, textAt } from '../../sqlite/database.ts';
import type { Row } from '../../sqlite/database.ts';
import {
  checkNewMailbox,
  checkRemoval,
  checkRename,
  countFlags,
  countPlace,
  discountPlace,
  INBOX_ID,
  newDelta,
  nextUidValidity,
  overQuota,
  spellLists,
  withoutDeleted,
} from '../account-state.ts';
import type { AccountState, Delta, MailboxTree } from '../account-state.ts';
import { encodeDigest, threadKeyNumbers } from '../embedded/mail-digest.ts';
import { toEntry, toKeywords, toMailbox, toMetadataSize } from '../embedded/mail-rows.ts';
import { SQL } from '../embedded/mail-schema.ts';
import { known, toMailboxId, toModSeq, toUid, toUidValidity } from '../ids.ts';
import type { AccountId, MailboxId, ModSeq, Uid } from '../ids.ts';
import { toSortColumns, type SortColumns } from '../sortable.ts';
import { changeFlags, keywordKey, sameFlags, withoutContradiction } from '../keyword.ts';
import type { Flags } from '../keyword.ts';
import { FLAG } from '../mail-store.ts';
import type {
  Appended,
  Copied,
  DeliveryKey,
  Entry,
  FlagChange,
  FlagsChanged,
  KeywordProblem,
  Mailbox,
  MailboxProblem,
  MailboxRole,
  MetadataChange,
  MetadataProblem,
  NewMessage,
  NoSuchMailbox,
  NoSuchMessage,
  OverQuota,
  ReplacedPlace,
  SubscriptionProblem,
  TooManyUrlKeys,
  UrlKeyMailbox,
} from '../mail-store.ts';
import { FIRST_MAILBOXES } from '../mailbox-name.ts';
import { checkMetadata, METADATA_REMOVALS_KEPT } from '../metadata.ts';
import { MAIL_SQL, numbered } from './mail-tables.ts';

/** Who writes, and when: the clock is the caller's. */
export type To = { readonly account: AccountId; readonly nowMs: number };

export type Statement = readonly [sql: string, ...values: readonly Value[]];

/** A row of `place` as operations read it. */
type PlaceRow = { readonly uid: Uid; readonly email: number; readonly octets: number } & Flags;

/** A place that is to be. */
type NewPlace = {
  readonly modSeq: number;
  readonly uid: number;
  readonly email: number;
  readonly octets: number;
} & Flags;

const NO_MAILBOX: { readonly ok: false; readonly error: NoSuchMailbox } = err({ kind: 'no-such-mailbox' });

/** Columns of the statements over places: uid, email_id, flags, keywords, modseq, octets. */
function toPlace(row: Row): PlaceRow {
  return {
    uid: known(toUid(numberAt(row, 0))),
    email: numberAt(row, 1),
    flags: numberAt(row, 2),
    keywords: toKeywords(textAt(row, 3)),
    octets: numberAt(row, 5),
  };
}

function toState(id: AccountId, row: Row): AccountState {
  return {
    id,
    modSeq: numberAt(row, 0),
    lastUidValidity: numberAt(row, 1),
    octetsUsed: numberAt(row, 2),
    messagesUsed: numberAt(row, 3),
    octetsMax: row[4] === null ? undefined : numberAt(row, 4),
  };
}

function toTree(rows: readonly Row[] | undefined): MailboxTree {
  return new Map((rows ?? []).map(toMailbox).map((one) => [one.id, one]));
}

function toSpellings(rows: readonly Row[] | undefined): ReadonlyMap<string, string> {
  return new Map((rows ?? []).map((row) => [textAt(row, 0), textAt(row, 1)] as const));
}

/** One account, its row locked, within one transaction. */
export class AccountTransaction {
  readonly #transaction: Transaction;
  readonly #account: AccountState;
  readonly #nowMs: number;
  /** What was asked for with the lock: rows of each statement. */
  readonly #answers: readonly (readonly Row[])[];

  private constructor(
    transaction: Transaction,
    account: AccountState,
    nowMs: number,
    answers: readonly (readonly Row[])[],
  ) {
    this.#transaction = transaction;
    this.#account = account;
    this.#nowMs = nowMs;
    this.#answers = answers;
  }

  /** Locks the account; one that is unknown is made, with its first mailboxes. */
  static async begin(
    transaction: Transaction,
    { account, nowMs }: To,
    ...asked: readonly Statement[]
  ): Promise<AccountTransaction> {
    const ask = async (): Promise<[readonly Row[], ...(readonly Row[])[]]> =>
      Promise.all([
        transaction.rows(MAIL_SQL.lockAccount, account),
        ...asked.map(([sql, ...values]) => transaction.rows(sql, ...values)),
      ]);
    let [[row], ...answers] = await ask();
    if (row === undefined) {
      const isOurs = (await transaction.run(MAIL_SQL.addAccount, account)) > 0;
      if (isOurs) addFirstMailboxes(transaction, account, nowMs);
      [[row], ...answers] = await ask();
    }
    if (row === undefined) throw new TypeError(`Account ${account} was made and is not there`);
    return new AccountTransaction(transaction, toState(account, row), nowMs, answers);
  }

  get modSeq(): number {
    return this.#account.modSeq;
  }

  #write(sql: string, ...values: readonly Value[]): void {
    this.#transaction.write(sql, this.#account.id, ...values);
  }

  /** For statements shared with SQLite, where the account is not the first parameter. */
  #writeAsIs(sql: string, ...values: readonly Value[]): void {
    this.#transaction.write(sql, ...values);
  }

  #save(): void {
    save(this.#transaction, this.#account);
  }

  async #readMailbox(mailbox: MailboxId): Promise<Mailbox> {
    const row = await this.#transaction.row(numbered(SQL.mailbox), this.#account.id, mailbox);
    if (row === undefined) throw new TypeError('A mailbox that was just written is not there');
    return toMailbox(row);
  }

  /** Asked for: mailboxes. */
  async createMailbox(request: {
    readonly parent: MailboxId | undefined;
    readonly name: string;
    readonly role: MailboxRole | undefined;
  }): Promise<Result<Mailbox, MailboxProblem>> {
    const stored = checkNewMailbox(toTree(this.#answers[0]), request);
    if (!stored.ok) return stored;
    const { parent, role } = request;
    const id = addMailbox(this.#transaction, this.#account, this.#nowMs, parent ?? 0, stored.value, role);
    this.#save();
    return ok(await this.#readMailbox(id));
  }

  /** Asked for: mailboxes. */
  async renameMailbox(
    mailbox: MailboxId,
    to: { readonly parent: MailboxId | undefined; readonly name: string },
  ): Promise<Result<Mailbox, MailboxProblem>> {
    const stored = checkRename(toTree(this.#answers[0]), mailbox, to);
    if (!stored.ok) return stored;
    const account = this.#account;
    account.modSeq += 1;
    const values = [to.parent ?? 0, stored.value, account.modSeq, account.id, mailbox];
    this.#writeAsIs(numbered(SQL.renameMailbox), ...values);
    this.#save();
    return ok(await this.#readMailbox(mailbox));
  }

  /** Asked for: mailboxes. */
  async removeMailbox(mailbox: MailboxId): Promise<Result<void, MailboxProblem>> {
    const problem = checkRemoval(toTree(this.#answers[0]), mailbox);
    if (problem !== undefined) return err(problem);
    const account = this.#account;
    account.modSeq += 1;
    const rows = await this.#transaction.rows(MAIL_SQL.places, account.id, mailbox);
    await this.#removePlaces(mailbox, rows.map(toPlace));
    this.#writeAsIs(numbered(SQL.removeMailbox), account.id, mailbox);
    this.#writeAsIs(numbered(SQL.removeMailboxMetadata), account.id, mailbox);
    this.#writeAsIs(numbered(SQL.removeUrlKey), account.id, account.id, mailbox);
    this.#writeAsIs(numbered(SQL.addRemovedMailbox), account.id, account.modSeq, mailbox);
    this.#save();
    return ok(undefined);
  }

  async subscribe(path: string, subscribed: boolean): Promise<Result<void, SubscriptionProblem>> {
    const { id } = this.#account;
    const sql = `${numbered(subscribed ? SQL.subscribe : SQL.unsubscribe)} RETURNING 1`;
    if ((await this.#transaction.row(sql, id, path)) === undefined) return ok(undefined);
    const count = await this.#transaction.row(numbered(SQL.countSubscriptions), id);
    if (subscribed && count !== undefined && numberAt(count, 0) > LIMITS.subscriptionsMax) {
      this.#writeAsIs(numbered(SQL.unsubscribe), id, path);
      return err({ kind: 'too-many' });
    }
    this.#account.modSeq += 1;
    this.#save();
    return ok(undefined);
  }

  /** Asked for: the key that there is, and how many. */
  setUrlKey(
    { owner, mailbox }: UrlKeyMailbox,
    key: Uint8Array,
    mode: 'keep' | 'replace',
  ): Result<Uint8Array, TooManyUrlKeys> {
    const [[kept] = [], [count] = []] = this.#answers;
    if (kept !== undefined && mode === 'keep') return ok(octetsAt(kept, 0));
    if (kept === undefined && count !== undefined && numberAt(count, 0) >= LIMITS.urlKeysMax)
      return err({ kind: 'too-many' });
    this.#writeAsIs(numbered(SQL.setUrlKey), this.#account.id, owner, mailbox, key);
    return ok(key);
  }

  removeUrlKeys(): void {
    this.#writeAsIs(numbered(SQL.removeUrlKeys), this.#account.id);
  }

  /** Asked for: the mailbox, the sizes of its annotations, the octets of all that the reader sees. */
  setMetadata(
    reader: AccountId,
    mailbox: MailboxId | undefined,
    changes: readonly MetadataChange[],
  ): Result<ModSeq, NoSuchMailbox | MetadataProblem> {
    const account = this.#account;
    const [boxes, sizes, octets] = this.#answers;
    if (mailbox !== undefined && boxes?.[0] === undefined) return NO_MAILBOX;
    const total = octets?.[0] === undefined ? 0 : numberAt(octets[0], 0);
    const checked = checkMetadata((sizes ?? []).map(toMetadataSize), changes, reader, total);
    if (!checked.ok) return checked;
    if (checked.value.length > 0) {
      account.modSeq += 1;
      for (const { name, value, reader: whose } of checked.value) {
        const values = [account.id, mailbox ?? 0, whose, name, value, account.modSeq];
        this.#writeAsIs(numbered(SQL.setMetadata), ...values);
      }
      const before = account.modSeq - METADATA_REMOVALS_KEPT;
      this.#writeAsIs(numbered(SQL.forgetMetadata), account.id, before);
      this.#save();
    }
    return ok(known(toModSeq(account.modSeq)));
  }

  setQuota(octetsMax: number | undefined): void {
    this.#writeAsIs(numbered(SQL.setQuota), octetsMax ?? null, this.#account.id);
  }

  /** @param key of a delivery: it is written down, and made only once. Asked for: see {@link askForAppend} */
  append(
    messages: readonly PackedMessage[],
    key: DeliveryKey | undefined,
    octetsFreed = 0,
  ): Result<Appended & { readonly duplicate: boolean }, NoSuchMailbox | OverQuota | KeywordProblem> {
    const account = this.#account;
    const [boxes, keywordRows, threadRows, earlier] = this.#answers;
    const [delivered] = key === undefined ? [] : (earlier ?? []);
    if (delivered !== undefined)
      return ok({
        uidValidity: known(toUidValidity(numberAt(delivered, 0))),
        uids: [known(toUid(numberAt(delivered, 1)))],
        modSeq: known(toModSeq(numberAt(delivered, 2))),
        duplicate: true,
      });
    const [box] = boxes ?? [];
    if (box === undefined) return NO_MAILBOX;
    const over = overQuota(
      account,
      messages.reduce((sum, { octets }) => sum + octets, 0),
      octetsFreed,
    );
    if (over !== undefined) return err(over);
    const spelled = this.#spell(
      keywordRows,
      messages.map(({ message }) => withoutContradiction(message.keywords)),
    );
    if (spelled === undefined) return err({ kind: 'too-many-keywords' });
    const uidNext = numberAt(box, 1);
    const places: NewPlace[] = [];
    for (const [index, { message, octets }] of messages.entries()) {
      account.modSeq += 1;
      account.octetsUsed += octets;
      account.messagesUsed += 1;
      places.push({
        modSeq: account.modSeq,
        uid: uidNext + index,
        email: account.modSeq,
        octets,
        flags: message.flags,
        keywords: spelled[index] ?? [],
      });
    }
    const uids = places.map(({ uid }) => known(toUid(uid)));
    const uidValidity = known(toUidValidity(numberAt(box, 0)));
    if (places.length > 0) {
      const emails = places.map(({ email }) => email);
      this.#addMessages(messages, emails, this.#threads(messages, emails, threadRows));
      this.#addPlaces(known(toMailboxId(numberAt(box, 2))), places);
      this.#save();
    }
    if (key !== undefined) {
      const { queueId, recipient } = key;
      const values = [queueId, recipient, uidValidity, uids[0] ?? 0, account.modSeq, this.#nowMs];
      this.#writeAsIs(numbered(SQL.addDelivery), account.id, ...values);
    }
    return ok({ uidValidity, uids, modSeq: known(toModSeq(account.modSeq)), duplicate: false });
  }

  /** Asked for: see {@link askForReplace}. */
  async replace(
    from: MailboxId,
    message: PackedMessage,
  ): Promise<Result<Appended, NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem>> {
    const [, , , boxes, placeRows, others] = this.#answers;
    if (boxes?.[0] === undefined) return NO_MAILBOX;
    const [row] = placeRows ?? [];
    if (row === undefined) return err({ kind: 'no-such-message' });
    const place = toPlace(row);
    const appended = this.append([message], undefined, others?.[0] === undefined ? place.octets : 0);
    if (!appended.ok) return appended;
    const { uidValidity, uids } = appended.value;
    this.#account.modSeq += 1;
    await this.#removePlaces(from, [place]);
    this.#save();
    return ok({ uidValidity, uids, modSeq: known(toModSeq(this.#account.modSeq)) });
  }

  #addMessages(
    messages: readonly PackedMessage[],
    emails: readonly number[],
    threads: readonly number[],
  ): void {
    this.#write(
      MAIL_SQL.addMessages,
      emails,
      threads,
      messages.map(({ message }) => message.receivedAtMs),
      messages.map(({ octets }) => octets),
      messages.map(({ message }) => Buffer.from(message.blob.id, 'hex')),
      messages.map(({ message }) => message.blob.octets),
      messages.map(({ message }) => message.blob.place),
      messages.map(({ message }) => message.prefix),
      messages.map(({ sorting }) => sorting.sentAtMs),
      messages.map(({ sorting }) => sorting.subject),
      messages.map(({ sorting }) => sorting.addresses),
      messages.map(({ sorting }) => sorting.thread),
    );
    this.#write(
      MAIL_SQL.addDigests,
      emails,
      messages.map(({ digest }) => digest),
    );
  }

  /** RFC 8621 §3: the thread of a message that shares an id and the base subject; else a new one. */
  #threads(
    messages: readonly PackedMessage[],
    emails: readonly number[],
    rows: readonly Row[] | undefined,
  ): readonly number[] {
    const threadOf = new Map((rows ?? []).map((row) => [numberAt(row, 0), numberAt(row, 1)] as const));
    const added: number[] = [];
    const threads = messages.map(({ threadKeys }, index) => {
      const found = threadKeys.map((key) => threadOf.get(key)).find((thread) => thread !== undefined);
      const thread = found ?? emails[index] ?? 0;
      for (const key of threadKeys) {
        if (threadOf.has(key)) continue;
        threadOf.set(key, thread);
        added.push(key);
      }
      return thread;
    });
    if (added.length > 0)
      this.#write(
        MAIL_SQL.addThreadKeys,
        added,
        added.map((key) => threadOf.get(key) ?? 0),
      );
    return threads;
  }

  /** The account's spellings of each list; new keywords are kept. */
  #spell(
    rows: readonly Row[] | undefined,
    lists: readonly (readonly string[])[],
  ): readonly (readonly string[])[] | undefined {
    if (lists.every((list) => list.length === 0)) return lists;
    const spelled = spellLists(toSpellings(rows), lists);
    if (spelled !== undefined && spelled.added.length > 0)
      this.#write(MAIL_SQL.addKeywords, spelled.added.map(keywordKey), spelled.added);
    return spelled?.lists;
  }

  #addPlaces(mailbox: MailboxId, places: readonly NewPlace[]): void {
    this.#write(
      MAIL_SQL.addPlaces,
      mailbox,
      this.#nowMs,
      places.map(({ modSeq }) => modSeq),
      places.map(({ uid }) => uid),
      places.map(({ email }) => email),
      places.map(({ flags }) => flags),
      places.map(({ keywords }) => keywords.join(' ')),
      places.map(({ octets }) => octets),
    );
    const delta = newDelta();
    for (const place of places) countPlace(delta, place, place.modSeq);
    this.#count(mailbox, delta);
  }

  #count(mailbox: MailboxId, { total, unseen, deleted, octets, uids, modSeq }: Delta): void {
    const values = [total, unseen, deleted, octets, uids, modSeq, this.#account.id, mailbox];
    this.#writeAsIs(numbered(SQL.countMailbox), ...values);
  }

  /** Asked for: see {@link askForFlags}. */
  setFlags(mailbox: MailboxId, change: FlagChange): Result<FlagsChanged, NoSuchMailbox | KeywordProblem> {
    const account = this.#account;
    const [boxes, keywordRows, placeRows, otherRows] = this.#answers;
    if (boxes?.[0] === undefined) return NO_MAILBOX;
    const keywords = this.#spellChange(keywordRows, change);
    if (keywords === undefined) return err({ kind: 'too-many-keywords' });
    const modSeq = account.modSeq + 1;
    const others = Map.groupBy(otherRows ?? [], (row) => numberAt(row, 0));
    const changes = new FlagChanges();
    const refused: Uid[] = [];
    const entries: Entry[] = [];
    for (const row of placeRows ?? []) {
      const entry = toEntry(row);
      if (change.unchangedSince !== undefined && entry.modSeq > change.unchangedSince) {
        refused.push(entry.uid);
        continue;
      }
      const after = changeFlags(entry, { ...change, keywords });
      if (sameFlags(entry, after)) {
        entries.push(entry);
        continue;
      }
      changes.add(mailbox, entry.uid, entry.flags, after, modSeq);
      entries.push({ ...entry, ...after, modSeq: known(toModSeq(modSeq)) });
      if (sameFlags(withoutDeleted(entry), withoutDeleted(after))) continue;
      for (const other of others.get(entry.emailId) ?? []) {
        const before = numberAt(other, 3);
        const flags = (after.flags & ~FLAG.deleted) | (before & FLAG.deleted);
        const { keywords: list } = after;
        const id = known(toMailboxId(numberAt(other, 1)));
        changes.add(id, numberAt(other, 2), before, { flags, keywords: list }, modSeq);
      }
    }
    if (changes.uids.length > 0) {
      account.modSeq = modSeq;
      this.#write(
        MAIL_SQL.setFlags,
        modSeq,
        changes.mailboxes,
        changes.uids,
        changes.flags,
        changes.keywords,
      );
      for (const [id, delta] of changes.deltas) this.#count(id, delta);
      this.#save();
    }
    return ok({ entries, refused });
  }

  #spellChange(
    rows: readonly Row[] | undefined,
    { mode, keywords }: FlagChange,
  ): readonly string[] | undefined {
    if (mode !== 'remove') return this.#spell(rows, [keywords])?.[0];
    // What is taken away need not be known, and is not learnt.
    const spellings = toSpellings(rows);
    return keywords.map((keyword) => spellings.get(keywordKey(keyword)) ?? keyword);
  }

  /** Asked for: see {@link askForTransfer}. */
  transfer(from: MailboxId, target: MailboxId, isMove: boolean): Result<Copied, NoSuchMailbox | OverQuota> {
    const account = this.#account;
    const [sources, targets, placeRows, thereRows] = this.#answers;
    const [box] = targets ?? [];
    if (box === undefined || sources?.[0] === undefined) return NO_MAILBOX;
    const places = (placeRows ?? []).map(toPlace);
    const there = new Set((thereRows ?? []).map((row) => numberAt(row, 0)));
    if (!isMove) {
      const again = places.filter(({ email }) => there.has(email));
      const over = overQuota(
        account,
        again.reduce((sum, { octets }) => sum + octets, 0),
      );
      if (over !== undefined) return err(over);
    }
    const uidNext = numberAt(box, 1);
    const came: NewPlace[] = [];
    const copied: { readonly email: number; readonly made: number }[] = [];
    for (const [index, place] of places.entries()) {
      account.modSeq += 1;
      const { modSeq } = account;
      // A message that has a place there already: what comes is a new one of the same blob.
      const isAnew = there.has(place.email) && !(from === target && isMove);
      if (isAnew) {
        copied.push({ email: place.email, made: modSeq });
        account.octetsUsed += place.octets;
        account.messagesUsed += 1;
      }
      came.push({ ...place, modSeq, uid: uidNext + index, email: isAnew ? modSeq : place.email });
    }
    if (places.length > 0) {
      if (copied.length > 0) this.#copyMessages(copied);
      if (isMove)
        this.#leave(
          from,
          places,
          came.map(({ modSeq }) => modSeq),
        );
      this.#addPlaces(target, came);
      this.#save();
    }
    return ok({
      uidValidity: known(toUidValidity(numberAt(box, 0))),
      from: places.map(({ uid }) => uid),
      to: came.map(({ uid }) => known(toUid(uid))),
      modSeq: known(toModSeq(account.modSeq)),
    });
  }

  #copyMessages(copied: readonly { readonly email: number; readonly made: number }[]): void {
    const emails = copied.map(({ email }) => email);
    const made = copied.map((one) => one.made);
    this.#write(MAIL_SQL.copyMessages, emails, made);
    this.#write(MAIL_SQL.copyDigests, emails, made);
  }

  /** Takes places out, each at its own modseq, and counts; their messages are the caller's. */
  #leave(mailbox: MailboxId, places: readonly PlaceRow[], modSeqs: readonly number[]): void {
    const uids = places.map(({ uid }) => uid);
    this.#write(MAIL_SQL.removePlaces, mailbox, uids);
    this.#write(
      MAIL_SQL.addVanished,
      mailbox,
      modSeqs,
      uids,
      places.map(({ email }) => email),
    );
    const delta = newDelta();
    for (const [index, place] of places.entries()) discountPlace(delta, place, modSeqs[index] ?? 0);
    this.#count(mailbox, delta);
  }

  /** Takes places out at the account's modseq, with the messages that have no other. */
  async #removePlaces(mailbox: MailboxId, places: readonly PlaceRow[]): Promise<void> {
    if (places.length === 0) return;
    const account = this.#account;
    this.#leave(
      mailbox,
      places,
      places.map(() => account.modSeq),
    );
    const dropped = await this.#transaction.rows(
      MAIL_SQL.dropUnplaced,
      account.id,
      places.map(({ email }) => email),
    );
    if (dropped.length === 0) return;
    for (const row of dropped) account.octetsUsed -= numberAt(row, 1);
    account.messagesUsed -= dropped.length;
    this.#write(
      MAIL_SQL.removeDigests,
      dropped.map((row) => numberAt(row, 0)),
    );
  }

  /** Asked for: the mailbox, and its places to be removed. */
  async expunge(mailbox: MailboxId): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    const [boxes, placeRows] = this.#answers;
    if (boxes?.[0] === undefined) return NO_MAILBOX;
    const places = (placeRows ?? []).map(toPlace);
    if (places.length === 0) return ok([]);
    this.#account.modSeq += 1;
    await this.#removePlaces(mailbox, places);
    this.#save();
    return ok(places.map(({ uid }) => uid));
  }
}

/** Places that get other flags, and what that does to the counters of their mailboxes. */
class FlagChanges {
  readonly mailboxes: MailboxId[] = [];
  readonly uids: number[] = [];
  readonly flags: number[] = [];
  readonly keywords: string[] = [];
  readonly deltas = new Map<MailboxId, Delta>();

  add(mailbox: MailboxId, uid: number, before: number, after: Flags, modSeq: number): void {
    this.mailboxes.push(mailbox);
    this.uids.push(uid);
    this.flags.push(after.flags);
    this.keywords.push(after.keywords.join(' '));
    const delta = this.deltas.get(mailbox) ?? newDelta();
    this.deltas.set(mailbox, delta);
    countFlags(delta, before, -1);
    countFlags(delta, after.flags, 1);
    delta.modSeq = modSeq;
  }
}

function addFirstMailboxes(transaction: Transaction, id: AccountId, nowMs: number): void {
  const account: AccountState = {
    id,
    modSeq: 0,
    lastUidValidity: 0,
    octetsUsed: 0,
    messagesUsed: 0,
    octetsMax: undefined,
  };
  for (const { name, role } of FIRST_MAILBOXES) {
    addMailbox(transaction, account, nowMs, 0, name, role);
    transaction.write(numbered(SQL.subscribe), id, name);
  }
  save(transaction, account);
}

function addMailbox(
  transaction: Transaction,
  account: AccountState,
  nowMs: number,
  parent: number,
  name: string,
  role: MailboxRole | undefined,
): MailboxId {
  account.modSeq += 1;
  account.lastUidValidity = nextUidValidity(account, nowMs);
  const mailbox = known(toMailboxId(account.modSeq));
  const { id, lastUidValidity, modSeq } = account;
  const values = [id, mailbox, parent, name, role ?? null, lastUidValidity, modSeq, nowMs];
  transaction.write(numbered(SQL.addMailbox), ...values);
  return mailbox;
}

function save(
  transaction: Transaction,
  { id, modSeq, lastUidValidity, octetsUsed, messagesUsed }: AccountState,
): void {
  transaction.write(numbered(SQL.saveAccount), modSeq, lastUidValidity, octetsUsed, messagesUsed, id);
}

/** A message with what is computed of it once, however often its transaction is run again. */
export type PackedMessage = {
  readonly message: NewMessage;
  /** Of prefix and blob. */
  readonly octets: number;
  readonly digest: Uint8Array;
  /** See `threadKeyNumbers`. */
  readonly threadKeys: readonly number[];
  readonly sorting: SortColumns;
};

export function pack(message: NewMessage): PackedMessage {
  return {
    message,
    octets: message.blob.octets + message.prefix.length,
    digest: encodeDigest(message.digest),
    threadKeys: threadKeyNumbers(message.digest),
    sorting: toSortColumns(message.digest),
  };
}

export function askForAppend(
  account: AccountId,
  mailbox: MailboxId | undefined,
  messages: readonly PackedMessage[],
  key: DeliveryKey | undefined,
): readonly Statement[] {
  const threadKeys = messages.flatMap((message) => message.threadKeys);
  return [
    [MAIL_SQL.mailboxWithUids, account, mailbox ?? INBOX_ID],
    [numbered(SQL.keywords), account],
    [MAIL_SQL.threads, account, threadKeys],
    ...(key === undefined ? [] : [[numbered(SQL.delivery), account, key.queueId, key.recipient] as const]),
  ];
}

export function askForReplace(
  account: AccountId,
  { mailbox: from, uid }: ReplacedPlace,
  mailbox: MailboxId,
  message: PackedMessage,
): readonly Statement[] {
  return [
    ...askForAppend(account, mailbox, [message], undefined),
    [numbered(SQL.mailboxUids), account, from],
    [MAIL_SQL.placesByUid, account, from, [uid]],
    [MAIL_SQL.otherPlaces, account, from, [uid]],
  ];
}

export function askForFlags(
  account: AccountId,
  mailbox: MailboxId,
  uids: readonly Uid[],
): readonly Statement[] {
  return [
    [numbered(SQL.mailboxUids), account, mailbox],
    [numbered(SQL.keywords), account],
    [MAIL_SQL.placesByUid, account, mailbox, uids],
    [MAIL_SQL.otherPlaces, account, mailbox, uids],
  ];
}

export function askForTransfer(
  account: AccountId,
  from: MailboxId,
  uids: readonly Uid[],
  to: MailboxId,
): readonly Statement[] {
  return [
    [numbered(SQL.mailboxUids), account, from],
    [numbered(SQL.mailboxUids), account, to],
    [MAIL_SQL.placesByUid, account, from, uids],
    [MAIL_SQL.emailsIn, account, from, uids, to],
  ];
}
