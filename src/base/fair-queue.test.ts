import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FairQueue } from './fair-queue.ts';

test('owners take turns; within one, the first comes first', () => {
  const queue = new FairQueue<string>();
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(item.charAt(0), item);
  assert.deepEqual([queue.size, queue.sizeOf('a'), queue.sizeOf('x')], [6, 3, 0]);
  assert.deepEqual([queue.shift(), queue.shift()], ['a1', 'b1']);
  queue.push('b', 'b2');
  assert.deepEqual(queue.drain(), ['c1', 'a2', 'b2', 'c2', 'a3']);
  assert.deepEqual([queue.size, queue.shift()], [0, undefined]);
});

test('nothing is lost, and nobody waits for more than one turn of each other owner', () => {
  const owner = fc.constantFrom('a', 'b', 'c');
  fc.assert(
    fc.property(fc.array(owner, { maxLength: 60 }), (owners) => {
      const queue = new FairQueue<string>();
      for (const one of owners) queue.push(one, one);
      const out = queue.drain();
      assert.deepEqual(out.toSorted(), owners.toSorted());
      const counts = new Map<string, number>();
      for (const [at, one] of out.entries()) {
        counts.set(one, (counts.get(one) ?? 0) + 1);
        const waits = new Set(out.slice(at));
        for (const other of waits)
          assert.ok((counts.get(one) ?? 0) <= (counts.get(other) ?? 0) + 1, `${one} before ${other}`);
      }
    }),
  );
});
