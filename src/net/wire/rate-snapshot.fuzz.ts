/** Whatever stands in the file: nothing throws, and what is read is written again as it was. */
import assert from 'node:assert/strict';
import { crc32c } from './crc32c.ts';
import { decodeRateSnapshot, encodeRateSnapshot } from './rate-snapshot.ts';

export const covers: RegExp = /src\/net\/wire\/rate-snapshot\.ts/;

export const seeds: readonly Uint8Array[] = [
  encodeRateSnapshot({ secret: 'c2VjcmV0', tables: [] }).subarray(0, -4),
  encodeRateSnapshot({
    secret: 's',
    tables: [
      { words: 16, buckets: [{ at: 2, tag: 7n, fullAtUs: 9n }] },
      { words: 16, buckets: [] },
    ],
  }).subarray(0, -4),
];

export function fuzz(octets: Uint8Array): void {
  decodeRateSnapshot(octets);
  // With a sum that is right, what is behind it is reached.
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32c(octets));
  const whole = Buffer.concat([octets, sum]);
  const read = decodeRateSnapshot(whole);
  if (read !== undefined) assert.deepEqual(encodeRateSnapshot(read), whole);
}
