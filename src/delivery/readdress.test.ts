import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { localRecipient, newMessage, queueId, remoteRecipient } from '../../test/support/queued.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { MemoryQueue } from '../queue/memory/queue.ts';
import { RETURN_PATHS } from '../../test/support/return-paths.ts';
import { ReturnPaths } from './return-paths.ts';
import { readdress } from './readdress.ts';
import type { Readdressing } from './readdress.ts';

async function world() {
  const clock = new FakeClock();
  const directory = new MemoryDirectory({ clock, random: seededRandom() });
  const queue = new MemoryQueue(clock);
  await directory.addDomain('here.example');
  const added = await directory.addAccount({ address: 'ann@here.example', password: undefined });
  assert.ok(added.ok);
  const returnPaths = new ReturnPaths({ directory, clock }, RETURN_PATHS);
  const told: [string, number][] = [];
  const change = (to: Readdressing, filter = {}, rehearses = false) =>
    readdress({ queue, directory, returnPaths }, filter, to, clock.nowMs(), rehearses, (id, recipients) =>
      told.push([id, recipients]),
    );
  const shown = async () =>
    (await queue.list({}, undefined, 10)).flatMap(({ recipients }) =>
      recipients.map(({ forwardPath, route, originalRecipient, state }) => [
        forwardPath,
        route.kind === 'local' ? 'here' : route.domain,
        originalRecipient,
        state.kind,
      ]),
    );
  return { clock, directory, queue, told, change, shown };
}

test('an address that became an alias of several is delivered to all of them', async () => {
  const { queue, directory, change, shown, told } = await world();
  await queue.accept(newMessage([localRecipient('old@here.example', 7)]));
  await directory.setAlias('old@here.example', ['ann@here.example', 'bob@far.example']);
  assert.deepEqual(await change({ kind: 'directory' }, {}, true), {
    messages: 1,
    recipients: 1,
    busy: 0,
    unknown: 0,
  });
  assert.equal((await shown()).length, 1, 'a rehearsal changes nothing');
  await change({ kind: 'directory' });
  assert.deepEqual(await shown(), [
    ['old@here.example', 'here', undefined, 'settled'],
    ['ann@here.example', 'here', 'rfc822;old@here.example', 'waiting'],
    ['bob@far.example', 'far.example', 'rfc822;old@here.example', 'waiting'],
  ]);
  assert.equal(told.length, 1);
});

test('whose way is as it was is tried again; whose address is nobody’s stays as it is', async () => {
  const { queue, clock, change, shown } = await world();
  await queue.accept(
    newMessage([remoteRecipient('x@far.example'), localRecipient('gone@here.example', 9)], {
      arrivedAtMs: clock.nowMs() + 60_000,
    }),
  );
  assert.deepEqual(await change({ kind: 'directory' }), { messages: 1, recipients: 1, busy: 0, unknown: 1 });
  assert.equal(await queue.nextDueMs(), clock.nowMs());
  assert.equal((await shown()).length, 2);
});

test('another address takes the place, and the one that was written to goes along (RFC 3461 §5.2.7)', async () => {
  const { queue, change, shown } = await world();
  await queue.accept(newMessage([remoteRecipient('x+y@far.example')]));
  await change({ kind: 'address', address: 'ann@here.example' });
  assert.deepEqual((await shown())[1], ['ann@here.example', 'here', 'rfc822;x+2By@far.example', 'waiting']);
});

test('another next hop takes the mail, and the recipient stays who he is; what is under way is passed over', async () => {
  const { queue, clock, change, shown } = await world();
  await queue.accept(newMessage([remoteRecipient('x@far.example')]));
  await queue.accept(newMessage([remoteRecipient('y@far.example')], { id: queueId('q2') }), {
    owner: 'runner',
    untilMs: clock.nowMs() + 1000,
  });
  const changed = await change(
    { kind: 'next-hop', hop: { kind: 'remote', domain: '[192.0.2.5]' } },
    { domain: 'far.example' },
  );
  assert.deepEqual(changed, { messages: 1, recipients: 1, busy: 1, unknown: 0 });
  assert.deepEqual((await shown())[1], ['x@far.example', '[192.0.2.5]', undefined, 'waiting']);
});

test('another port of the same hop is another way, and the same one is only tried again', async () => {
  const { queue, change } = await world();
  const hop = { kind: 'remote', domain: 'hop.example', port: 2525, speech: 'lmtp' } as const;
  const routes = async () =>
    (await queue.list({}, undefined, 10)).flatMap(({ recipients }) => recipients.map(({ route }) => route));
  await queue.accept(newMessage([remoteRecipient('x@hop.example')]));
  await change({ kind: 'next-hop', hop });
  await change({ kind: 'next-hop', hop });
  assert.deepEqual(await routes(), [{ kind: 'remote', domain: 'hop.example' }, hop]);
  await change({ kind: 'next-hop', hop: { kind: 'remote', domain: 'hop.example', port: 2525 } });
  assert.deepEqual((await routes())[2], { kind: 'remote', domain: 'hop.example', port: 2525 });
});
