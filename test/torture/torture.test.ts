/** A loaded post office is killed again and again: what it acknowledged is there, once. Then the proof that we would see it. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { torture } from './rounds.ts';

const ROUNDS = Number(process.env['TORTURE_ROUNDS'] ?? 200);
const SEED = Number(process.env['TORTURE_SEED'] ?? Date.now() % 1_000_000);
/** A start is mostly one thread's work, so that several post offices at once use the machine better. */
const LANES = Math.min(2, availableParallelism(), ROUNDS);
const FSCK_EVERY = 25;
/** Six minutes on two processors that do nothing else. */
const TEST_MS_MAX = 2_400_000;
/** Rounds within which a fault that is made on purpose must have been noticed. */
const ROUNDS_TO_NOTICE = 6;

function change(file: string, statement: string): void {
  const database = new DatabaseSync(file);
  database.exec(statement);
  database.close();
}

suite('killed at random moments under load', () => {
  test(
    `${ROUNDS} rounds from seed ${SEED} on: nothing lost, nothing twice`,
    { timeout: TEST_MS_MAX },
    async (t) => {
      const rounds = Math.ceil(ROUNDS / LANES);
      const lanes = Array.from({ length: LANES }, async (_, lane) =>
        torture({
          rounds,
          seed: SEED + lane,
          fsckEvery: FSCK_EVERY,
          tell: (line) => t.diagnostic(`seed ${SEED + lane}: ${line}`),
        }),
      );
      for (const ended of await Promise.allSettled(lanes)) {
        if (ended.status === 'rejected') throw ended.reason;
        t.diagnostic(JSON.stringify(ended.value));
        assert.ok(ended.value.kills > rounds / 2);
        assert.ok(ended.value.acknowledged > rounds);
      }
    },
  );

  const faults = [
    {
      name: 'a mailbox that forgets which deliveries it has had',
      lag: 'settle=2000',
      afterCrash: (directory: string) => change(join(directory, 'mail-0000.sqlite'), 'DELETE FROM delivery'),
      noticed: /is there too often/,
    },
    {
      name: 'a queue that forgets what it accepted',
      lag: 'deliver=2000',
      afterCrash: (directory: string) =>
        change(
          join(directory, 'queue.sqlite'),
          'DELETE FROM envelope; DELETE FROM recipient; DELETE FROM message;' +
            'UPDATE counter SET messages = 0, recipients = 0, held = 0',
        ),
      noticed: /is lost/,
    },
    {
      name: 'a mailbox that forgets its last message',
      lag: '',
      afterCrash: (directory: string) =>
        change(
          join(directory, 'mail-0000.sqlite'),
          'DELETE FROM place WHERE (account_id, modseq) IN (SELECT account_id, max(modseq) FROM place)',
        ),
      noticed: /STATUS says|is lost/,
    },
  ];
  for (const { name, lag, afterCrash, noticed } of faults)
    test(`${name} is noticed`, async () => {
      const options = { rounds: ROUNDS_TO_NOTICE, seed: SEED, fsckEvery: 1000, tell: () => undefined };
      const failed = await torture({ ...options, lag, isKept: false, afterCrash }).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      assert.ok(failed instanceof Error, 'nothing was noticed');
      assert.match(String(failed.cause), noticed);
    });
});
