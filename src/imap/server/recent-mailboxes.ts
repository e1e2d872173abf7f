/**
 * What was read of the mailboxes that were selected last: who selects one again reads what has changed since, not all that is in
 * it. Nothing is taken on trust: the feed tells each change after the mod-sequence that is kept.
 *
 * Memory: UIDs of so many octets in all; the mailbox that was selected longest ago is forgotten first.
 */
import {
  FLAG,
  type Entry,
  type Mailbox,
  type MailboxChanges,
  type MailStore,
} from '../../store/mail-store.ts';
import type { AccountId, MailboxId, ModSeq, UidValidity } from '../../store/ids.ts';
import { lowerBound } from '../wire/sequence-set.ts';

export type ReadMailbox = {
  readonly uidValidity: UidValidity;
  /** All changes up to here are in it, later ones may be. */
  readonly modSeq: ModSeq;
  /** Ascending. Never written to again. */
  readonly uids: Uint32Array;
  /** All that any of them has, and perhaps some that none has any more. */
  readonly keywords: ReadonlySet<string>;
  /** The lowest UID that is not \Seen; a message that came since may be named already. */
  readonly firstUnseen: number | undefined;
};

/** Rows of one read. */
const PAGE = 5000;

export class RecentMailboxes {
  readonly #octetsMax: number;
  readonly #messagesMin: number;
  /** The one selected longest ago first. */
  readonly #kept = new Map<string, ReadMailbox>();
  #octets = 0;

  /** @param messagesMin smaller mailboxes are read again, which is soon done */
  constructor(octetsMax: number, messagesMin: number) {
    this.#octetsMax = octetsMax;
    this.#messagesMin = messagesMin;
  }

  /** @param mailbox as it stands in the store */
  async read(account: AccountId, mailbox: Mailbox, store: MailStore): Promise<ReadMailbox> {
    const key = `${account} ${mailbox.id}`;
    const had = this.#kept.get(key);
    const now =
      (had === undefined ? undefined : await caughtUp(had, account, mailbox, store)) ??
      (await readAll(account, mailbox, store));
    this.#forget(key);
    if (now.uids.length >= this.#messagesMin && now.uids.byteLength <= this.#octetsMax) {
      this.#kept.set(key, now);
      this.#octets += now.uids.byteLength;
    }
    for (const oldest of this.#kept.keys()) {
      if (this.#octets <= this.#octetsMax) break;
      this.#forget(oldest);
    }
    return now;
  }

  #forget(key: string): void {
    this.#octets -= this.#kept.get(key)?.uids.byteLength ?? 0;
    this.#kept.delete(key);
  }
}

async function readAll(account: AccountId, mailbox: Mailbox, store: MailStore): Promise<ReadMailbox> {
  const uids: number[] = [];
  const keywords = new Set<string>();
  let firstUnseen: number | undefined;
  for await (const page of entriesAfter(0, account, mailbox.id, store))
    for (const entry of page) {
      uids.push(entry.uid);
      for (const keyword of entry.keywords) keywords.add(keyword);
      if (firstUnseen === undefined && isUnseen(entry)) firstUnseen = entry.uid;
    }
  // The mailbox was read before its entries: what came in between is told again by the feed, and does no harm.
  const { uidValidity, highestModSeq } = mailbox;
  return { uidValidity, modSeq: highestModSeq, uids: Uint32Array.from(uids), keywords, firstUnseen };
}

async function* entriesAfter(
  uid: number,
  account: AccountId,
  mailbox: MailboxId,
  store: MailStore,
): AsyncGenerator<readonly Entry[], void, void> {
  for (let after = uid; ;) {
    const page = await store.entries(account, mailbox, after, PAGE);
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.uid ?? 0;
  }
}

/** Undefined where all is to be read again. */
async function caughtUp(
  had: ReadMailbox,
  account: AccountId,
  mailbox: Mailbox,
  store: MailStore,
): Promise<ReadMailbox | undefined> {
  if (had.uidValidity !== mailbox.uidValidity) return undefined;
  // Where more was done in the account than there are messages here, the feed is the longer way.
  if (mailbox.highestModSeq - had.modSeq > had.uids.length) return undefined;
  const changes = await store.mailboxChanges(account, mailbox.id, had.modSeq);
  if (!changes.ok) return undefined;
  const { changed, vanished, highestModSeq } = changes.value;
  if (changed.length === 0 && vanished.length === 0) return { ...had, modSeq: highestModSeq };
  const keywords = new Set(had.keywords);
  for (const entry of changed) for (const keyword of entry.keywords) keywords.add(keyword);
  return {
    uidValidity: had.uidValidity,
    modSeq: highestModSeq,
    uids: withChanges(had.uids, changes.value),
    keywords,
    firstUnseen: await firstUnseenNow(had.firstUnseen, changes.value, account, mailbox.id, store),
  };
}

function withChanges(uids: Uint32Array, { changed, vanished }: MailboxChanges): Uint32Array {
  const last = uids.at(-1) ?? 0;
  const fresh = changed.filter(({ uid }) => uid > last).map(({ uid }) => uid);
  const now = new Uint32Array(uids.length + fresh.length);
  let count = 0;
  let from = 0;
  const keep = (to: number): void => {
    now.set(uids.subarray(from, to), count);
    count += to - from;
  };
  // Ascending, as the feed gives them; some were never known here.
  for (const uid of vanished) {
    const at = lowerBound(uids, uid, from);
    if (uids[at] !== uid) continue;
    keep(at);
    from = at + 1;
  }
  keep(uids.length);
  now.set(fresh, count);
  return now.subarray(0, count + fresh.length);
}

/** Below the one that was the first, and above it while it is one, only what has changed can be another. */
async function firstUnseenNow(
  had: number | undefined,
  { changed, vanished }: MailboxChanges,
  account: AccountId,
  mailbox: MailboxId,
  store: MailStore,
): Promise<number | undefined> {
  const changedFirst = changed.find(isUnseen)?.uid;
  if (had === undefined || (changedFirst !== undefined && changedFirst <= had)) return changedFirst;
  const isNoMore =
    vanished.some((uid) => uid === had) || changed.some((entry) => entry.uid === had && !isUnseen(entry));
  if (!isNoMore) return had;
  for await (const page of entriesAfter(had, account, mailbox, store)) {
    const unseen = page.find(isUnseen);
    if (unseen !== undefined) return unseen.uid;
  }
  return undefined;
}

function isUnseen({ flags }: Entry): boolean {
  return (flags & FLAG.seen) === 0;
}
