import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../test/support/fake-clock.ts';
import { newMessage, queueId, remoteRecipient } from '../../test/support/queued.ts';
import { RETURN_PATHS } from '../../test/support/return-paths.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { sendNotice } from '../delivery/notice.ts';
import { ReturnPaths } from '../delivery/return-paths.ts';
import { createRateMemory, RateTable } from '../net/rate-table.ts';
import { accountGuard, type AccountGuardRules } from '../policy/account-guard.ts';
import type { SessionFacts } from '../policy/facts.ts';
import type { PolicyEvent } from '../policy/event.ts';
import { MemoryQueue } from '../queue/memory/queue.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import { openMemoryBlobStore } from '../store/memory/blob-store.ts';
import { AccountSuspension, releaseMail } from './account-suspension.ts';

async function world(rules: Partial<AccountGuardRules>) {
  const clock = new FakeClock();
  const random = seededRandom();
  const directory = new MemoryDirectory({ clock, random });
  await directory.addDomain('here.example');
  const add = async (address: string) => {
    const added = await directory.addAccount({ address, password: undefined });
    assert.ok(added.ok);
    return added.value.id;
  };
  const alice = await add('alice@here.example');
  const bob = await add('bob@here.example');
  await directory.setAlias('postmaster@here.example', ['bob@here.example']);
  const queue = new MemoryQueue(clock);
  const blobs = openMemoryBlobStore();
  const events: PolicyEvent[] = [];
  const returnPaths = new ReturnPaths({ directory, clock }, RETURN_PATHS);
  const ports = { queue, blobs, directory, returnPaths, clock, newId: createQueueIds(clock, random) };
  const suspension = new AccountSuspension({
    directory,
    queue,
    clock,
    notify: (notice) => sendNotice(ports, { hostname: 'mx.here.example', lifetimeMs: 1000 }, notice),
    events: (event) => void events.push(event),
    onFault: (cause) => assert.fail(String(cause)),
  });
  const guard = accountGuard(
    {
      rates: new RateTable(createRateMemory(1024, 64), clock),
      isExempt: (address) => address.startsWith('127.'),
      suspend: (account, sign) => suspension.suspend(account, sign),
    },
    {
      excessesPerHour: 0,
      refusedRecipientsPerHour: 0,
      networksPerHour: 0,
      ipv4NetworkBits: 24,
      ipv6NetworkBits: 48,
      ...rules,
    },
  );
  const session = (address: string): SessionFacts => ({
    sessionId: 's',
    role: { name: 'submission' },
    remote: { address, port: 1 },
    local: { address: '192.0.2.25', port: 587 },
    hello: undefined,
    tls: undefined,
    principal: {
      address: 'alice@here.example',
      account: alice,
      authenticationId: 'alice',
      appPassword: undefined,
    },
    earlyTalker: false,
  });
  const source = { kind: 'submission', remote: undefined, helo: undefined } as const;
  await queue.accept(
    newMessage([remoteRecipient('eve@far.example')], {
      id: queueId('hers'),
      source: { ...source, account: alice },
    }),
  );
  await queue.accept(
    newMessage([remoteRecipient('eve@far.example')], {
      id: queueId('his'),
      source: { ...source, account: bob },
    }),
  );
  const isSuspended = async (): Promise<string | undefined> => {
    await settled();
    return (await directory.sending(alice)).suspended?.reason;
  };
  return { clock, directory, queue, blobs, guard, session, alice, bob, events, isSuspended };
}

test('an account that keeps running into its limits is stopped, once, and told of', async () => {
  const { guard, queue, blobs, alice, bob, events, isSuspended, clock } = await world({ excessesPerHour: 2 });
  guard.exceeded(alice);
  guard.exceeded(alice);
  assert.equal(await isSuspended(), undefined);
  for (let count = 0; count < 5; count += 1) guard.exceeded(alice);
  assert.equal(await isSuspended(), 'guard.excess');
  guard.exceeded(alice);
  await settled();
  assert.deepEqual(events, [
    { name: 'policy.account-suspended', accountId: alice, reason: 'guard.excess', heldRecipients: 1 },
  ]);
  const held = await queue.list({ state: 'held' }, undefined, 10);
  assert.deepEqual(
    held.map(({ id, recipients }) => [
      id,
      recipients[0]?.state.kind === 'held' && recipients[0].state.reason,
    ]),
    [[queueId('hers'), 'account-suspended']],
  );
  const notices = (await queue.list({ sender: '' }, undefined, 10)).filter(
    ({ source }) => source.kind === 'local',
  );
  assert.equal(notices.length, 1);
  const [notice] = notices;
  assert.deepEqual(
    notice?.recipients.map(({ route }) => route.kind === 'local' && route.account),
    [alice, bob],
  );
  const text = notice === undefined ? '' : (await blobs.read(notice.blob)).toString();
  assert.match(text, /^Subject: Sending from an account was suspended\r$/m);
  assert.match(text, /^Auto-Submitted: auto-generated\r$/m);
  assert.match(text, /postrider account resume alice@here\.example/);
  assert.deepEqual(await releaseMail(queue, alice, clock.nowMs()), { messages: 1, recipients: 1 });
});

test('refused recipients are a sign, at RCPT and by other hosts', async () => {
  const { guard, session, alice, isSuspended } = await world({ refusedRecipientsPerHour: 3 });
  const facts = session('192.0.2.1');
  guard.refused?.({ verb: 'RCPT', code: 550 }, facts);
  guard.refused?.({ verb: 'RCPT', code: 450 }, facts);
  guard.refused?.({ verb: 'MAIL', code: 550 }, facts);
  guard.refused?.({ verb: 'RCPT', code: 550 }, { ...facts, principal: undefined });
  const delivery = {
    queueId: 'q',
    reversePath: null,
    forwardPath: 'x@far.example',
    route: { kind: 'remote' },
    octets: 1,
    arrivedAtMs: 0,
    account: alice,
  } as const;
  guard.afterDelivery?.(delivery, { kind: 'failed', reason: 'smtp.refused' });
  guard.afterDelivery?.(delivery, { kind: 'delayed', reason: undefined });
  guard.afterDelivery?.({ ...delivery, account: undefined }, { kind: 'failed', reason: undefined });
  guard.refused?.({ verb: 'RCPT', code: 550 }, facts);
  assert.equal(await isSuspended(), undefined);
  guard.afterDelivery?.(delivery, { kind: 'failed', reason: 'smtp.refused' });
  assert.equal(await isSuspended(), 'guard.refused-recipients');
});

test('many networks are a sign, each counted once an hour; where many people stand behind is none', async () => {
  const { guard, session, clock, isSuspended } = await world({ networksPerHour: 2 });
  for (const address of [
    '192.0.2.1',
    '192.0.2.99',
    '127.0.0.1',
    '192.0.2.1',
    '2001:db8::1',
    '2001:db8:0:ffff::1',
  ])
    await guard.auth?.(session(address));
  assert.equal(await isSuspended(), undefined);
  await clock.advance(3_600_000);
  for (const address of ['198.51.100.1', '198.51.100.2', '203.0.113.1']) await guard.auth?.(session(address));
  assert.equal(await isSuspended(), undefined);
  await guard.auth?.(session('192.0.2.1'));
  assert.equal(await isSuspended(), 'guard.networks');
});

test('no figure, no sign', async () => {
  const { guard, session, alice, isSuspended } = await world({});
  for (let count = 0; count < 100; count += 1) {
    guard.exceeded(alice);
    guard.refused?.({ verb: 'RCPT', code: 550 }, session('192.0.2.1'));
    await guard.auth?.(session(`192.0.${count}.1`));
  }
  assert.equal(await isSuspended(), undefined);
});
