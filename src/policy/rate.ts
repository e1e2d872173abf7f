/**
 * The port to rates: token buckets by name, each filling up again at an even pace. Who counts what: checks. A bucket holds
 * `count` tokens for every `intervalMs`; that many may be taken at once, and then as many as have come in since.
 *
 * Nothing here waits or throws. Counts are estimates where memory runs short (see the table's own page, net/rate-table.ts);
 * an estimate errs towards letting pass.
 */
export type Rate = {
  /** 0: no limit. */
  readonly count: number;
  readonly intervalMs: number;
};

export type Bucket = {
  /** Takes `cost` tokens if they are there; else takes nothing and says false. */
  take(cost?: number): boolean;
  /** Whether `cost` tokens, or one, are there. */
  has(cost?: number): boolean;
  /** Takes `cost` tokens, there or not; what is missing must come in first, at most one more interval's worth. */
  charge(cost: number): void;
  /** Tokens gone and not yet come in again. */
  used(): number;
};

export type RateKind = 'account' | 'sign-in' | 'peer';

export type Rates = {
  /**
   * Whoever, or whatever, is counted.
   *
   * @param whose 'account' for what only accounts of ours can cause, 'sign-in' for failures to sign in: strangers cannot
   *   crowd out the former, nor by other things the latter
   * @param name among all of that kind: `address 192.0.2.1`
   */
  subject(whose: RateKind, name: string): RateSubject;
};

export type RateSubject = {
  /** @param what is counted of it: `messages` */
  bucket(what: string, rate: Rate): Bucket;
};

/** How many of a thing there are at one time. */
export type Gauge = {
  /** Counts one in until the function given back is called, once; undefined: there are `max` already. */
  enter(name: string, max: number): (() => void) | undefined;
};

/** The bucket of a rate that is no limit. */
export const UNLIMITED: Bucket = {
  take: () => true,
  has: () => true,
  charge: () => undefined,
  used: () => 0,
};

/** The same rates, looked at and not counted. */
export function withoutCounting(rates: Rates): Rates {
  const looking = (bucket: Bucket): Bucket => ({
    has: (cost) => bucket.has(cost),
    take: (cost) => bucket.has(cost),
    charge: () => undefined,
    used: () => bucket.used(),
  });
  return {
    subject: (...wanted) => {
      const subject = rates.subject(...wanted);
      return { bucket: (...one) => looking(subject.bucket(...one)) };
    },
  };
}
