import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { accountId, localRecipient, newMessage, queued, remoteRecipient } from '../../test/support/queued.ts';
import { latin1 } from '../base/bytes.ts';
import type { Check } from '../policy/check.ts';
import { deliveryChecks } from '../policy/delivery-checks.ts';
import type { CheckEvent } from '../policy/event.ts';
import { Pipeline } from '../policy/pipeline.ts';
import type { Verdict } from '../policy/verdict.ts';
import { ACCEPT, defer, refuse } from '../policy/verdict.ts';
import type { LocalDeliverer, RemoteDeliverer } from './hook.ts';
import { hookLocal, hookRemote } from './hook.ts';
import type { LocalRecipient } from './local.ts';
import type { Outcome } from './outcome.ts';

const source = { kind: 'submission', remote: undefined, helo: undefined, account: accountId(7) } as const;
const done: Outcome = { kind: 'delivered', answer: undefined };

function world(check: Check) {
  const clock = new FakeClock();
  const events: CheckEvent[] = [];
  const checks = deliveryChecks(new Pipeline([check], { clock, events: (event) => void events.push(event) }));
  assert.ok(checks);
  const prefixes: string[] = [];
  const local: LocalDeliverer = {
    deliver: async ({ prefix }) => {
      prefixes.push(latin1(prefix));
      return done;
    },
  };
  const remote: RemoteDeliverer = {
    deliver: async ({ prefix }, _route, recipients) => {
      prefixes.push(`${recipients.map(({ number }) => number).join()} ${latin1(prefix)}`);
      return {
        outcomes: new Map(recipients.map(({ number }) => [number, done] as const)),
        finding: { kind: 'open' },
        fault: undefined,
      };
    },
  };
  const hookedRemote = hookRemote(remote, checks, clock);
  return {
    clock,
    events,
    prefixes,
    local: hookLocal(local, checks, clock),
    send: async (...addresses: readonly string[]) => {
      const message = queued(
        newMessage(
          addresses.map((address) => remoteRecipient(address)),
          { source },
        ),
      );
      const route: Parameters<RemoteDeliverer['deliver']>[1] = Object.create(null);
      return hookedRemote.deliver(message, route, message.recipients, new AbortController().signal);
    },
  };
}

const VERDICTS: readonly (readonly [string, Verdict, Outcome['kind'], string?])[] = [
  ['accept', ACCEPT, 'delivered'],
  ['fields', { kind: 'accept', fields: 'X-Seen: yes\r\n' }, 'delivered'],
  ['hold', { kind: 'hold', reason: 'test.odd', text: 'Looks odd' }, 'held', '4.7.0'],
  ['discard', { kind: 'discard', reason: 'test.trap' }, 'dropped', '2.7.0'],
  ['defer', defer('test.busy', 451, '4.7.1', 'Come again'), 'delayed', '4.7.1'],
  ['refuse', refuse('test.no', 550, '5.7.1', 'Not wanted'), 'failed', '5.7.1'],
];
for (const [name, verdict, want, status] of VERDICTS)
  for (const when of ['at once', 'later'] as const)
    test(`before delivery, ${name} ${when}: ${want}`, async () => {
      const told: unknown[] = [];
      const { local, send, prefixes, events } = world({
        name: 'test',
        beforeDelivery: ({ account }) => {
          assert.equal(account, 7);
          return when === 'later' ? Promise.resolve(verdict) : verdict;
        },
        afterDelivery: ({ queueId, forwardPath }, { kind, reason }) =>
          void told.push([queueId, forwardPath, kind, reason]),
      });
      const message = queued(newMessage([localRecipient('bob@here.example', 1)], { source }));
      const recipient = message.recipients[0] as unknown as LocalRecipient;
      const here = await local.deliver(message, recipient);
      const there = await send('eve@far.example');
      for (const outcome of [here, there.outcomes.get(0)]) {
        assert.equal(outcome?.kind, want);
        assert.equal(outcome.answer?.status, status);
      }
      const reason = want === 'delivered' ? undefined : verdict.reason;
      assert.deepEqual(told, [
        ['000000q1', 'bob@here.example', want, reason],
        ['000000q1', 'eve@far.example', want, reason],
      ]);
      const fields = name === 'fields' ? 'X-Seen: yes\r\n' : '';
      assert.deepEqual(prefixes, want === 'delivered' ? [fields, `0 ${fields}`] : []);
      assert.deepEqual(
        events.map((event) => [event.stage, event.traceId, event.sessionId]),
        name === 'accept' ? [] : [0, 1].map(() => ['before-delivery', '000000q1', undefined]),
      );
    });

test('recipients of one host who get different fields go there apart; who gets nothing stays', async () => {
  const { send, prefixes } = world({
    name: 'test',
    beforeDelivery: ({ forwardPath }) => {
      if (forwardPath.startsWith('x')) return refuse('test.no', 550, '5.7.1', 'No');
      return { kind: 'accept', fields: forwardPath.startsWith('a') ? 'X-A: a\r\n' : '' };
    },
  });
  const { outcomes } = await send('a1@far.example', 'b@far.example', 'x@far.example', 'a2@far.example');
  assert.deepEqual(prefixes, ['0,3 X-A: a\r\n', '1 ']);
  assert.deepEqual(
    [0, 1, 2, 3].map((number) => outcomes.get(number)?.kind),
    ['delivered', 'delivered', 'failed', 'delivered'],
  );
});

test('a check that throws delays the recipient, and what it throws afterwards harms nobody', async () => {
  const broken = (): never => {
    throw new Error('broken');
  };
  const { send, events } = world({ name: 'test', beforeDelivery: broken, afterDelivery: broken });
  const { outcomes } = await send('eve@far.example');
  assert.equal(outcomes.get(0)?.kind, 'delayed');
  assert.deepEqual(
    events.map(({ name, stage }) => [name, stage]),
    [
      ['policy.check-failed', 'before-delivery'],
      ['policy.check-failed', 'after-delivery'],
    ],
  );
});

test('a check that only hears of it afterwards keeps recipients of one host together, and hears of each', async () => {
  const told: unknown[] = [];
  const { send, local, prefixes } = world({
    name: 'test',
    afterDelivery: ({ forwardPath }, { kind }) => void told.push([forwardPath, kind]),
  });
  const { outcomes, finding } = await send('a@far.example', 'b@far.example');
  assert.deepEqual(prefixes, ['0,1 ']);
  assert.deepEqual([outcomes.size, finding], [2, { kind: 'open' }]);
  const message = queued(newMessage([localRecipient('bob@here.example', 1)], { source }));
  await local.deliver(message, message.recipients[0] as unknown as LocalRecipient);
  assert.deepEqual(told, [
    ['a@far.example', 'delivered'],
    ['b@far.example', 'delivered'],
    ['bob@here.example', 'delivered'],
  ]);
});

test('without checks of deliveries there is no hook', () => {
  const pipeline = new Pipeline([{ name: 'test' }], { clock: new FakeClock(), events: () => undefined });
  assert.equal(deliveryChecks(pipeline), undefined);
});
