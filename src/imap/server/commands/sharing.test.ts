/** Mailboxes of others in every command: RFC 4314 §4, §5; RFC 2342 §5; RFC 8440. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../../base/limits.ts';
import { known, toMailboxId } from '../../../store/ids.ts';
import {
  ACCOUNT,
  ImapOffice,
  letter,
  linesOf,
  OTHER_ACCOUNT as BOB,
  Conversation,
} from '../../../../test/support/imap-conversation.ts';
import { ALICE, share, twoUsers, type TwoUsers } from '../../../../test/support/imap-sharing.ts';

const INBOX = `"${ALICE}/INBOX"`;
const NO_MAILBOX = '. NO [NONEXISTENT] No such mailbox';

/** Three messages in alice's inbox, which bob has selected. */
async function selectedByBob(rights: string): Promise<TwoUsers> {
  const users = await twoUsers();
  for (const at of [1, 2, 3]) await users.office.deliver(letter(`m${at}`));
  await share(users, rights, 'INBOX');
  await users.bob.run(`SELECT ${INBOX}`);
  return users;
}

async function octetsOfBob({ office }: TwoUsers): Promise<number> {
  return (await office.store.quota(BOB)).octetsUsed;
}

describe('SELECT of a mailbox of others (RFC 4314 §4, §5)', () => {
  for (const [rights, verb, code, flags] of [
    ['r', 'SELECT', 'READ-ONLY', ''],
    ['lrkxap', 'SELECT', 'READ-ONLY', ''],
    ['rs', 'SELECT', 'READ-WRITE', String.raw`\Seen`],
    ['rt', 'SELECT', 'READ-WRITE', String.raw`\Deleted`],
    ['ri', 'SELECT', 'READ-WRITE', ''],
    ['re', 'SELECT', 'READ-WRITE', ''],
    ['rw', 'SELECT', 'READ-WRITE', String.raw`\Answered \Flagged \Draft \*`],
    ['rwst', 'SELECT', 'READ-WRITE', String.raw`\Answered \Flagged \Deleted \Seen \Draft \*`],
    ['rwste', 'EXAMINE', 'READ-ONLY', ''],
  ] as const)
    test(`${verb} with ${rights}: ${code}, and what may be changed`, async () => {
      const users = await twoUsers();
      await share(users, rights, 'INBOX');
      const lines = await users.bob.run(`${verb} ${INBOX}`);
      assert.equal(lines[1]?.replace(/\)\] .*/, ''), `* OK [PERMANENTFLAGS (${flags}`);
      assert.match(lines.at(-1) ?? '', new RegExp(`^\\. OK \\[${code}\\]`));
    });

  test('without r it is refused; without l, too, as if it were not there', async () => {
    const users = await twoUsers();
    await share(users, 'lswite', 'INBOX');
    await users.bob.expect(`SELECT ${INBOX}`, '. NO [NOPERM] …');
    await share(users, 'swite', 'INBOX');
    for (const name of [INBOX, `"${ALICE}/nowhere"`, '"Other Users/nobody@example.test/INBOX"'])
      await users.bob.expect(`SELECT ${name}`, NO_MAILBOX);
  });

  test('in any form of its name; LIST tells the one that is ours (RFC 9051 §6.3.2)', async () => {
    const users = await twoUsers();
    await share(users, 'lr', 'INBOX');
    await users.bob.run('ENABLE IMAP4rev2');
    const lines = await users.bob.run('SELECT "Other Users/ALICE@example.test/inbox"');
    assert.ok(
      lines.includes(
        `* LIST (\\HasNoChildren) "/" ${INBOX} ("OLDNAME" ("Other Users/ALICE@example.test/inbox"))`,
      ),
      lines.join('\n'),
    );
  });

  test('object ids are not those of the own mailboxes (RFC 8474 §4, §5)', async () => {
    const { bob } = await selectedByBob('lr');
    await bob.expect('FETCH 1 (EMAILID THREADID)', '* 1 FETCH (EMAILID (E7-1) THREADID (T7-1))', '. OK …');
    await bob.expect('SEARCH EMAILID E7-1', '* SEARCH 1', '. OK …');
    await bob.expect('SEARCH THREADID T7-1', '* SEARCH 1', '. OK …');
    await bob.expect('SEARCH EMAILID E7', '* SEARCH', '. OK …');
    await bob.expect(`STATUS ${INBOX} (MAILBOXID)`, `* STATUS ${INBOX} (MAILBOXID (M1-1))`, '. OK …');
    await bob.expect('STATUS INBOX (MAILBOXID)', '* STATUS INBOX (MAILBOXID (M1))', '. OK …');
  });
});

describe('reading, and several sessions', () => {
  test('FETCH sets \\Seen only with s (RFC 4314 §4)', async () => {
    const users = await selectedByBob('lr');
    const { bob, alice } = users;
    await bob.expect(
      'FETCH 1 BODY[HEADER.FIELDS (TO)]',
      '* 1 FETCH …',
      'To: Bob <bob@example.net>',
      '',
      ')',
      '. OK …',
    );
    await alice.run('SELECT INBOX');
    await alice.expect('FETCH 1 FLAGS', '* 1 FETCH (FLAGS ())', '. OK …');
    await share(users, 'lrs', 'INBOX');
    const lines = await bob.run('FETCH 1 BODY[HEADER.FIELDS (TO)]');
    assert.equal(lines[3], String.raw` FLAGS (\Seen))`);
    await alice.expect('NOOP', String.raw`* 1 FETCH (UID 1 FLAGS (\Seen))`, '. OK …');
  });

  test('each is told what the other did, in IDLE too (RFC 2177)', async () => {
    const { office, alice, bob } = await selectedByBob('lrswite');
    await alice.run('SELECT INBOX');
    assert.match(await bob.say('i IDLE\r\n'), /^\+ /);
    await office.deliver(letter('new'));
    assert.deepEqual(linesOf(await bob.hear()), ['* 4 EXISTS']);
    await alice.run('STORE 2 +FLAGS (\\Flagged)');
    assert.deepEqual(linesOf(await bob.hear()), [String.raw`* 2 FETCH (UID 2 FLAGS (\Flagged))`]);
    assert.match(await bob.say('DONE\r\n'), /^i OK/);
    assert.match(await alice.say('i IDLE\r\n'), /\+ /);
    await bob.run('STORE 3 +FLAGS.SILENT (\\Deleted)');
    await bob.run('EXPUNGE');
    assert.deepEqual(linesOf(await alice.hear()).slice(-1), ['* 3 EXPUNGE']);
  });

  test('what is sorted, threaded and searched is the selected mailbox', async () => {
    const { bob } = await selectedByBob('lr');
    await bob.expect('SEARCH SUBJECT m2', '* SEARCH 2', '. OK …');
    await bob.expect('SORT (REVERSE SUBJECT) UTF-8 ALL', '* SORT 3 2 1', '. OK …');
    await bob.expect('THREAD ORDEREDSUBJECT UTF-8 1:2', '* THREAD (1)(2)', '. OK …');
  });
});

describe('who loses r is let go, and told nothing more of what is selected (RFC 4314 §5.1.1)', () => {
  const BYE = '* BYE You may not read the selected mailbox any more';

  for (const command of [
    'FETCH 1 ENVELOPE',
    'UID FETCH 1 BODY[]',
    'SEARCH TEXT hello',
    'SORT (DATE) UTF-8 ALL',
    'THREAD REFERENCES UTF-8 ALL',
    'COPY 1 INBOX',
    'MOVE 1 INBOX',
    'STORE 1 +FLAGS (\\Seen)',
    'EXPUNGE',
  ])
    test(command, async () => {
      const users = await selectedByBob('lrstwe');
      await share(users, 'lstwe', 'INBOX');
      await users.bob.expect(command, BYE, '. NO [NOPERM] …');
      await users.bob.done;
      assert.ok(users.office.events.some((event) => 'reason' in event && event.reason === 'rights'));
      const mailboxes = await users.office.store.mailboxes(ACCOUNT);
      assert.equal(mailboxes.find(({ name }) => name === 'INBOX')?.total, 3);
      assert.equal(await octetsOfBob(users), 0);
    });

  test('with NOOP, and with commands that need no selected mailbox', async () => {
    for (const command of ['NOOP', 'NAMESPACE', 'STATUS INBOX (MESSAGES)']) {
      const users = await selectedByBob('lr');
      await share(users, 'l', 'INBOX');
      await users.office.deliver(letter('secret'));
      const lines = await users.bob.run(command);
      assert.deepEqual(lines.slice(-2, -1), [BYE]);
      assert.ok(!lines.some((line) => line.includes('EXISTS')), lines.join('\n'));
    }
  });

  for (const notify of [false, true])
    test(`while it waits, ${notify ? 'having asked for NOTIFY' : 'in IDLE'}`, async () => {
      const users = await selectedByBob('lr');
      if (notify) await users.bob.run('NOTIFY SET (selected (MessageNew (UID ENVELOPE) MessageExpunge))');
      else await users.bob.say('i IDLE\r\n');
      await share(users, '', 'INBOX');
      await users.office.deliver(letter('secret'));
      assert.deepEqual(linesOf(await users.bob.hear()).slice(0, 1), [BYE]);
      await users.bob.done;
    });

  test('another right that changes is told with the next command', async () => {
    const users = await selectedByBob('lrs');
    await share(users, 'lrt', 'INBOX');
    await users.bob.expect(
      'NOOP',
      '* FLAGS …',
      String.raw`* OK [PERMANENTFLAGS (\Deleted)] These are kept`,
      '. OK …',
    );
  });
});

describe('a right that is taken away while the octets come is gone when they are there', () => {
  test('APPEND', async () => {
    const users = await twoUsers();
    await share(users, 'lri', 'INBOX');
    assert.match(await users.bob.say(`a APPEND ${INBOX} {6}\r\n`), /^\+ /);
    await share(users, 'lr', 'INBOX');
    assert.match(await users.bob.say('A: b\r\n\r\n'), /^a NO \[NOPERM\]/);
    await users.bob.expect(`STATUS ${INBOX} (MESSAGES)`, `* STATUS ${INBOX} (MESSAGES 0)`, '. OK …');
  });

  test('REPLACE', async () => {
    const users = await selectedByBob('lrite');
    assert.match(await users.bob.say(`a REPLACE 1 ${INBOX} {6}\r\n`), /^\+ /);
    await share(users, 'lri', 'INBOX');
    assert.match(await users.bob.say('A: b\r\n\r\n'), /^a NO \[NOPERM\]/m);
    await users.bob.expect('FETCH 1:* UID', ...[1, 2, 3].map((at) => `* ${at} FETCH (UID ${at})`), '. OK …');
  });
});

describe('STORE asks for the right of each flag (RFC 4314 §4)', () => {
  for (const [rights, change, want] of [
    ['s', String.raw`+FLAGS (\Seen \Deleted \Flagged $Work)`, String.raw`\Seen`],
    ['t', String.raw`+FLAGS (\Seen \Deleted \Flagged $Work)`, String.raw`\Deleted`],
    ['w', String.raw`+FLAGS (\Seen \Deleted \Flagged $Work)`, String.raw`\Flagged $Work`],
    ['stw', String.raw`+FLAGS (\Seen \Deleted)`, String.raw`\Deleted \Seen`],
    ['s', String.raw`FLAGS (\Seen \Flagged)`, String.raw`\Seen`],
    ['i', '+FLAGS ()', ''],
  ] as const)
    test(`${change} with ${rights}`, async () => {
      const { bob } = await selectedByBob(`lr${rights}`);
      const lines = await bob.run(`STORE 2 ${change}`);
      assert.ok(lines.includes(`* 2 FETCH (UID 2 FLAGS (${want}))`), lines.join('\n'));
      assert.equal(lines.at(-1), '. OK Stored');
    });

  test('FLAGS leaves those that may not be changed', async () => {
    const { alice, bob } = await selectedByBob('lrs');
    await alice.run('SELECT INBOX');
    await alice.run('STORE 1 FLAGS (\\Flagged \\Deleted \\Seen $Work)');
    await bob.expect(
      'STORE 1 FLAGS ()',
      '* FLAGS …',
      '* OK [PERMANENTFLAGS (\\Seen)] …',
      String.raw`* 1 FETCH (UID 1 FLAGS (\Flagged \Deleted $Work))`,
      '. OK Stored',
    );
  });

  for (const [rights, change] of [
    ['', 'FLAGS ()'],
    ['ie', 'FLAGS (\\Seen)'],
    ['s', '+FLAGS (\\Flagged)'],
    ['w', '-FLAGS (\\Seen \\Deleted)'],
    ['st', '+FLAGS ($Work)'],
  ] as const)
    test(`refused where nothing is left: ${change} with ${rights}`, async () => {
      const { bob } = await selectedByBob(`lr${rights}`);
      await bob.expect(`STORE 1 ${change}`, '. NO [NOPERM] …');
      await bob.expect('FETCH 1 FLAGS', '* 1 FETCH (FLAGS ())', '. OK …');
    });

  test('rights that change meanwhile count at once, and FLAGS are told again (§5.1.1)', async () => {
    const users = await selectedByBob('lrs');
    await share(users, 'lrw', 'INBOX');
    await users.bob.expect(
      'STORE 1 +FLAGS.SILENT (\\Seen)',
      '* FLAGS …',
      String.raw`* OK [PERMANENTFLAGS (\Answered \Flagged \Draft \*)] These are kept`,
      '. NO [NOPERM] …',
    );
    await users.bob.expect('NOOP', '. OK …');
  });
});

describe('EXPUNGE and CLOSE ask for e (RFC 4314 §4)', () => {
  test('EXPUNGE', async () => {
    const users = await selectedByBob('lrt');
    await users.bob.run('STORE 1:2 +FLAGS.SILENT (\\Deleted)');
    await users.bob.expect('EXPUNGE', '. NO [NOPERM] …');
    await users.bob.expect('UID EXPUNGE 1', '. NO [NOPERM] …');
    await share(users, 'lre', 'INBOX');
    const lines = await users.bob.run('UID EXPUNGE 1');
    assert.ok(lines.includes('* 1 EXPUNGE'), lines.join('\n'));
    await users.bob.expect('EXPUNGE', '* 1 EXPUNGE', '. OK …');
  });

  for (const [rights, left] of [
    ['lrt', 3],
    ['lrte', 2],
  ] as const)
    test(`CLOSE with ${rights} leaves ${left}`, async () => {
      const { alice, bob } = await selectedByBob(rights);
      await bob.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
      await bob.expect('CLOSE', '. OK …');
      await alice.expect('STATUS INBOX (MESSAGES)', `* STATUS INBOX (MESSAGES ${left})`, '. OK …');
    });
});

describe('COPY and MOVE inside the mail of one other owner (RFC 4314 §4)', () => {
  for (const verb of ['COPY', 'MOVE'])
    for (const [rights, mayFlag] of [
      ['lrte', false],
      ['lrtes', false],
      ['lrtew', false],
      ['lrtesw', true],
    ] as const)
      test(`${verb} with ${rights} where it is: ${mayFlag ? 'one message' : 'another message, whose flags are its own'}`, async () => {
        const users = await selectedByBob(rights);
        await users.alice.run('SELECT INBOX');
        // Where alice keeps it besides.
        await users.alice.run('COPY 1 Trash');
        await share(users, 'lrswite', 'Archive');
        await users.bob.run(`${verb} 1 "${ALICE}/Archive"`);
        await users.bob.run(`SELECT "${ALICE}/Archive"`);
        await users.bob.run('STORE 1 +FLAGS (\\Flagged \\Seen $Work)');
        await users.alice.run('SELECT Trash');
        const flags = mayFlag ? String.raw`\Flagged \Seen $Work` : '';
        await users.alice.expect('FETCH 1 FLAGS', `* 1 FETCH (FLAGS (${flags}))`, '. OK …');
      });
});

describe('COPY and MOVE between mailboxes of two owners (RFC 4314 §4, RFC 6851 §4.2)', () => {
  test('into the own mail: octets, date and flags are the same, and count here', async () => {
    const users = await selectedByBob('lr');
    const { office, alice, bob } = users;
    await alice.run('SELECT INBOX');
    await alice.run('STORE 2 FLAGS (\\Flagged \\Seen $Work)');
    await bob.run('NOOP');
    const [source = ''] = await bob.run('FETCH 2 (INTERNALDATE RFC822.SIZE FLAGS ENVELOPE)');
    await bob.expect('COPY 2:3 Archive', '. OK [COPYUID …');
    await bob.run('SELECT Archive');
    await bob.expect(
      'FETCH 1 (INTERNALDATE RFC822.SIZE FLAGS ENVELOPE)',
      source.replace('* 2 ', '* 1 '),
      '. OK …',
    );
    const octets = letter('m2').replaceAll('\n', '\r\n').length;
    assert.equal(await octetsOfBob(users), 2 * octets);
    // They are messages of their own from now on.
    await alice.run('STORE 1:* +FLAGS.SILENT (\\Deleted)');
    await alice.run('EXPUNGE');
    const body = await bob.run('FETCH 1 BODY.PEEK[]');
    assert.equal(body.slice(1, -1).join('\r\n'), `${letter('m2').replaceAll('\n', '\r\n')})`);
    assert.equal((await office.store.quota(ACCOUNT)).messagesUsed, 0);
  });

  for (const [rights, want] of [
    ['i', ''],
    ['is', String.raw`\Seen`],
    ['it', String.raw`\Deleted`],
    ['iw', String.raw`\Flagged $Work`],
    ['istw', String.raw`\Flagged \Deleted \Seen $Work`],
  ] as const)
    test(`from the own mail with ${rights}: flags for which there is a right`, async () => {
      const users = await twoUsers();
      const { alice, bob } = users;
      await share(users, rights, 'INBOX');
      await bob.say(`a APPEND INBOX (\\Seen \\Deleted \\Flagged $Work) {3+}\r\na\r\n\r\n`);
      await bob.run('SELECT INBOX');
      await bob.expect(`COPY 1 ${INBOX}`, '. OK Copied');
      await alice.run('SELECT INBOX');
      await alice.expect('FETCH 1 FLAGS', `* 1 FETCH (FLAGS (${want}))`, '. OK …');
    });

  test('moved by several sessions at once, a message arrives once', async () => {
    const users = await selectedByBob('lrte');
    const { office, alice, bob } = users;
    const other = await Conversation.signedIn({ office, user: 'bob' });
    await other.run(`SELECT ${INBOX}`);
    const moves = await Promise.all([bob, other].map((one) => one.run('UID MOVE 1:3 Archive')));
    await alice.run('SELECT INBOX');
    await alice.expect('STATUS INBOX (MESSAGES)', '* STATUS INBOX (MESSAGES 0)', '. OK …');
    await bob.expect('STATUS Archive (MESSAGES)', '* STATUS Archive (MESSAGES 3)', '. OK …');
    // What each was told is what it moved.
    const told = moves.flat().flatMap((line: string) => /\[COPYUID \d+ (\S+) /.exec(line)?.[1] ?? []);
    assert.ok(told.length > 0);
  });

  for (const [rights, want] of [
    ['i', ''],
    ['istw', String.raw`\Flagged \Deleted \Seen $Work`],
  ] as const)
    test(`from one mailbox of an owner to another with ${rights}`, async () => {
      const users = await twoUsers();
      const { alice, bob } = users;
      await share(users, 'lr', 'INBOX');
      await share(users, `lr${rights}`, 'Archive');
      await alice.say(`a APPEND INBOX (\\Seen \\Deleted \\Flagged $Work) {3+}\r\na\r\n\r\n`);
      await bob.run(`SELECT ${INBOX}`);
      await bob.expect(`COPY 1 "${ALICE}/Archive"`, '. OK [COPYUID …');
      await alice.run('SELECT Archive');
      await alice.expect('FETCH 1 FLAGS', `* 1 FETCH (FLAGS (${want}))`, '. OK …');
    });

  test('without i it is refused; where the mailbox is not to be seen, TRYCREATE as for none', async () => {
    const users = await twoUsers();
    const { office, bob } = users;
    await bob.say(`a APPEND INBOX {3+}\r\na\r\n\r\n`);
    await bob.run('SELECT INBOX');
    for (const verb of ['COPY', 'MOVE']) {
      await share(users, 'lr', 'INBOX');
      await bob.expect(`${verb} 1 ${INBOX}`, '. NO [NOPERM] …');
      await share(users, 'r', 'INBOX');
      await bob.expect(`${verb} 1 ${INBOX}`, '. NO [TRYCREATE] No such mailbox');
      await bob.expect(`${verb} 1 "${ALICE}/nowhere"`, '. NO [TRYCREATE] No such mailbox');
    }
    assert.equal((await office.store.quota(ACCOUNT)).messagesUsed, 0);
  });

  test('MOVE removes what it copied', async () => {
    const { alice, bob } = await selectedByBob('lrte');
    await bob.expect('MOVE 1,3 Archive', '* OK [COPYUID …', '* 3 EXPUNGE', '* 1 EXPUNGE', '. OK Moved');
    await alice.run('SELECT INBOX');
    await alice.expect('FETCH 1:* (UID FLAGS)', '* 1 FETCH (UID 2 FLAGS ())', '. OK …');
    await bob.expect(
      'STATUS Archive (MESSAGES DELETED)',
      '* STATUS Archive (MESSAGES 2 DELETED 0)',
      '. OK …',
    );
  });

  for (const rights of ['lrt', 'lre', 'lrswi'])
    test(`MOVE out of a mailbox with ${rights} is refused`, async () => {
      const { bob } = await selectedByBob(rights);
      await bob.expect('MOVE 1 Archive', '. NO [NOPERM] …');
      await bob.expect('STATUS Archive (MESSAGES)', '* STATUS Archive (MESSAGES 0)', '. OK …');
    });

  test('the owner of the target has no room: OVERQUOTA, and nothing is copied or removed', async () => {
    const users = await selectedByBob('lrte');
    const { office, bob } = users;
    await office.store.setQuota(BOB, letter('m1').replaceAll('\n', '\r\n').length * 2);
    await bob.expect('MOVE 1:3 Archive', '. NO [OVERQUOTA] …');
    await bob.expect('COPY 1:3 Archive', '. NO [OVERQUOTA] …');
    assert.equal(await octetsOfBob(users), 0);
    await bob.expect('COPY 1:2 Archive', '. OK [COPYUID …');
    await bob.expect(
      'FETCH 1:* UID',
      '* 1 FETCH (UID 1)',
      '* 2 FETCH (UID 2)',
      '* 3 FETCH (UID 3)',
      '. OK …',
    );
  });

  test('messages that others have expunged are passed over', async () => {
    const { alice, bob } = await selectedByBob('lr');
    await alice.run('SELECT INBOX');
    await alice.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await alice.run('EXPUNGE');
    const lines = await bob.run('COPY 1 Archive');
    assert.match(lines.at(-1) ?? '', /^\. NO \[EXPUNGEISSUED\]/);
  });

  test(`more than ${LIMITS.imapCopyBetweenMessagesMax} at once are refused`, async () => {
    const users = await twoUsers();
    const { office, bob } = users;
    await office.deliver('a: b\n\nx\n');
    const [inbox] = (await office.store.mailboxes(ACCOUNT)).filter(({ role }) => role === 'inbox');
    assert.ok(inbox);
    const [message] = await office.store.messages(
      ACCOUNT,
      inbox.id,
      (await office.store.entries(ACCOUNT, inbox.id, 0, 1)).map(({ uid }) => uid),
    );
    assert.ok(message);
    const { blob, prefix, digest, receivedAtMs } = message;
    const one = { blob, prefix, digest, receivedAtMs, flags: 0, keywords: [] };
    const many = Array.from({ length: LIMITS.imapCopyBetweenMessagesMax }, () => one);
    assert.ok((await office.store.append(ACCOUNT, inbox.id, many)).ok);
    await share(users, 'lr', 'INBOX');
    await bob.run(`SELECT ${INBOX}`);
    await bob.expect('COPY 1:* Archive', '. NO [LIMIT] …');
    const [done] = await bob.run('COPY 2:* Archive');
    assert.match(done ?? '', /^\. OK \[COPYUID/);
  });
});

describe('CATENATE reads what its user may read (RFC 4469 §3)', () => {
  const append = (url: string): string => `APPEND INBOX CATENATE (URL "${url}")`;
  const sent = '/Other%20Users/alice@example.test/Sent/;uid=1';

  test('of others with r', async () => {
    const users = await twoUsers();
    const { office, bob } = users;
    await office.deliver(letter('secret'), { mailbox: 'Sent' });
    for (const rights of ['', 'l', 'lswipkxtea']) {
      await share(users, rights, 'Sent');
      await bob.expect(append(sent), '. NO [BADURL …');
    }
    await share(users, 'r', 'Sent');
    await bob.expect(append(sent), '. OK [APPENDUID …');
    await bob.run('SELECT INBOX');
    await bob.expect('SEARCH SUBJECT secret', '* SEARCH 1', '. OK …');
  });

  test("a path without others is in the own mail, also where the message goes into another's", async () => {
    const users = await twoUsers();
    const { office, bob } = users;
    await office.deliver(letter('secret'), { mailbox: 'Sent' });
    await share(users, 'lri', 'INBOX');
    await bob.expect(`APPEND ${INBOX} CATENATE (URL "/Sent/;uid=1")`, '. NO [BADURL …');
  });

  test('parts of the messages of two owners, which their stores number alike', async () => {
    const users = await twoUsers();
    const { office, bob } = users;
    const parts = (text: string): string =>
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${text}\r\n--b--\r\n`;
    await office.deliver(parts('of alice, and longer'));
    await bob.say(`a APPEND INBOX {${parts('of bob').length}+}\r\n${parts('of bob')}\r\n`);
    await share(users, 'lr', 'INBOX');
    const theirs = '/Other%20Users/alice@example.test/INBOX/;uid=1/;section=1';
    const catenated = `CATENATE (URL "/INBOX/;uid=1/;section=1" TEXT {2+}\r\n,  URL "${theirs}")`;
    await bob.expect(`APPEND Sent ${catenated}`, '. OK [APPENDUID …');
    await bob.run('SELECT Sent');
    await bob.expect(
      'FETCH 1 BODY.PEEK[]',
      '* 1 FETCH (BODY[] {28}',
      'of bob, of alice, and longer)',
      '. OK …',
    );
  });
});

describe('REPLACE asks for t and e here, and i there (RFC 8508 §4.1)', () => {
  for (const [here, there, want] of [
    ['lrt', 'li', 'NO [NOPERM]'],
    ['lre', 'li', 'NO [NOPERM]'],
    ['lrte', 'lr', 'NO [NOPERM]'],
    ['lrte', 'r', 'NO [TRYCREATE]'],
    ['lrte', 'lri', 'OK'],
  ] as const)
    test(`${here} and ${there}: ${want}`, async () => {
      const users = await selectedByBob(here);
      await share(users, there, 'Archive');
      const lines = await users.bob.run(`REPLACE 2 "${ALICE}/Archive" {3+}\r\na\r\n`);
      assert.ok(lines.at(-1)?.startsWith(`. ${want} `), lines.join('\n'));
    });

  test('never into the mail of another', async () => {
    const { bob } = await selectedByBob('lrte');
    await bob.expect('REPLACE 2 INBOX {3+}\r\na\r\n', '. NO [CANNOT] …');
  });
});

describe('CREATE, RENAME and DELETE in the mail of others (RFC 4314 §4)', () => {
  test('CREATE needs k on the nearest mailbox above, and who has rights there has them on the new one', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    await alice.run('CREATE Work');
    await share(users, 'lr', 'Work');
    await bob.expect(`CREATE "${ALICE}/Work/a/b"`, '. NO [NOPERM] …');
    await share(users, 'lrk', 'Work');
    await bob.expect(`CREATE "${ALICE}/Work/a/b"`, '. OK [MAILBOXID (M…');
    await bob.expect(`CREATE "${ALICE}/Work/a/b"`, '. NO [ALREADYEXISTS] …');
    await bob.expect(`MYRIGHTS "${ALICE}/Work/a/b"`, `* MYRIGHTS "${ALICE}/Work/a/b" lrkc`, '. OK …');
    await bob.expect(`CREATE "${ALICE}/top"`, '. NO [NOPERM] …');
    await alice.expect('CREATE Work/c', '. OK …');
    await bob.expect(`MYRIGHTS "${ALICE}/Work/c"`, `* MYRIGHTS "${ALICE}/Work/c" lrkc`, '. OK …');
    await share(users, 'k');
    await bob.expect(`CREATE "${ALICE}/top"`, '. OK …');
    await alice.expect('STATUS top (MESSAGES)', '* STATUS top (MESSAGES 0)', '. OK …');
  });

  test('who shares nothing is not told from who is not here (§6)', async () => {
    const { bob } = await twoUsers();
    const refused = await bob.run(`CREATE "${ALICE}/Work"`);
    assert.match(refused[0] ?? '', /NOPERM/);
    for (const name of ['Other Users', 'Other Users/new', 'Other Users/nobody@example.test/x'])
      assert.deepEqual(await bob.run(`CREATE "${name}"`), refused, name);
  });

  test('uses are for the own mailboxes (RFC 6154 §3)', async () => {
    const users = await twoUsers();
    await users.alice.run('DELETE Archive');
    await share(users, 'lrk');
    await users.bob.expect(`CREATE "${ALICE}/Old" (USE (\\Archive))`, '. NO [USEATTR] …');
  });

  test('RENAME needs x on the mailbox and k above the new name, and changes no rights', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    await alice.run('CREATE Work');
    await alice.run('CREATE Old');
    const command = `RENAME "${ALICE}/Work" "${ALICE}/Old/Work"`;
    await share(users, 'lk', 'Old');
    await bob.expect(command, NO_MAILBOX);
    await share(users, 'lk', 'Work');
    await bob.expect(command, '. NO [NOPERM] …');
    await share(users, 'l', 'Old');
    await share(users, 'lx', 'Work');
    await bob.expect(command, '. NO [NOPERM] …');
    await share(users, 'lk', 'Old');
    await bob.expect(command, '. OK Renamed');
    await bob.expect(`MYRIGHTS "${ALICE}/Old/Work"`, `* MYRIGHTS "${ALICE}/Old/Work" lxc`, '. OK …');
  });

  test('nothing goes from one owner to another by RENAME, and no inbox is emptied', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    await alice.run('CREATE Work');
    await bob.run('CREATE Mine');
    await share(users, 'lrswipkxtea');
    await bob.expect(`RENAME "${ALICE}/Work" Work`, '. NO [CANNOT] …');
    await bob.expect(`RENAME Mine "${ALICE}/Mine"`, '. NO [CANNOT] …');
    await bob.expect('RENAME Mine "Other Users/nobody@example.test/Mine"', '. NO [CANNOT] …');
    await bob.expect(`RENAME ${INBOX} "${ALICE}/Old"`, '. NO [CANNOT] …');
  });

  test('what a new mailbox would inherit beyond the limit refuses it', async () => {
    const users = await twoUsers();
    const { office, alice } = users;
    await alice.run('CREATE Work');
    await share(users, 'lr', 'Work');
    for (let at = 1; at < LIMITS.sharesMax; at += 1) {
      const mailbox = known(toMailboxId(1000 + at));
      const row = { owner: ACCOUNT, mailbox, identifier: 'bob@example.test', rights: 'l' };
      assert.ok((await office.directory.setShare(row)).ok);
    }
    await alice.expect('CREATE Work/a', '. NO [LIMIT] …');
    await alice.expect('STATUS Work/a (MESSAGES)', NO_MAILBOX);
    await alice.expect('CREATE a', '. OK …');
  });

  test('a mailbox of one’s own that stands there from earlier is reached, and can be renamed', async () => {
    const users = await twoUsers();
    const { office, bob } = users;
    assert.ok((await office.store.createMailbox(BOB, { parent: undefined, name: 'Other Users' })).ok);
    await bob.expect('STATUS "Other Users" (MESSAGES)', '* STATUS "Other Users" (MESSAGES 0)', '. OK …');
    await bob.expect('RENAME "Other Users" Others', '. OK Renamed');
    await bob.expect('STATUS "Other Users" (MESSAGES)', NO_MAILBOX);
  });
});

describe('LIST, LSUB and NAMESPACE', () => {
  test('shows what has l, below the namespace and the owner (RFC 2342 §5, RFC 4314 §4)', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    for (const name of ['Work/a', 'Work/b/c', 'Hidden']) await alice.run(`CREATE ${name}`);
    await bob.expect('LIST "" "Other Users*"', '. OK …');
    await share(users, 'lr', 'INBOX');
    await share(users, 'l', 'c');
    await share(users, 'r', 'Hidden');
    const upper = [
      '* LIST (\\Noselect \\HasChildren) "/" "Other Users"',
      `* LIST (\\Noselect \\HasChildren) "/" "${ALICE}"`,
    ];
    const inbox = `* LIST (\\HasNoChildren) "/" ${INBOX}`;
    const deep = `* LIST (\\HasNoChildren) "/" "${ALICE}/Work/b/c"`;
    await bob.expect('LIST "" "Other Users*"', ...upper, inbox, deep, '. OK …');
    await bob.expect('LIST "Other Users/" "*"', upper[1] ?? '', inbox, deep, '. OK …');
    await bob.expect('LIST "" "Other%"', upper[0] ?? '', '. OK …');
    await bob.expect('LIST "" "Other Users/%"', upper[1] ?? '', '. OK …');
    await bob.expect(
      `LIST "" "${ALICE}/%"`,
      `* LIST (\\Noselect \\HasChildren) "/" "${ALICE}/Work"`,
      inbox,
      '. OK …',
    );
    await bob.expect(`LIST "" "${ALICE}/Work/b"`, '. OK …');
    const all = await bob.run('LIST "" *');
    assert.ok(all.includes(inbox) && all.includes('* LIST (\\HasNoChildren) "/" INBOX'), all.join('\n'));
    const owns = await alice.run('LIST "" *');
    assert.ok(!owns.some((line) => line.includes('Other Users')), owns.join('\n'));
  });

  test('children that are not to be seen are none', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    await alice.run('CREATE Work/a/b');
    await share(users, 'l', 'Work');
    await bob.expect(`LIST "" "${ALICE}/Work"`, `* LIST (\\HasNoChildren) "/" "${ALICE}/Work"`, '. OK …');
    await share(users, 'l', 'b');
    await bob.expect(`LIST "" "${ALICE}/Work"`, `* LIST (\\HasChildren) "/" "${ALICE}/Work"`, '. OK …');
  });

  test("what others' mailboxes are for is not shown (docs/sharing.md)", async () => {
    const users = await twoUsers();
    await share(users, 'lr');
    await users.bob.expect(
      `LIST "" "${ALICE}/Sent"`,
      `* LIST (\\HasNoChildren) "/" "${ALICE}/Sent"`,
      '. OK …',
    );
    const uses = await users.bob.run('LIST (SPECIAL-USE) "" *');
    assert.ok(!uses.some((line) => line.includes('Other Users')), uses.join('\n'));
  });

  test('RETURN (MYRIGHTS) for what is there and chosen (RFC 8440 §3, §4)', async () => {
    const users = await twoUsers();
    const { bob } = users;
    await share(users, 'lrs', 'INBOX');
    await bob.run('CREATE Work/a');
    await bob.run('SUBSCRIBE Work/a');
    await bob.expect(
      `LIST "" (INBOX ${INBOX} "${ALICE}") RETURN (MYRIGHTS)`,
      '* LIST (\\HasNoChildren) "/" INBOX',
      '* MYRIGHTS INBOX lrswipkxteacd',
      `* LIST (\\Noselect \\HasChildren) "/" "${ALICE}"`,
      `* LIST (\\HasNoChildren) "/" ${INBOX}`,
      `* MYRIGHTS ${INBOX} lrs`,
      '. OK …',
    );
    await bob.expect(
      'LIST (SUBSCRIBED RECURSIVEMATCH) "" Work RETURN (MYRIGHTS)',
      '* LIST (\\HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))',
      '. OK …',
    );
  });

  test('RETURN (STATUS) only with r (RFC 5819 §2)', async () => {
    const users = await twoUsers();
    await share(users, 'lr', 'INBOX');
    await share(users, 'l', 'Sent');
    await users.bob.expect(
      `LIST "" "${ALICE}/*" RETURN (STATUS (MESSAGES))`,
      `* LIST (\\HasNoChildren) "/" ${INBOX}`,
      `* STATUS ${INBOX} (MESSAGES 0)`,
      `* LIST (\\HasNoChildren) "/" "${ALICE}/Sent"`,
      '. OK …',
    );
  });

  test('subscriptions are the reader’s, whatever they may see (§4)', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    await bob.run('SUBSCRIBE "Other Users/ALICE@example.test/inbox"');
    await bob.expect('LSUB "" "Other*"', `* LSUB (\\Noselect) "/" ${INBOX}`, '. OK …');
    await share(users, 'l', 'INBOX');
    await bob.expect('LSUB "" "Other*"', `* LSUB (\\HasNoChildren) "/" ${INBOX}`, '. OK …');
    await bob.expect(
      'LIST (SUBSCRIBED) "" "Other*"',
      `* LIST (\\HasNoChildren \\Subscribed) "/" ${INBOX}`,
      '. OK …',
    );
    await alice.expect('LSUB "" "Other*"', '. OK …');
    await bob.run(`UNSUBSCRIBE ${INBOX}`);
    await bob.expect('LSUB "" "Other*"', '. OK …');
  });

  test('what is given to a group and to anyone, and taken away by a negative identifier', async () => {
    const users = await twoUsers();
    const { office, alice, bob } = users;
    assert.ok((await office.directory.setAlias('team@example.test', ['bob@example.test', 'x@b.test'])).ok);
    await alice.expect('SETACL INBOX team@example.test lr', '. OK …');
    await alice.expect('SETACL Sent anyone lr', '. OK …');
    await bob.expect(`MYRIGHTS ${INBOX}`, `* MYRIGHTS ${INBOX} lr`, '. OK …');
    await bob.expect(`MYRIGHTS "${ALICE}/Sent"`, `* MYRIGHTS "${ALICE}/Sent" lr`, '. OK …');
    await alice.expect('SETACL Sent -bob@example.test lr', '. OK …');
    await bob.expect(`MYRIGHTS "${ALICE}/Sent"`, NO_MAILBOX);
  });
});

describe('quotas and annotations are those of the owner', () => {
  test('GETQUOTAROOT with r names the root of the owner (RFC 9208 §6)', async () => {
    const users = await twoUsers();
    const { office, bob } = users;
    await office.store.setQuota(ACCOUNT, 102_400);
    const root = `"${ALICE}"`;
    await share(users, 'l', 'INBOX');
    await bob.expect(`GETQUOTAROOT ${INBOX}`, '. NO [NOPERM] …');
    await bob.expect(`GETQUOTA ${root}`, '. NO [NONEXISTENT] …');
    await share(users, 'r', 'INBOX');
    const quota = `* QUOTA ${root} (STORAGE 0 100 MAILBOX 6 10000)`;
    await bob.expect(`GETQUOTAROOT ${INBOX}`, `* QUOTAROOT ${INBOX} ${root}`, quota, '. OK …');
    await bob.expect(`GETQUOTA ${root}`, quota, '. OK …');
    await bob.expect('GETQUOTAROOT "Other Users/nobody@example.test/x"', NO_MAILBOX);
  });

  test('APPEND is refused with the owner’s quota', async () => {
    const users = await twoUsers();
    await users.office.store.setQuota(ACCOUNT, 2);
    await share(users, 'lri', 'INBOX');
    await users.bob.expect(`APPEND ${INBOX} {3+}\r\na\r\n`, '. NO [OVERQUOTA] …');
  });

  test('annotations: l and one of r s w i p; private ones are the reader’s (RFC 5464 §3.3)', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    const get = `GETMETADATA ${INBOX} (/shared/comment /private/comment)`;
    await alice.run('SETMETADATA INBOX (/shared/comment "ours" /private/comment "mine")');
    for (const rights of ['l', 'lkxtea']) {
      await share(users, rights, 'INBOX');
      await bob.expect(get, '. NO [NOPERM] …');
      await bob.expect(`SETMETADATA ${INBOX} (/shared/comment "x")`, '. NO [NOPERM] …');
    }
    await share(users, 'rswip', 'INBOX');
    await bob.expect(get, NO_MAILBOX);
    await share(users, 'lp', 'INBOX');
    await bob.run(`SETMETADATA ${INBOX} (/private/comment "his")`);
    await bob.expect(get, `* METADATA ${INBOX} (/shared/comment "ours" /private/comment "his")`, '. OK …');
    await bob.expect(
      `LIST "" ${INBOX} RETURN (METADATA (/private/comment))`,
      `* LIST (\\HasNoChildren) "/" ${INBOX}`,
      `* METADATA ${INBOX} (/private/comment "his")`,
      '. OK …',
    );
    await alice.expect(
      'GETMETADATA INBOX /private/comment',
      '* METADATA INBOX (/private/comment "mine")',
      '. OK …',
    );
  });
});

test('ACL, RIGHTS=texk and LIST-MYRIGHTS are offered (RFC 4314 §5.1.1, RFC 8440 §8.1)', async () => {
  const { bob } = await twoUsers(new ImapOffice());
  const [line = ''] = await bob.run('CAPABILITY');
  const offered = line.split(' ');
  for (const name of ['ACL', 'RIGHTS=texk', 'LIST-MYRIGHTS', 'NAMESPACE'])
    assert.ok(offered.includes(name), name);
});
