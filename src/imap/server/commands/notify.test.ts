/** NOTIFY: RFC 5465. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ACCOUNT,
  Conversation,
  ImapOffice,
  letter,
  linesOf,
  matchLines,
  OTHER_ACCOUNT,
  overriding,
} from '../../../../test/support/imap-conversation.ts';
import { ALICE, share, twoUsers } from '../../../../test/support/imap-sharing.ts';
import { Fault } from '../../../base/fault.ts';
import { LIMITS } from '../../../base/limits.ts';
import { BlobError } from '../../../store/blob-store.ts';
import { FLAG } from '../../../store/mail-store.ts';

/** What comes without a command. */
async function expectNews(client: Conversation, ...lines: readonly string[]): Promise<void> {
  matchLines(linesOf(await client.hear()), lines, 'news');
}

type Two = { readonly office: ImapOffice; readonly one: Conversation; readonly two: Conversation };

/** Two clients of one account, three messages in its inbox; the first has selected it and asked for news. */
async function watching(request: string, mailbox = 'INBOX'): Promise<Two> {
  const office = new ImapOffice();
  for (const name of ['a', 'b', 'c']) await office.deliver(letter(name));
  const one = await Conversation.selected({ office, mailbox });
  const two = await Conversation.selected({ office });
  assert.match((await one.run(`NOTIFY ${request}`)).at(-1) ?? '', /^\. OK /);
  return { office, one, two };
}

describe('the command (RFC 5465 §3.1, §8)', () => {
  const refused = [
    ['', '. BAD …'],
    ['ALL', '. BAD …'],
    ['SET', '. BAD …'],
    ['SET STATUS', '. BAD …'],
    ['SET ()', '. BAD …'],
    ['SET (personal)', '. BAD …'],
    ['SET (personal ())', '. BAD …'],
    ['SET (personal NONE', '. BAD …'],
    ['SET (somewhere NONE)', '. BAD …'],
    ['SET (subtree NONE)', '. BAD …'],
    ['SET (mailboxes () NONE)', '. BAD …'],
    ['NONE NONE', '. BAD …'],
    // §6.1
    ['SET (selected NONE) (selected-delayed NONE)', '. BAD …'],
    ['SET (selected (MailboxName))', '. BAD …'],
    // §5
    ['SET (personal (MessageNew))', '. BAD …'],
    ['SET (personal (MessageExpunge))', '. BAD …'],
    ['SET (personal (FlagChange))', '. BAD …'],
    ['SET (selected (FlagChange MessageNew))', '. BAD …'],
    // §8: fetch-att is for the selected mailbox.
    ['SET (personal (MessageNew (UID) MessageExpunge))', '. BAD …'],
    ['SET (selected (MessageNew (NONSENSE) MessageExpunge))', '. BAD …'],
    [
      `SET ${'(personal NONE) '.repeat(LIMITS.imapNotifyGroupsMax + 1).trim()}`,
      '. NO [NOTIFICATIONOVERFLOW] …',
    ],
  ] as const;
  for (const [request, answer] of refused)
    test(`NOTIFY ${request.slice(0, 60)} is refused`, async () => {
      const client = await Conversation.selected();
      await client.expect(`NOTIFY ${request}`.trimEnd(), answer);
      await client.expect('NOOP', '. OK …');
    });

  for (const event of ['AnnotationChange', 'Sunrise'])
    test(`${event} is not known here: NO, and what is (§3.1)`, async () => {
      const client = await Conversation.signedIn();
      await client.expect(
        `NOTIFY SET (personal (MessageNew MessageExpunge ${event}))`,
        '. NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)] …',
      );
    });

  test('any case, names of mailboxes that are not there, NONE (§3.1, §8)', async () => {
    const client = await Conversation.signedIn();
    await client.expect(
      'notify set (SUBTREE (nowhere "no where") none) (Inboxes (messagenew MESSAGEEXPUNGE))',
      '. OK …',
    );
    await client.expect('NOTIFY NONE', '. OK …');
  });

  test('it is offered to who is signed in, and needs it', async () => {
    const client = new Conversation();
    await client.hear();
    await client.expect('NOTIFY NONE', '. BAD …');
    const inside = await Conversation.signedIn();
    assert.match((await inside.run('CAPABILITY'))[0] ?? '', / NOTIFY /);
  });

  test('STATUS tells what a client must know beforehand, but of the selected mailbox (§3.1)', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('x'), { mailbox: 'Sent' });
    const client = await Conversation.selected({ office });
    await client.expect(
      'NOTIFY SET STATUS (selected NONE) (mailboxes (INBOX Sent nowhere) (MessageNew MessageExpunge)) (mailboxes Trash (MessageNew MessageExpunge FlagChange)) (mailboxes Junk (MailboxName))',
      '* STATUS Sent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY …',
      '* STATUS Trash (MESSAGES 0 UIDNEXT 1 UIDVALIDITY …',
      '. OK …',
    );
  });

  test('SET tells what has come to the selected mailbox meanwhile: it is a NOOP too (§3.1)', async () => {
    const { office, one, two } = await watching('NONE');
    await office.deliver(letter('d'));
    await two.run('STORE 1 +FLAGS (\\Deleted)');
    await two.run('EXPUNGE');
    await one.expect('NOOP', '. OK …');
    await one.expect('NOTIFY SET (selected NONE)', '* 1 EXPUNGE', '* 3 EXISTS', '. OK …');
  });
});

describe('the selected mailbox (RFC 5465 §5.1 to §5.3, §6.1)', () => {
  test('SELECTED: at once, with what was asked of new messages', async () => {
    const { office, one, two } = await watching(
      'SET (selected (MessageNew (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))',
    );
    await office.deliver(letter('d'), { flags: FLAG.flagged });
    await expectNews(
      one,
      '* 4 EXISTS',
      '* 4 FETCH (UID 4 FLAGS (\\Flagged) BODY[HEADER.FIELDS (SUBJECT)] {14}',
      'Subject: d',
      '',
      ')',
    );
    await two.run('STORE 2 +FLAGS ($Work)');
    await expectNews(
      one,
      '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)',
      '* OK [PERMANENTFLAGS …',
      '* 2 FETCH (UID 2 FLAGS ($Work))',
    );
    await two.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await two.run('EXPUNGE');
    const heard = linesOf(await one.hear());
    assert.equal(heard.at(-1), '* 1 EXPUNGE');
    await one.expect('NOOP', '. OK …');
  });

  test('SELECTED-DELAYED: numbers stay until a command lets them change (§6.1.2)', async () => {
    const { office, one, two } = await watching('SET (selected-delayed (MessageNew MessageExpunge))');
    await two.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await two.run('EXPUNGE');
    await office.deliver(letter('d'));
    await expectNews(one, '* 4 EXISTS');
    await one.expect('FETCH 2 (UID)', '* 2 FETCH (UID 2)', '. OK …');
    await one.expect('NOOP', '* 1 EXPUNGE', '. OK …');
  });

  test('without FlagChange flags are not told of, with a command neither', async () => {
    const { one, two } = await watching('SET (selected (MessageNew MessageExpunge))');
    await two.run('STORE 2 +FLAGS ($Work)');
    await expectNews(one);
    await one.expect('NOOP', '. OK …');
    await one.expect('FETCH 2 (FLAGS)', '* 2 FETCH (FLAGS ($Work))', '. OK …');
  });

  for (const request of [
    'NONE',
    'SET (selected NONE)',
    'SET (personal (MessageNew MessageExpunge FlagChange))',
  ])
    test(`NOTIFY ${request}: nothing of the selected mailbox, not even with NOOP and IDLE (§3.1, §4)`, async () => {
      const { office, one, two } = await watching(request);
      await office.deliver(letter('d'));
      await two.run('STORE 3 +FLAGS (\\Seen)');
      await expectNews(one);
      await one.expect('NOOP', '. OK …');
      await one.say('i IDLE\r\n');
      await office.deliver(letter('e'));
      await expectNews(one);
      assert.match(await one.say('DONE\r\n'), /^i OK /);
    });

  test('what the client does itself adds up, though it hears of nothing', async () => {
    const { one, two, office } = await watching('SET (selected NONE)');
    await two.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await two.run('EXPUNGE');
    await office.deliver(letter('d'));
    await one.expect('STORE 3 +FLAGS.SILENT (\\Deleted)', '. OK …');
    await one.expect('EXPUNGE', '* 3 EXPUNGE', '* 1 EXPUNGE', '* 2 EXISTS', '. OK …');
  });

  test('a message that the client put there is not fetched for it (§5.2)', async () => {
    const { one } = await watching('SET (selected (MessageNew (UID) MessageExpunge))');
    await one.expect('APPEND INBOX {3+}\r\nx\r\n', '* 4 EXISTS', '. OK [APPENDUID …');
    await one.expect('COPY 1 INBOX', '* 5 EXISTS', '. OK [COPYUID …');
  });

  test('IDLE says the same, new messages too (§4)', async () => {
    const { office, one } = await watching('SET (selected (MessageNew (UID) MessageExpunge))');
    await one.say('i IDLE\r\n');
    await office.deliver(letter('d'));
    await expectNews(one, '* 4 EXISTS', '* 4 FETCH (UID 4)');
    assert.match(await one.say('DONE\r\n'), /^i OK /);
  });

  test('it is for whatever mailbox is selected at the time (§3.1)', async () => {
    const { office, one } = await watching('SET (selected (MessageNew (UID) MessageExpunge))', 'Sent');
    await office.deliver(letter('d'));
    await expectNews(one);
    await one.run('SELECT INBOX');
    await office.deliver(letter('e'));
    await expectNews(one, '* 5 EXISTS', '* 5 FETCH (UID 5)');
    await one.run('UNSELECT');
    await office.deliver(letter('f'));
    await expectNews(one);
  });

  test('VANISHED to who enabled QRESYNC (§5.3)', async () => {
    const office = new ImapOffice();
    for (const name of ['a', 'b']) await office.deliver(letter(name));
    const one = await Conversation.signedIn({ office });
    await one.run('ENABLE QRESYNC');
    await one.run('SELECT INBOX');
    await one.run('NOTIFY SET (selected (MessageNew MessageExpunge))');
    const two = await Conversation.selected({ office });
    await two.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await two.run('EXPUNGE');
    await expectNews(one, '* VANISHED 1');
  });

  test('many new messages are fetched, no faster than they are read', async () => {
    const office = new ImapOffice();
    const one = await Conversation.selected({ office, windowOctets: 20_000 });
    await one.run('NOTIFY SET (selected (MessageNew (BODY.PEEK[]) MessageExpunge))');
    const body = `${'x'.repeat(70)}\n`.repeat(400);
    for (let n = 0; n < 10; n += 1) await office.deliver(letter(`m${n}`, '', body));
    const heard = await one.hear();
    assert.equal(heard.match(/ FETCH \(/g)?.length, 10);
  });
});

describe('searches that are kept up to date (RFC 5465 §7)', () => {
  test('UPDATE with items fetches what is new in the result, and only that', async () => {
    const office = new ImapOffice();
    const one = await Conversation.selected({ office });
    await one.expect(
      'SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])) FROM ann',
      '* ESEARCH (TAG "t1") COUNT 0',
      '. OK …',
    );
    await office.deliver(letter('a'));
    await office.deliver(letter('b').replace('Ann <ann@', 'Zoe <zoe@'));
    await one.expect(
      'NOOP',
      '* 2 EXISTS',
      '* ESEARCH (TAG "t1") ADDTO (0 1)',
      '* 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {14}',
      'Subject: a',
      '',
      ')',
      '. OK …',
    );
  });

  test('a message that comes into a result for its flags is not fetched', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('a'));
    const one = await Conversation.selected({ office });
    const two = await Conversation.selected({ office });
    await one.run('UID SEARCH RETURN (UPDATE (ENVELOPE)) FLAGGED');
    await two.run('STORE 1 +FLAGS.SILENT (\\Flagged)');
    await one.expect(
      'NOOP',
      '* 1 FETCH (UID 1 FLAGS (\\Flagged))',
      '* ESEARCH (TAG "t1") UID ADDTO (0 1)',
      '. OK …',
    );
  });

  test('with what NOTIFY asks for it is one FETCH, nothing twice', async () => {
    const office = new ImapOffice();
    const one = await Conversation.selected({ office });
    await one.run('SEARCH RETURN (UPDATE (FLAGS UID)) SUBJECT a');
    await one.run('SEARCH RETURN (UPDATE (RFC822.SIZE)) ALL');
    await one.run('NOTIFY SET (selected (MessageNew (UID) MessageExpunge))');
    await office.deliver(letter('a'));
    await office.deliver(letter('b'));
    const heard = linesOf(await one.hear()).filter((line) => line.includes(' FETCH '));
    matchLines(heard, ['* 1 FETCH (UID 1 FLAGS () RFC822.SIZE …', '* 2 FETCH (UID 2 RFC822.SIZE …'], 'FETCH');
  });

  for (const option of ['UPDATE ()', 'UPDATE (NONSENSE)', 'UPDATE (UID'])
    test(`${option} is BAD`, async () => {
      const one = await Conversation.selected();
      await one.expect(`SEARCH RETURN (${option}) ALL`, '. BAD …');
    });
});

describe('other mailboxes (RFC 5465 §5.1 to §5.3)', () => {
  const MESSAGES = 'SET (personal (MessageNew MessageExpunge))';

  test('a new message, and one that goes', async () => {
    const { office, one, two } = await watching(MESSAGES, 'Sent');
    await office.deliver(letter('d'));
    await expectNews(one, '* STATUS INBOX (MESSAGES 4 UIDNEXT 5)');
    await two.run('STORE 1 +FLAGS (\\Deleted)');
    await expectNews(one);
    await two.run('EXPUNGE');
    await expectNews(one, '* STATUS INBOX (MESSAGES 3 UIDNEXT 5)');
  });

  test('with HIGHESTMODSEQ for who enabled CONDSTORE', async () => {
    const { office, one } = await watching(MESSAGES, 'Sent');
    await one.run('ENABLE CONDSTORE');
    await office.deliver(letter('d'));
    await expectNews(one, '* STATUS INBOX (MESSAGES 4 UIDNEXT 5 HIGHESTMODSEQ …');
  });

  test('FlagChange: what is unseen, and the mod-sequence where it is understood (§5.1)', async () => {
    const { one, two } = await watching('SET (personal (MessageNew MessageExpunge FlagChange))', 'Sent');
    await two.run('STORE 1 +FLAGS (\\Seen)');
    await expectNews(one, '* STATUS INBOX (UNSEEN 2 UIDVALIDITY …');
    await two.run('STORE 1 +FLAGS (\\Flagged)');
    await expectNews(one);
    await one.run('ENABLE CONDSTORE');
    await two.run('STORE 2 +FLAGS (\\Flagged)');
    await expectNews(one, '* STATUS INBOX (UIDVALIDITY …');
  });

  const groups = [
    ['personal', true],
    ['inboxes', true],
    ['subscribed', true],
    ['subtree inbox', true],
    ['mailboxes (Trash "InBox")', true],
    ['subtree (INBOX/x Sent)', false],
    ['mailboxes Sent', false],
    ['mailboxes ("*" "%")', false],
  ] as const;
  for (const [group, hears] of groups)
    test(`${group} ${hears ? 'has' : 'has not'} the inbox in it (§6)`, async () => {
      const { office, one } = await watching(`SET (${group} (MessageNew MessageExpunge))`, 'Drafts');
      await office.deliver(letter('d'));
      await expectNews(one, ...(hears ? ['* STATUS INBOX (MESSAGES 4 UIDNEXT 5)'] : []));
    });

  test('a subtree goes all the way down; what is subscribed to is looked at again (§6.4, §6.5)', async () => {
    const office = new ImapOffice();
    const one = await Conversation.signedIn({ office });
    for (const name of ['a/b/c', 'ab']) await one.run(`CREATE ${name}`);
    await one.run(
      'NOTIFY SET (subtree a (MessageNew MessageExpunge)) (subscribed (MessageNew MessageExpunge))',
    );
    const two = await Conversation.signedIn({ office });
    for (const name of ['a', 'a/b', 'a/b/c', 'ab']) await two.run(`APPEND ${name} {3+}\r\nx\r\n`);
    await expectNews(one, '* STATUS a (…', '* STATUS a/b (…', '* STATUS a/b/c (…');
    await one.run('SUBSCRIBE ab');
    await two.run('APPEND ab {3+}\r\nx\r\n');
    await expectNews(one, '* STATUS ab (MESSAGES 2 UIDNEXT 3)');
  });

  test('what the client put there itself is not told, what came beside it is (§5)', async () => {
    const { office, one } = await watching(MESSAGES);
    await one.expect('APPEND Sent {3+}\r\nx\r\n', '. OK [APPENDUID …');
    await one.expect('COPY 1:2 Sent', '. OK [COPYUID …');
    await one.expect('MOVE 1 Trash', '* OK [COPYUID …', '* 1 EXPUNGE', '. OK …');
    await expectNews(one);
    await office.deliver(letter('x'), { mailbox: 'Sent' });
    await expectNews(one, '* STATUS Sent (MESSAGES 4 UIDNEXT 5)');
  });

  test('after it was selected it is compared with what the client saw there', async () => {
    const { office, one } = await watching(MESSAGES);
    await office.deliver(letter('d'));
    await expectNews(one);
    // The mailbox is left before the session has said what came to it.
    await one.expect(
      'SELECT Sent',
      '* FLAGS…',
      '* OK…',
      '* 0 EXISTS',
      '* 0 RECENT',
      '* OK…',
      '* OK…',
      '* OK…',
      '* OK…',
      '* OK…',
      '* STATUS INBOX (MESSAGES 4 UIDNEXT 5)',
      '. OK …',
    );
  });

  test('a mailbox made anew under a name shows its UIDVALIDITY (§5.1)', async () => {
    let isSlow = false;
    const office = new ImapOffice({
      store: (store) =>
        overriding(store, {
          watch: (account, listener) => store.watch(account, (at) => (isSlow ? undefined : listener(at))),
        }),
    });
    const one = await Conversation.signedIn({ office });
    await one.run('NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))');
    const two = await Conversation.signedIn({ office });
    isSlow = true;
    await two.run('DELETE Trash');
    isSlow = false;
    await two.run('CREATE Trash');
    await expectNews(one, '* STATUS Trash (MESSAGES 0 UIDNEXT 1 UIDVALIDITY …');
  });

  test('what was read where it was selected is not told again', async () => {
    const { office, one } = await watching(
      'SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange))',
    );
    await one.run('STORE 1:2 +FLAGS (\\Seen)');
    await office.deliver(letter('d'));
    await one.hear();
    const said = await one.run('SELECT Sent');
    assert.deepEqual(
      said.filter((line) => line.includes('STATUS')),
      [],
    );
  });
});

describe('names, subscriptions, annotations (RFC 5465 §5.4 to §5.7)', () => {
  test('made and taken away, with the name above (§5.4)', async () => {
    const { one, two } = await watching('SET (personal (MailboxName))');
    await two.run('CREATE a/b');
    await expectNews(one, '* LIST (\\HasChildren) "/" a', '* LIST (\\HasNoChildren) "/" a/b');
    await two.run('DELETE a/b');
    await expectNews(one, '* LIST (\\HasNoChildren) "/" a', '* LIST (\\NonExistent) "/" a/b');
    await two.run('DELETE Trash');
    await expectNews(one, '* LIST (\\NonExistent \\Subscribed) "/" Trash');
  });

  test('renamed: the new name with the old one, and nothing of what is below (§5.4)', async () => {
    const { one, two } = await watching('SET (personal (MailboxName))');
    await two.run('CREATE a/b/c');
    await one.hear();
    await two.run('RENAME a "x y"');
    await expectNews(one, '* LIST (\\HasChildren) "/" "x y" ("OLDNAME" (a))');
  });

  test('own deeds are not told (§5)', async () => {
    const { one, two } = await watching('SET (personal (MailboxName SubscriptionChange))');
    for (const command of ['CREATE a/b', 'RENAME a/b c/d', 'SUBSCRIBE c', 'DELETE c/d'])
      await one.expect(command, '. OK …');
    await expectNews(one);
    await two.run('DELETE c');
    await expectNews(one, '* LIST (\\NonExistent \\Subscribed) "/" c');
  });

  test('subscriptions, with all attributes (§5.5)', async () => {
    const { one, two } = await watching('SET (personal (SubscriptionChange))');
    await two.run('UNSUBSCRIBE Sent');
    await expectNews(one, '* LIST (\\HasNoChildren \\Sent) "/" Sent');
    await two.run('SUBSCRIBE not/there');
    await expectNews(one, '* LIST (\\NonExistent \\Subscribed) "/" not/there');
    await two.run('CREATE a');
    await expectNews(one);
  });

  test('only where it was asked for', async () => {
    const { one, two } = await watching(
      'SET (subtree a (MailboxName)) (mailboxes Sent (SubscriptionChange))',
    );
    await two.run('CREATE b');
    await two.run('UNSUBSCRIBE Trash');
    await two.run('DELETE Sent');
    await expectNews(one);
    await two.run('CREATE a');
    await expectNews(one, '* LIST (\\HasNoChildren) "/" a');
  });

  test('annotations of mailboxes and of the account, without ENABLE METADATA (§5.6, §5.7)', async () => {
    const { one, two } = await watching(
      'SET (mailboxes INBOX (MailboxMetadataChange)) (personal (ServerMetadataChange))',
    );
    await two.run('SETMETADATA INBOX (/shared/comment "x")');
    await expectNews(one, '* METADATA INBOX /shared/comment');
    await two.run('SETMETADATA "" (/private/comment "y")');
    await expectNews(one, '* METADATA "" /private/comment');
    await two.run('SETMETADATA Sent (/shared/comment "x")');
    await expectNews(one);
    await one.run('SETMETADATA INBOX (/shared/comment NIL)');
    await expectNews(one);
    await two.run('SETMETADATA INBOX (/private/comment NIL /shared/other "z")');
    await expectNews(one, '* METADATA INBOX /shared/other');
  });

  test('NOTIFY says what of METADATA is told, also to who enabled it', async () => {
    const office = new ImapOffice();
    const one = await Conversation.signedIn({ office });
    const two = await Conversation.signedIn({ office });
    await one.run('ENABLE METADATA');
    await two.run('SETMETADATA INBOX (/shared/a "x")');
    await one.expect('NOOP', '* METADATA INBOX /shared/a', '. OK …');
    await one.run('NOTIFY NONE');
    await two.run('SETMETADATA INBOX (/shared/a "y")');
    await one.expect('NOOP', '. OK …');
  });

  test('names are UTF-8 or modified UTF-7, as the client has chosen', async () => {
    const { one, two } = await watching('SET (personal (MailboxName))');
    await two.run('CREATE "Gr&APwA3w-e"');
    await expectNews(one, '* LIST (\\HasNoChildren) "/" Gr&APwA3w-e');
    await one.run('ENABLE UTF8=ACCEPT');
    await two.run('RENAME "Gr&APwA3w-e" "&APw-"');
    await expectNews(
      one,
      '* LIST (\\HasNoChildren) "/" "\u00c3\u00bc" ("OLDNAME" ("Gr\u00c3\u00bc\u00c3\u009fe"))',
    );
  });
});

describe('mail of others (RFC 5465 §3.1, §5.4, §5.9)', () => {
  const MESSAGES = '(MessageNew MessageExpunge)';

  test('what is shared is told, under its name; what is not, is not', async () => {
    const users = await twoUsers();
    await share(users, 'lr', 'INBOX');
    const { bob, office } = users;
    await bob.expect(
      `NOTIFY SET STATUS (subtree "Other Users" ${MESSAGES})`,
      `* STATUS "${ALICE}/INBOX" (…`,
      '. OK …',
    );
    await office.deliver(letter('a'));
    await expectNews(bob, `* STATUS "${ALICE}/INBOX" (MESSAGES 1 UIDNEXT 2)`);
    await office.deliver(letter('b'), { mailbox: 'Sent' });
    await expectNews(bob);
  });

  for (const group of ['personal', 'inboxes', 'mailboxes INBOX'])
    test(`${group} is the own mail`, async () => {
      const users = await twoUsers();
      await share(users, 'lr');
      await users.bob.run(`NOTIFY SET (${group} ${MESSAGES})`);
      await users.office.deliver(letter('a'));
      await expectNews(users.bob);
    });

  test('a right that is given is a mailbox that comes, one that is taken is one that goes', async () => {
    const users = await twoUsers();
    const { alice, bob } = users;
    await bob.run('NOTIFY SET (subtree "Other Users" (MailboxName))');
    await alice.run('SETACL INBOX bob@example.test lr');
    await bob.expect('NOOP', '. OK …');
    await users.office.clock.advance(120_000);
    await expectNews(bob, `* LIST (\\HasNoChildren) "/" "${ALICE}/INBOX"`);
    await alice.run('DELETEACL INBOX bob@example.test');
    await users.office.clock.advance(120_000);
    await expectNews(bob, `* LIST (\\NonExistent) "/" "${ALICE}/INBOX"`);
  });

  test('one that may be seen and not read is named with \\NoAccess', async () => {
    const users = await twoUsers();
    await share(users, 'l', 'INBOX');
    await users.bob.expect(
      `NOTIFY SET STATUS (mailboxes "${ALICE}/INBOX" ${MESSAGES})`,
      `* LIST (\\NoAccess) "/" "${ALICE}/INBOX"`,
      '. OK …',
    );
    await users.office.deliver(letter('a'));
    await expectNews(users.bob);
  });

  test('annotations, shared ones and the own of who reads (§5.6)', async () => {
    const users = await twoUsers();
    await share(users, 'lrs', 'INBOX');
    await share(users, 'l', 'Sent');
    const { alice, bob, office } = users;
    await bob.run(
      'NOTIFY SET (subtree "Other Users" (MailboxMetadataChange)) (personal (MailboxMetadataChange))',
    );
    await alice.run('SETMETADATA INBOX (/shared/a "x")');
    await expectNews(bob, `* METADATA "${ALICE}/INBOX" /shared/a`);
    await alice.run('SETMETADATA INBOX (/private/b "x")');
    await alice.run('SETMETADATA Sent (/shared/a "x")');
    await expectNews(bob);
    const again = new Conversation({ office });
    await again.say('x LOGIN bob secret\r\n');
    await again.run(`SETMETADATA "${ALICE}/INBOX" (/private/c "y")`);
    await expectNews(bob, `* METADATA "${ALICE}/INBOX" /private/c`);
    await bob.expect(`SETMETADATA "${ALICE}/INBOX" (/private/c NIL)`, '. OK …');
    await expectNews(bob);
    await again.run('SETMETADATA INBOX (/shared/d "z")');
    await expectNews(bob, '* METADATA INBOX /shared/d');
    await bob.run('NOTIFY NONE');
    await alice.run('SETMETADATA INBOX (/shared/a "y")');
    await bob.expect('NOOP', '. OK …');
  });

  // Accounts number their mailboxes alike, and made at one moment these have the same UIDVALIDITY.
  for (const selects of [false, true])
    test(`what comes to another's inbox while the session puts as much into its own is told${selects ? ', selected too' : ''}`, async () => {
      let toAlice = async (): Promise<void> => undefined;
      const office = new ImapOffice({
        store: (store) =>
          overriding(store, {
            append: async (account, mailbox, messages) => {
              if (account === OTHER_ACCOUNT) await toAlice();
              return store.append(account, mailbox, messages);
            },
          }),
      });
      toAlice = async () => void (await office.deliver(letter('a')));
      const users = await twoUsers(office);
      const { bob } = users;
      await share(users, 'lr', 'INBOX');
      if (selects) {
        await bob.run(`SELECT "${ALICE}/INBOX"`);
        await bob.run('NOTIFY SET (selected (MessageNew (UID) MessageExpunge))');
      } else await bob.run(`NOTIFY SET (subtree "Other Users" ${MESSAGES}) (personal ${MESSAGES})`);
      const told = linesOf(await bob.say('a APPEND INBOX {6+}\r\nA: b\r\n\r\n'));
      assert.deepEqual(
        told.slice(0, -1),
        selects ? ['* 1 EXISTS', '* 1 FETCH (UID 1)'] : [`* STATUS "${ALICE}/INBOX" (MESSAGES 1 UIDNEXT 2)`],
      );
      assert.match(told.at(-1) ?? '', /^a OK/);
    });

  test('where it is selected', async () => {
    const users = await twoUsers();
    await share(users, 'lr', 'INBOX');
    const { bob, office } = users;
    await bob.run(`SELECT "${ALICE}/INBOX"`);
    await bob.run(`NOTIFY SET (selected (MessageNew (UID) MessageExpunge))`);
    await office.deliver(letter('a'));
    await expectNews(bob, '* 1 EXISTS', '* 1 FETCH (UID 1)');
    await bob.run('UNSELECT');
    await office.deliver(letter('b'));
    await expectNews(bob);
    await bob.run(`SELECT "${ALICE}/INBOX"`);
    await office.deliver(letter('c'));
    await expectNews(bob, '* 3 EXISTS', '* 3 FETCH (UID 3)');
  });
});

describe('limits, faults, ends (RFC 5465 §5.8)', () => {
  test('an account with too many mailboxes is not watched; one that grows beyond is let go', async () => {
    const office = new ImapOffice();
    const client = await Conversation.signedIn({ office });
    const made = async (n: number): Promise<void> => {
      const answer = await office.store.createMailbox(ACCOUNT, { parent: undefined, name: `m${n}` });
      assert.ok(answer.ok);
    };
    const there = (await office.store.mailboxes(ACCOUNT)).length;
    for (let n = there; n < LIMITS.imapNotifyMailboxesMax; n += 1) await made(n);
    await client.expect('NOTIFY SET (personal (MailboxName))', '. OK …');
    await made(-1);
    await expectNews(client, '* OK [NOTIFICATIONOVERFLOW] …');
    await made(-2);
    await expectNews(client);
    assert.ok(office.eventNames().includes('imap.notify.overflowed'));
    await client.expect('NOTIFY SET (personal (MailboxName))', '. NO [NOTIFICATIONOVERFLOW] …');
    // The selected mailbox costs nothing.
    await client.expect('NOTIFY SET (selected (MessageNew MessageExpunge)) (personal NONE)', '. OK …');
  });

  test('what a fault hid is told when it has passed', async () => {
    let isAway = false;
    const office = new ImapOffice({
      store: (store) =>
        overriding(store, {
          mailboxes: async (account) => {
            if (isAway) throw new Fault('Reading mailboxes', new Error('away'));
            return store.mailboxes(account);
          },
        }),
    });
    const client = await Conversation.signedIn({ office });
    await client.run('NOTIFY SET (personal (MessageNew MessageExpunge))');
    const inbox = (await office.store.mailboxes(ACCOUNT)).find(({ role }) => role === 'inbox');
    assert.ok(inbox);
    await office.deliver(letter('a'));
    await expectNews(client, '* STATUS INBOX (MESSAGES 1 UIDNEXT 2)');
    const uids = (await office.store.entries(ACCOUNT, inbox.id, 0, 10)).map(({ uid }) => uid);
    isAway = true;
    await office.store.remove(ACCOUNT, inbox.id, uids);
    await expectNews(client);
    await client.expect('NOTIFY SET (personal (MailboxName))', '. NO [UNAVAILABLE] …');
    isAway = false;
    await client.expect('NOOP', '* STATUS INBOX (MESSAGES 0 UIDNEXT 2)', '. OK …');
  });

  test('a new message whose octets are damaged ends no session', async () => {
    const office = new ImapOffice({
      blobs: (blobs) =>
        overriding(blobs, {
          read: async (ref) => Promise.reject(new BlobError({ kind: 'damaged' }, ref.id)),
        }),
    });
    const client = await Conversation.selected({ office });
    await client.run('NOTIFY SET (selected (MessageNew (BODY.PEEK[TEXT]) MessageExpunge))');
    await office.deliver(letter('a'));
    await expectNews(client, '* 1 EXISTS');
    await client.expect('NOOP', '. OK …');
  });

  test('what comes while news is being read is told too', async () => {
    let during: (() => Promise<unknown>) | undefined;
    const office: ImapOffice = new ImapOffice({
      store: (store) =>
        overriding(store, {
          mailboxChanges: async (...asked) => {
            const changes = await store.mailboxChanges(...asked);
            const run = during;
            during = undefined;
            await run?.();
            return changes;
          },
        }),
    });
    const client = await Conversation.selected({ office });
    await client.run(
      'NOTIFY SET (selected (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge))',
    );
    during = async () => office.deliver(letter('b'));
    await office.deliver(letter('a'));
    await expectNews(client, '* 1 EXISTS', '* 2 EXISTS');
  });

  test('a hint that is lost costs a delay', async () => {
    const office = new ImapOffice({
      store: (store) => overriding(store, { watch: () => ({ close: () => undefined }) }),
    });
    const client = await Conversation.signedIn({ office });
    await client.run('NOTIFY SET (personal (MessageNew MessageExpunge))');
    await office.deliver(letter('a'));
    await expectNews(client);
    await office.clock.advance(120_000);
    await expectNews(client, '* STATUS INBOX (MESSAGES 1 UIDNEXT 2)');
  });

  test('news keeps no silent client signed in (RFC 9051 §5.4)', async () => {
    const office = new ImapOffice();
    const client = await Conversation.signedIn({ office });
    await client.run('NOTIFY SET (personal (MessageNew MessageExpunge))');
    for (let minutes = 0; minutes < 29; minutes += 1) {
      await office.clock.advance(60_000);
      await office.deliver(letter('a'));
      await client.hear();
      assert.equal(client.isOver, false);
    }
    await office.clock.advance(120_000);
    assert.match(await client.hear(), /\* BYE /);
  });

  test('UNAUTHENTICATE forgets it (RFC 8437 §2)', async () => {
    const { office, one } = await watching('SET (personal (MessageNew MessageExpunge))', 'Sent');
    await one.run('UNAUTHENTICATE');
    await office.deliver(letter('d'));
    await expectNews(one);
    await one.run('LOGIN alice secret');
    await one.run('SELECT INBOX');
    await office.deliver(letter('e'));
    await expectNews(one);
    await one.expect('NOOP', '* 5 EXISTS', '. OK …');
  });

  test('nobody is watched for a client that has gone', async () => {
    let watched = 0;
    const office = new ImapOffice({
      store: (store) =>
        overriding(store, {
          watch: (account, listener) => {
            const watch = store.watch(account, listener);
            watched += 1;
            return {
              close: () => {
                watched -= 1;
                watch.close();
              },
            };
          },
        }),
    });
    const client = await Conversation.signedIn({ office });
    for (const request of ['SET (personal (MailboxName))', 'SET (selected (MessageNew MessageExpunge))'])
      await client.run(`NOTIFY ${request}`);
    assert.equal(watched, 1);
    await client.client.close();
    await client.done;
    assert.equal(watched, 0);
  });
});
