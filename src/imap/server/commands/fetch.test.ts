/** FETCH: RFC 9051 §6.4.5, §7.5.2; RFC 3501 §6.4.5; RFC 3516; RFC 7162; RFC 8474; RFC 8514; RFC 8970; RFC 9394. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter, overriding } from '../../../../test/support/imap-conversation.ts';
import { BlobError } from '../../../store/blob-store.ts';
import { Fault } from '../../../base/fault.ts';
import { FLAG } from '../../../store/mail-store.ts';

const NESTED = `From: a@example.org
Subject: outer
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b1

preamble
--b1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

SGVsbG8gd29ybGQ=
--b1
Content-Type: message/rfc822
Content-ID: <inner@x>

From: b@example.org
Subject: inner
X-Other: 1
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b2

--b2

plain
--b2
Content-Type: text/html

<p>html</p>
--b2--
--b1
Content-Transfer-Encoding: x-unknown

???
--b1--
`;

/** The answer as one text, without its completion. */
async function fetched(conversation: Conversation, command: string): Promise<string> {
  const said = await conversation.say(`f ${command}\r\n`);
  const end = said.lastIndexOf('f OK Fetched\r\n');
  assert.notEqual(end, -1, said);
  return said.slice(0, end);
}

async function nested(): Promise<Conversation> {
  const office = new ImapOffice();
  await office.deliver(NESTED, { flags: FLAG.seen, prefix: 'Return-Path: <x@y>\r\n' });
  return Conversation.selected({ office });
}

async function sectionOf(conversation: Conversation, section: string): Promise<string | null> {
  const said = await fetched(conversation, `FETCH 1 ${section}`);
  const [, size] = /\{(\d+)\}\r\n/.exec(said) ?? [];
  if (size === undefined) {
    assert.match(said, / NIL\)\r\n$/);
    return null;
  }
  const start = said.indexOf('}\r\n') + 3;
  assert.equal(said.slice(start + Number(size)), ')\r\n');
  return said.slice(start, start + Number(size));
}

describe('FETCH of data', () => {
  test('each item that needs no octets', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('Hi', 'Date: Fri, 2 Jan 2026 03:04:05 +0100\nMessage-ID: <1@x>\n'), {
      flags: FLAG.answered | FLAG.deleted,
      keywords: ['$Work'],
      receivedAtMs: Date.UTC(2026, 0, 1, 2, 3, 4),
      prefix: 'X: y\r\n',
    });
    const conversation = await Conversation.selected({ office });
    for (const [item, want] of [
      ['UID', 'UID 1'],
      ['FLAGS', String.raw`FLAGS (\Answered \Deleted $Work)`],
      ['INTERNALDATE', 'INTERNALDATE " 1-Jan-2026 02:03:04 +0000"'],
      ['RFC822.SIZE', 'RFC822.SIZE 141'],
      ['MODSEQ', 'MODSEQ (7)'],
      ['EMAILID', 'EMAILID (E7)'],
      ['THREADID', 'THREADID (T7)'],
      ['SAVEDATE', 'SAVEDATE " 2-Jan-2026 03:04:05 +0000"'],
      ['PREVIEW', 'PREVIEW "Hello"'],
      ['PREVIEW (LAZY)', 'PREVIEW "Hello"'],
      [
        'ENVELOPE',
        'ENVELOPE ("Fri, 2 Jan 2026 03:04:05 +0100" "Hi" (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) (("Bob" NIL "bob" "example.net")) NIL NIL NIL "<1@x>")',
      ],
      ['BODY', 'BODY ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 7 1)'],
      [
        'BODYSTRUCTURE',
        'BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 7 1 NIL NIL NIL NIL)',
      ],
    ] as const)
      assert.equal(await fetched(conversation, `FETCH 1 ${item}`), `* 1 FETCH (${want})\r\n`);
    const flags = String.raw`FLAGS (\Answered \Deleted $Work) INTERNALDATE " 1-Jan-2026 02:03:04 +0000" RFC822.SIZE 141`;
    assert.equal(await fetched(conversation, 'FETCH 1 FAST'), `* 1 FETCH (${flags})\r\n`);
    assert((await fetched(conversation, 'FETCH 1 ALL')).startsWith(`* 1 FETCH (${flags} ENVELOPE (`));
    assert.match(
      await fetched(conversation, 'FETCH 1 FULL'),
      / BODY \("TEXT" "PLAIN" \("CHARSET" "us-ascii"\) NIL NIL "7BIT" 7 1\)\)\r\n$/,
    );
    assert.equal(
      await fetched(conversation, 'UID FETCH 1 (EMAILID UID)'),
      '* 1 FETCH (EMAILID (E7) UID 1)\r\n',
    );
    assert.equal(await fetched(conversation, 'UID FETCH 1 EMAILID'), '* 1 FETCH (UID 1 EMAILID (E7))\r\n');
  });

  test('no body but one that is asked for sets \\Seen', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('Hi'));
    const conversation = await Conversation.selected({ office });
    for (const item of [
      'FULL',
      'PREVIEW',
      'BODYSTRUCTURE',
      'BODY.PEEK[]',
      'BINARY.PEEK[1]',
      'BINARY.SIZE[1]',
      'RFC822.HEADER',
    ])
      assert(!(await fetched(conversation, `FETCH 1 ${item}`)).includes('Seen'), item);
    await conversation.expect('SEARCH UNSEEN', '* SEARCH 1', '. OK …');
  });

  for (const item of [
    'BODY[]',
    'BODY[TEXT]',
    'BODY[HEADER]',
    'BODY[1]',
    'BINARY[1]',
    'RFC822',
    'RFC822.TEXT',
    'BODY[9]',
  ])
    test(`${item} sets \\Seen and says so once`, async () => {
      const office = new ImapOffice();
      await office.deliver(letter('Hi'));
      const conversation = await Conversation.selected({ office });
      assert.match(await fetched(conversation, `FETCH 1 ${item}`), / FLAGS \(\\Seen\)\)\r\n$/);
      assert.doesNotMatch(await fetched(conversation, `FETCH 1 ${item}`), /FLAGS/);
      assert.match(await fetched(conversation, `FETCH 1 (FLAGS ${item})`), /^\* 1 FETCH \(FLAGS \(\\Seen\) /);
    });
});

describe('sections (RFC 9051 §6.4.5.1)', () => {
  for (const [section, want] of [
    ['BODY[]', `Return-Path: <x@y>\r\n${NESTED.replaceAll('\n', '\r\n')}`],
    ['RFC822', `Return-Path: <x@y>\r\n${NESTED.replaceAll('\n', '\r\n')}`],
    ['BODY[]<0.6>', 'Return'],
    ['BODY[]<13.10>', '<x@y>\r\nFro'],
    ['BODY[]<100000.5>', ''],
    ['BODY[]<9223372036854775807.9223372036854775807>', ''],
    ['BODY[HEADER.FIELDS (subject RETURN-PATH x-none)]', 'Return-Path: <x@y>\r\nSubject: outer\r\n\r\n'],
    ['BODY[HEADER.FIELDS (X-None)]', '\r\n'],
    ['BODY[HEADER.FIELDS (Subject)]<9.5>', 'outer'],
    [
      'BODY[HEADER.FIELDS.NOT (content-type from)]',
      'Return-Path: <x@y>\r\nSubject: outer\r\nMIME-Version: 1.0\r\n\r\n',
    ],
    ['BODY[1]', 'SGVsbG8gd29ybGQ='],
    ['BODY[1.MIME]', 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n'],
    ['BODY[1.HEADER]', null],
    ['BODY[1.TEXT]', null],
    ['BODY[2.MIME]', 'Content-Type: message/rfc822\r\nContent-ID: <inner@x>\r\n\r\n'],
    [
      'BODY[2.HEADER]',
      'From: b@example.org\r\nSubject: inner\r\nX-Other: 1\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n',
    ],
    ['BODY[2.HEADER.FIELDS (SUBJECT)]', 'Subject: inner\r\n\r\n'],
    ['BODY[2.HEADER.FIELDS.NOT (SUBJECT Content-Type FROM MIME-Version)]', 'X-Other: 1\r\n\r\n'],
    ['BODY[2.TEXT]', '--b2\r\n\r\nplain\r\n--b2\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b2--'],
    ['BODY[2.1]', 'plain'],
    ['BODY[2.2]', '<p>html</p>'],
    ['BODY[2.2.MIME]', 'Content-Type: text/html\r\n\r\n'],
    ['BODY[2.3]', null],
    ['BODY[4]', null],
    ['BODY[1.1]', null],
    ['BODY[2.1]<1.3>', 'lai'],
    ['BODY[3]', '???'],
  ] as const)
    test(section, async () => {
      assert.equal(await sectionOf(await nested(), section), want);
    });

  test('the label is told as asked, without the length', async () => {
    const conversation = await nested();
    assert.match(
      await fetched(conversation, 'FETCH 1 BODY.PEEK[2.HEADER.FIELDS (Subject "X-Other")]<3.5>'),
      /^\* 1 FETCH \(BODY\[2\.HEADER\.FIELDS \(Subject X-Other\)\]<3> \{5\}\r\nject:\)/,
    );
    assert.match(await fetched(conversation, 'FETCH 1 body[text]'), /^\* 1 FETCH \(BODY\[TEXT\] \{/);
  });

  test('HEADER and TEXT together are the message', async () => {
    const conversation = await nested();
    const [whole, header, text] = [
      await sectionOf(conversation, 'BODY[]'),
      await sectionOf(conversation, 'BODY[HEADER]'),
      await sectionOf(conversation, 'BODY[TEXT]'),
    ];
    assert.equal(`${header}${text}`, whole);
    assert(header?.endsWith('boundary=b1\r\n\r\n'));
  });

  for (const text of [
    'FETCH',
    'FETCH 1',
    'FETCH 1 ()',
    'FETCH 0 FLAGS',
    'FETCH 1 FOO',
    'FETCH 1 BODY[',
    'FETCH 1 BODY[MIME]',
    'FETCH 1 BODY[0]',
    'FETCH 1 BODY[1.]',
    'FETCH 1 BODY[]<0.0>',
    'FETCH 1 BODY[]<0>',
    'FETCH 1 BODY[HEADER.FIELDS ()]',
    'FETCH 1 (FLAGS FAST)',
    'FETCH 2 FLAGS',
    'FETCH 1:2 FLAGS',
    'FETCH 1 FLAGS (FOO)',
  ])
    test(`malformed: ${text}`, async () => {
      await (await nested()).expect(text, '. BAD …');
    });
});

describe('BINARY (RFC 3516, RFC 9051 §6.4.5)', () => {
  test('decoded, in part, and its size', async () => {
    const conversation = await nested();
    assert.equal(
      await fetched(conversation, 'FETCH 1 BINARY[1]'),
      '* 1 FETCH (BINARY[1] ~{11}\r\nHello world)\r\n',
    );
    assert.equal(
      await fetched(conversation, 'FETCH 1 BINARY[1]<6.3>'),
      '* 1 FETCH (BINARY[1]<6> ~{3}\r\nwor)\r\n',
    );
    assert.equal(
      await fetched(conversation, 'FETCH 1 BINARY[1]<60.3>'),
      '* 1 FETCH (BINARY[1]<60> ~{0}\r\n)\r\n',
    );
    assert.equal(await fetched(conversation, 'FETCH 1 BINARY.SIZE[1]'), '* 1 FETCH (BINARY.SIZE[1] 11)\r\n');
    assert.equal(await fetched(conversation, 'FETCH 1 BINARY[9]'), '* 1 FETCH (BINARY[9] NIL)\r\n');
    assert.match(await fetched(conversation, 'FETCH 1 BINARY[]<0.4>'), /~\{4\}\r\nRetu\)/);
  });

  test('an encoding that nobody knows is NO [UNKNOWN-CTE]', async () => {
    const conversation = await nested();
    await conversation.expect('FETCH 1 BINARY[3]', '. NO [UNKNOWN-CTE] The encoding is not known');
    await conversation.expect('FETCH 1 BINARY.SIZE[3]', '. NO [UNKNOWN-CTE] …');
  });

  test('a large part is decoded while it is sent', async () => {
    const office = new ImapOffice();
    const octets = Buffer.alloc(3_000_000, 'abcdefg');
    const encoded = octets.toString('base64').replaceAll(/.{76}/g, '$&\n');
    await office.deliver(`Content-Transfer-Encoding: base64\n\n${encoded}`);
    const conversation = await Conversation.selected({ office, windowOctets: 10_000_000 });
    const said = await fetched(conversation, 'FETCH 1 BINARY.PEEK[1]');
    assert.equal(said, `* 1 FETCH (BINARY[1] ~{3000000}\r\n${octets.toString('latin1')})\r\n`);
    assert.match(await fetched(conversation, 'FETCH 1 BODY.PEEK[]'), /^\* 1 FETCH \(BODY\[\] \{4\d+\}\r\n/);
    assert.equal(
      await fetched(conversation, 'FETCH 1 BINARY.SIZE[1]'),
      '* 1 FETCH (BINARY.SIZE[1] 3000000)\r\n',
    );
    assert.equal(
      await fetched(conversation, 'FETCH 1 BINARY.PEEK[1]<2999999.10>'),
      `* 1 FETCH (BINARY[1]<2999999> ~{1}\r\n${octets.toString('latin1').slice(-1)})\r\n`,
    );
  });
});

describe('sets (RFC 9051 §9)', () => {
  async function five(): Promise<Conversation> {
    const office = new ImapOffice();
    for (let at = 1; at <= 7; at += 1) await office.deliver(letter(`m${at}`));
    const conversation = await Conversation.selected({ office });
    await conversation.run('UID STORE 2,5 +FLAGS.SILENT (\\Deleted)');
    await conversation.run('EXPUNGE');
    return conversation;
  }
  const uids = async (command: string): Promise<readonly string[]> =>
    (await (await five()).run(command)).slice(0, -1).map((line) => /UID (\d+)/.exec(line)?.[1] ?? line);

  for (const [command, want] of [
    ['FETCH 1:* UID', '1 3 4 6 7'],
    ['FETCH * UID', '7'],
    ['FETCH 5,1,1:2 UID', '1 3 7'],
    ['FETCH 4:2 UID', '3 4 6'],
    ['FETCH 9:* UID', '7'],
    ['UID FETCH 1:* UID', '1 3 4 6 7'],
    ['UID FETCH 2:5 UID', '3 4'],
    ['UID FETCH 100:* UID', '7'],
    ['UID FETCH 100 UID', ''],
    ['UID FETCH 4294967295:1 UID', '1 3 4 6 7'],
    ['UID FETCH 1:* (UID) (PARTIAL 1:2)', '1 3'],
    ['UID FETCH 1:* (UID) (PARTIAL -1:-2)', '6 7'],
    ['UID FETCH 1:* (UID) (PARTIAL 9:10)', ''],
  ] as const)
    test(command, async () => {
      assert.equal((await uids(command)).join(' '), want);
    });

  test('of an empty mailbox', async () => {
    const conversation = await Conversation.selected();
    await conversation.expect('FETCH 1:* FLAGS', '. OK …');
    await conversation.expect('FETCH 1 FLAGS', '. BAD There are only 0 messages');
    await conversation.expect('UID FETCH 1:* FLAGS', '. OK …');
  });

  test('a set with very many elements is refused (RFC 9051 §4.1.1)', async () => {
    const conversation = await five();
    const set = Array.from({ length: 21_000 }, (_, at) => (at % 9) + 1).join(',');
    await conversation.expect(`UID FETCH ${set} UID`, '. BAD …');
  });
});

describe('CHANGEDSINCE and MODSEQ (RFC 7162 §3.1.4)', () => {
  test('only what changed, with MODSEQ', async () => {
    const office = new ImapOffice();
    for (let at = 1; at <= 3; at += 1) await office.deliver(letter(`m${at}`));
    const conversation = await Conversation.selected({ office });
    await conversation.run('STORE 2 +FLAGS.SILENT (\\Seen)');
    await conversation.expect(
      'FETCH 1:* (FLAGS) (CHANGEDSINCE 9)',
      String.raw`* 2 FETCH (MODSEQ (10) FLAGS (\Seen))`,
      '. OK …',
    );
    await conversation.expect('UID FETCH 1:* (FLAGS) (CHANGEDSINCE 10)', '. OK …');
    await conversation.expect('STORE 1 +FLAGS.SILENT (\\Seen)', '* 1 FETCH (UID 1 MODSEQ (11))', '. OK …');
  });
});

describe('what the world does', () => {
  test('a body asked for many times over is not held in memory as often', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('big', '', 'x'.repeat(900_000)));
    const conversation = await Conversation.selected({ office, windowOctets: 100_000 });
    const before = process.memoryUsage().arrayBuffers;
    void conversation.client.write(
      Buffer.from(`a FETCH 1 (${Array(300).fill('BODY.PEEK[]').join(' ')})\r\n`),
    );
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const held = process.memoryUsage().arrayBuffers - before;
    assert(held < 40_000_000, `${held} octets`);
    let heard = 0;
    for (let isOver = false; !isOver;) {
      const piece = await conversation.hear();
      heard += piece.length;
      isOver = piece.endsWith('a OK Fetched\r\n');
    }
    assert(heard > 300 * 900_000);
  });

  test('the same of fields and of decoded parts', async () => {
    const office = new ImapOffice();
    await office.deliver(
      `Subject: ${'y'.repeat(200_000)}\nContent-Transfer-Encoding: base64\n\n${'AAAA'.repeat(200_000)}\n`,
    );
    const conversation = await Conversation.selected({ office, windowOctets: 1e9 });
    for (const item of ['BODY.PEEK[HEADER.FIELDS (SUBJECT)]', 'BINARY.PEEK[1]']) {
      const once = (await fetched(conversation, `FETCH 1 ${item}`)).length - '* 1 FETCH ()\r\n'.length;
      const often = await fetched(conversation, `FETCH 1 (${Array(30).fill(item).join(' ')})`);
      assert.equal(often.length, '* 1 FETCH ()\r\n'.length + 30 * once + 29, item);
    }
  });

  test('a message whose octets are gone: the others are told, and NO', async () => {
    const office = new ImapOffice({
      blobs: (blobs) => {
        let first: string | undefined;
        return overriding(blobs, {
          read: (ref, ...range) => {
            first ??= ref.id;
            if (ref.id === first) return Promise.reject(new BlobError({ kind: 'damaged' }, ref.id));
            return blobs.read(ref, ...range);
          },
        });
      },
    });
    await office.deliver(letter('one'));
    await office.deliver(letter('two'));
    const conversation = await Conversation.selected({ office });
    await conversation.expect(
      'FETCH 1:2 BODY[TEXT]',
      String.raw`* 1 FETCH (UID 1 FLAGS (\Seen))`,
      '* 2 FETCH (BODY[TEXT] {7}',
      'Hello',
      String.raw` FLAGS (\Seen))`,
      '. NO [CORRUPTION] A message cannot be read',
    );
    await conversation.expect('FETCH 1 (UID RFC822.SIZE)', '* 1 FETCH (UID 1 RFC822.SIZE 79)', '. OK …');
    assert(office.eventNames().includes('imap.blob.unreadable'));
  });

  test('damage found while a large message is being sent cuts the connection: its size was told', async () => {
    const office = new ImapOffice({
      blobs: (blobs) =>
        overriding(blobs, {
          async *stream(ref, ...range) {
            let left = 3;
            for await (const chunk of blobs.stream(ref, ...range)) {
              yield chunk;
              left -= 1;
              if (left === 0) throw new BlobError({ kind: 'damaged' }, ref.id);
            }
          },
        }),
    });
    await office.deliver(letter('big', '', 'x'.repeat(2_000_000)));
    const conversation = await Conversation.selected({ office, windowOctets: 10_000_000 });
    const said = await conversation.say('f FETCH 1 BODY[]\r\n');
    assert(!said.includes('f '));
    await conversation.done;
    assert(!office.eventNames().includes('imap.bug'));
  });

  test('a disk that takes no more does not keep people from reading', async () => {
    const office = new ImapOffice({
      store: (store) => overriding(store, { setFlags: () => Promise.reject(new Fault('Storing flags')) }),
    });
    await office.deliver(letter('Hi'));
    const conversation = await Conversation.selected({ office });
    await conversation.expect(
      'FETCH 1 BODY[TEXT]',
      '* 1 FETCH (BODY[TEXT] {7}',
      'Hello',
      ')',
      '. OK Fetched',
    );
    await conversation.expect('STORE 1 +FLAGS (\\Seen)', '. NO [UNAVAILABLE] Not now; try again later');
    assert.equal(office.eventNames().filter((name) => name === 'imap.fault').length, 2);
  });

  test('a store that is away: NO, and the session goes on', async () => {
    let isAway = false;
    const away = (): never => {
      throw new Fault('Reading');
    };
    const office = new ImapOffice({
      store: (store) =>
        overriding(store, {
          mailboxes: async (...given) => (isAway ? away() : store.mailboxes(...given)),
          entries: async (...given) => (isAway ? away() : store.entries(...given)),
          mailboxChanges: async (...given) => (isAway ? away() : store.mailboxChanges(...given)),
        }),
    });
    await office.deliver(letter('Hi'));
    const conversation = await Conversation.selected({ office });
    isAway = true;
    for (const command of [
      'SELECT INBOX',
      'LIST "" *',
      'STATUS INBOX (MESSAGES)',
      'CREATE x',
      'FETCH 1 FLAGS',
    ])
      await conversation.expect(command, '. NO [UNAVAILABLE] Not now; try again later');
    await conversation.expect('NOOP', '. OK …');
    isAway = false;
    await conversation.expect('FETCH 1 FLAGS', '* 1 FETCH (FLAGS ())', '. OK …');
  });

  test('an error that is a mistake of ours ends this session and says so', async () => {
    const office = new ImapOffice({
      store: (store) => overriding(store, { placed: () => Promise.reject(new TypeError('oops')) }),
    });
    await office.deliver(letter('Hi'));
    const conversation = await Conversation.selected({ office });
    assert.equal(
      await conversation.say('a FETCH 1 RFC822.SIZE\r\n'),
      '* BYE [SERVERBUG] Something went wrong here\r\n',
    );
    await conversation.done;
    assert(office.eventNames().includes('imap.bug'));
  });
});
