/**
 * The small blobs that this thread wrote last, copied together: mail that goes on at once, or is fetched by who waited for it,
 * need not be read from the disk that it was just synced to. What is written is never changed, so it is what stands there.
 *
 * Memory: two halves of one size, made at the first blob and never again. When one is full the other, which is older, is
 * forgotten and begun anew.
 */
import type { BlobPlace, BlobRef } from '../blob-store.ts';
import type { BlobId } from '../ids.ts';

type Kept = { readonly id: BlobId; readonly from: number; readonly octets: number };

class Half {
  #memory: Buffer | undefined;
  #fill = 0;
  readonly #kept = new Map<BlobPlace, Kept>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  hasRoom(octets: number): boolean {
    return this.#fill + octets <= this.#size;
  }

  keep({ id, octets, place }: BlobRef, pieces: readonly Uint8Array[]): void {
    this.#memory ??= Buffer.allocUnsafeSlow(this.#size);
    this.#kept.set(place, { id, from: this.#fill, octets });
    for (const piece of pieces) {
      this.#memory.set(piece, this.#fill);
      this.#fill += piece.length;
    }
  }

  find({ id, octets, place }: BlobRef): Buffer | undefined {
    const kept = this.#kept.get(place);
    if (kept?.id !== id || kept.octets !== octets || this.#memory === undefined) return undefined;
    // A copy: the memory is soon another blob's.
    return Buffer.from(this.#memory.subarray(kept.from, kept.from + octets));
  }

  forget(): void {
    this.#kept.clear();
    this.#fill = 0;
  }
}

export class RecentBlobs {
  readonly #blobOctetsMax: number;
  #newer: Half;
  #older: Half;

  /**
   * @param octetsMax of both halves together; 0: nothing is kept
   * @param blobOctetsMax larger blobs are not kept
   */
  constructor(octetsMax: number, blobOctetsMax: number) {
    const half = Math.floor(octetsMax / 2);
    this.#blobOctetsMax = Math.min(blobOctetsMax, half);
    this.#newer = new Half(half);
    this.#older = new Half(half);
  }

  /** @param pieces together the blob's octets */
  keep(ref: BlobRef, pieces: readonly Uint8Array[]): void {
    if (ref.octets === 0 || ref.octets > this.#blobOctetsMax) return;
    if (!this.#newer.hasRoom(ref.octets)) {
      this.#older.forget();
      [this.#newer, this.#older] = [this.#older, this.#newer];
    }
    this.#newer.keep(ref, pieces);
  }

  /** The whole blob, if it is here. */
  find(ref: BlobRef): Buffer | undefined {
    return this.#newer.find(ref) ?? this.#older.find(ref);
  }
}
