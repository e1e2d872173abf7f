/**
 * Makes queue ids: 20 letters and digits, 9 of time and 11 of chance, in Crockford's base 32 (no I, L, O, U), so that they
 * sort by time as text. Within one generator they rise strictly; two generators in the same millisecond are kept apart by
 * 55 bits of chance.
 */
import { toBuffer } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { known } from '../store/ids.ts';
import { toQueueId } from './queue.ts';
import type { QueueId } from './queue.ts';

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 45 bits of milliseconds: until the year 3084. */
const TIME_DIGITS = 9;
const CHANCE_DIGITS = 11;
const CHANCE_BITS = 55n;

function format(value: bigint, digits: number): string {
  let text = '';
  for (let digit = 0, rest = value; digit < digits; digit += 1, rest >>= 5n)
    text = (DIGITS[Number(rest & 31n)] ?? '') + text;
  return text;
}

/** A generator for one thread. */
export function createQueueIds(clock: Clock, random: Random): () => QueueId {
  let lastMs = -1;
  let chance = 0n;
  return () => {
    // A clock that went back does not make ids go back.
    const nowMs = Math.max(0, Math.trunc(clock.nowMs()), lastMs);
    if (nowMs > lastMs) chance = BigInt(`0x${Buffer.from(random.octets(7)).toString('hex')}`) >> 1n;
    else chance += 1n;
    lastMs = nowMs;
    if (chance >> CHANCE_BITS !== 0n) {
      lastMs += 1;
      chance = 0n;
    }
    return known(toQueueId(format(BigInt(lastMs), TIME_DIGITS) + format(chance, CHANCE_DIGITS)));
  };
}

/** The millisecond in which an id was made, or undefined when it is not one of ours. */
export function queueIdTimeMs(id: QueueId): number | undefined {
  if (id.length !== TIME_DIGITS + CHANCE_DIGITS) return undefined;
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
 * @param digest of what makes it that thing, eight octets or more, so that nobody can choose the id
 */
export function derivedQueueId(timeMs: number, digest: Uint8Array): QueueId {
  const chance = toBuffer(digest).readBigUInt64BE(0) >> (64n - CHANCE_BITS);
  return known(toQueueId(firstIdAt(timeMs) + format(chance, CHANCE_DIGITS)));
}

/** What every id that was made at this millisecond or later is not less than, as text. */
export function firstIdAt(timeMs: number): string {
  return format(BigInt(Math.max(0, Math.trunc(timeMs))), TIME_DIGITS);
}
