import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { newMessage, queueId, remoteRecipient } from '../../test/support/queued.ts';
import { directRoute } from '../../test/support/routes.ts';
import { Fault } from '../base/fault.ts';
import { MemoryQueue } from '../queue/memory/queue.ts';
import type { NewQueuedMessage, QueueId } from '../queue/queue.ts';
import { Backlog } from './backlog.ts';

const LATER_MS = 10_000_000;
const ALL = { all: true, tls: false };

/** So many messages that wait for a domain after a connection that did not come about, and a backlog that has room for some. */
async function waiting(count: number, more: { readonly reason?: string; readonly room?: () => number } = {}) {
  const { reason = 'connect.timeout', room = () => 4 } = more;
  const clock = new FakeClock();
  const queue = new MemoryQueue(clock);
  const put = async (id: QueueId, other: Partial<NewQueuedMessage> = {}, domain = 'a.example') => {
    const message = newMessage([remoteRecipient(`x@${domain}`)], { id, ...other });
    await queue.accept(message, { owner: 'x', untilMs: clock.nowMs() + 1000 });
    const answer = { atMs: 0, host: undefined, status: '4.4.1', text: 'no', reason };
    const dueAtMs = clock.nowMs() + LATER_MS;
    const settlement = { recipient: 0, kind: 'delayed', answer, dueAtMs, delayReported: false } as const;
    await queue.settle(id, 'x', [settlement], []);
  };
  for (let n = 0; n < count; n += 1) await put(queueId(`m${String(n).padStart(7, '0')}`));
  const asked: number[] = [];
  const backlogOf = queue.backlog.bind(queue);
  queue.backlog = async (...args) => {
    asked.push(args[3]);
    return backlogOf(...args);
  };
  const backlog = new Backlog({ queue, roomAt: room, keyOf: (_message, _recipient, domain) => domain });
  const due = async (): Promise<readonly QueueId[]> =>
    (await queue.list({}, undefined, 10_000))
      .filter(({ recipients }) =>
        recipients.some(({ state }) => state.kind === 'waiting' && state.dueAtMs <= clock.nowMs()),
      )
      .map(({ id }) => id);
  return { clock, queue, backlog, put, due, asked };
}

test('as many are woken as there is room for, the oldest first, until none is left', async () => {
  const { backlog, due, clock } = await waiting(10);
  backlog.add(directRoute('a.example'), undefined, ALL);
  const counts: number[] = [];
  for (let goesOn = true; goesOn;) {
    goesOn = await backlog.wake(clock.nowMs());
    counts.push((await due()).length);
  }
  assert.deepEqual(counts, [4, 8, 10]);
});

test('without room nothing is asked of the queue, and nobody is told to look again', async () => {
  const { backlog, asked, clock } = await waiting(10, { room: () => 0 });
  backlog.add(directRoute('a.example'), undefined, ALL);
  assert.equal(await backlog.wake(clock.nowMs()), false);
  assert.deepEqual(asked, []);
});

test('what is down again is left alone: all of it, or what wants the same of TLS', async () => {
  for (const [to, left] of [
    ['all', 0],
    ['wish', 4],
  ] as const) {
    const { backlog, due, clock } = await waiting(10);
    backlog.add(directRoute('a.example'), undefined, ALL);
    backlog.remove('a.example', to, 'optional');
    await backlog.wake(clock.nowMs());
    assert.equal((await due()).length, left);
  }
});

const reasons: readonly (readonly [
  reason: string,
  came: { all: boolean; tls: boolean },
  isWoken: boolean,
])[] = [
  ['connect.refused', ALL, true],
  ['smtp.timeout', ALL, true],
  ['smtp.block-list', ALL, true],
  ['smtp.rate', ALL, true],
  ['smtp.greylist', ALL, false],
  ['smtp.mailbox-full', ALL, false],
  ['connect.source', ALL, false],
  ['dns.timeout', ALL, false],
  ['tls.expired', ALL, false],
  ['tls.expired', { all: false, tls: true }, true],
  ['connect.refused', { all: false, tls: true }, false],
];
for (const [reason, came, isWoken] of reasons)
  test(`what met ${reason} is ${isWoken ? '' : 'not '}woken when ${came.all ? 'somebody answers' : 'TLS can be had'} again`, async () => {
    const { backlog, due, clock } = await waiting(1, { reason });
    backlog.add(directRoute('a.example'), undefined, came);
    await backlog.wake(clock.nowMs());
    assert.equal((await due()).length, isWoken ? 1 : 0);
  });

test('TLS that mail with another wish can have again wakes only such mail', async () => {
  const { backlog, put, due, clock } = await waiting(1, { reason: 'tls.reset' });
  await put(queueId('optional'), { tlsOptional: true });
  backlog.add(directRoute('a.example'), 'optional', { all: false, tls: true });
  await backlog.wake(clock.nowMs());
  assert.deepEqual(await due(), [queueId('optional')]);
});

test('however many have come back, so many messages are looked at together', async () => {
  const { backlog, asked, clock } = await waiting(0);
  for (let n = 0; n < 400; n += 1) backlog.add(directRoute(`d${n}.example`), undefined, ALL);
  await backlog.wake(clock.nowMs());
  assert.ok(asked.length > 0 && asked.every((limit) => limit <= 10), String(asked));
});

test('what a fault kept from being woken is woken at the next look', async () => {
  const { backlog, queue, due, clock } = await waiting(3);
  backlog.add(directRoute('a.example'), undefined, ALL);
  const act = queue.act.bind(queue);
  queue.act = async () => {
    throw new Fault('Changing the queue');
  };
  await assert.rejects(backlog.wake(clock.nowMs()), Fault);
  queue.act = act;
  await backlog.wake(clock.nowMs());
  assert.equal((await due()).length, 3);
});
