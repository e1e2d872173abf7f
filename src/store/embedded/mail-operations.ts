/**
 * What the writer thread of a mail shard can do: the writes of the mail store, each inside the group's transaction. Each
 * decides before it writes, so that a refusal leaves nothing behind. Arguments and answers are plain data.
 */
import { LIMITS } from '../../base/limits.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { numberAt, octetsAt, textAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { openHints } from '../../sqlite/hint.ts';
import {
  checkNewMailbox,
  checkRemoval,
  checkRename,
  countFlags,
  countPlace,
  discountPlace,
  INBOX_ID,
  MAIL_TOPIC,
  newDelta,
  nextUidValidity,
  overQuota,
  spellLists,
  withoutDeleted,
} from '../account-state.ts';
import type { AccountState, Delta } from '../account-state.ts';
import { known, toMailboxId, toModSeq, toUid, toUidValidity } from '../ids.ts';
import type { AccountId, EmailId, MailboxId, ModSeq, Uid } from '../ids.ts';
import { changeFlags, keywordKey, sameFlags } from '../keyword.ts';
import type { Flags } from '../keyword.ts';
import { FLAG } from '../mail-store.ts';
import type {
  Appended,
  Copied,
  DeliveryKey,
  FlagChange,
  FlagsChanged,
  KeywordProblem,
  Mailbox,
  MailboxProblem,
  MailboxRole,
  MetadataChange,
  MetadataProblem,
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
import type { SortColumns } from '../sortable.ts';
import type { AccountFinding } from './mail-findings.ts';
import { repairAccount } from './mail-repair.ts';
import { rowsOf, toEntry, toKeywords, toMailbox, toMetadataSize } from './mail-rows.ts';
import { ACCOUNT_TABLES, CHECK_SQL, REMOVAL_KEYS, SQL } from './mail-schema.ts';

export { kind } from './mail-schema.ts';

export type MailOptions = {
  /** Whose hints: the same for all threads of one server. */
  readonly hintScope: string;
};

/** A message on its way to the writer. */
export type PackedMessage = {
  /** 32 octets of blob id, then the prefix, then the digest: one buffer, cloned once. */
  readonly octets: Uint8Array;
  readonly prefixOctets: number;
  readonly blobOctets: number;
  readonly blobPlace: number;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly receivedAtMs: number;
  /** See `threadKeyNumbers`. */
  readonly threadKeys: readonly number[];
  readonly sorting: SortColumns;
};

export const BLOB_ID_OCTETS = 32;

/** Who writes, and when: the clock is the caller's. */
type To = { readonly account: AccountId; readonly nowMs: number };

export type MailOperations = {
  openAccount(args: To): void;
  /** Removes so many rows at a time; `false`: there are more. */
  removeAccount(args: { readonly account: AccountId; readonly rowsMax: number }): boolean;
  setQuota(args: To & { readonly octetsMax: number | undefined }): void;
  createMailbox(
    args: To & {
      readonly parent: MailboxId | undefined;
      readonly name: string;
      readonly role: MailboxRole | undefined;
    },
  ): Result<Mailbox, MailboxProblem>;
  renameMailbox(
    args: To & { readonly mailbox: MailboxId; readonly parent: MailboxId | undefined; readonly name: string },
  ): Result<Mailbox, MailboxProblem>;
  removeMailbox(args: To & { readonly mailbox: MailboxId }): Result<void, MailboxProblem>;
  subscribe(
    args: To & { readonly path: string; readonly subscribed: boolean },
  ): Result<void, SubscriptionProblem>;
  setMetadata(
    args: To & {
      readonly reader: AccountId;
      readonly mailbox: MailboxId | undefined;
      readonly changes: readonly MetadataChange[];
    },
  ): Result<ModSeq, NoSuchMailbox | MetadataProblem>;
  setUrlKey(
    args: To & UrlKeyMailbox & { readonly key: Uint8Array; readonly mode: 'keep' | 'replace' },
  ): Result<Uint8Array, TooManyUrlKeys>;
  removeUrlKeys(args: To): void;
  append(
    args: To & { readonly mailbox: MailboxId; readonly messages: readonly PackedMessage[] },
  ): Result<Appended, NoSuchMailbox | OverQuota | KeywordProblem>;
  replace(
    args: To & {
      readonly replaced: ReplacedPlace;
      readonly mailbox: MailboxId;
      readonly message: PackedMessage;
    },
  ): Result<Appended, NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem>;
  deliver(
    args: To & {
      readonly mailbox: MailboxId | undefined;
      readonly key: DeliveryKey;
      readonly message: PackedMessage;
    },
  ): Result<Appended & { readonly duplicate: boolean }, NoSuchMailbox | OverQuota | KeywordProblem>;
  setFlags(
    args: To & { readonly mailbox: MailboxId; readonly uids: readonly Uid[]; readonly change: FlagChange },
  ): Result<FlagsChanged, NoSuchMailbox | KeywordProblem>;
  transfer(
    args: To & {
      readonly from: MailboxId;
      readonly uids: readonly Uid[];
      readonly to: MailboxId;
      readonly isMove: boolean;
    },
  ): Result<Copied, NoSuchMailbox | OverQuota>;
  expunge(
    args: To & { readonly mailbox: MailboxId; readonly uids: readonly Uid[] | undefined },
  ): Result<readonly Uid[], NoSuchMailbox>;
  remove(
    args: To & { readonly mailbox: MailboxId; readonly uids: readonly Uid[] },
  ): Result<readonly Uid[], NoSuchMailbox>;
  relocate(args: { readonly moves: readonly { readonly from: number; readonly to: number }[] }): void;
  /** Forgets deliveries of so many accounts; gives the last account seen, `undefined` at the end. */
  pruneDeliveries(args: {
    readonly afterAccount: number;
    readonly accountsMax: number;
    readonly beforeMs: number;
  }): number | undefined;
  /** Checks the account again and mends it, digests apart; gives what it found. */
  repairAccount(args: To): readonly AccountFinding[];
  /** Puts a digest made again in the place of a missing or damaged one. */
  putDigest(args: {
    readonly account: AccountId;
    readonly email: EmailId;
    readonly octets: Uint8Array;
  }): void;
};

/** A row of `place` as operations read it. */
type PlaceRow = { readonly uid: Uid; readonly email: number; readonly octets: number } & Flags;

const NO_MAILBOX: { readonly ok: false; readonly error: NoSuchMailbox } = err({ kind: 'no-such-mailbox' });

function toPlace(row: Row): PlaceRow {
  return {
    uid: known(toUid(numberAt(row, 0))),
    email: numberAt(row, 1),
    flags: numberAt(row, 2),
    keywords: toKeywords(textAt(row, 3)),
    octets: numberAt(row, 5),
  };
}

export class MailWriter {
  readonly #database: Database;
  readonly #publish: (account: AccountId, modSeq: number) => void;

  constructor(database: Database, publish: (account: AccountId, modSeq: number) => void) {
    this.#database = database;
    this.#publish = publish;
  }

  #run(sql: string, ...values: readonly (number | string | null | Uint8Array)[]): number {
    return this.#database.prepare(sql).run(...values);
  }

  #row(sql: string, ...values: readonly (number | string)[]): Row | undefined {
    return this.#database.prepare(sql).row(...values);
  }

  #rows(sql: string, ...values: readonly (number | string)[]): readonly Row[] {
    return this.#database.prepare(sql).rows(...values);
  }

  /** The account's row; made with its first mailboxes when it is unknown. */
  account({ account, nowMs }: To): AccountState {
    const row = this.#row(SQL.account, account);
    if (row !== undefined)
      return {
        id: account,
        modSeq: numberAt(row, 0),
        lastUidValidity: numberAt(row, 1),
        octetsUsed: numberAt(row, 2),
        messagesUsed: numberAt(row, 3),
        octetsMax: row[4] === null ? undefined : numberAt(row, 4),
      };
    this.#run(SQL.addAccount, account);
    const made: AccountState = {
      id: account,
      modSeq: 0,
      lastUidValidity: 0,
      octetsUsed: 0,
      messagesUsed: 0,
      octetsMax: undefined,
    };
    for (const { name, role } of FIRST_MAILBOXES) {
      this.#addMailbox(made, nowMs, 0, name, role);
      this.#run(SQL.subscribe, account, name);
    }
    this.#save(made);
    return made;
  }

  /** Writes the account's row back and tells its watchers once it is durable. */
  #save({ id, modSeq, lastUidValidity, octetsUsed, messagesUsed }: AccountState): void {
    this.#run(SQL.saveAccount, modSeq, lastUidValidity, octetsUsed, messagesUsed, id);
    this.#database.afterCommit(() => this.#publish(id, modSeq));
  }

  removeAccount({ account, rowsMax }: Parameters<MailOperations['removeAccount']>[0]): boolean {
    let left = rowsMax;
    for (const table of ACCOUNT_TABLES) {
      const key = REMOVAL_KEYS[table];
      left -= this.#run(
        `DELETE FROM ${table} WHERE account_id = ? AND ${key} <= coalesce((SELECT ${key} FROM ${table}` +
          ` WHERE account_id = ? ORDER BY ${key} LIMIT 1 OFFSET ${rowsMax - 1}),` +
          ` (SELECT max(${key}) FROM ${table} WHERE account_id = ?))`,
        account,
        account,
        account,
      );
      if (left <= 0) return false;
    }
    return true;
  }

  #addMailbox(
    account: AccountState,
    nowMs: number,
    parent: number,
    name: string,
    role: MailboxRole | undefined,
  ): MailboxId {
    account.modSeq += 1;
    account.lastUidValidity = nextUidValidity(account, nowMs);
    const id = known(toMailboxId(account.modSeq));
    const { lastUidValidity, modSeq } = account;
    this.#run(SQL.addMailbox, account.id, id, parent, name, role ?? null, lastUidValidity, modSeq, nowMs);
    return id;
  }

  #mailbox(account: AccountState, mailbox: MailboxId): Mailbox {
    const row = this.#row(SQL.mailbox, account.id, mailbox);
    if (row === undefined) throw new TypeError('A mailbox that was just written is not there');
    return toMailbox(row);
  }

  createMailbox({
    parent,
    name,
    role,
    ...to
  }: Parameters<MailOperations['createMailbox']>[0]): Result<Mailbox, MailboxProblem> {
    const account = this.account(to);
    const stored = checkNewMailbox(this.#tree(account), { parent, name, role });
    if (!stored.ok) return stored;
    const id = this.#addMailbox(account, to.nowMs, parent ?? 0, stored.value, role);
    this.#save(account);
    return ok(this.#mailbox(account, id));
  }

  renameMailbox({
    mailbox,
    parent,
    name,
    ...to
  }: Parameters<MailOperations['renameMailbox']>[0]): Result<Mailbox, MailboxProblem> {
    const account = this.account(to);
    const stored = checkRename(this.#tree(account), mailbox, { parent, name });
    if (!stored.ok) return stored;
    account.modSeq += 1;
    this.#run(SQL.renameMailbox, parent ?? 0, stored.value, account.modSeq, account.id, mailbox);
    this.#save(account);
    return ok(this.#mailbox(account, mailbox));
  }

  removeMailbox({
    mailbox,
    ...to
  }: Parameters<MailOperations['removeMailbox']>[0]): Result<void, MailboxProblem> {
    const account = this.account(to);
    const problem = checkRemoval(this.#tree(account), mailbox);
    if (problem !== undefined) return err(problem);
    account.modSeq += 1;
    const places = this.#rows(SQL.places, account.id, mailbox, 1, UID_MAX).map(toPlace);
    for (const place of places) this.#removePlace(account, mailbox, place, account.modSeq);
    this.#run(SQL.removeMailbox, account.id, mailbox);
    this.#run(SQL.removeMailboxMetadata, account.id, mailbox);
    this.#run(SQL.removeUrlKey, account.id, account.id, mailbox);
    this.#run(SQL.addRemovedMailbox, account.id, account.modSeq, mailbox);
    this.#save(account);
    return ok(undefined);
  }

  #tree(account: AccountState): Map<MailboxId, Mailbox> {
    return new Map(
      this.#rows(SQL.mailboxes, account.id)
        .map(toMailbox)
        .map((one) => [one.id, one]),
    );
  }

  subscribe({
    path,
    subscribed,
    ...to
  }: Parameters<MailOperations['subscribe']>[0]): Result<void, SubscriptionProblem> {
    const account = this.account(to);
    const changed = this.#run(subscribed ? SQL.subscribe : SQL.unsubscribe, account.id, path);
    if (changed === 0) return ok(undefined);
    const count = this.#row(SQL.countSubscriptions, account.id);
    if (subscribed && count !== undefined && numberAt(count, 0) > LIMITS.subscriptionsMax) {
      this.#run(SQL.unsubscribe, account.id, path);
      return err({ kind: 'too-many' });
    }
    account.modSeq += 1;
    this.#save(account);
    return ok(undefined);
  }

  setUrlKey({
    owner,
    mailbox,
    key,
    mode,
    ...to
  }: Parameters<MailOperations['setUrlKey']>[0]): Result<Uint8Array, TooManyUrlKeys> {
    const { id } = this.account(to);
    const kept = this.#row(SQL.urlKey, id, owner, mailbox);
    if (kept !== undefined && mode === 'keep') return ok(octetsAt(kept, 0));
    const count = this.#row(SQL.countUrlKeys, id);
    if (kept === undefined && count !== undefined && numberAt(count, 0) >= LIMITS.urlKeysMax)
      return err({ kind: 'too-many' });
    this.#run(SQL.setUrlKey, id, owner, mailbox, key);
    return ok(key);
  }

  removeUrlKeys(to: To): void {
    this.#run(SQL.removeUrlKeys, this.account(to).id);
  }

  setMetadata({
    reader,
    mailbox,
    changes,
    ...to
  }: Parameters<MailOperations['setMetadata']>[0]): Result<ModSeq, NoSuchMailbox | MetadataProblem> {
    const account = this.account(to);
    const box = mailbox ?? 0;
    if (box !== 0 && this.#row(SQL.mailboxUids, account.id, box) === undefined) return NO_MAILBOX;
    const kept = this.#rows(SQL.metadataSizes, account.id, box, reader).map(toMetadataSize);
    const octets = this.#row(SQL.metadataOctets, account.id, reader);
    const checked = checkMetadata(kept, changes, reader, octets === undefined ? 0 : numberAt(octets, 0));
    if (!checked.ok) return checked;
    if (checked.value.length > 0) {
      account.modSeq += 1;
      for (const { name, value, reader: whose } of checked.value)
        this.#run(SQL.setMetadata, account.id, box, whose, name, value, account.modSeq);
      this.#run(SQL.forgetMetadata, account.id, account.modSeq - METADATA_REMOVALS_KEPT);
      this.#save(account);
    }
    return ok(known(toModSeq(account.modSeq)));
  }

  setQuota({ octetsMax, ...to }: Parameters<MailOperations['setQuota']>[0]): void {
    this.#run(SQL.setQuota, octetsMax ?? null, this.account(to).id);
  }

  append({
    mailbox,
    messages,
    ...to
  }: Parameters<MailOperations['append']>[0]): Result<Appended, NoSuchMailbox | OverQuota | KeywordProblem> {
    return this.#append(this.account(to), to.nowMs, mailbox, messages);
  }

  replace({
    replaced: { mailbox: from, uid },
    mailbox,
    message,
    ...to
  }: Parameters<MailOperations['replace']>[0]): Result<
    Appended,
    NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem
  > {
    const account = this.account(to);
    if (this.#row(SQL.mailboxUids, account.id, from) === undefined) return NO_MAILBOX;
    const [row] = this.#rows(SQL.places, account.id, from, uid, uid);
    if (row === undefined) return err({ kind: 'no-such-message' });
    const place = toPlace(row);
    const isLast = this.#rows(SQL.placesOfEmail, account.id, place.email).length === 1;
    const appended = this.#append(account, to.nowMs, mailbox, [message], isLast ? place.octets : 0);
    if (!appended.ok) return appended;
    account.modSeq += 1;
    const delta = newDelta();
    this.#removePlace(account, from, place, account.modSeq);
    discountPlace(delta, place, account.modSeq);
    this.#count(account, from, delta);
    this.#save(account);
    return ok({ ...appended.value, modSeq: known(toModSeq(account.modSeq)) });
  }

  deliver({
    mailbox,
    key,
    message,
    ...to
  }: Parameters<MailOperations['deliver']>[0]): Result<
    Appended & { readonly duplicate: boolean },
    NoSuchMailbox | OverQuota | KeywordProblem
  > {
    const account = this.account(to);
    const { queueId, recipient } = key;
    const earlier = this.#row(SQL.delivery, account.id, queueId, recipient);
    if (earlier !== undefined)
      return ok({
        uidValidity: known(toUidValidity(numberAt(earlier, 0))),
        uids: [known(toUid(numberAt(earlier, 1)))],
        modSeq: known(toModSeq(numberAt(earlier, 2))),
        duplicate: true,
      });
    const appended = this.#append(account, to.nowMs, mailbox ?? INBOX_ID, [message]);
    if (!appended.ok) return appended;
    const { uidValidity, uids, modSeq } = appended.value;
    this.#run(SQL.addDelivery, account.id, queueId, recipient, uidValidity, uids[0] ?? 0, modSeq, to.nowMs);
    return ok({ ...appended.value, duplicate: false });
  }

  #append(
    account: AccountState,
    nowMs: number,
    mailbox: MailboxId,
    messages: readonly PackedMessage[],
    octetsFreed = 0,
  ): Result<Appended, NoSuchMailbox | OverQuota | KeywordProblem> {
    const box = this.#row(SQL.mailboxUids, account.id, mailbox);
    if (box === undefined) return NO_MAILBOX;
    const over = overQuota(
      account,
      messages.reduce((sum, message) => sum + message.blobOctets + message.prefixOctets, 0),
      octetsFreed,
    );
    if (over !== undefined) return err(over);
    const keywords = this.#spell(
      account,
      messages.map((message) => message.keywords),
    );
    if (keywords === undefined) return err({ kind: 'too-many-keywords' });
    const delta = newDelta();
    let uid = numberAt(box, 1);
    const uids: Uid[] = [];
    for (const [index, message] of messages.entries()) {
      account.modSeq += 1;
      const email = account.modSeq;
      const octets = message.blobOctets + message.prefixOctets;
      const prefixEnd = BLOB_ID_OCTETS + message.prefixOctets;
      const { sentAtMs, subject, addresses, thread } = message.sorting;
      this.#run(
        SQL.addMessage,
        account.id,
        email,
        this.#thread(account, message.threadKeys, email),
        message.receivedAtMs,
        octets,
        message.octets.subarray(0, BLOB_ID_OCTETS),
        message.blobOctets,
        message.blobPlace,
        message.octets.subarray(BLOB_ID_OCTETS, prefixEnd),
        sentAtMs,
        subject,
        addresses,
        thread,
      );
      this.#run(SQL.addDigest, account.id, email, message.octets.subarray(prefixEnd));
      account.octetsUsed += octets;
      account.messagesUsed += 1;
      const place = { email, octets, flags: message.flags, keywords: keywords[index] ?? [] };
      this.#addPlace(account, mailbox, uid, place, email, nowMs, delta);
      uids.push(known(toUid(uid)));
      uid += 1;
    }
    if (uids.length > 0) {
      this.#count(account, mailbox, delta);
      this.#save(account);
    }
    return ok({
      uidValidity: known(toUidValidity(numberAt(box, 0))),
      uids,
      modSeq: known(toModSeq(account.modSeq)),
    });
  }

  /** The account's spellings of each list; new keywords are kept. */
  #spell(
    account: AccountState,
    lists: readonly (readonly string[])[],
  ): readonly (readonly string[])[] | undefined {
    if (lists.every((list) => list.length === 0)) return lists;
    const spellings = new Map(
      this.#rows(SQL.keywords, account.id).map((row) => [textAt(row, 0), textAt(row, 1)] as const),
    );
    const spelled = spellLists(spellings, lists);
    for (const keyword of spelled?.added ?? [])
      this.#run(SQL.addKeyword, account.id, keywordKey(keyword), keyword);
    return spelled?.lists;
  }

  /** RFC 8621 §3: the thread of a message that shares an id and the base subject; else a new one. */
  #thread(account: AccountState, keys: readonly number[], email: number): number {
    let thread: number | undefined;
    const missing: number[] = [];
    for (const key of keys) {
      const found = this.#row(SQL.thread, account.id, key);
      if (found === undefined) missing.push(key);
      else thread ??= numberAt(found, 0);
    }
    thread ??= email;
    for (const key of missing) this.#run(SQL.addThreadKey, account.id, key, thread);
    return thread;
  }

  #addPlace(
    account: AccountState,
    mailbox: MailboxId,
    uid: number,
    { email, octets, flags, keywords }: { readonly email: number; readonly octets: number } & Flags,
    modSeq: number,
    nowMs: number,
    delta: Delta,
  ): void {
    const text = keywords.join(' ');
    this.#run(SQL.addPlace, account.id, mailbox, uid, email, flags, text, modSeq, octets, nowMs);
    countPlace(delta, { flags, octets }, modSeq);
  }

  /** Takes the place out and, when it was the last, its message. The mailbox's counters are the caller's. */
  #removePlace(account: AccountState, mailbox: MailboxId, place: PlaceRow, modSeq: number): void {
    this.#run(SQL.removePlace, account.id, mailbox, place.uid);
    this.#run(SQL.addVanished, account.id, modSeq, mailbox, place.uid, place.email);
    this.#dropIfUnplaced(account, place);
  }

  #count(
    account: AccountState,
    mailbox: MailboxId,
    { total, unseen, deleted, octets, uids, modSeq }: Delta,
  ): void {
    this.#run(SQL.countMailbox, total, unseen, deleted, octets, uids, modSeq, account.id, mailbox);
  }

  setFlags({
    mailbox,
    uids,
    change,
    ...to
  }: Parameters<MailOperations['setFlags']>[0]): Result<FlagsChanged, NoSuchMailbox | KeywordProblem> {
    const account = this.account(to);
    if (this.#row(SQL.mailboxUids, account.id, mailbox) === undefined) return NO_MAILBOX;
    const keywords = this.#spellChange(account, change);
    if (keywords === undefined) return err({ kind: 'too-many-keywords' });
    const modSeq = account.modSeq + 1;
    const deltas = new Map<MailboxId, Delta>();
    const refused: Uid[] = [];
    const entries: FlagsChanged['entries'][number][] = [];
    for (const row of rowsOf(this.#database, SQL.places, account.id, mailbox, uids)) {
      const place = toPlace(row);
      const entry = toEntry(row);
      if (change.unchangedSince !== undefined && entry.modSeq > change.unchangedSince) {
        refused.push(entry.uid);
        continue;
      }
      const after = changeFlags(place, { ...change, keywords });
      if (sameFlags(place, after)) {
        entries.push(entry);
        continue;
      }
      this.#setFlags(account, mailbox, place, after, modSeq, deltas);
      entries.push({ ...entry, ...after, modSeq: known(toModSeq(modSeq)) });
    }
    if (deltas.size > 0) {
      account.modSeq = modSeq;
      for (const [id, delta] of deltas) this.#count(account, id, delta);
      this.#save(account);
    }
    return ok({ entries, refused });
  }

  #spellChange(account: AccountState, { mode, keywords }: FlagChange): readonly string[] | undefined {
    if (mode !== 'remove') return this.#spell(account, [keywords])?.[0];
    // What is taken away need not be known, and is not learnt.
    const spellings = new Map(
      this.#rows(SQL.keywords, account.id).map((row) => [textAt(row, 0), textAt(row, 1)] as const),
    );
    return keywords.map((keyword) => spellings.get(keywordKey(keyword)) ?? keyword);
  }

  #setFlags(
    account: AccountState,
    mailbox: MailboxId,
    place: PlaceRow,
    after: Flags,
    modSeq: number,
    deltas: Map<MailboxId, Delta>,
  ): void {
    const text = after.keywords.join(' ');
    const set = (id: MailboxId, uid: number, before: number, flags: number): void => {
      this.#run(SQL.setFlags, flags, text, modSeq, account.id, id, uid);
      const delta = deltas.get(id) ?? newDelta();
      deltas.set(id, delta);
      countFlags(delta, before, -1);
      countFlags(delta, flags, 1);
      delta.modSeq = modSeq;
    };
    set(mailbox, place.uid, place.flags, after.flags);
    const isOfPlaceOnly = sameFlags(withoutDeleted(place), withoutDeleted(after));
    if (isOfPlaceOnly) return;
    for (const other of this.#rows(SQL.placesOfEmail, account.id, place.email)) {
      const id = known(toMailboxId(numberAt(other, 0)));
      const before = numberAt(other, 2);
      if (id !== mailbox)
        set(id, numberAt(other, 1), before, (after.flags & ~FLAG.deleted) | (before & FLAG.deleted));
    }
  }

  transfer({
    from,
    uids,
    to: target,
    isMove,
    ...to
  }: Parameters<MailOperations['transfer']>[0]): Result<Copied, NoSuchMailbox | OverQuota> {
    const account = this.account(to);
    const box = this.#row(SQL.mailboxUids, account.id, target);
    if (box === undefined || this.#row(SQL.mailboxUids, account.id, from) === undefined) return NO_MAILBOX;
    const places = rowsOf(this.#database, SQL.places, account.id, from, uids).map(toPlace);
    const isThere = ({ email }: PlaceRow): boolean =>
      this.#row(SQL.isEmailIn, account.id, email, target) !== undefined;
    if (!isMove) {
      const over = overQuota(
        account,
        places.filter(isThere).reduce((sum, { octets }) => sum + octets, 0),
      );
      if (over !== undefined) return err(over);
    }
    const [left, came] = [newDelta(), newDelta()];
    let uid = numberAt(box, 1);
    const given: Uid[] = [];
    for (const place of places) {
      account.modSeq += 1;
      const { modSeq } = account;
      const email = from === target && isMove ? place.email : this.#share(account, place, isThere(place));
      if (isMove) this.#leave(account, from, place, left);
      this.#addPlace(account, target, uid, { ...place, email }, modSeq, to.nowMs, came);
      given.push(known(toUid(uid)));
      uid += 1;
    }
    if (places.length > 0) {
      if (isMove) this.#count(account, from, left);
      this.#count(account, target, came);
      this.#save(account);
    }
    return ok({
      uidValidity: known(toUidValidity(numberAt(box, 0))),
      from: places.map((place) => place.uid),
      to: given,
      modSeq: known(toModSeq(account.modSeq)),
    });
  }

  /** The message that gets a place in the target: this one or, when it has one there, a new one of the same blob. */
  #share(account: AccountState, { email, octets }: PlaceRow, isThere: boolean): number {
    if (!isThere) return email;
    this.#run(SQL.copyMessage, account.modSeq, account.id, email);
    this.#run(SQL.copyDigest, account.modSeq, account.id, email);
    account.octetsUsed += octets;
    account.messagesUsed += 1;
    return account.modSeq;
  }

  #leave(account: AccountState, from: MailboxId, place: PlaceRow, left: Delta): void {
    const { modSeq } = account;
    this.#run(SQL.removePlace, account.id, from, place.uid);
    this.#run(SQL.addVanished, account.id, modSeq, from, place.uid, place.email);
    discountPlace(left, place, modSeq);
  }

  /** Takes out a message that has no place left. */
  #dropIfUnplaced(account: AccountState, { email, octets }: PlaceRow): void {
    if (this.#row(SQL.isEmailPlaced, account.id, email) !== undefined) return;
    this.#run(SQL.removeMessage, account.id, email);
    this.#run(SQL.removeDigest, account.id, email);
    account.octetsUsed -= octets;
    account.messagesUsed -= 1;
  }

  expunge({
    mailbox,
    uids,
    ...to
  }: Parameters<MailOperations['expunge']>[0]): Result<readonly Uid[], NoSuchMailbox> {
    const account = this.account(to);
    const box = this.#row(SQL.mailbox, account.id, mailbox);
    if (box === undefined) return NO_MAILBOX;
    if (toMailbox(box).deleted === 0) return ok([]);
    const rows =
      uids === undefined
        ? this.#rows(SQL.places, account.id, mailbox, 1, UID_MAX)
        : rowsOf(this.#database, SQL.places, account.id, mailbox, uids);
    const places = rows.filter((row) => (numberAt(row, 2) & FLAG.deleted) !== 0).map(toPlace);
    return this.#removePlaces(account, mailbox, places);
  }

  remove({
    mailbox,
    uids,
    ...to
  }: Parameters<MailOperations['remove']>[0]): Result<readonly Uid[], NoSuchMailbox> {
    const account = this.account(to);
    if (this.#row(SQL.mailbox, account.id, mailbox) === undefined) return NO_MAILBOX;
    const places = rowsOf(this.#database, SQL.places, account.id, mailbox, uids).map(toPlace);
    return this.#removePlaces(account, mailbox, places);
  }

  #removePlaces(
    account: AccountState,
    mailbox: MailboxId,
    places: readonly PlaceRow[],
  ): Result<readonly Uid[], never> {
    if (places.length === 0) return ok([]);
    account.modSeq += 1;
    const delta = newDelta();
    for (const place of places) {
      this.#removePlace(account, mailbox, place, account.modSeq);
      discountPlace(delta, place, account.modSeq);
    }
    this.#count(account, mailbox, delta);
    this.#save(account);
    return ok(places.map(({ uid }) => uid));
  }

  relocate({ moves }: Parameters<MailOperations['relocate']>[0]): void {
    for (const { from, to } of moves) this.#run(SQL.relocate, to, from);
  }

  pruneDeliveries({
    afterAccount,
    accountsMax,
    beforeMs,
  }: Parameters<MailOperations['pruneDeliveries']>[0]): number | undefined {
    const accounts = this.#rows(SQL.accountsAfter, afterAccount, accountsMax);
    for (const row of accounts) this.#run(SQL.pruneDeliveries, numberAt(row, 0), beforeMs);
    const last = accounts.at(-1);
    return last === undefined ? undefined : numberAt(last, 0);
  }

  repairAccount({ account, nowMs }: To): readonly AccountFinding[] {
    const findings = repairAccount(this.#database, account, nowMs);
    const row = this.#row(SQL.account, account);
    if (row !== undefined) this.#database.afterCommit(() => this.#publish(account, numberAt(row, 0)));
    return findings;
  }

  putDigest({ account, email, octets }: Parameters<MailOperations['putDigest']>[0]): void {
    if (this.#row(SQL.hasMessage, account, email) === undefined) return;
    if (this.#run(CHECK_SQL.replaceDigest, octets, account, email) === 0)
      this.#run(SQL.addDigest, account, email, octets);
  }
}

const UID_MAX = 4_294_967_295;
export function open(database: Database, { hintScope }: MailOptions): MailOperations {
  const hints = openHints(hintScope);
  const writer = new MailWriter(database, (account, modSeq) => hints.publish(MAIL_TOPIC, account, modSeq));
  return {
    openAccount: (args) => void writer.account(args),
    removeAccount: (args) => writer.removeAccount(args),
    setQuota: (args) => writer.setQuota(args),
    createMailbox: (args) => writer.createMailbox(args),
    renameMailbox: (args) => writer.renameMailbox(args),
    removeMailbox: (args) => writer.removeMailbox(args),
    subscribe: (args) => writer.subscribe(args),
    setUrlKey: (args) => writer.setUrlKey(args),
    removeUrlKeys: (args) => writer.removeUrlKeys(args),
    setMetadata: (args) => writer.setMetadata(args),
    append: (args) => writer.append(args),
    replace: (args) => writer.replace(args),
    deliver: (args) => writer.deliver(args),
    setFlags: (args) => writer.setFlags(args),
    transfer: (args) => writer.transfer(args),
    expunge: (args) => writer.expunge(args),
    remove: (args) => writer.remove(args),
    relocate: (args) => writer.relocate(args),
    pruneDeliveries: (args) => writer.pruneDeliveries(args),
    repairAccount: (args) => writer.repairAccount(args),
    putDigest: (args) => writer.putDigest(args),
  };
}
