/** curl sends by smtp and reads by imap, in plain-text upgrade and under TLS. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider } from '../support/postrider.ts';

const curl = peer('curl');
const LETTER = 'From: bob@example.test\r\nTo: alice@example.test\r\nSubject: by curl\r\n\r\nRead me.\r\n';

test('curl submits over TLS, lists, fetches, flags, searches and appends', { skip: curl.skip }, async () => {
  await using server = await startPostrider();
  const base = ['--silent', '--show-error', '--insecure'];
  const alice = [...base, '--user', `${ALICE.address}:${ALICE.password}`];
  const sent = await run(
    'curl',
    [
      ...base,
      '--user',
      `${BOB.address}:${BOB.password}`,
      `smtps://127.0.0.1:${server.port('submissions')}/bob`,
      '--mail-from',
      BOB.address,
      '--mail-rcpt',
      ALICE.address,
      '--upload-file',
      '-',
    ],
    { input: LETTER },
  );
  assert.equal(sent.code, 0, sent.stderr);
  await waitForMessages(server, ALICE, 1);

  const imaps = `imaps://127.0.0.1:${server.port('imaps')}`;
  const list = await run('curl', [...alice, imaps]);
  assert.match(list.stdout, /^\* LIST \([^)]*\) "\/" "?INBOX"?\r$/m);
  assert.match(list.stdout, /\\Sent/);

  const body = await run('curl', [...alice, `${imaps}/INBOX;MAILINDEX=1`]);
  assert.match(body.stdout, /\r\nSubject: by curl\r\n\r\nRead me\.\r\n$/);

  const upgraded = [...alice, '--ssl-reqd', `imap://[::1]:${server.port('imap')}/INBOX`];
  const stored = await run('curl', [...upgraded, '--request', 'STORE 1 +FLAGS.SILENT (\\Flagged work)']);
  assert.equal(stored.code, 0, stored.stderr);
  const found = await run('curl', [
    ...alice,
    `${imaps}/INBOX?FLAGGED%20KEYWORD%20work%20TEXT%20%22read%20me%22`,
  ]);
  assert.match(found.stdout, /^\* (SEARCH 1|ESEARCH .*ALL 1)\r$/m);

  const file = join(server.directory, 'letter.eml');
  await writeFile(file, LETTER);
  const appended = await run('curl', [...alice, `${imaps}/Drafts`, '--upload-file', file]);
  assert.equal(appended.code, 0, appended.stderr);
  const draft = await run('curl', [...alice, `${imaps}/Drafts;UID=1`]);
  assert.equal(draft.stdout, LETTER);
});

test('a password is not taken before TLS', { skip: curl.skip }, async () => {
  await using server = await startPostrider();
  const login = ['--silent', '--user', `${ALICE.address}:${ALICE.password}`];
  const imap = await run('curl', [...login, `imap://127.0.0.1:${server.port('imap')}`]);
  assert.equal(imap.code, 67, imap.stderr);
});
