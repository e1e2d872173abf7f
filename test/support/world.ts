/** Real time and seeded chance, for tests that use sockets. */
import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';

export const REAL_CLOCK: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The same seed gives the same chance (xorshift32). */
export function seededRandom(seed = 0x9e37_79b9): Random {
  let state = seed | 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return {
    octets: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
    below: (below) => next() % below,
  };
}
