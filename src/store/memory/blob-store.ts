/** The blob store in memory: for tests. Nothing outlives it; the same octets written twice are kept once. */
import { createHash } from 'node:crypto';
import { BlobError, toBlobPlace } from '../blob-store.ts';
import type { BlobPlace, BlobRef, BlobStore, BlobWriter } from '../blob-store.ts';
import { known, toBlobId } from '../ids.ts';
import type { BlobId } from '../ids.ts';

/** The port promises chunks of at most this many octets. */
const CHUNK_OCTETS_MAX = 65_536;

type Kept = { readonly place: BlobPlace; readonly octets: Buffer };

class MemoryBlobWriter implements BlobWriter {
  readonly #kept: Map<BlobId, Kept>;
  #chunks: Buffer[] | undefined = [];

  constructor(kept: Map<BlobId, Kept>) {
    this.#kept = kept;
  }

  write(chunk: Uint8Array): undefined {
    if (this.#chunks === undefined) throw new TypeError('Writing to a blob that was finished or aborted');
    this.#chunks.push(Buffer.from(chunk));
  }

  // oxlint-disable-next-line typescript/require-await -- the port's other backends wait for a disk here
  async finish(): Promise<BlobRef> {
    if (this.#chunks === undefined) throw new TypeError('Finishing a blob that was finished or aborted');
    const octets = Buffer.concat(this.#chunks);
    this.#chunks = undefined;
    const id = known(toBlobId(createHash('sha256').update(octets).digest('hex')));
    const place = this.#kept.get(id)?.place ?? known(toBlobPlace(this.#kept.size));
    this.#kept.set(id, { place, octets });
    return { id, octets: octets.length, place };
  }

  abort(): void {
    this.#chunks = undefined;
  }
}

class MemoryBlobStore implements BlobStore {
  readonly #kept = new Map<BlobId, Kept>();

  create(): BlobWriter {
    return new MemoryBlobWriter(this.#kept);
  }

  async *stream(ref: BlobRef, start = 0, end = ref.octets): AsyncIterable<Buffer> {
    const octets = this.#range(ref, start, end);
    for (let at = 0; at < octets.length; at += CHUNK_OCTETS_MAX)
      yield Buffer.from(octets.subarray(at, at + CHUNK_OCTETS_MAX));
  }

  // oxlint-disable-next-line typescript/require-await -- a problem is a rejection, not a throw
  async read(ref: BlobRef, start = 0, end = ref.octets): Promise<Buffer> {
    return Buffer.from(this.#range(ref, start, end));
  }

  #range({ id, place }: BlobRef, start: number, end: number): Buffer {
    const kept = this.#kept.get(id);
    if (kept?.place !== place) throw new BlobError({ kind: 'missing' }, id);
    return kept.octets.subarray(start, Math.max(start, end));
  }
}

export function openMemoryBlobStore(): BlobStore {
  return new MemoryBlobStore();
}
