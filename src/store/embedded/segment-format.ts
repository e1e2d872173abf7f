/**
 * The format of segment files: names, places, the file's header and a record's header. Pure: octets in, values out.
 *
 * Units: octets, offsets from the start of the file. Source: docs/segments.md.
 */
import { crc32 } from 'node:zlib';
import { known, toBlobId } from '../ids.ts';
import type { BlobId } from '../ids.ts';
import { toBlobPlace } from '../blob-store.ts';
import type { BlobPlace } from '../blob-store.ts';

export const SEGMENT_FORMAT_VERSION = 1;
/** Octets of the file's header and of a record's header. */
export const HEADER_OCTETS = 64;
/** Every record begins at a multiple of this. */
export const ALIGNMENT = 16;
/** A record begins below this offset; it may reach beyond. 2^28. */
export const SEGMENT_OCTETS_MAX = 268_435_456;
/** 2^29 segments of 2^24 possible beginnings each: a place stays below 2^53. */
export const SEGMENT_NUMBER_MAX = 536_870_911;
const PLACES_PER_SEGMENT = 16_777_216;

const FILE_MAGIC = Buffer.from('PostriderSegment', 'latin1');
export const RECORD_MAGIC: Buffer = Buffer.from('PRec', 'latin1');
const CRC_OFFSET = 60;
const NAME = /^(\d{10})\.segment$/;
const MARKER = /^(\d{10})\.active-([0-9A-Za-z]{1,40})$/;

export type RecordHeader = {
  readonly octets: number;
  readonly id: BlobId;
  /** CRC-32 of the blob's octets. */
  readonly crc: number;
};

export type FileHeader =
  | { readonly kind: 'readable'; readonly segment: number; readonly createdAtMs: number }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged' };

export function formatSegmentName(segment: number): string {
  return `${String(segment).padStart(10, '0')}.segment`;
}

export function parseSegmentName(name: string): number | undefined {
  const [, digits] = NAME.exec(name) ?? [];
  const segment = Number(digits);
  return segment >= 1 && segment <= SEGMENT_NUMBER_MAX ? segment : undefined;
}

export function formatMarkerName(segment: number, owner: string): string {
  return `${String(segment).padStart(10, '0')}.active-${owner}`;
}

export function parseMarkerName(
  name: string,
): { readonly segment: number; readonly owner: string } | undefined {
  const [, digits, owner] = MARKER.exec(name) ?? [];
  return digits === undefined || owner === undefined ? undefined : { segment: Number(digits), owner };
}

export function isOwnerName(owner: string): boolean {
  return /^[0-9A-Za-z]{1,40}$/.test(owner);
}

/** The next multiple of {@link ALIGNMENT}, the octets themselves included. */
export function aligned(octets: number): number {
  return Math.ceil(octets / ALIGNMENT) * ALIGNMENT;
}

/** Header, octets and padding. */
export function recordOctets(octets: number): number {
  return HEADER_OCTETS + aligned(octets);
}

export function toPlace(segment: number, offset: number): BlobPlace {
  return known(toBlobPlace(segment * PLACES_PER_SEGMENT + offset / ALIGNMENT));
}

export function fromPlace(place: BlobPlace): { readonly segment: number; readonly offset: number } {
  return {
    segment: Math.floor(place / PLACES_PER_SEGMENT),
    offset: (place % PLACES_PER_SEGMENT) * ALIGNMENT,
  };
}

function seal(header: Buffer): Buffer {
  header.writeUInt32LE(crc32(header.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return header;
}

function isSealed(header: Buffer): boolean {
  return (
    header.length >= HEADER_OCTETS &&
    header.readUInt32LE(CRC_OFFSET) === crc32(header.subarray(0, CRC_OFFSET))
  );
}

export function encodeFileHeader(segment: number, createdAtMs: number): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS);
  FILE_MAGIC.copy(header);
  header.writeUInt32LE(SEGMENT_FORMAT_VERSION, 16);
  header.writeUInt32LE(segment, 20);
  header.writeBigUInt64LE(BigInt(Math.max(0, Math.trunc(createdAtMs))), 24);
  return seal(header);
}

export function decodeFileHeader(header: Buffer): FileHeader {
  if (!isSealed(header) || !header.subarray(0, FILE_MAGIC.length).equals(FILE_MAGIC))
    return { kind: 'damaged' };
  const version = header.readUInt32LE(16);
  if (version > SEGMENT_FORMAT_VERSION) return { kind: 'newer', version };
  return {
    kind: 'readable',
    segment: header.readUInt32LE(20),
    createdAtMs: Number(header.readBigUInt64LE(24)),
  };
}

/** Writes a record's header into the first 64 octets of `into`. */
export function encodeRecordHeader(
  into: Buffer,
  { octets, id, crc }: RecordHeader,
  segment: number,
  offset: number,
): void {
  const header = into.subarray(0, HEADER_OCTETS);
  RECORD_MAGIC.copy(header);
  header.writeUInt32LE(0, 4);
  header.writeBigUInt64LE(BigInt(octets), 8);
  header.write(id, 16, 'hex');
  header.writeUInt32LE(crc, 48);
  header.writeUInt32LE(segment, 52);
  header.writeUInt32LE(offset / ALIGNMENT, 56);
  seal(header);
}

/** The record that was meant for this place, or undefined: anything else that may stand there. */
export function decodeRecordHeader(
  header: Buffer,
  segment: number,
  offset: number,
): RecordHeader | undefined {
  if (!isSealed(header) || !header.subarray(0, RECORD_MAGIC.length).equals(RECORD_MAGIC)) return undefined;
  if (header.readUInt32LE(52) !== segment || header.readUInt32LE(56) !== offset / ALIGNMENT) return undefined;
  const octets = header.readBigUInt64LE(8);
  if (octets > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return {
    octets: Number(octets),
    id: known(toBlobId(header.toString('hex', 16, 48))),
    crc: header.readUInt32LE(48),
  };
}
