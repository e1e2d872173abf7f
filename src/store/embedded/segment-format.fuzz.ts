/** Headers of segments and records from any octets: never a throw, and what is read is what would be written. */
import assert from 'node:assert/strict';
import { known, toBlobId } from '../ids.ts';
import {
  ALIGNMENT,
  HEADER_OCTETS,
  decodeFileHeader,
  decodeRecordHeader,
  encodeFileHeader,
  encodeRecordHeader,
} from './segment-format.ts';

export const covers: RegExp = /\/segment-format\.ts$/;

const record = Buffer.alloc(HEADER_OCTETS);
encodeRecordHeader(record, { octets: 5, id: known(toBlobId('0f'.repeat(32))), crc: 7 }, 3, 64);

export const seeds: readonly Uint8Array[] = [
  encodeFileHeader(3, 1_700_000_000_000),
  record,
  new Uint8Array(),
];

export function fuzz(octets: Uint8Array): void {
  const header = Buffer.from(octets);
  const file = decodeFileHeader(header);
  if (file.kind === 'readable') assert.ok(file.segment >= 0 && file.createdAtMs >= 0);
  for (const offset of [64, 64 + ALIGNMENT]) {
    const found = decodeRecordHeader(header, 3, offset);
    if (found === undefined) continue;
    const again = Buffer.alloc(HEADER_OCTETS);
    encodeRecordHeader(again, found, 3, offset);
    assert.deepEqual(decodeRecordHeader(again, 3, offset), found);
  }
}
