/** MESSAGELIMIT and SAVELIMIT: RFC 9738. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../test/support/imap-conversation.ts';
import { FLAG } from '../../store/mail-store.ts';
import type { ImapLimits } from './ports.ts';

/** Five messages, UIDs 1 to 5, the second and the fifth marked \Deleted. */
async function five(
  limits: Partial<ImapLimits> = { messagesMax: 2, savedMessagesMax: 2 },
): Promise<ImapOffice> {
  const office = new ImapOffice({ limits });
  for (let uid = 1; uid <= 5; uid += 1)
    await office.deliver(letter(`number ${uid}`), { flags: uid === 2 || uid === 5 ? FLAG.deleted : 0 });
  return office;
}

async function selected(limits?: Partial<ImapLimits>): Promise<Conversation> {
  return Conversation.selected({ office: await five(limits) });
}

describe('of too many messages those with the highest UIDs are taken, highest first (RFC 9738 §3.1)', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['FETCH', 'FETCH 1:4 UID', ['* 4 FETCH (UID 4)', '* 3 FETCH (UID 3)', '. OK [MESSAGELIMIT 2 3] …']],
    [
      'FETCH of what is read',
      'UID FETCH 1:4 BODY.PEEK[HEADER.FIELDS (SUBJECT)]<0.5>',
      [
        '* 4 FETCH (UID 4 BODY[HEADER.FIELDS (SUBJECT)]<0> {5}',
        'Subje)',
        '* 3 FETCH (UID 3 BODY[HEADER.FIELDS (SUBJECT)]<0> {5}',
        'Subje)',
        '. OK [MESSAGELIMIT 2 3] …',
      ],
    ],
    [
      'FETCH of no more than that',
      'FETCH 1:2 UID',
      ['* 1 FETCH (UID 1)', '* 2 FETCH (UID 2)', '. OK Fetched'],
    ],
    [
      'STORE',
      'UID STORE 1:4 +FLAGS (\\Seen)',
      [
        String.raw`* 4 FETCH (UID 4 FLAGS (\Seen))`,
        String.raw`* 3 FETCH (UID 3 FLAGS (\Seen))`,
        '. OK [MESSAGELIMIT 2 3] …',
      ],
    ],
    [
      'STORE where the OK has another code',
      'STORE 1:4 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen)',
      ['* NO [MESSAGELIMIT 2 3] …', '. OK [MODIFIED 3:4] …'],
    ],
    ['MOVE', 'MOVE 1:4 Sent', ['* OK [COPYUID …', '* 4 EXPUNGE', '* 3 EXPUNGE', '. OK [MESSAGELIMIT 2 3] …']],
    ['SEARCH counts what it looks at', 'SEARCH DELETED', ['* SEARCH 5', '. OK [MESSAGELIMIT 2 4] …']],
    ['SEARCH answers highest first', 'UID SEARCH ALL', ['* SEARCH 5 4', '. OK [MESSAGELIMIT 2 4] …']],
    ['SEARCH among few', 'UID SEARCH UID 1:2 DELETED', ['* SEARCH 2', '. OK Searched']],
    ['SEARCH among few by number', 'SEARCH 1:4 (2:3 UNSEEN)', ['* SEARCH 2 3', '. OK Searched']],
    ['SEARCH with UIDBEFORE', 'SEARCH UIDBEFORE 5', ['* SEARCH 4 3', '. OK [MESSAGELIMIT 2 3] …']],
    [
      'SEARCH with UIDBEFORE and UIDAFTER',
      'SEARCH UIDBEFORE 4 UIDAFTER 1',
      ['* SEARCH 2 3', '. OK Searched'],
    ],
    [
      'an extended SEARCH',
      'SEARCH RETURN (COUNT MIN) NOT DELETED',
      ['* ESEARCH (TAG "t1") MIN 4 COUNT 1', '. OK [MESSAGELIMIT 2 4] …'],
    ],
  ];
  for (const [what, command, want] of cases) {
    test(what, async () => {
      const conversation = await selected();
      await conversation.expect(command, ...want);
    });
  }

  test('what a search has saved is what it has looked at (RFC 9738 §3.4)', async () => {
    const conversation = await selected();
    await conversation.expect('SEARCH RETURN (SAVE) ALL', '. OK [MESSAGELIMIT 2 4] …');
    await conversation.expect('FETCH $ UID', '* 4 FETCH (UID 4)', '* 5 FETCH (UID 5)', '. OK Fetched');
  });

  test('UID EXPUNGE counts those that go; EXPUNGE and CLOSE are never cut short', async () => {
    const conversation = await selected({ messagesMax: 1, savedMessagesMax: 1 });
    await conversation.expect('UID EXPUNGE 1:4', '* 2 EXPUNGE', '. OK Expunged');
    await conversation.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await conversation.expect('UID EXPUNGE 1:5', '* 4 EXPUNGE', '. OK [MESSAGELIMIT 1 5] …');
    await conversation.run('STORE 2 +FLAGS.SILENT (\\Deleted)');
    await conversation.expect('EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. OK Expunged');
  });

  test('with HIGHESTMODSEQ in the OK the limit is said before', async () => {
    const conversation = await selected();
    await conversation.run('ENABLE QRESYNC');
    await conversation.expect(
      'UID MOVE 1:* Sent',
      '* OK [COPYUID …',
      '* NO [MESSAGELIMIT 2 4] …',
      '* VANISHED 4:5',
      '. OK [HIGHESTMODSEQ …',
    );
  });
});

describe('what is done whole or not at all', () => {
  const refused: readonly (readonly [string, string, string])[] = [
    ['COPY', 'COPY 1:4 Sent', '. NO [MESSAGELIMIT 2 3] …'],
    ['FETCH with a PARTIAL range (RFC 9394)', 'UID FETCH 1:* UID (PARTIAL -1:-3)', '. NO [MESSAGELIMIT 2] …'],
    ['SORT (RFC 9738 §3.3)', 'SORT (DATE) UTF-8 ALL', '. NO [MESSAGELIMIT 2] …'],
    ['THREAD (RFC 9738 §3.3)', 'THREAD REFERENCES UTF-8 ALL', '. NO [MESSAGELIMIT 2] …'],
    ['APPEND', 'APPEND Sent {1+}\r\na {1+}\r\nb {1+}\r\nc', '. NO [MESSAGELIMIT 2] …'],
  ];
  for (const [what, command, want] of refused) {
    test(what, async () => {
      const conversation = await selected();
      await conversation.expect(command, want);
      await conversation.expect('STATUS Sent (MESSAGES)', '* STATUS Sent (MESSAGES 0)', '. OK …');
    });
  }

  test('within the limit they are done', async () => {
    const conversation = await selected();
    await conversation.expect('COPY 1:2 Sent', '. OK [COPYUID …');
    await conversation.expect('SORT (REVERSE ARRIVAL) UTF-8 UIDAFTER 3', '* SORT …', '. OK Sorted');
    await conversation.expect(
      'UID FETCH 1:* UID (PARTIAL -1:-2)',
      '* 4 FETCH (UID 4)',
      '* 5 FETCH (UID 5)',
      '. OK Fetched',
    );
    await conversation.expect('APPEND Sent {1+}\r\na {1+}\r\nb', '. OK [APPENDUID …');
  });

  test('a SORT that is refused empties what was saved (RFC 9051 §6.4.4.1)', async () => {
    const conversation = await selected();
    await conversation.run('SEARCH RETURN (SAVE) UIDAFTER 4');
    await conversation.expect('SORT RETURN (SAVE) (DATE) UTF-8 ALL', '. NO [MESSAGELIMIT 2] …');
    await conversation.expect('UID FETCH $ UID', '. OK Fetched');
  });
});

describe('what is offered (RFC 9738 §3)', () => {
  async function offered(limits: Partial<ImapLimits>): Promise<readonly string[]> {
    const [line = ''] = await (await selected(limits)).run('CAPABILITY');
    return line.split(' ').filter((name) => name.includes('LIMIT=') && !name.startsWith('APPEND'));
  }

  test('one or the other, or neither', async () => {
    assert.deepEqual(await offered({}), []);
    assert.deepEqual(await offered({ messagesMax: 1000, savedMessagesMax: 1000 }), ['MESSAGELIMIT=1000']);
    assert.deepEqual(await offered({ savedMessagesMax: 1000 }), ['SAVELIMIT=1000']);
  });

  test('SAVELIMIT is of COPY and APPEND alone', async () => {
    const conversation = await selected({ savedMessagesMax: 2 });
    await conversation.expect('COPY 1:3 Sent', '. NO [MESSAGELIMIT 2 2] …');
    await conversation.expect('APPEND Sent {1+}\r\na {1+}\r\nb {1+}\r\nc', '. NO [MESSAGELIMIT 2] …');
    await conversation.expect('UID SEARCH ALL', '* SEARCH 1 2 3 4 5', '. OK Searched');
    await conversation.run('MOVE 1:5 Sent');
    await conversation.expect('STATUS Sent (MESSAGES)', '* STATUS Sent (MESSAGES 5)', '. OK …');
  });
});
