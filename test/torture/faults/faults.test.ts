/** Calls to the disk fail, one after the other: nobody hangs, nothing is lost. Then the proof that a loss would be seen. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { preloadSkip } from '../preload.ts';
import { injectFaults } from './faults.ts';
import { LIE } from './injector.ts';

const POINTS = Number(process.env['FAULT_POINTS'] ?? 150);
const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
const TEST_MS_MAX = 1_200_000;

suite('faults of the disk under load', { skip: preloadSkip }, () => {
  test(
    `${POINTS} faults from seed ${SEED} on: answered, nothing lost, soon over`,
    { timeout: TEST_MS_MAX },
    async (t) => {
      const report = await injectFaults({ seed: SEED, points: POINTS });
      t.diagnostic(JSON.stringify(report));
      assert.ok(report.met > POINTS / 2);
      assert.ok(report.refused > 0);
    },
  );

  test('a disk that says of writes that they were done, and were not, is found out', async () => {
    const lying = injectFaults({ seed: SEED, points: 40, faults: { lie: LIE }, isKept: false });
    await assert.rejects(lying);
  });
});
