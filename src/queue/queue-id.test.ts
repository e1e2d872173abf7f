import assert from 'node:assert/strict';
import { randomFillSync, randomInt } from 'node:crypto';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { createQueueIds, derivedQueueId, firstIdAt, queueIdTimeMs } from './queue-id.ts';
import { toQueueId } from './queue.ts';

const random: Random = {
  octets: (count) => randomFillSync(new Uint8Array(count)),
  below: (below) => randomInt(below),
};

function clockOf(nowMs: () => number): Clock {
  return { nowMs, monotonicMs: nowMs, after: () => ({ cancel: () => undefined }) };
}

suite('queue id', () => {
  test('20 letters and digits that carry their time', () => {
    const next = createQueueIds(
      clockOf(() => 1_800_000_000_123),
      random,
    );
    const id = next();
    assert.match(id, /^[0-9A-HJKMNP-TV-Z]{20}$/);
    assert.equal(toQueueId(id), id);
    assert.equal(queueIdTimeMs(id), 1_800_000_000_123);
  });

  test('ids rise, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 2 }), (times) => {
        let at = 0;
        const next = createQueueIds(
          clockOf(() => times[at] ?? 0),
          random,
        );
        let before = '';
        for (at = 0; at < times.length; at += 1) {
          const id = next();
          assert.ok(id > before);
          before = id;
        }
      }),
    );
  });

  test('chance that runs over goes into the next millisecond', () => {
    const next = createQueueIds(
      clockOf(() => 5),
      { ...random, octets: (count) => new Uint8Array(count).fill(0xff) },
    );
    const first = next();
    const second = next();
    assert.ok(second > first);
    assert.equal(queueIdTimeMs(second), 6);
  });

  test('generators of many threads in one millisecond do not meet', () => {
    const ids = new Set<string>();
    for (let thread = 0; thread < 50; thread += 1) {
      const next = createQueueIds(
        clockOf(() => 77),
        random,
      );
      for (let count = 0; count < 200; count += 1) ids.add(next());
    }
    assert.equal(ids.size, 10_000);
  });
});

test('what is done again has the same id, of its time, and another thing another', () => {
  const digest = Buffer.from('ffffffffffffffff00', 'hex');
  const id = derivedQueueId(1_767_323_045_000.9, digest);
  assert.equal(derivedQueueId(1_767_323_045_000, digest), id);
  assert.equal(queueIdTimeMs(id), 1_767_323_045_000);
  assert.match(id, /^[0-9A-HJKMNP-TV-Z]{20}$/);
  assert.notEqual(derivedQueueId(1_767_323_045_000, Buffer.alloc(8)), id);
  assert.ok(firstIdAt(1_767_323_045_000) <= id && id < firstIdAt(1_767_323_045_001));
});
