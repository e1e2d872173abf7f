/**
 * Answers for as long as their TTLs allow: data, proofs that there is none (RFC 2308 §5), and for a moment failures, so
 * that a silent resolver is not asked by every message (RFC 9520 §3.2). Bounded in number and in octets, since whoever owns a
 * zone makes answers of 64 KiB as easily as small ones: the least recently used goes first.
 */
import type { Clock } from '../../base/clock.ts';
import type { DnsAnswer } from '../resolver.ts';

export type AnswerCacheOptions<Data> = {
  readonly entriesMax: number;
  /** Of all answers together, as `octetsOf` tells of each record. */
  readonly octetsMax: number;
  readonly octetsOf: (data: Data) => number;
  /** TTLs above this are cut (RFC 8767 §4 suggests days at most). */
  readonly ttlMaxS: number;
  /** RFC 2308 §5: one to three hours. */
  readonly negativeTtlMaxS: number;
  /** RFC 9520 §3.2: at least 1 second, at most 5 minutes. */
  readonly failureTtlS: number;
};

type Entry<Data> = { readonly answer: DnsAnswer<Data>; readonly untilMs: number; readonly octets: number };

/** What an entry holds beside its records. */
const ENTRY_OCTETS = 500;

export class AnswerCache<Data> {
  readonly #clock: Clock;
  readonly #options: AnswerCacheOptions<Data>;
  #octets = 0;
  /** In the order of last use. */
  readonly #entries = new Map<string, Entry<Data>>();

  constructor(clock: Clock, options: AnswerCacheOptions<Data>) {
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The answer with what is left of its TTL. */
  get(key: string): DnsAnswer<Data> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const leftMs = entry.untilMs - this.#clock.monotonicMs();
    this.#delete(key);
    if (leftMs <= 0) return undefined;
    this.#set(key, entry);
    const { answer } = entry;
    return answer.kind === 'unavailable' ? answer : { ...answer, ttlS: Math.ceil(leftMs / 1000) };
  }

  put(key: string, answer: DnsAnswer<Data>): void {
    const ttlS = this.#ttl(answer);
    this.#delete(key);
    if (ttlS <= 0) return;
    const octets = this.#octetsOf(answer);
    this.#set(key, { answer, untilMs: this.#clock.monotonicMs() + ttlS * 1000, octets });
    const { entriesMax, octetsMax } = this.#options;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= entriesMax && this.#octets <= octetsMax) return;
      this.#delete(oldest);
    }
  }

  #set(key: string, entry: Entry<Data>): void {
    this.#entries.set(key, entry);
    this.#octets += entry.octets;
  }

  #delete(key: string): void {
    this.#octets -= this.#entries.get(key)?.octets ?? 0;
    this.#entries.delete(key);
  }

  #octetsOf(answer: DnsAnswer<Data>): number {
    if (answer.kind !== 'found') return ENTRY_OCTETS;
    return answer.records.reduce((sum, data) => sum + this.#options.octetsOf(data), ENTRY_OCTETS);
  }

  #ttl(answer: DnsAnswer<Data>): number {
    switch (answer.kind) {
      case 'found':
        return Math.min(answer.ttlS, this.#options.ttlMaxS);
      case 'none':
        return Math.min(answer.ttlS, this.#options.negativeTtlMaxS);
      case 'unavailable':
        return this.#options.failureTtlS;
    }
  }
}
