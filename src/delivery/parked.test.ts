import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { queueId } from '../../test/support/queued.ts';
import { Parked } from './parked.ts';

test('the longest put back come first, each once, and only those of the destination', () => {
  const parked = new Parked(10);
  for (const name of ['m1', 'm2', 'm3']) parked.add('a', queueId(name));
  parked.add('a', queueId('m1'));
  parked.add('b', queueId('m4'));
  parked.remove('a', queueId('m2'));
  assert.deepEqual(parked.take('a', 5), [queueId('m1'), queueId('m3')]);
  assert.deepEqual([parked.take('a', 5), parked.take('c', 5), parked.size], [[], [], 1]);
});

test('however many are put back, no more are remembered than are allowed', () => {
  const key = fc.constantFrom('a', 'b', 'c');
  const id = fc.integer({ min: 0, max: 30 }).map((number) => queueId(`m${number}`));
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), key, id }),
    fc.record({ kind: fc.constant('remove' as const), key, id }),
    fc.record({ kind: fc.constant('take' as const), key, count: fc.integer({ min: 0, max: 3 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const parked = new Parked(8);
      for (const one of steps) {
        if (one.kind === 'take') assert.ok(parked.take(one.key, one.count).length <= one.count);
        else parked[one.kind](one.key, one.id);
        assert.ok(parked.size <= 8);
      }
      const before = parked.size;
      const left = ['a', 'b', 'c'].flatMap((name) => parked.take(name, Number.POSITIVE_INFINITY));
      assert.deepEqual([left.length, parked.size], [before, 0], 'the size is what there is');
    }),
  );
});
