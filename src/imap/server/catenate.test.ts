/** CATENATE: RFC 4469. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ACCOUNT, Conversation, ImapOffice, overriding } from '../../../test/support/imap-conversation.ts';
import { LIMITS } from '../../base/limits.ts';
import { BlobError, type BlobStore } from '../../store/blob-store.ts';

const PARTS = [
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
  'Content-Type: application/zip',
  'Content-Transfer-Encoding: base64',
  '',
  'UEsDBA==',
  '--b--',
  '',
].join('\r\n');

async function office(blobs?: (blobs: BlobStore) => BlobStore): Promise<ImapOffice> {
  const made = new ImapOffice(blobs === undefined ? {} : { blobs });
  await made.deliver(PARTS);
  return made;
}

/** The octets of the message with this UID. */
async function octetsOf(conversation: Conversation, uid: number): Promise<string> {
  const said = await conversation.say(`z UID FETCH ${uid} BODY.PEEK[]\r\n`);
  const [, size, rest = ''] = /BODY\[\] \{(\d+)\}\r\n([^]*)$/.exec(said) ?? [];
  return rest.slice(0, Number(size));
}

async function uidValidity(conversation: Conversation): Promise<string> {
  const [line = ''] = await conversation.run('STATUS INBOX (UIDVALIDITY)');
  return /UIDVALIDITY (\d+)/.exec(line)?.[1] ?? '';
}

const OK = '. OK [APPENDUID 1767323045 2] Appended';

describe('a message of parts', () => {
  test('an attachment is exchanged without being sent (RFC 4469 Appendix A)', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    const validity = await uidValidity(conversation);
    const at = `"/INBOX;UIDVALIDITY=${validity}/;UID=1/;section=`;
    assert.equal(
      await conversation.say(`a APPEND INBOX (\\Seen \\Draft) CATENATE (URL ${at}HEADER" TEXT {5}\r\n`),
      '+ OK\r\n',
    );
    assert.equal(await conversation.say(`--b\r\n URL ${at}1.MIME" URL ${at}1" TEXT {7}\r\n`), '+ OK\r\n');
    assert.equal(
      await conversation.say('\r\n--b--)\r\n'),
      '* 2 EXISTS\r\na OK [APPENDUID 1767323045 2] Appended\r\n',
    );
    assert.equal(
      await octetsOf(conversation, 2),
      `${PARTS.slice(0, PARTS.indexOf('--b'))}--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--`,
    );
    await conversation.expect('FETCH 2 FLAGS', String.raw`* 2 FETCH (FLAGS (\Seen \Draft))`, '. OK …');
    await conversation.expect(
      'FETCH 2 BODY',
      '* 2 FETCH (BODY (("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 5 0) "MIXED"))',
      '. OK …',
    );
    // RFC 4469 §3: nothing becomes \Seen by it.
    await conversation.expect('FETCH 1 FLAGS', '* 1 FETCH (FLAGS ())', '. OK …');
  });

  test('whole messages, ranges and fields, from other mailboxes too', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.run('CREATE "a b/\u0026AOk-"');
    await conversation.run('COPY 1 "a b/\u0026AOk-"');
    await conversation.expect(
      'APPEND INBOX CATENATE (URL "/a%20b/%C3%A9/;UID=1/;section=HEADER.FIELDS%20(Subject)"' +
        ' TEXT {1+}\r\n[ URL /INBOX/;UID=1/;PARTIAL=0.4 URL /INBOX/;UID=1/;section=1/;partial=3 URL /INBOX/;UID=1/;PARTIAL=99999 TEXT {1+}\r\n])',
      '* 2 EXISTS',
      OK,
    );
    assert.equal(await octetsOf(conversation, 2), 'Subject: two parts\r\n\r\n[Fromlo]');
    await conversation.expect(
      'APPEND INBOX CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1)',
      '* 3 EXISTS',
      OK.replace(' 2]', ' 3]'),
    );
    assert.equal(await octetsOf(conversation, 3), PARTS + PARTS);
  });

  test('what is too large for memory is streamed (and byte for byte the same)', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    const large = `Subject: large\r\n\r\n${'x'.repeat(78)}\r\n`.padEnd(400_000, 'line\r\n');
    await conversation.run(`APPEND INBOX {${large.length}+}\r\n${large}`);
    await conversation.expect(
      'APPEND INBOX CATENATE (TEXT {1+}\r\na URL /INBOX/;UID=2 TEXT {1+}\r\nb)',
      '* 3 EXISTS',
      OK.replace(' 2]', ' 3]'),
    );
    assert.equal(await octetsOf(conversation, 3), `a${large}b`);
  });

  test('URLs as literals, literal8 and UTF8 (RFC 3516, RFC 6855 §4)', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    assert.equal(await conversation.say('a APPEND INBOX CATENATE (URL {14}\r\n'), '+ OK\r\n');
    assert.match(await conversation.say('/INBOX/;UID=1x TEXT {1+}\r\n'), /^a NO \[BADURL \/INBOX\/;UID=1x\]/);
    await conversation.say('x)\r\n');
    await conversation.expect(
      'APPEND INBOX CATENATE (URL {13+}\r\n/INBOX/;UID=1 TEXT ~{1+}\r\n\0 UTF8 (~{2+}\r\n\xc3\xa9))',
      '* 2 EXISTS',
      OK,
    );
    assert.equal(await octetsOf(conversation, 2), `${PARTS}\0\xc3\xa9`);
  });

  test('several messages at once, catenated and not (RFC 3502)', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.expect(
      'APPEND INBOX {1+}\r\na (\\Draft) CATENATE (URL /INBOX/;UID=1) CATENATE (TEXT {1+}\r\nb URL /INBOX/;UID=1) {1+}\r\nc',
      '* 5 EXISTS',
      '. OK [APPENDUID 1767323045 2:5] Appended',
    );
    assert.equal(await octetsOf(conversation, 3), PARTS);
    assert.equal(await octetsOf(conversation, 4), `b${PARTS}`);
  });

  test('REPLACE with parts of what it replaces (RFC 8508 §4.2)', async () => {
    const shared = await office();
    const conversation = await Conversation.selected({ office: shared });
    const other = await Conversation.selected({ office: shared });
    await conversation.expect(
      'UID REPLACE 1 INBOX CATENATE (TEXT {8+}\r\nTo: x\r\n\n URL "/INBOX/;UID=1")',
      '* OK [APPENDUID 1767323045 2] The replacement is there',
      '* 1 EXPUNGE',
      '* 1 EXISTS',
      '. OK Replaced',
    );
    assert.equal(await octetsOf(conversation, 2), `To: x\r\n\n${PARTS}`);
    await other.expect('NOOP', '* 1 EXPUNGE', '* 1 EXISTS', '. OK …');
  });

  test('without a selected mailbox', async () => {
    const conversation = await Conversation.signedIn({ office: await office() });
    await conversation.expect('APPEND INBOX CATENATE (URL /INBOX/;UID=1)', OK);
  });
});

describe('what is refused, and nothing is appended', () => {
  const badUrls: readonly (readonly [string, string])[] = [
    ['no message with that UID (RFC 4469 §4.1)', '/INBOX/;UID=2'],
    ['no such mailbox', '/Nowhere/;UID=1'],
    ['an old UIDVALIDITY (RFC 5092 §5)', '/INBOX;UIDVALIDITY=1/;UID=1'],
    ['no such part', '/INBOX/;UID=1/;section=3'],
    ['no such section', '/INBOX/;UID=1/;section=FOO'],
    ['a whole mailbox', '/INBOX'],
    ['a search', '/INBOX?SUBJECT%20x'],
    ['a path that is relative (RFC 5092 §7.2)', ';UID=1'],
    ['an absolute URL (RFC 4469 §3)', 'imap://alice@mail.example.test/INBOX/;UID=1'],
    ['a URL that is authorized', '/INBOX/;UID=1;URLAUTH=anonymous'],
    ['no URL at all', 'hello'],
  ];
  for (const [what, url] of badUrls) {
    test(`${what}: ${url}`, async () => {
      const conversation = await Conversation.selected({ office: await office() });
      await conversation.expect(
        `APPEND INBOX CATENATE (TEXT {1+}\r\na URL "${url}" URL "/INBOX/;UID=1" TEXT {1+}\r\nb)`,
        `. NO [BADURL ${url}] That is no message or part here`,
      );
      await conversation.expect('NOOP', '. OK Nothing done');
    });
  }

  test('the client is told in place of a continuation (RFC 4469 Appendix A)', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    assert.match(
      await conversation.say('a APPEND INBOX CATENATE (URL /INBOX/;UID=9 TEXT {42}\r\n'),
      /^a NO \[BADURL \/INBOX\/;UID=9\] [^\r]*\r\n$/,
    );
    await conversation.expect('NOOP', '. OK Nothing done');
  });

  const whole: readonly (readonly [string, string, string])[] = [
    ['no message at all', 'CATENATE (TEXT {0+}\r\n)', '. NO [CANNOT] A message is not empty'],
    [
      'nothing of a message',
      'CATENATE (URL /INBOX/;UID=1/;PARTIAL=9999)',
      '. NO [CANNOT] A message is not empty',
    ],
    ['a text that is too large (RFC 4469 §4.2)', 'CATENATE (TEXT {1000001}', '. NO [TOOBIG] …'],
    ['texts that are too large together', 'CATENATE (TEXT {1+}\r\na TEXT {1000000}', '. NO [TOOBIG] …'],
    ['a keyword that is too long', `(${'k'.repeat(101)}) CATENATE (URL /INBOX/;UID=1)`, '. NO [LIMIT] …'],
    [
      'too many messages',
      'CATENATE (URL /INBOX/;UID=1)'.concat(' CATENATE (URL /INBOX/;UID=1)'.repeat(4)),
      '. NO [LIMIT] …',
    ],
    [
      'too many parts',
      `CATENATE (TEXT {1+}\r\na${' URL /INBOX/;UID=1/;PARTIAL=0.1'.repeat(LIMITS.imapCatenatePartsMax)})`,
      '. NO [LIMIT] At most 1000 parts of one message',
    ],
    ['a syntax error behind good parts', 'CATENATE (URL /INBOX/;UID=1 FOO)', '. BAD …'],
    ['garbage behind the parts', 'CATENATE (URL /INBOX/;UID=1) x', '. BAD …'],
  ];
  for (const [what, parts, want] of whole) {
    test(what, async () => {
      const conversation = await Conversation.selected({ office: await office() });
      await conversation.expect(`APPEND INBOX ${parts}`, want);
      await conversation.expect('NOOP', '. OK Nothing done');
    });
  }

  test('parts of one message that are too large together', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    const large = 'x'.repeat(600_000);
    await conversation.run(`APPEND INBOX {${large.length}+}\r\n${large}`);
    await conversation.expect(
      'APPEND INBOX CATENATE (URL /INBOX/;UID=2 URL /INBOX/;UID=2)',
      '. NO [TOOBIG] …',
    );
  });

  test('over quota, counted with what was announced before', async () => {
    const shared = await office();
    const conversation = await Conversation.selected({ office: shared });
    await shared.store.setQuota(ACCOUNT, PARTS.length + PARTS.length);
    await conversation.expect('APPEND INBOX CATENATE (URL /INBOX/;UID=1)', '* 2 EXISTS', OK);
    await shared.store.setQuota(ACCOUNT, 3 * PARTS.length);
    await conversation.expect(
      'APPEND INBOX {1+}\r\na CATENATE (URL /INBOX/;UID=1)',
      `. NO [OVERQUOTA] Only ${PARTS.length} octets are left`,
    );
  });

  test('a message that cannot be read', async () => {
    const shared = await office((blobs) =>
      overriding(blobs, { read: (ref) => Promise.reject(new BlobError({ kind: 'damaged' }, ref.id)) }),
    );
    const conversation = await Conversation.selected({ office: shared });
    await conversation.expect('APPEND INBOX CATENATE (URL /INBOX/;UID=1)', '. NO [BADURL /INBOX/;UID=1] …');
    await conversation.expect('NOOP', '. OK Nothing done');
  });

  test('somebody else’s mail', async () => {
    const shared = await office();
    const conversation = new Conversation({ office: shared });
    await conversation.say('x LOGIN bob secret\r\n');
    await conversation.expect('APPEND INBOX CATENATE (URL /INBOX/;UID=1)', '. NO [BADURL /INBOX/;UID=1] …');
  });
});
