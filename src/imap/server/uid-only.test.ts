/** UIDONLY: RFC 9586. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../test/support/imap-conversation.ts';
import { FLAG } from '../../store/mail-store.ts';

/** UIDs 2, 3 and 5; 3 is marked \Deleted. */
async function office(): Promise<ImapOffice> {
  const made = new ImapOffice();
  for (let uid = 1; uid <= 5; uid += 1)
    await made.deliver(letter(`number ${uid}`), { flags: uid === 1 || uid === 4 ? FLAG.deleted : 0 });
  const conversation = await Conversation.selected({ office: made });
  await conversation.run('EXPUNGE');
  await conversation.run('STORE 2 +FLAGS.SILENT (\\Deleted)');
  return made;
}

async function uidOnly(shared?: ImapOffice): Promise<Conversation> {
  const conversation = await Conversation.selected({ office: shared ?? (await office()) });
  await conversation.expect('ENABLE UIDONLY', '* ENABLED UIDONLY', '. OK …');
  return conversation;
}

describe('what names messages by number is refused, and the session goes on (RFC 9586 §3)', () => {
  const refused = [
    'FETCH 1 FLAGS',
    'FETCH $ FLAGS',
    'STORE 1 +FLAGS (\\Seen)',
    'SEARCH ALL',
    'SEARCH RETURN (COUNT) UNSEEN',
    'SORT (DATE) UTF-8 ALL',
    'THREAD REFERENCES UTF-8 ALL',
    'COPY 1 Sent',
    'MOVE 1 Sent',
    'REPLACE 1 INBOX {1+}\r\nx',
    'REPLACE * INBOX CATENATE (URL /INBOX/;UID=2)',
    'UID SEARCH 1',
    'UID SEARCH NOT (SEEN OR 1:* DRAFT)',
    'UID SEARCH FUZZY 2',
    'UID SORT (DATE) UTF-8 1:*',
    'UID THREAD ORDEREDSUBJECT UTF-8 UNSEEN 1',
  ];
  for (const command of refused) {
    test(command.split('\r')[0] ?? '', async () => {
      const conversation = await uidOnly();
      await conversation.expect(
        command,
        '. BAD [UIDREQUIRED] There are no message numbers after ENABLE UIDONLY',
      );
      await conversation.expect('UID SEARCH ALL', '* SEARCH 2 3 5', '. OK …');
    });
  }

  test('a client that waits with a literal is told at once', async () => {
    const conversation = await uidOnly();
    assert.match(await conversation.say('a REPLACE 1 INBOX {5}\r\n'), /^a BAD \[UIDREQUIRED\][^\r]*\r\n$/);
  });

  test('the numbers of a QRESYNC (RFC 9586 §3.7)', async () => {
    const conversation = await uidOnly();
    await conversation.run('ENABLE QRESYNC');
    await conversation.expect('SELECT INBOX (QRESYNC (1 1 1:5 (1:3 2,3,5)))', '. BAD [UIDREQUIRED] …');
    const lines = await conversation.run('SELECT INBOX (QRESYNC (1767323045 1 1:5))');
    assert.ok(lines.includes('* VANISHED (EARLIER) 1,4'));
    assert.ok(lines.some((line) => line.startsWith('* 5 UIDFETCH (FLAGS () MODSEQ (')));
  });

  test('before ENABLE, and after UNAUTHENTICATE, nothing is different (RFC 8437)', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.expect('UID FETCH 5 FLAGS', '* 3 FETCH (UID 5 FLAGS ())', '. OK …');
    await conversation.run('ENABLE UIDONLY');
    await conversation.run('UNAUTHENTICATE');
    await conversation.run('LOGIN alice secret');
    await conversation.run('SELECT INBOX');
    await conversation.expect('FETCH 3 FLAGS', '* 3 FETCH (FLAGS ())', '. OK …');
  });
});

describe('responses name UIDs only', () => {
  test('UIDFETCH, with UID where it is asked for (RFC 9586 §3.3)', async () => {
    const conversation = await uidOnly();
    await conversation.expect('UID FETCH 5 FLAGS', '* 5 UIDFETCH (FLAGS ())', '. OK …');
    await conversation.expect('UID FETCH 5 (UID FLAGS)', '* 5 UIDFETCH (UID 5 FLAGS ())', '. OK …');
    await conversation.expect('UID FETCH 3:* UID', '* 3 UIDFETCH (UID 3)', '* 5 UIDFETCH (UID 5)', '. OK …');
    await conversation.expect(
      'UID FETCH 2 BODY[TEXT]<0.3>',
      '* 2 UIDFETCH (BODY[TEXT]<0> {3}',
      String.raw`Hel FLAGS (\Seen))`,
      '. OK …',
    );
    const [line = ''] = await conversation.run('UID FETCH 1:* (ENVELOPE) (CHANGEDSINCE 1)');
    assert.match(line, /^\* 2 UIDFETCH \(MODSEQ \(\d+\) ENVELOPE \(/);
  });

  test('STORE, silent and not, and what was changed by others', async () => {
    const conversation = await uidOnly();
    await conversation.expect(
      'UID STORE 5 +FLAGS ($a)',
      '* FLAGS …',
      '* OK [PERMANENTFLAGS …',
      '* 5 UIDFETCH (FLAGS ($a))',
      '. OK …',
    );
    await conversation.expect('UID STORE 5 +FLAGS.SILENT (\\Seen)', '. OK …');
    await conversation.expect('UID STORE 2,5 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)', '. OK [MODIFIED 2,5] …');
    await conversation.expect('UID STORE 5 -FLAGS.SILENT (\\Seen)', '* 5 UIDFETCH (MODSEQ (…', '. OK …');
  });

  test('VANISHED in place of EXPUNGE, without QRESYNC too (RFC 9586 §3.4)', async () => {
    const conversation = await uidOnly();
    await conversation.expect('EXPUNGE', '* VANISHED 3', '. OK Expunged');
    await conversation.expect('UID MOVE 5 Sent', '* OK [COPYUID …', '* VANISHED 5', '. OK Moved');
    await conversation.expect(
      'UID REPLACE 2 INBOX {1+}\r\nx',
      '* OK [APPENDUID 1767323045 6] …',
      '* VANISHED 2',
      '* 1 EXISTS',
      '. OK Replaced',
    );
  });

  test('what other sessions do', async () => {
    const shared = await office();
    const conversation = await uidOnly(shared);
    const plain = await Conversation.selected({ office: shared });
    await plain.run('UID STORE 5 +FLAGS (\\Flagged)');
    await plain.run('EXPUNGE');
    await plain.run('APPEND INBOX {1+}\r\nx');
    await conversation.expect(
      'UID FETCH 2 UID',
      '* 2 UIDFETCH (UID 2)',
      '* VANISHED 3',
      '* 3 EXISTS',
      String.raw`* 5 UIDFETCH (FLAGS (\Flagged))`,
      '. OK …',
    );
    await conversation.say('i IDLE\r\n');
    await plain.run('UID STORE 2 +FLAGS.SILENT (\\Deleted)');
    await plain.run('EXPUNGE');
    assert.match(await conversation.hear(), /\* VANISHED 2\r\n$/);
  });

  test('news without a command (RFC 5465)', async () => {
    const shared = await office();
    const conversation = await uidOnly(shared);
    const plain = await Conversation.selected({ office: shared });
    await conversation.run('NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))');
    await plain.run('APPEND INBOX (\\Seen) {1+}\r\nx');
    assert.equal(await conversation.hear(), '* 4 EXISTS\r\n* 6 UIDFETCH (FLAGS (\\Seen))\r\n');
    await plain.run('UID STORE 5 +FLAGS (\\Flagged)');
    assert.match(await conversation.hear(), /^\* 5 UIDFETCH \(FLAGS \(\\Flagged\)\)\r\n$/);
    await plain.run('EXPUNGE');
    assert.equal(await conversation.hear(), '* VANISHED 3\r\n');
  });

  test('SEARCH, SORT and THREAD by UID, and what is saved', async () => {
    const conversation = await uidOnly();
    await conversation.expect(
      'UID SEARCH RETURN (SAVE COUNT) UID 2:4',
      '* ESEARCH (TAG "t2") UID COUNT 2',
      '. OK …',
    );
    await conversation.expect('UID SEARCH $ DELETED', '* SEARCH 3', '. OK …');
    await conversation.expect('UID SORT (REVERSE ARRIVAL) UTF-8 ALL', '* SORT …', '. OK …');
    await conversation.expect('UID THREAD ORDEREDSUBJECT UTF-8 UID 5', '* THREAD (5)', '. OK …');
    await conversation.expect('UID COPY $ Sent', '. OK [COPYUID …');
  });

  test('SELECT tells no number of the first unseen message', async () => {
    const conversation = await Conversation.signedIn({ office: await office() });
    await conversation.run('ENABLE UIDONLY');
    const lines = await conversation.run('SELECT INBOX');
    assert.ok(lines.includes('* 3 EXISTS'));
    assert.ok(!lines.some((line) => line.includes('[UNSEEN')));
    await conversation.expect('UID FETCH 5 UID', '* 5 UIDFETCH (UID 5)', '. OK …');
  });

  test('with MESSAGELIMIT (RFC 9738)', async () => {
    const shared = new ImapOffice({ limits: { messagesMax: 1 } });
    for (const name of ['a', 'b']) await shared.deliver(letter(name));
    const conversation = await uidOnly(shared);
    await conversation.expect('UID FETCH 1:* UID', '* 2 UIDFETCH (UID 2)', '. OK [MESSAGELIMIT 1 2] …');
    await conversation.expect('UID FETCH 1:* UID (PARTIAL 1:1)', '* 1 UIDFETCH (UID 1)', '. OK …');
  });
});

test('it is offered, and said once when it is enabled', async () => {
  const conversation = await Conversation.signedIn();
  const [line = ''] = await conversation.run('CAPABILITY');
  assert.ok(line.split(' ').includes('UIDONLY'));
  await conversation.expect('ENABLE uidonly CONDSTORE', '* ENABLED UIDONLY CONDSTORE', '. OK …');
  await conversation.expect('ENABLE UIDONLY', '* ENABLED', '. OK …');
});

test('a search by numbers that is kept up to date goes on by UIDs (RFC 9586 §3.5, RFC 5267 §4.3)', async () => {
  const shared = await office();
  const conversation = await Conversation.selected({ office: shared });
  await conversation.run('SEARCH RETURN (UPDATE) ALL');
  await conversation.run('ENABLE UIDONLY');
  await shared.deliver(letter('number 6'));
  await conversation.expect('NOOP', '* 4 EXISTS', '* ESEARCH (TAG "t1") UID ADDTO (0 6)', '. OK …');
  const other = await Conversation.selected({ office: shared });
  await other.run('EXPUNGE');
  await conversation.expect('NOOP', '* ESEARCH (TAG "t1") UID REMOVEFROM (0 3)', '* VANISHED 3', '. OK …');
});
