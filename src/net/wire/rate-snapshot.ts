/**
 * Counts of rates as a file keeps them over a restart: the secret that their names are hashed with, and of each table the
 * buckets that are not full. Big-endian; a CRC-32C of all before it is last, so that a torn file is known. Pure.
 *
 *     "PRRATES1"  secret: u8 length, octets   tables: { u32 words, u32 buckets, { u32 at, i64 tag, i64 µs }… }…   u32 CRC
 */
import { Buffer } from 'node:buffer';
import { fromLatin1 } from '../../base/bytes.ts';
import { crc32c } from './crc32c.ts';

/** A bucket: its place, whose it is, and when it is full again, in microseconds since 1970. */
export type KeptBucket = { readonly at: number; readonly tag: bigint; readonly fullAtUs: bigint };

/** `words`: how large the table is; places of another mean nothing. */
export type KeptTable = { readonly words: number; readonly buckets: readonly KeptBucket[] };

export type RateSnapshot = { readonly secret: string; readonly tables: readonly KeptTable[] };

const MAGIC = fromLatin1('PRRATES1');
const TABLE_OCTETS = 8;
const BUCKET_OCTETS = 20;
const CRC_OCTETS = 4;

/** Octets of the largest snapshot of tables of these sizes. */
export function snapshotOctetsMax(words: readonly number[]): number {
  const tables = words.reduce((sum, one) => sum + TABLE_OCTETS + (one / 2) * BUCKET_OCTETS, 0);
  return MAGIC.length + 256 + tables + CRC_OCTETS;
}

export function encodeRateSnapshot({ secret, tables }: RateSnapshot): Buffer {
  const name = fromLatin1(secret);
  const parts = tables.map(({ words, buckets }) => {
    const part = Buffer.alloc(TABLE_OCTETS + buckets.length * BUCKET_OCTETS);
    part.writeUInt32BE(words, 0);
    part.writeUInt32BE(buckets.length, 4);
    let offset = TABLE_OCTETS;
    for (const { at, tag, fullAtUs } of buckets) {
      part.writeUInt32BE(at, offset);
      part.writeBigInt64BE(tag, offset + 4);
      part.writeBigInt64BE(fullAtUs, offset + 12);
      offset += BUCKET_OCTETS;
    }
    return part;
  });
  const all = Buffer.concat([MAGIC, Buffer.from([name.length]), name, ...parts, Buffer.alloc(CRC_OCTETS)]);
  all.writeUInt32BE(crc32c(all.subarray(0, -CRC_OCTETS)), all.length - CRC_OCTETS);
  return all;
}

/** Undefined for what is torn, or none. */
export function decodeRateSnapshot(octets: Uint8Array): RateSnapshot | undefined {
  const all = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  const end = all.length - CRC_OCTETS;
  let offset = MAGIC.length;
  if (end <= offset || !all.subarray(0, offset).equals(MAGIC)) return undefined;
  if (all.readUInt32BE(end) !== crc32c(all.subarray(0, end))) return undefined;
  const secretEnd = offset + 1 + all.readUInt8(offset);
  if (secretEnd > end) return undefined;
  const secret = all.subarray(offset + 1, secretEnd).toString('latin1');
  const tables: KeptTable[] = [];
  for (offset = secretEnd; offset < end;) {
    if (offset + TABLE_OCTETS > end) return undefined;
    const words = all.readUInt32BE(offset);
    const last = offset + TABLE_OCTETS + all.readUInt32BE(offset + 4) * BUCKET_OCTETS;
    if (last > end) return undefined;
    const buckets: KeptBucket[] = [];
    for (offset += TABLE_OCTETS; offset < last; offset += BUCKET_OCTETS)
      buckets.push({
        at: all.readUInt32BE(offset),
        tag: all.readBigInt64BE(offset + 4),
        fullAtUs: all.readBigInt64BE(offset + 12),
      });
    tables.push({ words, buckets });
  }
  return { secret, tables };
}
