/** `1:100` counts from the oldest, `-1:-100` from the newest. Source: RFC 9394 §3.1. */
import type { Cursor } from '../cursor.ts';

export type PartialRange = { readonly first: number; readonly last: number };

const MINUS = 0x2d;
const COLON = 0x3a;

export function parsePartialRange(cursor: Cursor): PartialRange | undefined {
  const sign = cursor.take(MINUS) ? -1 : 1;
  const first = cursor.nzNumber('a position');
  if (first === undefined) return undefined;
  if (!cursor.take(COLON)) return cursor.fail("Expected ':' in the range");
  if (cursor.take(MINUS) !== (sign === -1))
    return cursor.fail('Both ends of the range count from the same side');
  const last = cursor.nzNumber('a position');
  return last === undefined ? undefined : { first: first * sign, last: last * sign };
}
