import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../test/support/world.ts';
import { FakeClock, settled } from '../../../test/support/fake-clock.ts';
import { memoryPair } from '../../../test/support/memory-connection.ts';
import { hopTarget } from '../../../test/support/routes.ts';
import { hopMessage, obliging, play } from '../../../test/support/scripted-hop.ts';
import type { Connection } from '../../base/connection.ts';
import { ok } from '../../base/result.ts';
import { SMTP_TIMEOUTS } from '../../smtp/client/timeouts.ts';
import type { HopTarget, HopVisit } from './hop.ts';
import { SessionPool } from './session-pool.ts';
import type { SessionPoolOptions } from './session-pool.ts';
import { SmtpHop } from './smtp-hop.ts';

type Peer = { readonly server: Connection; readonly lines: string[] };

/** @param answers of the peer to the first line of its second message that begins so; its first message it takes */
function world(options: Partial<SessionPoolOptions> = {}, answers: Readonly<Record<string, string>> = {}) {
  const clock = new FakeClock();
  const peers: Peer[] = [];
  const sessions = new SessionPool(clock, {
    idleMs: 3000,
    idleMax: 10,
    messagesMax: 100,
    ageMs: 60_000,
    ...options,
  });
  const hop = new SmtpHop({
    connect: async () => {
      const { client, server } = memoryPair({ clock });
      const obedient = obliging();
      const isFirst = peers.length === 0;
      peers.push({ server, lines: obedient.lines });
      void play(server, '220 there\r\n', (line) => {
        const isSecond = obedient.lines.filter((one) => one.startsWith('MAIL')).length > 0 && isFirst;
        const start = Object.keys(answers).find((one) => line.startsWith(one));
        const again = obedient.lines.includes('.') && isSecond && start !== undefined;
        if (!again) return obedient.script(line);
        obedient.lines.push(line);
        return answers[start];
      });
      return ok(client);
    },
    clock,
    connectTimeoutMs: 1000,
    connectSoonMs: 1000,
    random: seededRandom(),
    timeouts: SMTP_TIMEOUTS,
    sessions,
  });
  const visit = async (target: Partial<HopTarget> = {}): Promise<HopVisit> => {
    const visiting = hop.visit(hopTarget(target), hopMessage(), new AbortController().signal);
    await settled();
    await clock.advance(10);
    return visiting;
  };
  const count = (start: string): readonly number[] =>
    peers.map(
      ({ lines }) => lines.filter((line) => (start === '.' ? line === '.' : line.startsWith(start))).length,
    );
  return { clock, peers, sessions, visit, count };
}

function outcome(visit: HopVisit): string {
  if (visit.kind !== 'session') return visit.kind;
  const [answer] = visit.answers;
  if (answer?.kind === 'replied') return `${answer.at} ${answer.reply.code}`;
  return answer?.kind === 'lost' ? `lost ${answer.at} ${answer.how}` : 'unfit';
}

test('the next message to the same target goes over the same session', async () => {
  const { visit, count, peers } = world();
  const first = await visit();
  const second = await visit();
  assert.deepEqual([outcome(first), outcome(second)], ['content 250', 'content 250']);
  assert.equal(peers.length, 1);
  assert.deepEqual([count('EHLO'), count('MAIL'), count('QUIT')], [[1], [2], [0]]);
  assert.equal(first.kind === 'session' && first.opened?.isNew, true);
  assert.equal(second.kind === 'session' && second.opened?.isNew, false);
});

const between = [
  { name: 'is closed by the peer', end: (server: Connection) => void server.close() },
  { name: 'is broken', end: (server: Connection) => server.destroy() },
  {
    name: 'is ended with 421 (RFC 5321 §3.8)',
    end: (server: Connection) => {
      void server.write(Buffer.from('421 4.4.2 idle too long\r\n'));
      void server.close();
    },
  },
];
for (const { name, end } of between)
  test(`a session that ${name} between two messages costs the second nothing, and it goes out once`, async () => {
    const { visit, count, peers } = world();
    await visit();
    const [peer] = peers;
    assert.ok(peer);
    end(peer.server);
    await settled();
    assert.equal(outcome(await visit()), 'content 250');
    assert.deepEqual([peers.length, count('.')], [2, [1, 1]]);
  });

const refusals = [
  { name: '421 to MAIL', answers: { MAIL: '421 4.7.0 enough\r\n' }, want: 'content 250', sessions: 2 },
  { name: '450 to MAIL', answers: { MAIL: '450 4.7.1 enough\r\n' }, want: 'content 250', sessions: 2 },
  { name: 'a close at MAIL', answers: { MAIL: 'close' }, want: 'content 250', sessions: 2 },
  { name: '421 to RCPT', answers: { RCPT: '421 4.3.2 going\r\n' }, want: 'content 250', sessions: 2 },
  { name: 'a close at DATA', answers: { DATA: 'close' }, want: 'content 250', sessions: 2 },
  { name: '450 to RCPT', answers: { RCPT: '450 4.2.1 busy\r\n' }, want: 'rcpt 450', sessions: 1 },
  { name: '550 to MAIL', answers: { MAIL: '550 5.7.1 no\r\n' }, want: 'mail 550', sessions: 1 },
  { name: '421 after the content', answers: { '.': '421 4.3.0 oh\r\n' }, want: 'content 421', sessions: 1 },
  { name: 'a close after the content', answers: { '.': 'close' }, want: 'lost content reset', sessions: 1 },
];
for (const { name, answers, want, sessions } of refusals)
  test(`on a session that was used before, ${name} leads to ${sessions} sessions, and no second copy`, async () => {
    const { visit, peers } = world({}, answers);
    await visit();
    assert.equal(outcome(await visit()), want);
    assert.equal(peers.length, sessions);
  });

test('a session ends after so many messages', async () => {
  const { visit, count } = world({ messagesMax: 2 });
  for (let n = 0; n < 5; n += 1) await visit();
  assert.deepEqual(
    [count('MAIL'), count('QUIT')],
    [
      [2, 2, 1],
      [1, 1, 0],
    ],
  );
});

test('a session ends after its last message when it is too old, and when it is idle for too long', async () => {
  const { visit, count, clock, sessions } = world({ ageMs: 5000 });
  await visit();
  await clock.advance(2900);
  await visit();
  await clock.advance(2900);
  await visit();
  assert.deepEqual([count('MAIL'), count('QUIT')], [[3], [1]]);
  await visit();
  assert.equal(sessions.size, 1);
  await clock.advance(3000);
  assert.deepEqual([count('QUIT'), sessions.size], [[1, 1], 0]);
});

const apart: readonly [string, Partial<HopTarget>][] = [
  ['port', { port: 2525 }],
  ['address', { address: '192.0.2.99' }],
  ['requirement of TLS', { tls: { kind: 'none' } }],
  ['source address', { localAddress: '192.0.2.77' }],
  ['name in EHLO', { helloName: 'other.example' }],
  ['login', { credentials: { authenticationId: 'x', password: 'y' } }],
];
for (const [what, target] of apart)
  test(`another ${what} is another session`, async () => {
    const { visit, peers } = world();
    await visit({ tls: { kind: 'opportunistic' } });
    await visit({ tls: { kind: 'opportunistic' }, ...target });
    assert.equal(peers.length, 2);
  });

test('beyond the bound the one that is idle longest ends; after close none is kept', async () => {
  const { visit, count, sessions } = world({ idleMax: 2 });
  for (const port of [1, 2, 3]) await visit({ port });
  assert.deepEqual([count('QUIT'), sessions.size], [[1, 0, 0], 2]);
  sessions.close();
  await settled();
  assert.deepEqual([count('QUIT'), sessions.size], [[1, 1, 1], 0]);
  await visit({ port: 4 });
  await settled();
  assert.deepEqual(count('QUIT'), [1, 1, 1, 1]);
});
