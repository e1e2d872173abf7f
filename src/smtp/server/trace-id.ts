/**
 * Trace ids: 22 characters of Crockford's base 32 in small letters, 10 of them the time in milliseconds, 12 chance. They
 * sort by time, are an Atom of RFC 5322 (so they stand in Received as they are), and cannot be guessed.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';

export function createTraceIds(clock: Clock, random: Random): () => string {
  return () => `${base32(clock.nowMs(), 10)}${chance(random)}`;
}

function chance(random: Random): string {
  let text = '';
  for (const octet of random.octets(12)) text += ALPHABET.charAt(octet & 31);
  return text;
}

function base32(value: number, width: number): string {
  let text = '';
  for (let rest = value; text.length < width; rest = Math.floor(rest / 32))
    text = ALPHABET.charAt(rest % 32) + text;
  return text;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
