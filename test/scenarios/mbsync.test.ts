/** mbsync keeps a Maildir and a mailbox alike, both ways, and finds nothing to do the second time. */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { imapClient } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const mbsync = peer('mbsync');
const MESSAGES = 1000;
/** Maildir's letters for the flags: Draft, Flagged, Replied, Seen. */
const MARKS = ['', 'S', 'FS', 'RS', 'F', 'D', 'DS', 'FRS'];

test(`mbsync: two ways, ${MESSAGES} messages with flags`, { skip: mbsync.skip }, async () => {
  await using server = await startPostrider();
  const maildir = join(server.directory, 'maildir');
  const inbox = join(maildir, 'INBOX');
  for (const folder of ['cur', 'new', 'tmp']) await mkdir(join(inbox, folder), { recursive: true });
  const expected = new Map<string, string>();
  for (let n = 0; n < MESSAGES; n += 1) {
    const marks = MARKS[n % MARKS.length] ?? '';
    expected.set(`letter ${n}`, marks);
    await writeFile(
      join(inbox, 'cur', `${1_700_000_000 + n}.${n}.test:2,${marks}`),
      `From: bob@example.test\nTo: alice@example.test\nSubject: letter ${n}\nMessage-ID: <${n}@example.test>\n\n` +
        `Body of ${n}\n${'x'.repeat((n * 37) % 5000)}\n`,
    );
  }
  const config = join(server.directory, 'mbsyncrc');
  await writeFile(
    config,
    [
      'IMAPAccount alice',
      'Host localhost',
      `Port ${server.port('imaps')}`,
      `User ${ALICE.address}`,
      `Pass ${ALICE.password}`,
      'SSLType IMAPS',
      `CertificateFile ${join(server.directory, 'tls', 'certificate.pem')}`,
      '',
      'IMAPStore far',
      'Account alice',
      '',
      'MaildirStore near',
      `Path ${maildir}/`,
      `Inbox ${inbox}`,
      'SubFolders Verbatim',
      '',
      'Channel all',
      'Far :far:',
      'Near :near:',
      'Patterns *',
      'Create Both',
      'Expunge Both',
      'SyncState *',
      '',
    ].join('\n'),
  );
  const sync = async (): Promise<string> => {
    const ran = await run('mbsync', ['--config', config, '--verbose', 'all'], { timeoutMs: 120_000 });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    return ran.stdout + ran.stderr;
  };
  await sync();
  assert.deepEqual(await flagsBySubject(server), expected);
  const before = await bothSides(server, inbox);
  await sync();
  assert.deepEqual(await bothSides(server, inbox), before);

  // Changes on both sides meet: a flag and a deletion here, a flag and a new message there.
  const files = await readdir(join(inbox, 'cur'));
  assert.equal(files.length, MESSAGES);
  const client = await imapClient(server, ALICE);
  await client.mailboxOpen('INBOX');
  await client.messageFlagsAdd('7', ['\\Flagged'], { uid: true });
  await client.messageDelete('9', { uid: true });
  await client.append('INBOX', 'Subject: from there\r\n\r\nnew\r\n', ['\\Seen']);
  await client.logout();
  await sync();
  const after = await readdir(join(inbox, 'cur'));
  assert.equal(after.length, MESSAGES);
  assert.equal(
    after.filter((name) => name.includes('F')).length,
    files.filter((name) => name.includes('F')).length + 1,
  );
});

/** All that a sync could change: the names of the files with their flags, and the mailbox's highest mod-sequence. */
async function bothSides(server: RunningPostrider, inbox: string): Promise<unknown> {
  const client = await imapClient(server, ALICE);
  const status = await client.status('INBOX', { messages: true, uidNext: true, highestModseq: true });
  await client.logout();
  return { status, files: (await readdir(join(inbox, 'cur'))).toSorted() };
}

async function flagsBySubject(server: RunningPostrider): Promise<Map<string, string>> {
  const letters: Record<string, string> = {
    '\\Draft': 'D',
    '\\Flagged': 'F',
    '\\Answered': 'R',
    '\\Seen': 'S',
  };
  const client = await imapClient(server, ALICE);
  await client.mailboxOpen('INBOX');
  const found = new Map<string, string>();
  for await (const { envelope, flags } of client.fetch('1:*', { envelope: true, flags: true })) {
    const marks = Object.keys(letters).filter((flag) => flags?.has(flag) === true);
    found.set(envelope?.subject ?? '', marks.map((flag) => letters[flag]).join(''));
  }
  await client.logout();
  return found;
}
