/**
 * Which accounts have a POP3 session, over all threads, in memory that they share. A thread writes only its own part:
 * who wants a mailbox puts it there first, then looks whether it is in another part. Two who come at the very same moment
 * may both find each other and both be refused; never do both get it. What a dead thread had is free when another takes
 * its place.
 */
import type { AccountId } from '../store/ids.ts';
import type { MaildropLocks } from '../pop3/server/ports.ts';

/** Plain data for `workerData`: the memory is shared, not copied. */
export type MaildropLockMemory = { readonly threads: number; readonly accounts: SharedArrayBuffer };

/** Accounts whose numbers leave the same remainder share a bucket of this many places in each thread. */
const BUCKETS = 8192;
const PLACES = 8;
const PART = BUCKETS * PLACES;

export function createMaildropLocks(threads: number): MaildropLockMemory {
  return { threads, accounts: new SharedArrayBuffer(threads * PART * BigInt64Array.BYTES_PER_ELEMENT) };
}

/** One thread's hand on the locks. */
export class MaildropLockTable implements MaildropLocks {
  readonly #accounts: BigInt64Array;
  readonly #threads: number;
  readonly #thread: number;

  /** @param thread from 0; one that took the place of a dead one begins with nothing */
  constructor({ threads, accounts }: MaildropLockMemory, thread: number) {
    this.#accounts = new BigInt64Array(accounts);
    this.#threads = threads;
    this.#thread = thread;
    this.#accounts.fill(0n, thread * PART, (thread + 1) * PART);
  }

  /** Also undefined where the bucket is full: some ten thousand accounts are at it at once. */
  take(account: AccountId): (() => void) | undefined {
    const name = BigInt(account);
    const bucket = (account % BUCKETS) * PLACES;
    if (this.#find(this.#thread, bucket, name) !== undefined) return undefined;
    const place = this.#find(this.#thread, bucket, 0n);
    if (place === undefined) return undefined;
    Atomics.store(this.#accounts, place, name);
    for (let thread = 0; thread < this.#threads; thread += 1) {
      if (thread === this.#thread || this.#find(thread, bucket, name) === undefined) continue;
      Atomics.store(this.#accounts, place, 0n);
      return undefined;
    }
    return () => void Atomics.store(this.#accounts, place, 0n);
  }

  #find(thread: number, bucket: number, wanted: bigint): number | undefined {
    const first = thread * PART + bucket;
    for (let place = first; place < first + PLACES; place += 1)
      if (Atomics.load(this.#accounts, place) === wanted) return place;
    return undefined;
  }
}
