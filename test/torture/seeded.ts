/** Chance that a seed repeats: mulberry32. What the kernel and the peers do in between is not repeated. */
export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number, 0 ≤ n < below. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.below(items.length)];
  }

  /** At most `count` of them, in their order. */
  some<Item>(items: readonly Item[], count: number): Item[] {
    const from = this.below(Math.max(1, items.length - count + 1));
    return items.slice(from, from + count);
  }

  /** Another sequence, for somebody who draws at his own pace. */
  fork(): Seeded {
    return new Seeded(this.below(4_294_967_296));
  }
}
