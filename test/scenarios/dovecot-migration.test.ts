/** `doveadm` takes an account to a Dovecot, and brings it from there: who comes can go, and nothing is lost on the way. */
import assert from 'node:assert/strict';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { imapClient, type Login } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const doveadm = peer('doveadm');
/** Dovecot refuses to work as root. */
const NOBODY = 65_534;

/** `doveadm` with a Maildir in this folder and one account of ours behind `imapc`. */
async function dovecotFor(
  server: RunningPostrider,
  { address, password }: Login,
): Promise<(...words: readonly string[]) => Promise<string>> {
  const folder = join(server.directory, 'dovecot');
  const home = join(folder, 'home');
  await mkdir(home, { recursive: true });
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot ? NOBODY : (process.getuid?.() ?? NOBODY);
  const group = isRoot ? NOBODY : (process.getgid?.() ?? NOBODY);
  for (const path of [server.directory, folder, home]) if (isRoot) await chmod(path, 0o755);
  await chown(home, owner, group);
  const file = join(folder, `${address}.conf`);
  await writeFile(
    file,
    [
      `base_dir = ${join(folder, 'run')}`,
      'log_path = /dev/stderr',
      `mail_location = maildir:${join(home, 'mail')}`,
      `mail_uid = ${owner}`,
      `mail_gid = ${group}`,
      'ssl = no',
      'mail_fsync = never',
      'namespace inbox {\n  inbox = yes\n  separator = /\n}',
      'imapc_host = 127.0.0.1',
      `imapc_port = ${server.port('imaps')}`,
      'imapc_ssl = imaps',
      'imapc_ssl_verify = no',
      `imapc_user = ${address}`,
      `imapc_password = ${password}`,
      'imapc_features = rfc822.size fetch-headers fetch-bodystructure search modseq',
      '',
    ].join('\n'),
  );
  return async (...words) => {
    const ran = await run('doveadm', ['-c', file, ...words], { env: { USER: 'nobody', HOME: home } });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    return ran.stdout;
  };
}

test('doveadm backup and sync over imapc', { skip: doveadm.skip }, async () => {
  await using server = await startPostrider();
  const alice = await imapClient(server, ALICE);
  for (let n = 1; n <= 40; n += 1)
    await alice.append(
      'INBOX',
      `Subject: letter ${n}\r\n\r\nbody ${n}\r\n`,
      n % 3 === 0 ? [] : ['\\Seen'],
      new Date(n * 1e10),
    );
  await alice.mailboxCreate('Projects/2026');
  await alice.mailboxCreate('Entwürfe');
  await alice.append('Projects/2026', 'Subject: plan\r\n\r\nx\r\n', ['\\Flagged', '$Work']);

  const there = await dovecotFor(server, ALICE);
  await there('backup', '-R', 'imapc:');
  assert.match(await there('mailbox', 'status', 'messages unseen', 'INBOX'), /messages=40 unseen=13/);
  assert.match(
    await there('fetch', 'flags hdr.subject', 'mailbox', 'Projects/2026'),
    /flags: \\Flagged \$Work\n.*plan/,
  );
  assert.match(await there('mailbox', 'list'), /^Entwürfe$/m);

  // What changed meanwhile comes with the next one.
  await alice.mailboxOpen('INBOX');
  await alice.messageFlagsAdd('3', ['\\Answered'], { uid: true });
  await alice.messageDelete('4:6', { uid: true });
  await alice.logout();
  await there('backup', '-R', 'imapc:');
  assert.match(await there('mailbox', 'status', 'messages', 'INBOX'), /messages=37/);

  const back = await dovecotFor(server, BOB);
  await back('sync', '-1', 'imapc:');
  assert.deepEqual(await contentsOf(server, BOB), await contentsOf(server, ALICE));
});

/** Every message of every mailbox, with its flags, date and octets. */
async function contentsOf(server: RunningPostrider, login: Login): Promise<readonly string[]> {
  const client = await imapClient(server, login);
  const found: string[] = [];
  for (const { path } of await client.list()) {
    await client.mailboxOpen(path);
    for await (const { flags, internalDate, source } of client.fetch('1:*', {
      flags: true,
      internalDate: true,
      source: true,
    }))
      found.push(
        `${path} ${[...(flags ?? [])].toSorted().join(' ')} ${String(internalDate)} ${source?.toString()}`,
      );
  }
  await client.logout();
  return found;
}
