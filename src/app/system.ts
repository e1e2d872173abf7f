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

/** Chance is drawn in stocks: one call of the generator serves some hundred ids. */
const STOCK_OCTETS = 4096;
let stock: Uint8Array = new Uint8Array();

function octets(count: number): Uint8Array {
  if (count > STOCK_OCTETS / 16) return randomBytes(count);
  if (stock.length < count) stock = randomBytes(STOCK_OCTETS);
  const taken = new Uint8Array(stock.subarray(0, count));
  // Given once: nobody finds it here again.
  stock.fill(0, 0, count);
  stock = stock.subarray(count);
  return taken;
}

export const systemRandom: Random = {
  octets,
  below: (below) => randomInt(below),
};
