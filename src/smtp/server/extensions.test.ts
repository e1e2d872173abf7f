import assert from 'node:assert/strict';
import { test } from 'node:test';
import { office, PEER_ADDRESS, Talk, toCodes } from '../../../test/support/smtp-ports.ts';
import type { Office } from '../../../test/support/smtp-ports.ts';
import type { SmtpServerDeps } from './deps.ts';
import { SMTP_EXTENSIONS } from './extensions.ts';
import { SMTP_LIMITS } from './limits.ts';
import type { SmtpRole } from './role.ts';
import { LMTP, RELAY, SUBMISSION } from './role.ts';

/** Who talks: a stranger on port 25, in plain and under TLS, a trusted peer there, somebody signed in, LMTP. */
type Who = 'stranger' | 'stranger-tls' | 'peer' | 'user' | 'lmtp';
const ROLES: Record<Who, SmtpRole> = {
  stranger: RELAY,
  'stranger-tls': RELAY,
  peer: RELAY,
  user: SUBMISSION,
  lmtp: LMTP,
};
const RCPT = 'RCPT TO:<alice@example.test>\r\n';
const NOW = '2026-01-02T03:04:05Z';

async function greeted(
  who: Who,
  change: Partial<Omit<SmtpServerDeps, 'clock'>> = {},
): Promise<{ talk: Talk; here: Office; features: string[] }> {
  const here = office({ role: ROLES[who], ...change });
  const talk = new Talk(here, {
    tls: who === 'stranger-tls' || who === 'user',
    ...(who === 'peer' ? { clientAddress: PEER_ADDRESS } : {}),
  });
  const hello = await talk.say(who === 'lmtp' ? 'LHLO client.test\r\n' : 'EHLO client.test\r\n');
  if (who === 'user')
    assert.deepEqual(
      await talk.codes(`AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`),
      ['235 2.7.0'],
    );
  const features = [...hello.matchAll(/^250[- ](.*)\r$/gm)].map(([, line = '']) => line);
  return { talk, here, features };
}

const offers: readonly (readonly [string, Record<Who, boolean>])[] = [
  ['BINARYMIME', { stranger: true, 'stranger-tls': true, peer: true, user: true, lmtp: true }],
  [
    'LIMITS MAILMAX=10000 RCPTMAX=1000',
    { stranger: true, 'stranger-tls': true, peer: true, user: true, lmtp: true },
  ],
  ['DELIVERBY 60', { stranger: true, 'stranger-tls': true, peer: true, user: true, lmtp: true }],
  ['MT-PRIORITY MIXER', { stranger: true, 'stranger-tls': true, peer: true, user: true, lmtp: true }],
  // RFC 4865 §4.2: on the submission port alone.
  [
    'FUTURERELEASE 2592000 2026-02-01T03:04:05Z',
    { stranger: false, 'stranger-tls': false, peer: false, user: true, lmtp: false },
  ],
  // RFC 8689 §2: only under TLS.
  ['REQUIRETLS', { stranger: false, 'stranger-tls': true, peer: false, user: true, lmtp: false }],
  // RFC 5321 §7.3: not to strangers; the client that has not signed in yet is one.
  ['EXPN', { stranger: false, 'stranger-tls': false, peer: true, user: false, lmtp: true }],
  // At a submission port nobody gets as far as MAIL without having signed in.
  ['XVERP', { stranger: false, 'stranger-tls': false, peer: true, user: true, lmtp: true }],
];
for (const [keyword, who] of offers)
  for (const name of ['stranger', 'stranger-tls', 'peer', 'user', 'lmtp'] as const)
    test(`${keyword} is ${who[name] ? '' : 'not '}offered to: ${name}`, async () => {
      const { features } = await greeted(name);
      assert.equal(features.includes(keyword), who[name], features.join('\n'));
    });

test('what is not offered, or has limits, is announced as the operator set it', async () => {
  const { features } = await greeted('user', {
    limits: { ...SMTP_LIMITS, transactionsMax: 5, recipientsMax: 100, recipientDomainsMax: 3 },
    extensions: {
      ...SMTP_EXTENSIONS,
      hold: { secondsMax: 3600, untilMaxMs: Date.parse('2026-01-02T03:14:05Z') },
      deliverBy: { secondsMin: 0 },
      priority: { policy: 'STANAG4406', max: 9 },
    },
  });
  assert.ok(features.includes('LIMITS MAILMAX=5 RCPTMAX=100 RCPTDOMAINMAX=3'));
  assert.ok(features.includes('FUTURERELEASE 600 2026-01-02T03:14:05Z'));
  assert.ok(features.includes('DELIVERBY 0'));
  assert.ok(features.includes('MT-PRIORITY STANAG4406'));
});

for (const [keyword, parameter, without] of [
  ['BINARYMIME', 'BODY=BINARYMIME', { binaryMime: false }],
  ['DELIVERBY', 'BY=120;N', { deliverBy: undefined }],
  ['MT-PRIORITY', 'MT-PRIORITY=1', { priority: undefined }],
] as const)
  test(`where ${keyword} is not offered, it is not granted (RFC 5321 §4.1.1.11)`, async () => {
    const { talk, features } = await greeted('user', { extensions: { ...SMTP_EXTENSIONS, ...without } });
    assert.ok(!features.some((line) => line.startsWith(keyword)));
    assert.deepEqual(await talk.codes(`MAIL FROM:<a@b.test> ${parameter}\r\n`), ['555 5.5.4']);
  });

test('nothing is held where the operator has set no time, or the date has passed', async () => {
  for (const hold of [undefined, { secondsMax: 60, untilMaxMs: Date.parse(NOW) }]) {
    const { talk, features } = await greeted('user', { extensions: { ...SMTP_EXTENSIONS, hold } });
    assert.ok(!features.some((line) => line.startsWith('FUTURERELEASE')));
    assert.match((await talk.codes('MAIL FROM:<a@b.test> HOLDFOR=1\r\n'))[0] ?? '', /^(?:555|501) 5\.5\.4$/);
  }
});

/** [who, MAIL's parameters, the reply, what the message got] */
const mails: readonly (readonly [Who, string, string, object?])[] = [
  ['stranger', 'BODY=BINARYMIME', '250 2.1.0', { body: 'BINARYMIME' }],
  ['stranger', 'REQUIRETLS', '555 5.5.4'],
  ['stranger-tls', 'REQUIRETLS', '250 2.1.0', { requireTls: true }],
  ['user', 'REQUIRETLS', '250 2.1.0', { requireTls: true }],
  ['lmtp', 'REQUIRETLS', '555 5.5.4'],
  ['stranger', 'XVERP', '555 5.5.4'],
  ['stranger-tls', 'XVERP=+=', '555 5.5.4'],
  ['peer', 'XVERP', '250 2.1.0', { verp: {} }],
  ['user', 'XVERP=+=', '250 2.1.0', { verp: { tag: '+', at: '=' } }],
  ['lmtp', 'XVERP=-=', '250 2.1.0', { verp: { tag: '-', at: '=' } }],
  ['user', 'XVERP=@=', '501 5.5.4'],
  ['stranger', 'HOLDFOR=60', '555 5.5.4'],
  ['stranger', 'HOLDUNTIL=2026-01-02T04:04:05Z', '555 5.5.4'],
  ['lmtp', 'HOLDFOR=60', '555 5.5.4'],
  ['user', 'HOLDFOR=60', '250 2.1.0', { hold: { kind: 'for', seconds: 60 } }],
  ['user', 'HOLDFOR=2592000', '250 2.1.0', { hold: { kind: 'for', seconds: 2_592_000 } }],
  ['user', 'HOLDFOR=2592001', '501 5.5.4'],
  [
    'user',
    'HOLDUNTIL=2026-02-01T03:04:05Z',
    '250 2.1.0',
    { hold: { kind: 'until', atMs: Date.parse('2026-02-01T03:04:05Z') } },
  ],
  ['user', 'HOLDUNTIL=2026-02-01T03:04:06Z', '501 5.5.4'],
  ['user', 'HOLDFOR=60 BY=61;N', '250 2.1.0'],
  ['user', 'HOLDFOR=60 BY=60;N', '250 2.1.0'],
  ['user', 'HOLDFOR=61 BY=60;N', '501 5.5.4'],
  ['user', 'HOLDUNTIL=2026-01-02T03:06:06Z BY=120;R', '501 5.5.4'],
  ['stranger', 'BY=60;R', '250 2.1.0', { deliverBy: { seconds: 60, mode: 'return', trace: false } }],
  ['stranger', 'BY=59;R', '555 5.5.4'],
  ['stranger', 'BY=59;NT', '250 2.1.0', { deliverBy: { seconds: 59, mode: 'notify', trace: true } }],
  ['stranger', 'BY=-59;N', '250 2.1.0', { deliverBy: { seconds: -59, mode: 'notify', trace: false } }],
  ['stranger', 'BY=0;R', '501 5.5.4'],
  ['lmtp', 'BY=60;R', '250 2.1.0'],
  // RFC 6710 §4.1: strangers may lower, who is trusted may raise.
  ['stranger', 'MT-PRIORITY=-4', '250 2.1.0', { priority: -4 }],
  ['stranger', 'MT-PRIORITY=0', '250 2.1.0', { priority: 0 }],
  ['stranger', 'MT-PRIORITY=1', '250 2.3.6', { priority: 0 }],
  ['stranger-tls', 'MT-PRIORITY=9', '250 2.3.6', { priority: 0 }],
  ['peer', 'MT-PRIORITY=9', '250 2.1.0', { priority: 9 }],
  ['user', 'MT-PRIORITY=4', '250 2.1.0', { priority: 4 }],
  ['lmtp', 'MT-PRIORITY=4', '250 2.1.0', { priority: 4 }],
  ['user', 'MT-PRIORITY=10', '501 5.5.4'],
];
for (const [who, parameters, want, got] of mails)
  test(`${who}: MAIL with ${parameters} is answered ${want}`, async () => {
    const { talk, here } = await greeted(who);
    const from = who === 'user' ? 'alice@example.test' : 'bob@away.test';
    assert.deepEqual(await talk.codes(`MAIL FROM:<${from}> ${parameters}\r\n`), [want]);
    if (!want.startsWith('250')) return;
    await talk.say(`${RCPT}BDAT 14 LAST\r\nSubject: x\r\n\r\n`);
    const [taken] = here.taken;
    assert.ok(taken !== undefined);
    for (const [key, value] of Object.entries(got ?? {}))
      assert.deepEqual(Reflect.get(taken.transaction.parameters, key), value);
  });

test('the highest priority is the operator’s to set, and the reply begins with it (RFC 6710 §4.1)', async () => {
  const { talk, here } = await greeted('user', {
    extensions: { ...SMTP_EXTENSIONS, priority: { policy: 'MIXER', max: 4 } },
  });
  assert.match(
    await talk.say('MAIL FROM:<alice@example.test> MT-PRIORITY=6\r\n'),
    /^250 2\.3\.6 4 is the priority/,
  );
  await talk.say(`${RCPT}BDAT 14 LAST\r\nSubject: x\r\n\r\n`);
  assert.match(Buffer.from(here.taken[0]?.prefix ?? '').toString(), /\r\n\tPRIORITY 4;\r\n/);
});

test('a binary message is kept octet for octet, and is not to be sent by DATA (RFC 3030 §3)', async () => {
  const { talk, here } = await greeted('stranger');
  const content = 'Content-Transfer-Encoding: binary\r\n\r\n\0\n.\n\r.\r\r\n.\r\n\xff\r';
  assert.deepEqual(await talk.codes(`MAIL FROM:<b@a.test> BODY=BINARYMIME\r\n${RCPT}DATA\r\n`), [
    '250 2.1.0',
    '250 2.1.5',
    '503 5.5.1',
  ]);
  const half = content.indexOf('\n.\n') + 1;
  assert.deepEqual(
    await talk.codes(
      `BDAT ${half}\r\n${content.slice(0, half)}BDAT ${content.length - half} LAST\r\n${content.slice(half)}NOOP\r\n`,
    ),
    ['250 2.0.0', '250 2.0.0', '250 2.0.0'],
  );
  assert.equal(here.taken[0]?.content, content);
  assert.equal(here.taken[0].octets, content.length);
  // The next one is text again.
  assert.deepEqual(await talk.codes(`MAIL FROM:<b@a.test>\r\n${RCPT}BDAT 3 LAST\r\na\nb`), [
    '250 2.1.0',
    '250 2.1.5',
    '550 5.6.11',
  ]);
});

test('beyond MAILMAX the session is ended, so that the client connects again (RFC 9422 §4.1)', async () => {
  const { talk } = await greeted('stranger', { limits: { ...SMTP_LIMITS, transactionsMax: 2 } });
  const mail = 'MAIL FROM:<b@a.test>\r\n';
  assert.deepEqual(
    await talk.codes(`MAIL FROM:<b@@a.test>\r\n${mail}RSET\r\n${mail}RSET\r\n${mail}NOOP\r\n`),
    ['501 5.1.7', '250 2.1.0', '250 2.0.0', '250 2.1.0', '250 2.0.0', '421 4.7.0'],
  );
  await talk.done;
});

test('beyond RCPTDOMAINMAX recipients are put off to another session (RFC 9422 §4.3)', async () => {
  const { talk } = await greeted('user', { limits: { ...SMTP_LIMITS, recipientDomainsMax: 2 } });
  const rcpt = (address: string): string => `RCPT TO:<${address}>\r\n`;
  assert.deepEqual(
    await talk.codes(
      `MAIL FROM:<alice@example.test>\r\n${rcpt('a@one.test')}${rcpt('b@ONE.test')}${rcpt('c@two.test')}${rcpt('d@three.test')}${rcpt('e@two.test')}`,
    ),
    ['250 2.1.0', '250 2.1.5', '250 2.1.5', '250 2.1.5', '452 4.5.3', '250 2.1.5'],
  );
});

/** [who may ask, who asks, what, the whole answer] */
const queries: readonly (readonly ['nobody' | 'trusted' | 'everybody', Who, string, string])[] = [
  [
    'trusted',
    'stranger',
    'VRFY alice@example.test',
    '252 2.0.0 Cannot verify, but will take a message and try',
  ],
  [
    'trusted',
    'stranger',
    'VRFY nobody@example.test',
    '252 2.0.0 Cannot verify, but will take a message and try',
  ],
  ['trusted', 'stranger', 'EXPN team@example.test', '502 5.5.1 EXPN is not offered here'],
  ['nobody', 'user', 'VRFY alice@example.test', '252 2.0.0 Cannot verify, but will take a message and try'],
  ['nobody', 'user', 'EXPN team@example.test', '502 5.5.1 EXPN is not offered here'],
  ['trusted', 'user', 'VRFY alice@example.test', '250 2.1.5 <alice@example.test>'],
  ['trusted', 'user', 'VRFY <Alice@example.test>', '250 2.1.5 <alice@example.test>'],
  ['trusted', 'peer', 'VRFY alice@example.test', '250 2.1.5 <alice@example.test>'],
  ['trusted', 'lmtp', 'VRFY alice@example.test', '250 2.1.5 <alice@example.test>'],
  ['everybody', 'stranger', 'VRFY alice@example.test', '250 2.1.5 <alice@example.test>'],
  ['trusted', 'user', 'VRFY team@example.test', '250 2.1.5 <team@example.test>'],
  ['trusted', 'user', 'VRFY postmaster', '250 2.1.5 <alice@example.test>'],
  ['trusted', 'user', 'VRFY nobody@example.test', '550 5.1.1 No such mailbox here'],
  ['trusted', 'user', 'VRFY x@away.test', '252 2.0.0 Cannot verify, but will take a message and try'],
  ['trusted', 'user', 'VRFY alice', '553 5.1.3 Say a whole address'],
  ['trusted', 'user', 'VRFY alice@example.test@x', '553 5.1.3 Say a whole address'],
  ['trusted', 'user', 'EXPN alice@example.test', '250 2.1.5 <alice@example.test>'],
  ['trusted', 'user', 'EXPN team@example.test', '250-2.1.5 <alice@example.test>\r\n250 2.1.5 <x@away.test>'],
  ['trusted', 'user', 'EXPN nobody@example.test', '550 5.1.1 No such mailbox here'],
  ['trusted', 'user', 'EXPN x@away.test', '550 5.2.4 No list of ours'],
  ['trusted', 'user', 'VRFY j\xc3\xb6rg@example.test', '252 2.6.8 The answer needs the parameter SMTPUTF8'],
  ['trusted', 'user', 'VRFY j\xc3\xb6rg@example.test SMTPUTF8', '250 2.1.5 <jörg@example.test>'],
  ['trusted', 'user', 'EXPN j\xc3\xb6rg@example.test', '252 2.6.8 The answer needs the parameter SMTPUTF8'],
  ['trusted', 'user', 'EXPN j\xc3\xb6rg@example.test smtputf8', '250 2.1.5 <jörg@example.test>'],
];
for (const [querents, who, said, want] of queries)
  test(`${who}: ${said} where ${querents} may ask (RFC 5321 §3.5, RFC 6531 §3.7.4.2)`, async () => {
    const { talk } = await greeted(who, {
      extensions: { ...SMTP_EXTENSIONS, vrfy: querents, expn: querents },
    });
    assert.equal(await talk.say(`${said}\r\n`), `${want}\r\n`);
  });

test('HELP names what there is for this client, and tells how it is written (RFC 5321 §4.1.1.8)', async () => {
  const verbs = async (who: Who): Promise<string> => {
    const { talk } = await greeted(who);
    return (await talk.say('HELP\r\n')).split('\r\n')[1]?.replace('214-2.0.0 ', '') ?? '';
  };
  const common = 'MAIL RCPT DATA BDAT RSET VRFY';
  assert.equal(await verbs('stranger'), `EHLO HELO STARTTLS ${common} NOOP HELP QUIT`);
  assert.equal(await verbs('stranger-tls'), `EHLO HELO ${common} NOOP HELP QUIT`);
  assert.equal(await verbs('user'), `EHLO HELO AUTH ${common} NOOP HELP QUIT EXPN`);
  assert.equal(await verbs('lmtp'), `LHLO STARTTLS ${common} NOOP HELP QUIT EXPN`);
  const { talk } = await greeted('stranger');
  assert.match(await talk.say('HELP mail\r\n'), /^214 2\.0\.0 MAIL FROM:<address>/);
  assert.deepEqual(toCodes(await talk.say('HELP EXPN\r\nHELP __proto__\r\nHELP x\r\n')), [
    '504 5.5.4',
    '504 5.5.4',
    '504 5.5.4',
  ]);
});
