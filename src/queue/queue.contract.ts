/**
 * What every queue promises, as tests. A backend's test file calls {@link queueContract} with a way to open itself;
 * `reopen` closes the queue in good order and opens it again on the same data.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { BlobUser } from '../store/blob-use.ts';
import { toBlobPlace } from '../store/blob-store.ts';
import type { BlobPlace } from '../store/blob-store.ts';
import { known, toAccountId, toBlobId } from '../store/ids.ts';
import { operate, rehearse, resume } from './operate.ts';
import { matchesMessage, matchesRecipient } from './progress.ts';
import { toQueueId, toSuspensionScope } from './queue.ts';
import type {
  LastAnswer,
  NewQueuedMessage,
  NewRecipient,
  OperatorAct,
  Queue,
  QueuedMessage,
  QueueFilter,
  QueueId,
  Settlement,
} from './queue.ts';

export type TestedQueue = Queue & BlobUser;

export type OpenedQueue = {
  readonly queue: TestedQueue;
  readonly reopen: () => Promise<TestedQueue>;
  readonly close: () => Promise<void>;
};

export function testId(number: number): QueueId {
  return known(toQueueId(`ID${String(number).padStart(10, '0')}`));
}

export function testPlace(number: number): BlobPlace {
  return known(toBlobPlace(number));
}

export const remote = (domain: string, localPart = 'bob'): NewRecipient => ({
  forwardPath: `${localPart}@${domain}`,
  route: { kind: 'remote', domain },
  notify: undefined,
  originalRecipient: undefined,
});

export const local = (localPart: string): NewRecipient => ({
  forwardPath: `${localPart}@example.test`,
  route: { kind: 'local', account: known(toAccountId(7)), detail: undefined },
  notify: undefined,
  originalRecipient: undefined,
});

export function testMessage(number: number, more: Partial<NewQueuedMessage> = {}): NewQueuedMessage {
  return {
    id: testId(number),
    blob: {
      id: known(toBlobId(number.toString(16).padStart(64, '0'))),
      octets: 100 + number,
      place: testPlace(1000 + number),
    },
    prefix: Buffer.from(`Received: ${number}\r\n`),
    reversePath: 'Alice@Example.org',
    body: '8bitmime',
    smtpUtf8: false,
    dsn: { ret: undefined, envid: undefined },
    priority: 0,
    requireTls: false,
    tlsOptional: false,
    deliverBy: undefined,
    arrivedAtMs: 1000,
    releaseAtMs: undefined,
    releaseRequest: undefined,
    expiresAtMs: 1_000_000,
    source: { kind: 'mx', remote: '192.0.2.1', helo: 'mail.example.org', account: undefined },
    recipients: [remote('example.com')],
    ...more,
  };
}

export const answer = (text = 'try later', atMs = 2000): LastAnswer => ({
  atMs,
  host: 'mx.example.com',
  status: '4.2.0',
  text,
  reason: 'smtp.refused',
  tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384, verified by dane-ee',
});

export const done = (
  recipient: number,
  kind: 'delivered' | 'relayed' | 'expanded' | 'failed' = 'relayed',
): Settlement => ({ recipient, kind, answer: answer('done') });

export const delayed = (recipient: number, dueAtMs: number, delayReported = false): Settlement => ({
  recipient,
  kind: 'delayed',
  answer: answer(),
  dueAtMs,
  delayReported,
});

/** On all that matches; gives how many recipients it changed. */
export async function does(
  queue: Queue,
  kind: Exclude<OperatorAct['kind'], 'wake'>,
  filter: QueueFilter,
  nowMs = 0,
): Promise<number> {
  return (await operate(queue, filter, { kind }, nowMs)).recipients;
}

function ids(messages: readonly { readonly id: QueueId }[]): readonly QueueId[] {
  return messages.map(({ id }) => id);
}

async function only(queue: Queue, id: QueueId): Promise<QueuedMessage> {
  const [message] = await queue.list({ id }, undefined, 10);
  return message ?? assert.fail(`${id} is not in the queue`);
}

/**
 * @param open a fresh, empty queue each time it is called
 * @param modelRuns how many random histories are compared with the model
 */
export function queueContract(name: string, open: () => Promise<OpenedQueue>, modelRuns = 60): void {
  const withQueue =
    (body: (opened: OpenedQueue) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const opened = await open();
      try {
        await body(opened);
      } finally {
        await opened.close();
      }
    };

  suite(`queue contract: ${name}`, () => {
    test(
      'an accepted message is kept with all that it has, and after reopening too',
      withQueue(async ({ queue, reopen }) => {
        const message = testMessage(1, {
          reversePath: 'Ünïcode@Example.org',
          body: 'binarymime',
          smtpUtf8: true,
          dsn: { ret: 'hdrs', envid: 'QQ314159' },
          priority: -9,
          requireTls: true,
          deliverBy: { byMs: 90_000, mode: 'notify', trace: true },
          releaseRequest: 'for;60',
          prefix: Buffer.from([0, 255, 10, 13, 0]),
          source: { kind: 'submission', remote: undefined, helo: undefined, account: known(toAccountId(3)) },
          recipients: [
            { ...remote('example.com'), notify: [], originalRecipient: 'rfc822;Bob@example.com' },
            { ...local('carol'), notify: ['success', 'delay'] },
            {
              ...local('dave+lists'),
              route: { kind: 'local', account: known(toAccountId(9)), detail: 'lists' },
            },
            {
              ...remote('[192.0.2.7]'),
              reversePath: 'SRS0=Ab+/=2W=example.org=Alice@here.example',
              forwardedFrom: 'Ünï@here.example',
            },
          ],
        });
        await queue.accept(message);
        const want: QueuedMessage = {
          ...message,
          prefix: Uint8Array.from(message.prefix),
          lease: undefined,
          recipients: message.recipients.map((recipient, number) => ({
            ...recipient,
            number,
            state: {
              kind: 'waiting',
              dueAtMs: 1000,
              attempts: 0,
              lastAnswer: undefined,
              delayReported: false,
            },
          })),
        };
        const same = async (from: Queue): Promise<void> => {
          const got = await only(from, message.id);
          assert.deepEqual({ ...got, prefix: Uint8Array.from(got.prefix) }, want);
        };
        await same(queue);
        const again = await reopen();
        await same(again);
        assert.deepEqual(await again.count(), { messages: 1, recipients: 4, held: 0 });
      }),
    );

    test(
      'the null reverse-path and an empty prefix come back as they were (RFC 5321 §4.5.5)',
      withQueue(async ({ queue }) => {
        await queue.accept(
          testMessage(1, { reversePath: null, prefix: new Uint8Array(), tlsOptional: true }),
        );
        const message = await only(queue, testId(1));
        assert.equal(message.tlsOptional, true);
        assert.equal(message.reversePath, null);
        assert.equal(message.prefix.length, 0);
        assert.deepEqual(ids(await queue.list({ sender: '' }, undefined, 10)), [testId(1)]);
      }),
    );

    test(
      'a repeated accept is not a second message; the same id with other octets is refused as a bug',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1));
        await queue.accept(testMessage(1), { owner: 'a', untilMs: 9000 });
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 1, held: 0 });
        assert.equal((await only(queue, testId(1))).lease, undefined);
        await assert.rejects(queue.accept({ ...testMessage(2), id: testId(1) }), TypeError);
        await assert.rejects(queue.accept(testMessage(3, { recipients: [] })), TypeError);
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 1, held: 0 });
      }),
    );

    test(
      'the port and the speech of a next hop that an operator named are kept',
      withQueue(async ({ queue, reopen }) => {
        const hop = { kind: 'remote', domain: '[192.0.2.5]', port: 2525, speech: 'lmtp' } as const;
        await queue.accept(testMessage(1));
        const by = [{ ...remote('example.com'), route: hop }];
        await queue.readdress(testId(1), [{ recipient: 0, by }], 2000);
        const [kept] = await (await reopen()).list({ domain: '[192.0.2.5]' }, undefined, 10);
        assert.deepEqual(
          kept?.recipients.map(({ route }) => route),
          [remote('example.com').route, hop],
        );
      }),
    );

    test(
      'what waits for its release is counted for the account that submitted it (RFC 4865 §6)',
      withQueue(async ({ queue, reopen }) => {
        const by = (account: number | undefined, releaseAtMs: number | undefined) =>
          ({
            releaseAtMs,
            source: {
              kind: 'submission',
              remote: undefined,
              helo: undefined,
              account: account === undefined ? undefined : known(toAccountId(account)),
            },
          }) satisfies Partial<NewQueuedMessage>;
        await queue.accept(
          testMessage(1, { ...by(7, 5000.5), recipients: [remote('a.test'), remote('b.test')] }),
        );
        await queue.acceptAll([testMessage(2, by(7, 6000)), testMessage(3, by(8, 6000))]);
        await queue.accept(testMessage(4, by(7, undefined)));
        await queue.accept(testMessage(5, by(undefined, 6000)));
        const of = (again: Queue, account: number, nowMs: number) =>
          again.scheduled(known(toAccountId(account)), nowMs);
        const again = await reopen();
        assert.deepEqual(await of(again, 7, 4999), { messages: 2, octets: 203 });
        assert.deepEqual(await of(again, 7, 5500), { messages: 1, octets: 102 });
        assert.deepEqual(await of(again, 7, 6000), { messages: 0, octets: 0 });
        assert.deepEqual(await of(again, 8, 4999), { messages: 1, octets: 103 });
        assert.deepEqual(await of(again, 9, 4999), { messages: 0, octets: 0 });
        await again.act([testId(2)], {}, { kind: 'drop' }, 3000);
        assert.deepEqual(await of(again, 7, 4999), { messages: 1, octets: 101 });
      }),
    );

    test(
      'several are accepted together: all of them, or none where one cannot be',
      withQueue(async ({ queue, reopen }) => {
        await queue.accept(testMessage(1));
        await queue.acceptAll([
          testMessage(1),
          testMessage(2),
          testMessage(3, { hold: { reason: 'operator', text: 'Kept back' } }),
        ]);
        assert.deepEqual(await queue.count(), { messages: 3, recipients: 3, held: 1 });
        const collides = { ...testMessage(5), id: testId(1) };
        await assert.rejects(queue.acceptAll([testMessage(4), collides]), TypeError);
        await queue.acceptAll([]);
        const again = await reopen();
        assert.deepEqual(ids(await again.list({}, undefined, 10)), [testId(1), testId(2), testId(3)]);
        assert.deepEqual(ids(await again.lease('a', 5000, 9000, 10)), [testId(1), testId(2)]);
      }),
    );

    test(
      'lease gives what is due, soonest first, and gives it once',
      withQueue(async ({ queue }) => {
        for (const [number, arrivedAtMs] of [
          [1, 5000],
          [2, 3000],
          [3, 4000],
          [4, 9000],
        ] as const)
          await queue.accept(testMessage(number, { arrivedAtMs }));
        assert.equal(await queue.nextDueMs(), 3000);
        assert.deepEqual(await queue.lease('a', 2999, 20_000, 10), []);
        const first = await queue.lease('a', 5000, 20_000, 2);
        assert.deepEqual(ids(first), [testId(2), testId(3)]);
        assert.deepEqual(first[0]?.lease, { owner: 'a', untilMs: 20_000 });
        assert.equal(first[0]?.recipients[0]?.state.kind, 'waiting');
        assert.deepEqual(ids(await queue.lease('b', 5000, 20_000, 10)), [testId(1)]);
        assert.deepEqual(await queue.lease('b', 5000, 20_000, 10), []);
        assert.equal(await queue.nextDueMs(), 9000);
      }),
    );

    test(
      'no recipient is due before the release, and a release that has passed delays nothing (RFC 4865 §4)',
      withQueue(async ({ queue, reopen }) => {
        const recipients = [remote('a.example'), local('b')];
        await queue.accept(testMessage(1, { releaseAtMs: 60_000, recipients }));
        await queue.accept(testMessage(2, { releaseAtMs: 500 }));
        assert.deepEqual(ids(await queue.lease('a', 59_999, 70_000, 10)), [testId(2)]);
        const { recipients: waiting, releaseAtMs } = await only(queue, testId(1));
        assert.equal(releaseAtMs, 60_000);
        assert.deepEqual(
          waiting.map(({ state }) => state.kind === 'waiting' && state.dueAtMs),
          [60_000, 60_000],
        );
        assert.equal((await only(queue, testId(2))).recipients[0]?.state.kind, 'waiting');
        const again = await reopen();
        assert.equal(await again.nextDueMs(), 60_000);
        assert.deepEqual(ids(await again.lease('b', 60_000, 70_000, 10)), [testId(1)]);
      }),
    );

    test(
      'a message accepted with a lease is nobody else’s until the lease runs out',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1), { owner: 'session', untilMs: 7000 });
        assert.equal(await queue.nextDueMs(), 7000);
        assert.deepEqual(await queue.lease('a', 6999, 9000, 10), []);
        assert.deepEqual(ids(await queue.lease('a', 7000, 9000, 10)), [testId(1)]);
        assert.equal(await queue.settle(testId(1), 'session', [done(0)], []), 'stale');
        assert.equal(await queue.settle(testId(1), 'a', [done(0)], []), 'settled');
        assert.deepEqual(await queue.count(), { messages: 0, recipients: 0, held: 0 });
      }),
    );

    test(
      'a lease that ran out still lets its owner settle while nobody else has it',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1), { owner: 'a', untilMs: 2 });
        assert.equal(await queue.settle(testId(1), 'a', [done(0)], []), 'settled');
      }),
    );

    test(
      'renew sets the end of leases that are held, and names the others',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1), { owner: 'a', untilMs: 5000 });
        await queue.accept(testMessage(2), { owner: 'b', untilMs: 5000 });
        await queue.accept(testMessage(3));
        assert.deepEqual(await queue.renew('a', [testId(1), testId(2), testId(3), testId(4)], 8000), [
          testId(2),
          testId(3),
          testId(4),
        ]);
        assert.deepEqual(ids(await queue.lease('c', 7999, 9000, 10)).toSorted(), [testId(2), testId(3)]);
        assert.deepEqual(await queue.renew('a', [testId(1)], 3000), []);
        assert.deepEqual(ids(await queue.lease('c', 3000, 9000, 10)), [testId(1)]);
      }),
    );

    test(
      'recipients are settled one by one; with the last one the message leaves',
      withQueue(async ({ queue, reopen }) => {
        await queue.accept(testMessage(1, { recipients: [local('a'), remote('b.example'), local('c')] }));
        await queue.lease('x', 1000, 5000, 1);
        assert.equal(
          await queue.settle(testId(1), 'x', [done(0, 'delivered'), delayed(1, 60_000, true)], []),
          'settled',
        );
        const { recipients, lease } = await only(queue, testId(1));
        assert.equal(lease, undefined);
        assert.deepEqual(recipients[0]?.state, {
          kind: 'settled',
          outcome: 'delivered',
          atMs: 2000,
          lastAnswer: answer('done'),
        });
        assert.deepEqual(recipients[1]?.state, {
          kind: 'waiting',
          dueAtMs: 60_000,
          attempts: 1,
          lastAnswer: answer(),
          delayReported: true,
        });
        assert.equal(recipients[2]?.state.kind, 'waiting');
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 2, held: 0 });
        // The one that was not settled is still due.
        assert.equal(await queue.nextDueMs(), 1000);
        const again = await reopen();
        assert.deepEqual(ids(await again.lease('y', 1000, 5000, 1)), [testId(1)]);
        assert.equal(await again.settle(testId(1), 'y', [done(2, 'failed')], []), 'settled');
        assert.equal(await again.nextDueMs(), 60_000);
        await again.lease('y', 60_000, 70_000, 1);
        assert.equal(await again.settle(testId(1), 'y', [done(1)], []), 'settled');
        assert.deepEqual(await again.list({}, undefined, 10), []);
        assert.equal(await again.nextDueMs(), undefined);
      }),
    );

    test(
      'what is settled with the lease kept is written down, and the rest stays its owner’s alone',
      withQueue(async ({ queue, reopen }) => {
        const recipients = [remote('a.example'), remote('b.example'), remote('c.example')];
        await queue.accept(testMessage(1, { recipients }), { owner: 'x', untilMs: 9000 });
        assert.equal(await queue.settle(testId(1), 'y', [done(0)], [], 'kept'), 'stale');
        assert.equal(await queue.settle(testId(1), 'x', [done(0)], [testMessage(2)], 'kept'), 'settled');
        const message = await only(queue, testId(1));
        assert.deepEqual(message.lease, { owner: 'x', untilMs: 9000 });
        assert.deepEqual(
          message.recipients.map(({ state }) => state.kind),
          ['settled', 'waiting', 'waiting'],
        );
        assert.deepEqual(await queue.count(), { messages: 2, recipients: 3, held: 0 });
        assert.deepEqual(ids(await queue.lease('y', 8999, 20_000, 10)), [testId(2)]);
        // Said again: nothing changes, and the lease is still there.
        assert.equal(await queue.settle(testId(1), 'x', [done(0)], [testMessage(3)], 'kept'), 'stale');
        assert.equal(await queue.settle(testId(1), 'x', [delayed(1, 60_000)], [], 'kept'), 'settled');
        const again = await reopen();
        assert.deepEqual((await only(again, testId(1))).lease, { owner: 'x', untilMs: 9000 });
        assert.equal(await again.nextDueMs(), 9000);
        assert.equal(await again.settle(testId(1), 'x', [], []), 'settled');
        assert.equal(await again.nextDueMs(), 1000);
        await again.lease('x', 1000, 9000, 1);
        assert.equal(await again.settle(testId(1), 'x', [done(1), done(2)], [], 'kept'), 'settled');
        assert.deepEqual(ids(await again.list({}, undefined, 10)), [testId(2)]);
      }),
    );

    test(
      'what follows comes in the same commit, once',
      withQueue(async ({ queue, reopen }) => {
        await queue.accept(testMessage(1), { owner: 'a', untilMs: 9000 });
        const dsn = testMessage(2, { reversePath: null, source: { ...testMessage(2).source, kind: 'dsn' } });
        assert.equal(
          await queue.settle(testId(1), 'a', [done(0, 'failed')], [dsn, testMessage(3)]),
          'settled',
        );
        assert.equal(await queue.settle(testId(1), 'a', [done(0, 'failed')], [testMessage(4)]), 'stale');
        const again = await reopen();
        assert.deepEqual(ids(await again.list({}, undefined, 10)), [testId(2), testId(3)]);
        assert.deepEqual(ids(await again.lease('a', 1000, 9000, 10)), [testId(2), testId(3)]);
      }),
    );

    test(
      'settling without a lease, with another’s, or what is gone is stale and changes nothing',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1));
        assert.equal(await queue.settle(testId(1), 'a', [done(0)], [testMessage(5)]), 'stale');
        await queue.lease('b', 1000, 9000, 1);
        assert.equal(await queue.settle(testId(1), 'a', [done(0)], [testMessage(5)]), 'stale');
        assert.equal(await queue.settle(testId(9), 'a', [done(0)], [testMessage(5)]), 'stale');
        assert.deepEqual((await only(queue, testId(1))).lease, { owner: 'b', untilMs: 9000 });
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 1, held: 0 });
      }),
    );

    test(
      'empty settlements end the lease and nothing else',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1), { owner: 'a', untilMs: 9000 });
        assert.equal(await queue.settle(testId(1), 'a', [], []), 'settled');
        assert.equal(await queue.nextDueMs(), 1000);
        assert.equal((await only(queue, testId(1))).lease, undefined);
      }),
    );

    test(
      'what the operator dropped during the attempt is passed over',
      withQueue(async ({ queue }) => {
        const recipients = [remote('a.example'), remote('b.example')];
        await queue.accept(testMessage(1, { recipients }), { owner: 'x', untilMs: 9000 });
        assert.equal(await does(queue, 'drop', { domain: 'a.example' }, 1500), 1);
        assert.equal(await queue.settle(testId(1), 'x', [done(0, 'failed')], [testMessage(2)]), 'stale');
        assert.deepEqual(ids(await queue.list({}, undefined, 10)), [testId(1)]);
        assert.equal((await only(queue, testId(1))).lease, undefined);
        await queue.lease('x', 1500, 9000, 1);
        assert.equal(await does(queue, 'drop', { id: testId(1) }, 1500), 1);
        assert.equal(await queue.settle(testId(1), 'x', [done(1)], [testMessage(2)]), 'stale');
        assert.deepEqual(await queue.count(), { messages: 0, recipients: 0, held: 0 });
      }),
    );

    test(
      'a hold during the attempt outlives a delay, not an outcome',
      withQueue(async ({ queue }) => {
        const recipients = [remote('a.example'), remote('b.example')];
        await queue.accept(testMessage(1, { recipients }), { owner: 'x', untilMs: 9000 });
        assert.equal(await does(queue, 'hold', {}), 2);
        assert.equal(await queue.settle(testId(1), 'x', [done(0), delayed(1, 8000)], []), 'settled');
        const { recipients: now } = await only(queue, testId(1));
        assert.deepEqual(now[1]?.state, {
          kind: 'held',
          reason: 'operator',
          attempts: 1,
          lastAnswer: answer(),
          delayReported: false,
        });
        assert.equal(now[0]?.state.kind, 'settled');
        assert.equal(await queue.nextDueMs(), undefined);
        assert.deepEqual(await queue.lease('x', 1e9, 2e9, 10), []);
      }),
    );

    test(
      'what is accepted held waits for its release, with the reason',
      withQueue(async ({ queue, reopen }) => {
        const hold = { reason: 'rule.suspicious', text: 'Looks odd' };
        const recipients = [remote('a.example'), local('bob')];
        await queue.accept(testMessage(1, { recipients, hold }));
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 2, held: 2 });
        assert.equal(await queue.nextDueMs(), undefined);
        assert.deepEqual(await queue.lease('x', 1e9, 2e9, 10), []);
        const again = await reopen();
        const message = await only(again, testId(1));
        assert.equal('hold' in message, false);
        for (const { state } of message.recipients)
          assert.deepEqual(state, {
            kind: 'held',
            reason: hold.reason,
            attempts: 0,
            lastAnswer: { atMs: 1000, host: undefined, status: '4.7.0', ...hold },
            delayReported: false,
          });
        assert.equal(await does(again, 'release', { id: testId(1) }, 5000), 2);
        assert.equal(await again.nextDueMs(), 5000);
        assert.deepEqual(ids(await again.lease('x', 5000, 9000, 10)), [testId(1)]);
      }),
    );

    test(
      'a hold may have a reason, which another one takes the place of',
      withQueue(async ({ queue, reopen }) => {
        await queue.accept(testMessage(1));
        const hold = { kind: 'hold', reason: 'account-suspended' } as const;
        assert.equal((await queue.act([testId(1)], {}, hold, 2000)).length, 1);
        assert.deepEqual(await queue.act([testId(1)], {}, hold, 2000), []);
        const again = await reopen();
        const reasonNow = async (): Promise<string | undefined> => {
          const [recipient] = (await only(again, testId(1))).recipients;
          return recipient?.state.kind === 'held' ? recipient.state.reason : undefined;
        };
        assert.equal(await reasonNow(), 'account-suspended');
        assert.deepEqual(await again.find({ hold: 'account-suspended' }, undefined, 10), [testId(1)]);
        assert.equal((await again.act([testId(1)], {}, { kind: 'hold' }, 2000)).length, 1);
        assert.equal(await reasonNow(), 'operator');
      }),
    );

    test(
      'an attempt may end in a hold, or in the message being dropped',
      withQueue(async ({ queue, reopen }) => {
        const recipients = [remote('a.example'), remote('b.example')];
        await queue.accept(testMessage(1, { recipients }), { owner: 'x', untilMs: 9000 });
        const settlements = [
          { recipient: 0, kind: 'held' as const, answer: answer('kept back') },
          { recipient: 1, kind: 'dropped' as const, answer: answer('thrown away') },
        ];
        assert.equal(await queue.settle(testId(1), 'x', settlements, []), 'settled');
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 1, held: 1 });
        const again = await reopen();
        const { recipients: now } = await only(again, testId(1));
        assert.deepEqual(now[0]?.state, {
          kind: 'held',
          reason: 'smtp.refused',
          attempts: 1,
          lastAnswer: answer('kept back'),
          delayReported: false,
        });
        assert.deepEqual(now[1]?.state, {
          kind: 'settled',
          outcome: 'dropped',
          atMs: 2000,
          lastAnswer: answer('thrown away'),
        });
        assert.equal(await does(again, 'drop', {}, 700), 1);
        assert.deepEqual(await again.count(), { messages: 0, recipients: 0, held: 0 });
      }),
    );

    test(
      'hold, release, retry and drop do what they say, by every filter',
      withQueue(async ({ queue, reopen }) => {
        await queue.accept(testMessage(1, { recipients: [remote('a.example', 'Ann'), local('Bob')] }));
        await queue.accept(testMessage(2, { recipients: [remote('a.example')], reversePath: null }));
        await queue.accept(testMessage(3, { recipients: [remote('b.example'), remote('a.example', 'Zoe')] }));
        const finds = async (filter: QueueFilter, want: readonly number[]): Promise<void> => {
          assert.deepEqual(
            ids(await queue.list(filter, undefined, 10)),
            want.map(testId),
            JSON.stringify(filter),
          );
        };
        await finds({}, [1, 2, 3]);
        await finds({ domain: 'A.example' }, [1, 2, 3]);
        await finds({ domain: 'example' }, []);
        await finds({ domain: 'example.test' }, [1]);
        await finds({ recipient: 'ann@A.EXAMPLE' }, [1]);
        await finds({ sender: 'ALICE@example.org' }, [1, 3]);
        await finds({ sender: '' }, [2]);
        await finds({ id: testId(3), domain: 'b.example' }, [3]);
        await finds({ id: testId(3), recipient: 'bob@example.test' }, []);
        assert.equal(await does(queue, 'hold', { domain: 'a.example' }), 3);
        assert.equal(await does(queue, 'hold', { domain: 'a.example' }), 0);
        assert.deepEqual(await queue.count(), { messages: 3, recipients: 5, held: 3 });
        await finds({ state: 'held' }, [1, 2, 3]);
        await finds({ state: 'waiting' }, [1, 3]);
        await finds({ state: 'held', domain: 'b.example' }, []);
        assert.deepEqual(ids(await queue.lease('x', 1000, 2000, 10)), [testId(1), testId(3)]);
        await queue.endLeases([]);
        assert.equal(await does(queue, 'release', { recipient: 'zoe@a.example' }, 5000), 1);
        assert.equal(await does(queue, 'release', { state: 'waiting' }, 5000), 0);
        assert.equal(await does(queue, 'retry', { id: testId(2) }, 500), 1);
        assert.equal(await queue.nextDueMs(), 500);
        assert.deepEqual(await queue.count(), { messages: 3, recipients: 5, held: 1 });
        assert.equal(await does(queue, 'drop', { sender: 'alice@example.org' }, 600), 4);
        await finds({}, [2]);
        const again = await reopen();
        assert.deepEqual(await again.count(), { messages: 1, recipients: 1, held: 0 });
        assert.equal(await does(again, 'drop', {}, 700), 1);
        assert.deepEqual(await again.count(), { messages: 0, recipients: 0, held: 0 });
      }),
    );

    test(
      'a search finds what the rules of matching say, whatever is asked',
      withQueue(async ({ queue }) => {
        const account = known(toAccountId(3));
        const texts = ['550 No such user', '451 GREYLISTED, come back', undefined];
        for (let number = 1; number <= 24; number += 1) {
          const id = testId(number);
          await queue.accept(
            testMessage(number, {
              recipients: [
                remote(`d${number % 3}.example`, number % 2 === 0 ? 'Ann' : 'bob'),
                local('carol'),
              ],
              reversePath: [null, 'Alice@Example.org', 'bob@example.net'][number % 3] ?? null,
              arrivedAtMs: 1000 + number,
              priority: (number % 5) - 2,
              source: {
                kind: 'submission',
                remote: ['192.0.2.1', '2001:db8::1', undefined][number % 3],
                helo: undefined,
                account: number % 2 === 0 ? account : undefined,
              },
            }),
            { owner: 'x', untilMs: 9000 },
          );
          const text = texts[number % 3];
          const said = { ...answer(text), host: number % 4 === 0 ? undefined : 'MX.example.com' };
          if (text !== undefined)
            await queue.settle(id, 'x', [{ ...delayed(0, 5000), answer: said } as Settlement], []);
          if (number % 6 === 0) await does(queue, 'hold', { id, domain: 'd0.example' });
        }
        const all = await queue.list({}, undefined, 100);
        const filter: fc.Arbitrary<QueueFilter> = fc.record(
          {
            id: fc.constantFrom(testId(1), testId(6), testId(99)),
            state: fc.constantFrom('waiting' as const, 'held' as const),
            hold: fc.constantFrom('operator', 'other'),
            domain: fc.constantFrom('d0.example', 'D1.example', 'example.test', 'none.example'),
            recipient: fc.constantFrom('ann@d0.example', 'BOB@d1.example', 'carol@example.test'),
            sender: fc.constantFrom('', 'ALICE@example.org', 'bob@example.net'),
            account: fc.constant(account),
            source: fc.constantFrom('192.0.2.1', '2001:db8::1', "' OR 1=1 --"),
            arrivedBeforeMs: fc.integer({ min: 1000, max: 1030 }),
            arrivedAfterMs: fc.integer({ min: 1000, max: 1030 }),
            octetsMin: fc.integer({ min: 100, max: 130 }),
            octetsMax: fc.integer({ min: 100, max: 130 }),
            priorityMin: fc.integer({ min: -3, max: 3 }),
            priorityMax: fc.integer({ min: -3, max: 3 }),
            reason: fc.constantFrom('smtp.refused', 'other'),
            host: fc.constantFrom('mx.EXAMPLE.com', 'mx'),
            text: fc.constantFrom('greylisted', 'NO SUCH', '%', '', '_', "'", '\\'),
          },
          { requiredKeys: [], noNullPrototype: true },
        );
        await fc.assert(
          fc.asyncProperty(filter, async (asked) => {
            const meant = all.filter(
              (message) =>
                matchesMessage(asked, message) &&
                message.recipients.some((one) => matchesRecipient(asked, one, one.state)),
            );
            assert.deepEqual(await queue.find(asked, undefined, 100), ids(meant));
            const counted = meant.flatMap(({ recipients }) =>
              recipients.filter((one) => matchesRecipient(asked, one, one.state)),
            ).length;
            const groups = await queue.summary(asked, 1000);
            assert.equal(
              groups.reduce((sum, { recipients }) => sum + recipients, 0),
              counted,
            );
            const tally = await rehearse(queue, asked, { kind: 'drop' }, 0);
            assert.deepEqual(tally, { messages: meant.length, recipients: counted });
          }),
          { numRuns: 150 },
        );
      }),
    );

    test(
      'a summary groups by domain, state and last reply, the largest first',
      withQueue(async ({ queue, reopen }) => {
        assert.deepEqual(await queue.summary({}, 10), []);
        for (const number of [1, 2, 3])
          await queue.accept(
            testMessage(number, { arrivedAtMs: 1000 + number, recipients: [remote('a.example')] }),
            {
              owner: 'x',
              untilMs: 9000,
            },
          );
        await queue.accept(testMessage(4, { recipients: [remote('b.example'), local('carol')] }));
        await queue.settle(testId(2), 'x', [delayed(0, 70_000)], []);
        await queue.settle(testId(3), 'x', [delayed(0, 60_000)], []);
        await does(queue, 'hold', { domain: 'b.example' });
        const want = [
          {
            domain: 'a.example',
            state: 'waiting',
            hold: undefined,
            recipients: 2,
            oldestAtMs: 1002,
            dueAtMs: 60_000,
            lastAnswer: answer(),
          },
          {
            domain: 'a.example',
            state: 'waiting',
            hold: undefined,
            recipients: 1,
            oldestAtMs: 1001,
            dueAtMs: 1001,
            lastAnswer: undefined,
          },
          {
            domain: 'b.example',
            state: 'held',
            hold: 'operator',
            recipients: 1,
            oldestAtMs: 1000,
            dueAtMs: undefined,
            lastAnswer: undefined,
          },
          {
            domain: 'example.test',
            state: 'waiting',
            hold: undefined,
            recipients: 1,
            oldestAtMs: 1000,
            dueAtMs: 1000,
            lastAnswer: undefined,
          },
        ];
        const again = await reopen();
        assert.deepEqual(await again.summary({}, 10), want);
        assert.deepEqual(await again.summary({}, 1), want.slice(0, 1));
        assert.deepEqual(await again.summary({ state: 'held' }, 10), want.slice(2, 3));
      }),
    );

    test(
      'higher priority is leased first, and a step of it is worth a minute of waiting (RFC 6710 §4.1)',
      withQueue(async ({ queue, reopen }) => {
        const now = 10_000_000;
        const arrive = (number: number, priority: number, waitedMs: number): Promise<void> =>
          queue.accept(testMessage(number, { priority, arrivedAtMs: now - waitedMs }));
        await arrive(1, 0, 0);
        await arrive(2, 4, 0);
        await arrive(3, -9, 0);
        await arrive(4, 9, -1);
        await arrive(5, -9, 14 * 60_000);
        assert.equal(await queue.nextDueMs(), now - 14 * 60_000);
        assert.deepEqual(ids(await queue.lease('x', now, now + 5, 2)), [testId(5), testId(2)]);
        const again = await reopen();
        assert.deepEqual(ids(await again.lease('x', now, now + 5, 10)), [testId(1), testId(3)]);
        assert.equal(await again.nextDueMs(), now + 1);
      }),
    );

    test(
      'what is expired is due now, and stays expired whatever an attempt under way brings',
      withQueue(async ({ queue, reopen }) => {
        const recipients = [remote('a.example'), remote('b.example')];
        await queue.accept(testMessage(1, { recipients }), { owner: 'x', untilMs: 9000 });
        await does(queue, 'hold', { domain: 'b.example' });
        assert.equal(await does(queue, 'expire', {}, 3000), 2);
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 2, held: 0 });
        await queue.settle(testId(1), 'x', [delayed(0, 60_000)], []);
        const again = await reopen();
        const states = (await only(again, testId(1))).recipients.map(({ state }) => state);
        const waiting = { kind: 'waiting', dueAtMs: 3000, delayReported: false, expired: true };
        assert.deepEqual(states, [
          { ...waiting, attempts: 1, lastAnswer: answer() },
          { ...waiting, attempts: 0, lastAnswer: undefined },
        ]);
        assert.equal(await does(again, 'retry', { domain: 'a.example' }, 4000), 1);
        const [first] = (await only(again, testId(1))).recipients;
        assert.equal(first?.state.kind === 'waiting' && first.state.expired === undefined, true);
      }),
    );

    test(
      'others take the place of a recipient under the same id, once, and not while it is being worked on',
      withQueue(async ({ queue, reopen }) => {
        const recipients = [remote('a.example'), remote('b.example')];
        await queue.accept(testMessage(1, { recipients }), { owner: 'x', untilMs: 9000 });
        const by = [{ ...local('carol'), originalRecipient: 'rfc822;bob@a.example' }, remote('c.example')];
        const replacements = [{ recipient: 0, by }];
        assert.equal(await queue.readdress(testId(1), replacements, 8999), 'leased');
        await queue.settle(testId(1), 'x', [delayed(0, 60_000), delayed(1, 60_000)], []);
        assert.equal(await queue.readdress(testId(1), replacements, 5000), 'readdressed');
        assert.equal(await queue.readdress(testId(1), replacements, 5000), 'gone');
        assert.equal(await queue.readdress(testId(2), replacements, 5000), 'gone');
        assert.deepEqual(await queue.count(), { messages: 1, recipients: 3, held: 0 });
        const again = await reopen();
        const { recipients: now } = await only(again, testId(1));
        assert.deepEqual(
          now.map(({ number, forwardPath, state }) => [number, forwardPath, state.kind]),
          [
            [0, 'bob@a.example', 'settled'],
            [1, 'bob@b.example', 'waiting'],
            [2, 'carol@example.test', 'waiting'],
            [3, 'bob@c.example', 'waiting'],
          ],
        );
        assert.equal(now[0]?.state.kind === 'settled' && now[0].state.outcome, 'expanded');
        assert.equal(now[2]?.originalRecipient, 'rfc822;bob@a.example');
        assert.equal(await again.nextDueMs(), 5000);
        await again.lease('y', 5000, 9000, 1);
        assert.equal(
          await again.settle(testId(1), 'y', [done(1), done(2, 'delivered'), done(3)], []),
          'settled',
        );
        assert.deepEqual(await again.count(), { messages: 0, recipients: 0, held: 0 });
      }),
    );

    test(
      'a suspension is kept; it holds whom an attempt finds suspended, and its end lets them go',
      withQueue(async ({ queue, reopen }) => {
        const scope = known(toSuspensionScope('domain:a.example'));
        const suspended: Settlement = { recipient: 0, kind: 'suspended', scope };
        await queue.suspend(scope, 500);
        await queue.suspend(scope, 700);
        await queue.accept(testMessage(1, { recipients: [remote('a.example')] }));
        const again = await reopen();
        assert.deepEqual(await again.suspensions(), [{ scope, sinceMs: 500 }]);
        await again.lease('x', 1000, 9000, 1);
        assert.equal(await again.settle(testId(1), 'x', [suspended], []), 'settled');
        assert.deepEqual(await again.count(), { messages: 1, recipients: 1, held: 1 });
        assert.deepEqual(ids(await again.list({ hold: 'suspended:domain:a.example' }, undefined, 10)), [
          testId(1),
        ]);
        assert.deepEqual(await resume(again, scope, 2000), { messages: 1, recipients: 1 });
        assert.equal(await resume(again, scope, 2000), undefined);
        assert.deepEqual(await again.suspensions(), []);
        // Whoever has not heard of the end holds nobody.
        await again.lease('x', 2000, 9000, 1);
        assert.equal(await again.settle(testId(1), 'x', [suspended], []), 'stale');
        assert.deepEqual(await again.count(), { messages: 1, recipients: 1, held: 0 });
        assert.equal(await again.nextDueMs(), 2000);
      }),
    );

    test(
      'retry makes a delayed recipient due now, with its attempts; a lease lies over it',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1), { owner: 'x', untilMs: 9000 });
        await queue.settle(testId(1), 'x', [delayed(0, 50_000)], []);
        assert.equal(await does(queue, 'retry', {}, 3000), 1);
        assert.deepEqual((await only(queue, testId(1))).recipients[0]?.state, {
          kind: 'waiting',
          dueAtMs: 3000,
          askedAtMs: 3000,
          attempts: 1,
          lastAnswer: answer(),
          delayReported: false,
        });
        await queue.lease('x', 3000, 9000, 1);
        await does(queue, 'retry', {}, 4000);
        assert.deepEqual(await queue.lease('y', 4000, 9000, 1), []);
        assert.equal(await queue.nextDueMs(), 9000);
      }),
    );

    test(
      'endLeases frees what owners that are gone had',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1), { owner: 'a', untilMs: 9000 });
        await queue.accept(testMessage(2), { owner: 'b', untilMs: 9000 });
        await queue.accept(testMessage(3), { owner: 'c', untilMs: 9000 });
        await queue.endLeases(['b']);
        assert.deepEqual(ids(await queue.lease('z', 1000, 9000, 10)), [testId(1), testId(3)]);
        await queue.endLeases([]);
        assert.deepEqual(ids(await queue.lease('z', 1000, 9000, 10)), [testId(1), testId(2), testId(3)]);
      }),
    );

    test(
      'list goes in pages by key',
      withQueue(async ({ queue }) => {
        const wanted = Array.from({ length: 25 }, (_, index) => testId(index + 1));
        await Promise.all(
          Array.from({ length: 25 }, (_, index) =>
            queue.accept(
              testMessage(25 - index, { recipients: [remote(index % 2 === 0 ? 'a.example' : 'b.example')] }),
            ),
          ),
        );
        const seen: QueueId[] = [];
        let after: QueueId | undefined;
        for (;;) {
          const page = await queue.list({}, after, 10);
          seen.push(...ids(page));
          if (page.length < 10) break;
          after = page.at(-1)?.id;
        }
        assert.deepEqual(seen, wanted);
        assert.equal((await queue.list({ domain: 'a.example' }, testId(20), 10)).length, 3);
      }),
    );

    test(
      'the backlog of a domain is what had an answer and is due later: by priority, then by id, in pages',
      withQueue(async (opened) => {
        let { queue } = opened;
        const lease = { owner: 'x', untilMs: 9000 };
        const put = async (
          number: number,
          priority: number,
          recipients: readonly NewRecipient[],
          dueMs?: number,
        ) => {
          await queue.accept(testMessage(number, { priority, recipients }), lease);
          const settlements = dueMs === undefined ? [] : recipients.map((_, at) => delayed(at, dueMs));
          await queue.settle(testId(number), 'x', settlements, []);
        };
        const both = [remote('a.example'), remote('b.example'), remote('a.example', 'zoe')];
        await put(1, 0, both, 60_000);
        await put(2, 4, [remote('a.example')], 60_000);
        await put(3, -9, [remote('a.example')], 60_000);
        await put(4, 0, [remote('b.example')], 60_000);
        await put(5, 0, [remote('a.example')], 60_000);
        // Due already; never tried; held; gone.
        await put(6, 0, [remote('a.example')], 5000);
        await put(7, 0, [remote('a.example')]);
        await put(8, 0, [remote('a.example')], 60_000);
        await does(queue, 'hold', { id: testId(8) });
        await put(9, 0, [remote('a.example')], 60_000);
        await does(queue, 'drop', { id: testId(9) });
        const backlog = async (domain: string | undefined, limit: number): Promise<readonly QueueId[]> => {
          const found: QueuedMessage[] = [];
          for (;;) {
            const page = await queue.backlog(domain, 5000, found.at(-1), limit);
            found.push(...page);
            if (page.length < limit) return ids(found);
          }
        };
        const wanted = [2, 1, 5, 3].map(testId);
        for (const limit of [1, 2, 100]) assert.deepEqual(await backlog('a.example', limit), wanted);
        queue = await opened.reopen();
        assert.deepEqual(await backlog(undefined, 3), [2, 1, 4, 5, 3].map(testId));
        assert.deepEqual(await backlog('c.example', 3), []);
        const [message] = await queue.backlog('b.example', 5000, undefined, 1);
        assert.deepEqual(message, await only(queue, testId(1)));
      }),
    );

    test(
      'who is woken is due now, if it met one of the reasons; a lease goes on, and attempts are counted on',
      withQueue(async ({ queue, reopen }) => {
        const lease = { owner: 'x', untilMs: 9000 };
        const recipients = [remote('a.example'), remote('a.example', 'zoe'), remote('b.example')];
        await queue.accept(testMessage(1, { recipients }), lease);
        const full = { ...answer(), reason: 'smtp.mailbox-full' };
        const settlements = [delayed(0, 60_000), { ...delayed(1, 60_000), answer: full }, delayed(2, 60_000)];
        await queue.settle(testId(1), 'x', settlements, [], 'kept');
        const wake = (reasons: readonly string[]) =>
          queue.act([testId(1)], { domain: 'a.example' }, { kind: 'wake', reasons }, 5000);
        assert.deepEqual(await wake(['connect.timeout']), []);
        assert.deepEqual(await wake(['connect.timeout', 'smtp.refused']), [
          { id: testId(1), recipients: [0] },
        ]);
        assert.deepEqual(await wake(['smtp.refused']), [], 'it is due already');
        const again = await reopen();
        const message = await only(again, testId(1));
        assert.deepEqual(
          message.recipients.map(({ state }) => state.kind === 'waiting' && [state.dueAtMs, state.attempts]),
          [
            [5000, 1],
            [60_000, 1],
            [60_000, 1],
          ],
        );
        assert.deepEqual(message.lease, lease);
      }),
    );

    test(
      'a settlement of a recipient that does not exist is a bug, and changes nothing',
      withQueue(async ({ queue }) => {
        await queue.accept(testMessage(1), { owner: 'a', untilMs: 9000 });
        await assert.rejects(queue.settle(testId(1), 'a', [done(5)], [testMessage(2)]), TypeError);
        assert.deepEqual(ids(await queue.list({}, undefined, 10)), [testId(1)]);
      }),
    );

    test(
      'watchers hear of messages without a lease, of what follows, and of what is due by hand',
      withQueue(async ({ queue }) => {
        const heard = { times: 0 };
        const watching = queue.watch(() => {
          heard.times += 1;
        });
        const hears = async (act: () => Promise<unknown>): Promise<void> => {
          const { times } = heard;
          await act();
          for (let turn = 0; turn < 100 && heard.times === times; turn += 1) await pause(5);
          assert.ok(heard.times > times);
        };
        await hears(() => queue.accept(testMessage(1)));
        await does(queue, 'hold', {});
        await hears(() => does(queue, 'release', {}, 1000));
        await hears(() => does(queue, 'retry', {}, 1000));
        await queue.lease('a', 1000, 9000, 1);
        await hears(() => queue.settle(testId(1), 'a', [delayed(0, 2000)], []));
        await queue.lease('a', 2000, 9000, 1);
        await hears(() => queue.settle(testId(1), 'a', [done(0)], [testMessage(2)]));
        watching.close();
        await pause(20);
        const { times } = heard;
        await queue.accept(testMessage(3));
        await pause(20);
        assert.equal(heard.times, times);
      }),
    );

    test(
      'places in use are told and moved',
      withQueue(async ({ queue, reopen }) => {
        for (const number of [1, 2, 3]) await queue.accept(testMessage(number));
        await queue.accept(testMessage(4, { blob: testMessage(2).blob }));
        assert.deepEqual(await queue.placesBetween(testPlace(1001), testPlace(1003)), [1001, 1002]);
        assert.deepEqual(await queue.placesBetween(testPlace(0), testPlace(1001)), []);
        await queue.relocate([
          { from: testPlace(1002), to: testPlace(9002) },
          { from: testPlace(1003), to: testPlace(9003) },
          { from: testPlace(55), to: testPlace(56) },
        ]);
        const again = await reopen();
        assert.deepEqual(await again.placesBetween(testPlace(0), testPlace(99_999)), [1001, 9002, 9003]);
        assert.equal((await only(again, testId(4))).blob.place, 9002);
        assert.equal((await only(again, testId(2))).blob.id, testMessage(2).blob.id);
        await does(again, 'drop', {}, 0);
        assert.deepEqual(await again.placesBetween(testPlace(0), testPlace(99_999)), []);
      }),
    );

    test(
      'many at once: each is accepted, leased and settled once',
      withQueue(async ({ queue }) => {
        const count = 300;
        await Promise.all(Array.from({ length: count }, (_, index) => queue.accept(testMessage(index))));
        const got: QueueId[] = [];
        await Promise.all(
          ['a', 'b', 'c'].map(async (owner) => {
            for (;;) {
              const batch = await queue.lease(owner, 5000, 90_000, 20);
              if (batch.length === 0) return;
              got.push(...ids(batch));
              await Promise.all(batch.map(({ id }) => queue.settle(id, owner, [done(0)], [])));
            }
          }),
        );
        assert.equal(got.length, count);
        assert.equal(new Set(got).size, count);
        assert.deepEqual(await queue.count(), { messages: 0, recipients: 0, held: 0 });
      }),
    );

    test('whatever happens in whatever order, it is as a simple model says', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
          await withQueue(async (opened) => runModel(opened, steps))();
        }),
        { numRuns: modelRuns },
      );
    });
  });
}

type Step =
  | {
      readonly kind: 'accept';
      readonly recipients: number;
      readonly leased: boolean;
      readonly dueInMs: number;
    }
  | { readonly kind: 'lease'; readonly owner: number; readonly limit: number; readonly forMs: number }
  | {
      readonly kind: 'settle';
      readonly pick: number;
      readonly owner: number;
      readonly fates: readonly number[];
      readonly follow: boolean;
    }
  | {
      readonly kind: 'operate';
      readonly action: 'hold' | 'release' | 'retry' | 'drop';
      readonly pick: number;
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'reopen' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('accept' as const),
      recipients: fc.integer({ min: 1, max: 4 }),
      leased: fc.boolean(),
      dueInMs: fc.nat(100),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant('lease' as const),
      owner: fc.nat(1),
      limit: fc.integer({ min: 1, max: 5 }),
      forMs: fc.nat(200),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant('settle' as const),
      pick: fc.nat(20),
      owner: fc.nat(1),
      fates: fc.array(fc.nat(4), { minLength: 4, maxLength: 4 }),
      follow: fc.boolean(),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant('operate' as const),
      action: fc.constantFrom('hold' as const, 'release' as const, 'retry' as const, 'drop' as const),
      pick: fc.nat(20),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constant('pass' as const), ms: fc.integer({ min: -50, max: 150 }) },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant('reopen' as const) }, { noNullPrototype: true }),
);

/** The model: of each message, who has it and until when; of each recipient, when it is due, `held` or `settled`. */
type ModelMessage = {
  lease: { owner: string; untilMs: number } | undefined;
  states: (number | 'held' | 'settled')[];
};

function dueOf({ states, lease }: ModelMessage): number | undefined {
  const waiting = states.filter((state) => typeof state === 'number');
  if (waiting.length === 0) return undefined;
  return Math.max(Math.min(...waiting), lease?.untilMs ?? Number.NEGATIVE_INFINITY);
}

async function runModel({ queue: first, reopen }: OpenedQueue, steps: readonly Step[]): Promise<void> {
  let queue = first;
  let nowMs = 10_000;
  let next = 0;
  const model = new Map<QueueId, ModelMessage>();
  const add = (recipients: number, dueMs: number, lease: ModelMessage['lease']): NewQueuedMessage => {
    next += 1;
    model.set(testId(next), { lease, states: Array.from({ length: recipients }, () => dueMs) });
    return testMessage(next, {
      arrivedAtMs: dueMs,
      recipients: Array.from({ length: recipients }, (_, index) =>
        index % 2 === 0 ? local(`r${index}`) : remote(`d${index}.example`),
      ),
    });
  };
  const leave = (id: QueueId): void => {
    if (model.get(id)?.states.every((state) => state === 'settled') === true) model.delete(id);
  };
  for (const one of steps) {
    if (one.kind === 'pass') nowMs += one.ms;
    if (one.kind === 'reopen') queue = await reopen();
    if (one.kind === 'accept') {
      const lease = one.leased ? { owner: 'o0', untilMs: nowMs + 100 } : undefined;
      await queue.accept(add(one.recipients, nowMs + one.dueInMs, lease), lease);
    }
    if (one.kind === 'lease') {
      const due = [...model].filter(([, message]) => (dueOf(message) ?? Number.POSITIVE_INFINITY) <= nowMs);
      const owner = `o${one.owner}`;
      const got = await queue.lease(owner, nowMs, nowMs + one.forMs, one.limit);
      assert.equal(got.length, Math.min(due.length, one.limit));
      const latest = Math.max(...got.map(({ id }) => dueOf(model.get(id) ?? assert.fail()) ?? assert.fail()));
      for (const [id, message] of due)
        assert.ok(ids(got).includes(id) || (dueOf(message) ?? 0) >= latest, 'soonest first');
      for (const { id } of got) {
        const message = model.get(id) ?? assert.fail();
        message.lease = { owner, untilMs: nowMs + one.forMs };
      }
    }
    if (one.kind === 'settle' && model.size > 0) {
      const [id, message] = [...model][one.pick % model.size] ?? assert.fail();
      const owner = `o${one.owner}`;
      const settlements: Settlement[] = [];
      let changes = 0;
      const before = [...message.states];
      for (const [recipient, state] of before.entries()) {
        const fate = one.fates[recipient] ?? 0;
        if (fate === 0) continue;
        settlements.push(
          fate === 1
            ? delayed(recipient, nowMs + 70)
            : done(recipient, recipient % 2 === 0 ? 'delivered' : 'relayed'),
        );
        if (state === 'settled' || message.lease?.owner !== owner) continue;
        changes += 1;
        if (fate > 1) message.states[recipient] = 'settled';
        else if (state !== 'held') message.states[recipient] = nowMs + 70;
      }
      const isHolder = message.lease?.owner === owner;
      const isStale = !isHolder || (settlements.length > 0 && changes === 0);
      if (isHolder) message.lease = undefined;
      leave(id);
      const follow = one.follow ? [add(1, nowMs, undefined)] : [];
      if (isStale && one.follow) model.delete(testId(next));
      assert.equal(await queue.settle(id, owner, settlements, follow), isStale ? 'stale' : 'settled');
    }
    if (one.kind === 'operate' && model.size > 0) {
      const [id, message] = [...model][one.pick % model.size] ?? assert.fail();
      let count = 0;
      for (const [recipient, state] of message.states.entries()) {
        if (state === 'settled') continue;
        if (one.action === 'hold' && state === 'held') continue;
        if (one.action === 'release' && state !== 'held') continue;
        count += 1;
        if (one.action === 'hold') message.states[recipient] = 'held';
        else message.states[recipient] = one.action === 'drop' ? 'settled' : nowMs;
      }
      leave(id);
      const filter = { id };
      const acted = does(queue, one.action, filter, nowMs);
      assert.equal(await acted, count);
    }
    await assertModel(queue, model);
  }
}

export async function assertModel(queue: Queue, model: ReadonlyMap<QueueId, ModelMessage>): Promise<void> {
  const listed = await queue.list({}, undefined, 1000);
  assert.deepEqual(ids(listed), [...model.keys()].toSorted());
  let recipients = 0;
  let held = 0;
  let due: number | undefined;
  for (const message of listed) {
    const want = model.get(message.id) ?? assert.fail();
    assert.deepEqual(message.lease, want.lease);
    assert.deepEqual(
      message.recipients.map(({ state }) => (state.kind === 'waiting' ? state.dueAtMs : state.kind)),
      want.states,
    );
    recipients += want.states.filter((state) => state !== 'settled').length;
    held += want.states.filter((state) => state === 'held').length;
    const own = dueOf(want);
    if (own !== undefined) due = Math.min(due ?? own, own);
  }
  assert.deepEqual(await queue.count(), { messages: model.size, recipients, held });
  assert.equal(await queue.nextDueMs(), due);
}
