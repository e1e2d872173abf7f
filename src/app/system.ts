/** The machine's own clock and chance: what everything else is given as arguments. */
import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

export const systemRandom: Random = {
  octets: (count) => randomBytes(count),
  below: (below) => randomInt(below),
};
