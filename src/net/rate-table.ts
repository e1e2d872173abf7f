/**
 * Token buckets for all threads, in memory that they share and whose size is fixed. Each bucket is one number, the time when
 * it will be full again (the "theoretical arrival time" of the generic cell rate algorithm); it is changed by
 * compare-and-exchange, so that what threads take at the same time adds up exactly.
 *
 * Buckets are found by 64 bits of a keyed hash of whose and what they are, in one of eight places. Where all eight are taken, the one
 * that is nearest to full gives way: a full one means nothing, and of a fuller one least is forgotten. So the error is on one
 * side but for chance: a flood of names makes the table forgiving, never larger and never stricter. (Two names of one hash
 * share a bucket: of 2^18 names at once, that happens to one pair in 500 million tables, and cannot be aimed at.) A thread
 * that puts a new name into a place may count against what another thread does with the old one at that moment: a token.
 *
 * Units: microseconds since 1970 by the wall clock, so that the threads agree. A clock that is set back makes no bucket
 * emptier than two intervals.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { Bucket, Rate, RateKind, RateSubject, Rates } from '../policy/rate.ts';
import { UNLIMITED } from '../policy/rate.ts';
import type { KeptBucket } from './wire/rate-snapshot.ts';

/** Plain data for `workerData`: the memory is shared, not copied. */
export type RateMemory = Readonly<Record<RateKind, SharedArrayBuffer>> & { readonly secret: string };

const WAYS = 8;
/** Of one place: the hash of the name (0: nobody's), and when the bucket is full again. */
const WORDS = 2;
const US_PER_MS = 1000;

export function createRateMemory(
  accountBuckets: number = LIMITS.rateAccountBucketsMax,
  peerBuckets: number = LIMITS.ratePeerBucketsMax,
  signInBuckets: number = LIMITS.rateSignInBucketsMax,
  secret: string = randomBytes(16).toString('base64'),
): RateMemory {
  const memory = (buckets: number): SharedArrayBuffer =>
    new SharedArrayBuffer(Math.ceil(buckets / WAYS) * WAYS * WORDS * BigInt64Array.BYTES_PER_ELEMENT);
  return {
    account: memory(accountBuckets),
    'sign-in': memory(signInBuckets),
    peer: memory(peerBuckets),
    secret,
  };
}

/** The view of one thread. */
export class RateTable implements Rates {
  readonly #places: Readonly<Record<RateKind, Places>>;
  readonly #secret: string;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #whats = new Map<string, NameHash>();

  constructor(memory: RateMemory, clock: Pick<Clock, 'nowMs'>) {
    this.#places = {
      account: new Places(memory.account),
      'sign-in': new Places(memory['sign-in']),
      peer: new Places(memory.peer),
    };
    this.#secret = memory.secret;
    this.#clock = clock;
  }

  subject(whose: RateKind, name: string): RateSubject {
    const places = this.#places[whose];
    const subject = this.#hash(`of ${name}`);
    return {
      bucket: (what, rate) => {
        if (rate.count === 0) return UNLIMITED;
        const mixed = this.#hashOfWhat(what);
        // 0 means that nobody has the place.
        const tag = subject.tag ^ mixed.tag || 1n;
        return new SharedBucket(places, tag, (subject.set ^ mixed.set) >>> 0, rate, this.#clock);
      },
    };
  }

  /** There are few of them: one hash for each message or session is enough. */
  #hashOfWhat(what: string): NameHash {
    const known = this.#whats.get(what);
    if (known !== undefined) return known;
    const made = this.#hash(`what ${what}`);
    this.#whats.set(what, made);
    return made;
  }

  #hash(name: string): NameHash {
    const digest = hash('sha1', `${this.#secret} ${name}`, 'buffer');
    return { tag: digest.readBigInt64LE(0), set: digest.readUInt32LE(8) };
  }
}

type NameHash = { readonly tag: bigint; readonly set: number };

class SharedBucket implements Bucket {
  readonly #places: Places;
  readonly #tag: bigint;
  readonly #hash: number;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #tokenUs: number;
  readonly #intervalUs: number;

  constructor(places: Places, tag: bigint, hashed: number, rate: Rate, clock: Pick<Clock, 'nowMs'>) {
    this.#places = places;
    this.#tag = tag;
    this.#hash = hashed;
    this.#clock = clock;
    this.#intervalUs = rate.intervalMs * US_PER_MS;
    this.#tokenUs = this.#intervalUs / rate.count;
  }

  take(cost = 1): boolean {
    return this.#change(cost, this.#intervalUs, 'refuse');
  }

  has(cost = 1): boolean {
    return this.#emptiness() + cost * this.#tokenUs <= this.#intervalUs + ROUNDING_US;
  }

  charge(cost: number): void {
    this.#change(cost, 2 * this.#intervalUs, 'cut');
  }

  used(): number {
    return this.#emptiness() / this.#tokenUs;
  }

  /** How long it takes until the bucket is full. */
  #emptiness(): number {
    const at = this.#places.find(this.#tag, this.#hash);
    return at === undefined ? 0 : this.#since(this.#places.fullAtUs(at));
  }

  #since(fullAtUs: bigint): number {
    const leftUs = Number(fullAtUs) - this.#clock.nowMs() * US_PER_MS;
    return Math.min(Math.max(leftUs, 0), 2 * this.#intervalUs);
  }

  #change(cost: number, mostUs: number, beyond: 'refuse' | 'cut'): boolean {
    const nowUs = this.#clock.nowMs() * US_PER_MS;
    const at = this.#places.findOrTake(this.#tag, this.#hash, BigInt(Math.trunc(nowUs)));
    for (;;) {
      const fullAtUs = this.#places.fullAtUs(at);
      let nextUs = this.#since(fullAtUs) + cost * this.#tokenUs;
      if (nextUs > mostUs + ROUNDING_US) {
        if (beyond === 'refuse') return false;
        nextUs = mostUs;
      }
      if (this.#places.setFullAtUs(at, fullAtUs, BigInt(Math.round(nowUs + nextUs)))) return true;
    }
  }
}

/** Fractions of tokens are rounded to whole microseconds, one at a time. */
const ROUNDING_US = 1000;

/** The memory of one kind of buckets. */
class Places {
  readonly #words: BigInt64Array;
  readonly #sets: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new BigInt64Array(memory);
    this.#sets = this.#words.length / WORDS / WAYS;
  }

  find(tag: bigint, hashed: number): number | undefined {
    const first = (hashed % this.#sets) * WAYS * WORDS;
    for (let at = first; at < first + WAYS * WORDS; at += WORDS)
      if (Atomics.load(this.#words, at) === tag) return at;
    return undefined;
  }

  /** Its own place, or one that it takes from whoever needs it least. */
  findOrTake(tag: bigint, hashed: number, nowUs: bigint): number {
    const first = (hashed % this.#sets) * WAYS * WORDS;
    for (;;) {
      let chosen = first;
      let chosenTag = 0n;
      let chosenUs: bigint | undefined;
      for (let at = first; at < first + WAYS * WORDS; at += WORDS) {
        const other = Atomics.load(this.#words, at);
        if (other === tag) return at;
        const fullAtUs = other === 0n ? 0n : Atomics.load(this.#words, at + 1);
        if (chosenUs !== undefined && fullAtUs >= chosenUs) continue;
        chosen = at;
        chosenTag = other;
        chosenUs = fullAtUs;
      }
      if (Atomics.compareExchange(this.#words, chosen, chosenTag, tag) !== chosenTag) continue;
      Atomics.store(this.#words, chosen + 1, nowUs);
      return chosen;
    }
  }

  fullAtUs(at: number): bigint {
    return Atomics.load(this.#words, at + 1);
  }

  setFullAtUs(at: number, from: bigint, to: bigint): boolean {
    return Atomics.compareExchange(this.#words, at + 1, from, to) === from;
  }
}

/** The buckets that are not full yet. What threads change meanwhile may be seen or not. */
export function bucketsOf(memory: SharedArrayBuffer, nowMs: number): readonly KeptBucket[] {
  const words = new BigInt64Array(memory);
  const nowUs = BigInt(Math.trunc(nowMs * US_PER_MS));
  const kept: KeptBucket[] = [];
  for (let at = 0; at < words.length; at += WORDS) {
    const fullAtUs = Atomics.load(words, at + 1);
    const tag = Atomics.load(words, at);
    if (tag !== 0n && fullAtUs > nowUs) kept.push({ at, tag, fullAtUs });
  }
  return kept;
}

/** Before anything is counted. Places that are none here are left out. */
export function restoreBuckets(memory: SharedArrayBuffer, kept: readonly KeptBucket[]): void {
  const words = new BigInt64Array(memory);
  for (const { at, tag, fullAtUs } of kept) {
    if (at % WORDS !== 0 || at + 1 >= words.length) continue;
    words[at] = tag;
    words[at + 1] = fullAtUs;
  }
}
