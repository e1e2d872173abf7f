/** Chance as an argument: cryptographic in production, seeded in tests. */
export type Random = {
  /** `count` unpredictable octets. */
  octets(count: number): Uint8Array;
  /** A whole number, 0 ≤ n < below. */
  below(below: number): number;
};
