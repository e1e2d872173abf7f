/** What a client makes of what a peer offers: each extension said where it is known, and only there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../../test/support/world.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { memoryPair } from '../../../test/support/memory-connection.ts';
import { envelopeAddress, outgoingMessage } from '../../../test/support/outgoing-message.ts';
import { office } from '../../../test/support/smtp-ports.ts';
import { SMTP_LIMITS } from '../server/limits.ts';
import { serveSmtp } from '../server/session.ts';
import type { SmtpClient } from './client.ts';
import { openSmtp } from './client.ts';
import { NO_FEATURES, parseFeatures } from './features.ts';
import type { OutgoingMessage } from './message.ts';
import type { RecipientOutcome } from './problem.ts';
import { SMTP_TIMEOUTS } from './timeouts.ts';

const OPTIONS = {
  protocol: 'smtp',
  helloName: 'relay.example.test',
  servername: 'mail.example.test',
  tls: 'none',
  handshake: { certificate: { kind: 'any' } },
  chunking: true,
  random: seededRandom(),
  timeouts: SMTP_TIMEOUTS,
} as const;

/** A peer that offers these keywords and takes everything; `lines` are the commands that it heard. */
async function peerWith(
  keywords: readonly string[],
): Promise<{ client: SmtpClient; clock: FakeClock; lines: string[]; content: () => string }> {
  const clock = new FakeClock();
  const pair = memoryPair({ clock });
  const lines: string[] = [];
  let content = '';
  const say = (text: string): void => void pair.server.write(Buffer.from(`${text}\r\n`));
  say('220 there');
  void (async () => {
    let held = '';
    for (;;) {
      const read = await pair.server.read(86_400_000);
      if (typeof read === 'string') return;
      held += Buffer.from(read).toString('latin1');
      for (let end = held.indexOf('\r\n'); end !== -1; end = held.indexOf('\r\n')) {
        const line = held.slice(0, end);
        held = held.slice(end + 2);
        lines.push(line);
        if (line.startsWith('EHLO'))
          say(['250-there', ...keywords.map((word) => `250-${word}`), '250 HELP'].join('\r\n'));
        else if (line === 'DATA') {
          say('354 go');
          continue;
        } else if (line.startsWith('BDAT')) {
          const count = Number(line.split(' ')[1]);
          while (held.length < count) {
            const more = await pair.server.read(86_400_000);
            if (typeof more === 'string') return;
            held += Buffer.from(more).toString('latin1');
          }
          content += held.slice(0, count);
          held = held.slice(count);
          say('250 2.0.0 taken');
        } else if (!line.includes(':') || /^(?:MAIL|RCPT)/.test(line) || line === '.') {
          if (line === '.' || /^(?:MAIL|RCPT|RSET|QUIT|NOOP)/.test(line)) say('250 2.0.0 Ok');
        }
      }
    }
  })();
  const opened = await openSmtp(pair.client, { ...OPTIONS, clock });
  assert.ok(opened.ok);
  return { client: opened.value, clock, lines, content: () => content };
}

const words = (outcomes: readonly RecipientOutcome[]): string[] =>
  outcomes.map((outcome) =>
    outcome.kind === 'relayed'
      ? 'relayed'
      : `${outcome.kind} ${outcome.status}${'feature' in outcome.problem ? ` ${outcome.problem.feature}` : ` ${outcome.problem.kind}`}`,
  );

const AT = new FakeClock().nowMs();
const BY_RETURN = { byMs: AT + 120_500, mode: 'return', trace: false } as const;
const BY_NOTIFY = { byMs: AT + 120_500, mode: 'notify', trace: true } as const;

/** [what the peer offers, the message, what MAIL and RCPT say, or why nothing was said] */
const cases: readonly (readonly [
  string,
  readonly string[],
  Partial<OutgoingMessage>,
  readonly string[] | string,
])[] = [
  ['nothing', [], { deliverBy: BY_NOTIFY, priority: 4 }, ['MAIL FROM:<bob@away.test>', 'RCPT TO:<a@x.test>']],
  [
    'MT-PRIORITY (RFC 6710 §4.2)',
    ['MT-PRIORITY MIXER'],
    { priority: -3 },
    ['MAIL FROM:<bob@away.test> MT-PRIORITY=-3', 'RCPT TO:<a@x.test>'],
  ],
  [
    'MT-PRIORITY, and a priority of 0 (RFC 6710 §4.2)',
    ['MT-PRIORITY'],
    { priority: 0 },
    ['MAIL FROM:<bob@away.test> MT-PRIORITY=0', 'RCPT TO:<a@x.test>'],
  ],
  [
    'DELIVERBY: the seconds that are left (RFC 2852 §4.1.4)',
    ['DELIVERBY'],
    { deliverBy: BY_RETURN },
    ['MAIL FROM:<bob@away.test> BY=120;R', 'RCPT TO:<a@x.test>'],
  ],
  [
    'DELIVERBY: a time that has passed (RFC 2852 §4.1.4)',
    ['DELIVERBY 240,X'],
    { deliverBy: { ...BY_NOTIFY, byMs: AT - 5000 } },
    ['MAIL FROM:<bob@away.test> BY=-5;NT', 'RCPT TO:<a@x.test>'],
  ],
  ['DELIVERBY lacking (RFC 2852 §4.1.4.1)', [], { deliverBy: BY_RETURN }, 'permanent 5.3.3 DELIVERBY'],
  [
    'DELIVERBY within the least time (RFC 2852 §4.1.4.1)',
    ['DELIVERBY 121'],
    { deliverBy: BY_RETURN },
    'permanent 5.3.3 DELIVERBY',
  ],
  [
    'DELIVERBY at the least time',
    ['DELIVERBY 120'],
    { deliverBy: BY_RETURN },
    ['MAIL FROM:<bob@away.test> BY=120;R', 'RCPT TO:<a@x.test>'],
  ],
  [
    'DELIVERBY, no time left',
    ['DELIVERBY'],
    { deliverBy: { ...BY_RETURN, byMs: AT + 999 } },
    'permanent 5.3.3 DELIVERBY',
  ],
  [
    'DSN without DELIVERBY: delays are asked for (RFC 2852 §4.1.4.2)',
    ['DSN'],
    { deliverBy: BY_NOTIFY },
    ['MAIL FROM:<bob@away.test>', 'RCPT TO:<a@x.test> NOTIFY=FAILURE,DELAY'],
  ],
  [
    'DSN without DELIVERBY, NOTIFY said (RFC 2852 §4.1.4.2)',
    ['DSN'],
    { deliverBy: BY_NOTIFY, recipients: [{ forwardPath: envelopeAddress('a@x.test'), notify: ['SUCCESS'] }] },
    ['MAIL FROM:<bob@away.test>', 'RCPT TO:<a@x.test> NOTIFY=SUCCESS,DELAY'],
  ],
  [
    'DSN without DELIVERBY, NOTIFY=NEVER (RFC 2852 §4.1.4.2)',
    ['DSN'],
    { deliverBy: BY_NOTIFY, recipients: [{ forwardPath: envelopeAddress('a@x.test'), notify: [] }] },
    ['MAIL FROM:<bob@away.test>', 'RCPT TO:<a@x.test> NOTIFY=NEVER'],
  ],
  [
    'DSN without DELIVERBY, after the time (RFC 2852 §4.1.4.2)',
    ['DSN'],
    { deliverBy: { ...BY_NOTIFY, byMs: AT } },
    ['MAIL FROM:<bob@away.test>', 'RCPT TO:<a@x.test>'],
  ],
  [
    'BINARYMIME lacking (RFC 3030 §3)',
    ['CHUNKING', '8BITMIME'],
    { body: 'BINARYMIME' },
    'permanent 5.6.3 BINARYMIME',
  ],
  [
    'BINARYMIME without CHUNKING (RFC 3030 §3)',
    ['BINARYMIME'],
    { body: 'BINARYMIME' },
    'permanent 5.6.3 BINARYMIME',
  ],
  [
    'BINARYMIME (RFC 3030 §3)',
    ['BINARYMIME', 'CHUNKING'],
    { body: 'BINARYMIME' },
    ['MAIL FROM:<bob@away.test> BODY=BINARYMIME', 'RCPT TO:<a@x.test>'],
  ],
  [
    'ORCPT to a peer without SMTPUTF8 (RFC 6533 §3)',
    ['DSN'],
    {
      recipients: [
        {
          forwardPath: envelopeAddress('a@x.test'),
          originalRecipient: { type: 'utf-8', written: 'ä@x.test' },
        },
      ],
    },
    ['MAIL FROM:<bob@away.test>', 'RCPT TO:<a@x.test> ORCPT=utf-8;\\x{E4}@x.test'],
  ],
];
for (const [name, keywords, change, want] of cases)
  test(name, async () => {
    const { client, lines } = await peerWith(keywords);
    const { outcomes } = await client.send(outgoingMessage(['a@x.test'], undefined, change));
    if (typeof want === 'string') {
      assert.deepEqual(words(outcomes), [want]);
      assert.deepEqual(lines.slice(1), []);
    } else {
      assert.deepEqual(words(outcomes), ['relayed']);
      assert.deepEqual(lines.slice(1, 1 + want.length), want);
    }
  });

test('binary content arrives octet for octet, also at our own server (RFC 3030 §3)', async () => {
  const binary = 'Subject: x\r\n\r\n\0\n.\n\r.\r\r\n.\r\n\xff\r';
  const { client, content } = await peerWith(['BINARYMIME', 'CHUNKING']);
  await client.send(outgoingMessage(['a@x.test'], binary, { body: 'BINARYMIME' }));
  assert.equal(content(), binary);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), async (pieces) => {
      const here = office();
      const pair = memoryPair({ clock: here.clock });
      const done = serveSmtp(pair.server, here.deps);
      const opened = await openSmtp(pair.client, { ...OPTIONS, clock: here.clock });
      assert.ok(opened.ok);
      const sent = outgoingMessage(['alice@example.test'], undefined, {
        body: 'BINARYMIME',
        content: () => pieces,
      });
      assert.deepEqual(words((await opened.value.send(sent)).outcomes), ['relayed']);
      await opened.value.quit();
      await done;
      assert.equal(here.taken[0]?.content, Buffer.concat(pieces).toString('latin1'));
    }),
    { numRuns: 30 },
  );
});

const limits = [
  ['', [Infinity, Infinity, Infinity]],
  ['MAILMAX=5', [5, Infinity, Infinity]],
  ['RCPTMAX=100 mailmax=5 RCPTDOMAINMAX=1', [5, 100, 1]],
  ['MAILMAX=0 RCPTMAX=-1 RCPTDOMAINMAX=x', [Infinity, Infinity, Infinity]],
  ['MAILMAX=1000000', [Infinity, Infinity, Infinity]],
  ['MAILMAX=5 MAILMAX=7', [5, Infinity, Infinity]],
  ['FUTURE X=1 __proto__=2 RCPTMAX=3', [Infinity, 3, Infinity]],
] as const;
for (const [parameters, want] of limits)
  test(`LIMITS ${parameters} is read (RFC 9422 §3)`, () => {
    const { limits: found } = parseFeatures({ code: 250, lines: ['there', `LIMITS ${parameters}`] });
    assert.deepEqual([found.transactionsMax, found.recipientsMax, found.recipientDomainsMax], want);
    assert.equal(NO_FEATURES.limits.recipientsMax, Infinity);
  });

test('more recipients than RCPTMAX go in several transactions (RFC 9422 §4.2)', async () => {
  const { client, lines } = await peerWith(['LIMITS RCPTMAX=2', 'PIPELINING']);
  const { outcomes, reusable } = await client.send(
    outgoingMessage(['a', 'b', 'c', 'd', 'e'].map((one) => `${one}@x.test`)),
  );
  assert.deepEqual(
    words(outcomes),
    Array.from({ length: 5 }, () => 'relayed'),
  );
  assert.equal(lines.filter((line) => line.startsWith('MAIL')).length, 3);
  assert.equal(lines.filter((line) => line === '.').length, 3);
  assert.equal(reusable, true);
});

test('beyond MAILMAX nothing is sent, and the session is left in good order (RFC 9422 §4.1)', async () => {
  const { client, lines } = await peerWith(['LIMITS MAILMAX=2 RCPTMAX=1']);
  const { outcomes, reusable } = await client.send(outgoingMessage(['a@x.test', 'b@x.test', 'c@x.test']));
  assert.deepEqual(words(outcomes), ['relayed', 'relayed', 'temporary 4.5.3 session-limit']);
  assert.equal(reusable, false);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lines.at(-1), 'QUIT');
});

test('domains beyond RCPTDOMAINMAX are for another session (RFC 9422 §4.3)', async () => {
  const { client, lines } = await peerWith(['LIMITS RCPTDOMAINMAX=1']);
  const { outcomes, reusable } = await client.send(outgoingMessage(['a@x.test', 'b@y.test', 'c@X.test']));
  assert.deepEqual(words(outcomes), ['relayed', 'temporary 4.5.3 session-limit', 'relayed']);
  assert.deepEqual(
    lines.filter((line) => line.startsWith('RCPT')),
    ['RCPT TO:<a@x.test>', 'RCPT TO:<c@X.test>'],
  );
  assert.equal(reusable, false);
});

test('our own limits are kept by our own client (RFC 9422)', async () => {
  const here = office({ limits: { ...SMTP_LIMITS, transactionsMax: 3, recipientsMax: 1 } });
  const pair = memoryPair({ clock: here.clock });
  const done = serveSmtp(pair.server, here.deps);
  const opened = await openSmtp(pair.client, { ...OPTIONS, clock: here.clock });
  assert.ok(opened.ok);
  const to = Array.from({ length: 4 }, () => 'alice@example.test');
  const { outcomes } = await opened.value.send(outgoingMessage(to));
  assert.deepEqual(words(outcomes), ['relayed', 'relayed', 'relayed', 'temporary 4.5.3 session-limit']);
  await done;
  assert.equal(here.taken.length, 3);
  assert.ok(here.events.every(({ name }) => name !== 'smtp.command-refused'));
});
