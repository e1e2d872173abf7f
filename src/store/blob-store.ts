/**
 * The port to message octets. A blob is immutable, named by its SHA-256, and kept until nothing refers to it: rows of
 * the mail store and of the queue hold `BlobRef`s; the store's compaction asks them which places are still in use.
 */
import type { Brand } from '../base/brand.ts';
import type { BlobId } from './ids.ts';

/**
 * Where a backend keeps a blob, meaningful to that backend only. Embedded: segment × 2^32 + offset of the record.
 * A place may go stale when a segment is compacted; whoever holds a row reads the row again.
 */
export type BlobPlace = Brand<number, 'BlobPlace'>;

export type BlobRef = {
  readonly id: BlobId;
  readonly octets: number;
  readonly place: BlobPlace;
};

/** One blob being written. Exactly one of `finish` and `abort` ends it; a writer dropped by a crash leaves no blob. */
export type BlobWriter = {
  /** Takes a copy or writes it out before it returns or resolves; a promise means: wait, the disk is slower than you. */
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
   * Octets `start` (inclusive) to `end` (exclusive) of the blob, in chunks of at most 64 KiB, read as they are pulled.
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
