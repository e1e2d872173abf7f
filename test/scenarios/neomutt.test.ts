/** neomutt in batch mode: sends by submission, reads by IMAP. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider } from '../support/postrider.ts';

const neomutt = peer('neomutt');

test('neomutt sends in batch, and moves the message by its own rules', { skip: neomutt.skip }, async () => {
  await using server = await startPostrider();
  const settings = (login: typeof ALICE): string =>
    [
      `set from = "${login.address}"`,
      `set smtp_url = "smtp://${login.address.replace('@', '%40')}@127.0.0.1:${server.port('submission')}/"`,
      `set smtp_pass = "${login.password}"`,
      // Of its own it takes SCRAM-SHA-256-PLUS, and then has no channel binding to give.
      'set smtp_authenticators = "plain"',
      `set imap_user = "${login.address}"`,
      `set imap_pass = "${login.password}"`,
      `set folder = "imaps://127.0.0.1:${server.port('imaps')}/"`,
      'set spoolfile = "+INBOX"',
      'set record = ""',
      'set ssl_force_tls = yes',
      'set ssl_verify_host = no',
      `set certificate_file = "${join(server.directory, 'tls', 'certificate.pem')}"`,
      'set ssl_ca_certificates_file = ""',
      '',
    ].join('\n');
  const bob = join(server.directory, 'bob.muttrc');
  const alice = join(server.directory, 'alice.muttrc');
  await writeFile(bob, settings(BOB));
  await writeFile(alice, settings(ALICE));
  const env = { HOME: server.directory, TERM: 'dumb' };
  const sent = await run('neomutt', ['-n', '-F', bob, '-s', 'by neomutt', ALICE.address], {
    input: 'A letter.\n',
    env,
  });
  assert.equal(sent.code, 0, sent.stdout + sent.stderr);
  const [message] = await waitForMessages(server, ALICE, 1);
  assert.match(message ?? '', /^Subject: by neomutt\r$/m);

  // It reads keys from a terminal only: `script` gives it one.
  const keys = 'push "<tag-pattern>~A<enter><tag-prefix><save-message>+Archive<enter><sync-mailbox><quit>"';
  await writeFile(alice, `${settings(ALICE)}${keys}\nset confirmappend=no quit=yes delete=yes\n`);
  const moved = await run('script', ['-qec', `neomutt -n -F ${alice}`, '/dev/null'], { env });
  assert.equal(moved.code, 0, moved.stdout + moved.stderr);
  assert.equal((await waitForMessages(server, ALICE, 1, 'Archive')).length, 1);
});
