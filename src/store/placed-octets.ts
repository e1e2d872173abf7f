/** Octets of a stored message as one: its prefix, then its blob. Offsets count from the first octet of the prefix. */
import { createScanner, scanMessage, type ScannedMessage } from '../message/scan.ts';
import type { BlobStore } from './blob-store.ts';
import type { PlacedMessage } from './mail-store.ts';

/** Where the octets of a message are. */
export type KeptOctets = Pick<PlacedMessage, 'prefix' | 'blob'>;

/** Octets [start, end), read as they are pulled. */
export async function* streamOctets(
  { prefix, blob }: KeptOctets,
  blobs: BlobStore,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  if (start < prefix.length) yield prefix.subarray(start, Math.min(end, prefix.length));
  if (end > prefix.length) yield* blobs.stream(blob, Math.max(0, start - prefix.length), end - prefix.length);
}

/** What is no larger is read before it is announced, so that damage is found while there is still a way to say so. */
export const BUFFERED_OCTETS_MAX = 1_048_576;

/** The header section of the whole message: the prefix is the beginning of it. */
export async function readHeader(
  message: KeptOctets,
  headerOctets: number,
  blobs: BlobStore,
): Promise<Buffer> {
  const blob = headerOctets === 0 ? Buffer.alloc(0) : await blobs.read(message.blob, 0, headerOctets);
  return message.prefix.length === 0 ? blob : Buffer.concat([message.prefix, blob]);
}

/** The part tree of the blob; its offsets count from the blob's first octet. */
export async function scanBlob({ blob }: KeptOctets, blobs: BlobStore): Promise<ScannedMessage> {
  if (blob.octets <= BUFFERED_OCTETS_MAX) return scanMessage(await blobs.read(blob));
  const scanner = createScanner();
  for await (const chunk of blobs.stream(blob)) scanner.push(chunk);
  return scanner.end();
}
