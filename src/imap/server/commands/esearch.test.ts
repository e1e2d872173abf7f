/** ESEARCH over mailboxes: RFC 7377. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';
import { ALICE, share, twoUsers } from '../../../../test/support/imap-sharing.ts';

/** Alice's tree: in each mailbox one message that says its name, and one about apples in some. */
async function tree(): Promise<Conversation> {
  const office = new ImapOffice();
  const conversation = await Conversation.signedIn({ office });
  for (const name of ['Work', 'Work/A', 'Work/A/B', 'Worker', 'Empty'])
    await conversation.run(`CREATE ${name}`);
  const store = async (path: string, subject: string): Promise<void> => {
    const text = letter(subject).replaceAll('\n', '\r\n');
    await conversation.run(`APPEND ${path} {${text.length}+}\r\n${text}`);
  };
  for (const path of ['INBOX', 'Work', 'Work/A', 'Work/A/B', 'Worker']) await store(path, `in ${path}`);
  for (const path of ['INBOX', 'Work/A', 'Worker']) await store(path, 'apples');
  return conversation;
}

/** What was found where, without tag and UIDVALIDITY. */
async function found(conversation: Conversation, command: string): Promise<readonly string[]> {
  const lines = await conversation.run(command);
  assert.match(lines.at(-1) ?? '', /^\. OK /, lines.join('\n'));
  return lines.slice(0, -1).map((line) => {
    const [, mailbox = '', data = ''] =
      /^\* ESEARCH \(TAG "t\d+" MAILBOX "?([^"]*?)"? UIDVALIDITY [1-9]\d*\) UID (.*)$/.exec(line) ?? [];
    return mailbox === '' ? line : `${mailbox}: ${data}`;
  });
}

const cases = [
  { in: 'mailboxes INBOX', key: 'ALL', want: ['INBOX: ALL 1:2'] },
  { in: 'mailboxes (Work/A "Worker")', key: 'SUBJECT apples', want: ['Work/A: ALL 2', 'Worker: ALL 2'] },
  { in: 'mailboxes (inbox nowhere)', key: 'SUBJECT apples', want: ['INBOX: ALL 2'] },
  { in: 'personal', key: 'SUBJECT apples', want: ['INBOX: ALL 2', 'Work/A: ALL 2', 'Worker: ALL 2'] },
  { in: 'inboxes', key: 'SUBJECT "in inbox"', want: ['INBOX: ALL 1'] },
  { in: 'subtree Work', key: 'ALL', want: ['Work: ALL 1', 'Work/A: ALL 1:2', 'Work/A/B: ALL 1'] },
  { in: 'subtree-one Work', key: 'ALL', want: ['Work: ALL 1', 'Work/A: ALL 1:2'] },
  { in: 'subtree-one (Work/A Empty)', key: 'ALL', want: ['Work/A: ALL 1:2', 'Work/A/B: ALL 1'] },
  {
    in: 'mailboxes Work subtree Work subtree-one Work',
    key: '1',
    want: ['Work: ALL 1', 'Work/A: ALL 1', 'Work/A/B: ALL 1'],
  },
  { in: 'mailboxes Empty', key: 'ALL', want: [] },
  { in: 'personal', key: 'SUBJECT pears', want: [] },
  // RFC 7377 §2: numbers beyond the end are no mistake.
  { in: 'personal', key: '2:9', want: ['INBOX: ALL 2', 'Work/A: ALL 2', 'Worker: ALL 2'] },
  // RFC 5182: what is saved is of the selected mailbox.
  { in: 'mailboxes INBOX', key: 'UID $', want: [] },
  { in: 'personal', key: 'FUZZY SUBJECT apple', want: ['INBOX: ALL 2', 'Work/A: ALL 2', 'Worker: ALL 2'] },
] as const;
for (const { in: sources, key, want } of cases)
  test(`ESEARCH IN (${sources}) ${key} (RFC 7377 §2.2)`, async () => {
    const conversation = await tree();
    const lines = await found(conversation, `ESEARCH IN (${sources}) ${key}`);
    assert.deepEqual(lines.toSorted(), [...want].toSorted());
  });

test('subscribed mailboxes (RFC 5465 §6.4)', async () => {
  const conversation = await tree();
  await conversation.run('UNSUBSCRIBE Work/A');
  await conversation.run('SUBSCRIBE Worker');
  const lines = await found(conversation, 'ESEARCH IN (subscribed) SUBJECT apples');
  assert.ok(
    lines.includes('Worker: ALL 2') &&
      lines.includes('INBOX: ALL 2') &&
      !lines.some((line) => line.startsWith('Work/A')),
  );
});

test('result options are of each mailbox; where nothing was found nothing is said (RFC 7377 §2.1)', async () => {
  const conversation = await tree();
  assert.deepEqual(
    await found(conversation, 'ESEARCH IN (mailboxes (INBOX Empty Work)) RETURN (COUNT MIN MAX) ALL'),
    ['INBOX: MIN 1 MAX 2 COUNT 2', 'Work: MIN 1 MAX 1 COUNT 1'],
  );
  assert.deepEqual(await found(conversation, 'ESEARCH IN (subtree Work) RETURN (PARTIAL -1:-1) ALL'), [
    'Work: PARTIAL (-1:-1 1)',
    'Work/A: PARTIAL (-1:-1 2)',
    'Work/A/B: PARTIAL (-1:-1 1)',
  ]);
  assert.deepEqual(
    await found(conversation, 'ESEARCH IN (mailboxes INBOX) RETURN (RELEVANCY ALL) FUZZY SUBJECT apple'),
    ['INBOX: ALL 2 RELEVANCY (100)'],
  );
  assert.deepEqual(await found(conversation, 'ESEARCH IN (mailboxes Work) CHARSET UTF-8 ALL'), [
    'Work: ALL 1',
  ]);
});

test('selected, by default and by name; UID before it changes nothing (RFC 7377 §2.2)', async () => {
  const conversation = await tree();
  await conversation.expect('ESEARCH ALL', '. BAD …');
  await conversation.expect('ESEARCH IN (selected mailboxes INBOX) ALL', '. BAD …');
  await conversation.expect('ESEARCH IN (mailboxes INBOX) RETURN (UPDATE) ALL', '. BAD …');
  await conversation.run('SELECT Work/A');
  assert.deepEqual(await found(conversation, 'ESEARCH ALL'), ['Work/A: ALL 1:2']);
  assert.deepEqual(await found(conversation, 'UID ESEARCH IN (selected) SUBJECT apples'), ['Work/A: ALL 2']);
  assert.deepEqual(await found(conversation, 'ESEARCH IN (selected mailboxes Work/A) ALL'), [
    'Work/A: ALL 1:2',
  ]);
  // It stays selected.
  await conversation.expect('SEARCH ALL', '* SEARCH 1 2', '. OK Searched');
});

test('SAVE is of the selected mailbox alone (RFC 7377 §2.2, RFC 5182)', async () => {
  const conversation = await tree();
  await conversation.run('SELECT INBOX');
  await conversation.expect('ESEARCH IN (mailboxes INBOX) RETURN (SAVE) ALL', '. BAD …');
  await conversation.expect('ESEARCH RETURN (SAVE) SUBJECT apples', '. OK Searched');
  await conversation.expect('SEARCH $', '* SEARCH 2', '. OK Searched');
  assert.deepEqual(await found(conversation, 'ESEARCH IN (personal) UID $'), ['INBOX: ALL 2']);
  await conversation.expect('ESEARCH RETURN (SAVE) FILTER none', '. NO [UNDEFINED-FILTER none] …');
  await conversation.expect('SEARCH $', '* SEARCH', '. OK Searched');
});

test('UPDATE is of the selected mailbox, and its news say where (RFC 7377 §2.2)', async () => {
  const conversation = await tree();
  await conversation.run('SELECT INBOX');
  const [first = ''] = await conversation.run('ESEARCH IN (personal) RETURN (UPDATE COUNT) SUBJECT apples');
  const correlator = /^\* ESEARCH (\(TAG "\w+" MAILBOX "?INBOX"? UIDVALIDITY \d+\))/.exec(first)?.[1];
  assert.ok(correlator);
  await conversation.office.deliver(letter('more apples'));
  await conversation.expect('NOOP', '* 3 EXISTS', `* ESEARCH ${correlator} UID ADDTO (0 3)`, '. OK …');
  const lines = await conversation.run('ESEARCH IN (mailboxes Work) RETURN (UPDATE COUNT) ALL');
  assert.match(lines[1] ?? '', /^\* NO \[NOUPDATE "/);
});

test('of others only what may be read, and what was not named only where it may be seen (RFC 7377 §2.2, RFC 4314)', async () => {
  const users = await twoUsers();
  await users.office.deliver(letter('secret'));
  const named = `ESEARCH IN (mailboxes "${ALICE}/INBOX") ALL`;
  const below = `ESEARCH IN (subtree "${ALICE}") ALL`;
  for (const [rights, byName, bySubtree] of [
    ['l', 0, 0],
    ['r', 1, 0],
    ['lr', 1, 1],
  ] as const) {
    await share(users, rights, 'INBOX');
    assert.equal((await found(users.bob, named)).length, byName, rights);
    assert.equal((await found(users.bob, below)).length, bySubtree, rights);
    assert.deepEqual(await found(users.bob, 'ESEARCH IN (personal) ALL'), []);
  }
});

test('more messages than a command may look at are refused (RFC 7377 §2.4)', async () => {
  const office = new ImapOffice({ limits: { messagesMax: 2 } });
  for (let at = 0; at < 3; at += 1) await office.deliver(letter('x'));
  const conversation = await Conversation.signedIn({ office });
  await conversation.expect('ESEARCH IN (personal) ALL', '. NO [LIMIT] …');
});

for (const command of [
  'ESEARCH',
  'ESEARCH IN () ALL',
  'ESEARCH IN (selected-delayed) ALL',
  'ESEARCH IN (nonsense) ALL',
  'ESEARCH IN (mailboxes) ALL',
  'ESEARCH IN mailboxes INBOX ALL',
  'ESEARCH IN (personal)',
  `ESEARCH IN (${'personal '.repeat(200)}personal) ALL`,
])
  test(`${command.slice(0, 60)} is BAD`, async () => {
    const conversation = await Conversation.selected();
    await conversation.expect(command, '. BAD …');
  });
