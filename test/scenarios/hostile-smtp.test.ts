/** What strangers try on the ports that take mail in: smuggling, injection, relaying, guessing, stalling. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readMessages } from '../support/mailbox.ts';
import { ALICE, BOB, postrider, startPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

const server = await startPostrider();
after(async () => {
  assert.equal(await server.stop(), 0);
  assert.doesNotMatch(server.output(), /bug|thread\.died/);
  await server[Symbol.asyncDispose]();
});

const SMUGGLED =
  'MAIL FROM:<evil@smuggled.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nin\r\n.\r\n';

async function greeted(verb = 'EHLO client.test', port = server.port('smtp')): Promise<RawClient> {
  const client = await RawClient.open(port);
  await client.reply();
  assert.match(await client.smtp(verb), /^250/);
  return client;
}

async function inData(): Promise<RawClient> {
  const client = await greeted();
  assert.match(await client.smtp('MAIL FROM:<bob@away.test>'), /^250/);
  assert.match(await client.smtp('RCPT TO:<alice@example.test>'), /^250/);
  assert.match(await client.smtp('DATA'), /^354/);
  return client;
}

const count = async (): Promise<number> => (await readMessages(server, ALICE)).length;

const ENDS = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\r\r\n.\n',
  '\n\r.\r\n',
  '\r\n.\r\r\n',
  '\n.\r',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n. \r\n',
  '\r\n.\t\r\n',
  '\r\n.\v\n',
  '\r\n.\x85',
  '\r\n.\xe2\x80\xa8',
  '\0\r\n..\r\n',
];
/** Not ends of the data, and no bare newlines either: content. */
const CONTENT = new Set([
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n. \r\n',
  '\r\n.\t\r\n',
  '\r\n.\x85',
  '\r\n.\xe2\x80\xa8',
  '\0\r\n..\r\n',
]);

test('no spelling of an end but CRLF . CRLF ends the data, whole or octet by octet (RFC 5321 §4.1.1.4)', async () => {
  const before = await count();
  let accepted = 0;
  for (const end of ENDS)
    for (const byOctet of [false, true]) {
      using client = await inData();
      // The real end follows the smuggled message: everything up to there is one message or none.
      const sent = `Subject: outer\r\n\r\nout${end}${SMUGGLED}`;
      if (byOctet) for (const octet of sent) await client.push(Buffer.from(octet, 'latin1'));
      else client.send(sent);
      const answer = await client.reply();
      if (CONTENT.has(end)) accepted += 1;
      assert.match(answer, CONTENT.has(end) ? /^250 2\.0\.0 Accepted/ : /^550 5\.6\.11/, JSON.stringify(end));
      assert.match(await client.smtp('NOOP'), /^250/);
      assert.equal(client.heard, '');
    }
  const messages = await readMessages(server, ALICE);
  assert.equal(messages.length, before + accepted);
  for (const message of messages) assert.doesNotMatch(message, /^Return-Path: <evil@smuggled\.test>/m);
});

/** What comes near the end of the data, cut in two at every octet. */
const AROUND = [
  { name: 'the end itself', text: 'Subject: cut\r\n\r\na\r\n.\r\n', want: /^250 2\.0\.0 Accepted/ },
  { name: 'a stuffed dot', text: 'Subject: cut\r\n\r\n..\r\n..a\r\n.\r\n', want: /^250 2\.0\.0 Accepted/ },
  { name: 'a bare LF before the dot', text: 'Subject: cut\r\n\r\na\n.\r\nb\r\n.\r\n', want: /^550 5\.6\.11/ },
  { name: 'a bare CR before the dot', text: 'Subject: cut\r\n\r\na\r.\r\nb\r\n.\r\n', want: /^550 5\.6\.11/ },
  { name: 'a bare LF behind the dot', text: 'Subject: cut\r\n\r\na\r\n.\nb\r\n.\r\n', want: /^550 5\.6\.11/ },
  {
    name: 'NUL about the dot',
    text: 'Subject: cut\r\n\r\na\r\n\0.\0\r\n.\r\n',
    want: /^250 2\.0\.0 Accepted/,
  },
] as const;

for (const { name, text, want } of AROUND)
  test(`${name}, split over two packets at every octet, is what it is in one (RFC 5321 §4.1.1.4)`, async () => {
    const before = await count();
    // One session for all: each message begins where the one before has ended.
    using client = await greeted();
    const cuts = Array.from({ length: text.length - 16 }, (_, index) => index + 15);
    for (const cut of cuts) {
      client.send('MAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n');
      await client.hear(/354[^\n]*\n/);
      await client.push(text.slice(0, cut));
      await client.push(text.slice(cut));
      assert.match(await client.reply(), want, `cut at ${cut}`);
    }
    assert.match(await client.smtp('NOOP'), /^250/);
    assert.equal(client.heard, '');
    assert.equal(await count(), before + (want.source.startsWith('^250') ? cuts.length : 0));
  });

test('a CRLF split over two chunks of BDAT is one line end, and the dot beside it is content (RFC 3030 §2)', async () => {
  const before = await count();
  const content = 'Subject: chunks\r\n\r\na\r\n.\r\nb\r\n';
  for (let cut = 15; cut < content.length; cut += 1) {
    using client = await greeted();
    client.send(
      `MAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT ${cut}\r\n${content.slice(0, cut)}` +
        `BDAT ${content.length - cut} LAST\r\n${content.slice(cut)}`,
    );
    await client.hear(
      /^250 2\.1\.0[^\n]*\n250 2\.1\.5[^\n]*\n250 2\.0\.0 [^\n]*\n250 2\.0\.0 Accepted[^\n]*\n$/,
    );
  }
  const messages = (await readMessages(server, ALICE)).slice(before);
  assert.equal(messages.length, content.length - 15);
  for (const message of messages) assert.ok(message.endsWith('\r\na\r\n.\r\nb\r\n'));
});

test('a binary message is kept octet for octet, whatever it holds, and what follows is a command again (RFC 3030 §3)', async () => {
  const before = await count();
  const body = `\0\n.\n\r.\r\r\n.\r\n${SMUGGLED}\xff\r`;
  const content = `Subject: binary\r\nContent-Transfer-Encoding: binary\r\n\r\n${body}`;
  using client = await greeted();
  client.send(
    `MAIL FROM:<bob@away.test> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\nBDAT ${content.length} LAST\r\n${content}NOOP\r\n`,
  );
  await client.hear(/Accepted[^\n]*\n250 2\.0\.0 [^\n]*\n$/);
  const [message = '', ...more] = (await readMessages(server, ALICE)).slice(before);
  assert.deepEqual(more, []);
  assert.ok(message.endsWith(content), 'octet for octet');
});

test('BDAT: bare newlines are refused, and a dot means nothing (RFC 3030 §2)', async () => {
  const before = await count();
  for (const end of ENDS) {
    using client = await greeted();
    const content = `Subject: outer\r\n\r\nout${end}${SMUGGLED}`;
    const half = content.indexOf(end) + 1;
    client.send(
      `MAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT ${half}\r\n${content.slice(0, half)}`,
    );
    await client.hear(/^250[^\n]*\n250[^\n]*\n/);
    const first = await client.reply();
    client.send(`BDAT ${content.length - half} LAST\r\n${content.slice(half)}`);
    const last = await client.reply();
    if (CONTENT.has(end)) assert.match(last, /^250 2\.0\.0 Accepted/, JSON.stringify(end));
    else
      assert.match(
        `${first}${last}`,
        /^(?:550 5\.6\.11 [^\n]*\n503|250 [^\n]*\n550 5\.6\.11)/,
        JSON.stringify(end),
      );
    assert.match(await client.smtp('NOOP'), /^250/);
    assert.equal(client.heard, '');
  }
  assert.equal(await count(), before + CONTENT.size);
});

const chunks = [
  { said: 'BDAT 99999999999999999999999 LAST', want: /^5/ },
  { said: 'BDAT 18446744073709551616', want: /^5/ },
  { said: 'BDAT -1 LAST', want: /^501/ },
  { said: 'BDAT 0x10 LAST', want: /^501/ },
  { said: 'BDAT 1e3 LAST', want: /^501/ },
  { said: 'BDAT +5 LAST', want: /^501/ },
  { said: 'BDAT', want: /^501/ },
  { said: 'BDAT 5 LAST X', want: /^501/ },
  { said: 'MAIL FROM:<a@b.test> SIZE=99999999999999999999', want: /^(?:552|501)/ },
  { said: 'MAIL FROM:<a@b.test> SIZE=52428801', want: /^552 5\.3\.4/ },
  { said: 'MAIL FROM:<a@b.test> SIZE=-1', want: /^501/ },
  { said: 'MAIL FROM:<a@b.test> SIZE=1 SIZE=2', want: /^501/ },
  { said: 'MAIL FROM:<a@b.test> __proto__=1', want: /^5/ },
  { said: 'MAIL FROM:<a@b.test> constructor=1', want: /^555/ },
];

for (const { said, want } of chunks)
  test(`"${said}" is refused`, async () => {
    using client = await greeted();
    client.send(`${said}\r\n`);
    assert.match(await client.reply(), want);
  });

const relays = [
  'someone%elsewhere.test@example.test',
  'someone@elsewhere.test@example.test',
  '"someone@elsewhere.test"@example.test',
  '"someone%elsewhere.test"@example.test',
  '"someone@elsewhere.test"',
  'elsewhere.test!someone@example.test',
  'elsewhere.test!someone',
  'someone%elsewhere.test',
  '@example.test:someone@elsewhere.test',
  '@example.test,@elsewhere.test:someone@elsewhere.test',
  '@a.test,@b.test:someone@elsewhere.test',
  'someone@elsewhere.test.',
  'someone@ELSEWHERE.TEST',
  'someone@[127.0.0.1]',
  'someone@[IPv6:::1]',
  'someone@[192.0.2.1]',
  'someone@localhost.elsewhere.test',
  'someone@example.test.elsewhere.test',
  'someone@example.test%00.elsewhere.test',
  'someone@elsewhere.test%00@example.test',
  'someone@example.test@elsewhere.test',
  'someone@127.0.0.1',
  'someone@0x7f000001',
  'someone@elsewhere.test\\@example.test',
  '"\\"someone@elsewhere.test"@example.test',
  'alice+x@example.test@elsewhere.test',
  'someone@xn--lsewhere-d1a.test',
  ' someone@elsewhere.test',
  'someone @elsewhere.test',
  '<someone@elsewhere.test>',
  'alice@example.test>,<someone@elsewhere.test',
  'alice@example.test> ORCPT=rfc822;x NOTIFY=NEVER <someone@elsewhere.test',
  'alice@example.test,someone@elsewhere.test',
  'alice@example.test\nRCPT TO:<someone@elsewhere.test',
  'alice@example.test\0@elsewhere.test',
  'Postmaster@Elsewhere.Test',
  '"alice@example.test"@elsewhere.test',
  '"alice"@elsewhere.test',
  'alice@example.test:25@elsewhere.test',
  'alice@elsewhere.test#@example.test',
  'someone%elsewhere.test%example.test',
  'someone%elsewhere.test@[127.0.0.1]',
  'elsewhere.test!example.test!someone',
  '@[127.0.0.1]:someone@elsewhere.test',
  '@example.test:someone%elsewhere.test@example.test',
  '@EXAMPLE.TEST,@example.test:someone@elsewhere.test',
  'someone@elsewhere.test\xef\xbc\xa0example.test',
  'someone\xef\xbc\xa0elsewhere.test@example.test',
  'someone@example.test\xe3\x80\x82elsewhere.test',
  'someone@example\xe3\x80\x82test',
  'someone@xn--example-test-.elsewhere.test',
  'someone@example.test@[127.0.0.1]',
  'someone@[example.test]',
  'someone@localhost',
  'someone@mail',
];

for (const service of ['smtp', 'lmtp'] as const)
  test(`${service}: ${relays.length} ways to ask for relaying are refused`, async () => {
    for (const relay of relays) {
      using client = await greeted(
        service === 'lmtp' ? 'LHLO client.test' : 'EHLO client.test',
        server.port(service),
      );
      assert.match(await client.smtp('MAIL FROM:<alice@example.test>'), /^250/);
      client.send(`RCPT TO:<${relay}>\r\n`);
      assert.match(await client.reply(), /^5/, relay);
      assert.match(await client.smtp('DATA'), /^503/, relay);
    }
  });

test('where a domain takes everything, tricks with its addresses lead into its mailbox and nowhere else', async () => {
  await using open = await startPostrider();
  const at = ['--dir', open.directory];
  await postrider(['alias', 'add', '@example.test', ALICE.address, ...at]);
  let taken = 0;
  for (const relay of relays) {
    using client = await RawClient.open(open.port('smtp'));
    await client.reply();
    await client.smtp('EHLO client.test');
    assert.match(await client.smtp('MAIL FROM:<eve@away.test> SMTPUTF8'), /^250/);
    client.send(`RCPT TO:<${relay}>\r\n`);
    if (!(await client.reply()).startsWith('250')) continue;
    assert.match(relay, /@example\.test$/i, 'only what is an address of that domain');
    taken += 1;
    client.send('BDAT 14 LAST\r\nSubject: c\r\n\r\n');
    assert.match(await client.reply(), /^250 2\.0\.0 Accepted/, relay);
  }
  assert.ok(taken > 5, `${taken} were addresses of the domain`);
  assert.equal((await readMessages(open, ALICE)).length, taken);
  const queued = JSON.parse(await postrider(['queue', 'list', '--json', ...at]));
  assert.deepEqual(queued.messages, [], 'nothing is on its way anywhere');
});

test('submission: nothing moves before TLS and AUTH, wherever the address is', async () => {
  using client = await greeted('EHLO client.test', server.port('submission'));
  assert.match(await client.smtp('MAIL FROM:<alice@example.test>'), /^530 5\.7\.0/);
  assert.match(await client.smtp('RCPT TO:<alice@example.test>'), /^503/);
  assert.match(await client.smtp('DATA'), /^503/);
  assert.match(await client.smtp('AUTH PLAIN AGFsaWNlAHg='), /^538|^504/);
  assert.match(await client.smtp('AUTH ANONYMOUS'), /^504/);
});

test('nobody learns of addresses by VRFY and EXPN', async () => {
  using client = await greeted();
  const known = await client.smtp('VRFY alice@example.test');
  assert.equal(known, await client.smtp('VRFY nobody@example.test'));
  assert.match(known, /^252/);
  assert.match(await client.smtp('EXPN postmaster'), /^502/);
});

test('a search for addresses ends the session', async () => {
  using client = await greeted();
  await client.smtp('MAIL FROM:<bob@away.test>');
  for (let guess = 0; guess < 100; guess += 1) client.send(`RCPT TO:<guess${guess}@example.test>\r\n`);
  assert.match(await client.rest(), /421 4\.7\.0 [^\n]*\r\n$/);
});

const injections = [
  'EHLO client.test\rX-Injected: yes',
  'EHLO client.test\nX-Injected: yes',
  'EHLO client.test\0X-Injected: yes',
  'EHLO client.test) by x; (X-Injected: yes',
  'EHLO client.test\tX-Injected: yes',
  'EHLO \x85X-Injected',
  'EHLO [127.0.0.1]X-Injected:',
  `EHLO ${'X-Injected'.repeat(390)}`,
  'MAIL FROM:<"a\rX-Injected: b"@c.test>',
  'MAIL FROM:<"a\nX-Injected: b"@c.test>',
  'MAIL FROM:<"a\\\nX-Injected: b"@c.test>',
  'MAIL FROM:<a@c.test> ENVID=+0D+0AX-Injected:+20b',
  'RCPT TO:<"alice\r\nX-Injected: b"@example.test>',
];

test('nothing of the envelope becomes a field or a line of its own', async () => {
  for (const injection of injections) {
    using client = await RawClient.open(server.port('smtp'));
    await client.reply();
    client.send(`EHLO client.test\r\n${injection}\r\nRSET\r\n`);
    client.send(
      'MAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 14 LAST\r\nSubject: i\r\n\r\n',
    );
    await client.hear(/Accepted as/);
  }
  // Those that are addresses by the grammar go as far as mail does.
  using client = await greeted();
  client.send(
    'MAIL FROM:<"a\\"b, c <d@e>; (f)"@c.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 14 LAST\r\nSubject: j\r\n\r\n',
  );
  await client.hear(/Accepted as/);
  for (const message of await readMessages(server, ALICE)) {
    const [header = ''] = message.split('\r\n\r\n');
    assert.doesNotMatch(header, /^\s*X-Injected/m);
    for (const line of header.split('\r\n')) assert.match(line, /^(?:[A-Za-z-]+:|[ \t])/);
  }
  assert.doesNotMatch(server.output(), /^X-Injected/m);
});

for (const service of ['smtp', 'submission'] as const)
  test(`${service}: what stands behind STARTTLS in plain is not obeyed under TLS (RFC 3207 §5)`, async () => {
    using together = await greeted('EHLO client.test', server.port(service));
    together.send('STARTTLS\r\nRSET\r\nMAIL FROM:<evil@smuggled.test>\r\n');
    assert.match(await together.rest(), /^554 5\.5\.1 [^\n]*\r\n$/);
    using late = await greeted('EHLO client.test', server.port(service));
    assert.match(await late.smtp('STARTTLS'), /^220/);
    late.send('RSET\r\nMAIL FROM:<evil@smuggled.test>\r\n');
    // Whatever TLS answers, it is an alert and the end, no reply of SMTP.
    assert.doesNotMatch(await late.rest(), /[245]\d\d /);
  });

test('what was said in plain is forgotten under TLS (RFC 3207 §4.2)', async () => {
  using client = await greeted();
  await client.smtp('MAIL FROM:<bob@away.test>');
  assert.match(await client.smtp('STARTTLS'), /^220/);
  await client.startTls();
  assert.match(await client.smtp('RCPT TO:<alice@example.test>'), /^503/);
  assert.match(await client.smtp('MAIL FROM:<bob@away.test>'), /^503/);
  const features = await client.smtp('EHLO client.test');
  assert.doesNotMatch(features, /STARTTLS/);
  assert.match(await client.smtp('STARTTLS'), /^503/);
});

test('AUTH: huge, cancelled, malformed and wrong answers are refused, and five of them are enough', async () => {
  const wrong = [
    { said: [`AUTH PLAIN ${'A'.repeat(11_000)}`], want: /^5/ },
    { said: [`AUTH PLAIN ${'A'.repeat(13_000)}`], want: /^500/ },
    { said: ['AUTH PLAIN', '*'], want: /^501/ },
    { said: ['AUTH PLAIN', 'not base64!'], want: /^501/ },
    { said: ['AUTH PLAIN', 'A'.repeat(200_000)], want: /^500/ },
    { said: ['AUTH PLAIN ='], want: /^(?:501|535)/ },
    { said: ['AUTH LOGIN', Buffer.from('alice\0').toString('base64'), 'eA=='], want: /^5/ },
    {
      said: [`AUTH PLAIN ${Buffer.from(`\0${ALICE.address}\0wrong`).toString('base64')}`],
      want: /^535 5\.7\.8/,
    },
    {
      said: [
        `AUTH PLAIN ${Buffer.from(`${BOB.address}\0${ALICE.address}\0${ALICE.password}`).toString('base64')}`,
      ],
      want: /^535/,
    },
  ];
  for (const { said, want } of wrong) {
    using client = await RawClient.openTls(server.port('submissions'));
    await client.reply();
    await client.smtp('EHLO client.test');
    let answer = '';
    for (const line of said) answer = await client.smtp(line);
    assert.match(answer, want, said.join(' ').slice(0, 60));
    assert.match(await client.smtp('NOOP'), /^250/);
  }
  using client = await RawClient.openTls(server.port('submissions'));
  await client.reply();
  await client.smtp('EHLO client.test');
  for (let guess = 0; guess < 10; guess += 1)
    client.send(`AUTH PLAIN ${Buffer.from(`\0${ALICE.address}\0${guess}`).toString('base64')}\r\n`);
  const heard = await client.rest();
  assert.equal(heard.match(/^535/gm)?.length, 5);
  assert.match(heard, /421 4\.7\.0 [^\n]*\r\n$/);
});

test('lines without end are answered once and then cut', async () => {
  using client = await greeted();
  const block = 'x'.repeat(65_536);
  for (let sent = 0; sent < 40; sent += 1) if (!(await client.push(block))) break;
  assert.match(await client.rest(), /^500 5\.5\.2 [^\n]*\r\n421 4\.7\.0 [^\n]*\r\n$/);
});

test('who only sends rubbish is heard twenty times', async () => {
  using client = await greeted();
  client.send(`${'\x80\xff\0\x01'.repeat(8)}\r\n`.repeat(50));
  const heard = await client.rest();
  assert.equal(heard.match(/^500/gm)?.length, 20);
});

test('a client that closes its side hears the answers that are due', async () => {
  using client = await greeted();
  client.send(
    'MAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 14 LAST\r\nSubject: h\r\n\r\n',
  );
  client.endInput();
  assert.match(await client.rest(), /Accepted as/);
});

test('messages cut short in DATA and BDAT, by close or reset, are not delivered', async () => {
  const before = await count();
  const cuts = [
    'DATA\r\nSubject: cut\r\n\r\nhalf',
    'DATA\r\nSubject: cut\r\n\r\nhalf\r\n.',
    'DATA\r\nSubject: cut\r\n\r\nhalf\r\n.\r',
    'BDAT 100 LAST\r\nSubject: cut\r\n',
    'BDAT 14\r\nSubject: c\r\n\r\n',
  ];
  for (const cut of cuts)
    for (const how of ['close', 'reset', 'half'] as const) {
      using client = await greeted();
      client.send(`MAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\n${cut}`);
      await client.hear(/250[^\n]*\r\n250[^\n]*\r\n/);
      if (how === 'reset') client.reset();
      else if (how === 'half') {
        client.endInput();
        await client.rest();
      }
    }
  assert.equal(await count(), before);
});

test('commands before the greeting are answered in order', async () => {
  using client = await RawClient.open(server.port('smtp'));
  client.send('EHLO client.test\r\nMAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nQUIT\r\n');
  assert.match(await client.rest(), /^220 [^]*250 2\.1\.0[^]*250 2\.1\.5[^]*221 2\.0\.0 /);
});
