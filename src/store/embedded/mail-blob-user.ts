/** One shard of the mail store as a user of blobs: see docs/store.md, "Blobs: what the compaction sees". */
import { setImmediate as turn } from 'node:timers/promises';
import { numberAt, reading } from '../../sqlite/database.ts';
import type { Database } from '../../sqlite/database.ts';
import type { Writer } from '../../sqlite/writer.ts';
import { toBlobPlace } from '../blob-store.ts';
import type { BlobPlace } from '../blob-store.ts';
import type { BlobUser } from '../blob-use.ts';
import { known } from '../ids.ts';
import type { MailOperations } from './mail-operations.ts';
import { SQL } from './mail-schema.ts';

/** Places read before other work of the thread has its turn. */
const PAGE_ROWS = 5000;

export function mailBlobUser(reader: () => Database, writer: () => Writer<MailOperations>): BlobUser {
  return {
    async placesBetween(from, before) {
      const places: BlobPlace[] = [];
      for (let at: number = from; ;) {
        const rows = reading('Reading places of blobs', () =>
          reader().prepare(SQL.blobPlaces).rows(at, before, PAGE_ROWS),
        );
        for (const row of rows) places.push(known(toBlobPlace(numberAt(row, 0))));
        if (rows.length < PAGE_ROWS) return places;
        at = (places.at(-1) ?? before) + 1;
        // oxlint-disable-next-line no-await-in-loop -- other work of the thread has its turn
        await turn();
      }
    },
    async relocate(moves) {
      if (moves.length > 0) await writer().call('relocate', { moves });
    },
  };
}
