/** Octets of a stored message: its prefix, then its blob, as one. Offsets count from the first octet of the prefix. */
import type { BlobStore } from '../../../store/blob-store.ts';
import type { PlacedMessage } from '../../../store/mail-store.ts';
import { streamOctets } from '../../../store/placed-octets.ts';
import { toBuffer } from '../../../base/bytes.ts';
import { createScanner, scanMessage, type ScannedMessage } from '../../../message/scan.ts';
import type { OctetSource } from '../../wire/response.ts';

/** What is no larger is read before it is announced, so that damage is found while there is still a way to say so. */
export const BUFFERED_OCTETS_MAX = 1_048_576;

/**
 * Octets [start, end), clipped to the message.
 * @param bufferedMax what is larger is streamed
 */
export async function readOctets(
  message: PlacedMessage,
  blobs: BlobStore,
  start: number,
  end: number,
  bufferedMax: number,
): Promise<Buffer | OctetSource> {
  const last = Math.min(end, message.octets);
  if (last <= start) return Buffer.alloc(0);
  if (last - start > bufferedMax)
    return { octets: last - start, open: () => streamOctets(message, blobs, start, last) };
  const { prefix, blob } = message;
  const head = toBuffer(prefix).subarray(Math.min(start, prefix.length), Math.min(last, prefix.length));
  if (last <= prefix.length) return head;
  const body = await blobs.read(blob, Math.max(0, start - prefix.length), last - prefix.length);
  return head.length === 0 ? body : Buffer.concat([head, body]);
}

/** The header section of the whole message: the prefix is the beginning of it. */
export async function readHeader(
  message: PlacedMessage,
  headerOctets: number,
  blobs: BlobStore,
): Promise<Buffer> {
  const blob = headerOctets === 0 ? Buffer.alloc(0) : await blobs.read(message.blob, 0, headerOctets);
  return message.prefix.length === 0 ? blob : Buffer.concat([message.prefix, blob]);
}

/** The part tree of the blob; its offsets count from the blob's first octet. */
export async function scanBlob({ blob }: PlacedMessage, blobs: BlobStore): Promise<ScannedMessage> {
  if (blob.octets <= BUFFERED_OCTETS_MAX) return scanMessage(await blobs.read(blob));
  const scanner = createScanner();
  for await (const chunk of blobs.stream(blob)) scanner.push(chunk);
  return scanner.end();
}
