/** REPLACE and UID REPLACE: RFC 8508. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ACCOUNT,
  Conversation,
  ImapOffice,
  letter,
  overriding,
} from '../../../test/support/imap-conversation.ts';
import { Fault } from '../../base/fault.ts';
import { FLAG } from '../../store/mail-store.ts';

async function three(): Promise<ImapOffice> {
  const office = new ImapOffice();
  for (const name of ['one', 'two', 'three']) await office.deliver(letter(name), { flags: FLAG.flagged });
  return office;
}

const MESSAGE = 'Subject: new\r\n\r\nx\r\n';
const LITERAL = `{${MESSAGE.length}+}\r\n${MESSAGE}`;
const THERE = '* OK [APPENDUID 1767323045 4] The replacement is there';
const DONE = '. OK Replaced';

describe('one message takes the place of another', () => {
  test('by number: APPENDUID comes before the EXPUNGE (RFC 8508 §3.2, §4.3)', async () => {
    const conversation = await Conversation.selected({ office: await three() });
    assert.equal(
      await conversation.say(`a REPLACE 2 INBOX (\\Seen \\Draft) {${MESSAGE.length}}\r\n`),
      '+ OK\r\n',
    );
    assert.equal(
      await conversation.say(`${MESSAGE}\r\n`),
      `${THERE}\r\n* 2 EXPUNGE\r\n* 3 EXISTS\r\na OK Replaced\r\n`,
    );
    // RFC 8508 §1: nothing is inherited.
    await conversation.expect(
      'FETCH 1:* (UID FLAGS)',
      String.raw`* 1 FETCH (UID 1 FLAGS (\Flagged))`,
      String.raw`* 2 FETCH (UID 3 FLAGS (\Flagged))`,
      String.raw`* 3 FETCH (UID 4 FLAGS (\Seen \Draft))`,
      '. OK …',
    );
    await conversation.expect(
      'FETCH 3 BODY.PEEK[HEADER]',
      '* 3 FETCH (BODY[HEADER] {…',
      'Subject: new',
      '',
      ')',
      '. OK …',
    );
  });

  test('by UID, and the last by * (RFC 8508 §3.3, §5)', async () => {
    const conversation = await Conversation.selected({ office: await three() });
    await conversation.expect(`UID REPLACE 1 INBOX ${LITERAL}`, THERE, '* 1 EXPUNGE', '* 3 EXISTS', DONE);
    const next = THERE.replace(' 4]', ' 5]');
    await conversation.expect(`REPLACE * INBOX ${LITERAL}`, next, '* 3 EXPUNGE', '* 3 EXISTS', DONE);
  });

  test('in another mailbox: only the EXPUNGE is heard here (RFC 8508 §3.4)', async () => {
    const conversation = await Conversation.selected({ office: await three() });
    const there = /^\* OK \[APPENDUID \d+ 1\] The replacement is there$/;
    const lines = await conversation.run(`REPLACE 1 Sent (\\Seen) ${LITERAL}`);
    assert.match(lines[0] ?? '', there);
    assert.deepEqual(lines.slice(1), ['* 1 EXPUNGE', DONE]);
    await conversation.expect(
      'STATUS Sent (MESSAGES UNSEEN)',
      '* STATUS Sent (MESSAGES 1 UNSEEN 0)',
      '. OK …',
    );
  });

  test('the replacement is another EMAILID (RFC 8508 §4.6)', async () => {
    const conversation = await Conversation.selected({ office: await three() });
    const [before] = await conversation.run('FETCH 1 EMAILID');
    await conversation.run(`REPLACE 1 INBOX ${LITERAL}`);
    const [after] = await conversation.run('FETCH 3 EMAILID');
    const id = /EMAILID \((\w+)\)/;
    assert.notEqual(id.exec(before ?? '')?.[1], id.exec(after ?? '')?.[1]);
  });

  test('VANISHED and HIGHESTMODSEQ as after an expunge (RFC 8508 §4.5, RFC 7162 §3.2.9)', async () => {
    const conversation = await Conversation.selected({ office: await three() });
    await conversation.run('ENABLE QRESYNC');
    const lines = await conversation.run(`UID REPLACE 2 INBOX ${LITERAL}`);
    assert.deepEqual(lines.slice(0, 3), [THERE, '* VANISHED 2', '* 3 EXISTS']);
    const [, modSeq] = /^\. OK \[HIGHESTMODSEQ (\d+)\] Replaced$/.exec(lines.at(-1) ?? '') ?? [];
    await conversation.expect(
      'STATUS INBOX (HIGHESTMODSEQ)',
      `* STATUS INBOX (HIGHESTMODSEQ ${modSeq})`,
      '. OK …',
    );
  });

  test('a literal8 and UTF8 (RFC 3516, RFC 6855 §4)', async () => {
    const conversation = await Conversation.selected({ office: await three() });
    await conversation.run('ENABLE UTF8=ACCEPT');
    await conversation.expect('REPLACE 1 INBOX ~{3+}\r\na\0b', THERE, '* 1 EXPUNGE', '* 3 EXISTS', DONE);
    const next = THERE.replace(' 4]', ' 5]');
    await conversation.expect('REPLACE 1 INBOX UTF8 (~{1+}\r\nx)', next, '* 1 EXPUNGE', '* 3 EXISTS', DONE);
  });
});

describe('several sessions', () => {
  test('others hear that one went and one came', async () => {
    const office = await three();
    const [conversation, plain, qresync] = [
      await Conversation.selected({ office }),
      await Conversation.selected({ office }),
      await Conversation.signedIn({ office }),
    ];
    await qresync.run('ENABLE QRESYNC');
    await qresync.run('SELECT INBOX');
    await plain.say('i IDLE\r\n');
    await conversation.run(`REPLACE 2 INBOX ${LITERAL}`);
    assert.equal(await plain.hear(), '* 2 EXPUNGE\r\n* 3 EXISTS\r\n');
    await qresync.expect('NOOP', '* VANISHED 2', '* 3 EXISTS', '. OK …');
  });

  test('a message that another session took away meanwhile: nothing comes (RFC 5530 §3)', async () => {
    const office = await three();
    const conversation = await Conversation.selected({ office });
    const other = await Conversation.selected({ office });
    await conversation.say(`a REPLACE 2 INBOX {${MESSAGE.length}}\r\n`);
    await other.run('UID STORE 2 +FLAGS.SILENT (\\Deleted)');
    await other.run('UID EXPUNGE 2');
    assert.equal(
      await conversation.say(`${MESSAGE}\r\n`),
      '* 2 EXPUNGE\r\na NO [EXPUNGEISSUED] That message is gone\r\n',
    );
    await conversation.expect('SEARCH ALL', '* SEARCH 1 2', '. OK …');
  });

  test('the number is that of the moment of the command', async () => {
    const office = await three();
    const conversation = await Conversation.selected({ office });
    const other = await Conversation.selected({ office });
    await other.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await other.run('EXPUNGE');
    await conversation.expect(
      `REPLACE 2 INBOX ${LITERAL}`,
      THERE,
      '* 2 EXPUNGE',
      '* 1 EXPUNGE',
      '* 2 EXISTS',
      DONE,
    );
    await conversation.expect('UID SEARCH ALL', '* SEARCH 3 4', '. OK …');
  });
});

test('a session that asked for news hears both without a command (RFC 5465)', async () => {
  const office = await three();
  const watcher = await Conversation.selected({ office });
  await watcher.run('NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))');
  const conversation = await Conversation.selected({ office });
  await conversation.run(`REPLACE 2 INBOX (\\Draft) ${LITERAL}`);
  assert.equal(await watcher.hear(), '* 2 EXPUNGE\r\n* 3 EXISTS\r\n* 3 FETCH (UID 4 FLAGS (\\Draft))\r\n');
});

describe('what is refused changes nothing', () => {
  const bad: readonly (readonly [string, string, string])[] = [
    [
      'a number above the last (RFC 8508 §3.2)',
      `REPLACE 4 INBOX ${LITERAL}`,
      '. BAD There are only 3 messages',
    ],
    [
      'a UID that is not there (RFC 8508 §3.2)',
      `UID REPLACE 9 INBOX ${LITERAL}`,
      '. NO There is no such message',
    ],
    ['no such mailbox (RFC 8508 §3.4)', `REPLACE 1 Nowhere ${LITERAL}`, '. NO [TRYCREATE] …'],
    [
      'several messages (RFC 8508 §4.7)',
      `REPLACE 1 INBOX {1+}\r\na {1+}\r\nb`,
      '. BAD REPLACE takes one message',
    ],
    ['garbage behind the message', `REPLACE 1 INBOX {1+}\r\na b`, '. BAD …'],
    ['an empty message', 'REPLACE 1 INBOX {0+}\r\n', '. NO [CANNOT] …'],
    ['too large a message (RFC 7889)', `REPLACE 1 INBOX {1000001}`, '. NO [TOOBIG] …'],
    ['too long a keyword', `REPLACE 1 INBOX (${'k'.repeat(101)}) ${LITERAL}`, '. NO [LIMIT] …'],
  ];
  for (const [what, command, want] of bad) {
    test(what, async () => {
      const conversation = await Conversation.selected({ office: await three() });
      await conversation.expect(command, want);
      await conversation.expect('UID SEARCH ALL', '* SEARCH 1 2 3', '. OK …');
      await conversation.expect('NOOP', '. OK …');
    });
  }

  test('without a selected mailbox (RFC 8508 §3.5)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect(`UID REPLACE 1 INBOX ${LITERAL}`, '. BAD Select a mailbox first');
    const stranger = new Conversation();
    await stranger.hear();
    await stranger.expect(`REPLACE 1 INBOX ${LITERAL}`, '. BAD Sign in first');
  });

  test('in a mailbox that is only examined, and in an empty one', async () => {
    const conversation = await Conversation.signedIn({ office: await three() });
    await conversation.run('EXAMINE INBOX');
    await conversation.expect(`REPLACE 1 INBOX ${LITERAL}`, '. NO [READ-ONLY] …');
    await conversation.run('SELECT Sent');
    await conversation.expect(`REPLACE * INBOX ${LITERAL}`, '. BAD …');
  });

  test('only the net counts for the quota (RFC 8508 §3.4)', async () => {
    const office = await three();
    const { octetsUsed } = await office.store.quota(ACCOUNT);
    await office.store.setQuota(ACCOUNT, octetsUsed);
    const conversation = await Conversation.selected({ office });
    const size = Number(
      /RFC822.SIZE (\d+)/.exec((await conversation.run('FETCH 1 RFC822.SIZE')).join())?.[1],
    );
    const refused = `. NO [OVERQUOTA] Only ${size} octets are left`;
    await conversation.expect(`REPLACE 1 INBOX {${size + 1}}`, refused);
    await conversation.expect(
      `REPLACE 1 INBOX {${size}+}\r\n${'x'.repeat(size)}`,
      THERE,
      '* 1 EXPUNGE',
      '* 3 EXISTS',
      DONE,
    );
  });

  test('what is in another mailbox too frees nothing, and the store says so', async () => {
    const office = await three();
    const conversation = await Conversation.selected({ office });
    await conversation.run('COPY 1 Sent');
    await office.store.setQuota(ACCOUNT, (await office.store.quota(ACCOUNT)).octetsUsed);
    await conversation.expect(`REPLACE 1 INBOX {1+}\r\nx`, '. NO [OVERQUOTA] Only 0 octets are left');
    await conversation.expect('UID SEARCH ALL', '* SEARCH 1 2 3', '. OK …');
  });

  test('when the disk fails the message stays', async () => {
    const office = new ImapOffice({
      store: (store) =>
        overriding(store, { replace: () => Promise.reject(new Fault('Replacing', new Error('full'))) }),
    });
    await office.deliver(letter('one'));
    const conversation = await Conversation.selected({ office });
    await conversation.expect(`REPLACE 1 INBOX ${LITERAL}`, '. NO [UNAVAILABLE] …');
    assert.ok(office.events.some((event) => event.name === 'imap.fault' && event.verb === 'REPLACE'));
    await conversation.expect('SEARCH ALL', '* SEARCH 1', '. OK …');
  });
});
