/** Programs that send and nothing else: msmtp three ways, Postfix's generator of load in, its sink as a next host of the last century. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, freeBasePort, startPostrider } from '../support/postrider.ts';

const msmtp = peer('msmtp');
const smtpSource = peer('smtp-source');
const smtpSink = peer('smtp-sink');

test(
  'msmtp: implicit TLS, STARTTLS with a certificate it verifies, and LMTP',
  { skip: msmtp.skip },
  async () => {
    await using server = await startPostrider();
    const config = join(server.directory, 'msmtprc');
    await writeFile(
      config,
      [
        'defaults',
        'host localhost',
        `from ${BOB.address}`,
        `user ${BOB.address}`,
        `password ${BOB.password}`,
        'auth on',
        'tls on',
        `tls_trust_file ${join(server.directory, 'tls', 'certificate.pem')}`,
        'account tls',
        `port ${server.port('submissions')}`,
        'tls_starttls off',
        'account starttls',
        `port ${server.port('submission')}`,
        'account lmtp',
        'protocol lmtp',
        `port ${server.port('lmtp')}`,
        'auth off',
        'tls off',
        '',
      ].join('\n'),
    );
    await chmod(config, 0o600);
    const accounts = ['tls', 'starttls', 'lmtp'];
    for (const account of accounts) {
      const input = `From: ${BOB.address}\nTo: ${ALICE.address}\nSubject: by ${account}\n\n.\n..dots\nFrom here\n`;
      const sent = await run('msmtp', ['-C', config, '-a', account, ALICE.address], { input });
      assert.equal(sent.code, 0, sent.stderr);
    }
    const messages = await waitForMessages(server, ALICE, accounts.length);
    assert.equal(messages.length, accounts.length);
    for (const message of messages) assert.match(message, /\r\n\r\n\.\r\n\.\.dots\r\nFrom here\r\n$/);

    const unknown = await run('msmtp', ['-C', config, '-a', 'starttls', 'nobody@example.test'], {
      input: 'x\n',
    });
    // EX_NOUSER or EX_UNAVAILABLE: refused for good, not for now.
    assert.ok(unknown.code === 67 || unknown.code === 69 || unknown.code === 65, unknown.stderr);
  },
);

test('smtp-source: 300 messages over 10 connections, and over LMTP', { skip: smtpSource.skip }, async () => {
  await using server = await startPostrider();
  const load = ['-s', '10', '-l', '4096', '-f', 'load@example.org', '-t', ALICE.address];
  const smtp = await run('smtp-source', [...load, '-m', '300', `127.0.0.1:${server.port('smtp')}`]);
  assert.equal(smtp.code, 0, smtp.stderr);
  const lmtp = await run('smtp-source', [...load, '-L', '-m', '100', `127.0.0.1:${server.port('lmtp')}`]);
  assert.equal(lmtp.code, 0, lmtp.stderr);
  assert.equal((await waitForMessages(server, ALICE, 400)).length, 400);
});

test(
  'smtp-sink: a next host that knows neither EHLO nor any extension',
  { skip: smtpSink.skip },
  async () => {
    await using dns = await startDnsServer({
      'far.test': { mx: [{ preference: 10, exchange: 'mx.far.test' }] },
      'mx.far.test': { a: ['127.0.0.1'] },
    });
    const basePort = await freeBasePort();
    const sinkPort = basePort + 26;
    const folder = await mkdtemp(join(tmpdir(), 'postrider-sink-'));
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chown(folder, 65_534, 65_534);
    const user = isRoot ? ['-u', 'nobody'] : [];
    const sink = spawn('smtp-sink', [...user, '-e', '-d', 'letter.', `127.0.0.1:${sinkPort}`, '100'], {
      cwd: folder,
      stdio: 'ignore',
    });
    try {
      await until(() => answers(sinkPort));
      await using server = await startPostrider({
        basePort,
        config: `[resolver]\nservers = ["127.0.0.1:${dns.port}"]\n[outgoing]\nport = ${sinkPort}\n`,
      });
      const input = `From: ${BOB.address}\nTo: carl@far.test\nSubject: to a sink\n\n.dot\n${'x'.repeat(900)}\n`;
      const sent = await run(
        'curl',
        [
          '-sSk',
          '--crlf',
          '--user',
          `${BOB.address}:${BOB.password}`,
          '--mail-from',
          BOB.address,
          '--mail-rcpt',
          'carl@far.test',
          '--upload-file',
          '-',
          `smtps://127.0.0.1:${server.port('submissions')}`,
        ],
        { input },
      );
      assert.equal(sent.code, 0, sent.stderr);
      await until(async () => (await readdir(folder)).length > 0);
      const [name = ''] = await readdir(folder);
      await until(async () => (await readFile(join(folder, name), 'latin1')).includes('x\n'));
      const letter = await readFile(join(folder, name), 'latin1');
      assert.match(letter, /^Subject: to a sink\r?$/m, server.output());
      assert.match(letter, /^\.dot\r?\nx{900}\r?\n/m);
    } finally {
      sink.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  },
);

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('It did not come to pass within 15 seconds');
}

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
