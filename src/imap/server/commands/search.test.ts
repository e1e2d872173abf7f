/** SEARCH, SORT and THREAD: RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5256, RFC 5957, RFC 5267, RFC 9394, RFC 7162 §3.1.5. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ACCOUNT,
  Conversation,
  ImapOffice,
  letter,
  overriding,
} from '../../../../test/support/imap-conversation.ts';
import { BlobError } from '../../../store/blob-store.ts';
import { FLAG } from '../../../store/mail-store.ts';

const DAY = 86_400_000;

/** Five messages that differ in everything that a key can ask for. */
async function five(): Promise<Conversation> {
  const office = new ImapOffice();
  const now = office.clock.nowMs();
  await office.deliver(
    letter('Lunch', 'Cc: carol@example.org\nDate: Thu, 1 Jan 2026 23:30:00 -0500\n', 'at noon\n'),
    {
      flags: FLAG.seen | FLAG.answered,
      receivedAtMs: now - 3 * DAY,
    },
  );
  await office.deliver(
    'From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\nTo: bob@example.net\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\nDate: Fri, 2 Jan 2026 00:30:00 +0900\nX-Mark: yes\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n' +
      `${Buffer.from('Schöne Grüße aus Köln').toString('base64')}\n`,
    { flags: FLAG.flagged, keywords: ['$Work'], receivedAtMs: now - 2 * DAY },
  );
  await office.deliver(letter('Re: Lunch', 'Bcc: secret@example.org\n', `long ${'x'.repeat(5000)}\n`), {
    flags: FLAG.deleted,
    receivedAtMs: now - DAY,
  });
  await office.deliver(letter('', 'X-Mark:\n'), { flags: FLAG.draft, receivedAtMs: now - 1000 });
  await office.deliver(
    'From: d@example.org\nSubject: outer\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\nSubject: hidden treasure\n\ninner words\n',
    { receivedAtMs: now },
  );
  return Conversation.selected({ office });
}

test('BODY looks into no header, TEXT into those of parts too (RFC 9051 §6.4.4)', async () => {
  const office = new ImapOffice();
  await office.deliver(
    'From: d@example.org\nSubject: folded\n\there\nMIME-Version: 1.0\nContent-Type: multipart/report; boundary=b\n\n' +
      '--b\n\na wrapped\nline\n' +
      '--b\nContent-Type: message/delivery-status\n\nDiagnostic-Code: smtp; 550 away\n' +
      '--b\nContent-Type: image/png\nContent-Disposition: attachment; filename=chart.png\n\nnoise\n--b--\n',
  );
  const conversation = await Conversation.selected({ office });
  for (const [key, want] of [
    ['BODY chart.png', ''],
    ['TEXT chart.png', ' 1'],
    ['BODY "550 away"', ' 1'],
    ['BODY noise', ''],
    ['BODY "wrapped line"', ' 1'],
    ['SUBJECT "folded here"', ' 1'],
    ['HEADER Subject "folded here"', ' 1'],
  ])
    await conversation.expect(`SEARCH ${key}`, `* SEARCH${want}`, '. OK Searched');
});

describe('keys of SEARCH', () => {
  for (const [key, want] of [
    ['ALL', '1 2 3 4 5'],
    ['1,3:4', '1 3 4'],
    ['*', '5'],
    ['4:*', '4 5'],
    ['UID 2:3', '2 3'],
    ['UID 9:*', '5'],
    ['UID 9', ''],
    ['ANSWERED', '1'],
    ['UNANSWERED', '2 3 4 5'],
    ['DELETED', '3'],
    ['UNDELETED', '1 2 4 5'],
    ['DRAFT', '4'],
    ['UNDRAFT', '1 2 3 5'],
    ['FLAGGED', '2'],
    ['UNFLAGGED', '1 3 4 5'],
    ['SEEN', '1'],
    ['UNSEEN', '2 3 4 5'],
    ['KEYWORD $work', '2'],
    ['UNKEYWORD $Work', '1 3 4 5'],
    ['KEYWORD none', ''],
    ['NEW', ''],
    ['OLD', '1 2 3 4 5'],
    ['RECENT', ''],
    ['FROM jürgen', '2'],
    ['FROM JÜRGEN', '2'],
    ['FROM example.org', '1 2 3 4 5'],
    ['TO bob', '1 2 3 4'],
    ['CC carol', '1'],
    ['BCC secret', '3'],
    ['SUBJECT lunch', '1 3'],
    ['SUBJECT GRÜSSE', ''],
    ['SUBJECT grüße', '2'],
    ['SUBJECT hidden', ''],
    ['HEADER X-Mark yes', '2'],
    ['HEADER x-mark ""', '2 4'],
    ['HEADER Subject lunch', '1 3'],
    ['BODY noon', '1'],
    ['BODY köln', '2'],
    ['BODY lunch', ''],
    ['BODY "hidden treasure"', ''],
    ['TEXT "hidden treasure"', '5'],
    ['BODY words', '5'],
    ['TEXT lunch', '1 3'],
    ['TEXT noon', '1'],
    ['TEXT carol', '1'],
    ['TEXT nothing-of-it', ''],
    ['LARGER 5000', '3'],
    ['SMALLER 5000', '1 2 4 5'],
    ['BEFORE 31-Dec-2025', '1'],
    ['ON 31-Dec-2025', '2'],
    ['SINCE 1-Jan-2026', '3 4 5'],
    ['SINCE "01-Jan-2026"', '3 4 5'],
    // By the sender's own calendar, though one is the next day and one the day before in Greenwich.
    ['SENTON 1-Jan-2026', '1 3'],
    ['SENTON 2-Jan-2026', '2 4 5'],
    ['SENTBEFORE 2-Jan-2026', '1 3'],
    ['SENTSINCE 2-Jan-2026', '2 4 5'],
    ['SAVEDON 2-Jan-2026', '1 2 3 4 5'],
    ['SAVEDBEFORE 2-Jan-2026', ''],
    ['SAVEDSINCE 2-Jan-2026', '1 2 3 4 5'],
    ['SAVEDATESUPPORTED', '1 2 3 4 5'],
    ['YOUNGER 86000', '4 5'],
    ['UIDAFTER 3', '4 5'],
    ['UIDAFTER 5', ''],
    ['UIDBEFORE 3', '1 2'],
    ['NOT UIDBEFORE 1', '1 2 3 4 5'],
    ['OLDER 172800', '1 2'],
    ['EMAILID E8', '2'],
    ['EMAILID bogus', ''],
    ['THREADID T7', '1'],
    ['FUZZY SUBJECT lunch', '1 3'],
    ['NOT SEEN NOT DELETED', '2 4 5'],
    ['NOT (SEEN DELETED)', '1 2 3 4 5'],
    ['OR SEEN DELETED', '1 3'],
    ['OR (FLAGGED) OR DRAFT SUBJECT lunch', '1 2 3 4'],
    ['NOT TEXT lunch', '2 4 5'],
    ['(SEEN SUBJECT lunch)', '1'],
    ['UNSEEN OR SUBJECT lunch BODY words', '3 5'],
    ['1:4 UNSEEN SINCE 30-Dec-2025 NOT LARGER 5000', '2 4'],
    ['CHARSET ISO-8859-1 SUBJECT {5+}\r\ngr\xfc\xdfe', '2'],
    ['CHARSET utf-8 FLAGGED', '2'],
  ] as const)
    test(key.split('\r')[0] ?? '', async () => {
      const conversation = await five();
      const command = key.includes('\r') ? key : Buffer.from(key).toString('latin1');
      await conversation.expect(
        `SEARCH ${command}`,
        `* SEARCH${want === '' ? '' : ` ${want}`}`,
        '. OK Searched',
      );
      await conversation.expect(
        `UID SEARCH ${command}`,
        `* SEARCH${want === '' ? '' : ` ${want}`}`,
        '. OK Searched',
      );
    });

  test('MODSEQ tells the highest (RFC 7162 §3.1.5)', async () => {
    const conversation = await five();
    await conversation.expect('SEARCH MODSEQ 10', '* SEARCH 4 5 (MODSEQ 11)', '. OK …');
    await conversation.expect(
      'SEARCH MODSEQ "/flags/\\\\draft" all 10 UID 4',
      '* SEARCH 4 (MODSEQ 10)',
      '. OK …',
    );
    await conversation.expect('SEARCH MODSEQ 999', '* SEARCH', '. OK …');
    await conversation.expect('SEARCH OR MODSEQ 11 SEEN', '* SEARCH 1 5 (MODSEQ 11)', '. OK …');
    await conversation.expect(
      'SEARCH RETURN (MIN) MODSEQ 9',
      '* ESEARCH (TAG "t5") MIN 3 MODSEQ 9',
      '. OK …',
    );
    await conversation.expect(
      'SEARCH RETURN (MIN MAX) MODSEQ 9',
      '* ESEARCH (TAG "t6") MIN 3 MAX 5 MODSEQ 11',
      '. OK …',
    );
  });

  for (const [text, want] of [
    ['', '. BAD …'],
    ['FOO', '. BAD Unknown search key: FOO'],
    ['9', '. BAD There are only 5 messages'],
    ['NOT (OR SEEN 9)', '. BAD There are only 5 messages'],
    ['SUBJECT', '. BAD …'],
    ['ON yesterday', '. BAD …'],
    ['ON 30-Feb-2026', '. BAD …'],
    ['(SEEN', '. BAD …'],
    ['OR SEEN', '. BAD …'],
    ['SUBJECT \xff', '. BAD …'],
    ['LARGER -1', '. BAD …'],
    ['RETURN (FOO) ALL', '. BAD …'],
    ['RETURN ALL ALL', '. BAD …'],
    ['CHARSET x-none SEEN', '. NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset'],
    ['FILTER mine', '. NO [UNDEFINED-FILTER mine] …'],
    [`${'('.repeat(60)}SEEN${')'.repeat(60)}`, '. NO [LIMIT] …'],
    [`${'SEEN '.repeat(1100)}SEEN`, '. NO [LIMIT] …'],
  ] as const)
    test(`refused: ${text.slice(0, 40)}`, async () => {
      await (await five()).expect(`SEARCH ${text}`, want);
    });

  test('a message that cannot be read matches nothing; the others do', async () => {
    let bad = '';
    const office = new ImapOffice({
      blobs: (blobs) =>
        overriding(blobs, {
          read: (ref, ...range) =>
            ref.id === bad
              ? Promise.reject(new BlobError({ kind: 'missing' }, ref.id))
              : blobs.read(ref, ...range),
        }),
    });
    await office.deliver(letter('one'));
    await office.deliver(letter('two'));
    const conversation = await Conversation.selected({ office });
    const inbox = (await office.store.mailboxes(ACCOUNT)).find(({ role }) => role === 'inbox');
    assert(inbox);
    const [first] = await office.store.entries(ACCOUNT, inbox.id, 0, 1);
    assert(first);
    bad = (await office.store.placed(ACCOUNT, inbox.id, [first.uid]))[0]?.blob.id ?? '';
    await conversation.expect('SEARCH BODY hello', '* SEARCH 2', '. OK …');
    assert(office.eventNames().includes('imap.blob.unreadable'));
  });
});

describe('RETURN and $ (RFC 9051 §6.4.4, §6.4.4.1; RFC 9394)', () => {
  for (const [options, want] of [
    ['()', 'ALL 2:5'],
    ['(ALL)', 'ALL 2:5'],
    ['(MIN)', 'MIN 2'],
    ['(MAX)', 'MAX 5'],
    ['(COUNT)', 'COUNT 4'],
    ['(MIN MAX COUNT ALL)', 'MIN 2 MAX 5 COUNT 4 ALL 2:5'],
    ['(PARTIAL 1:2)', 'PARTIAL (1:2 2:3)'],
    ['(PARTIAL -1:-2)', 'PARTIAL (-1:-2 4:5)'],
    ['(PARTIAL 3:99 COUNT)', 'COUNT 4 PARTIAL (3:99 4:5)'],
    ['(PARTIAL 7:9)', 'PARTIAL (7:9 NIL)'],
  ] as const)
    test(options, async () => {
      const conversation = await five();
      await conversation.expect(`SEARCH RETURN ${options} UNSEEN`, `* ESEARCH (TAG "t1") ${want}`, '. OK …');
      await conversation.expect(
        `UID SEARCH RETURN ${options} UNSEEN`,
        `* ESEARCH (TAG "t2") UID ${want}`,
        '. OK …',
      );
    });

  test('nothing found', async () => {
    const conversation = await five();
    await conversation.expect(
      'SEARCH RETURN (MIN MAX ALL COUNT) UID 99',
      '* ESEARCH (TAG "t1") COUNT 0',
      '. OK …',
    );
    await conversation.expect('SEARCH RETURN () UID 99', '* ESEARCH (TAG "t2")', '. OK …');
    await conversation.expect('SEARCH RETURN (PARTIAL 1:2 ALL) SEEN', '. BAD …');
  });

  test('SAVE keeps what it says, and $ stands for it', async () => {
    const conversation = await five();
    const saved = async (): Promise<string> => (await conversation.run('UID SEARCH $'))[0] ?? '';
    await conversation.expect('SEARCH RETURN (SAVE) UNSEEN', '. OK Searched');
    assert.equal(await saved(), '* SEARCH 2 3 4 5');
    await conversation.expect(
      'FETCH $ UID',
      '* 2 FETCH (UID 2)',
      '* 3 FETCH (UID 3)',
      '* 4 FETCH (UID 4)',
      '* 5 FETCH (UID 5)',
      '. OK …',
    );
    for (const [options, want] of [
      ['SAVE MIN', ' 2'],
      ['SAVE MAX', ' 5'],
      ['MIN SAVE MAX', ' 2 5'],
      ['SAVE COUNT MIN', ' 2 3 4 5'],
      ['SAVE ALL MAX', ' 2 3 4 5'],
      ['SAVE PARTIAL 1:2', ' 2 3'],
    ] as const) {
      await conversation.run(`SEARCH RETURN (${options}) UNSEEN`);
      assert.equal(await saved(), `* SEARCH${want}`, options);
    }
    await conversation.expect('SEARCH RETURN (SAVE) 99', '. BAD …');
    assert.equal(await saved(), '* SEARCH 2 3');
    await conversation.expect('SEARCH RETURN (SAVE) FILTER x', '. NO …');
    assert.equal(await saved(), '* SEARCH');
    await conversation.run('SEARCH RETURN (SAVE) DELETED');
    await conversation.expect('EXPUNGE', '* 3 EXPUNGE', '. OK …');
    assert.equal(await saved(), '* SEARCH');
    await conversation.expect('STORE $ +FLAGS (\\Seen)', '. OK Stored');
    await conversation.run('SEARCH RETURN (SAVE) ALL');
    await conversation.run('SELECT INBOX');
    assert.equal(await saved(), '* SEARCH');
  });

  test('with IMAP4rev2 the answer is ESEARCH in any case (RFC 9051 §6.4.4)', async () => {
    const conversation = await five();
    await conversation.run('ENABLE IMAP4rev2');
    await conversation.expect('SEARCH UNSEEN', '* ESEARCH (TAG "t2") ALL 2:5', '. OK …');
    await conversation.expect('UID SEARCH SEEN DELETED', '* ESEARCH (TAG "t3") UID', '. OK …');
  });
});

describe('SORT (RFC 5256 §3, RFC 5957)', () => {
  for (const [criteria, want] of [
    ['ARRIVAL', '1 2 3 4 5'],
    ['REVERSE ARRIVAL', '5 4 3 2 1'],
    // 3 has no date and its base subject is that of 1; 4 has none.
    ['DATE', '3 2 4 5 1'],
    ['SIZE', '4 5 1 2 3'],
    ['SUBJECT', '4 2 1 3 5'],
    ['SUBJECT REVERSE ARRIVAL', '4 2 3 1 5'],
    ['REVERSE SUBJECT', '5 1 3 2 4'],
    ['FROM', '1 3 4 5 2'],
    ['TO', '5 1 2 3 4'],
    ['CC', '2 3 4 5 1'],
    ['DISPLAYFROM', '1 3 4 5 2'],
    ['REVERSE DISPLAYTO ARRIVAL', '2 1 3 4 5'],
  ] as const)
    test(criteria, async () => {
      const conversation = await five();
      const lines = await conversation.run(`SORT (${criteria}) UTF-8 ALL`);
      assert.deepEqual(lines, [`* SORT ${want}`, '. OK Sorted']);
    });

  test('some, none, by UID, and what is refused', async () => {
    const conversation = await five();
    await conversation.expect('SORT (REVERSE ARRIVAL) US-ASCII UNSEEN UNDELETED', '* SORT 5 4 2', '. OK …');
    await conversation.expect('SORT (DATE) UTF-8 TEXT "not in mailbox"', '* SORT', '. OK …');
    await conversation.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await conversation.run('UID EXPUNGE 1');
    await conversation.expect('UID SORT (REVERSE SIZE) UTF-8 ALL', '* SORT 3 2 5 4', '. OK …');
    await conversation.expect('SORT () UTF-8 ALL', '. BAD …');
    await conversation.expect('SORT (FOO) UTF-8 ALL', '. BAD …');
    await conversation.expect('SORT (DATE) ALL', '. NO [BADCHARSET …');
  });

  test('RETURN (RFC 5267 §3)', async () => {
    const conversation = await five();
    await conversation.expect(
      'SORT RETURN () (REVERSE ARRIVAL) UTF-8 ALL',
      '* ESEARCH (TAG "t1") ALL 5,4,3,2,1',
      '. OK …',
    );
    await conversation.expect(
      'UID SORT RETURN (MIN MAX COUNT) (SIZE) UTF-8 ALL',
      '* ESEARCH (TAG "t2") UID MIN 4 MAX 3 COUNT 5',
      '. OK …',
    );
    await conversation.expect(
      'SORT RETURN (PARTIAL 1:2) (SIZE) UTF-8 ALL',
      '* ESEARCH (TAG "t3") PARTIAL (1:2 4:5)',
      '. OK …',
    );
    await conversation.expect('SORT RETURN (SAVE) (SIZE) UTF-8 UNSEEN', '. OK …');
    await conversation.expect('SEARCH $', '* SEARCH 2 3 4 5', '. OK …');
  });
});

describe('THREAD (RFC 5256 §3)', () => {
  async function mailbox(
    ...messages: readonly (readonly [subject: string, id: string, references?: string])[]
  ): Promise<Conversation> {
    const office = new ImapOffice();
    for (const [at, [subject, id, references = '']] of messages.entries())
      await office.deliver(
        `From: a@b\nSubject: ${subject}\nMessage-ID: <${id}>\n${references === '' ? '' : `References: ${references}\n`}\nx\n`,
        { receivedAtMs: 1_700_000_000_000 + at * 1000 },
      );
    return Conversation.selected({ office });
  }

  test('ORDEREDSUBJECT', async () => {
    const conversation = await mailbox(
      ['b', '1'],
      ['a', '2'],
      ['Re: b', '3'],
      ['c', '4'],
      ['FWD: B', '5'],
      ['re: c', '6'],
    );
    await conversation.expect(
      'THREAD ORDEREDSUBJECT UTF-8 ALL',
      '* THREAD (1 (3)(5))(2)(4 6)',
      '. OK Threaded',
    );
    await conversation.expect('UID THREAD ORDEREDSUBJECT UTF-8 2:4', '* THREAD (2)(3)(4)', '. OK Threaded');
    await conversation.expect('THREAD ORDEREDSUBJECT UTF-8 UID 99', '* THREAD', '. OK Threaded');
    await conversation.expect('THREAD FOO UTF-8 ALL', '. BAD …');
    await conversation.expect('THREAD REFERENCES x-none ALL', '. NO [BADCHARSET …');
  });

  for (const [name, messages, want] of [
    [
      'a chain',
      [
        ['s', 'a'],
        ['t', 'b', '<a>'],
        ['u', 'c', '<a> <b>'],
      ],
      '(1 2 3)',
    ],
    [
      'branches',
      [
        ['s', 'a'],
        ['t', 'b', '<a>'],
        ['u', 'c', '<a>'],
        ['v', 'd', '<a> <c>'],
      ],
      '(1 (2)(3 4))',
    ],
    [
      'a missing parent of two',
      [
        ['s', 'b', '<x>'],
        ['t', 'c', '<x>'],
      ],
      '((1)(2))',
    ],
    ['a missing parent of one', [['s', 'b', '<x>']], '(1)'],
    [
      'a missing one in the middle',
      [
        ['s', 'a'],
        ['t', 'c', '<a> <x>'],
      ],
      '(1 2)',
    ],
    [
      'a loop',
      [
        ['s', 'a', '<b>'],
        ['t', 'b', '<a>'],
      ],
      '(2 1)',
    ],
    ['its own parent', [['s', 'a', '<a>']], '(1)'],
    [
      'the same id twice',
      [
        ['s', 'a'],
        ['t', 'a'],
        ['u', 'b', '<a>'],
      ],
      '(1 3)(2)',
    ],
    [
      'children before their parents',
      [
        ['s', 'c', '<a> <b>'],
        ['t', 'b', '<a>'],
        ['u', 'a'],
      ],
      '(3 2 1)',
    ],
    [
      'the same subject without references',
      [
        ['s', 'a'],
        ['Re: s', 'b'],
      ],
      '(1 2)',
    ],
    [
      'a reply before what it answers',
      [
        ['Re: s', 'b'],
        ['s', 'a'],
      ],
      '(2 1)',
    ],
    [
      'the same subject, neither a reply',
      [
        ['s', 'a'],
        ['s', 'b'],
        ['s', 'c'],
      ],
      '((1)(2)(3))',
    ],
    [
      'two replies without what they answer',
      [
        ['Re: s', 'a'],
        ['Re: s', 'b'],
      ],
      '((1)(2))',
    ],
    [
      'two dummies of one subject',
      [
        ['s', 'a', '<x>'],
        ['s', 'b', '<x>'],
        ['s', 'c', '<y>'],
        ['s', 'd', '<y>'],
      ],
      '((1)(2)(3)(4))',
    ],
    [
      'a dummy and a message of one subject',
      [
        ['s', 'a', '<x>'],
        ['s', 'b', '<x>'],
        ['s', 'c'],
      ],
      '((1)(2)(3))',
    ],
    [
      'no subject is not a common one',
      [
        ['', 'a'],
        ['', 'b'],
      ],
      '(1)(2)',
    ],
    [
      'quoted ids are the same ids',
      [
        ['s', 'a@x'],
        ['t', 'b', '<"a"@x>'],
      ],
      '(1 2)',
    ],
  ] as const)
    test(`REFERENCES: ${name}`, async () => {
      const conversation = await mailbox(...messages);
      await conversation.expect('THREAD REFERENCES UTF-8 ALL', `* THREAD ${want}`, '. OK Threaded');
    });

  test('a chain of thousands is no trouble', { timeout: 10_000 }, async () => {
    const chain = Array.from(
      { length: 3000 },
      (_, at) => ['s', `m${at}`, at === 0 ? '' : `<m${at - 1}>`] as const,
    );
    const conversation = await mailbox(...chain.toReversed());
    const [line] = await conversation.run('THREAD REFERENCES UTF-8 ALL');
    assert(line?.startsWith('* THREAD (3000 2999 2998'));
  });
});
