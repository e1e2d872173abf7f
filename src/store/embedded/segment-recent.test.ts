import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toBlobPlace } from '../blob-store.ts';
import type { BlobRef } from '../blob-store.ts';
import { known, toBlobId } from '../ids.ts';
import { RecentBlobs } from './segment-recent.ts';

function refOf(place: number, octets: number): BlobRef {
  const id = known(toBlobId(place.toString(16).padStart(64, '0')));
  return { id, octets, place: known(toBlobPlace(place)) };
}

test('what is found is what was kept, the last half always, never more than the bound', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 }), (sizes) => {
      const recent = new RecentBlobs(100, 30);
      const refs = sizes.map((octets, at) => refOf(at + 1, octets));
      for (const [at, ref] of refs.entries()) {
        const octets = Buffer.alloc(ref.octets, at);
        const cut = Math.floor(ref.octets / 3);
        recent.keep(ref, [octets.subarray(0, cut), octets.subarray(cut)]);
      }
      let held = 0;
      let newer = 0;
      for (const [at, ref] of [...refs.entries()].toReversed()) {
        const found = recent.find(ref);
        const fits = ref.octets > 0 && ref.octets <= 30;
        if (fits) newer += ref.octets;
        if (fits && newer <= 50 - 30) assert.notEqual(found, undefined);
        if (found === undefined) continue;
        held += found.length;
        assert.deepEqual(found, Buffer.alloc(ref.octets, at));
      }
      assert.ok(held <= 100);
    }),
  );
});

test('a place that names another blob finds nothing, and what was found stays when the memory is used again', () => {
  const recent = new RecentBlobs(20, 10);
  const ref = refOf(1, 10);
  recent.keep(ref, [Buffer.alloc(10, 1)]);
  const found = recent.find(ref);
  assert.equal(recent.find({ ...ref, id: refOf(2, 10).id }), undefined);
  assert.equal(recent.find({ ...ref, octets: 9 }), undefined);
  for (const place of [2, 3, 4]) recent.keep(refOf(place, 10), [Buffer.alloc(10, place)]);
  assert.equal(recent.find(ref), undefined);
  assert.deepEqual(found, Buffer.alloc(10, 1));
});

test('without a bound nothing is kept', () => {
  const recent = new RecentBlobs(0, 10);
  recent.keep(refOf(1, 1), [Buffer.alloc(1)]);
  assert.equal(recent.find(refOf(1, 1)), undefined);
});
