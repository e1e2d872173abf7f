import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeRateSnapshot, encodeRateSnapshot, snapshotOctetsMax } from './rate-snapshot.ts';

const bucket = fc.record(
  {
    at: fc.nat(),
    tag: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fullAtUs: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  },
  { noNullPrototype: true },
);
const snapshots = fc.record(
  {
    secret: fc.base64String({ maxLength: 200 }),
    tables: fc.array(
      fc.record(
        { words: fc.constant(64), buckets: fc.array(bucket, { maxLength: 32 }) },
        { noNullPrototype: true },
      ),
      { maxLength: 3 },
    ),
  },
  { noNullPrototype: true },
);

test('a snapshot reads back, in so many octets at most', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const octets = encodeRateSnapshot(snapshot);
      assert.deepEqual(decodeRateSnapshot(octets), snapshot);
      assert.ok(octets.length <= snapshotOctetsMax(snapshot.tables.map(({ words }) => words)));
    }),
  );
});

test('a snapshot that was torn, or changed in one octet, is none', () => {
  fc.assert(
    fc.property(snapshots, fc.nat(), fc.integer({ min: 1, max: 255 }), (snapshot, where, change) => {
      const octets = encodeRateSnapshot(snapshot);
      const at = where % octets.length;
      assert.equal(decodeRateSnapshot(octets.subarray(0, at)), undefined);
      octets[at] = (octets[at] ?? 0) ^ change;
      assert.equal(decodeRateSnapshot(octets), undefined);
    }),
  );
});
