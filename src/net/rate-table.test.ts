import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { UNLIMITED, withoutCounting } from '../policy/rate.ts';
import { createRateMemory, RateTable } from './rate-table.ts';

const HOUR_MS = 3_600_000;
const TEN = { count: 10, intervalMs: HOUR_MS };

function world(buckets = 1024) {
  const clock = new FakeClock();
  const memory = createRateMemory(buckets, buckets);
  return { clock, memory, table: new RateTable(memory, clock) };
}

test('a bucket gives what it holds, then what comes in', async () => {
  const { clock, table } = world();
  const bucket = table.subject('peer', 'address 192.0.2.1').bucket('messages', TEN);
  for (let count = 0; count < 10; count += 1) assert.equal(bucket.take(), true);
  assert.equal(bucket.has(), false);
  assert.equal(bucket.take(), false);
  await clock.advance(HOUR_MS / 10 - 10);
  assert.equal(bucket.take(), false);
  await clock.advance(10);
  assert.equal(bucket.has(), true);
  assert.equal(bucket.take(), true);
  assert.equal(bucket.take(), false);
  await clock.advance(HOUR_MS);
  assert.equal(bucket.used(), 0);
  assert.equal(bucket.take(11), false);
  assert.equal(bucket.take(10), true);
});

test('a charge is taken though it is not there, and at most one more interval is owed', async () => {
  const { clock, table } = world();
  const bucket = table.subject('peer', 'a').bucket('octets', TEN);
  bucket.charge(1000);
  assert.equal(Math.round(bucket.used()), 20);
  await clock.advance(HOUR_MS);
  assert.equal(bucket.has(), false);
  await clock.advance(HOUR_MS / 10);
  assert.equal(bucket.take(), true);
});

test('what is counted of whom is apart from all else, and the same in every view', () => {
  const { clock, memory, table } = world();
  const other = new RateTable(memory, clock);
  for (let count = 0; count < 10; count += 1)
    assert.equal((count % 2 === 0 ? table : other).subject('peer', 'a').bucket('messages', TEN).take(), true);
  assert.equal(other.subject('peer', 'a').bucket('messages', TEN).take(), false);
  assert.equal(other.subject('peer', 'a').bucket('octets', TEN).take(), true);
  assert.equal(other.subject('peer', 'b').bucket('messages', TEN).take(), true);
  assert.equal(other.subject('account', 'a').bucket('messages', TEN).take(), true);
});

test('no limit is no bucket', () => {
  assert.equal(
    world()
      .table.subject('peer', 'a')
      .bucket('messages', { ...TEN, count: 0 }),
    UNLIMITED,
  );
});

test('looking counts nothing', () => {
  const { table } = world();
  const seen = withoutCounting(table).subject('peer', 'a').bucket('messages', TEN);
  for (let count = 0; count < 20; count += 1) assert.equal(seen.take(), true);
  seen.charge(100);
  assert.equal(seen.used(), 0);
  const bucket = table.subject('peer', 'a').bucket('messages', TEN);
  bucket.take(10);
  assert.deepEqual([seen.has(), seen.take(), Math.round(seen.used())], [false, false, 10]);
});

test('a clock that is set back shuts nobody out for long', async () => {
  const { clock, table } = world();
  const bucket = table.subject('peer', 'a').bucket('messages', TEN);
  bucket.take(10);
  clock.jump(-100 * HOUR_MS);
  assert.equal(bucket.take(), false);
  bucket.charge(1);
  await clock.advance(2 * HOUR_MS);
  assert.equal(bucket.take(), true);
});

test('a flood of names makes the table forgiving, never larger and never stricter', () => {
  const { table } = world(64);
  const kept = table.subject('account', 'alice').bucket('messages', TEN);
  kept.take(10);
  for (let number = 0; number < 10_000; number += 1)
    assert.equal(table.subject('peer', `flood ${number}`).bucket('messages', TEN).take(), true);
  assert.equal(kept.take(), false, 'accounts have room of their own');
});

test('of names that are too many the emptiest bucket is remembered longest', () => {
  const { table } = world(8);
  const busy = table.subject('peer', 'busy').bucket('messages', TEN);
  busy.take(10);
  for (let number = 0; number < 1000; number += 1)
    table.subject('peer', `flood ${number}`).bucket('messages', TEN).take();
  assert.equal(busy.take(), false);
});

test('as a simple model says, whatever is taken when', () => {
  const step = fc.record(
    {
      waitMs: fc.integer({ min: 0, max: HOUR_MS }),
      cost: fc.integer({ min: 1, max: 12 }),
      charges: fc.boolean(),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let nowMs = 1_700_000_000_000;
      const table = new RateTable(createRateMemory(8, 8), { nowMs: () => nowMs });
      const bucket = table.subject('peer', 'a').bucket('x', TEN);
      let tokens = 10;
      for (const { waitMs, cost, charges } of steps) {
        nowMs += waitMs;
        tokens = Math.min(10, tokens + (waitMs / HOUR_MS) * 10);
        if (charges) {
          bucket.charge(cost);
          tokens = Math.max(-10, tokens - cost);
        } else if (Math.abs(tokens - cost) > 0.01) {
          assert.equal(bucket.take(cost), tokens > cost);
          if (tokens > cost) tokens -= cost;
        }
        assert.ok(Math.abs(bucket.used() - (10 - tokens)) < 0.02);
      }
    }),
  );
});

test('threads that take at the same time take no more than there is', async () => {
  const memory = createRateMemory(64, 64);
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(${JSON.stringify(new URL('./rate-table.ts', import.meta.url).href)}).then(({ RateTable }) => {
      const table = new RateTable(workerData, { nowMs: () => 1700000000000 });
      const bucket = table.subject('peer', 'a').bucket('x', { count: 5000, intervalMs: 3600000 });
      let taken = 0;
      for (let count = 0; count < 20000; count += 1) if (bucket.take()) taken += 1;
      parentPort.postMessage(taken);
    });`;
  const workers = [1, 2, 3].map(() => new Worker(source, { eval: true, workerData: memory }));
  const takens = await Promise.all(
    workers.map(async (worker) => {
      const [taken]: unknown[] = await once(worker, 'message');
      await worker.terminate();
      return Number(taken);
    }),
  );
  const sum = takens.reduce((all, one) => all + one, 0);
  assert.ok(Math.abs(sum - 5000) <= 2, `${sum} of 5000`);
});
