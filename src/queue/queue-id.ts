/**
 * Makes queue ids: 20 letters and digits, 9 of time and 11 of chance, in Crockford's base 32 (no I, L, O, U), so that they
 * sort by time as text. Within one generator they rise strictly; two generators in the same millisecond are kept apart by
 * 55 bits of chance.
 */
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { known } from '../store/ids.ts';
import { toQueueId } from './queue.ts';
import type { QueueId } from './queue.ts';

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 45 bits of milliseconds: until the year 3084. */
const TIME_DIGITS = 9;
/** 55 bits of chance, in two numbers: the upper 30 and the lower 25. */
const HIGH_DIGITS = 6;
const LOW_DIGITS = 5;
const HIGH_END = 2 ** 30;
const LOW_END = 2 ** 25;

type Chance = { readonly high: number; readonly low: number };

/** @param value below 2^53 */
function format(value: number, digits: number): string {
  let text = '';
  for (let digit = 0, rest = value; digit < digits; digit += 1, rest = Math.floor(rest / 32))
    text = (DIGITS[rest % 32] ?? '') + text;
  return text;
}

function formatChance({ high, low }: Chance): string {
  return format(high, HIGH_DIGITS) + format(low, LOW_DIGITS);
}

/** The first 55 bits of seven octets. */
function toChance(octets: Uint8Array): Chance {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0] = octets;
  return {
    high: (a << 22) | (b << 14) | (c << 6) | (d >> 2),
    low: ((d & 3) << 23) | (e << 15) | (f << 7) | (g >> 1),
  };
}

/** Undefined: there is none above it. */
function nextChance({ high, low }: Chance): Chance | undefined {
  if (low + 1 < LOW_END) return { high, low: low + 1 };
  return high + 1 < HIGH_END ? { high: high + 1, low: 0 } : undefined;
}

/** A generator for one thread. */
export function createQueueIds(clock: Clock, random: Random): () => QueueId {
  let lastMs = -1;
  let time = '';
  let chance: Chance = { high: 0, low: 0 };
  return () => {
    // A clock that went back does not make ids go back.
    let nowMs = Math.max(0, Math.trunc(clock.nowMs()), lastMs);
    let next = nowMs > lastMs ? toChance(random.octets(7)) : nextChance(chance);
    if (next === undefined) {
      nowMs += 1;
      next = { high: 0, low: 0 };
    }
    if (nowMs !== lastMs) time = format(nowMs, TIME_DIGITS);
    lastMs = nowMs;
    chance = next;
    return known(toQueueId(time + formatChance(chance)));
  };
}

/** The millisecond in which an id was made, or undefined when it is not one of ours. */
export function queueIdTimeMs(id: QueueId): number | undefined {
  if (id.length !== TIME_DIGITS + HIGH_DIGITS + LOW_DIGITS) return undefined;
  let value = 0;
  for (const digit of id.slice(0, TIME_DIGITS)) {
    const at = DIGITS.indexOf(digit);
    if (at === -1) return undefined;
    value = value * 32 + at;
  }
  return value;
}

/**
 * An id of this time that is always the same for the same thing: what is done again after a crash keeps its id.
 *
 * @param digest of what makes it that thing, seven octets or more, so that nobody can choose the id
 */
export function derivedQueueId(timeMs: number, digest: Uint8Array): QueueId {
  return known(toQueueId(firstIdAt(timeMs) + formatChance(toChance(digest))));
}

/** What every id that was made at this millisecond or later is not less than, as text. */
export function firstIdAt(timeMs: number): string {
  return format(Math.max(0, Math.trunc(timeMs)), TIME_DIGITS);
}
