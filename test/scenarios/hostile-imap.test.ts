/** What clients do to the ports where mail is read, before and after they have signed in. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { ALICE, BOB, startPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

const server = await startPostrider();
after(async () => {
  assert.equal(await server.stop(), 0);
  assert.doesNotMatch(server.output(), /bug|thread\.died/);
  await server[Symbol.asyncDispose]();
});

async function stranger(): Promise<RawClient> {
  const client = await RawClient.openTls(server.port('imaps'));
  await client.hear(/^\* OK [^\n]*\n/);
  return client;
}

async function signedIn({ address, password } = ALICE): Promise<RawClient> {
  const client = await stranger();
  assert.match(await client.imap(`LOGIN ${address} ${password}`), / OK /);
  return client;
}

const residentKiB = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1] ?? 0);

/** The slowest of some deliveries while others make trouble. */
async function slowestDelivery(forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let slowest = 0;
  while (performance.now() < endMs) {
    const startedMs = performance.now();
    using client = await RawClient.open(server.port('smtp'));
    client.send('EHLO client.test\r\nMAIL FROM:<bob@away.test>\r\nRCPT TO:<bob@example.test>\r\n');
    client.send('BDAT 14 LAST\r\nSubject: p\r\n\r\n');
    await client.hear(/Accepted as/);
    slowest = Math.max(slowest, performance.now() - startedMs);
  }
  return slowest;
}

test('what stands behind STARTTLS in plain is not obeyed under TLS (RFC 9051 §6.2.1)', async () => {
  for (const behind of ['a2 LOGIN x y\r\n', 'a2 NOOP\r\n', ' ', '\r\n']) {
    using client = await RawClient.open(server.port('imap'));
    await client.hear(/^\* OK [^\n]*\n/);
    client.send(`a1 STARTTLS\r\n${behind}`);
    assert.match(await client.rest(), /^a1 BAD [^\n]*\n\* BYE [^\n]*\n$/);
  }
  using late = await RawClient.open(server.port('imap'));
  assert.match(await late.imap('STARTTLS'), / OK /);
  late.send('a2 NOOP\r\n');
  assert.doesNotMatch(await late.rest(), /a2/);
});

test('no password in plain, no anonymous sign-in (RFC 9051 §6.2.3)', async () => {
  using client = await RawClient.open(server.port('imap'));
  assert.match(await client.hear(/^\* OK [^\n]*\n/), /LOGINDISABLED/);
  assert.match(await client.imap(`LOGIN ${ALICE.address} ${ALICE.password}`), / NO \[PRIVACYREQUIRED\]/);
  assert.match(await client.imap('AUTHENTICATE PLAIN AGFsaWNlAHg='), / NO \[PRIVACYREQUIRED\]/);
  assert.match(await client.imap('AUTHENTICATE ANONYMOUS'), / NO /);
});

const strangers = [
  { name: 'a literal beyond a name', said: 'a LOGIN {4097}\r\n', want: /^a BAD \[TOOBIG\]|^a NO \[TOOBIG\]/ },
  {
    name: 'two literals beyond two',
    said: `a LOGIN {4096+}\r\n${'x'.repeat(4096)} {4097+}\r\n`,
    want: /^a (?:BAD|NO) /,
  },
  { name: 'a literal of 2^64', said: 'a LOGIN {18446744073709551616}\r\n', want: /^a (?:BAD|NO) / },
  { name: 'a literal of 2^64 unasked', said: 'a LOGIN {18446744073709551616+}\r\n', want: /^a BAD / },
  { name: 'a negative literal', said: 'a LOGIN {-1}\r\n', want: /^a BAD / },
  { name: 'a line beyond 8 KiB', said: `a LOGIN ${'x'.repeat(9000)}\r\n`, want: /^a BAD / },
  { name: 'an APPEND', said: 'a APPEND INBOX {1000000+}\r\n', want: /^a BAD / },
  { name: 'a NUL', said: 'a LOGIN x\0y z\r\n', want: /^a BAD |^\* BAD / },
  { name: 'a command of the signed in', said: 'a SELECT INBOX\r\n', want: /^a BAD / },
  { name: 'no tag', said: '\r\n', want: /^\* BAD / },
  { name: 'half a UTF-8 character', said: 'a LOGIN "\xc3" x\r\n', want: /^a (?:BAD|NO) / },
];

for (const { name, said, want } of strangers)
  test(`a stranger says ${name}`, async () => {
    using client = await stranger();
    client.send(said);
    assert.match(await client.hear(/\n/), want);
  });

test('a line without end is answered once and then cut', async () => {
  using client = await stranger();
  const block = 'x'.repeat(65_536);
  for (let sent = 0; sent < 40; sent += 1) if (!(await client.push(block))) break;
  assert.match(await client.rest(), /BAD [^\n]*\n[^]*\* BYE /);
});

test('a stranger who talks on and on is let go', async () => {
  using client = await stranger();
  client.send('a CAPABILITY\r\n'.repeat(5000));
  const heard = await client.rest();
  assert.equal(heard.match(/^a OK/gm)?.length, 100);
  assert.match(heard, /\* BYE [^\n]*\n$/);
});

test('five wrong passwords are enough, and each takes longer', { timeout: 60_000 }, async () => {
  using client = await stranger();
  const tookMs: number[] = [];
  for (let guess = 0; guess < 5; guess += 1) {
    const startedMs = performance.now();
    assert.match(
      await client.imap(`LOGIN ${ALICE.address} wrong${guess}`, 20_000),
      / NO \[AUTHENTICATIONFAILED\]/,
    );
    tookMs.push(performance.now() - startedMs);
  }
  assert.ok((tookMs[4] ?? 0) > (tookMs[0] ?? 0) + 1000, String(tookMs));
  assert.match(await client.rest(), /\* BYE /);
});

const bad = [
  { name: 'nesting 10,000 deep', command: `SEARCH ${'('.repeat(10_000)}ALL${')'.repeat(10_000)}` },
  { name: 'NOT 10,000 times', command: `SEARCH ${'NOT '.repeat(10_000)}ALL` },
  { name: 'OR 10,000 times', command: `SEARCH ${'OR '.repeat(10_000)}ALL` },
  { name: '15,000 keys', command: `SEARCH ${'SEEN '.repeat(10_000)}` },
  { name: '2,000 items of FETCH', command: `FETCH 1 (${'FLAGS '.repeat(2000).trim()})` },
  { name: 'a set of 30,000 ranges', command: `FETCH ${'1,'.repeat(30_000)}1 FLAGS` },
  { name: 'numbers beyond 32 bits', command: 'FETCH 99999999999999999999:* FLAGS' },
  { name: 'zero', command: 'FETCH 0 FLAGS' },
  { name: 'a section 1,000 deep', command: `FETCH 1 BODY[${'1.'.repeat(1000)}1]<` },
  { name: 'a partial beyond 63 bits', command: 'FETCH 1 BODY[]<0.99999999999999999999>' },
  { name: 'a mailbox name of 60 KiB', command: `CREATE "${'x'.repeat(60_000)}"` },
  { name: 'a mailbox 1,000 levels deep', command: `CREATE "${'a/'.repeat(500)}b"` },
  { name: 'a mailbox with control characters', command: 'CREATE "a\x07b"' },
  { name: 'a mailbox that goes up', command: 'RENAME INBOX/../../etc x' },
  { name: 'bad modified UTF-7', command: 'CREATE "a&zzzz"' },
  { name: 'a keyword of 1,000 octets', command: `STORE 1 +FLAGS (${'k'.repeat(1000)})` },
  { name: 'an unknown charset', command: 'SEARCH CHARSET x-no-such TEXT x' },
  { name: 'a date that is none', command: 'SEARCH SINCE 99-Foo-99999' },
  { name: '__proto__ as a command', command: '__proto__' },
  { name: 'constructor as an item', command: 'FETCH 1 constructor' },
  { name: 'a header list of 5,000', command: `FETCH 1 BODY[HEADER.FIELDS (${'__proto__ '.repeat(5000)})]<x` },
  { name: 'LIST with 5,000 stars', command: `LIST "" "${'*%'.repeat(2500)}x"`, ok: true },
] as const;

test('commands of absurd size or shape are answered, quickly, and the session goes on', async () => {
  for (const { name, command, ...rest } of bad) {
    using client = await signedIn();
    await client.imap('SELECT INBOX');
    const startedMs = performance.now();
    const answer = await client.imap(command);
    assert.ok(performance.now() - startedMs < 1000, `${name}: ${performance.now() - startedMs} ms`);
    assert.match(answer, 'ok' in rest ? / OK / : / (?:BAD|NO) /, name);
    assert.match(await client.imap('NOOP'), / OK /, name);
  }
});

test('a client that vanishes inside a literal, a line or an IDLE leaves nothing behind', async () => {
  for (const said of [
    'a APPEND INBOX {1000+}\r\nSubject: half',
    'a APPEND INBOX {10}\r\n',
    'a LOGIN {3}\r\nx',
    'a IDLE\r\n',
    'a SEARCH (',
    'a FETCH 1:* BODY[]\r\n',
  ])
    for (const how of ['close', 'reset'] as const) {
      using client = await signedIn(BOB);
      await client.imap('SELECT INBOX');
      await client.push(said);
      if (how === 'reset') client.reset();
    }
  using client = await signedIn(BOB);
  assert.doesNotMatch(await client.imap('SEARCH SUBJECT half'), /SEARCH \d/);
  assert.match(await client.imap('STATUS INBOX (MESSAGES)'), / OK /);
});

test(
  'floods of commands hold nobody up: strangers, and those who have signed in',
  { timeout: 60_000 },
  async () => {
    const stop = new AbortController();
    const flood = async (open: () => Promise<RawClient>, command: string): Promise<void> => {
      while (!stop.signal.aborted) {
        using client = await open();
        client.socket.on('data', () => {
          client.heard = '';
        });
        const block = `a ${command}\r\n`.repeat(5000);
        while (!stop.signal.aborted && !client.isOver) if (!(await client.push(block))) break;
      }
    };
    const floods = [
      flood(stranger, 'CAPABILITY'),
      flood(stranger, 'CAPABILITY'),
      flood(signedIn, 'NOOP'),
      flood(signedIn, 'LIST "" *'),
    ];
    const slowestMs = await slowestDelivery(4000);
    stop.abort();
    await Promise.all(floods);
    assert.ok(slowestMs < 2000, `a delivery took ${slowestMs} ms`);
  },
);

test('who asks for much and reads nothing costs no memory', { timeout: 90_000 }, async () => {
  using writer = await signedIn();
  const message = `Subject: large\r\n\r\n${'x'.repeat(76).concat('\r\n').repeat(40_000)}`;
  await writer.imap('CREATE large');
  writer.send(`a APPEND large {${message.length}+}\r\n${message}\r\n`);
  await writer.hear(/a OK [^\n]*\n/);
  const beforeKiB = residentKiB();
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = await signedIn();
      await client.imap('SELECT large');
      client.socket.pause();
      client.send('a FETCH 1 BODY[]\r\n'.repeat(200));
      return client;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const grownKiB = residentKiB() - beforeKiB;
  const slowestMs = await slowestDelivery(1000);
  for (const client of clients) client[Symbol.dispose]();
  // 20 times 3 MB is asked for 200 times: 12 GB.
  assert.ok(grownKiB < 120_000, `${grownKiB} KiB`);
  assert.ok(slowestMs < 2000, `a delivery took ${slowestMs} ms`);
});

test('who speaks no TLS, or stops in the middle of its handshake, on a port of TLS is let go without a word', async () => {
  for (const said of [
    'GET / HTTP/1.1\r\n\r\n',
    'a LOGIN x y\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\0'.repeat(5000),
  ])
    for (const how of ['wait', 'reset', 'half'] as const) {
      using client = await RawClient.open(server.port('imaps'));
      await client.push(said);
      if (how === 'reset') client.reset();
      else if (how === 'half') {
        client.endInput();
        assert.doesNotMatch(await client.rest(), /OK|BAD|BYE/);
      }
    }
  using client = await signedIn();
  assert.match(await client.imap('NOOP'), / OK /);
});
