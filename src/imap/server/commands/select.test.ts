/** SELECT, EXAMINE, CLOSE, UNSELECT: RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2; RFC 3501 §6.3.1; RFC 7162 §3.2.5. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter, overriding } from '../../../../test/support/imap-conversation.ts';
import { known, toUid } from '../../../store/ids.ts';
import { FLAG } from '../../../store/mail-store.ts';

async function office(count = 3): Promise<ImapOffice> {
  const made = new ImapOffice();
  for (let at = 1; at <= count; at += 1)
    await made.deliver(letter(`m${at}`), {
      flags: at === 1 ? FLAG.seen : 0,
      keywords: at === 2 ? ['$Work'] : [],
    });
  return made;
}

const VALIDITY = '* OK [UIDVALIDITY 1767323045] UIDs are valid';
const FLAGS = String.raw`\Answered \Flagged \Deleted \Seen \Draft`;

describe('SELECT', () => {
  test('all that RFC 3501 §6.3.1 asks for', async () => {
    const conversation = await Conversation.signedIn({ office: await office() });
    await conversation.expect(
      'SELECT iNbOx',
      `* FLAGS (${FLAGS} $Work)`,
      `* OK [PERMANENTFLAGS (${FLAGS} $Work \\*)] These are kept`,
      '* 3 EXISTS',
      '* 0 RECENT',
      '* OK [UNSEEN 2] The first unseen message',
      VALIDITY,
      '* OK [UIDNEXT 4] The next UID',
      '* OK [HIGHESTMODSEQ 9] The highest mod-sequence',
      '* OK [URLMECH INTERNAL] URLs can be authorized',
      '* OK [MAILBOXID (M1)] The mailbox',
      '. OK [READ-WRITE] Selected',
    );
  });

  test('all that RFC 9051 §6.3.2 asks for, without RECENT and UNSEEN, with LIST', async () => {
    const conversation = await Conversation.signedIn({ office: await office() });
    await conversation.run('ENABLE IMAP4rev2');
    await conversation.expect(
      'SELECT inbox',
      `* FLAGS (${FLAGS} $Work)`,
      `* OK [PERMANENTFLAGS (${FLAGS} $Work \\*)] These are kept`,
      '* 3 EXISTS',
      VALIDITY,
      '* OK [UIDNEXT 4] The next UID',
      '* OK [HIGHESTMODSEQ 9] The highest mod-sequence',
      '* OK [URLMECH INTERNAL] URLs can be authorized',
      '* OK [MAILBOXID (M1)] The mailbox',
      '* LIST (\\HasNoChildren) "/" INBOX',
      '. OK [READ-WRITE] Selected',
    );
    const [closed] = await conversation.run('SELECT Sent');
    assert.equal(closed, '* OK [CLOSED] The former mailbox is left');
  });

  test('an empty mailbox', async () => {
    const conversation = await Conversation.signedIn();
    const lines = await conversation.run('SELECT Sent');
    assert(lines.includes('* 0 EXISTS') && lines.includes('* OK [UIDNEXT 1] The next UID'));
    assert(!lines.some((line) => line.includes('UNSEEN')));
  });

  test('a missing mailbox leaves the one that was selected (RFC 9051 §6.3.2)', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.expect('SELECT nope', '. NO [NONEXISTENT] No such mailbox');
    await conversation.expect('FETCH 1 FLAGS', '. BAD Select a mailbox first');
  });

  test('a command that is BAD leaves nothing', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    for (const text of ['SELECT', 'SELECT INBOX x', 'SELECT INBOX (FOO)', 'SELECT INBOX (QRESYNC (1 1))'])
      await conversation.expect(text, '. BAD …');
    await conversation.expect('FETCH 1 UID', '* 1 FETCH (UID 1)', '. OK …');
  });

  test('changes that come while it is answered are told with the next command', async () => {
    let isFirst = true;
    const conversation = await Conversation.signedIn({
      office: new ImapOffice({
        store: (store) =>
          overriding(store, {
            async entries(account, mailbox, ...range) {
              // Between the row of the mailbox and its entries another session sets a flag.
              const change = { mode: 'add', flags: FLAG.flagged, keywords: [] } as const;
              if (isFirst) await store.setFlags(account, mailbox, [known(toUid(2))], change);
              isFirst = false;
              return store.entries(account, mailbox, ...range);
            },
          }),
      }),
    });
    await conversation.office.deliver(letter('one'));
    await conversation.office.deliver(letter('two'));
    const lines = await conversation.run('SELECT INBOX');
    assert(lines.includes('* 2 EXISTS'));
    await conversation.expect('NOOP', String.raw`* 2 FETCH (UID 2 FLAGS (\Flagged))`, '. OK Nothing done');
    await conversation.expect('NOOP', '. OK Nothing done');
  });
});

describe('EXAMINE (RFC 9051 §6.3.3)', () => {
  test('nothing is changed', async () => {
    const conversation = await Conversation.signedIn({ office: await office() });
    const lines = await conversation.run('EXAMINE INBOX');
    assert(lines.includes('* OK [PERMANENTFLAGS ()] These are kept'));
    assert.equal(lines.at(-1), '. OK [READ-ONLY] Examined');
    await conversation.expect('FETCH 2 BODY[TEXT]', '* 2 FETCH (BODY[TEXT] {7}', 'Hello', ')', '. OK …');
    for (const text of ['STORE 1 +FLAGS (\\Deleted)', 'EXPUNGE', 'UID EXPUNGE 1', 'MOVE 1 Sent'])
      await conversation.expect(text, '. NO [READ-ONLY] The mailbox is only examined');
    await conversation.expect('COPY 1 Sent', '. OK [COPYUID …');
    await conversation.expect('CLOSE', '. OK …');
    await conversation.expect(
      'STATUS INBOX (MESSAGES UNSEEN)',
      '* STATUS INBOX (MESSAGES 3 UNSEEN 2)',
      '. OK …',
    );
  });
});

describe('CLOSE and UNSELECT (RFC 9051 §6.4.1, §6.4.2)', () => {
  test('CLOSE expunges and says nothing of it', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await conversation.expect('CLOSE', '. OK Left the mailbox');
    await conversation.expect('CLOSE', '. BAD Select a mailbox first');
    await conversation.expect('STATUS INBOX (MESSAGES)', '* STATUS INBOX (MESSAGES 2)', '. OK …');
  });

  test('UNSELECT does not expunge', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await conversation.expect('UNSELECT', '. OK Left the mailbox');
    await conversation.expect('STATUS INBOX (MESSAGES)', '* STATUS INBOX (MESSAGES 3)', '. OK …');
    await conversation.expect('UNSELECT x', '. BAD …');
  });

  test('CHECK', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.expect('CHECK', '. OK All is kept');
  });
});

describe('QRESYNC (RFC 7162 §3.2.5)', () => {
  async function resync(parameter: string): Promise<readonly string[]> {
    const made = await office(5);
    const first = await Conversation.selected({ office: made });
    await first.run('STORE 2,4 +FLAGS.SILENT (\\Deleted)');
    await first.run('EXPUNGE');
    await first.run('STORE 1 +FLAGS.SILENT (\\Flagged)');
    const conversation = await Conversation.signedIn({ office: made });
    await conversation.run('ENABLE QRESYNC');
    const lines = await conversation.run(`SELECT INBOX (QRESYNC (${parameter}))`);
    return lines.filter((line) => line.includes('VANISHED') || line.includes('FETCH'));
  }

  test('what vanished and what changed', async () => {
    assert.deepEqual(await resync('1767323045 11'), [
      '* VANISHED (EARLIER) 2,4',
      String.raw`* 1 FETCH (UID 1 FLAGS (\Flagged \Seen) MODSEQ (14))`,
    ]);
  });
  test('only among the UIDs that the client knows', async () => {
    assert.deepEqual(await resync('1767323045 11 1:3'), [
      '* VANISHED (EARLIER) 2',
      String.raw`* 1 FETCH (UID 1 FLAGS (\Flagged \Seen) MODSEQ (14))`,
    ]);
  });
  test('with a sequence match', async () => {
    assert.equal((await resync('1767323045 11 1:5 (1,2 1,3)')).length, 2);
  });
  test('nothing where UIDVALIDITY is another', async () => {
    assert.deepEqual(await resync('1 11'), []);
  });
  test('nothing where nothing changed', async () => {
    assert.deepEqual(await resync('1767323045 14'), []);
    assert.deepEqual(await resync('1767323045 9223372036854775807'), []);
  });

  test('needs ENABLE', async () => {
    const conversation = await Conversation.selected({ office: await office() });
    await conversation.expect('SELECT INBOX (QRESYNC (1767323045 1))', '. BAD ENABLE QRESYNC comes first');
    await conversation.expect('FETCH 1 UID', '* 1 FETCH (UID 1)', '. OK …');
  });

  test('VANISHED instead of EXPUNGE, and HIGHESTMODSEQ at the end (§3.2.7, §3.2.10)', async () => {
    const conversation = await Conversation.signedIn({ office: await office(5) });
    await conversation.run('ENABLE QRESYNC');
    await conversation.run('SELECT INBOX');
    await conversation.run('STORE 2,3,5 +FLAGS.SILENT (\\Deleted)');
    await conversation.expect('EXPUNGE', '* VANISHED 2:3,5', '. OK [HIGHESTMODSEQ 13] Expunged');
    await conversation.expect(
      'MOVE 1 Sent',
      '* OK [COPYUID 1767323047 1 1] Moved',
      '* VANISHED 1',
      '. OK [HIGHESTMODSEQ 14] Moved',
    );
  });

  test('UID FETCH with VANISHED, only of what was asked (§3.2.6)', async () => {
    const conversation = await Conversation.signedIn({ office: await office(5) });
    await conversation.run('ENABLE QRESYNC');
    await conversation.run('SELECT INBOX');
    await conversation.run('STORE 2,3,5 +FLAGS.SILENT (\\Deleted)');
    await conversation.run('EXPUNGE');
    await conversation.expect(
      'UID FETCH 3:* (FLAGS) (CHANGEDSINCE 11 VANISHED)',
      '* VANISHED (EARLIER) 3,5',
      '. OK …',
    );
    await conversation.expect(
      'UID FETCH 1:2 (FLAGS) (CHANGEDSINCE 1 VANISHED)',
      '* VANISHED (EARLIER) 2',
      '* 1 FETCH (UID 1 MODSEQ (7) FLAGS (\\Seen))',
      '. OK …',
    );
    await conversation.expect('FETCH 1 (FLAGS) (CHANGEDSINCE 11 VANISHED)', '. BAD …');
  });
});
