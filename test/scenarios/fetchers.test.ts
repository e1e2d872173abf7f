/** Programs that carry mail away: fetchmail, getmail, offlineimap, and Dovecot's doveadm as one moves house with it. */
import assert from 'node:assert/strict';
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, type Ran } from '../support/command.ts';
import { imapClient, readMessages, waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const fetchmail = peer('fetchmail');
const getmail = peer('getmail');
const offlineimap = peer('offlineimap');
const doveadm = peer('doveadm');

const LETTERS = 20;

/**
 * getmail 6.18 forks for each message and only then begins to listen for the child's end: a child that is faster is waited
 * for until the time is up, as happens on a busy machine. Here its parent asks the system, which forgets nothing.
 */
const GETMAIL_WAITS = `
import os, sys
if os.path.basename(sys.argv[0]) == 'getmail':
    from getmailcore.baseclasses import ForkingBase
    ForkingBase._prepare_child = lambda self: None
    ForkingBase._wait_for_child = lambda self, pid: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
`;

function letter(n: number): string {
  return (
    `From: carol@example.org\r\nTo: ${ALICE.address}\r\nSubject: letter ${n}\r\nMessage-ID: <${n}@example.org>\r\n` +
    `\r\n.line ${n}\r\nFrom here\r\n${'x'.repeat(n * 211)}\r\n`
  );
}

async function fill(server: RunningPostrider): Promise<void> {
  const client = await imapClient(server, ALICE);
  for (let n = 0; n < LETTERS; n += 1) await client.append('INBOX', letter(n), n % 3 === 0 ? ['\\Seen'] : []);
  await client.logout();
}

function succeeded(ran: Ran): string {
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  return ran.stdout + ran.stderr;
}

function certificate(server: RunningPostrider): string {
  return join(server.directory, 'tls', 'certificate.pem');
}

/** @param folder of a Maildir, `cur` or `new` */
async function maildirTexts(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')));
  return texts.map((text) => text.replaceAll('\r\n', '\n')).toSorted();
}

function letters(): string[] {
  return Array.from({ length: LETTERS }, (_, n) => letter(n).replaceAll('\r\n', '\n')).toSorted();
}

for (const [protocol, service, way] of [
  ['IMAP', 'imaps', 'smtp'],
  ['IMAP', 'imaps', 'lmtp'],
  ['POP3', 'pop3s', 'lmtp'],
] as const)
  test(
    `fetchmail empties one mailbox into another by ${protocol} and ${way}`,
    { skip: fetchmail.skip },
    async () => {
      await using server = await startPostrider();
      await fill(server);
      const config = join(server.directory, 'fetchmailrc');
      await writeFile(
        config,
        `poll localhost protocol ${protocol} port ${server.port(service)} user "${ALICE.address}" password "${ALICE.password}" ` +
          `ssl sslcertck sslcertfile ${certificate(server)} fetchall nokeep ${way === 'lmtp' ? 'lmtp ' : ''}` +
          `smtphost "localhost/${server.port(way)}" smtpname "${BOB.address}"\n`,
      );
      await chmod(config, 0o600);
      const pid = join(server.directory, 'fetchmail.pid');
      succeeded(
        await run('fetchmail', ['-f', config, '--pidfile', pid], {
          env: { FETCHMAILHOME: server.directory },
        }),
      );
      const moved = await waitForMessages(server, BOB, LETTERS);
      assert.equal(moved.length, LETTERS);
      for (let n = 0; n < LETTERS; n += 1)
        assert.ok(moved.some((text) => text.endsWith(letter(n).slice(letter(n).indexOf('\r\n\r\n')))));
      assert.deepEqual(await readMessages(server, ALICE), []);
    },
  );

for (const protocol of ['IMAP', 'POP3'] as const)
  test(`getmail fetches everything once by ${protocol}, byte for byte`, { skip: getmail.skip }, async () => {
    await using server = await startPostrider();
    await fill(server);
    // It refuses to write as root: so it becomes somebody else, who must be able to.
    const home = await mkdtemp(join(tmpdir(), 'postrider-getmail-'));
    try {
      for (const folder of ['cur', 'new', 'tmp'])
        await mkdir(join(home, 'mail', folder), { recursive: true });
      const isRoot = process.getuid?.() === 0;
      if (isRoot) {
        await chmod(home, 0o755);
        for (const folder of ['', 'cur', 'new', 'tmp'])
          await chown(join(home, 'mail', folder), 65_534, 65_534);
      }
      await writeFile(
        join(home, 'rc'),
        [
          '[retriever]',
          `type = Simple${protocol}SSLRetriever`,
          'server = localhost',
          `port = ${server.port(protocol === 'IMAP' ? 'imaps' : 'pop3s')}`,
          `username = ${ALICE.address}`,
          `password = ${ALICE.password}`,
          `ca_certs = ${certificate(server)}`,
          '[destination]',
          'type = Maildir',
          `path = ${home}/mail/`,
          ...(isRoot ? ['user = nobody'] : []),
          '[options]',
          'read_all = false',
          'delivered_to = false',
          'received = false',
          '',
        ].join('\n'),
      );
      await writeFile(join(home, 'sitecustomize.py'), GETMAIL_WAITS);
      const fetch = async (): Promise<string> =>
        succeeded(
          await run('getmail', [`--getmaildir=${home}`, '--rcfile=rc'], { env: { PYTHONPATH: home } }),
        );
      assert.match(await fetch(), new RegExp(`${LETTERS} messages .* retrieved, 0 skipped`));
      const bodies = (texts: readonly string[]): string[] =>
        texts.map((text) => text.slice(text.indexOf('\n\n'))).toSorted();
      assert.deepEqual(bodies(await maildirTexts(join(home, 'mail', 'new'))), bodies(letters()));
      assert.match(await fetch(), new RegExp(`0 messages .* retrieved, ${LETTERS} skipped`));
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

test(
  'offlineimap syncs both ways and finds nothing the second time',
  { skip: offlineimap.skip },
  async () => {
    await using server = await startPostrider();
    await fill(server);
    const home = join(server.directory, 'offlineimap');
    await mkdir(home);
    await writeFile(
      join(home, 'rc'),
      [
        '[general]',
        'accounts = alice',
        `metadata = ${home}/metadata`,
        'ui = basic',
        '[Account alice]',
        'localrepository = near',
        'remoterepository = far',
        '[Repository near]',
        'type = Maildir',
        `localfolders = ${home}/mail`,
        '[Repository far]',
        'type = IMAP',
        'remotehost = localhost',
        `remoteport = ${server.port('imaps')}`,
        `remoteuser = ${ALICE.address}`,
        `remotepass = ${ALICE.password}`,
        'ssl = yes',
        `sslcacertfile = ${certificate(server)}`,
        '',
      ].join('\n'),
    );
    const sync = async (): Promise<string> =>
      succeeded(await run('offlineimap', ['-o', '-c', join(home, 'rc')], { cwd: home }));
    await sync();
    const inbox = join(home, 'mail', 'INBOX');
    const folders = await Promise.all(['cur', 'new'].map((name) => readdir(join(inbox, name))));
    assert.equal(folders.flat().length, LETTERS);
    assert.doesNotMatch(await sync(), /Copy message/);

    await writeFile(join(inbox, 'cur', '1700000000.1.here:2,FS'), 'Subject: from here\n\nnew\n');
    await sync();
    const client = await imapClient(server, ALICE);
    await client.mailboxOpen('INBOX');
    const found = await client.fetchOne('*', { envelope: true, flags: true });
    assert.ok(found !== undefined && found !== false);
    assert.equal(found.envelope?.subject, 'from here');
    assert.deepEqual([...(found.flags ?? [])].toSorted(), ['\\Flagged', '\\Seen']);
    await client.logout();
  },
);

test('doveadm backs a whole account up over imapc, flags and all', { skip: doveadm.skip }, async () => {
  await using server = await startPostrider();
  await fill(server);
  const client = await imapClient(server, ALICE);
  await client.mailboxCreate('Projects/Grüße');
  await client.append('Projects/Grüße', letter(99), ['\\Flagged', '$Work']);
  await client.logout();
  const home = await mkdtemp(join(tmpdir(), 'postrider-doveadm-'));
  try {
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chown(home, 65_534, 65_534);
    const config = join(home, 'dovecot.conf');
    await writeFile(
      config,
      [
        `base_dir = ${home}/run`,
        'log_path = /dev/stderr',
        `mail_home = ${home}/home`,
        `mail_location = maildir:${home}/home/Maildir`,
        'mail_fsync = never',
        ...(isRoot
          ? ['mail_uid = nobody', 'mail_gid = nogroup', 'first_valid_uid = 1', 'first_valid_gid = 1']
          : []),
        'imapc_host = 127.0.0.1',
        `imapc_port = ${server.port('imaps')}`,
        'imapc_ssl = imaps',
        'imapc_ssl_verify = no',
        `imapc_user = ${ALICE.address}`,
        `imapc_password = ${ALICE.password}`,
        'imapc_features = rfc822.size fetch-headers fetch-bodystructure',
        'namespace inbox {',
        '  inbox = yes',
        '  separator = /',
        '}',
        '',
      ].join('\n'),
    );
    const env = { USER: 'alice', HOME: `${home}/home` };
    const moved = async (): Promise<string> =>
      succeeded(await run('doveadm', ['-c', config, 'backup', '-R', 'imapc:'], { env }));
    await moved();
    await moved();
    const show = async (mailbox: string, fields: string): Promise<string> =>
      succeeded(
        await run('doveadm', ['-c', config, '-f', 'tab', 'fetch', fields, 'mailbox', mailbox], { env }),
      );
    const inbox = (await show('INBOX', 'uid size.virtual hdr.subject')).trim().split('\n').slice(1);
    assert.deepEqual(
      inbox,
      Array.from({ length: LETTERS }, (_, n) => `${n + 1}\t${Buffer.byteLength(letter(n))}\tletter ${n}`),
    );
    assert.match(
      await show('Projects/Grüße', 'flags hdr.message-id'),
      /\\Flagged.*\$Work.*<99@example\.org>/,
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});
