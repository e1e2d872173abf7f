import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { openHints } from '../../sqlite/hint.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { connectWriter, openLocalWriter, startWriterThread } from '../../sqlite/writer.ts';
import type { LocalWriter, Writer } from '../../sqlite/writer.ts';
import { known, toAccountId } from '../../store/ids.ts';
import type { QueuedMessage, QueueId } from '../queue.ts';
import {
  answer,
  delayed,
  does,
  done,
  local,
  queueContract,
  remote,
  testId,
  testMessage,
} from '../queue.contract.ts';
import { decodeMessage } from './queue-schema.ts';
import * as queueWriter from './queue-writer.ts';
import type { OpenedQueue } from '../queue.contract.ts';
import type { QueueOperations } from './queue-writer.ts';
import { EmbeddedQueue, QUEUE_WRITER_URL } from './queue.ts';

const clock: Clock = {
  nowMs: () => 0,
  monotonicMs: () => performance.now(),
  after: () => ({ cancel: () => undefined }),
};

let scopes = 0;

type Started = { readonly writer: Writer<QueueOperations>; readonly close: () => Promise<void> };

async function startThread(file: string): Promise<Started> {
  const thread = await startWriterThread([{ name: 'queue', file, moduleUrl: QUEUE_WRITER_URL }]);
  return {
    writer: connectWriter<QueueOperations>(thread.connect(), 'queue'),
    close: () => thread.close(),
  };
}

async function startLocal(file: string): Promise<Started> {
  const writer = openLocalWriter(queueWriter, file, undefined);
  return { writer, close: async () => writer.close() };
}

async function openQueue(startWriter: (file: string) => Promise<Started>): Promise<OpenedQueue> {
  const folder = mkdtempSync(join(tmpdir(), 'postrider-queue-'));
  const file = join(folder, 'queue.sqlite');
  const hints = openHints(`queue test ${(scopes += 1)}`);
  const start = async (): Promise<{ queue: EmbeddedQueue; close: () => Promise<void> }> => {
    const started = await startWriter(file);
    const queue = new EmbeddedQueue({ file, writer: started.writer, hints, clock });
    return {
      queue,
      close: async () => {
        queue.close();
        await started.close();
      },
    };
  };
  let now = await start();
  return {
    queue: now.queue,
    reopen: async () => {
      await now.close();
      now = await start();
      return now.queue;
    },
    close: async () => {
      await now.close();
      hints.close();
      rmSync(folder, { recursive: true });
    },
  };
}

queueContract('embedded, in a writer thread', () => openQueue(startThread), 3);
queueContract('embedded, writer in this thread', () => openQueue(startLocal));

/** A queue whose writer is in this thread, and its files as a crash would leave them. */
class CrashableQueue {
  readonly folder: string;
  readonly writer: LocalWriter<QueueOperations>;
  readonly queue: EmbeddedQueue;
  readonly #hints = openHints(`queue test ${(scopes += 1)}`);
  /** Of the write-ahead log, when the last commit that was waited for was acknowledged. */
  #durableOctets = 0;

  constructor(folder = mkdtempSync(join(tmpdir(), 'postrider-queue-'))) {
    this.folder = folder;
    const file = join(folder, 'queue.sqlite');
    this.writer = openLocalWriter(queueWriter, file, undefined);
    this.queue = new EmbeddedQueue({ file, writer: this.writer, hints: this.#hints, clock });
    this.acknowledged();
  }

  acknowledged(): void {
    this.#durableOctets =
      statSync(join(this.folder, 'queue.sqlite-wal'), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** 'kill': the system keeps what was written. 'power': what was not synced is gone. */
  crash(kind: 'kill' | 'power'): CrashableQueue {
    const folder = mkdtempSync(join(tmpdir(), 'postrider-queue-'));
    for (const name of ['queue.sqlite', 'queue.sqlite-wal'])
      cpSync(join(this.folder, name), join(folder, name));
    if (kind === 'power') truncateSync(join(folder, 'queue.sqlite-wal'), this.#durableOctets);
    this.close();
    return new CrashableQueue(folder);
  }

  close(): void {
    this.queue.close();
    this.writer.close();
    this.#hints.close();
    rmSync(this.folder, { recursive: true });
  }
}

suite('embedded queue', () => {
  test('an envelope that was stored before there were these fields opens as one that says nothing of them', () => {
    const envelope = {
      reversePath: 'a@b.example',
      body: '8bitmime',
      smtpUtf8: false,
      arrivedAtMs: 1000,
      expiresAtMs: 2000,
      kind: 'mx',
    };
    const row = [
      'ID00000001',
      null,
      null,
      5,
      100,
      'ab'.repeat(32),
      JSON.stringify(envelope),
      new Uint8Array(),
    ];
    const recipient = [0, '{"forwardPath":"c@d.example","domain":"d.example"}', 0, 1000, '{}'];
    const message = decodeMessage(row, [recipient]);
    assert.deepEqual(
      [message.priority, message.requireTls, message.tlsOptional, message.deliverBy, message.releaseAtMs],
      [0, false, false, undefined, undefined],
    );
  });

  test('a backlog of many windows is read whole and in order, of a domain and of all', async () => {
    const opened = await openQueue(startLocal);
    const { queue } = opened;
    const recipients = [remote('a.example'), remote('a.example', 'zoe'), remote('b.example')];
    const wanted = Array.from({ length: 1203 }, (_, index) => testId(index));
    const lease = { owner: 'x', untilMs: 9000 };
    await Promise.all(
      wanted.map(async (id, index) => {
        // What is urgent stands at the end.
        await queue.accept(testMessage(index, { id, recipients, priority: index > 1200 ? 1 : 0 }), lease);
        await queue.settle(id, 'x', [delayed(0, 1000), delayed(1, 60_000), delayed(2, 60_000)], []);
      }),
    );
    for (const domain of ['a.example', undefined]) {
      const found: QueuedMessage[] = [];
      for (;;) {
        const page = await queue.backlog(domain, 5000, found.at(-1), 700);
        found.push(...page);
        if (page.length < 700) break;
      }
      assert.deepEqual(
        found.map(({ id }) => id),
        [...wanted.slice(1201), ...wanted.slice(0, 1201)],
      );
    }
    await opened.close();
  });

  test('where one message comes upon the other, a hint says so at once and one a moment later', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postrider-queue-'));
    const file = join(folder, 'queue.sqlite');
    const hints = openHints(`queue test ${(scopes += 1)}`);
    const fake = new FakeClock();
    const { writer, close } = await startLocal(file);
    const queue = new EmbeddedQueue({ file, writer, hints, clock: fake });
    let heard = 0;
    const watching = queue.watch(() => void (heard += 1));
    for (let number = 1; number <= 5; number += 1) {
      await queue.accept(testMessage(number));
      await nextTurn();
    }
    assert.equal(heard, 1);
    await fake.advance(100);
    await nextTurn();
    assert.equal(heard, 2);
    watching.close();
    queue.close();
    await close();
    hints.close();
    rmSync(folder, { recursive: true });
  });

  test('a file of version 1 opens: searches and priorities know what was stored in it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postrider-queue-'));
    const file = join(folder, 'queue.sqlite');
    const [first = ''] = queueWriter.kind.migrations;
    const old = openDatabase(file, { ...queueWriter.kind, migrations: [first] });
    const envelope = JSON.stringify({
      reversePath: 'a@b.example',
      body: '7bit',
      smtpUtf8: false,
      priority: 3,
      arrivedAtMs: 1000,
      expiresAtMs: 9_000_000,
      kind: 'submission',
      remote: '192.0.2.9',
      account: 5,
      releaseAtMs: 7000.25,
    });
    const progress = JSON.stringify({ attempts: 2, delayReported: false, lastAnswer: answer('Try later') });
    for (const [number, state] of [0, 1].entries()) {
      const id = testId(number);
      const due = state === 0 ? 5000 : null;
      old.prepare('INSERT INTO message VALUES (?, ?, ?, NULL, NULL)').run(id, due, due);
      old
        .prepare('INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(id, 'a@b.example', number, 100, 'ab'.repeat(32), envelope, new Uint8Array());
      old
        .prepare('INSERT INTO recipient VALUES (?, 0, ?, ?, ?, ?, ?, ?)')
        .run(
          id,
          state,
          due,
          'c@d.example',
          'd.example',
          '{"forwardPath":"c@d.example","domain":"d.example"}',
          progress,
        );
    }
    old.exec('UPDATE counter SET messages = 2, recipients = 2, held = 1');
    old.close();
    const started = await startLocal(file);
    const queue = new EmbeddedQueue({ file, writer: started.writer, hints: openHints('old'), clock });
    const filter = {
      account: known(toAccountId(5)),
      source: '192.0.2.9',
      priorityMin: 3,
      text: 'try LATER',
      arrivedAfterMs: 999,
    };
    assert.deepEqual(await queue.find(filter, undefined, 10), [testId(0), testId(1)]);
    assert.deepEqual(await queue.find({ ...filter, hold: 'operator' }, undefined, 10), [testId(1)]);
    const groups = await queue.summary({}, 10);
    assert.deepEqual(
      groups.map(({ state, hold, lastAnswer }) => [state, hold, lastAnswer?.text]),
      [
        ['waiting', undefined, 'Try later'],
        ['held', 'operator', 'Try later'],
      ],
    );
    assert.deepEqual(await queue.scheduled(filter.account, 6000), { messages: 2, octets: 200 });
    assert.equal((await queue.lease('x', 5000, 9000, 10)).length, 1);
    queue.close();
    await started.close();
    rmSync(folder, { recursive: true });
  });

  test('what was leased and could not be read is given by the next look', async () => {
    const crashable = new CrashableQueue();
    const { queue, writer } = crashable;
    await queue.accept(testMessage(1, { recipients: [local('a')] }));
    writer.database.exec('ALTER TABLE envelope RENAME TO unreadable');
    await assert.rejects(queue.lease('one', 10_000, 90_000, 5));
    writer.database.exec('ALTER TABLE unreadable RENAME TO envelope');
    assert.equal((await queue.lease('one', 10_020, 90_000, 5)).length, 1);
    crashable.close();
  });

  test('a full disk refuses with a Fault, leaves nothing half there, and goes on when there is room', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postrider-queue-'));
    const file = join(folder, 'queue.sqlite');
    const writer = openLocalWriter(queueWriter, file, undefined, { pagesMax: 60 });
    const hints = openHints(`queue test ${(scopes += 1)}`);
    const queue = new EmbeddedQueue({ file, writer, hints, clock });
    const accepted: QueueId[] = [];
    let refused = 0;
    for (let number = 0; number < 150; number += 1)
      await queue.accept(testMessage(number, { prefix: Buffer.alloc(2000, 1) })).then(
        () => accepted.push(testId(number)),
        (error: unknown) => {
          assert.ok(error instanceof Fault);
          refused += 1;
        },
      );
    assert.ok(refused > 0 && accepted.length > 0);
    assert.deepEqual(
      (await queue.list({}, undefined, 1000)).map(({ id }) => id),
      accepted,
    );
    assert.equal((await queue.count()).messages, accepted.length);
    for (const { id } of await queue.lease('x', 5000, 9000, 10))
      assert.equal(await queue.settle(id, 'x', [done(0)], []), 'settled');
    await queue.accept(testMessage(999));
    queue.close();
    writer.close();
    hints.close();
    rmSync(folder, { recursive: true });
  });

  test('nothing accepted is lost and nothing settled comes back, whenever it crashes', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('accept local' as const, 'accept remote' as const) },
      { weight: 4, arbitrary: fc.constantFrom('settle' as const, 'lease' as const) },
      { weight: 1, arbitrary: fc.constantFrom('kill' as const, 'power' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(50)), { maxLength: 40 }), async (steps) => {
        let crashable = new CrashableQueue();
        const open = new Map<QueueId, 'local' | 'remote'>();
        const leased = new Set<QueueId>();
        /** Settled without a sync since the last one: after a power cut they may be back, once. */
        const lazily = new Set<QueueId>();
        let next = 0;
        try {
          for (const [kind, pick] of steps) {
            const { queue } = crashable;
            if (kind === 'accept local' || kind === 'accept remote') {
              next += 1;
              const where = kind === 'accept local' ? 'local' : 'remote';
              await queue.accept(
                testMessage(next, { recipients: [where === 'local' ? local('a') : remote('b.example')] }),
              );
              open.set(testId(next), where);
              lazily.clear();
              crashable.acknowledged();
            } else if (kind === 'lease') {
              for (const { id } of await queue.lease('x', 5000, 90_000, 3)) {
                assert.ok(open.has(id) && !leased.has(id));
                leased.add(id);
              }
            } else if (kind === 'settle') {
              const id = [...leased][pick % Math.max(1, leased.size)];
              if (id === undefined) continue;
              const where = open.get(id);
              const outcome = where === 'local' ? 'delivered' : 'relayed';
              assert.equal(await queue.settle(id, 'x', [done(0, outcome)], []), 'settled');
              leased.delete(id);
              open.delete(id);
              if (where === 'local') lazily.add(id);
              else {
                lazily.clear();
                crashable.acknowledged();
              }
            } else {
              crashable = crashable.crash(kind);
              await crashable.queue.endLeases([]);
              leased.clear();
              const there = new Set((await crashable.queue.list({}, undefined, 1000)).map(({ id }) => id));
              for (const id of open.keys()) assert.ok(there.has(id), `${id} is lost`);
              for (const id of there) {
                if (open.has(id)) continue;
                assert.ok(kind === 'power' && lazily.has(id), `${id} came back`);
                open.set(id, 'local');
              }
              lazily.clear();
              crashable.acknowledged();
              assert.equal((await crashable.queue.count()).messages, there.size);
            }
          }
        } finally {
          crashable.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  test(
    'a long queue: opening, a page, the next due time and a lease take no longer',
    { timeout: 60_000 },
    async () => {
      const crashable = new CrashableQueue();
      const count = 20_000;
      let accepted: Promise<void>[] = [];
      for (let number = 0; number < count; number += 1) {
        accepted.push(
          crashable.queue.accept(
            testMessage(number, {
              arrivedAtMs: 10_000 + number,
              recipients: [remote(`d${number % 1000}.example`)],
            }),
          ),
        );
        if (accepted.length < 5000) continue;
        await Promise.all(accepted);
        accepted = [];
      }
      const reopened = crashable.crash('kill');
      const { queue } = reopened;
      const timed = async (wantMs: number, act: () => Promise<unknown>): Promise<void> => {
        const begin = performance.now();
        await act();
        const spentMs = performance.now() - begin;
        assert.ok(spentMs < wantMs, `${act.toString()}: ${spentMs} ms`);
      };
      await timed(100, () => queue.endLeases([]));
      await timed(100, () => queue.list({}, testId(10_000), 100));
      await timed(50, () => queue.count());
      await timed(50, () => queue.nextDueMs());
      await timed(200, async () => assert.equal((await queue.summary({}, 1000)).length, 1000));
      await timed(100, () => queue.lease('x', 60_000, 90_000, 100));
      await timed(2000, async () =>
        assert.equal((await queue.list({ domain: 'd999.example' }, undefined, 1000)).length, 20),
      );
      await timed(2000, async () => assert.equal(await does(queue, 'hold', { domain: 'd7.example' }), 20));
      reopened.close();
    },
  );
});
