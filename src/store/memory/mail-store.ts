/**
 * The mail store in memory: for tests of sessions and services, and the plainest statement of the contract. Nothing
 * outlives it.
 */
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { MessageDigest } from '../../message/digest.ts';
import type { BlobRef } from '../blob-store.ts';
import { known, toEmailId, toMailboxId, toModSeq, toThreadId, toUid, toUidValidity } from '../ids.ts';
import type { AccountId, EmailId, MailboxId, ModSeq, ThreadId, Uid, UidValidity } from '../ids.ts';
import { changeFlags, keywordKey, sameFlags, spellKeywords, withoutContradiction } from '../keyword.ts';
import { FLAG } from '../mail-store.ts';
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
  MailboxRole,
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
  ReplacedPlace,
  Sortable,
  SortPart,
  StoredMessage,
  SubscriptionProblem,
  TooManyUrlKeys,
  UrlKeyMailbox,
} from '../mail-store.ts';
import {
  FIRST_MAILBOXES,
  inTreeOrder,
  isPathAllowed,
  isSubtreeAllowed,
  isUnder,
  pathOf,
  toMailboxName,
  toMailboxPath,
} from '../mailbox-name.ts';
import { checkMetadata } from '../metadata.ts';
import { toSortable } from '../sortable.ts';
import { threadKeys } from '../thread-key.ts';

type Email = {
  readonly id: EmailId;
  readonly threadId: ThreadId;
  flags: number;
  keywords: readonly string[];
  readonly receivedAtMs: number;
  readonly octets: number;
  readonly blob: BlobRef;
  readonly prefix: Uint8Array;
  readonly digest: MessageDigest;
  readonly places: Map<MailboxId, Place>;
};

type Place = {
  readonly uid: Uid;
  readonly email: Email;
  isDeleted: boolean;
  modSeq: ModSeq;
  readonly savedAtMs: number;
};

type Box = {
  readonly id: MailboxId;
  parent: MailboxId | undefined;
  name: string;
  readonly role: MailboxRole | undefined;
  readonly uidValidity: UidValidity;
  uidNext: number;
  highestModSeq: ModSeq;
  readonly createdAtMs: number;
  /** Ascending by UID, because UIDs rise. */
  readonly places: Map<Uid, Place>;
};

type Vanished = {
  readonly modSeq: ModSeq;
  readonly mailbox: MailboxId;
  readonly uid: Uid;
  readonly email: EmailId;
};

type Annotation = {
  readonly mailbox: MailboxId | undefined;
  /** 0: shared. */
  readonly reader: number;
  readonly name: string;
  /** Null: removed. */
  readonly value: Uint8Array | null;
  readonly modSeq: ModSeq;
};

type Account = {
  modSeq: ModSeq;
  lastUidValidity: number;
  octetsMax: number | undefined;
  readonly boxes: Map<MailboxId, Box>;
  readonly removedBoxes: { readonly modSeq: ModSeq; readonly id: MailboxId }[];
  readonly emails: Map<EmailId, Email>;
  readonly vanished: Vanished[];
  readonly subscriptions: Set<string>;
  readonly metadata: Map<string, Annotation>;
  /** By owner and mailbox. */
  readonly urlKeys: Map<string, Uint8Array>;
  /** Spellings by `keywordKey`. */
  readonly keywords: Map<string, string>;
  readonly threads: Map<string, ThreadId>;
  readonly deliveries: Map<string, Appended>;
};

const NO_MAILBOX: { readonly ok: false; readonly error: NoSuchMailbox } = err({ kind: 'no-such-mailbox' });

function toEntry({ uid, email, isDeleted, modSeq }: Place): Entry {
  const flags = email.flags | (isDeleted ? FLAG.deleted : 0);
  return { uid, emailId: email.id, flags, keywords: email.keywords, modSeq };
}

function toPlaced(place: Place): PlacedMessage {
  const { threadId, receivedAtMs, octets, blob, prefix } = place.email;
  return { ...toEntry(place), threadId, receivedAtMs, savedAtMs: place.savedAtMs, octets, blob, prefix };
}

function toMailbox({ places, ...box }: Box): Mailbox {
  const all = [...places.values()];
  return {
    ...box,
    total: all.length,
    unseen: all.filter(({ email }) => (email.flags & FLAG.seen) === 0).length,
    deleted: all.filter(({ isDeleted }) => isDeleted).length,
    octets: all.reduce((sum, { email }) => sum + email.octets, 0),
  };
}

class MemoryMailStore implements MailStore {
  readonly #clock: Clock;
  readonly #accounts = new Map<AccountId, Account>();
  readonly #listeners = new Map<AccountId, Set<(modSeq: ModSeq) => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  openAccount(account: AccountId): Promise<void> {
    this.#account(account);
    return Promise.resolve();
  }

  removeAccount(account: AccountId): Promise<void> {
    this.#accounts.delete(account);
    return Promise.resolve();
  }

  quota(account: AccountId): ReturnType<MailStore['quota']> {
    const of = this.#account(account);
    return Promise.resolve({
      octetsUsed: octetsUsed(of),
      messagesUsed: of.emails.size,
      octetsMax: of.octetsMax,
    });
  }

  setQuota(account: AccountId, octetsMax: number | undefined): Promise<void> {
    this.#account(account).octetsMax = octetsMax;
    return Promise.resolve();
  }

  mailboxes(account: AccountId): Promise<readonly Mailbox[]> {
    return Promise.resolve(inTreeOrder([...this.#account(account).boxes.values()]).map(toMailbox));
  }

  mailbox(account: AccountId, mailbox: MailboxId): Promise<Mailbox | undefined> {
    const box = this.#account(account).boxes.get(mailbox);
    return Promise.resolve(box === undefined ? undefined : toMailbox(box));
  }

  createMailbox(
    account: AccountId,
    { parent, name, role }: { parent: MailboxId | undefined; name: string; role?: MailboxRole },
  ): Promise<Result<Mailbox, MailboxProblem>> {
    const of = this.#account(account);
    const problem = this.#nameProblem(of, parent, name);
    if (typeof problem !== 'string') return Promise.resolve(err(problem));
    if (of.boxes.size >= LIMITS.mailboxesMax) return Promise.resolve(err({ kind: 'too-many' }));
    if (role !== undefined && [...of.boxes.values()].some((box) => box.role === role))
      return Promise.resolve(err({ kind: 'exists' }));
    const box = this.#addBox(of, parent, problem, role);
    this.#changed(account, of);
    return Promise.resolve(ok(toMailbox(box)));
  }

  renameMailbox(
    account: AccountId,
    mailbox: MailboxId,
    { parent, name }: { parent: MailboxId | undefined; name: string },
  ): Promise<Result<Mailbox, MailboxProblem>> {
    const of = this.#account(account);
    const box = of.boxes.get(mailbox);
    if (box === undefined) return Promise.resolve(NO_MAILBOX);
    if (box.role === 'inbox') return Promise.resolve(err({ kind: 'inbox' }));
    const stored = this.#nameProblem(of, parent, name);
    if (isUnder(of.boxes, parent, mailbox)) return Promise.resolve(err({ kind: 'loop' }));
    if (typeof stored !== 'string') return Promise.resolve(err(stored));
    if (!isSubtreeAllowed(of.boxes, mailbox, [...pathOf(of.boxes, parent), stored]))
      return Promise.resolve(err({ kind: 'bad-name' }));
    box.parent = parent;
    box.name = stored;
    box.highestModSeq = this.#nextModSeq(of);
    this.#changed(account, of);
    return Promise.resolve(ok(toMailbox(box)));
  }

  removeMailbox(account: AccountId, mailbox: MailboxId): Promise<Result<void, MailboxProblem>> {
    const of = this.#account(account);
    const box = of.boxes.get(mailbox);
    if (box === undefined) return Promise.resolve(NO_MAILBOX);
    if (box.role === 'inbox') return Promise.resolve(err({ kind: 'inbox' }));
    if ([...of.boxes.values()].some(({ parent }) => parent === mailbox))
      return Promise.resolve(err({ kind: 'has-children' }));
    const modSeq = this.#nextModSeq(of);
    for (const place of box.places.values()) this.#removePlace(of, box, place, modSeq);
    of.boxes.delete(mailbox);
    for (const [key, one] of of.metadata) if (one.mailbox === mailbox) of.metadata.delete(key);
    of.urlKeys.delete(`${account} ${mailbox}`);
    of.removedBoxes.push({ modSeq, id: mailbox });
    this.#changed(account, of);
    return Promise.resolve(ok(undefined));
  }

  subscriptions(account: AccountId): Promise<readonly string[]> {
    return Promise.resolve([...this.#account(account).subscriptions].toSorted());
  }

  subscribe(
    account: AccountId,
    path: string,
    subscribed: boolean,
  ): Promise<Result<void, SubscriptionProblem>> {
    const of = this.#account(account);
    const { subscriptions } = of;
    const stored = toMailboxPath(path);
    if (stored === undefined) return Promise.resolve(err({ kind: 'bad-name' }));
    if (subscriptions.has(stored) === subscribed) return Promise.resolve(ok(undefined));
    if (!subscribed) subscriptions.delete(stored);
    else if (subscriptions.size >= LIMITS.subscriptionsMax) return Promise.resolve(err({ kind: 'too-many' }));
    else subscriptions.add(stored);
    this.#nextModSeq(of);
    this.#changed(account, of);
    return Promise.resolve(ok(undefined));
  }

  urlKey(account: AccountId, { owner, mailbox }: UrlKeyMailbox): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#account(account).urlKeys.get(`${owner} ${mailbox}`));
  }

  setUrlKey(
    account: AccountId,
    { owner, mailbox }: UrlKeyMailbox,
    key: Uint8Array,
    mode: 'keep' | 'replace',
  ): Promise<Result<Uint8Array, TooManyUrlKeys>> {
    const { urlKeys } = this.#account(account);
    const kept = urlKeys.get(`${owner} ${mailbox}`);
    if (kept !== undefined && mode === 'keep') return Promise.resolve(ok(kept));
    if (kept === undefined && urlKeys.size >= LIMITS.urlKeysMax)
      return Promise.resolve(err({ kind: 'too-many' }));
    urlKeys.set(`${owner} ${mailbox}`, key);
    return Promise.resolve(ok(key));
  }

  removeUrlKeys(account: AccountId): Promise<void> {
    this.#account(account).urlKeys.clear();
    return Promise.resolve();
  }

  metadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
  ): Promise<readonly MetadataEntry[]> {
    return Promise.resolve(
      annotationsOf(this.#account(account), reader).filter((one) => one.mailbox === mailbox),
    );
  }

  mailboxMetadata(account: AccountId, reader: AccountId): Promise<readonly MetadataEntry[]> {
    return Promise.resolve(
      annotationsOf(this.#account(account), reader).filter(({ mailbox }) => mailbox !== undefined),
    );
  }

  setMetadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
    changes: readonly MetadataChange[],
  ): Promise<Result<ModSeq, NoSuchMailbox | MetadataProblem>> {
    const of = this.#account(account);
    if (mailbox !== undefined && !of.boxes.has(mailbox)) return Promise.resolve(NO_MAILBOX);
    const seen = annotationsOf(of, reader);
    const kept = seen.filter((one) => one.mailbox === mailbox);
    const sizes = kept.map(({ name, value }) => ({ name, octets: value.length }));
    const octets = seen.reduce((sum, { value }) => sum + value.length, 0);
    const checked = checkMetadata(sizes, changes, reader, octets);
    if (!checked.ok) return Promise.resolve(checked);
    if (checked.value.length > 0) {
      const modSeq = this.#nextModSeq(of);
      for (const write of checked.value)
        of.metadata.set(`${mailbox ?? 0} ${write.reader} ${write.name}`, { ...write, mailbox, modSeq });
      this.#changed(account, of);
    }
    return Promise.resolve(ok(of.modSeq));
  }

  metadataNews(account: AccountId, reader: AccountId, since: ModSeq): Promise<MetadataNews> {
    const of = this.#account(account);
    const changed = [...of.metadata.values()]
      .filter((one) => one.modSeq > since && (one.reader === 0 || one.reader === reader))
      .toSorted(byPlace)
      .map(({ mailbox, name, modSeq }) => ({ mailbox, name, modSeq }));
    return Promise.resolve({ modSeq: of.modSeq, changed });
  }

  append(
    account: AccountId,
    mailbox: MailboxId,
    messages: readonly NewMessage[],
  ): Promise<Result<Appended, NoSuchMailbox | OverQuota | KeywordProblem>> {
    const of = this.#account(account);
    const box = of.boxes.get(mailbox);
    return Promise.resolve(box === undefined ? NO_MAILBOX : this.#append(account, of, box, messages));
  }

  replace(
    account: AccountId,
    { mailbox: from, uid }: ReplacedPlace,
    mailbox: MailboxId,
    message: NewMessage,
  ): Promise<Result<Appended, NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem>> {
    const of = this.#account(account);
    const [source, box] = [of.boxes.get(from), of.boxes.get(mailbox)];
    if (source === undefined || box === undefined) return Promise.resolve(NO_MAILBOX);
    const place = source.places.get(uid);
    if (place === undefined) return Promise.resolve(err({ kind: 'no-such-message' }));
    const freed = place.email.places.size === 1 ? place.email.octets : 0;
    const appended = this.#append(account, of, box, [message], freed);
    if (!appended.ok) return Promise.resolve(appended);
    this.#removePlace(of, source, place, this.#nextModSeq(of));
    return Promise.resolve(ok({ ...appended.value, modSeq: of.modSeq }));
  }

  deliver(
    account: AccountId,
    mailbox: MailboxId | undefined,
    { queueId, recipient }: DeliveryKey,
    message: NewMessage,
  ): Promise<Result<Appended & { readonly duplicate: boolean }, NoSuchMailbox | OverQuota | KeywordProblem>> {
    const of = this.#account(account);
    const key = `${queueId} ${recipient}`;
    const earlier = of.deliveries.get(key);
    if (earlier !== undefined) return Promise.resolve(ok({ ...earlier, duplicate: true }));
    const box =
      mailbox === undefined
        ? [...of.boxes.values()].find(({ role }) => role === 'inbox')
        : of.boxes.get(mailbox);
    if (box === undefined) return Promise.resolve(NO_MAILBOX);
    const appended = this.#append(account, of, box, [message]);
    if (!appended.ok) return Promise.resolve(appended);
    of.deliveries.set(key, appended.value);
    return Promise.resolve(ok({ ...appended.value, duplicate: false }));
  }

  entries(
    account: AccountId,
    mailbox: MailboxId,
    afterUid: number,
    limit: number,
  ): Promise<readonly Entry[]> {
    const places = [...(this.#account(account).boxes.get(mailbox)?.places.values() ?? [])];
    const from = places.filter(({ uid }) => uid > afterUid);
    return Promise.resolve(from.slice(0, Math.min(limit, 10_000)).map(toEntry));
  }

  mailboxChanges(
    account: AccountId,
    mailbox: MailboxId,
    since: ModSeq,
  ): Promise<Result<MailboxChanges, NoSuchMailbox>> {
    const of = this.#account(account);
    const box = of.boxes.get(mailbox);
    if (box === undefined) return Promise.resolve(NO_MAILBOX);
    const gone = of.vanished.filter((one) => one.mailbox === mailbox && one.modSeq > since);
    return Promise.resolve(
      ok({
        highestModSeq: box.highestModSeq,
        uidNext: box.uidNext,
        changed: [...box.places.values()].filter(({ modSeq }) => modSeq > since).map(toEntry),
        vanished: since === 0 ? [] : gone.map(({ uid }) => uid).toSorted((a, b) => a - b),
      }),
    );
  }

  changes(account: AccountId, since: ModSeq, limit: number): Promise<AccountChanges> {
    const of = this.#account(account);
    const reached = reachOf(of, since, limit);
    const isIn = (modSeq: number): boolean => modSeq > since && modSeq <= reached;
    const created = new Set<EmailId>();
    const updated = new Set<EmailId>();
    const destroyed = new Set<EmailId>();
    for (const email of of.emails.values()) {
      if (isIn(email.id)) created.add(email.id);
      else if ([...email.places.values()].some(({ modSeq }) => isIn(modSeq))) updated.add(email.id);
    }
    for (const { modSeq, email } of of.vanished) {
      if (!isIn(modSeq)) continue;
      if (!of.emails.has(email) && email <= since) destroyed.add(email);
      else if (of.emails.has(email) && !created.has(email)) updated.add(email);
    }
    const boxes = [...of.boxes.values()].filter(({ highestModSeq }) => isIn(highestModSeq));
    const gone = of.removedBoxes.filter(({ modSeq, id }) => isIn(modSeq) && id <= since);
    return Promise.resolve({
      modSeq: reached,
      complete: reached === of.modSeq,
      mailboxes: { changed: boxes.map(({ id }) => id), destroyed: gone.map(({ id }) => id) },
      emails: { created: [...created], updated: [...updated], destroyed: [...destroyed] },
    });
  }

  placed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly PlacedMessage[]> {
    return Promise.resolve(this.#find(account, mailbox, uids).map(toPlaced));
  }

  listed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly ListedMessage[]> {
    return Promise.resolve(
      this.#find(account, mailbox, uids).map((place) => {
        const { blob: _blob, prefix: _prefix, ...facts } = toPlaced(place);
        const { envelope, bodyStructure, body } = place.email.digest;
        return { ...facts, envelope, bodyStructure, body };
      }),
    );
  }

  messages(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly StoredMessage[]> {
    return Promise.resolve(
      this.#find(account, mailbox, uids).map((place) => ({
        ...toPlaced(place),
        digest: place.email.digest,
      })),
    );
  }

  async sortables(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
    part?: SortPart,
  ): Promise<readonly Sortable[]> {
    return (await this.messages(account, mailbox, uids)).map((message) => toSortable(message, part));
  }

  setFlags(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
    change: FlagChange,
  ): Promise<Result<FlagsChanged, NoSuchMailbox | KeywordProblem>> {
    const of = this.#account(account);
    const box = of.boxes.get(mailbox);
    if (box === undefined) return Promise.resolve(NO_MAILBOX);
    const keywords = this.#spell(of, change.keywords, change.mode !== 'remove');
    if (keywords === undefined) return Promise.resolve(err({ kind: 'too-many-keywords' }));
    const refused: Uid[] = [];
    const taken: Place[] = [];
    let modSeq: ModSeq | undefined;
    for (const place of placesOf(box, uids)) {
      if (change.unchangedSince !== undefined && place.modSeq > change.unchangedSince) {
        refused.push(place.uid);
        continue;
      }
      taken.push(place);
      const before = toEntry(place);
      const after = changeFlags(before, { ...change, keywords });
      if (sameFlags(before, after)) continue;
      modSeq ??= this.#nextModSeq(of);
      this.#setFlags(of, box, place, after, modSeq);
    }
    if (modSeq !== undefined) this.#changed(account, of);
    return Promise.resolve(ok({ entries: taken.map(toEntry), refused }));
  }

  keywords(account: AccountId): Promise<readonly string[]> {
    return Promise.resolve([...this.#account(account).keywords.values()]);
  }

  copy(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox | OverQuota>> {
    const of = this.#account(account);
    const [source, target] = [of.boxes.get(from), of.boxes.get(to)];
    if (source === undefined || target === undefined) return Promise.resolve(NO_MAILBOX);
    const places = placesOf(source, uids);
    const doubled = places.filter(({ email }) => email.places.has(to));
    const octets = doubled.reduce((sum, { email }) => sum + email.octets, 0);
    const octetsLeft = Math.max(0, (of.octetsMax ?? Infinity) - octetsUsed(of));
    if (octets > octetsLeft) return Promise.resolve(err({ kind: 'over-quota', octetsLeft }));
    return Promise.resolve(ok(this.#transfer(account, of, source, places, target, false)));
  }

  move(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox>> {
    const of = this.#account(account);
    const [source, target] = [of.boxes.get(from), of.boxes.get(to)];
    if (source === undefined || target === undefined) return Promise.resolve(NO_MAILBOX);
    return Promise.resolve(ok(this.#transfer(account, of, source, placesOf(source, uids), target, true)));
  }

  expunge(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[] | undefined,
  ): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    const box = this.#account(account).boxes.get(mailbox);
    if (box === undefined) return Promise.resolve(NO_MAILBOX);
    const among = uids === undefined ? [...box.places.values()] : placesOf(box, uids);
    return this.#removePlaces(
      account,
      box,
      among.filter(({ isDeleted }) => isDeleted),
    );
  }

  remove(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
  ): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    const box = this.#account(account).boxes.get(mailbox);
    if (box === undefined) return Promise.resolve(NO_MAILBOX);
    return this.#removePlaces(account, box, placesOf(box, uids));
  }

  #removePlaces(
    account: AccountId,
    box: Box,
    places: readonly Place[],
  ): Promise<Result<readonly Uid[], NoSuchMailbox>> {
    const of = this.#account(account);
    if (places.length > 0) {
      const modSeq = this.#nextModSeq(of);
      for (const place of places) this.#removePlace(of, box, place, modSeq);
      this.#changed(account, of);
    }
    return Promise.resolve(ok(places.map(({ uid }) => uid)));
  }

  watch(account: AccountId, listener: (modSeq: ModSeq) => void): { close(): void } {
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

  #account(id: AccountId): Account {
    let of = this.#accounts.get(id);
    if (of === undefined) {
      of = {
        modSeq: known(toModSeq(0)),
        lastUidValidity: 0,
        octetsMax: undefined,
        boxes: new Map(),
        removedBoxes: [],
        emails: new Map(),
        vanished: [],
        subscriptions: new Set(),
        metadata: new Map(),
        urlKeys: new Map(),
        keywords: new Map(),
        threads: new Map(),
        deliveries: new Map(),
      };
      this.#accounts.set(id, of);
      for (const { name, role } of FIRST_MAILBOXES) {
        this.#addBox(of, undefined, name, role);
        of.subscriptions.add(name);
      }
    }
    return of;
  }

  #nextModSeq(of: Account): ModSeq {
    of.modSeq = known(toModSeq(of.modSeq + 1));
    return of.modSeq;
  }

  #changed(account: AccountId, of: Account): void {
    const { modSeq } = of;
    queueMicrotask(() => {
      for (const listener of this.#listeners.get(account) ?? []) listener(modSeq);
    });
  }

  /** The name as it will be stored, or why it cannot be. */
  #nameProblem(of: Account, parent: MailboxId | undefined, name: string): string | MailboxProblem {
    if (parent !== undefined && !of.boxes.has(parent)) return { kind: 'no-such-mailbox' };
    const stored = toMailboxName(name, parent === undefined);
    if (stored === undefined || !isPathAllowed([...pathOf(of.boxes, parent), stored]))
      return { kind: 'bad-name' };
    const isTaken = [...of.boxes.values()].some((box) => box.parent === parent && box.name === stored);
    return isTaken ? { kind: 'exists' } : stored;
  }

  #addBox(of: Account, parent: MailboxId | undefined, name: string, role: MailboxRole | undefined): Box {
    const modSeq = this.#nextModSeq(of);
    const nowMs = this.#clock.nowMs();
    of.lastUidValidity = Math.max(of.lastUidValidity + 1, Math.floor(nowMs / 1000));
    const box: Box = {
      id: known(toMailboxId(modSeq)),
      parent,
      name,
      role,
      uidValidity: known(toUidValidity(of.lastUidValidity)),
      uidNext: 1,
      highestModSeq: modSeq,
      createdAtMs: nowMs,
      places: new Map(),
    };
    of.boxes.set(box.id, box);
    return box;
  }

  #append(
    account: AccountId,
    of: Account,
    box: Box,
    messages: readonly NewMessage[],
    octetsFreed = 0,
  ): Result<Appended, OverQuota | KeywordProblem> {
    const octets = messages.reduce((sum, { blob, prefix }) => sum + blob.octets + prefix.length, 0);
    const octetsLeft = Math.max(0, (of.octetsMax ?? Infinity) - octetsUsed(of)) + octetsFreed;
    if (octets > octetsLeft) return err({ kind: 'over-quota', octetsLeft });
    const spelled = this.#spell(
      of,
      messages.flatMap(({ keywords }) => keywords),
      true,
    );
    if (spelled === undefined) return err({ kind: 'too-many-keywords' });
    const uids = messages.map((message) => {
      const modSeq = this.#nextModSeq(of);
      const email: Email = {
        id: known(toEmailId(modSeq)),
        threadId: findThread(of, message.digest, modSeq),
        flags: message.flags & ~FLAG.deleted,
        keywords: this.#spell(of, withoutContradiction(message.keywords), false) ?? [],
        receivedAtMs: message.receivedAtMs,
        octets: message.blob.octets + message.prefix.length,
        blob: message.blob,
        prefix: message.prefix,
        digest: message.digest,
        places: new Map(),
      };
      of.emails.set(email.id, email);
      return this.#addPlace(box, email, (message.flags & FLAG.deleted) !== 0, modSeq);
    });
    if (uids.length > 0) this.#changed(account, of);
    return ok({ uidValidity: box.uidValidity, uids, modSeq: of.modSeq });
  }

  /** The account's spellings; with `learn` new ones are kept. */
  #spell(of: Account, keywords: readonly string[], learn: boolean): readonly string[] | undefined {
    const spelling = spellKeywords(of.keywords, keywords);
    if (spelling === undefined) return learn ? undefined : keywords;
    if (learn) for (const keyword of spelling.added) of.keywords.set(keywordKey(keyword), keyword);
    return spelling.spelled;
  }

  #addPlace(box: Box, email: Email, isDeleted: boolean, modSeq: ModSeq): Uid {
    const uid = known(toUid(box.uidNext));
    const place = { uid, email, isDeleted, modSeq, savedAtMs: this.#clock.nowMs() };
    box.uidNext += 1;
    box.highestModSeq = modSeq;
    box.places.set(uid, place);
    email.places.set(box.id, place);
    return uid;
  }

  #removePlace(of: Account, box: Box, { uid, email }: Place, modSeq: ModSeq): void {
    box.places.delete(uid);
    box.highestModSeq = modSeq;
    of.vanished.push({ modSeq, mailbox: box.id, uid, email: email.id });
    if (email.places.get(box.id)?.uid === uid) email.places.delete(box.id);
    if (email.places.size === 0) of.emails.delete(email.id);
  }

  #setFlags(
    of: Account,
    box: Box,
    place: Place,
    after: { readonly flags: number; readonly keywords: readonly string[] },
    modSeq: ModSeq,
  ): void {
    const { email } = place;
    const shared = { flags: after.flags & ~FLAG.deleted, keywords: after.keywords };
    const isShared = !sameFlags(email, shared);
    email.flags = shared.flags;
    email.keywords = shared.keywords;
    place.isDeleted = (after.flags & FLAG.deleted) !== 0;
    for (const [mailbox, other] of isShared ? email.places : [[box.id, place] as const]) {
      other.modSeq = modSeq;
      const holder = of.boxes.get(mailbox);
      if (holder !== undefined) holder.highestModSeq = modSeq;
    }
  }

  #transfer(
    account: AccountId,
    of: Account,
    source: Box,
    places: readonly Place[],
    target: Box,
    isMove: boolean,
  ): Copied {
    const to = places.map((place) => {
      const modSeq = this.#nextModSeq(of);
      if (isMove) this.#removePlace(of, source, place, modSeq);
      let { email } = place;
      if (email.places.has(target.id)) email = { ...email, id: known(toEmailId(modSeq)), places: new Map() };
      of.emails.set(email.id, email);
      return this.#addPlace(target, email, place.isDeleted, modSeq);
    });
    if (places.length > 0) this.#changed(account, of);
    return { uidValidity: target.uidValidity, from: places.map(({ uid }) => uid), to, modSeq: of.modSeq };
  }

  #find(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Place[] {
    const box = this.#account(account).boxes.get(mailbox);
    return box === undefined ? [] : placesOf(box, uids);
  }
}

function byPlace(a: Pick<Annotation, 'mailbox' | 'name'>, b: Pick<Annotation, 'mailbox' | 'name'>): number {
  return (a.mailbox ?? 0) - (b.mailbox ?? 0) || (a.name < b.name ? -1 : 1);
}

/** Those that a reader sees. */
function annotationsOf({ metadata }: Account, account: AccountId): MetadataEntry[] {
  return [...metadata.values()]
    .flatMap(({ mailbox, name, reader, value }) =>
      value !== null && (reader === 0 || reader === account) ? [{ mailbox, name, value }] : [],
    )
    .toSorted(byPlace);
}

function octetsUsed({ emails }: Account): number {
  return [...emails.values()].reduce((sum, { octets }) => sum + octets, 0);
}

/** Those that exist, ascending, each once. */
function placesOf(box: Box, uids: readonly Uid[]): Place[] {
  return [...new Set(uids)]
    .map((uid) => box.places.get(uid))
    .filter((place) => place !== undefined)
    .toSorted((a, b) => a.uid - b.uid);
}

/** RFC 8621 §3: the thread of a message that shares an id and the base subject; else a new one. */
function findThread(of: Account, digest: MessageDigest, modSeq: ModSeq): ThreadId {
  const keys = threadKeys(digest);
  const found = keys.map((key) => of.threads.get(key)).find((thread) => thread !== undefined);
  const thread = found ?? known(toThreadId(modSeq));
  for (const key of keys) if (!of.threads.has(key)) of.threads.set(key, thread);
  return thread;
}

/** The modseq up to which a page of the feed reaches: whole modseqs, until it names `limit` things. */
function reachOf(of: Account, since: ModSeq, limit: number): ModSeq {
  const modSeqs = [
    ...of.emails.keys(),
    ...[...of.boxes.values()].flatMap((box) => [
      box.highestModSeq,
      ...[...box.places.values()].map(({ modSeq }) => modSeq),
    ]),
    ...of.vanished.map(({ modSeq }) => modSeq),
    ...of.removedBoxes.map(({ modSeq }) => modSeq),
  ]
    .filter((modSeq) => modSeq > since)
    .toSorted((a, b) => a - b);
  const last = modSeqs[Math.max(1, limit) - 1];
  return last === undefined || last >= (modSeqs.at(-1) ?? 0) ? of.modSeq : known(toModSeq(last));
}

export function openMemoryMailStore(clock: Clock): MailStore {
  return new MemoryMailStore(clock);
}
