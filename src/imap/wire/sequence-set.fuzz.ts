/** A sequence set that reads is formatted and reads alike; resolved, it ascends. */
import assert from 'node:assert/strict';
import { decodeSequenceSet, formatSequenceSet, resolveRanges } from './sequence-set.ts';

export const covers: RegExp = /sequence-set\.ts/;
export const seeds: readonly Uint8Array[] = ['1', '$', '2,4:7,9,12:*', '*:4,5:7', '4294967295'].map((text) =>
  Buffer.from(text),
);

export function fuzz(octets: Uint8Array): void {
  const set = decodeSequenceSet(octets, 1000);
  if (set === undefined) return;
  assert.deepEqual(decodeSequenceSet(Buffer.from(formatSequenceSet(set)), 1000), set);
  if (set.kind === 'saved') return;
  let before = -1;
  for (const { first, last } of resolveRanges(set.ranges, 1000)) {
    assert.ok(first > before + 1 && last >= first && Number.isSafeInteger(last));
    before = last;
  }
}
