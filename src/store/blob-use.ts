/**
 * Whoever keeps `BlobRef`s in rows (shards of the mail store, the queue) tells the compaction which places are in use,
 * and takes new places for blobs that were moved. A blob that no user names may be reclaimed.
 */
import type { BlobPlace } from './blob-store.ts';

export type BlobUser = {
  /** As of a commit no older than the call, lazy ones included: the distinct places in use with `from` ≤ place < `before`, ascending. */
  placesBetween(from: BlobPlace, before: BlobPlace): Promise<readonly BlobPlace[]>;
  /** Puts new places for old ones into all rows, in one durable commit; old ones that no row has are passed over. */
  relocate(moves: readonly { readonly from: BlobPlace; readonly to: BlobPlace }[]): Promise<void>;
};
