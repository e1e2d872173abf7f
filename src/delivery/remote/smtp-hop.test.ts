import { seededRandom } from '../../../test/support/world.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../../test/support/fake-clock.ts';
import { EHLO, hopMessage, obliging, play } from '../../../test/support/scripted-hop.ts';
import type { Script } from '../../../test/support/scripted-hop.ts';
import { memoryPair } from '../../../test/support/memory-connection.ts';
import { remoteRecipient } from '../../../test/support/queued.ts';
import { hopTarget, singleSessions } from '../../../test/support/routes.ts';
import type { Connect } from '../../base/connection.ts';
import { err, ok } from '../../base/result.ts';
import { SMTP_TIMEOUTS } from '../../smtp/client/timeouts.ts';
import type { HopMessage, HopTarget, HopVisit } from './hop.ts';
import { SmtpHop } from './smtp-hop.ts';

async function visit(
  peer: { greeting?: string | undefined; script: Script },
  message: HopMessage = hopMessage(),
  play_: { advanceMs?: number; abortAfter?: boolean; target?: Partial<HopTarget> } = {},
): Promise<HopVisit> {
  const clock = new FakeClock();
  const { client, server } = memoryPair({ clock });
  const connect: Connect = async () => ok(client);
  const abort = new AbortController();
  void play(server, 'greeting' in peer ? peer.greeting : '220 there\r\n', peer.script);
  const hop = new SmtpHop({
    connect,
    clock,
    connectTimeoutMs: 30_000,
    connectSoonMs: 30_000,
    random: seededRandom(),
    timeouts: SMTP_TIMEOUTS,
    sessions: singleSessions(clock),
  });
  const target = hopTarget(play_.target);
  const visiting = hop.visit(target, message, abort.signal);
  await settled();
  if (play_.abortAfter === true) abort.abort();
  await clock.advance(play_.advanceMs ?? 20_000);
  return visiting;
}

const short = (found: HopVisit): string => {
  if (found.kind !== 'session') return found.kind === 'cannot' ? `cannot ${found.what}` : found.kind;
  return found.answers
    .map((answer) =>
      answer.kind === 'replied'
        ? `${answer.at} ${answer.reply.code}`
        : answer.kind === 'lost'
          ? `lost ${answer.at} ${answer.how}`
          : answer.status,
    )
    .join(', ');
};

test('a message goes out, dots stuffed, with what was asked about DSNs (RFC 5321 §4.5.2, RFC 3461 §4)', async () => {
  const peer = obliging();
  const message = hopMessage({
    body: '8bitmime',
    dsn: { ret: 'hdrs', envid: 'a+b' },
    recipients: [
      remoteRecipient('bob@far.example', { notify: [], originalRecipient: 'rfc822;Bob+2Bx@far.example' }),
    ],
  });
  const found = await visit(peer, message);
  assert.equal(short(found), 'content 250');
  assert.equal(found.kind === 'session' && found.speaksDsn, true);
  assert.deepEqual(peer.lines, [
    'EHLO here.example',
    'MAIL FROM:<author@sender.example> SIZE=20 BODY=8BITMIME RET=HDRS ENVID=a+2Bb',
    'RCPT TO:<bob@far.example> NOTIFY=NEVER ORCPT=rfc822;Bob+2Bx@far.example',
    'DATA',
    'Subject: x',
    '',
    '..dot',
    '.',
    'QUIT',
  ]);
});

const misbehaviour: readonly {
  name: string;
  peer: { greeting?: string | undefined; script: Script };
  want: string;
  advanceMs?: number;
}[] = [
  {
    name: 'silent from the start',
    peer: { greeting: undefined, script: () => undefined },
    want: 'lost greeting timeout',
    advanceMs: 400_000,
  },
  {
    name: 'closed at once',
    peer: { greeting: 'close', script: () => undefined },
    want: 'lost greeting reset',
  },
  {
    name: 'reset at once',
    peer: { greeting: 'reset', script: () => undefined },
    want: 'lost greeting reset',
  },
  {
    name: 'another protocol',
    peer: { greeting: 'SSH-2.0-OpenSSH\r\n', script: () => undefined },
    want: 'lost greeting garbage',
  },
  {
    name: 'a line without end',
    peer: { greeting: `220 ${'x'.repeat(10_000_000)}`, script: () => undefined },
    want: 'lost greeting garbage',
  },
  {
    name: '554 as greeting',
    peer: { greeting: '554 no\r\n', script: () => undefined },
    want: 'greeting 554',
  },
  {
    name: '421 as greeting',
    peer: { greeting: '421 busy\r\n', script: () => undefined },
    want: 'greeting 421',
  },
  {
    name: 'refuses EHLO and HELO',
    peer: obliging({ EHLO: '502 no\r\n', HELO: '550 no\r\n' }),
    want: 'hello 550',
  },
  { name: 'knows only HELO', peer: obliging({ EHLO: '502 no\r\n' }), want: 'content 250' },
  {
    name: 'silent at MAIL',
    peer: obliging({ MAIL: undefined }),
    want: 'lost mail timeout',
    advanceMs: 400_000,
  },
  { name: 'refuses MAIL', peer: obliging({ MAIL: '550 5.7.1 no\r\n' }), want: 'mail 550' },
  { name: 'refuses RCPT', peer: obliging({ RCPT: '550 5.1.1 no\r\n' }), want: 'rcpt 550' },
  { name: 'greylists', peer: obliging({ RCPT: '451 4.7.1 later\r\n' }), want: 'rcpt 451' },
  { name: 'closes at RCPT', peer: obliging({ RCPT: 'close' }), want: 'lost rcpt reset' },
  { name: 'refuses DATA', peer: obliging({ DATA: '554 no\r\n' }), want: 'mail 554' },
  { name: 'closes at DATA', peer: obliging({ DATA: 'reset' }), want: 'lost mail reset' },
  { name: 'refuses the content', peer: obliging({ '.': '554 5.7.1 spam\r\n' }), want: 'content 554' },
  {
    name: 'silent after the dot',
    peer: obliging({ '.': undefined }),
    want: 'lost content timeout',
    advanceMs: 700_000,
  },
  { name: 'closes after the dot', peer: obliging({ '.': 'reset' }), want: 'lost content reset' },
  { name: 'says 250 to DATA', peer: obliging({ DATA: '250 what\r\n' }), want: 'lost mail garbage' },
];
for (const { name, peer, want, advanceMs } of misbehaviour)
  test(`a hop that is or does: ${name}`, async () => {
    assert.equal(short(await visit(peer, hopMessage(), advanceMs === undefined ? {} : { advanceMs })), want);
  });

const lacking: readonly { name: string; hello: string; message: Partial<HopMessage>; want: string }[] = [
  {
    name: 'SMTPUTF8 (RFC 6531 §3.5)',
    hello: '250 there\r\n',
    message: { smtpUtf8: true },
    want: 'cannot smtputf8',
  },
  {
    name: '8BITMIME (RFC 6152 §3)',
    hello: '250 there\r\n',
    message: { body: '8bitmime' },
    want: 'cannot 8bitmime',
  },
  { name: 'room (RFC 1870 §6.1)', hello: EHLO, message: { octets: 1001 }, want: 'cannot size' },
  { name: 'BINARYMIME', hello: EHLO, message: { body: 'binarymime' }, want: 'cannot binarymime' },
];
for (const { name, hello, message, want } of lacking)
  test(`a hop without ${name}`, async () => {
    assert.equal(short(await visit(obliging({}, hello), hopMessage(message))), want);
  });

test('a recipient that no path can carry does not harm the others', async () => {
  const found = await visit(
    obliging(),
    hopMessage({}, ['a@b.example>\r\nRCPT TO:<x@y.example', 'bob@far.example']),
  );
  assert.equal(short(found), '5.1.3, content 250');
});

test('a failed handshake says so, and the same hop is taken in plain then', async () => {
  const hello = '250-there\r\n250 STARTTLS\r\n';
  const peer = obliging({ STARTTLS: '220 go\r\n', '\x16': 'reset' }, hello);
  let refused = false;
  const script: Script = (line) => {
    const answer = peer.script(line);
    // The peer sends more plain text behind its invitation: that is no TLS.
    if (line === 'STARTTLS') {
      refused = true;
      return `${answer}250 evil\r\n`;
    }
    return answer;
  };
  assert.equal(short(await visit({ script })), 'tls-failed');
  assert.ok(refused);
  assert.equal(
    short(await visit(obliging({}, hello), hopMessage(), { target: { tls: { kind: 'none' } } })),
    'content 250',
  );
});

test('a hop that must show TLS and offers none is not gone on with', async () => {
  const hello = '250 there\r\n';
  for (const tls of [{ kind: 'encrypt' }, { kind: 'verified', names: ['mx.far.example'] }] as const)
    assert.equal(short(await visit(obliging({}, hello), hopMessage(), { target: { tls } })), 'tls-failed');
});

test('cut while it waits: nothing was decided', async () => {
  const found = await visit(obliging({ MAIL: undefined }), hopMessage(), { abortAfter: true });
  assert.equal(short(found), 'lost mail stopped');
});

test('no connection', async () => {
  const clock = new FakeClock();
  const connect: Connect = async () => err({ kind: 'refused', text: 'Connection refused' });
  const hop = new SmtpHop({
    connect,
    clock,
    connectTimeoutMs: 1,
    connectSoonMs: 1,
    random: seededRandom(),
    timeouts: SMTP_TIMEOUTS,
    sessions: singleSessions(clock),
  });
  const found = await hop.visit(hopTarget(), hopMessage(), new AbortController().signal);
  assert.deepEqual(found, {
    kind: 'no-connection',
    problem: { kind: 'refused', text: 'Connection refused' },
  });
});

test('whom the hop takes in another session only, it is brought in another session (RFC 9422 §4)', async () => {
  const clock = new FakeClock();
  const heard: string[][] = [];
  const connect: Connect = async () => {
    const { client, server } = memoryPair({ clock });
    const peer = obliging({}, '250-there\r\n250 LIMITS MAILMAX=1 RCPTMAX=2\r\n');
    heard.push(peer.lines);
    void play(server, '220 there\r\n', peer.script);
    return ok(client);
  };
  const hop = new SmtpHop({
    connect,
    clock,
    connectTimeoutMs: 30_000,
    connectSoonMs: 30_000,
    random: seededRandom(),
    timeouts: SMTP_TIMEOUTS,
    sessions: singleSessions(clock),
  });
  const to = ['a', 'b', 'c', 'd', 'e'].map((one) => `${one}@far.example`);
  const found = await hop.visit(hopTarget(), hopMessage({}, to), new AbortController().signal);
  assert.equal(short(found), to.map(() => 'content 250').join(', '));
  assert.deepEqual(
    heard.map((lines) => lines.filter((line) => line.startsWith('RCPT')).length),
    [2, 2, 1],
  );
});
