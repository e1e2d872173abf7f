/** Postfix relays to us and we relay to Postfix, found by MX in a zone of the test's own; what it refuses comes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { run } from '../support/command.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import type { FarAgent } from '../support/far-agent.ts';
import { startPostfix } from '../support/postfix.ts';
import { ALICE, BOB, freeBasePort, postrider, startPostrider } from '../support/postrider.ts';

const postfix = peer('postfix');
const swaks = peer('swaks');
const FAR = 'far.test';
const notRoot = process.getuid?.() === 0 ? undefined : 'Postfix is started by root only';

test(
  'mail goes both ways between Postfix and Postrider, and a refusal is reported',
  { skip: postfix.skip ?? swaks.skip ?? notRoot },
  async () => {
    await using dns = await startDnsServer({
      [FAR]: { mx: [{ preference: 10, exchange: `mx.${FAR}` }] },
      [`mx.${FAR}`]: { a: ['127.0.0.1'] },
    });
    const basePort = await freeBasePort();
    await using far = await startPostfix({ domain: FAR, relayPort: basePort + 25 });
    await using server = await startPostrider({
      basePort,
      config: `[resolver]\nservers = ["127.0.0.1:${dns.port}"]\n[outgoing]\nport = ${far.port}\n`,
    });

    const inbound = await run('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      String(far.port),
      '--from',
      `carl@${FAR}`,
      '--to',
      ALICE.address,
      '--header',
      'Subject: from afar',
      '--body',
      'Grüße',
    ]);
    assert.equal(inbound.code, 0, inbound.stdout);
    const [received] = await waitForMessages(server, ALICE, 1);
    assert.match(received ?? '', /^Subject: from afar\r$/m, await far.log());
    assert.match(received ?? '', new RegExp(`^Return-Path: <carl@${FAR}>\r$`, 'm'));

    const mailer = createTransport({
      host: '127.0.0.1',
      port: server.port('submissions'),
      secure: true,
      tls: { rejectUnauthorized: false },
      auth: { user: BOB.address, pass: BOB.password },
    });
    const lines = Array.from({ length: 200 }, (_, n) => (n % 3 === 0 ? `.line ${n}` : `line ${n}`)).join(
      '\n',
    );
    const mail = { from: BOB.address, subject: 'to afar', text: lines };
    await mailer.sendMail({ ...mail, to: [`carl@${FAR}`, ALICE.address] });
    const [relayed] = await eventually(far, 'carl', 1);
    assert.match(relayed ?? '', /^Subject: to afar$/m, server.output());
    assert.ok((relayed ?? '').includes(lines), 'the body came through unchanged');
    assert.equal((await waitForMessages(server, ALICE, 2)).length, 2);

    await mailer.sendMail({ ...mail, to: `nobody@${FAR}` });
    const [report] = await waitForMessages(server, BOB, 1);
    assert.match(report ?? '', /^Return-Path: <>\r$/m);
    assert.match(report ?? '', /report-type="?delivery-status"?/);
    assert.match(report ?? '', new RegExp(`^Final-Recipient: rfc822; ?nobody@${FAR}\r$`, 'm'));
    assert.match(report ?? '', /^Action: failed\r$/m);
    assert.match(report ?? '', /^Status: 5\.1\.1\r$/m);
    assert.match(report ?? '', new RegExp(`^Remote-MTA: dns; ?mx\\.${FAR}\r$`, 'm'));
    mailer.close();
    const queue: unknown = JSON.parse(
      await postrider(['queue', 'list', '--json', '--config', `${server.directory}/postrider.toml`]),
    );
    assert.deepEqual(queue, { messages: [] });
  },
);

test(
  'Postfix in front, as a forwarder, says by XFORWARD whose mail it passes on',
  { skip: postfix.skip ?? swaks.skip ?? notRoot },
  async () => {
    const basePort = await freeBasePort();
    await using far = await startPostfix({
      domain: FAR,
      relayPort: basePort + 25,
      settings: ['smtp_send_xforward_command = yes'],
    });
    await using server = await startPostrider({
      basePort,
      config: '[trust]\nforwarders = ["127.0.0.0/8"]\n[log]\nlevel = "debug"\n',
    });
    const sent = await run('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      String(far.port),
      '--local-interface',
      '127.0.0.9',
      '--ehlo',
      'client.example',
      '--from',
      `carl@${FAR}`,
      '--to',
      ALICE.address,
    ]);
    assert.equal(sent.code, 0, sent.stdout);
    const [received = ''] = await waitForMessages(server, ALICE, 1);
    // It is Postfix's connection all the same: that is what the trace field names.
    assert.match(received, new RegExp(`^Received: from mx\\.${FAR} `, 'm'), await far.log());
    const said = (await server.heard(/smtp\.forwarded/))
      .split('\n')
      .filter((line) => line.includes('smtp.forwarded'))
      .join('\n');
    assert.match(said, /127\.0\.0\.9/, server.output());
    assert.match(said, /client\.example/);
  },
);

async function eventually(far: FarAgent, user: string, count: number): Promise<readonly string[]> {
  for (let tries = 0; ; tries += 1) {
    const messages = await far.messages(user);
    if (messages.length >= count || tries > 100) return messages;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
