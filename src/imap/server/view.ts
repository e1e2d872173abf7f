/**
 * What one session has been told of its selected mailbox: which UID each sequence number stands for. The store moves on;
 * the view moves only when it tells the client, so both always count alike (RFC 9051 §2.3.1.2, §7.5.1).
 */
import type { Entry, MailboxChanges } from '../../store/mail-store.ts';
import { known, toUid, type ModSeq, type Uid } from '../../store/ids.ts';

/** What a session must say, in order. */
export type Notice =
  | { readonly kind: 'expunge'; readonly seq: number; readonly uid: Uid }
  | { readonly kind: 'exists'; readonly count: number }
  | { readonly kind: 'flags'; readonly seq: number; readonly entry: Entry };

export class MailboxView {
  /** Ascending; the index is the sequence number less one. Room at the end grows by doubling. */
  #uids: Uint32Array;
  #count: number;
  /** Gone from the store, but the client may not be told yet. */
  #gone = new Set<number>();
  /** The last modseq of each message that this session changed itself and has told already. */
  readonly #own = new Map<number, ModSeq>();
  #modSeq: ModSeq;

  /** @param uids ascending @param modSeq the mailbox's when they were read, or earlier */
  constructor(uids: ArrayLike<number>, modSeq: ModSeq) {
    this.#uids = withRoom(uids.length);
    this.#uids.set(uids);
    this.#count = uids.length;
    this.#modSeq = modSeq;
  }

  /** Messages as the client counts them. */
  get exists(): number {
    return this.#count;
  }

  /** All changes up to here are known. */
  get modSeq(): ModSeq {
    return this.#modSeq;
  }

  /** 0 where the mailbox is empty. */
  get lastUid(): number {
    return this.#count === 0 ? 0 : (this.#uids[this.#count - 1] ?? 0);
  }

  /** The UID at a sequence number; undefined outside 1 to `exists`. */
  uidAt(seq: number): number | undefined {
    return seq >= 1 && seq <= this.#count ? this.#uids[seq - 1] : undefined;
  }

  /** The sequence number of a UID; undefined when the client does not know it. */
  seqOf(uid: number): number | undefined {
    const index = this.#lowerBound(uid);
    return index < this.#count && this.#uids[index] === uid ? index + 1 : undefined;
  }

  /** Known UIDs with first ≤ uid ≤ last, ascending. */
  uidsBetween(first: number, last: number): Uint32Array {
    return this.#uids.subarray(this.#lowerBound(first), this.#lowerBound(last + 1));
  }

  /** UIDs at the sequence numbers first to last, those that exist. */
  uidsAt(first: number, last: number): Uint32Array {
    return this.#uids.subarray(Math.max(0, first - 1), Math.min(last, this.#count));
  }

  /** All known UIDs, ascending; a view of memory that changes. */
  all(): Uint32Array {
    return this.#uids.subarray(0, this.#count);
  }

  /** Entries that this session's own command has changed and answered: the feed need not repeat them. */
  toldOf(entries: readonly Entry[]): void {
    for (const { uid, modSeq } of entries) this.#own.set(uid, modSeq);
  }

  /**
   * Takes in what the feed says and gives what to tell. Expunges wait where the command in progress forbids them
   * (RFC 9051 §7.5.1); a message that is gone keeps its number until then.
   */
  take(changes: MailboxChanges, mayExpunge: boolean): Notice[] {
    const notices: Notice[] = [];
    for (const uid of changes.vanished) if (this.seqOf(uid) !== undefined) this.#gone.add(uid);
    if (mayExpunge) this.#tellGone(notices);
    const last = this.lastUid;
    const fresh: Uid[] = [];
    const changed: Entry[] = [];
    for (const entry of changes.changed) {
      if (entry.uid > last) fresh.push(entry.uid);
      else if (this.#own.get(entry.uid) !== entry.modSeq) changed.push(entry);
    }
    this.#own.clear();
    if (fresh.length > 0) {
      this.#append(fresh);
      notices.push({ kind: 'exists', count: this.#count });
    }
    for (const entry of changed) {
      const seq = this.seqOf(entry.uid);
      if (seq !== undefined) notices.push({ kind: 'flags', seq, entry });
    }
    this.#modSeq = changes.highestModSeq;
    return notices;
  }

  /** The mailbox itself is gone. */
  takeAllGone(mayExpunge: boolean): Notice[] {
    const notices: Notice[] = [];
    for (const uid of this.all()) this.#gone.add(uid);
    if (mayExpunge) this.#tellGone(notices);
    return notices;
  }

  /** Highest first, so that each number is right when it is read (RFC 9051 §7.5.1). */
  #tellGone(notices: Notice[]): void {
    if (this.#gone.size === 0) return;
    let kept = 0;
    const gone: Notice[] = [];
    for (let index = 0; index < this.#count; index += 1) {
      const uid = this.#uids[index] ?? 0;
      if (this.#gone.has(uid)) gone.push({ kind: 'expunge', seq: index + 1, uid: known(toUid(uid)) });
      else this.#uids[kept++] = uid;
    }
    this.#count = kept;
    this.#gone = new Set();
    notices.push(...gone.toReversed());
  }

  #append(uids: readonly Uid[]): void {
    const need = this.#count + uids.length;
    if (need > this.#uids.length) {
      const grown = withRoom(need);
      grown.set(this.all());
      this.#uids = grown;
    }
    this.#uids.set(uids, this.#count);
    this.#count = need;
  }

  #lowerBound(uid: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#uids[middle] ?? 0) < uid) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What comes is added at the end: not all is copied for each. */
function withRoom(count: number): Uint32Array {
  return new Uint32Array(count + (count >>> 3) + 8);
}
