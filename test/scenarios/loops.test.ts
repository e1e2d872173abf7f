/** Mail for the world whose way leads back to this host: by its name, by its address, by its port, by a login of its own. It ends, and its sender is told. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { startDnsServer } from '../support/dns-server.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { BOB, freeBasePort, startPostrider } from '../support/postrider.ts';

const OWN = 'mail.example.test';

const ways = [
  { domain: 'name.test', status: '5.4.6', why: 'an MX that names this host (RFC 5321 §5.1)' },
  { domain: 'address.test', status: '5.4.6', why: 'an MX with an address of this host (RFC 5321 §5.1)' },
  { domain: 'port.test', status: '5.7.1', why: 'a route to a port of this host, which relays for nobody' },
  {
    domain: 'login.test',
    status: '5.4.6',
    why: 'a route that signs in here, until too many hosts have seen it (RFC 5321 §6.3)',
  },
] as const;

test('mail whose way leads back to this host ends with a report, whichever way it is', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-loops-'));
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, BOB.password, { mode: 0o600 });
  await using dns = await startDnsServer({
    'name.test': { mx: [{ preference: 10, exchange: OWN }] },
    'address.test': { mx: [{ preference: 10, exchange: 'elsewhere.test' }] },
    'elsewhere.test': { a: ['127.0.0.1'] },
    [OWN]: { a: ['127.0.0.1'] },
  });
  const basePort = await freeBasePort();
  try {
    await using server = await startPostrider({
      basePort,
      directory,
      hostname: OWN,
      config: [
        '[resolver]',
        `servers = ["127.0.0.1:${dns.port}"]`,
        '[outgoing]',
        `port = ${basePort + 25}`,
        '[[routes]]',
        'name = "port"',
        'recipients = ["port.test"]',
        `hosts = ["127.0.0.1:${basePort + 25}"]`,
        '[[routes]]',
        'name = "login"',
        'recipients = ["login.test"]',
        `hosts = ["127.0.0.1:${basePort + 587}"]`,
        `username = "${BOB.address}"`,
        `passwordFile = ${JSON.stringify(passwordFile)}`,
        'tls = "encrypt"',
      ].join('\n'),
    });
    const mailer = createTransport({
      host: '127.0.0.1',
      port: server.port('submissions'),
      secure: true,
      tls: { rejectUnauthorized: false },
      auth: { user: BOB.address, pass: BOB.password },
    });
    for (const { domain } of ways)
      await mailer.sendMail({ from: BOB.address, to: `carl@${domain}`, subject: domain, text: 'x' });
    mailer.close();
    const reports = await waitForMessages(server, BOB, ways.length);
    for (const { domain, status, why } of ways) {
      const report = reports.find((one) => one.includes(`Final-Recipient: rfc822; carl@${domain}\r\n`));
      assert.ok(report !== undefined, `${why}\n${server.output()}`);
      assert.match(report, /^Action: failed\r$/m, why);
      assert.match(report, new RegExp(`^Status: ${status.replaceAll('.', '\\.')}\r$`, 'm'), why);
    }
    assert.equal((await waitForMessages(server, BOB, ways.length)).length, ways.length, 'one each');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
