/** The lock of RFC 1939 §4 over threads: never two, at once free, and nothing left of a dead thread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { known, toAccountId, type AccountId } from '../store/ids.ts';
import { createMaildropLocks, MaildropLockTable } from './maildrop-locks.ts';

const account = (number: number): AccountId => known(toAccountId(number));

test('an account is taken once over all threads, until it is given back', () => {
  const memory = createMaildropLocks(2);
  const [first, second] = [new MaildropLockTable(memory, 0), new MaildropLockTable(memory, 1)];
  const unlock = first.take(account(7));
  assert(unlock);
  assert.equal(first.take(account(7)), undefined);
  assert.equal(second.take(account(7)), undefined);
  assert(second.take(account(8)));
  unlock();
  assert(second.take(account(7)));
  assert.equal(first.take(account(7)), undefined);
});

test('accounts of one bucket do not stand for each other; a full bucket takes no more', () => {
  const table = new MaildropLockTable(createMaildropLocks(1), 0);
  for (let at = 0; at < 8; at += 1) assert(table.take(account(5 + at * 8192)));
  assert.equal(table.take(account(5 + 8 * 8192)), undefined);
  assert(table.take(account(Number.MAX_SAFE_INTEGER)));
});

test('what a dead thread had is free when another takes its place', () => {
  const memory = createMaildropLocks(2);
  const other = new MaildropLockTable(memory, 0);
  assert(new MaildropLockTable(memory, 1).take(account(7)));
  assert.equal(other.take(account(7)), undefined);
  const replaced = new MaildropLockTable(memory, 1);
  assert(other.take(account(7)));
  assert.equal(replaced.take(account(7)), undefined);
});

test('any takes and gives of three threads are those of a plain set', () => {
  const step = fc.record(
    { thread: fc.integer({ min: 0, max: 2 }), account: fc.integer({ min: 1, max: 5 }), give: fc.boolean() },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = createMaildropLocks(3);
      const tables = [0, 1, 2].map((thread) => new MaildropLockTable(memory, thread));
      const held = new Map<number, () => void>();
      for (const { thread, account: number, give } of steps) {
        if (give) {
          held.get(number)?.();
          held.delete(number);
          continue;
        }
        const unlock = tables[thread]?.take(account(number));
        assert.equal(unlock !== undefined, !held.has(number));
        if (unlock !== undefined) held.set(number, unlock);
      }
    }),
    { numRuns: 20 },
  );
});
