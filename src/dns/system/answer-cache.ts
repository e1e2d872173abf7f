/**
 * Answers for as long as their TTLs allow: data, proofs that there is none (RFC 2308 §5), and for a moment failures, so
 * that a silent resolver is not asked by every message (RFC 9520 §3.2). Bounded: the least recently used goes first.
 */
import type { Clock } from '../../base/clock.ts';
import type { DnsAnswer } from '../resolver.ts';

export type AnswerCacheOptions = {
  readonly entriesMax: number;
  /** TTLs above this are cut (RFC 8767 §4 suggests days at most). */
  readonly ttlMaxS: number;
  /** RFC 2308 §5: one to three hours. */
  readonly negativeTtlMaxS: number;
  /** RFC 9520 §3.2: at least 1 second, at most 5 minutes. */
  readonly failureTtlS: number;
};

type Entry<Data> = { readonly answer: DnsAnswer<Data>; readonly untilMs: number };

export class AnswerCache<Data> {
  readonly #clock: Clock;
  readonly #options: AnswerCacheOptions;
  /** In the order of last use. */
  readonly #entries = new Map<string, Entry<Data>>();

  constructor(clock: Clock, options: AnswerCacheOptions) {
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
    this.#entries.delete(key);
    if (leftMs <= 0) return undefined;
    this.#entries.set(key, entry);
    const { answer } = entry;
    return answer.kind === 'unavailable' ? answer : { ...answer, ttlS: Math.ceil(leftMs / 1000) };
  }

  put(key: string, answer: DnsAnswer<Data>): void {
    const ttlS = this.#ttl(answer);
    this.#entries.delete(key);
    if (ttlS <= 0) return;
    this.#entries.set(key, { answer, untilMs: this.#clock.monotonicMs() + ttlS * 1000 });
    if (this.#entries.size <= this.#options.entriesMax) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
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
