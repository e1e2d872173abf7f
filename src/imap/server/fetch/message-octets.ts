/** Octets of a stored message: its prefix, then its blob, as one. Offsets count from the first octet of the prefix. */
import type { BlobStore } from '../../../store/blob-store.ts';
import type { PlacedMessage } from '../../../store/mail-store.ts';
import { streamOctets } from '../../../store/placed-octets.ts';
import { toBuffer } from '../../../base/bytes.ts';
import type { OctetSource } from '../../wire/response.ts';

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
