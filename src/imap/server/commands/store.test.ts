/** STORE, COPY, MOVE and EXPUNGE: RFC 9051 §6.4.3, §6.4.6 to §6.4.9; RFC 7162 §3.1.3. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Fault } from '../../../base/fault.ts';
import {
  ACCOUNT,
  Conversation,
  ImapOffice,
  letter,
  overriding,
} from '../../../../test/support/imap-conversation.ts';

async function four(): Promise<Conversation> {
  const office = new ImapOffice();
  for (let at = 1; at <= 4; at += 1) await office.deliver(letter(`m${at}`));
  return Conversation.selected({ office });
}

describe('STORE (RFC 9051 §6.4.6)', () => {
  test('replaces, adds, removes; tells the flags as they are then', async () => {
    const conversation = await four();
    const said = (flags: string): string => `* 1 FETCH (UID 1 FLAGS (${flags}))`;
    await conversation.expect(
      'STORE 1 FLAGS (\\Seen \\Flagged)',
      said(String.raw`\Flagged \Seen`),
      '. OK Stored',
    );
    await conversation.expect(
      'STORE 1 +FLAGS \\Answered \\Draft',
      said(String.raw`\Answered \Flagged \Seen \Draft`),
      '. OK …',
    );
    await conversation.expect(
      'STORE 1 -FLAGS (\\seen \\DRAFT)',
      said(String.raw`\Answered \Flagged`),
      '. OK …',
    );
    await conversation.expect('STORE 1 FLAGS ()', said(''), '. OK …');
    await conversation.expect('STORE 1 -FLAGS ()', said(''), '. OK …');
    await conversation.expect('STORE 1 FLAGS (\\Recent \\Seen)', said(String.raw`\Seen`), '. OK …');
  });

  test('keywords: the first spelling stays; comparing is without regard to case', async () => {
    const conversation = await four();
    assert.equal(
      (await conversation.run('STORE 1 +FLAGS ($Forwarded)'))[2],
      '* 1 FETCH (UID 1 FLAGS ($Forwarded))',
    );
    await conversation.expect(
      'STORE 2 +FLAGS ($FORWARDED)',
      '* 2 FETCH (UID 2 FLAGS ($Forwarded))',
      '. OK …',
    );
    await conversation.expect('SEARCH KEYWORD $forwarded', '* SEARCH 1 2', '. OK …');
    await conversation.expect(
      `STORE 1 +FLAGS (${'x'.repeat(101)})`,
      '. NO [LIMIT] A keyword has 100 octets at most',
    );
  });

  test('too many different keywords (limits)', async () => {
    const conversation = await four();
    const names = Array.from({ length: 501 }, (_, at) => `k${at}`);
    await conversation.expect(
      `STORE 1 FLAGS (${names.join(' ')})`,
      '. NO [LIMIT] There are too many keywords',
    );
    assert.equal(
      (await conversation.run(`STORE 1 FLAGS.SILENT (${names.slice(1).join(' ')})`)).at(-1),
      '. OK Stored',
    );
    await conversation.expect('STORE 1 +FLAGS (one-more)', '. NO [LIMIT] …');
  });

  test('PERMANENTFLAGS says \\* as long as there is room for another keyword (RFC 9051 §7.1)', async () => {
    const conversation = await four();
    const permanent = (lines: readonly string[]): string | undefined =>
      lines.findLast((line) => line.includes('[PERMANENTFLAGS'));
    const names = Array.from({ length: 499 }, (_, at) => `k${at}`);
    const told = permanent(await conversation.run(`STORE 1 FLAGS (${names.join(' ')})`));
    assert.match(told ?? '', / \\\*\)\]/);
    const full = permanent(await conversation.run('STORE 2 FLAGS (last)'));
    assert.match(full ?? '', / last\)\]/);
    assert.match(permanent(await conversation.run('SELECT INBOX')) ?? '', / last\)\]/);
    await conversation.expect(
      'STORE 3 FLAGS (LAST \\Seen)',
      '* 3 FETCH (UID 3 FLAGS (\\Seen last))',
      '. OK …',
    );
    await conversation.expect('STORE 3 +FLAGS (another)', '. NO [LIMIT] …');
    assert.match(permanent(await conversation.run('EXAMINE INBOX')) ?? '', /\[PERMANENTFLAGS \(\)\]/);
  });

  test('keywords that are registered are spelled as they are (RFC 9051 §2.3.2)', async () => {
    const conversation = await four();
    const spelled = '$Forwarded $Important $MDNSent $NotJunk $Phishing $SubmitPending $Submitted';
    const lines = await conversation.run(`STORE 1 FLAGS (${spelled.toUpperCase()})`);
    assert.equal(lines.at(-2), `* 1 FETCH (UID 1 FLAGS (${spelled}))`);
    await conversation.expect('SEARCH KEYWORD $mdnSENT', '* SEARCH 1', '. OK …');
    await conversation.expect('STORE 1 -FLAGS.SILENT ($FORWARDED)', '. OK …');
    await conversation.expect('SEARCH KEYWORD $Forwarded', '* SEARCH', '. OK …');
  });

  test('$Junk and $NotJunk exclude each other, and SILENT hides it from nobody (RFC 9051 §2.3.2)', async () => {
    const conversation = await four();
    const flags = async (command: string): Promise<string | undefined> =>
      (await conversation.run(command)).findLast((line) => line.startsWith('* 1 FETCH'));
    assert.equal(await flags('STORE 1 +FLAGS ($junk work)'), '* 1 FETCH (UID 1 FLAGS ($Junk work))');
    assert.equal(await flags('STORE 1 +FLAGS.SILENT ($NOTJUNK)'), '* 1 FETCH (UID 1 FLAGS ($NotJunk work))');
    assert.equal(await flags('STORE 1 FLAGS.SILENT ($Junk $NotJunk)'), '* 1 FETCH (UID 1 FLAGS ())');
    assert.equal(await flags('STORE 1 +FLAGS.SILENT ($Junk)'), '* 1 FETCH (UID 1 FLAGS ($Junk))');
    assert.equal(await flags('STORE 1 -FLAGS.SILENT ($Junk $NotJunk)'), undefined);
    await conversation.run('APPEND INBOX ($Junk $NotJunk $phishing) {3+}\r\nx\r\n');
    await conversation.expect('FETCH 5 FLAGS', '* 5 FETCH (FLAGS ($Phishing))', '. OK …');
  });

  test('\\Recent is never there, and nobody minds that it is asked for (RFC 9051 Appendix E, RFC 3501 §2.3.2)', async () => {
    const conversation = await four();
    await conversation.expect('STORE 1 +FLAGS (\\Recent)', '* 1 FETCH (UID 1 FLAGS ())', '. OK …');
    for (const [key, found] of [
      ['RECENT', ''],
      ['NEW', ''],
      ['OLD', ' 1 2 3 4'],
    ])
      await conversation.expect(`SEARCH ${key}`, `* SEARCH${found}`, '. OK …');
    await conversation.expect('STATUS INBOX (RECENT)', '* STATUS INBOX (RECENT 0)', '. OK …');
  });

  test('SILENT says nothing, and NOOP does not either', async () => {
    const conversation = await four();
    await conversation.expect('STORE 1:4 +FLAGS.SILENT (\\Seen)', '. OK Stored');
    await conversation.expect('NOOP', '. OK …');
    await conversation.expect('UID STORE 99 +FLAGS (\\Seen)', '. OK Stored');
    await conversation.expect(
      'UID STORE * FLAGS (\\Flagged)',
      String.raw`* 4 FETCH (UID 4 FLAGS (\Flagged))`,
      '. OK …',
    );
  });

  test('UNCHANGEDSINCE (RFC 7162 §3.1.3)', async () => {
    const conversation = await four();
    await conversation.run('STORE 2 +FLAGS.SILENT (\\Seen)');
    await conversation.expect(
      'STORE 1:3 (UNCHANGEDSINCE 10) +FLAGS.SILENT (\\Flagged)',
      '* 1 FETCH (UID 1 MODSEQ (12))',
      '* 3 FETCH (UID 3 MODSEQ (12))',
      '. OK [MODIFIED 2] Some were changed by others',
    );
    await conversation.expect(
      'UID STORE 1,4 (UNCHANGEDSINCE 11) FLAGS (\\Seen)',
      String.raw`* 4 FETCH (UID 4 FLAGS (\Seen) MODSEQ (13))`,
      '. OK [MODIFIED 1] …',
    );
    await conversation.expect('STORE 1 (UNCHANGEDSINCE 0) FLAGS ()', '. OK [MODIFIED 1] …');
  });

  for (const text of [
    'STORE',
    'STORE 1',
    'STORE 1 FLAGS',
    'STORE 1 FOO (\\Seen)',
    'STORE 1 FLAGS (\\Foo)',
    'STORE 1 FLAGS (\\Seen',
    'STORE 9 FLAGS ()',
    'STORE 1 (FOO 1) FLAGS ()',
  ])
    test(`malformed: ${text}`, async () => {
      await (await four()).expect(text, '. BAD …');
    });
});

describe('EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9)', () => {
  test('only what is \\Deleted, and of that only what is named', async () => {
    const conversation = await four();
    await conversation.expect('EXPUNGE', '. OK Expunged');
    await conversation.run('STORE 1,2,4 +FLAGS.SILENT (\\Deleted)');
    await conversation.expect('UID EXPUNGE 2:3', '* 2 EXPUNGE', '. OK Expunged');
    await conversation.expect('EXPUNGE', '* 3 EXPUNGE', '* 1 EXPUNGE', '. OK Expunged');
    await conversation.expect('UID EXPUNGE', '. BAD …');
    await conversation.expect('EXPUNGE 1', '. BAD …');
  });

  test('many at once', async () => {
    const office = new ImapOffice();
    for (let at = 1; at <= 300; at += 1)
      await office.deliver(letter(`m${at}`), { flags: at % 3 === 0 ? 0 : 16 });
    const conversation = await Conversation.selected({ office });
    const lines = await conversation.run('EXPUNGE');
    const left = Array.from({ length: 300 }, (_, at) => at + 1);
    for (const line of lines.slice(0, -1)) left.splice(Number(/^\* (\d+) EXPUNGE$/.exec(line)?.[1]) - 1, 1);
    assert.equal(lines.length, 201);
    assert.deepEqual(
      left,
      Array.from({ length: 100 }, (_, at) => at * 3 + 3),
    );
    const told = (await conversation.run('FETCH 1:* UID'))
      .slice(0, -1)
      .map((line) => Number(/UID (\d+)/.exec(line)?.[1]));
    assert.deepEqual(told, left);
  });
});

describe('COPY (RFC 9051 §6.4.7)', () => {
  test('flags come along, UIDs correspond', async () => {
    const conversation = await four();
    await conversation.run('STORE 2 +FLAGS.SILENT (\\Flagged $Work)');
    await conversation.expect('COPY 2:3 Sent', '. OK [COPYUID 1767323047 2:3 1:2] Copied');
    await conversation.expect('UID COPY 4,1 Sent', '. OK [COPYUID 1767323047 1,4 3:4] Copied');
    await conversation.run('SELECT Sent');
    await conversation.expect(
      'FETCH 1 (UID FLAGS)',
      String.raw`* 1 FETCH (UID 1 FLAGS (\Flagged $Work))`,
      '. OK …',
    );
  });

  test('into the same mailbox', async () => {
    const conversation = await four();
    await conversation.expect('COPY 1 INBOX', '* 5 EXISTS', '. OK [COPYUID 1767323045 1 5] Copied');
  });

  test('nothing, and nowhere', async () => {
    const conversation = await four();
    await conversation.expect('COPY 1 nope', '. NO [TRYCREATE] No such mailbox');
    await conversation.expect('UID COPY 99 Sent', '. OK There was nothing to do');
    await conversation.expect('COPY 9 Sent', '. BAD …');
    await conversation.expect('COPY 1', '. BAD …');
    await conversation.expect('COPY $ Sent', '. OK There was nothing to do');
  });

  test('over quota: a second copy in the same mailbox needs room', async () => {
    const conversation = await four();
    const { octetsUsed } = await conversation.office.store.quota(ACCOUNT);
    await conversation.office.store.setQuota(ACCOUNT, octetsUsed + 10);
    await conversation.expect('COPY 1 INBOX', '. NO [OVERQUOTA] Only 10 octets are left');
    await conversation.expect('COPY 1 Sent', '. OK …');
  });
});

describe('MOVE (RFC 9051 §6.4.8, RFC 6851)', () => {
  test('COPYUID, then the expunges, then OK', async () => {
    const conversation = await four();
    await conversation.expect(
      'MOVE 2:3 Trash',
      '* OK [COPYUID 1767323049 2:3 1:2] Moved',
      '* 3 EXPUNGE',
      '* 2 EXPUNGE',
      '. OK Moved',
    );
    await conversation.expect(
      'UID MOVE 4 Trash',
      '* OK [COPYUID 1767323049 4 3] Moved',
      '* 2 EXPUNGE',
      '. OK Moved',
    );
    await conversation.expect('UID MOVE 4 Trash', '. OK There was nothing to do');
    await conversation.expect('MOVE 1 nope', '. NO [TRYCREATE] …');
  });

  test('within one mailbox a message gets a new UID', async () => {
    const conversation = await four();
    await conversation.expect(
      'MOVE 1 INBOX',
      '* OK [COPYUID 1767323045 1 5] Moved',
      '* 1 EXPUNGE',
      '* 4 EXISTS',
      '. OK …',
    );
    await conversation.expect('FETCH 4 UID', '* 4 FETCH (UID 5)', '. OK …');
  });
});

describe('what was done stays done, though the disk cannot be read after it', () => {
  for (const command of ['UID MOVE 1 Archive', 'UID EXPUNGE 1'])
    test(command, async () => {
      let isBroken = false;
      const office = new ImapOffice({
        store: (store) =>
          overriding(store, {
            mailbox: (account, id) =>
              isBroken ? Promise.reject(new Fault('Reading mail')) : store.mailbox(account, id),
          }),
      });
      await office.deliver(letter('m1'));
      const conversation = await Conversation.selected({ office });
      await conversation.run('ENABLE CONDSTORE');
      await conversation.run('UID STORE 1 +FLAGS (\\Deleted)');
      isBroken = true;
      const replies = await conversation.run(command);
      assert.match(replies.at(-1) ?? '', /^\. OK /);
      assert(replies.includes('* 1 EXPUNGE'));
      assert(office.eventNames().includes('imap.fault'));
    });
});
