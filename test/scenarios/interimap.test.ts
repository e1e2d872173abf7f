/** InterIMAP keeps two accounts alike by QRESYNC alone: flags, new messages and those that are gone, both ways. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { imapClient, type Login } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const interimap = peer('interimap');

test('interimap: two accounts, changes on both sides', { skip: interimap.skip }, async () => {
  await using server = await startPostrider();
  const config = join(server.directory, 'interimap');
  const side = (name: string, { address, password }: Login): string[] => [
    `[${name}]`,
    'type = imaps',
    'host = localhost',
    `port = ${server.port('imaps')}`,
    `username = ${address}`,
    `password = ${password}`,
    `SSL_CAfile = ${join(server.directory, 'tls', 'certificate.pem')}`,
  ];
  await writeFile(
    config,
    [
      `database = ${join(server.directory, 'interimap.db')}`,
      'list-mailbox = INBOX Projects',
      ...side('local', ALICE),
      ...side('remote', BOB),
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  const sync = async (): Promise<string> => {
    const ran = await run('interimap', [`--config=${config}`], { env: { HOME: server.directory } });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    return ran.stdout + ran.stderr;
  };

  const alice = await imapClient(server, ALICE);
  for (let n = 1; n <= 30; n += 1) await alice.append('INBOX', `Subject: letter ${n}\r\n\r\nx\r\n`, []);
  await alice.mailboxCreate('Projects');
  await alice.append('Projects', 'Subject: plan\r\n\r\nx\r\n', ['\\Flagged']);
  await sync();
  assert.deepEqual(await inbox(server, BOB), await inbox(server, ALICE));
  assert.equal((await inbox(server, BOB)).length, 30);
  assert.doesNotMatch(await sync(), /Added/);

  await alice.mailboxOpen('INBOX');
  await alice.messageFlagsAdd('3', ['\\Seen', '$Work'], { uid: true });
  await alice.messageDelete('4:6', { uid: true });
  await alice.logout();
  const bob = await imapClient(server, BOB);
  await bob.mailboxOpen('INBOX');
  await bob.messageFlagsAdd('10', ['\\Answered'], { uid: true });
  await bob.messageDelete('11', { uid: true });
  await bob.append('INBOX', 'Subject: from bob\r\n\r\nx\r\n', ['\\Seen']);
  const projects = await bob.status('Projects', { messages: true });
  assert.ok(projects !== false && projects.messages === 1);
  await bob.logout();
  await sync();
  const both = await inbox(server, ALICE);
  assert.deepEqual(await inbox(server, BOB), both);
  assert.equal(both.length, 27);
  assert.ok(both.includes('letter 3 $Work \\Seen'), both.join());
  assert.ok(both.includes('letter 10 \\Answered'), both.join());
  assert.ok(both.includes('from bob \\Seen'), both.join());
});

/** Subjects with their flags. */
async function inbox(server: RunningPostrider, login: Login): Promise<string[]> {
  const client = await imapClient(server, login);
  await client.mailboxOpen('INBOX');
  const found: string[] = [];
  for await (const { envelope, flags } of client.fetch('1:*', { envelope: true, flags: true }))
    found.push([envelope?.subject ?? '', ...[...(flags ?? [])].toSorted()].join(' '));
  await client.logout();
  return found.toSorted();
}
