/** Octets of a stored message as one: its prefix, then its blob. Offsets count from the first octet of the prefix. */
import type { BlobStore } from './blob-store.ts';
import type { PlacedMessage } from './mail-store.ts';

type Kept = Pick<PlacedMessage, 'prefix' | 'blob'>;

/** Octets [start, end), read as they are pulled. */
export async function* streamOctets(
  { prefix, blob }: Kept,
  blobs: BlobStore,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  if (start < prefix.length) yield prefix.subarray(start, Math.min(end, prefix.length));
  if (end > prefix.length) yield* blobs.stream(blob, Math.max(0, start - prefix.length), end - prefix.length);
}
