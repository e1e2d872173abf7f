/**
 * The port to message octets. A blob is immutable, named by its SHA-256, and kept until nothing refers to it: rows of
 * the mail store and of the queue hold `BlobRef`s; the store's compaction asks them which places are still in use.
 */
import type { Brand } from '../base/brand.ts';
import type { BlobId } from './ids.ts';

/**
 * Where a backend keeps a blob, meaningful to that backend only; 0 ≤ place < 2^53. Embedded: see docs/segments.md.
 * A place goes stale when a segment is compacted: whoever finds a blob missing reads the row again, and whoever has
 * held a place for longer than {@link PLACE_FRESH_MS} reads its row again before writing the place into another one.
 */
export type BlobPlace = Brand<number, 'BlobPlace'>;

/** How long after it was read or given a place may still be committed elsewhere. Compaction waits longer than this. */
export const PLACE_FRESH_MS = 1_800_000;

function isBlobPlace(value: number): value is BlobPlace {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The only way from a number to a {@link BlobPlace}. */
export function toBlobPlace(value: number): BlobPlace | undefined {
  return isBlobPlace(value) ? value : undefined;
}

export type BlobRef = {
  readonly id: BlobId;
  readonly octets: number;
  readonly place: BlobPlace;
};

/**
 * One blob being written. Exactly one of `finish` and `abort` ends it; a writer dropped by a crash leaves no blob.
 * Used after its end it throws (or rejects with) a TypeError; `abort` after the end does nothing.
 */
export type BlobWriter = {
  /**
   * Takes a copy before it returns; a promise means: wait, the disk is slower than you. One who does not wait loses
   * nothing but fills memory. Rejects with `Fault` when the disk refuses; `finish` says the same then.
   */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** Resolves when the octets are on stable storage (one sync is shared by many). Throws `Fault` when the disk refuses. */
  finish(): Promise<BlobRef>;
  /** Idempotent; gives the room back. */
  abort(): void;
};

/** A blob that cannot be given: never written, already reclaimed (read the row again), or damaged. */
export type BlobProblem = { readonly kind: 'missing' } | { readonly kind: 'damaged' };

export type BlobStore = {
  /** @param octetsExpected a hint (SIZE, literal length): large blobs are streamed to a place of their own */
  create(octetsExpected?: number): BlobWriter;
  /**
   * Octets `start` (inclusive) to `end` (exclusive) of the blob, both cut to its size, in chunks of 1 octet to 64 KiB,
   * read as they are pulled. Damage may show only in the end, when the checksum of the whole blob is known.
   * Throws `BlobError` for a problem with this blob and `Fault` for a fault of the disk.
   */
  stream(ref: BlobRef, start?: number, end?: number): AsyncIterable<Buffer>;
  /** The same in one buffer; for blobs that the caller knows to be small enough. */
  read(ref: BlobRef, start?: number, end?: number): Promise<Buffer>;
};

export class BlobError extends Error {
  override readonly name = 'BlobError';
  readonly problem: BlobProblem;

  constructor(problem: BlobProblem, id: BlobId) {
    super(`Blob ${id} is ${problem.kind}`);
    this.problem = problem;
  }
}
