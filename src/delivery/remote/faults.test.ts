/**
 * What next hops do wrong, at each step of a session, through the whole way out: a first host that misbehaves, a second that
 * does not. Each fault costs its deadline (RFC 5321 §4.5.3.2) and no more, and nothing that may have arrived is sent twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { MemoryConnection } from '../../../test/support/memory-connection.ts';
import { memoryPair } from '../../../test/support/memory-connection.ts';
import { newMessage, queued, remoteRecipient } from '../../../test/support/queued.ts';
import { directRoute, singleSessions } from '../../../test/support/routes.ts';
import { EHLO, obliging, play } from '../../../test/support/scripted-hop.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { fromLatin1, latin1 } from '../../base/bytes.ts';
import type { Connect } from '../../base/connection.ts';
import { sleep } from '../../base/clock.ts';
import { err, ok } from '../../base/result.ts';
import type { Zone } from '../../dns/memory/resolver.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import { SMTP_TIMEOUTS } from '../../smtp/client/timeouts.ts';
import type { Outcome } from '../outcome.ts';
import { openMemoryBlobStore } from '../../store/memory/blob-store.ts';
import { BrokenTls } from './broken-tls.ts';
import { RemoteDelivery } from './remote-delivery.ts';
import { Routing } from './routing.ts';
import { SmtpHop } from './smtp-hop.ts';
import type { HopProtocol } from './router.ts';
import { uniformTlsPolicy } from './tls-policy.ts';
import type { TlsRequirement } from './tls-requirement.ts';

const ZONE = {
  'far.example': {
    mx: [
      { preference: 10, exchange: 'one.example' },
      { preference: 20, exchange: 'two.example' },
    ],
  },
  'one.example': { a: ['192.0.2.1'] },
  'two.example': { a: ['192.0.2.2'] },
};

/** Plays one connection to the first host, or says that there is none. */
type FirstHost = (server: MemoryConnection, clock: FakeClock, visit: number) => Promise<void> | 'no-answer';

const CONNECT_MS = 30_000;
const CONNECT_SOON_MS = 10_000;

async function send(
  first: FirstHost,
  content = 'Subject: x\r\n\r\nx\r\n',
  {
    later,
    tls = { kind: 'opportunistic' },
    brokenTlsMs = 0,
    zone = ZONE,
    times = 1,
    protocol = 'smtp',
    to = ['bob'],
  }: {
    /** Where given, a second attempt is made by this zone. */
    readonly later?: Zone;
    readonly tls?: TlsRequirement;
    readonly brokenTlsMs?: number;
    readonly zone?: Zone;
    /** Messages, one after the other. */
    readonly times?: number;
    readonly protocol?: HopProtocol;
    readonly to?: readonly string[];
  } = {},
) {
  const clock = new FakeClock();
  const startMs = clock.monotonicMs();
  const visits: string[] = [];
  let toFirst = 0;
  const connect: Connect = async ({ host, timeoutMs }) => {
    visits.push(`${host} after ${clock.monotonicMs() - startMs}`);
    const { client, server } = memoryPair({ clock, windowOctets: 1000 });
    if (host === 'two.example') void play(server, '220 two\r\n', obliging({}, '250 two\r\n').script);
    else {
      toFirst += 1;
      const played = first(server, clock, toFirst);
      if (played === 'no-answer') {
        await sleep(clock, timeoutMs);
        return err({ kind: 'timeout', text: 'no answer' });
      }
      void played;
    }
    return ok(client);
  };
  const resolver = new MemoryResolver(zone);
  const blobs = openMemoryBlobStore();
  const writer = blobs.create();
  await writer.write(fromLatin1(content));
  const delivery = new RemoteDelivery({
    routing: new Routing({
      resolver,
      random: seededRandom(),
      ownNames: [],
      ownAddresses: [],
      loopbackAllowed: false,
    }),
    tlsPolicy: uniformTlsPolicy(tls),
    hop: new SmtpHop({
      connect,
      clock,
      random: seededRandom(),
      connectTimeoutMs: CONNECT_MS,
      connectSoonMs: CONNECT_SOON_MS,
      timeouts: SMTP_TIMEOUTS,
      sessions: singleSessions(clock),
    }),
    brokenTls: new BrokenTls(clock, brokenTlsMs),
    blobs,
    clock,
    events: () => undefined,
  });
  const recipients = to.map((local) => remoteRecipient(`${local}@far.example`));
  const message = queued(newMessage(recipients, { blob: await writer.finish() }));
  const direct = directRoute('far.example');
  const route = { ...direct, speech: { ...direct.speech, protocol } };
  const signal = new AbortController().signal;
  let outcomes: ReadonlyMap<number, Outcome> = new Map();
  const attempt = async () => {
    const delivering = delivery.deliver(message, route, message.recipients, signal);
    await clock.advance(3_600_000);
    ({ outcomes } = await delivering);
    return outcomes.get(0);
  };
  let outcome = await attempt();
  for (let time = 1; time < times; time += 1) outcome = await attempt();
  if (later !== undefined) {
    assert.equal(outcome?.kind, 'delayed');
    resolver.replace(later);
    outcome = await attempt();
  }
  return {
    said: `${outcome?.kind} ${outcome?.answer?.host ?? outcome?.answer?.reason}`,
    status: outcome?.answer?.status,
    all: message.recipients.map(({ number }) => {
      const one = outcomes.get(number);
      return `${one?.kind} ${one?.answer?.host ?? one?.answer?.reason}`;
    }),
    visits,
    left: clock.pending,
  };
}

const scripted =
  (
    answers: Readonly<Record<string, string | undefined>>,
    hello = EHLO,
    greeting: string | undefined = '220 one\r\n',
  ): FirstHost =>
  (server) =>
    play(server, greeting, obliging(answers, hello).script);

const silentFromTheStart: FirstHost = (server) => play(server, undefined, () => undefined);

/** Takes commands up to DATA, says 354, and reads no further. */
const deaf: FirstHost = async (server) => {
  const say = (text: string): void => void server.write(fromLatin1(text));
  say('220 one\r\n');
  for (;;) {
    const chunk = await server.read(1e9);
    if (typeof chunk === 'string') return;
    const line = latin1(chunk);
    if (line.startsWith('DATA')) return say('354 go\r\n');
    say(line.startsWith('EHLO') ? '250 one\r\n' : '250 Ok\r\n');
  }
};

/** Reads what it is sent after a pause each time. */
const slow: FirstHost = async (server, clock) => {
  const say = (text: string): void => void server.write(fromLatin1(text));
  say('220 one\r\n');
  let inData = false;
  for (;;) {
    const chunk = await server.read(1e9);
    if (typeof chunk === 'string') return;
    const line = latin1(chunk);
    if (!inData) {
      inData = line.startsWith('DATA');
      say(inData ? '354 go\r\n' : line.startsWith('EHLO') ? '250 one\r\n' : '250 Ok\r\n');
    } else {
      await sleep(clock, 100_000);
      if (line.endsWith('\r\n.\r\n')) {
        inData = false;
        say('250 2.0.0 taken slowly\r\n');
      }
    }
  }
};

/** Dribbles an answer that never ends, an octet a second. */
const dribbling: FirstHost = async (server, clock) => {
  for (;;) {
    if (server.gone !== undefined) return;
    void server.write(fromLatin1('2'));
    await sleep(clock, 100_000);
  }
};

const TLS = '250-one\r\n250 STARTTLS\r\n';
const LARGE = `Subject: x\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(200_000, `${'y'.repeat(70)}\r\n`);

/** What the first host does, how long until the second is gone to; undefined: it never is. */
const stalls: readonly (readonly [
  step: string,
  first: FirstHost,
  secondAfterMs: number | undefined,
  said?: string,
])[] = [
  ['connecting', () => 'no-answer', CONNECT_MS],
  ['the greeting (RFC 5321 §4.5.3.2.1)', silentFromTheStart, 300_000],
  ['the greeting, octet by octet', dribbling, 300_000],
  ['EHLO', scripted({ EHLO: undefined }), 300_000],
  ['MAIL (RFC 5321 §4.5.3.2.2)', scripted({ MAIL: undefined }), 300_000],
  ['RCPT (RFC 5321 §4.5.3.2.3)', scripted({ RCPT: undefined }), 300_000],
  ['DATA (RFC 5321 §4.5.3.2.4)', scripted({ DATA: undefined }), 120_000],
  // The copy may have arrived: the mail waits, and no other host is given it.
  ['the final dot (RFC 5321 §4.5.3.2.6)', scripted({ '.': undefined }), undefined, 'delayed smtp.timeout'],
  ['QUIT', scripted({ QUIT: undefined }), undefined, 'relayed one.example'],
];
for (const [step, first, secondAfterMs, said = 'relayed two.example'] of stalls)
  test(`a host that stalls at ${step}: ${said}`, async () => {
    const found = await send(first);
    assert.equal(found.said, said);
    const second = secondAfterMs === undefined ? [] : [`two.example after ${secondAfterMs}`];
    assert.deepEqual(found.visits, ['one.example after 0', ...second]);
    assert.equal(found.left, 0, 'no timer is left');
  });

test('of a host with several addresses those that are silent cost less, but for the last', async () => {
  const zone = { ...ZONE, 'one.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] } };
  const { said, visits } = await send(() => 'no-answer', undefined, { zone });
  const afterMs = CONNECT_SOON_MS + CONNECT_MS;
  assert.deepEqual(
    [said, visits],
    [
      'relayed two.example',
      ['one.example after 0', `one.example after ${CONNECT_SOON_MS}`, `two.example after ${afterMs}`],
    ],
  );
});

test('a host that takes no more of the content is given up after three minutes (RFC 5321 §4.5.3.2.5)', async () => {
  const { said, visits } = await send(deaf, LARGE);
  assert.deepEqual(
    [said, visits],
    ['relayed two.example', ['one.example after 0', 'two.example after 180000']],
  );
});

test('a host that reads slowly, but reads, is waited for', async () => {
  const { said, visits } = await send(slow, LARGE);
  assert.deepEqual([said, visits], ['relayed one.example', ['one.example after 0']]);
});

test('a handshake that stalls is followed by plain text, as TLS is opportunistic (RFC 7435)', async () => {
  const { said, visits } = await send((server, _clock, visit) =>
    play(server, '220 one\r\n', obliging({ STARTTLS: '220 go\r\n' }, visit === 1 ? TLS : EHLO).script),
  );
  assert.deepEqual(
    [said, visits],
    ['relayed one.example', ['one.example after 0', 'one.example after 60000']],
  );
});

/** What the first host does at STARTTLS; how long until it is gone to in plain, or where it is not, until the second is. */
const tlsFaults: readonly (readonly [
  what: string,
  first: FirstHost,
  then: 'one' | 'two',
  afterMs: number,
])[] = [
  ['stalls at STARTTLS', scripted({ STARTTLS: undefined }, TLS), 'one', 300_000],
  ['closes at STARTTLS', scripted({ STARTTLS: 'close' }, TLS), 'one', 0],
  ['resets at STARTTLS', scripted({ STARTTLS: 'reset' }, TLS), 'one', 0],
  ['speaks another protocol at STARTTLS', scripted({ STARTTLS: 'what\r\n' }, TLS), 'one', 0],
  ['says more in plain behind its invitation', scripted({ STARTTLS: '220 go\r\n250 x\r\n' }, TLS), 'one', 0],
  ['is cut in the handshake', underTls('handshake', 'reset'), 'one', 0],
  ['closes at the first command under TLS', underTls('EHLO', 'reset'), 'one', 0],
  ['stalls at the first command under TLS', underTls('EHLO', 'silent'), 'one', 300_000],
  ['says 421 at STARTTLS (RFC 5321 §3.8)', scripted({ STARTTLS: '421 bye\r\n' }, TLS), 'two', 0],
];
for (const [what, first, then, afterMs] of tlsFaults) {
  test(`a host that ${what}, where TLS is opportunistic (RFC 7435): ${then === 'one' ? 'in plain' : 'the next'}`, async () => {
    const found = await send(first);
    assert.equal(found.said, `relayed ${then}.example`);
    assert.deepEqual(found.visits, ['one.example after 0', `${then}.example after ${afterMs}`]);
    assert.equal(found.left, 0, 'no timer is left');
  });
  test(`a host that ${what}, where TLS must be: never in plain`, async () => {
    const found = await send(first, undefined, { tls: { kind: 'encrypt' } });
    assert.equal(found.said, 'delayed tls.not-offered');
    assert.deepEqual(found.visits, ['one.example after 0', `two.example after ${afterMs}`]);
  });
  if (then === 'one')
    test(`a host that ${what}: the next message does not find that out again`, async () => {
      const { said, visits } = await send(first, undefined, { brokenTlsMs: 86_400_000, times: 2 });
      assert.deepEqual([said, visits.length], ['relayed one.example', 3]);
    });
}

/** Offers TLS, and in it does this at the handshake or at the first command; to who comes again in plain it is obliging. */
function underTls(at: 'handshake' | 'EHLO', what: 'reset' | 'silent'): FirstHost {
  return async (server, _clock, visit) => {
    const plain = obliging({}, TLS).script;
    if (visit > 1) return play(server, '220 one\r\n', plain);
    const say = (text: string): void => void server.write(fromLatin1(text));
    say('220 one\r\n');
    await server.read(1e9);
    say(TLS);
    await server.read(1e9);
    say('220 go\r\n');
    if (at === 'EHLO') {
      await server.startTls({ side: 'server', timeoutMs: 1e9 });
      await server.read(1e9);
    } else await Promise.resolve();
    if (what === 'reset') server.destroy();
  };
}

const STEPS = ['EHLO', 'MAIL', 'RCPT', 'DATA', '.'] as const;
const LONG = `250 ${'x'.repeat(10_000_000)}\r\n`;
const ENDLESS = '250-more\r\n'.repeat(100_000);

const faults: readonly (readonly [what: string, answer: string, afterTheDot: string])[] = [
  ['closes', 'close', 'delayed smtp.reset'],
  ['resets', 'reset', 'delayed smtp.reset'],
  ['says 421 (RFC 5321 §3.8)', '421 4.3.2 shutting down\r\n', 'delayed one.example'],
  ['speaks another protocol', 'HTTP/1.1 400 Bad Request\r\n', 'delayed smtp.garbage'],
  ['says a line of 10 MB', LONG, 'delayed smtp.garbage'],
  ['says lines without end', ENDLESS, 'delayed smtp.garbage'],
  ['says lines of different codes (RFC 5321 §4.2.1)', '250-one\r\n550 two\r\n', 'delayed smtp.garbage'],
  ['says NUL and octets beyond ASCII', '\0\xff\xfe\r\n', 'delayed smtp.garbage'],
];
for (const [what, answer, afterTheDot] of faults) {
  test(`a host that ${what} instead of greeting: the next`, async () => {
    const found = await send(scripted({}, EHLO, answer));
    assert.deepEqual([found.said, found.visits.length], ['relayed two.example', 2]);
  });
  for (const step of STEPS)
    test(`a host that ${what} at ${step === '.' ? 'the final dot' : step}`, async () => {
      const found = await send(scripted({ [step]: answer }));
      const want = step === '.' ? [afterTheDot, 1] : ['relayed two.example', 2];
      assert.deepEqual([found.said, found.visits.length], want);
      assert.equal(found.left, 0, 'no timer is left');
    });
}

const odd: readonly (readonly [what: string, first: FirstHost, want: string, visits: number])[] = [
  ['says 250 to DATA', scripted({ DATA: '250 what\r\n' }), 'relayed two.example', 2],
  ['says 354 to RCPT', scripted({ RCPT: '354 go\r\n' }), 'relayed two.example', 2],
  ['answers MAIL twice', scripted({ MAIL: '250 Ok\r\n250 Ok\r\n' }), 'relayed two.example', 2],
  [
    'says yes with a status of no (RFC 2034 §4)',
    scripted({ '.': '250 5.0.0 Ok\r\n' }),
    'relayed one.example',
    1,
  ],
  ['says no with a status of yes', scripted({ RCPT: '550 2.1.5 Ok\r\n' }), 'failed one.example', 1],
  [
    'announces PIPELINING and reads one command of each packet (RFC 2920 §3.2)',
    (server) => onePerPacket(server),
    'relayed two.example',
    2,
  ],
];
for (const [what, first, want, visits] of odd)
  test(`a host that ${what}: ${want}`, async () => {
    const found = await send(first);
    assert.deepEqual([found.said, found.visits.length], [want, visits]);
  });

async function onePerPacket(server: MemoryConnection): Promise<void> {
  const say = (text: string): void => void server.write(fromLatin1(text));
  say('220 one\r\n');
  for (;;) {
    const chunk = await server.read(1e9);
    if (typeof chunk === 'string') return;
    say(latin1(chunk).startsWith('EHLO') ? '250-one\r\n250 PIPELINING\r\n' : '250 Ok\r\n');
  }
}

const changed: readonly (readonly [what: string, later: Zone, want: string])[] = [
  [
    'another host',
    {
      'far.example': { mx: [{ preference: 1, exchange: 'two.example' }] },
      'two.example': { a: ['192.0.2.2'] },
    },
    'relayed two.example',
  ],
  [
    'a null MX (RFC 7505 §3)',
    { 'far.example': { mx: [{ preference: 0, exchange: '' }] } },
    'failed dns.null-mx',
  ],
  ['no domain', {}, 'failed dns.no-domain'],
  ['no answer', { 'far.example': { fails: 'timeout' } }, 'delayed dns.timeout'],
];
for (const [what, later, want] of changed)
  test(`a domain that has ${what} at the next attempt: ${want}`, async () => {
    const { said } = await send(scripted({ '.': '451 4.3.0 later\r\n' }), undefined, { later });
    assert.equal(said, want);
  });

const CHUNKING = '250-one\r\n250 CHUNKING\r\n';

/** Takes BDAT by its octets, and answers the chunk that is so many, or the last, in its own way. */
function byChunks(at: number | 'last', answer: string | undefined): FirstHost {
  return async (server) => {
    const say = (text: string): void => void server.write(fromLatin1(text));
    let held = '';
    let chunks = 0;
    say('220 one\r\n');
    for (;;) {
      const end = held.indexOf('\r\n');
      if (end === -1) {
        const chunk = await server.read(1e9);
        if (typeof chunk === 'string') return;
        held += latin1(chunk);
        continue;
      }
      const line = held.slice(0, end);
      const [, octets, last] = /^BDAT (\d+)( LAST)?$/.exec(line) ?? [];
      if (octets !== undefined && held.length < end + 2 + Number(octets)) {
        const chunk = await server.read(1e9);
        if (typeof chunk === 'string') return;
        held += latin1(chunk);
        continue;
      }
      held = held.slice(end + 2 + Number(octets ?? 0));
      if (octets !== undefined) chunks += 1;
      const isIt = octets !== undefined && (at === 'last' ? last !== undefined : chunks === at);
      if (!isIt) say(line.startsWith('EHLO') ? CHUNKING : '250 2.0.0 Ok\r\n');
      else if (answer === 'reset') server.destroy();
      else if (answer !== undefined) say(answer);
    }
  };
}

const chunked: readonly (readonly [
  what: string,
  first: FirstHost,
  want: string,
  visits: readonly string[],
])[] = [
  ['takes all chunks', byChunks('last', '250 2.0.0 Ok\r\n'), 'relayed one.example', []],
  ['stalls at a chunk', byChunks(1, undefined), 'relayed two.example', ['two.example after 120000']],
  ['resets at a chunk', byChunks(1, 'reset'), 'relayed two.example', ['two.example after 0']],
  ['refuses a chunk', byChunks(2, '552 5.3.4 Too big\r\n'), 'failed one.example', []],
  // The copy may have arrived.
  ['stalls at the last chunk', byChunks('last', undefined), 'delayed smtp.timeout', []],
  ['resets at the last chunk', byChunks('last', 'reset'), 'delayed smtp.reset', []],
];
for (const [what, first, want, visits] of chunked)
  test(`a host that ${what} (RFC 3030 §2, RFC 5321 §4.5.3.2): ${want}`, async () => {
    const found = await send(first, LARGE);
    assert.deepEqual([found.said, found.visits], [want, ['one.example after 0', ...visits]]);
    assert.equal(found.left, 0, 'no timer is left');
  });

/** Answers the content with these replies, one for each recipient, and then does this. */
const lmtp =
  (replies: readonly string[], then: 'goes on' | 'closes'): FirstHost =>
  (server) => {
    const { script } = obliging({ '.': replies.map((reply) => `${reply}\r\n`).join('') }, '250 one\r\n');
    return play(server, '220 one\r\n', (line) => {
      // Behind what is said to it.
      if (line === '.' && then === 'closes') queueMicrotask(() => void server.close());
      return script(line);
    });
  };

const TAKEN = '250 2.0.0 Ok';
const mixed: readonly (readonly [what: string, first: FirstHost, want: readonly string[]])[] = [
  [
    'takes one, refuses one, puts one off',
    lmtp([TAKEN, '550 5.1.1 No such user', '452 4.2.2 Full'], 'goes on'),
    ['relayed one.example', 'failed one.example', 'delayed one.example'],
  ],
  [
    'takes the last alone',
    lmtp(['554 5.7.1 No', '554 5.7.1 No', TAKEN], 'goes on'),
    ['failed one.example', 'failed one.example', 'relayed one.example'],
  ],
  [
    'takes one and closes: of the others nobody knows',
    lmtp([TAKEN], 'closes'),
    ['relayed one.example', 'delayed smtp.reset', 'delayed smtp.reset'],
  ],
  [
    'takes one and falls silent',
    lmtp([TAKEN], 'goes on'),
    ['relayed one.example', 'delayed smtp.timeout', 'delayed smtp.timeout'],
  ],
  [
    'takes one and says 421 (RFC 5321 §3.8)',
    lmtp([TAKEN, '421 4.3.2 Bye'], 'closes'),
    ['relayed one.example', 'delayed one.example', 'delayed smtp.reset'],
  ],
  [
    'says something else in between',
    lmtp([TAKEN, 'what', TAKEN], 'goes on'),
    ['relayed one.example', 'delayed smtp.garbage', 'delayed smtp.garbage'],
  ],
];
for (const [what, first, want] of mixed)
  test(`an LMTP host that ${what} (RFC 2033 §4.2)`, async () => {
    const found = await send(first, undefined, { protocol: 'lmtp', to: ['amy', 'bob', 'cid'] });
    assert.deepEqual(found.all, want);
    assert.deepEqual(found.visits, ['one.example after 0'], 'what may have arrived goes to no other host');
    assert.equal(found.left, 0, 'no timer is left');
  });
