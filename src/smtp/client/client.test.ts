import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MemoryConnection } from '../../../test/support/memory-connection.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { memoryPair } from '../../../test/support/memory-connection.ts';
import { envelopeAddress, outgoingMessage } from '../../../test/support/outgoing-message.ts';
import { office } from '../../../test/support/smtp-ports.ts';
import type { Office } from '../../../test/support/smtp-ports.ts';
import { SMTP_LIMITS } from '../server/limits.ts';
import { LMTP, SUBMISSION } from '../server/role.ts';
import { serveSmtp } from '../server/session.ts';
import { reply } from '../wire/reply.ts';
import { NO_FEATURES } from './features.ts';
import type { SendResult, SmtpClientOptions } from './client.ts';
import { openSmtp } from './client.ts';
import { formatProblem } from './problem.ts';
import { SMTP_TIMEOUTS } from './timeouts.ts';

const options = (clock: FakeClock, change: Partial<SmtpClientOptions> = {}): SmtpClientOptions => ({
  protocol: 'smtp',
  helloName: 'relay.example.test',
  servername: 'mail.example.test',
  tls: 'none',
  handshake: { certificate: { kind: 'any' } },
  chunking: false,
  random: seededRandom(),
  timeouts: SMTP_TIMEOUTS,
  clock,
  ...change,
});

/** Every recipient's outcome in a word or two. */
function words({ outcomes }: SendResult): string[] {
  return outcomes.map((outcome) =>
    outcome.kind === 'relayed' ? 'relayed' : `${outcome.kind} ${outcome.status} ${outcome.problem.stage}`,
  );
}

async function against(here: Office, change: Partial<SmtpClientOptions> = {}) {
  const pair = memoryPair({ clock: here.clock });
  const done = serveSmtp(pair.server, here.deps);
  const opened = await openSmtp(pair.client, options(here.clock, change));
  assert.ok(opened.ok, opened.ok ? '' : formatProblem(opened.error));
  return { client: opened.value, done, pair };
}

for (const chunking of [false, true]) {
  test(`against our own server, ${chunking ? 'BDAT' : 'DATA'}: several messages, each recipient's own outcome`, async () => {
    const here = office();
    const { client, done } = await against(here, { chunking });
    const content = 'Subject: x\r\n\r\n.\r\n..\r\nbody without end';
    const first = await client.send(
      outgoingMessage(
        ['alice@example.test', 'nobody@example.test', 'full@example.test', 'x@away.test'],
        content,
      ),
    );
    assert.deepEqual(words(first), [
      'relayed',
      'permanent 5.1.1 rcpt',
      'temporary 4.2.2 rcpt',
      'permanent 5.7.1 rcpt',
    ]);
    const none = await client.send(outgoingMessage(['nobody@example.test']));
    assert.deepEqual(words(none), ['permanent 5.1.1 rcpt']);
    assert.equal(none.reusable, true);
    const second = await client.send(
      outgoingMessage(['alice@example.test'], 'a\nb\r\n', { reversePath: null }),
    );
    assert.deepEqual(words(second), ['relayed']);
    await client.quit();
    await done;
    assert.deepEqual(
      here.taken.map((taken) => taken.content),
      [`${content}\r\n`, 'a\r\nb\r\n'],
    );
    assert.equal(here.open, 0);
  });
}

test('MAIL, RCPT and DATA leave in one write, the content with its end in another (RFC 2920 §3.1)', async () => {
  const here = office();
  const { client, pair } = await against(here);
  const before = pair.client.writes;
  await client.send(outgoingMessage(['alice@example.test']));
  assert.equal(pair.client.writes - before, 2);
});

test('parameters arrive as they were given (RFC 3461 §4, RFC 1870, RFC 6152, RFC 6531)', async () => {
  const here = office();
  const { client } = await against(here);
  const sent = outgoingMessage([], 'x\r\n', {
    recipients: [
      {
        forwardPath: envelopeAddress('ü@example.test'),
        notify: ['SUCCESS', 'DELAY'],
        originalRecipient: { type: 'rfc822', written: 'a+2Bb+3Dc@example.test' },
      },
    ],
    smtpUtf8: true,
    body: '8BITMIME',
    ret: 'HDRS',
    envelopeId: 'QQ 314=+',
  });
  assert.deepEqual(words(await client.send(sent)), ['relayed']);
  const [taken] = here.taken;
  assert.deepEqual(taken?.transaction.parameters, {
    declaredOctets: 3,
    body: '8BITMIME',
    smtpUtf8: true,
    ret: 'HDRS',
    envelopeId: 'QQ 314=+',
    submitter: undefined,
    requireTls: false,
    hold: undefined,
    deliverBy: undefined,
    priority: undefined,
    verp: undefined,
  });
  assert.deepEqual(taken.transaction.recipients[0]?.parameters, {
    notify: ['SUCCESS', 'DELAY'],
    originalRecipient: { type: 'rfc822', written: 'a+2Bb+3Dc@example.test' },
  });
});

test('STARTTLS and AUTH against our own submission', async () => {
  for (const [password, want] of [
    ['secret', 'ok'],
    ['wrong', '535'],
  ] as const) {
    const here = office({ role: SUBMISSION });
    const pair = memoryPair({ clock: here.clock });
    const done = serveSmtp(pair.server, here.deps);
    const opened = await openSmtp(
      pair.client,
      options(here.clock, { tls: 'required', credentials: { authenticationId: 'alice', password } }),
    );
    assert.equal(opened.ok ? 'ok' : formatProblem(opened.error).slice(0, 3), want);
    if (opened.ok)
      assert.deepEqual(words(await opened.value.send(outgoingMessage(['x@away.test']))), ['relayed']);
    pair.client.destroy();
    await done;
  }
});

test('LMTP: each accepted recipient has its own final reply (RFC 2033 §4.2)', async () => {
  const here = office({
    role: LMTP,
    commit: () => ({
      kind: 'each',
      outcomes: [{ kind: 'accepted' }, { kind: 'refuse', reason: 'x', reply: reply(452, '4.2.2', 'Full') }],
    }),
  });
  const { client } = await against(here, { protocol: 'lmtp' });
  const sent = await client.send(
    outgoingMessage(['alice@example.test', 'nobody@example.test', 'carol@example.test']),
  );
  assert.deepEqual(words(sent), ['relayed', 'permanent 5.1.1 rcpt', 'temporary 4.2.2 final']);
  assert.equal(sent.reusable, true);
});

test('more recipients than fit in one group, and than the peer takes', async () => {
  const here = office({ limits: { ...SMTP_LIMITS, recipientsMax: 250 } });
  const { client } = await against(here);
  // A peer that does not say what its limits are.
  client.features = { ...client.features, limits: NO_FEATURES.limits };
  const to = Array.from({ length: 260 }, (_, index) => `user${index}@example.test`);
  const result = words(await client.send(outgoingMessage(to)));
  assert.equal(result.filter((word) => word === 'relayed').length, 250);
  assert.deepEqual(new Set(result.slice(250)), new Set(['temporary 4.5.3 rcpt']));
});

test('what the peer lacks is known before anything is sent', async () => {
  const lacks = [
    { offered: '250 x', change: { smtpUtf8: true }, want: 'permanent 5.6.7 mail' },
    { offered: '250 x', change: { reversePath: envelopeAddress('ü@x.test') }, want: 'permanent 5.6.7 mail' },
    { offered: '250 x', change: { body: '8BITMIME' }, want: 'permanent 5.6.3 mail' },
    { offered: '250-x\r\n250 SIZE 10', change: {}, want: 'permanent 5.3.4 mail' },
    {
      offered: '250 x',
      change: { reversePath: { localPart: 'a\r\nRSET', domain: 'b', domainSyntax: 'name', ascii: true } },
      want: 'permanent 5.1.7 mail',
    },
  ] as const;
  for (const { offered, change, want } of lacks) {
    const scripted = script(['220 x', offered]);
    const opened = await openSmtp(scripted.client, options(scripted.clock));
    assert.ok(opened.ok);
    const heard = scripted.heard.length;
    assert.deepEqual(words(await opened.value.send(outgoingMessage(['a@example.test'], undefined, change))), [
      want,
    ]);
    assert.equal(scripted.heard.length, heard);
  }
});

function b64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** As `script`, from the start under TLS; '334 FIRST' is a first challenge of SCRAM, '334 ONE' one with a single iteration. */
function scriptTls(answers: readonly string[]): Scripted {
  return script(answers, true);
}

type Scripted = { readonly client: MemoryConnection; readonly clock: FakeClock; readonly heard: string[] };

/**
 * A peer that says the first line at once, then one answer for each write it hears; 'CLOSE' and 'RESET' end the connection,
 * 'SILENCE' says nothing and lets the time run out.
 */
function script(answers: readonly string[], tls = false): Scripted {
  const clock = new FakeClock();
  const { client, server } = memoryPair({ clock, tls });
  const heard: string[] = [];
  const left = [...answers];
  const answer = (): void => {
    const text = left.shift();
    const said = heard.at(-1) ?? '';
    if (text === '334 FIRST' || text === '334 ONE') {
      const [, nonce = ''] =
        /r=(.*)$/.exec(Buffer.from(said.trim().split(' ')[2] ?? '', 'base64').toString()) ?? [];
      const iterations = text === '334 ONE' ? 1 : 4096;
      void server.write(Buffer.from(`334 ${b64(`r=${nonce}server,s=QQ==,i=${iterations}`)}\r\n`));
    } else if (text === 'CLOSE' || text === undefined) void server.close();
    else if (text === 'RESET') server.destroy();
    else if (text === 'SILENCE') setImmediate(() => void clock.advance(3_600_000));
    else void server.write(Buffer.from(`${text}\r\n`, 'latin1'));
  };
  answer();
  void (async () => {
    for (;;) {
      const read = await server.read(86_400_000);
      if (typeof read === 'string') return;
      heard.push(Buffer.from(read).toString('latin1'));
      answer();
    }
  })();
  return { client, clock, heard };
}

const PLAIN = '250 x';
const PIPE = '250-x\r\n250 PIPELINING';

/** [name, answers, outcome of opening or of the two recipients, reusable]. */
const hostile: readonly (readonly [string, readonly string[], readonly string[], boolean])[] = [
  ['refused greeting', ['554 go away'], ['554 go away'], false],
  ['greeting 421', ['421 busy'], ['421 busy'], false],
  ['no greeting', ['CLOSE'], ['Connection lost at greeting'], false],
  ['reset at greeting', ['RESET'], ['Connection lost at greeting'], false],
  ['silent greeting', ['SILENCE'], ['No answer in time at greeting'], false],
  [
    'HTTP server',
    ['HTTP/1.1 400 Bad Request'],
    ['Not an SMTP reply (line) at greeting: "HTTP/1.1 400 Bad Request"'],
    false,
  ],
  [
    'endless line',
    ['2'.repeat(5000)],
    [`Not an SMTP reply (line-too-long) at greeting: "${'2'.repeat(200)}"`],
    false,
  ],
  [
    'endless reply',
    ['220-x\r\n'.repeat(200)],
    ['Not an SMTP reply (too-many-lines) at greeting: "220-x"'],
    false,
  ],
  ['silence after EHLO', ['220 x', 'SILENCE'], ['No answer in time at hello'], false],
  [
    'EHLO refused, HELO taken (RFC 5321 §3.2)',
    ['220 x', '502 what', PLAIN, '250 m', '250 r', '250 r', '354 go', '250 done'],
    ['relayed', 'relayed'],
    true,
  ],
  ['EHLO and HELO refused', ['220 x', '502 what', '550 no'], ['550 no'], false],
  [
    'MAIL refused for good',
    ['220 x', PLAIN, '550 5.7.1 no', '250 reset'],
    ['permanent 5.7.1 mail', 'permanent 5.7.1 mail'],
    true,
  ],
  [
    'MAIL refused for now',
    ['220 x', PLAIN, '451 wait', '250 reset'],
    ['temporary 4.0.0 mail', 'temporary 4.0.0 mail'],
    true,
  ],
  [
    'status that disagrees with the code',
    ['220 x', PLAIN, '451 5.7.1 wait', '250 reset'],
    ['temporary 4.0.0 mail', 'temporary 4.0.0 mail'],
    true,
  ],
  [
    '421 at MAIL',
    ['220 x', PLAIN, '421 4.3.2 stop'],
    ['temporary 4.3.2 mail', 'temporary 4.3.2 mail'],
    false,
  ],
  ['closed at MAIL', ['220 x', PLAIN, 'CLOSE'], ['temporary 4.4.2 mail', 'temporary 4.4.2 mail'], false],
  [
    'silence at the first RCPT',
    ['220 x', PLAIN, '250 m', 'SILENCE'],
    ['temporary 4.4.2 rcpt', 'temporary 4.4.2 rcpt'],
    false,
  ],
  [
    'closed at the second RCPT',
    ['220 x', PLAIN, '250 m', '550 5.1.1 no', 'CLOSE'],
    ['permanent 5.1.1 rcpt', 'temporary 4.4.2 rcpt'],
    false,
  ],
  [
    '552 at RCPT is temporary (RFC 5321 §4.5.3.1.10)',
    ['220 x', PLAIN, '250 m', '250 r', '552 too many', '354 go', '250 done'],
    ['relayed', 'temporary 4.0.0 rcpt'],
    true,
  ],
  [
    '354 at RCPT',
    ['220 x', PLAIN, '250 m', '354 go'],
    ['temporary 4.5.0 rcpt', 'temporary 4.5.0 rcpt'],
    false,
  ],
  [
    'DATA refused',
    ['220 x', PLAIN, '250 m', '250 r', '250 r', '554 no', '250 reset'],
    ['permanent 5.0.0 data', 'permanent 5.0.0 data'],
    true,
  ],
  [
    'DATA answered 250',
    ['220 x', PLAIN, '250 m', '250 r', '250 r', '250 what'],
    ['temporary 4.5.0 data', 'temporary 4.5.0 data'],
    false,
  ],
  [
    'silence after the dot',
    ['220 x', PLAIN, '250 m', '250 r', '250 r', '354 go', 'SILENCE'],
    ['temporary 4.4.2 final', 'temporary 4.4.2 final'],
    false,
  ],
  [
    'garbage after the dot',
    ['220 x', PLAIN, '250 m', '250 r', '250 r', '354 go', 'thanks'],
    ['temporary 4.5.0 final', 'temporary 4.5.0 final'],
    false,
  ],
  [
    'refused after the dot',
    ['220 x', PLAIN, '250 m', '250 r', '250 r', '354 go', '552 5.2.2 full'],
    ['permanent 5.2.2 final', 'permanent 5.2.2 final'],
    true,
  ],
  [
    'pipelined, all refused, DATA too',
    ['220 x', PIPE, '250 m\r\n550 a\r\n550 b\r\n503 no', '250 reset'],
    ['permanent 5.0.0 rcpt', 'permanent 5.0.0 rcpt'],
    true,
  ],
  [
    'pipelined, all refused, yet 354 (RFC 2920 §3.1)',
    ['220 x', PIPE, '250 m\r\n550 a\r\n450 b\r\n354 go', '554 nothing there'],
    ['permanent 5.0.0 rcpt', 'temporary 4.0.0 rcpt'],
    true,
  ],
  [
    'pipelined, MAIL refused',
    ['220 x', PIPE, '550 m\r\n503 a\r\n503 b\r\n503 no', '250 reset'],
    ['permanent 5.0.0 mail', 'permanent 5.0.0 mail'],
    true,
  ],
  [
    'pipelined, one reply too few',
    ['220 x', PIPE, '250 m\r\n250 a\r\n250 b', 'CLOSE'],
    ['temporary 4.4.2 data', 'temporary 4.4.2 data'],
    false,
  ],
];
for (const [name, answers, want, reusable] of hostile) {
  test(`a next hop: ${name}`, async () => {
    const { client, clock } = script(answers);
    if (name.startsWith('pipelined, one reply'))
      setImmediate(() => setImmediate(() => setImmediate(() => void clock.advance(3_600_000))));
    const opened = await openSmtp(client, options(clock));
    if (!opened.ok) {
      assert.deepEqual([formatProblem(opened.error)], want);
      assert.notEqual(client.gone, undefined, 'destroyed');
      return;
    }
    const result = await opened.value.send(outgoingMessage(['a@example.test', 'b@example.test']));
    assert.deepEqual(words(result), want);
    assert.equal(result.reusable, reusable);
  });
}

test('replies are kept word for word', async () => {
  const { client, clock } = script([
    '220 x',
    PLAIN,
    '250 m',
    '250 r',
    '550-5.1.1  Kein  Empfänger\r\n550 5.1.1 hier',
    '354 go',
    '250 2.0.0 queued as X',
  ]);
  const opened = await openSmtp(client, options(clock));
  assert.ok(opened.ok);
  const { outcomes } = await opened.value.send(outgoingMessage(['a@example.test', 'b@example.test']));
  const [first, second] = outcomes;
  assert.ok(first?.kind === 'relayed' && second !== undefined && second.kind !== 'relayed');
  assert.deepEqual(first.reply, { code: 250, lines: ['2.0.0 queued as X'] });
  assert.equal(second.status, '5.1.1');
  assert.ok(second.problem.kind === 'reply');
  assert.deepEqual(second.problem.reply.lines.length, 2);
});

test('STARTTLS: what is sent in plain behind the invitation is not taken (RFC 3207 §5)', async () => {
  const { client, clock } = script(['220 x', '250-x\r\n250 STARTTLS', '220 go\r\n250-x\r\n250 AUTH PLAIN']);
  const opened = await openSmtp(client, options(clock, { tls: 'opportunistic' }));
  assert.ok(!opened.ok && opened.error.kind === 'tls');
});

const tlsCases = [
  { tls: 'opportunistic', answers: ['220 x', PLAIN], want: 'ok' },
  { tls: 'required', answers: ['220 x', PLAIN], want: 'not-offered' },
  { tls: 'opportunistic', answers: ['220 x', '250-x\r\n250 STARTTLS', '454 not now'], want: 'ok' },
  { tls: 'required', answers: ['220 x', '250-x\r\n250 STARTTLS', '454 not now'], want: 'reply' },
] as const;
for (const { tls, answers, want } of tlsCases) {
  test(`TLS ${tls} where the peer says ${JSON.stringify(answers.slice(1))}`, async () => {
    const { client, clock } = script(answers);
    const opened = await openSmtp(client, options(clock, { tls }));
    assert.equal(opened.ok ? 'ok' : opened.error.kind, want);
  });
}

const UNDER_TLS = '250-x\r\n250-REQUIRETLS\r\n250 STARTTLS';
const requireTlsCases = [
  {
    name: 'offered under TLS',
    tls: true,
    hello: UNDER_TLS,
    null: false,
    want: 'MAIL FROM:<bob@away.test> REQUIRETLS',
  },
  { name: 'not offered', tls: true, hello: '250 x', null: false, want: 'permanent 5.7.30 mail' },
  { name: 'offered in plain', tls: false, hello: UNDER_TLS, null: false, want: 'permanent 5.7.30 mail' },
  { name: 'a report, offered', tls: true, hello: UNDER_TLS, null: true, want: 'MAIL FROM:<> REQUIRETLS' },
  { name: 'a report, not offered', tls: true, hello: '250 x', null: true, want: 'MAIL FROM:<>' },
] as const;
for (const { name, tls, hello, null: isNull, want } of requireTlsCases)
  test(`REQUIRETLS, ${name}: ${want} (RFC 8689 §2, §5)`, async () => {
    const { client, clock, heard } = script(['220 x', hello, '550 5.7.1 enough', '250 reset'], tls);
    const opened = await openSmtp(client, options(clock));
    assert.ok(opened.ok);
    const change = { requireTls: true, ...(isNull ? { reversePath: null } : {}) };
    const [said] = words(await opened.value.send(outgoingMessage(['a@example.test'], undefined, change)));
    assert.equal(want.startsWith('MAIL') ? heard[1]?.trimEnd() : said, want);
  });

test('421 between two messages is not taken for a reply to the next', async () => {
  const { client, clock } = script(['220 x', PIPE, '250 m\r\n250 r\r\n354 go', '250 done\r\n421 4.3.2 bye']);
  const opened = await openSmtp(client, options(clock));
  assert.ok(opened.ok);
  const first = await opened.value.send(outgoingMessage(['a@example.test']));
  assert.deepEqual(words(first), ['relayed']);
  const second = await opened.value.send(outgoingMessage(['a@example.test']));
  assert.deepEqual(words(second), ['temporary 4.3.2 mail']);
  assert.equal(second.reusable, false);
});

test('no password goes out in plain', async () => {
  const { client, clock, heard } = script(['220 x', '250-x\r\n250 AUTH PLAIN']);
  const opened = await openSmtp(
    client,
    options(clock, { credentials: { authenticationId: 'a', password: 'b' } }),
  );
  assert.ok(!opened.ok && opened.error.kind === 'not-offered');
  assert.equal(heard.join('').includes('AUTH'), false);
});

test('a submission of our own: bound to the channel, and by whom the message came is not told (RFC 4954 §5)', async () => {
  const here = office({ role: SUBMISSION });
  const { client } = await against(here, {
    tls: 'required',
    credentials: { authenticationId: 'alice', password: 'secret' },
  });
  assert.deepEqual(words(await client.send(outgoingMessage(['x@away.test']))), ['relayed']);
  assert.equal(here.taken[0]?.transaction.parameters.submitter, null);
  const found = here.events.find(({ name }) => name === 'smtp.authenticated');
  assert.equal(found !== undefined && 'mechanism' in found && found.mechanism, 'SCRAM-SHA-256-PLUS');
});

const CREDENTIALS = { authenticationId: 'alice', password: 'secret' };
/** A server under TLS that never proves that it knows the password, and what is made of it (RFC 5802 §5). */
const impostors = [
  { name: 'success at once', answers: ['235 2.7.0 fine'] },
  { name: 'success behind the first message', answers: ['334 FIRST', '235 2.7.0 fine'] },
  { name: 'a signature that is none', answers: ['334 FIRST', `334 ${b64('v=AAAA')}`, '501 5.7.0 so be it'] },
  { name: 'a nonce of its own', answers: [`334 ${b64('r=mine,s=QQ==,i=4096')}`, '501 5.7.0 so be it'] },
  { name: 'one iteration', answers: ['334 ONE', '501 5.7.0 so be it'] },
  { name: 'not base64', answers: ['334 !!!', '501 5.7.0 so be it'] },
];
for (const { name, answers } of impostors) {
  test(`a server that does not prove itself is left: ${name}`, async () => {
    const { client, clock, heard } = scriptTls([
      '220 x',
      '250-x\r\n250 AUTH SCRAM-SHA-256 PLAIN',
      ...answers,
    ]);
    const opened = await openSmtp(client, options(clock, { credentials: CREDENTIALS }));
    assert.deepEqual(!opened.ok && opened.error, { kind: 'unproven', stage: 'auth' });
    assert.equal(client.gone, 'destroyed');
    assert.ok(!heard.join('').includes('PLAIN'), 'nothing weaker is tried');
    assert.ok(!heard.join('').includes(b64('secret')));
  });
}

test('an initial response that makes the line too long answers the first challenge (RFC 4954 §4)', async () => {
  const password = 'p'.repeat(600);
  const { client, clock, heard } = scriptTls(['220 x', '250-x\r\n250 AUTH PLAIN', '334 ', '235 2.7.0 fine']);
  const credentials = { authenticationId: 'alice', password };
  const opened = await openSmtp(client, options(clock, { credentials }));
  assert.ok(opened.ok);
  assert.deepEqual(heard.slice(1), ['AUTH PLAIN\r\n', `${b64(`\0alice\0${password}`)}\r\n`]);
});

const offers = [
  { offered: 'PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS', want: 'SCRAM-SHA-1-PLUS' },
  { offered: 'PLAIN SCRAM-SHA-1 SCRAM-SHA-256', want: 'SCRAM-SHA-256' },
  { offered: 'LOGIN PLAIN', want: 'PLAIN' },
  { offered: 'LOGIN CRAM-MD5', want: 'LOGIN' },
];
for (const { offered, want } of offers) {
  test(`of ${offered} our client takes ${want} (RFC 5802 §6)`, async () => {
    const { client, clock, heard } = scriptTls(['220 x', `250-x\r\n250 AUTH ${offered}`, '535 5.7.8 no']);
    await openSmtp(client, options(clock, { credentials: CREDENTIALS }));
    assert.equal(heard[1]?.split(/[ \r]/)[1], want);
    const first = Buffer.from(heard[1]?.trim().split(' ')[2] ?? '', 'base64').toString();
    // Whoever could bind to the channel and was not offered it says so.
    if (want === 'SCRAM-SHA-256') assert.match(first, /^y,,n=alice,r=/);
    if (want === 'SCRAM-SHA-1-PLUS') assert.match(first, /^p=tls-exporter,,n=alice,r=/);
  });
}

test('content whose source fails is never ended by a dot', async () => {
  const { client, clock, heard } = script(['220 x', PLAIN, '250 m', '250 r', '354 go', '250 taken']);
  const opened = await openSmtp(client, options(clock));
  assert.ok(opened.ok);
  const content = function* content(): Generator<Uint8Array, void, void> {
    yield Buffer.alloc(70_000, 'x');
    throw new Error('disk');
  };
  await assert.rejects(opened.value.send(outgoingMessage(['a@example.test'], '', { content })), /disk/);
  assert.equal(client.gone, 'destroyed');
  assert.equal(heard.join('').includes('\r\n.\r\n'), false);
});

test('a peer that does not take the content is given up after the time for a block (RFC 5321 §4.5.3.2.5)', async () => {
  const clock = new FakeClock();
  const { client, server } = memoryPair({ clock, windowOctets: 1000 });
  void server.write(Buffer.from('220 x\r\n250 x\r\n'));
  const opened = await openSmtp(client, options(clock));
  assert.ok(opened.ok);
  setTimeout(() => void server.write(Buffer.from('250 m\r\n250 r\r\n354 go\r\n')), 5);
  const sending = opened.value.send(outgoingMessage(['a@example.test'], 'x'.repeat(200_000)));
  await new Promise((resolve) => setTimeout(resolve, 30));
  await clock.advance(SMTP_TIMEOUTS.blockMs + 1);
  assert.deepEqual(words(await sending), ['temporary 4.4.2 content']);
});

test('whatever a peer says, the client has an outcome for each recipient and never throws', async () => {
  const said = fc.oneof(
    fc.constantFrom(
      '220 x',
      PLAIN,
      PIPE,
      '250-x\r\n250 CHUNKING',
      '354 go',
      '421 x',
      '550 5.1.1 x',
      '250-x',
      'x',
      'CLOSE',
      'RESET',
      'SILENCE',
    ),
    fc.string({ maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(said, { maxLength: 12 }), fc.boolean(), async (answers, chunking) => {
      const { client, clock } = script(['220 x', PIPE, ...answers, 'SILENCE']);
      const ticking = setInterval(() => void clock.advance(3_600_000), 1);
      try {
        const opened = await openSmtp(client, options(clock, { chunking }));
        if (!opened.ok) return;
        const result = await opened.value.send(outgoingMessage(['a@example.test', 'b@example.test']));
        assert.equal(result.outcomes.length, 2);
      } finally {
        clearInterval(ticking);
      }
    }),
    { numRuns: 200 },
  );
});
