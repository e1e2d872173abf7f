import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { openHints } from '../../sqlite/hint.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { openLocalWriter } from '../../sqlite/writer.ts';
import { delayed, does, local, remote, testId, testMessage } from '../queue.contract.ts';
import { checkQueue } from './queue-check.ts';
import { QUEUE_FILE } from './queue-schema.ts';
import * as queueWriter from './queue-writer.ts';
import { EmbeddedQueue } from './queue.ts';

const ONE = `id = '${testId(1)}'`;

async function checked(file: string, repair: boolean): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { kind, mended } of checkQueue({ file, repair }))
    found.push(mended ? `${kind} mended` : kind);
  return found;
}

async function withQueue(body: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'postrider-queue-check-'));
  const file = join(folder, 'queue.sqlite');
  const writer = openLocalWriter(queueWriter, file, undefined);
  const hints = openHints('queue check');
  const clock = { nowMs: () => 0, monotonicMs: () => 0, after: () => ({ cancel: () => undefined }) };
  const queue = new EmbeddedQueue({ file, writer, hints, clock });
  for (const number of [1, 2, 3])
    await queue.accept(testMessage(number, { recipients: [local('a'), remote('b.example')] }), {
      owner: 'x',
      untilMs: 5000,
    });
  await queue.settle(testId(2), 'x', [delayed(0, 7000)], []);
  await does(queue, 'hold', { id: testId(3) });
  queue.close();
  hints.close();
  writer.close();
  try {
    await body(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function alter(file: string, sql: string): void {
  const database = openDatabase(file, QUEUE_FILE);
  database.exec(sql);
  database.close();
}

suite('queue check', () => {
  test('a sound queue has no findings', () =>
    withQueue(async (file) => {
      assert.deepEqual(await checked(file, false), []);
      assert.deepEqual(await checked(file, true), []);
    }));

  const mended = [
    { name: 'wrong counters', sql: 'UPDATE counter SET held = 9, messages = 0', kind: 'queue.counter' },
    { name: 'no counters', sql: 'DELETE FROM counter', kind: 'queue.counter' },
    { name: 'a wrong due time', sql: `UPDATE message SET due_at = 5 WHERE ${ONE}`, kind: 'queue.due' },
    {
      name: 'a message that nobody would look at',
      sql: `UPDATE message SET next_at = NULL WHERE ${ONE}`,
      kind: 'queue.due',
    },
  ];
  for (const { name, sql, kind } of mended)
    test(`${name}: ${kind}`, () =>
      withQueue(async (file) => {
        alter(file, sql);
        assert.deepEqual(await checked(file, false), [kind]);
        assert.deepEqual(await checked(file, true), [`${kind} mended`]);
        assert.deepEqual(await checked(file, false), []);
      }));

  test('a message without its row is found again', () =>
    withQueue(async (file) => {
      alter(file, `DELETE FROM message WHERE ${ONE}`);
      assert.deepEqual(await checked(file, false), ['queue.no-message', 'queue.counter']);
      assert.deepEqual(await checked(file, true), ['queue.no-message mended', 'queue.due mended']);
      assert.deepEqual(await checked(file, true), []);
    }));

  test('a message that is settled for all leaves', () =>
    withQueue(async (file) => {
      alter(file, `UPDATE recipient SET state = 2, due_at = NULL WHERE ${ONE}`);
      assert.deepEqual(await checked(file, true), ['queue.all-settled mended', 'queue.counter mended']);
      assert.deepEqual(await checked(file, true), []);
    }));

  const reported = [
    { sql: `DELETE FROM envelope WHERE ${ONE}`, kind: 'queue.no-envelope' },
    { sql: `UPDATE recipient SET progress = '{' WHERE ${ONE}`, kind: 'queue.unreadable' },
    { sql: `UPDATE envelope SET envelope = '[' WHERE ${ONE}`, kind: 'queue.unreadable' },
    { sql: `UPDATE recipient SET state = 7 WHERE ${ONE} AND number = 0`, kind: 'queue.unreadable' },
  ];
  for (const { sql, kind } of reported)
    test(`${sql}: ${kind}, and nothing is removed`, () =>
      withQueue(async (file) => {
        alter(file, sql);
        assert.equal((await checked(file, true))[0], kind);
        assert.equal((await checked(file, true))[0], kind);
      }));
});
