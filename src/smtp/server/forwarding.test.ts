/** XCLIENT and XFORWARD: who speaks for others, for whom, and how long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORWARDER_ADDRESS, office, Talk } from '../../../test/support/smtp-ports.ts';
import type { Office } from '../../../test/support/smtp-ports.ts';
import { signInWith } from '../../../test/support/sign-in.ts';
import { reply } from '../wire/reply.ts';
import type { SmtpServerDeps } from './deps.ts';
import type { SessionFacts } from './ports.ts';
import { SUBMISSION } from './role.ts';

const EHLO = 'EHLO filter.test\r\n';
const MAIL =
  'MAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 14 LAST\r\nSubject: x\r\n\r\n';

async function forwarder(
  change: Partial<Omit<SmtpServerDeps, 'clock'>> = {},
): Promise<{ here: Office; talk: Talk }> {
  const here = office(change);
  const talk = new Talk(here, { clientAddress: FORWARDER_ADDRESS });
  await talk.say(EHLO);
  return { here, talk };
}

test('only a trusted host is offered it, and may say it', async () => {
  const { talk } = await forwarder();
  const features = await talk.say(EHLO);
  assert.match(features, /^250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT\r$/m);
  assert.match(features, /^250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r$/m);
  const stranger = new Talk(office());
  assert.doesNotMatch(await stranger.say(EHLO), /XCLIENT|XFORWARD/);
  assert.deepEqual(
    await stranger.codes('XCLIENT ADDR=198.51.100.7\r\nXFORWARD ADDR=198.51.100.7\r\nNOOP\r\n'),
    ['550 5.7.0', '550 5.7.0', '250 2.0.0'],
  );
});

/** [what is said, its reply] */
const said: readonly (readonly [string, string])[] = [
  ['XCLIENT NAME=spike.test ADDR=192.0.2.9', '220'],
  ['xclient name=[unavailable] addr=[TEMPUNAVAIL]', '220'],
  ['XCLIENT ADDR=IPV6:2001:db8::9 PORT=4711 PROTO=ESMTP HELO=spike.test', '220'],
  ['XCLIENT ADDR=2001:db8::9', '220'],
  ['XCLIENT DESTADDR=192.0.2.25 DESTPORT=2525', '220'],
  ['XCLIENT NAME=a+2Db.test', '220'],
  ['XCLIENT PROTO=SMTP', '220'],
  ['XCLIENT', '501 5.5.4'],
  ['XCLIENT ADDR', '501 5.5.4'],
  ['XCLIENT ADDR=', '501 5.5.4'],
  ['XCLIENT ADDR=192.0.2.256', '501 5.5.4'],
  ['XCLIENT ADDR=spike.test', '501 5.5.4'],
  ['XCLIENT ADDR=192.0.2.1 ADDR=192.0.2.2', '501 5.5.4'],
  ['XCLIENT PORT=65536', '501 5.5.4'],
  ['XCLIENT PORT=x', '501 5.5.4'],
  ['XCLIENT PROTO=HTTP', '501 5.5.4'],
  ['XCLIENT LOGIN=alice', '501 5.5.4'],
  ['XCLIENT __proto__=x', '501 5.5.4'],
  ['XCLIENT NAME=a+0D+0AX', '501 5.5.4'],
  ['XCLIENT NAME=a(b)', '501 5.5.4'],
  ['XCLIENT NAME=a+28b+29', '501 5.5.4'],
  ['XCLIENT NAME=a+00b', '501 5.5.4'],
  ['XCLIENT NAME=a+20b', '501 5.5.4'],
  ['XCLIENT NAME=a+3Cb+3E', '501 5.5.4'],
  ['XCLIENT NAME=a;b', '501 5.5.4'],
  ['XCLIENT HELO=a+0D+0AMAIL+20FROM:+3Cx@y.test+3E', '501 5.5.4'],
  ['XCLIENT HELO=a+22', '501 5.5.4'],
  ['XCLIENT HELO=a+5Cb', '501 5.5.4'],
  ['XCLIENT ADDR=192.0.2.1+0D+0A', '501 5.5.4'],
  ['XCLIENT ADDR=[192.0.2.1]', '501 5.5.4'],
  ['XCLIENT ADDR=192.0.2.1,192.0.2.2', '501 5.5.4'],
  ['XCLIENT DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]', '220'],
  ['XCLIENT PORT=+2D1', '501 5.5.4'],
  ['XCLIENT LOGIN=alice+0D+0A', '501 5.5.4'],
  ['XCLIENT LOGIN=[UNAVAILABLE]', '220'],
  ['XFORWARD HELO=a+0D+0AX-Evil:+20yes', '501 5.5.4'],
  ['XFORWARD IDENT=a+0AB', '501 5.5.4'],
  ['XFORWARD ADDR=x+7Fy', '501 5.5.4'],
  ['XFORWARD NAME=a+80b', '501 5.5.4'],
  ['XFORWARD SOURCE=LOCAL+00', '501 5.5.4'],
  ['XFORWARD LOGIN=alice', '501 5.5.4'],
  ['XCLIENT HELO="a"', '501 5.5.4'],
  [`XCLIENT NAME=${'x'.repeat(255)}`, '220'],
  [`XCLIENT NAME=${'x'.repeat(256)}`, '501 5.5.4'],
  ['XFORWARD NAME=spike.test ADDR=192.0.2.9 PROTO=ESMTP', '250 2.0.0'],
  ['XFORWARD ADDR=[UNAVAILABLE] SOURCE=LOCAL IDENT=3CF6B2AAE8', '250 2.0.0'],
  ['XFORWARD ADDR=x400-gateway', '250 2.0.0'],
  ['XFORWARD DESTADDR=192.0.2.1', '501 5.5.4'],
  ['XFORWARD', '501 5.5.4'],
];
for (const [line, want] of said)
  test(`${line.slice(0, 60)} is answered ${want}`, async () => {
    const { talk } = await forwarder();
    assert.deepEqual(await talk.codes(`${line}\r\n`), [want]);
  });

test('not inside a transaction', async () => {
  const { talk } = await forwarder();
  await talk.say('MAIL FROM:<bob@away.test>\r\n');
  assert.deepEqual(await talk.codes('XCLIENT ADDR=192.0.2.9\r\nXFORWARD ADDR=192.0.2.9\r\n'), [
    '503 5.5.1',
    '503 5.5.1',
  ]);
});

test('after XCLIENT the session is the other client’s: greeted, checked, told and written down as that', async () => {
  const checked: [string, string][] = [];
  const { here, talk } = await forwarder({
    policy: {
      connect: ({ remote }) => {
        checked.push(['connect', remote.address]);
        return { kind: 'accept' };
      },
      hello: ({ remote, hello }) => {
        checked.push([hello?.domain ?? '', remote.address]);
        return { kind: 'accept' };
      },
    },
  });
  assert.deepEqual(
    await talk.codes(
      `XCLIENT NAME=spike.test ADDR=192.0.2.9 PORT=4711\r\nXCLIENT HELO=spike-said.test\r\nMAIL FROM:<a@b.test>\r\n${EHLO}${MAIL}`,
    ),
    ['220', '220', '503 5.5.1', '250', '250 2.1.0', '250 2.1.5', '250 2.0.0'],
  );
  assert.deepEqual(checked, [
    ['connect', FORWARDER_ADDRESS],
    ['filter.test', FORWARDER_ADDRESS],
    ['connect', '192.0.2.9'],
    ['connect', '192.0.2.9'],
    ['spike-said.test', '192.0.2.9'],
  ]);
  const [taken] = here.taken;
  assert.match(
    Buffer.from(taken?.prefix ?? '').toString(),
    /^Received: from spike-said\.test \(spike\.test \[192\.0\.2\.9\]\)\r\n/,
  );
  assert.deepEqual(taken?.session.remote, { address: '192.0.2.9', port: 4711 });
  const accepted = here.events.find(({ name }) => name === 'smtp.message-accepted');
  assert.equal(accepted?.remoteAddress, '192.0.2.9');
});

test('PROTO=SMTP is told in Received, and the forwarder may go on to speak for others', async () => {
  const { here, talk } = await forwarder();
  await talk.say(`XCLIENT ADDR=192.0.2.9 PROTO=SMTP\r\n${EHLO}${MAIL}`);
  await talk.say(`XCLIENT ADDR=192.0.2.10 PROTO=ESMTP\r\n${EHLO}${MAIL}`);
  assert.deepEqual(
    here.taken.map(({ prefix }) =>
      /\(\[(.*?)\]\)\r\n\tby \S+ with (\S+)/.exec(Buffer.from(prefix).toString())?.slice(1),
    ),
    [
      ['192.0.2.9', 'SMTP'],
      ['192.0.2.10', 'ESMTP'],
    ],
  );
});

test('a client that the checks refuse is refused by XCLIENT’s reply', async () => {
  const { talk } = await forwarder({
    policy: {
      connect: ({ remote }: SessionFacts) =>
        remote.address === '192.0.2.66'
          ? { kind: 'refuse', reply: reply(554, '5.7.1', 'Not you'), reason: 'test' }
          : { kind: 'accept' },
    },
  });
  assert.deepEqual(await talk.codes('XCLIENT ADDR=192.0.2.66\r\nNOOP\r\nQUIT\r\n'), [
    '554',
    '503 5.5.1',
    '221 2.0.0',
  ]);
});

test('who had signed in has not as another client', async () => {
  const here = office({ role: SUBMISSION });
  const talk = new Talk(here, { clientAddress: FORWARDER_ADDRESS, tls: true });
  await talk.say(EHLO);
  await talk.say(`AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`);
  assert.deepEqual(await talk.codes(`XCLIENT ADDR=192.0.2.9\r\n${EHLO}MAIL FROM:<alice@example.test>\r\n`), [
    '220',
    '250',
    '530 5.7.0',
  ]);
});

test('XFORWARD holds for one message, and is not mixed with what is known of the forwarder', async () => {
  const { here, talk } = await forwarder();
  await talk.say(
    'XFORWARD NAME=spike.test ADDR=192.0.2.9\r\nXFORWARD HELO=spike-said.test IDENT=3CF6B2AAE8\r\n',
  );
  await talk.say(MAIL);
  await talk.say(MAIL);
  await talk.say('XFORWARD ADDR=[UNAVAILABLE]\r\nMAIL FROM:<bob@away.test>\r\nRSET\r\n');
  await talk.say(MAIL);
  assert.deepEqual(
    here.taken.map(({ session }) => session.forwarded),
    [
      { name: 'spike.test', address: '192.0.2.9', helo: 'spike-said.test', ident: '3CF6B2AAE8' },
      undefined,
      undefined,
    ],
  );
  assert.ok(here.taken.every(({ session }) => session.remote.address === FORWARDER_ADDRESS));
  assert.deepEqual(
    here.events
      .filter(({ name }) => name === 'smtp.forwarded')
      .map((event) => 'client' in event && event.client),
    ['192.0.2.9', undefined],
  );
});

async function submission(change: Partial<Omit<SmtpServerDeps, 'clock'>> = {}) {
  const here = office({ role: SUBMISSION, ...change });
  const talk = new Talk(here, { clientAddress: FORWARDER_ADDRESS });
  return { here, talk, features: await talk.say(EHLO) };
}

test('LOGIN is whom the forwarder has let in, without a password and without TLS, until another client is named', async () => {
  const { here, talk, features } = await submission();
  assert.match(features, /^250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r$/m);
  const sends = `${EHLO}MAIL FROM:<alice@example.test>\r\n`;
  assert.deepEqual(await talk.codes(`XCLIENT ADDR=192.0.2.9 LOGIN=alice\r\n${EHLO}${MAIL}`), [
    '220',
    '250',
    '250 2.1.0',
    '250 2.1.5',
    '250 2.0.0',
  ]);
  const [taken] = here.taken;
  assert.equal(taken?.session.principal?.address, 'alice@example.test');
  assert.match(Buffer.from(taken?.prefix ?? '').toString(), /with ESMTPA id/);
  assert.deepEqual(
    here.events.flatMap((event) => (event.name === 'smtp.authenticated' ? [event.mechanism] : [])),
    ['XCLIENT'],
  );
  for (const [attributes, want] of [
    ['HELO=x.test', '250 2.1.0'],
    ['LOGIN=[UNAVAILABLE]', '530 5.7.0'],
    ['LOGIN=alice PORT=4', '250 2.1.0'],
    ['ADDR=192.0.2.10', '530 5.7.0'],
  ] as const)
    assert.deepEqual(await talk.codes(`RSET\r\nXCLIENT ${attributes}\r\n${sends}`), [
      '250 2.0.0',
      '220',
      '250',
      want,
    ]);
});

test('whom nobody knows, whom the checks refuse, and whom the directory cannot be asked about, is not signed in', async () => {
  const sends = `${EHLO}MAIL FROM:<alice@example.test>\r\n`;
  const unknown = await submission();
  assert.deepEqual(await unknown.talk.codes(`XCLIENT LOGIN=mallory\r\n${sends}`), [
    '550 5.7.8',
    '250',
    '530 5.7.0',
  ]);
  const checked = await submission({
    policy: { auth: () => ({ kind: 'refuse', reply: reply(450, '4.7.0', 'Too many'), reason: 'test' }) },
  });
  assert.deepEqual(await checked.talk.codes(`XCLIENT LOGIN=alice\r\n${sends}`), [
    '450 4.7.0',
    '250',
    '530 5.7.0',
  ]);
  const away = await submission({
    signIn: signInWith({ password: '', principals: new Map(), fault: new Error('away') }),
  });
  assert.deepEqual(await away.talk.codes(`XCLIENT LOGIN=alice\r\n${sends}`), [
    '451 4.3.0',
    '250',
    '530 5.7.0',
  ]);
});

test('a stranger is nobody by LOGIN', async () => {
  const talk = new Talk(office({ role: SUBMISSION }));
  const heard = await talk.codes(`${EHLO}XCLIENT LOGIN=alice\r\nMAIL FROM:<alice@example.test>\r\n`);
  assert.deepEqual(heard, ['220', '250', '550 5.7.0', '530 5.7.0']);
});
