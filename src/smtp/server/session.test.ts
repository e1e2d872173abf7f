import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { office, Talk, toCodes } from '../../../test/support/smtp-ports.ts';
import { reply } from '../wire/reply.ts';
import type { SmtpServerDeps } from './deps.ts';
import { SMTP_LIMITS } from './limits.ts';
import { LMTP, RELAY, SUBMISSION } from './role.ts';

const EHLO = 'EHLO client.test\r\n';
const MAIL = 'MAIL FROM:<bob@away.test>\r\n';
const RCPT = 'RCPT TO:<alice@example.test>\r\n';
const limits = (change: Partial<typeof SMTP_LIMITS>): typeof SMTP_LIMITS => ({ ...SMTP_LIMITS, ...change });
const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const TIM = base64('\0alice\0secret');

test('a whole conversation, message kept byte for byte, trace id in the reply (RFC 5321 §3.3)', async () => {
  const here = office();
  const talk = new Talk(here);
  assert.equal(await talk.hear(), '220 mail.example.test ESMTP Postrider\r\n');
  const features = await talk.say(EHLO);
  assert.deepEqual(features.trimEnd().split('\r\n'), [
    '250-mail.example.test',
    '250-PIPELINING',
    `250-SIZE ${SMTP_LIMITS.messageOctetsMax}`,
    '250-8BITMIME',
    '250-SMTPUTF8',
    '250-ENHANCEDSTATUSCODES',
    '250-CHUNKING',
    '250-BINARYMIME',
    '250-DSN',
    '250-LIMITS MAILMAX=10000 RCPTMAX=1000',
    '250-DELIVERBY 60',
    '250-MT-PRIORITY MIXER',
    '250-STARTTLS',
    '250 HELP',
  ]);
  assert.deepEqual(await talk.codes(MAIL), ['250 2.1.0']);
  assert.deepEqual(await talk.codes(RCPT), ['250 2.1.5']);
  assert.deepEqual(await talk.codes('DATA\r\n'), ['354']);
  assert.equal(await talk.say('Subject: hi\r\n\r\n..\0\xff\r\n.\r\n'), '250 2.0.0 Accepted as trace002\r\n');
  assert.deepEqual(await talk.codes('QUIT\r\n'), ['221 2.0.0']);
  await talk.done;
  const [message] = here.taken;
  assert.equal(message?.content, 'Subject: hi\r\n\r\n.\0\xff\r\n');
  assert.equal(message.octets, message.content.length);
  assert.equal(
    Buffer.from(message.prefix).toString(),
    'Received: from client.test ([192.0.2.1])\r\n\tby mail.example.test with ESMTP id trace002\r\n' +
      '\tfor <alice@example.test>;\r\n\tFri, 2 Jan 2026 03:04:05 +0000\r\n',
  );
  assert.equal(here.open, 0);
});

test('a pipelined group is answered in one write (RFC 2920 §3.2)', async () => {
  const talk = new Talk(office());
  await talk.say(EHLO);
  const before = talk.server.writes;
  assert.deepEqual(await talk.codes(`${MAIL}${RCPT}RCPT TO:<nobody@example.test>\r\nDATA\r\n`), [
    '250 2.1.0',
    '250 2.1.5',
    '550 5.1.1',
    '354',
  ]);
  assert.equal(talk.server.writes, before + 1);
});

/** [what was said after EHLO, codes of all replies] on the relay role. */
const tables: readonly (readonly [string, string, string[]])[] = [
  ['unknown command', 'XYZZY\r\n', ['500 5.5.1']],
  ['empty line', '\r\n', ['500 5.5.1']],
  ['NUL in a command', 'NOOP \0\r\n', ['500 5.5.2']],
  ['bare CR in a command', 'NOOP\rNOOP\r\n', ['500 5.5.2']],
  ['bare LF ends nothing', 'NOOP\nNOOP\r\nNOOP\r\n', ['500 5.5.2', '250 2.0.0']],
  ['not UTF-8', 'VRFY \xff\r\n', ['500 5.5.2']],
  ['HELO', 'HELO client.test\r\n', ['250']],
  ['EHLO without domain', 'EHLO\r\n', ['501 5.5.4']],
  ['LHLO on SMTP (RFC 2033 §4.1)', 'LHLO client.test\r\n', ['500 5.5.1']],
  ['NOOP', 'NOOP\r\nNOOP x\r\n', ['250 2.0.0', '250 2.0.0']],
  ['RSET', 'RSET\r\n', ['250 2.0.0']],
  ['RSET with argument', 'RSET x\r\n', ['501 5.5.4']],
  ['VRFY', 'VRFY alice\r\n', ['252 2.0.0']],
  ['EXPN', 'EXPN list\r\n', ['502 5.5.1']],
  ['HELP', 'HELP\r\n', ['214 2.0.0']],
  ['AUTH where there is none', 'AUTH PLAIN\r\n', ['502 5.5.1']],
  ['RCPT before MAIL', RCPT, ['503 5.5.1']],
  ['DATA before MAIL', 'DATA\r\n', ['503 5.5.1']],
  ['DATA before RCPT', `${MAIL}DATA\r\n`, ['250 2.1.0', '503 5.5.1']],
  ['two MAIL', MAIL + MAIL, ['250 2.1.0', '503 5.5.1']],
  ['RSET ends the transaction', `${MAIL}RSET\r\n${RCPT}`, ['250 2.1.0', '250 2.0.0', '503 5.5.1']],
  ['EHLO ends the transaction', `${MAIL}${EHLO}${RCPT}`, ['250 2.1.0', '250', '503 5.5.1']],
  ['null reverse-path', 'MAIL FROM:<>\r\n', ['250 2.1.0']],
  ['no brackets', 'MAIL FROM:bob@away.test\r\n', ['501 5.1.7']],
  ['bad sender', 'MAIL FROM:<bob@@away.test>\r\n', ['501 5.1.7']],
  ['bad recipient', `${MAIL}RCPT TO:<alice@example.test.>\r\n`, ['250 2.1.0', '501 5.1.3']],
  ['null recipient', `${MAIL}RCPT TO:<>\r\n`, ['250 2.1.0', '501 5.1.3']],
  ['Postmaster', `${MAIL}RCPT TO:<Postmaster>\r\n`, ['250 2.1.0', '250 2.1.5']],
  ['relaying', `${MAIL}RCPT TO:<x@away.test>\r\n`, ['250 2.1.0', '550 5.7.1']],
  ['source route to elsewhere', `${MAIL}RCPT TO:<@example.test:x@away.test>\r\n`, ['250 2.1.0', '550 5.7.1']],
  ['over quota', `${MAIL}RCPT TO:<full@example.test>\r\n`, ['250 2.1.0', '452 4.2.2']],
  ['directory away', `${MAIL}RCPT TO:<fault@example.test>\r\n`, ['250 2.1.0', '451 4.3.0']],
  [
    'slow recipient',
    `${MAIL}RCPT TO:<slow@example.test>\r\n${RCPT}`,
    ['250 2.1.0', '250 2.1.5', '250 2.1.5'],
  ],
  ['unknown parameter', 'MAIL FROM:<b@a.test> X=1\r\n', ['555 5.5.4']],
  ['bad parameter', 'MAIL FROM:<b@a.test> SIZE=x\r\n', ['501 5.5.4']],
  [
    'SIZE at the limit (RFC 1870 §6.1)',
    `MAIL FROM:<b@a.test> SIZE=${SMTP_LIMITS.messageOctetsMax}\r\n`,
    ['250 2.1.0'],
  ],
  [
    'SIZE over the limit (RFC 1870 §6.1)',
    `MAIL FROM:<b@a.test> SIZE=${SMTP_LIMITS.messageOctetsMax + 1}\r\n`,
    ['552 5.3.4'],
  ],
  ['AUTH= without AUTH (RFC 4954 §5)', 'MAIL FROM:<b@a.test> AUTH=<>\r\n', ['555 5.5.4']],
  [
    'DSN parameters (RFC 3461)',
    'MAIL FROM:<b@a.test> RET=HDRS ENVID=x\r\nRCPT TO:<alice@example.test> NOTIFY=NEVER ORCPT=rfc822;a@b\r\n',
    ['250 2.1.0', '250 2.1.5'],
  ],
  ['UTF-8 sender without SMTPUTF8 (RFC 6531 §3.5)', 'MAIL FROM:<\xc3\xbc@a.test>\r\n', ['550 5.6.7']],
  ['UTF-8 sender with SMTPUTF8', 'MAIL FROM:<\xc3\xbc@a.test> SMTPUTF8\r\n', ['250 2.1.0']],
  [
    'UTF-8 recipient without SMTPUTF8 (RFC 6531 §3.5)',
    `${MAIL}RCPT TO:<\xc3\xbc@example.test>\r\n`,
    ['250 2.1.0', '553 5.6.7'],
  ],
  [
    'BDAT in one (RFC 3030 §2)',
    `${MAIL}${RCPT}BDAT 6 LAST\r\na\r\nb\r\nNOOP\r\n`,
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.0.0'],
  ],
  [
    'BDAT in pieces',
    `${MAIL}${RCPT}BDAT 2\r\na\rBDAT 1\r\n\nBDAT 0 LAST\r\n`,
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.0.0', '250 2.0.0'],
  ],
  [
    'BDAT before RCPT is read and refused',
    `${MAIL}BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n`,
    ['250 2.1.0', '503 5.5.1', '250 2.0.0'],
  ],
  [
    'RCPT and BDAT behind a BDAT that came too early: no message without its beginning (RFC 3030 §2)',
    `${MAIL}BDAT 6\r\na\r\nb\r\n${RCPT}BDAT 3 LAST\r\nc\r\nRSET\r\n`,
    ['250 2.1.0', '503 5.5.1', '503 5.5.1', '503 5.5.1', '250 2.0.0'],
  ],
  ['BDAT before MAIL is read and refused', 'BDAT 6\r\nQUIT\r\nNOOP\r\n', ['503 5.5.1', '250 2.0.0']],
  [
    'BDAT with a bare LF',
    `${MAIL}${RCPT}BDAT 4\r\na\nb\nBDAT 0 LAST\r\nRSET\r\n${MAIL}`,
    ['250 2.1.0', '250 2.1.5', '550 5.6.11', '503 5.5.1', '250 2.0.0', '250 2.1.0'],
  ],
  [
    'BDAT that ends in a bare CR',
    `${MAIL}${RCPT}BDAT 2 LAST\r\na\r`,
    ['250 2.1.0', '250 2.1.5', '550 5.6.11'],
  ],
  [
    'BDAT holds no final dot',
    `${MAIL}${RCPT}BDAT 9 LAST\r\na\r\n.\r\nb\r\nNOOP\r\n`,
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.0.0'],
  ],
  [
    'DATA after BDAT',
    `${MAIL}${RCPT}BDAT 0\r\nDATA\r\n`,
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '503 5.5.1'],
  ],
  [
    'RCPT after BDAT',
    `${MAIL}${RCPT}BDAT 0\r\n${RCPT}`,
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '503 5.5.1'],
  ],
  [
    'MAIL after BDAT',
    `${MAIL}${RCPT}BDAT 0\r\n${MAIL}`,
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '503 5.5.1'],
  ],
  [
    'RSET after BDAT',
    `${MAIL}${RCPT}BDAT 0\r\nRSET\r\n${MAIL}`,
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.0.0', '250 2.1.0'],
  ],
  [
    'bare LF in DATA',
    `${MAIL}${RCPT}DATA\r\na\n.\nMAIL FROM:<x@y>\r\n.\r\n`,
    ['250 2.1.0', '250 2.1.5', '354', '550 5.6.11'],
  ],
  [
    'CRLF . LF in DATA',
    `${MAIL}${RCPT}DATA\r\na\r\n.\nMAIL FROM:<x@y>\r\n.\r\n`,
    ['250 2.1.0', '250 2.1.5', '354', '550 5.6.11'],
  ],
  [
    'LF . CRLF in DATA',
    `${MAIL}${RCPT}DATA\r\na\n.\r\nMAIL FROM:<x@y>\r\n.\r\n`,
    ['250 2.1.0', '250 2.1.5', '354', '550 5.6.11'],
  ],
  [
    'CR . CR in DATA',
    `${MAIL}${RCPT}DATA\r\na\r.\rMAIL FROM:<x@y>\r\n.\r\n`,
    ['250 2.1.0', '250 2.1.5', '354', '550 5.6.11'],
  ],
  [
    'NUL beside the dot in DATA',
    `${MAIL}${RCPT}DATA\r\na\r\n\0.\r\n.\0\r\n.\r\n`,
    ['250 2.1.0', '250 2.1.5', '354', '250 2.0.0'],
  ],
  ['empty message', `${MAIL}${RCPT}DATA\r\n.\r\n`, ['250 2.1.0', '250 2.1.5', '354', '250 2.0.0']],
  [
    'Received 50 times (RFC 5321 §6.3)',
    `${MAIL}${RCPT}DATA\r\n${'Received: x\r\n'.repeat(50)}\r\n.\r\n`,
    ['250 2.1.0', '250 2.1.5', '354', '250 2.0.0'],
  ],
  [
    'Received 51 times (RFC 5321 §6.3)',
    `${MAIL}${RCPT}DATA\r\n${'Received: x\r\n'.repeat(51)}\r\n.\r\n`,
    ['250 2.1.0', '250 2.1.5', '354', '554 5.4.6'],
  ],
  ['a line at the limit', `NOOP ${'x'.repeat(4096 - 7)}\r\n`, ['250 2.0.0']],
  ['a line over the limit', `NOOP ${'x'.repeat(4096 - 6)}\r\nNOOP\r\n`, ['500 5.5.2', '250 2.0.0']],
];
for (const [name, said, want] of tables) {
  test(`relay: ${name}`, async () => {
    const here = office();
    const talk = new Talk(here);
    await talk.say(EHLO);
    assert.deepEqual(await talk.codes(said), want);
    talk.client.destroy();
    await talk.done;
    assert.equal(here.open, 0, 'every sink was committed or aborted');
    assert.deepEqual(
      here.events.filter(({ name: event }) => event === 'smtp.bug'),
      [],
    );
  });
  test(`relay: ${name}, octet by octet`, async () => {
    const talk = new Talk(office());
    await talk.say(EHLO);
    // Each octet is a chunk of its own to the session; nothing waits in between.
    for (const octet of Buffer.from(said, 'latin1')) void talk.client.write(Uint8Array.of(octet));
    assert.deepEqual(toCodes(await talk.hear()), want);
  });
}

test('before EHLO: MAIL is refused, NOOP, RSET, VRFY and HELP are not (RFC 5321 §4.1.4)', async () => {
  const talk = new Talk(office());
  await talk.hear();
  assert.deepEqual(await talk.codes(`${MAIL}NOOP\r\nRSET\r\nVRFY x\r\nHELP\r\n`), [
    '503 5.5.1',
    '250 2.0.0',
    '250 2.0.0',
    '252 2.0.0',
    '214 2.0.0',
  ]);
});

async function conversation(said: string, cuts: readonly number[]): Promise<string> {
  const talk = new Talk(office({ limits: limits({ errorsMax: 1e9, idleCommandsMax: 1e9 }) }));
  const greeting = await talk.hear();
  const octets = Buffer.from(`${EHLO}${said}\r\nQUIT\r\n`, 'latin1');
  let from = 0;
  for (const until of [...cuts.map((at) => at % octets.length), octets.length].toSorted((a, b) => a - b)) {
    void talk.client.write(octets.subarray(from, until));
    from = until;
  }
  const heard = await talk.hear();
  talk.client.destroy();
  await talk.done;
  return greeting + heard;
}

test('any cut of the octets gives the same replies', async () => {
  const piece = fc.constantFrom(
    MAIL,
    RCPT,
    'DATA\r\n',
    'BDAT 5\r\n',
    'a\r\n.\r\n',
    'BDAT 3 LAST\r\n',
    'x\r\n',
    '\n',
    '\r',
    'RSET\r\n',
    '.\r\n',
    'NOOP',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.nat(200), { maxLength: 8 }),
      async (pieces, cut) => {
        const said = pieces.join('');
        assert.equal(await conversation(said, cut), await conversation(said, []));
      },
    ),
    { numRuns: 150 },
  );
});

test('no octets break a session: no bug, no sink left open', async () => {
  const word = fc.oneof(
    fc.constantFrom(
      EHLO,
      MAIL,
      RCPT,
      'DATA\r\n',
      'BDAT 9 LAST\r\n',
      'AUTH PLAIN\r\n',
      'STARTTLS\r\n',
      '.\r\n',
      'LHLO x\r\n',
    ),
    fc.uint8Array({ maxLength: 30 }).map((octets) => Buffer.from(octets).toString('latin1')),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(RELAY, SUBMISSION, LMTP),
      fc.boolean(),
      fc.array(word),
      async (role, tls, words) => {
        const here = office({ role });
        const talk = new Talk(here, { tls });
        for (const said of words) void talk.client.write(Buffer.from(said, 'latin1'));
        await talk.hear();
        talk.client.destroy();
        await talk.done;
        assert.deepEqual(
          here.events.filter(({ name }) => name === 'smtp.bug'),
          [],
        );
        assert.equal(here.open, 0);
      },
    ),
    { numRuns: 300 },
  );
});

// ---- limits ----

test('recipients: the last allowed, one too many (RFC 5321 §4.5.3.1.10)', async () => {
  const talk = new Talk(office({ limits: limits({ recipientsMax: 2 }) }));
  await talk.say(EHLO + MAIL);
  assert.deepEqual(await talk.codes(RCPT + RCPT + RCPT), ['250 2.1.5', '250 2.1.5', '452 4.5.3']);
});

test('errors: the session ends with 421', async () => {
  const talk = new Talk(office({ limits: limits({ errorsMax: 3 }) }));
  await talk.hear();
  assert.deepEqual(await talk.codes('X\r\nX\r\nX\r\nNOOP\r\n'), [
    '500 5.5.1',
    '500 5.5.1',
    '500 5.5.1',
    '421 4.7.0',
  ]);
  await talk.done;
});

test('a search for addresses ends with 421', async () => {
  const talk = new Talk(office({ limits: limits({ refusedRecipientsMax: 2 }) }));
  await talk.say(EHLO + MAIL);
  const nobody = 'RCPT TO:<nobody@example.test>\r\n';
  assert.deepEqual(await talk.codes(nobody + nobody + nobody), ['550 5.1.1', '550 5.1.1', '421 4.7.0']);
});

test('commands that move nothing end with 421', async () => {
  const talk = new Talk(office({ limits: limits({ idleCommandsMax: 3 }) }));
  await talk.hear();
  assert.deepEqual(await talk.codes('NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n'), [
    '250 2.0.0',
    '250 2.0.0',
    '250 2.0.0',
    '421 4.7.0',
  ]);
});

for (const [octets, want] of [
  [10, '250 2.0.0'],
  [11, '552 5.3.4'],
] as const) {
  test(`a message of ${octets} octets where 10 are allowed, by DATA and by BDAT (RFC 1870 §6.1)`, async () => {
    const here = office({ limits: limits({ messageOctetsMax: 10 }) });
    const talk = new Talk(here);
    const content = `${'x'.repeat(octets - 2)}\r\n`;
    await talk.say(EHLO);
    assert.equal((await talk.codes(`${MAIL}${RCPT}DATA\r\n${content}.\r\n`)).at(-1), want);
    assert.equal((await talk.codes(`${MAIL}${RCPT}BDAT ${octets} LAST\r\n${content}`)).at(-1), want);
    assert.deepEqual(await talk.codes('NOOP\r\n'), ['250 2.0.0']);
    assert.equal(here.open, 0);
  });
}

test('a flood after the refusal is cut', async () => {
  const talk = new Talk(office({ limits: limits({ messageOctetsMax: 10, discardOctetsMax: 100 }) }));
  await talk.say(`${EHLO}${MAIL}${RCPT}DATA\r\n`);
  assert.deepEqual(await talk.codes('x'.repeat(20)), []);
  assert.deepEqual(await talk.codes('x'.repeat(101)), ['421 4.7.0']);
  await talk.done;
});

test('a huge BDAT that was refused is cut', async () => {
  const talk = new Talk(office({ limits: limits({ discardOctetsMax: 100 }) }));
  await talk.say(EHLO);
  assert.deepEqual(await talk.codes(`BDAT 9000000000000000\r\n${'x'.repeat(101)}`), ['421 4.7.0']);
  await talk.done;
});

test('an endless command line is cut', async () => {
  const talk = new Talk(office({ limits: limits({ skipLineOctetsMax: 10_000 }) }));
  await talk.hear();
  assert.deepEqual(await talk.codes('x'.repeat(20_000)), ['500 5.5.2', '421 4.7.0']);
  await talk.done;
});

// ---- time ----

test('a silent client hears 421 after the idle time (RFC 5321 §4.5.3.2.7)', async () => {
  for (const said of ['', EHLO, `${EHLO}${MAIL}${RCPT}DATA\r\nhalf a mess`, 'NO']) {
    const here = office();
    const talk = new Talk(here);
    await talk.say(said);
    await here.clock.advance(SMTP_LIMITS.idleMs - 1);
    assert.equal(await talk.hear(), '');
    await here.clock.advance(1);
    assert.deepEqual(toCodes(await talk.hear()), ['421 4.4.2']);
    await talk.done;
    assert.equal(here.open, 0);
  }
});

test('a message that drips is cut after the time for one message', async () => {
  const here = office({ limits: limits({ messageMs: 1000 }) });
  const talk = new Talk(here);
  await talk.say(`${EHLO}${MAIL}${RCPT}DATA\r\n`);
  await here.clock.advance(999);
  assert.deepEqual(await talk.codes('a'), []);
  await here.clock.advance(2);
  assert.deepEqual(await talk.codes('a'), ['421 4.4.2']);
  await talk.done;
});

test('a command that drips is cut after the idle time: octets do not buy more of it', async () => {
  for (const first of ['', EHLO]) {
    const here = office();
    const talk = new Talk(here);
    await talk.say(first);
    for (let said = 0; said < 4; said += 1) {
      await here.clock.advance(SMTP_LIMITS.idleMs / 5);
      assert.deepEqual(await talk.codes('N'), []);
    }
    await here.clock.advance(SMTP_LIMITS.idleMs / 5);
    assert.deepEqual(toCodes(await talk.hear()), ['421 4.4.2']);
    await talk.done;
  }
});

test('a session that brings no message is ended after its time, one that does is not', async () => {
  for (const brings of [false, true]) {
    const here = office({ limits: limits({ withoutMessageMs: 1000 }) });
    const talk = new Talk(here);
    await talk.say(EHLO);
    await here.clock.advance(900);
    await talk.say(brings ? `${MAIL}${RCPT}BDAT 1 LAST\r\nx` : `${MAIL}${RCPT}RSET\r\n`);
    await here.clock.advance(200);
    assert.deepEqual(toCodes(await talk.hear()), brings ? [] : ['421 4.4.2']);
  }
});

test('a chunk that nobody wants buys no time', async () => {
  const here = office({ limits: limits({ withoutMessageMs: 1000 }) });
  const talk = new Talk(here);
  await talk.say(`${EHLO}BDAT 1000000 LAST\r\n`);
  for (let said = 0; said < 9; said += 1) {
    await here.clock.advance(100);
    assert.deepEqual(await talk.codes('x'), []);
  }
  await here.clock.advance(100);
  assert.deepEqual(toCodes(await talk.hear()), ['421 4.4.2']);
  await talk.done;
});

test('submission: who does not read is cut when its time to sign in is over', async () => {
  const here = office({ role: SUBMISSION, limits: limits({ unauthenticatedMs: 1000 }) });
  const talk = new Talk(here, { windowOctets: 100 });
  void talk.client.write(Buffer.from(EHLO.repeat(50)));
  await here.clock.advance(999);
  assert.equal(talk.server.gone, undefined);
  await here.clock.advance(2);
  assert.equal(talk.server.gone, 'destroyed');
  await talk.done;
});

test('a header that comes octet by octet is checked whole', async () => {
  let seen = '';
  const policy: SmtpServerDeps['policy'] = {
    message: (header) => {
      seen = Buffer.from(header).toString('latin1');
      return { kind: 'accept' };
    },
  };
  const talk = new Talk(office({ policy }));
  await talk.say(`${EHLO}${MAIL}${RCPT}DATA\r\n`);
  const header = `Subject: ${'many words '.repeat(900)}\r\nFrom: a@b.test\r\n\r\n`;
  for (const octet of header.slice(0, 100)) await talk.say(octet);
  for (let at = 100; at < header.length; at += 13) await talk.say(header.slice(at, at + 13));
  await talk.say('body\r\n.\r\n');
  assert.equal(seen, header);
});

test('submission without AUTH ends after its time, with AUTH it does not', async () => {
  for (const auth of [false, true]) {
    const here = office({ role: SUBMISSION, limits: limits({ unauthenticatedMs: 1000 }) });
    const talk = new Talk(here, { tls: true });
    await talk.say(EHLO + (auth ? `AUTH PLAIN ${TIM}\r\n` : ''));
    await here.clock.advance(1001);
    assert.deepEqual(toCodes(await talk.hear()), auth ? [] : ['421 4.7.0']);
    assert.equal(talk.over, !auth);
  }
});

test('a client that vanishes harms nobody, wherever it was', async () => {
  for (const said of [
    '',
    EHLO,
    EHLO + MAIL,
    `${EHLO}${MAIL}${RCPT}DATA\r\nx`,
    `${EHLO}${MAIL}${RCPT}BDAT 5\r\nx`,
    `${EHLO}${MAIL}${RCPT}BDAT 1\r\nx`,
  ])
    for (const how of ['close', 'destroy'] as const) {
      const here = office();
      const talk = new Talk(here);
      await talk.say(said);
      void talk.client[how]();
      await talk.done;
      assert.equal(here.open, 0);
      assert.deepEqual(here.taken, []);
    }
});

test('shutdown: an idle session hears 421, one inside DATA finishes first (RFC 5321 §3.8)', async () => {
  const here = office();
  const idle = new Talk(here);
  const busy = new Talk(here);
  const stuck = new Talk(here);
  await idle.say(EHLO);
  await busy.say(`${EHLO}${MAIL}${RCPT}DATA\r\nhalf`);
  await stuck.say(`${EHLO}${MAIL}${RCPT}DATA\r\nhalf`);
  here.shutdown.abort();
  assert.deepEqual(toCodes(await idle.hear()), ['421 4.3.2']);
  assert.deepEqual(await busy.codes('\r\n.\r\n'), ['250 2.0.0', '421 4.3.2']);
  await here.clock.advance(SMTP_LIMITS.shutdownMs);
  assert.deepEqual(toCodes(await stuck.hear()), ['421 4.3.2']);
  await Promise.all([idle.done, busy.done, stuck.done]);
  assert.equal(here.taken.length, 1);
});

// ---- STARTTLS and AUTH ----

test('STARTTLS forgets all that was said in plain (RFC 3207 §4.2)', async () => {
  const here = office();
  const talk = new Talk(here);
  await talk.say(EHLO + MAIL);
  assert.deepEqual(await talk.codes('STARTTLS\r\n'), ['220 2.0.0']);
  assert.ok(
    (
      await talk.client.startTls({
        side: 'client',
        servername: 'x',
        certificate: { kind: 'any' },
        timeoutMs: 1,
      })
    ).ok,
  );
  assert.deepEqual(await talk.codes(RCPT + MAIL), ['503 5.5.1', '503 5.5.1']);
  const features = await talk.say(EHLO);
  assert.ok(!features.includes('STARTTLS'));
  assert.deepEqual(await talk.codes('STARTTLS\r\n'), ['503 5.5.1']);
  await talk.say(`${MAIL}${RCPT}DATA\r\n`);
  await talk.say('.\r\n');
  assert.match(
    Buffer.from(here.taken[0]?.prefix ?? []).toString(),
    /with ESMTPS id .*\r\n\t\(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256\)/,
  );
});

test('commands behind STARTTLS in plain end the session unanswered (RFC 3207 §5)', async () => {
  const talk = new Talk(office());
  await talk.say(EHLO);
  assert.deepEqual(await talk.codes(`STARTTLS\r\n${MAIL}`), ['554 5.5.1']);
  await talk.done;
});

test('STARTTLS where there is none', async () => {
  const talk = new Talk(office({ startTls: false }));
  assert.ok(!(await talk.say(EHLO)).includes('STARTTLS'));
  assert.deepEqual(await talk.codes('STARTTLS\r\n'), ['502 5.5.1']);
});

test('a handshake that fails ends the session', async () => {
  const here = office();
  const talk = new Talk(here);
  await talk.say(`${EHLO}STARTTLS\r\n`);
  await talk.say('not a handshake');
  await talk.done;
  assert.ok(here.events.some(({ name }) => name === 'smtp.tls-failed'));
});

/** [name, under TLS, what is said after EHLO, codes]. */
const auths: readonly (readonly [string, boolean, readonly string[], string[]])[] = [
  ['PLAIN with initial response', true, [`AUTH PLAIN ${TIM}\r\n`], ['235 2.7.0']],
  ['PLAIN in two steps', true, ['AUTH PLAIN\r\n', `${TIM}\r\n`], ['334', '235 2.7.0']],
  ['PLAIN in small letters', true, [`auth plain ${TIM}\r\n`], ['235 2.7.0']],
  [
    'LOGIN',
    true,
    ['AUTH LOGIN\r\n', `${base64('alice')}\r\n`, `${base64('secret')}\r\n`],
    ['334', '334', '235 2.7.0'],
  ],
  [
    'LOGIN with initial response',
    true,
    [`AUTH LOGIN ${base64('alice')}\r\n`, `${base64('secret')}\r\n`],
    ['334', '235 2.7.0'],
  ],
  ['wrong password', true, [`AUTH PLAIN ${base64('\0alice\0wrong')}\r\n`], ['535 5.7.8']],
  ['empty initial response', true, ['AUTH PLAIN =\r\n'], ['501 5.5.2']],
  ['not base64', true, ['AUTH PLAIN !!!\r\n'], ['501 5.5.2']],
  ['not base64 later', true, ['AUTH PLAIN\r\n', '!!!\r\n'], ['334', '501 5.5.2']],
  ['cancelled', true, ['AUTH LOGIN\r\n', '*\r\n'], ['334', '501 5.7.0']],
  ['unknown mechanism', true, ['AUTH DIGEST-MD5\r\n'], ['504 5.5.4']],
  ['without TLS', false, [`AUTH PLAIN ${TIM}\r\n`], ['538 5.7.11']],
  ['twice', true, [`AUTH PLAIN ${TIM}\r\n`, `AUTH PLAIN ${TIM}\r\n`], ['235 2.7.0', '503 5.5.1']],
  [
    'inside a transaction',
    true,
    [`AUTH PLAIN ${TIM}\r\n`, MAIL, `AUTH PLAIN ${TIM}\r\n`],
    ['235 2.7.0', '250 2.1.0', '503 5.5.1'],
  ],
  ['a long line', true, [`AUTH PLAIN ${'A'.repeat(8000)}\r\n`], ['501 5.5.2']],
  [
    'too long a line',
    true,
    ['AUTH PLAIN\r\n', `${'A'.repeat(12_287)}\r\n`, 'NOOP\r\n'],
    ['334', '500 5.5.6', '250 2.0.0'],
  ],
  [
    'as long a line as may be: 12,288 octets',
    true,
    ['AUTH PLAIN\r\n', `${'A'.repeat(12_286)}\r\n`],
    ['334', '501 5.5.2'],
  ],
  [
    'too long a line with the initial response',
    true,
    [`auth PLAIN ${'A'.repeat(12_276)}\r\n`, 'NOOP\r\n'],
    ['500 5.5.6', '250 2.0.0'],
  ],
  [
    'as long a line with the initial response as may be',
    true,
    [`AUTH PLAIN ${'A'.repeat(12_275)}\r\n`],
    ['501 5.5.2'],
  ],
  ['too long a line that is no AUTH', true, [`AUTHOR ${'A'.repeat(12_288)}\r\n`], ['500 5.5.2']],
  ['MAIL before AUTH', true, [MAIL], ['530 5.7.0']],
  ['MAIL before TLS', false, [MAIL], ['530 5.7.0']],
  [
    'relaying after AUTH',
    true,
    [`AUTH PLAIN ${TIM}\r\n`, `${MAIL}RCPT TO:<x@away.test>\r\n`],
    ['235 2.7.0', '250 2.1.0', '250 2.1.5'],
  ],
];
for (const [name, tls, said, want] of auths) {
  test(`AUTH: ${name} (RFC 4954 §4)`, async () => {
    const here = office({ role: SUBMISSION });
    const talk = new Talk(here, { tls });
    const features = await talk.say(EHLO);
    assert.equal(/^250[ -]AUTH SCRAM-SHA-256-PLUS .* PLAIN LOGIN\r$/m.test(features), tls);
    assert.equal(/AUTH/.test(features), tls);
    const heard: string[] = [];
    for (const text of said) heard.push(...(await talk.codes(text)));
    assert.deepEqual(heard, want);
    assert.ok(!JSON.stringify(here.events).includes('secret'));
  });
}

test('failed logins end the session', async () => {
  const talk = new Talk(office({ role: SUBMISSION, limits: limits({ authFailuresMax: 2 }) }), { tls: true });
  await talk.say(EHLO);
  const wrong = `AUTH PLAIN ${base64('\0alice\0wrong')}\r\n`;
  assert.deepEqual(await talk.codes(wrong + wrong + wrong), ['535 5.7.8', '535 5.7.8', '421 4.7.0']);
});

// ---- LMTP ----

test('LMTP: one reply for each accepted recipient, in order, even of one address twice (RFC 2033 §4.2)', async () => {
  const here = office({
    role: LMTP,
    commit: () => ({
      kind: 'each',
      outcomes: [
        { kind: 'accepted' },
        { kind: 'refuse', reason: 'over-quota', reply: reply(452, '4.2.2', 'Mailbox full') },
      ],
    }),
  });
  const talk = new Talk(here);
  assert.equal(await talk.hear(), '220 mail.example.test LMTP Postrider\r\n');
  assert.deepEqual(await talk.codes(EHLO), ['500 5.5.1']);
  await talk.say('LHLO client.test\r\n');
  assert.deepEqual(await talk.codes(`${MAIL}DATA\r\n`), ['250 2.1.0', '503 5.5.1']);
  await talk.say(`${RCPT}RCPT TO:<nobody@example.test>\r\n${RCPT}DATA\r\n`);
  assert.equal(
    await talk.say('x\r\n.\r\n'),
    '250 2.0.0 <alice@example.test> Accepted as trace002\r\n452 4.2.2 <alice@example.test> Mailbox full (trace002)\r\n',
  );
  assert.equal(here.taken.length, 1);
  assert.match(Buffer.from(here.taken[0]?.prefix ?? []).toString(), /with LMTP id/);
});

test('LMTP: a message refused as a whole is refused for each recipient (RFC 2033 §4.2)', async () => {
  const talk = new Talk(office({ role: LMTP }));
  await talk.say(`LHLO x\r\n${MAIL}${RCPT}${RCPT}DATA\r\n`);
  assert.deepEqual(await talk.codes('a\nb\r\n.\r\n'), ['550 5.6.11', '550 5.6.11']);
});

// ---- ports ----

const verdict = (code: number) =>
  ({ kind: 'refuse', reason: 'test', reply: reply(code, `${code < 500 ? 4 : 5}.7.1`, 'No') }) as const;
const stages: readonly (readonly [string, SmtpServerDeps['policy'], string, string[]])[] = [
  [
    'connect 554 (RFC 5321 §3.1)',
    { connect: () => verdict(554) },
    `${EHLO}QUIT\r\n`,
    ['554', '503 5.5.1', '221 2.0.0'],
  ],
  ['connect 421', { connect: () => verdict(421) }, EHLO, ['421']],
  [
    '421 of any check ends the session (RFC 5321 §3.8)',
    { mail: () => verdict(421) },
    EHLO + MAIL + MAIL,
    ['220', '250', '421 4.7.1'],
  ],
  ['hello', { hello: () => verdict(550) }, EHLO, ['220', '550 5.7.1']],
  ['mail', { mail: () => Promise.resolve(verdict(450)) }, EHLO + MAIL, ['220', '250', '450 4.7.1']],
  [
    'recipient',
    { recipient: () => verdict(550) },
    EHLO + MAIL + RCPT,
    ['220', '250', '250 2.1.0', '550 5.7.1'],
  ],
  [
    'data',
    { data: () => verdict(550) },
    `${EHLO}${MAIL}${RCPT}DATA\r\n`,
    ['220', '250', '250 2.1.0', '250 2.1.5', '550 5.7.1'],
  ],
  [
    'data, by BDAT',
    { data: () => verdict(550) },
    `${EHLO}${MAIL}${RCPT}BDAT 2 LAST\r\nxx${MAIL}`,
    ['220', '250', '250 2.1.0', '250 2.1.5', '550 5.7.1', '250 2.1.0'],
  ],
  [
    'message',
    { message: () => verdict(550) },
    `${EHLO}${MAIL}${RCPT}DATA\r\n.\r\n`,
    ['220', '250', '250 2.1.0', '250 2.1.5', '354', '550 5.7.1'],
  ],
  [
    'a check that throws',
    { mail: () => Promise.reject(new Error('away')) },
    EHLO + MAIL,
    ['220', '250', '451 4.3.0'],
  ],
  [
    'a connect check that throws',
    {
      connect: () => {
        throw new Error('away');
      },
    },
    '',
    ['421'],
  ],
];
for (const [name, policy, said, want] of stages) {
  test(`policy: ${name}`, async () => {
    const here = office({ policy });
    const talk = new Talk(here);
    assert.deepEqual([...(await talk.codes('')), ...(await talk.codes(said))], want);
    talk.client.destroy();
    await talk.done;
    assert.equal(here.open, 0);
  });
}

test('policy: fields stand before Received', async () => {
  const here = office({
    policy: { message: (header) => ({ kind: 'accept', fields: `X-Header-Octets: ${header.length}\r\n` }) },
  });
  const talk = new Talk(here);
  await talk.say(`${EHLO}${MAIL}${RCPT}DATA\r\n`);
  await talk.say('A: b\r\n\r\nbody\r\n.\r\n');
  assert.match(Buffer.from(here.taken[0]?.prefix ?? []).toString(), /^X-Header-Octets: 8\r\nReceived: /);
});

test('250 only after the commit; a commit that fails is 451 and leaves nothing', async () => {
  for (const how of ['refused', 'thrown'] as const) {
    const here = office({
      commit: () => {
        if (how === 'thrown') throw new Error('disk full');
        return { kind: 'refuse', reason: 'disk-full', reply: reply(452, '4.3.1', 'Disk full') };
      },
    });
    const talk = new Talk(here);
    await talk.say(`${EHLO}${MAIL}${RCPT}DATA\r\n`);
    const heard = await talk.say('x\r\n.\r\n');
    assert.match(
      heard,
      how === 'thrown' ? /^451 4\.3\.0 .*\(trace002\)/ : /^452 4\.3\.1 Disk full \(trace002\)/,
    );
    assert.ok(!heard.includes('disk full'), 'no cause in public');
    assert.equal(here.taken.length, 0);
    assert.deepEqual(await talk.codes(MAIL), ['250 2.1.0']);
  }
});

test('an early talker is noted and served (RFC 5321 §4.3.1)', async () => {
  const here = office();
  const talk = new Talk(here, {}, EHLO);
  assert.deepEqual(await talk.codes(''), ['220', '250']);
  assert.ok(here.events.some(({ name }) => name === 'smtp.early-talker'));
});

test('events tell the whole story of a message: who said what of whom, and what was answered', async () => {
  const here = office({
    policy: {
      mail: ({ reversePath }) =>
        reversePath?.domain === 'bad.test'
          ? { kind: 'refuse', reply: reply(550, '5.7.1', 'Not from there'), reason: 'test.sender' }
          : { kind: 'accept' },
      message: () => ({ kind: 'refuse', reply: reply(554, '5.7.1', 'No thanks'), reason: 'test.content' }),
    },
  });
  const talk = new Talk(here);
  await talk.say(EHLO);
  await talk.say('MAIL FROM:<eve@bad.test>\r\n');
  await talk.say(`${MAIL}${RCPT}RCPT TO:<nobody@example.test>\r\nDATA\r\n`);
  await talk.say('Message-ID: <1@away.test>\r\n\r\nhi\r\n.\r\n');
  const told = here.events.map(({ name, ...rest }) => {
    const { sessionId: _id, role: _role, remoteAddress: _remote, ...fields } = rest;
    return [name, fields];
  });
  const path = {
    declaredOctets: undefined,
    body: undefined,
    smtpUtf8: false,
    priority: undefined,
    envelopeId: undefined,
  };
  const mail = { verb: 'MAIL', code: 550, status: '5.7.1', reason: 'test.sender', text: 'Not from there' };
  const rcpt = { verb: 'RCPT', code: 550, status: '5.1.1', text: 'No such user' };
  assert.deepEqual(told.slice(1), [
    ['smtp.hello', { verb: 'EHLO', domain: 'client.test' }],
    ['smtp.mail', { traceId: 'trace002', reversePath: 'eve@bad.test', ...path }],
    ['smtp.command-refused', { ...mail, traceId: 'trace002', recipient: undefined }],
    ['smtp.mail', { traceId: 'trace003', reversePath: 'bob@away.test', ...path }],
    ['smtp.recipient', { traceId: 'trace003', recipient: 'alice@example.test', notify: undefined }],
    [
      'smtp.command-refused',
      { ...rcpt, reason: 'unknown-user', traceId: 'trace003', recipient: 'nobody@example.test' },
    ],
    [
      'smtp.message-refused',
      {
        traceId: 'trace003',
        octets: 33,
        recipients: 1,
        code: 554,
        status: '5.7.1',
        reason: 'test.content',
        text: 'No thanks (trace003)',
        messageId: '1@away.test',
      },
    ],
  ]);
});
