/** URLAUTH: RFC 4467, RFC 5524. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, overriding } from '../../../../test/support/imap-conversation.ts';
import { share, twoUsers, type TwoUsers } from '../../../../test/support/imap-sharing.ts';
import { BlobError } from '../../../store/blob-store.ts';

const MESSAGE = [
  'From: a@example.org',
  'Subject: two parts',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  'Hello',
  '--b',
  'Content-Type: application/octet-stream',
  'Content-Transfer-Encoding: base64',
  '',
  'AGEA',
  '--b',
  'Content-Type: text/plain',
  'Content-Transfer-Encoding: x-unheard-of',
  '',
  'x',
  '--b--',
  '',
].join('\r\n');

const BASE = 'imap://alice%40example.test@mail.example.test/INBOX/;UID=1';

async function users(office?: ImapOffice): Promise<TwoUsers> {
  const two = await twoUsers(office);
  await two.office.deliver(MESSAGE);
  return two;
}

/** What GENURLAUTH makes of a URL. */
async function authorized(conversation: Conversation, rump: string): Promise<string> {
  const [line = ''] = await conversation.run(`GENURLAUTH "${rump}" INTERNAL`);
  const [, url] = /^\* GENURLAUTH "([^"]+)"$/.exec(line) ?? [];
  return url ?? assert.fail(line);
}

async function octetsOf(conversation: Conversation, url: string): Promise<string | null> {
  const said = await conversation.say(`z URLFETCH "${url}"\r\n`);
  assert.ok(said.startsWith(`* URLFETCH "${url}" `), said);
  const rest = said.slice(`* URLFETCH "${url}" `.length);
  assert.ok(said.endsWith('\r\nz OK Fetched\r\n'), said);
  if (rest.startsWith('NIL\r\n')) return null;
  const [head, size] = /^\{(\d+)\}\r\n/.exec(rest) ?? [];
  assert.ok(head, said);
  return rest.slice(head.length, head.length + Number(size));
}

async function submitter(office: ImapOffice): Promise<Conversation> {
  const conversation = new Conversation({ office });
  await conversation.say('x LOGIN submit secret\r\n');
  return conversation;
}

describe('GENURLAUTH and URLFETCH', () => {
  test('the URL is the rump to the octet, with a proof of at least 128 bits (RFC 4467 §5)', async () => {
    const { alice } = await users();
    const rump = 'IMAP://Alice%40example.test@Mail.Example.TEST/INBOX/;uid=1/;Section=1;urlauth=AUTHUSER';
    const url = await authorized(alice, rump);
    assert.ok(url.startsWith(`${rump}:INTERNAL:01`));
    assert.match(url.slice(rump.length), /^:INTERNAL:[0-9a-f]{66}$/);
    assert.equal(await authorized(alice, rump), url);
    assert.equal(await octetsOf(alice, url), 'Hello');
    assert.equal(await octetsOf(alice, url.replace('INTERNAL', 'internal')), 'Hello');
  });

  test('whole messages, sections and ranges; nothing becomes \\Seen, no mailbox need be selected', async () => {
    const { alice, bob } = await users();
    const cases: readonly (readonly [string, string])[] = [
      ['', MESSAGE],
      ['/;SECTION=2', 'AGEA'],
      ['/;SECTION=HEADER.FIELDS%20(Subject)', 'Subject: two parts\r\n\r\n'],
      ['/;SECTION=1.MIME/;PARTIAL=0.7', 'Content'],
      ['/;PARTIAL=99999', ''],
    ];
    for (const [part, want] of cases)
      assert.equal(await octetsOf(bob, await authorized(alice, `${BASE}${part};URLAUTH=authuser`)), want);
    await alice.expect('STATUS INBOX (UNSEEN)', '* STATUS INBOX (UNSEEN 1)', '. OK …');
  });

  test('several in one command, good and bad', async () => {
    const { alice, bob } = await users();
    const rumps = [
      `${BASE}/;SECTION=1;URLAUTH=anonymous`,
      `${BASE}/;SECTION=2;URLAUTH=user+bob%40example.test`,
    ];
    const [line = ''] = await alice.run(
      `GENURLAUTH "${rumps[0]}" INTERNAL {${rumps[1]?.length}+}\r\n${rumps[1]} internal`,
    );
    const [first, second] = [...line.matchAll(/"([^"]+)"/g)].map(([, url]) => url ?? '');
    await bob.expect(
      `URLFETCH "${first}" "no url" "${second}"`,
      `* URLFETCH "${first}" {5}`,
      'Hello',
      '* URLFETCH "no url" NIL',
      `* URLFETCH "${second}" {4}`,
      'AGEA',
      '. OK Fetched',
    );
  });

  test('in a mailbox with another name, and after SELECT says what there is (RFC 4467 §8)', async () => {
    const { alice, bob } = await users();
    await alice.run('CREATE "a b/c"');
    const lines = await alice.run('SELECT INBOX');
    assert.ok(lines.includes('* OK [URLMECH INTERNAL] URLs can be authorized'));
    await alice.run('COPY 1 "a b/c"');
    const url = await authorized(
      alice,
      'imap://alice%40example.test@mail.example.test/a%20b/c/;UID=1/;SECTION=1;URLAUTH=authuser',
    );
    assert.equal(await octetsOf(bob, url), 'Hello');
  });

  const bad: readonly (readonly [string, string, string])[] = [
    ['no URL', 'hello INTERNAL', '. BAD That is no URL of a message'],
    ['a mailbox', '"imap://alice%40example.test@mail.example.test/INBOX" INTERNAL', '. BAD …'],
    ['a relative URL', '"/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL', '. BAD …'],
    ['no access (RFC 4467 §7)', `"${BASE}" INTERNAL`, '. BAD The URL does not say who may use it'],
    [
      'an owner without a domain',
      '"imap://alice@mail.example.test/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL',
      '. BAD …',
    ],
    [
      'no owner (RFC 4467 §7)',
      '"imap://mail.example.test/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL',
      '. BAD …',
    ],
    [
      'another owner',
      '"imap://bob%40example.test@mail.example.test/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL',
      '. BAD …',
    ],
    [
      'another server',
      '"imap://alice%40example.test@elsewhere.test/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL',
      '. BAD …',
    ],
    [
      'no such mailbox',
      '"imap://alice%40example.test@mail.example.test/X/;UID=1;URLAUTH=anonymous" INTERNAL',
      '. BAD …',
    ],
    ['a URL that is authorized', `${BASE};URLAUTH=anonymous:INTERNAL:${'0'.repeat(32)} INTERNAL`, '. BAD …'],
    ['another mechanism', `"${BASE};URLAUTH=anonymous" XSAMPLE`, '. NO [CANNOT] There is only INTERNAL'],
    ['no mechanism', `"${BASE};URLAUTH=anonymous"`, '. BAD …'],
    ['nothing', '', '. BAD …'],
    ['a good one and a bad one', `"${BASE};URLAUTH=anonymous" INTERNAL x INTERNAL`, '. BAD …'],
  ];
  for (const [what, argument, want] of bad)
    test(`GENURLAUTH of ${what}`, async () => {
      const { alice } = await users();
      await alice.expect(`GENURLAUTH ${argument}`, want);
    });

  test('only signed in', async () => {
    const stranger = new Conversation();
    await stranger.hear();
    for (const command of [`GENURLAUTH "${BASE}" INTERNAL`, 'RESETKEY', `URLFETCH "${BASE}"`])
      await stranger.expect(command, '. BAD Sign in first');
  });
});

describe('who may use a URL (RFC 4467 §3)', () => {
  test('user+: that user, by any name', async () => {
    const { alice, bob } = await users();
    for (const name of ['bob%40example.test', 'BOB%40Example.test'])
      assert.equal(
        await octetsOf(bob, await authorized(alice, `${BASE}/;SECTION=1;URLAUTH=user+${name}`)),
        'Hello',
      );
    const forBob = await authorized(alice, `${BASE};URLAUTH=user+bob%40example.test`);
    assert.equal(await octetsOf(alice, forBob), null);
    const forNobody = await authorized(alice, `${BASE};URLAUTH=user+nobody%40example.test`);
    assert.equal(await octetsOf(bob, forNobody), null);
  });

  test('submit+: whom the operator trusts to submit, and not the user', async () => {
    const { office, alice, bob } = await users();
    const url = await authorized(alice, `${BASE}/;SECTION=1;URLAUTH=submit+bob%40example.test`);
    assert.equal(await octetsOf(alice, url), null);
    assert.equal(await octetsOf(bob, url), null);
    assert.equal(await octetsOf(await submitter(office), url), 'Hello');
  });

  test('up to and with the moment of EXPIRE, and no longer', async () => {
    const { office, alice } = await users();
    const now = office.clock.nowMs();
    const at = new Date(Math.ceil(now / 1000) * 1000 + 5000);
    const url = await authorized(alice, `${BASE}/;SECTION=1;EXPIRE=${at.toISOString()};URLAUTH=anonymous`);
    await office.clock.advance(at.getTime() - now);
    assert.equal(await octetsOf(alice, url), 'Hello');
    await office.clock.advance(1);
    assert.equal(await octetsOf(alice, url), null);
  });

  test('what the owner may not read any more is given to nobody (RFC 4467 §7)', async () => {
    const two = await users();
    await share(two, 'lr', 'INBOX');
    const url = await authorized(
      two.bob,
      'imap://bob%40example.test@mail.example.test/Other%20Users/alice%40example.test/INBOX/;UID=1/;SECTION=1;URLAUTH=authuser',
    );
    assert.equal(await octetsOf(two.alice, url), 'Hello');
    await share(two, '', 'INBOX');
    assert.equal(await octetsOf(two.alice, url), null);
  });

  test('not when the message, the mailbox or the UIDVALIDITY is gone', async () => {
    const { alice } = await users();
    await alice.run('CREATE A');
    await alice.run('SELECT INBOX');
    await alice.run('COPY 1 A');
    const [status = ''] = await alice.run('STATUS A (UIDVALIDITY)');
    const validity = /(\d+)\)$/.exec(status)?.[1];
    const at = 'imap://alice%40example.test@mail.example.test/A';
    const valid = await authorized(
      alice,
      `${at};UIDVALIDITY=${validity}/;UID=1/;SECTION=1;URLAUTH=anonymous`,
    );
    assert.equal(await octetsOf(alice, valid), 'Hello');
    const stale = await authorized(alice, `${at};UIDVALIDITY=1/;UID=1;URLAUTH=anonymous`);
    assert.equal(await octetsOf(alice, stale), null);
    const none = await authorized(alice, `${at}/;UID=9;URLAUTH=anonymous`);
    assert.equal(await octetsOf(alice, none), null);
    await alice.run('DELETE A');
    assert.equal(await octetsOf(alice, valid), null);
    await alice.run('CREATE A');
    assert.equal(await octetsOf(alice, valid), null);
  });
});

describe('what is not as it was authorized is NIL', () => {
  const changes: readonly (readonly [string, (url: string) => string])[] = [
    ['the proof', (url) => url.replace(/.$/, (hex) => (hex === '0' ? '1' : '0'))],
    ['the algorithm', (url) => url.replace(':01', ':02')],
    ['a proof that is cut', (url) => url.slice(0, -2)],
    ['no proof', (url) => url.slice(0, url.indexOf(':INTERNAL'))],
    ['the mechanism', (url) => url.replace('INTERNAL', 'XSAMPLE')],
    ['the UID', (url) => url.replace('UID=1', 'UID=2')],
    ['the section', (url) => url.replace('SECTION=1', 'SECTION=2')],
    ['a range', (url) => url.replace(';URLAUTH', '/;PARTIAL=0.1;URLAUTH')],
    ['the access', (url) => url.replace('user+bob%40example.test', 'anonymous')],
    ['the user', (url) => url.replace('user+bob', 'user+alice')],
    ['a date', (url) => url.replace(';URLAUTH', ';EXPIRE=2099-01-01T00:00:00Z;URLAUTH')],
    ['the mailbox', (url) => url.replace('INBOX', 'Sent')],
    ['the case of the mailbox, which is the same one (RFC 4467 §6)', (url) => url.replace('INBOX', 'inbox')],
    ['the case of the host (RFC 4467 §6)', (url) => url.replace('mail.', 'MAIL.')],
    ['an escape that means the same (RFC 4467 §6)', (url) => url.replace('alice', '%61lice')],
    ['the owner', (url) => url.replace('alice', 'bob')],
    ['an owner that does not exist', (url) => url.replace('alice', 'nobody')],
    ['the server', (url) => url.replace('mail.example.test', 'example.test')],
  ];
  for (const [what, change] of changes)
    test(what, async () => {
      const { alice, bob } = await users();
      const url = await authorized(alice, `${BASE}/;SECTION=1;URLAUTH=user+bob%40example.test`);
      assert.equal(await octetsOf(bob, url), 'Hello');
      const changed = change(url);
      assert.notEqual(changed, url);
      assert.equal(await octetsOf(bob, changed), null);
    });

  test('another server of the same name has other keys', async () => {
    const [{ alice }, { alice: other }] = [await users(), await users()];
    const url = await authorized(alice, `${BASE};URLAUTH=anonymous`);
    await authorized(other, `${BASE};URLAUTH=anonymous`);
    // Chance is seeded alike in both: a reset makes the keys differ.
    await other.run('RESETKEY INBOX');
    assert.equal(await octetsOf(other, url), null);
  });

  test('a message that cannot be read', async () => {
    const office = new ImapOffice({
      blobs: (blobs) =>
        overriding(blobs, { read: (ref) => Promise.reject(new BlobError({ kind: 'damaged' }, ref.id)) }),
    });
    const { alice } = await users(office);
    assert.equal(await octetsOf(alice, await authorized(alice, `${BASE};URLAUTH=anonymous`)), null);
    assert.ok(office.eventNames().includes('imap.blob.unreadable'));
  });
});

describe('RESETKEY (RFC 4467 §7)', () => {
  test('of one mailbox, and of all', async () => {
    const { alice, bob } = await users();
    await alice.run('CREATE A');
    await alice.run('SELECT INBOX');
    await alice.run('COPY 1 A');
    const inbox = `${BASE}/;SECTION=1;URLAUTH=authuser`;
    const [first, other] = [
      await authorized(alice, inbox),
      await authorized(alice, inbox.replace('INBOX', 'A')),
    ];
    await alice.expect('RESETKEY inbox', '. OK [URLMECH INTERNAL] The key is new');
    assert.equal(await octetsOf(bob, first), null);
    assert.equal(await octetsOf(bob, other), 'Hello');
    const second = await authorized(alice, inbox);
    assert.notEqual(second, first);
    assert.equal(await octetsOf(bob, second), 'Hello');
    await alice.expect('RESETKEY', '. OK Nothing is authorized any more');
    assert.equal(await octetsOf(bob, second), null);
    assert.equal(await octetsOf(bob, other), null);
  });

  test('each user has keys of their own for the same mailbox (RFC 4467 §2.2)', async () => {
    const two = await users();
    await share(two, 'lr', 'INBOX');
    const [mine, theirs] = [
      await authorized(two.alice, `${BASE}/;SECTION=1;URLAUTH=authuser`),
      await authorized(
        two.bob,
        'imap://bob%40example.test@mail.example.test/Other%20Users/alice%40example.test/INBOX/;UID=1/;SECTION=1;URLAUTH=authuser',
      ),
    ];
    await two.alice.run('RESETKEY INBOX');
    assert.equal(await octetsOf(two.bob, mine), null);
    assert.equal(await octetsOf(two.alice, theirs), 'Hello');
  });

  test('what is refused', async () => {
    const { alice } = await users();
    await alice.expect('RESETKEY Nowhere', '. NO [NONEXISTENT] …');
    await alice.expect('RESETKEY INBOX XSAMPLE', '. NO [CANNOT] There is only INTERNAL');
    await alice.expect('RESETKEY INBOX INTERNAL', '. OK [URLMECH INTERNAL] …');
    await alice.expect('RESETKEY INBOX "x"', '. BAD …');
    await alice.expect('RESETKEY ', '. OK …');
  });
});

describe('extended URLFETCH (RFC 5524)', () => {
  test('structure, octets and decoded octets, of each URL what is asked', async () => {
    const { alice, bob } = await users();
    const url = await authorized(alice, `${BASE}/;SECTION=1;URLAUTH=authuser`);
    await bob.expect(
      `URLFETCH ("${url}" BODYPARTSTRUCTURE BODY) ("${url}" binary) ("${url}")`,
      `* URLFETCH "${url}" (BODYPARTSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 5 0 NIL NIL NIL NIL)) (BODY {5}`,
      'Hello)',
      `* URLFETCH "${url}" (BINARY {5}`,
      'Hello)',
      `* URLFETCH "${url}" {5}`,
      'Hello',
      '. OK Fetched',
    );
  });

  test('NUL goes as a literal8, what cannot be decoded is NIL, ranges are of the decoded octets', async () => {
    const { alice } = await users();
    const two = await authorized(alice, `${BASE}/;SECTION=2;URLAUTH=authuser`);
    await alice.expect(
      `URLFETCH ("${two}" BINARY)`,
      `* URLFETCH "${two}" (BINARY ~{3}`,
      '\0a\0)',
      '. OK Fetched',
    );
    const range = await authorized(alice, `${BASE}/;SECTION=2/;PARTIAL=1.1;URLAUTH=authuser`);
    await alice.expect(
      `URLFETCH ("${range}" BINARY)`,
      `* URLFETCH "${range}" (BINARY {1}`,
      'a)',
      '. OK Fetched',
    );
    const three = await authorized(alice, `${BASE}/;SECTION=3;URLAUTH=authuser`);
    const lines = await alice.run(`URLFETCH ("${three}" BINARY BODYPARTSTRUCTURE)`);
    assert.match(lines[0] ?? '', /\(BINARY NIL\) \(BODYPARTSTRUCTURE \("TEXT" "PLAIN" .* "X-UNHEARD-OF" 1 /);
    const header = await authorized(alice, `${BASE}/;SECTION=HEADER/;PARTIAL=0.4;URLAUTH=authuser`);
    await alice.expect(
      `URLFETCH ("${header}" BINARY)`,
      `* URLFETCH "${header}" (BINARY {4}`,
      'From)',
      '. OK Fetched',
    );
  });

  test('a URL that is not good is NIL as ever', async () => {
    const { alice } = await users();
    const gone = await authorized(alice, `${BASE}/;SECTION=9;URLAUTH=authuser`);
    await alice.expect(
      `URLFETCH ("${gone}" BODYPARTSTRUCTURE BINARY) (x BODY)`,
      `* URLFETCH "${gone}" NIL`,
      '* URLFETCH "x" NIL',
      '. OK Fetched',
    );
  });

  for (const argument of [
    '',
    '()',
    '(x',
    '(x BODY BINARY)',
    '(x BODY BODY)',
    '(x FOO)',
    '(x  BODY)',
    'x(y)',
    '(x BODY) ("',
  ])
    test(`URLFETCH ${argument} is BAD`, async () => {
      const { alice } = await users();
      await alice.expect(`URLFETCH ${argument}`, '. BAD …');
    });
});

test('with an octet in the URL that must be quoted, or sent as a literal', async () => {
  const { alice } = await users();
  await alice.expect(
    'URLFETCH "a\\"b" {3+}\r\na\r\n',
    '* URLFETCH "a\\"b" NIL',
    '* URLFETCH {3}',
    'a',
    ' NIL',
    '. OK Fetched',
  );
});
