import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Pace, sortInTurns } from './pace.ts';

test('what is sorted in pieces is in the same order, equal items too', async () => {
  const items = Array.from({ length: 20_000 }, (_, place) => ({ key: (place * 7919) % 97, place }));
  const compare = (a: { readonly key: number }, b: { readonly key: number }): number => a.key - b.key;
  const pace = new Pace(new FakeClock());
  for (const length of [0, 1, 4096, 4097, 13_000, 20_000]) {
    const some = items.slice(0, length);
    assert.deepEqual(await sortInTurns(some, compare, pace), some.toSorted(compare));
  }
});

test('others have their turn once the time is up, and not before', async () => {
  const clock = new FakeClock();
  const pace = new Pace(clock);
  await pace.give();
  await clock.advance(10);
  let given = false;
  const giving = pace.give().then(() => {
    given = true;
  });
  await Promise.resolve();
  assert.equal(given, false);
  await clock.advance(0);
  await giving;
  assert.equal(given, true);
});
