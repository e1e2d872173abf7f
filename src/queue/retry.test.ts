import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { Random } from '../base/random.ts';
import { RETRY_SCHEDULE, nextDueMs } from './retry.ts';

const least: Random = { octets: (count) => new Uint8Array(count), below: () => 0 };
const most: Random = { octets: (count) => new Uint8Array(count), below: (below) => below - 1 };
const MINUTE_MS = 60_000;

suite('retry', () => {
  const cases = [
    { attempts: 1, minutes: 5 },
    { attempts: 2, minutes: 10 },
    { attempts: 3, minutes: 20 },
    { attempts: 4, minutes: 40 },
    { attempts: 5, minutes: 60 },
    { attempts: 6, minutes: 120 },
    { attempts: 7, minutes: 240 },
    { attempts: 8, minutes: 240 },
    { attempts: 1000, minutes: 240 },
  ];
  for (const { attempts, minutes } of cases)
    test(`after attempt ${attempts}: ${minutes} minutes, a fifth either way (RFC 5321 §4.5.4.1)`, () => {
      assert.equal(nextDueMs({ attempts, pace: 'usual' }, 1000, least), 1000 + minutes * MINUTE_MS * 0.8);
      assert.equal(nextDueMs({ attempts, pace: 'usual' }, 1000, most), 1000 + minutes * MINUTE_MS * 1.2);
    });

  const paces = [
    { pace: 'own', minutes: [5 / 60, 15 / 60, 1, 2, 60, 120, 240] },
    { pace: 'soon', minutes: [2, 4, 5, 10, 60, 120, 240] },
    { pace: 'slow', minutes: [60, 60, 60, 60, 60, 120, 240] },
  ] as const;
  for (const { pace, minutes } of paces)
    test(`at the pace '${pace}': after ${minutes.join(', ')} minutes (RFC 6647 §5)`, () => {
      const schedule = { ...RETRY_SCHEDULE, jitter: 0 };
      assert.deepEqual(
        minutes.map((_, at) => nextDueMs({ attempts: at + 1, pace }, 0, least, schedule) / MINUTE_MS),
        minutes,
      );
    });

  test('coming back soon is never later than as usual', () => {
    const schedule = { ...RETRY_SCHEDULE, jitter: 0, pausesMs: [1000] };
    assert.equal(nextDueMs({ attempts: 1, pace: 'soon' }, 0, least, schedule), 1000);
  });

  test('trying goes on for at least four days (RFC 5321 §4.5.4.1)', () => {
    assert.ok(RETRY_SCHEDULE.lifetimeMs >= 4 * 24 * 60 * MINUTE_MS);
  });

  test('the next time is always later, and whole', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -3, max: 10_000 }),
        fc.nat(),
        fc.nat(),
        fc.constantFrom('own', 'soon', 'usual', 'slow'),
        (attempts, nowMs, chance, pace) => {
          const random: Random = { ...least, below: (below) => chance % below };
          const due = nextDueMs({ attempts, pace }, nowMs, random);
          assert.ok(due > nowMs && Number.isInteger(due));
        },
      ),
    );
  });
});
