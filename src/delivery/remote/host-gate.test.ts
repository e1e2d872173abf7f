import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../../test/support/fake-clock.ts';
import { hopTarget } from '../../../test/support/routes.ts';
import { hopMessage } from '../../../test/support/scripted-hop.ts';
import type { HopTarget, HopVisit } from './hop.ts';
import { HostGate } from './host-gate.ts';

const TOOK: HopVisit = {
  kind: 'session',
  speaksDsn: false,
  answers: [{ kind: 'replied', at: 'content', reply: { code: 250, lines: ['Ok'] } }],
};
const SILENT: HopVisit = { kind: 'no-connection', problem: { kind: 'timeout', text: 'silent' } };
const SIGNAL = new AbortController().signal;

function world(visitsMax: number) {
  const clock = new FakeClock();
  const ends: ((visit: HopVisit) => void)[] = [];
  const hop = { visit: () => new Promise<HopVisit>((resolve) => ends.push(resolve)) };
  const gate = new HostGate(hop, clock, visitsMax);
  const results: HopVisit[] = [];
  const visit = (target: Partial<HopTarget> = {}, askedAtMs?: number): void =>
    void gate
      .visit(hopTarget(target), { ...hopMessage(), askedAtMs }, SIGNAL)
      .then((result) => results.push(result));
  const end = async (result: HopVisit): Promise<void> => {
    ends.shift()?.(result);
    await settled();
  };
  return { clock, ends, results, visit, end };
}

test('one host has no more visits at once than allowed, whatever domains they are for', async () => {
  const { ends, results, visit, end } = world(3);
  for (let n = 0; n < 10; n += 1) visit({ host: `mx${n}.example`, address: '192.0.2.1' });
  await settled();
  assert.equal(ends.length, 2, 'few at first');
  await end(TOOK);
  assert.equal(ends.length, 3, 'a success lets one more in');
  for (let n = 1; n < 10; n += 1) {
    await end(TOOK);
    assert.ok(ends.length <= 3);
  }
  assert.equal(results.length, 10);
});

test('what the operator asks for goes to a host that did not answer', async () => {
  const { clock, ends, results, visit, end } = world(20);
  visit();
  await settled();
  await end(SILENT);
  await clock.advance(1000);
  visit();
  await settled();
  assert.deepEqual([ends.length, results.length], [0, 2]);
  visit({}, clock.nowMs());
  await settled();
  assert.equal(ends.length, 1);
  await end(TOOK);
  assert.equal(results.at(-1), TOOK);
});

test('another host is not concerned', async () => {
  const { ends, visit } = world(1);
  visit({ address: '192.0.2.1' });
  visit({ address: '192.0.2.2' });
  visit({ address: '192.0.2.1', port: 26 });
  visit({ address: '192.0.2.1', localAddress: '192.0.2.200' });
  await settled();
  assert.equal(ends.length, 4);
});

test('a host that does not answer is not asked by each message on its own, but probed later', async () => {
  const { clock, ends, results, visit, end } = world(20);
  for (let n = 0; n < 50; n += 1) visit();
  await settled();
  await end(SILENT);
  await end(SILENT);
  assert.deepEqual([results.length, ends.length], [50, 0]);
  assert.deepEqual(results[49], SILENT);
  await clock.advance(60_000);
  for (let n = 0; n < 5; n += 1) visit();
  await settled();
  assert.equal(ends.length, 1, 'one probes');
  await end(TOOK);
  assert.equal(ends.length, 2);
});

test('421 at the greeting is the host’s answer to all; what one message meets is not, nor our own address', async () => {
  for (const [visited, asked] of [
    [{ kind: 'replied', at: 'greeting', reply: { code: 421, lines: ['busy'] } }, 0],
    [{ kind: 'lost', at: 'greeting', how: 'timeout', text: '' }, 0],
    [{ kind: 'replied', at: 'mail', reply: { code: 421, lines: ['busy'] } }, 2],
    [{ kind: 'replied', at: 'greeting', reply: { code: 554, lines: ['no'] } }, 2],
  ] as const) {
    const { ends, visit, end } = world(20);
    for (let n = 0; n < 3; n += 1) visit();
    await settled();
    await end({ kind: 'session', speaksDsn: false, answers: [visited] });
    assert.equal(ends.length - (asked === 0 ? 1 : 0), asked, visited.at);
  }
  const { ends, visit, end } = world(20);
  for (let n = 0; n < 3; n += 1) visit();
  await settled();
  await end({ kind: 'no-connection', problem: { kind: 'source', text: '' } });
  assert.equal(ends.length, 2);
});
