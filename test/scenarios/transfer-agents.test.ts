/**
 * Postfix, Exim and OpenSMTPD, each in plain and under TLS: mail goes both ways with its reports of success and failure, and an
 * internationalized address arrives where the other side speaks SMTPUTF8 and is reported where it does not.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { makeCertificate } from '../support/certificates.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { startExim } from '../support/exim.ts';
import type { FarAgent, FarAgentOptions } from '../support/far-agent.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { startOpenSmtpd } from '../support/opensmtpd.ts';
import { peer } from '../support/peer.ts';
import { startPostfix } from '../support/postfix.ts';
import { ALICE, BOB, freeBasePort, startPostrider } from '../support/postrider.ts';
import { settled } from '../support/settled.ts';

const FAR = 'far.test';
const CARL = `carl@${FAR}`;
const TEXT = Array.from({ length: 50 }, (_, line) =>
  line % 3 === 0 ? `.zeile ${line} ä` : `zeile ${line}`,
).join('\n');

type Start = (program: string, options: FarAgentOptions) => Promise<FarAgent>;

const agents: readonly {
  readonly name: string;
  readonly program: string;
  readonly start: Start;
  /** It takes internationalized addresses. */
  readonly speaksUtf8: boolean;
  /** STARTTLS can be had from it, not only asked of us. */
  readonly servesTls: boolean;
}[] = [
  {
    name: 'Postfix',
    program: 'postfix',
    start: (_, options) => startPostfix(options),
    speaksUtf8: true,
    servesTls: true,
  },
  { name: 'Exim', program: 'exim4', start: startExim, speaksUtf8: true, servesTls: true },
  { name: 'OpenSMTPD', program: 'opensmtpd', start: startOpenSmtpd, speaksUtf8: false, servesTls: false },
];

const notRoot = process.getuid?.() === 0 ? undefined : 'Other transfer agents are started by root only';

for (const { name, program, start, speaksUtf8, servesTls } of agents)
  for (const secure of [false, true]) {
    const { path = '', skip } = peer(program);
    test(`mail with ${name} ${secure ? 'under TLS' : 'in plain'}`, { skip: skip ?? notRoot }, async () => {
      await using files = await certificateFiles();
      await using dns = await startDnsServer({
        [FAR]: { mx: [{ preference: 10, exchange: `mx.${FAR}` }] },
        [`mx.${FAR}`]: { a: ['127.0.0.1'] },
      });
      const basePort = await freeBasePort();
      const options = { domain: FAR, relayPort: basePort + 25, ...(secure ? { tls: files } : {}) };
      await using far = await start(path, options);
      await using server = await startPostrider({
        basePort,
        config: [
          '[resolver]',
          `servers = ["127.0.0.1:${dns.port}"]`,
          '[outgoing]',
          `port = ${far.port}`,
          ...(secure && servesTls
            ? ['[[routes]]', 'name = "far"', `recipients = ["${FAR}"]`, 'tls = "encrypt"']
            : []),
          '',
        ].join('\n'),
      });
      const told = async (): Promise<string> => `${await far.log()}\n${server.output()}`;

      // From there to here, and the report of its success back.
      const theirs = createTransport({
        host: '127.0.0.1',
        port: far.port,
        tls: { rejectUnauthorized: false },
      });
      const dsn = { id: 'there-1', return: 'headers', notify: 'success', recipient: ALICE.address } as const;
      await theirs.sendMail({ from: CARL, to: ALICE.address, subject: 'from afar', text: TEXT, dsn });
      theirs.close();
      const [received = ''] = await waitForMessages(server, ALICE, 1);
      assert.match(received, /^Subject: from afar\r$/m, await told());
      assert.match(received, new RegExp(`^Return-Path: <${CARL}>\r$`, 'm'));
      assert.match(
        received,
        secure ? /^\s.*with (?:UTF8SMTPS|ESMTPS)\b/m : /^\s.*with (?:UTF8SMTP|ESMTP)\b/m,
      );
      const [reported = ''] = await atLeast(far, 1);
      assert.match(reported, /^From: Mail Delivery System/m, await told());
      assert.match(reported, /^Action: delivered$/m);
      assert.match(reported, /^Original-Envelope-Id: there-1$/im);

      // From here to there, and their report of its success.
      const ours = createTransport({
        host: '127.0.0.1',
        port: server.port('submissions'),
        secure: true,
        tls: { rejectUnauthorized: false },
        auth: { user: BOB.address, pass: BOB.password },
      });
      const success = { id: 'here-1', return: 'headers', notify: 'success', recipient: CARL } as const;
      await ours.sendMail({ from: BOB.address, to: CARL, subject: 'to afar', text: TEXT, dsn: success });
      const arrived = (await atLeast(far, 2)).find((one) => /^Subject: to afar$/m.test(one));
      assert.ok(arrived !== undefined, await told());
      const [relayed = ''] = await waitForMessages(server, BOB, 1);
      assert.match(relayed, /^Action: (?:delivered|relayed)\r$/im, await told());

      // What they refuse comes back.
      await ours.sendMail({ from: BOB.address, to: `nobody@${FAR}`, subject: 'nobody', text: 'x' });
      const failed =
        (await waitForMessages(server, BOB, 2)).find((one) => /^Action: failed\r$/m.test(one)) ?? '';
      assert.match(failed, new RegExp(`^Final-Recipient: rfc822; ?nobody@${FAR}\r$`, 'm'), await told());
      assert.match(failed, new RegExp(`^Remote-MTA: dns; ?mx\\.${FAR}\r$`, 'm'));

      // RFC 6531 §3.5.
      await ours.sendMail({ from: BOB.address, to: `kärl@${FAR}`, subject: 'grüße', text: TEXT });
      if (speaksUtf8) {
        const found = (await atLeast(far, 3)).filter((one) => /^Subject: =\?utf-8\?/im.test(one));
        assert.equal(found.length, 1, await told());
      } else {
        const reports = await waitForMessages(server, BOB, 3);
        assert.ok(
          reports.some((one) => /^Status: 5\.6\.7\r$/m.test(one)),
          await told(),
        );
      }
      ours.close();
    });
  }

const smtpd = peer('opensmtpd');

test(
  'OpenSMTPD as a TLS server: where its TLS is broken, mail that may goes in plain, and what must not waits',
  { skip: smtpd.skip ?? notRoot },
  async () => {
    await using files = await certificateFiles();
    await using dns = await startDnsServer({
      [FAR]: { mx: [{ preference: 10, exchange: `mx.${FAR}` }] },
      [`mx.${FAR}`]: { a: ['127.0.0.1'] },
    });
    const basePort = await freeBasePort();
    const options = { domain: FAR, relayPort: basePort + 25, tls: files, offersTls: true };
    await using far = await startOpenSmtpd(smtpd.path ?? '', options);
    await using server = await startPostrider({
      basePort,
      config: [
        '[resolver]',
        `servers = ["127.0.0.1:${dns.port}"]`,
        '[outgoing]',
        `port = ${far.port}`,
        '[[routes]]',
        'name = "strict"',
        `recipients = ["dora@${FAR}"]`,
        'tls = "encrypt"',
        '[log]',
        'level = "debug"',
      ].join('\n'),
    });
    // Which of the two it is is its builder's doing; that of Debian 12 cannot.
    const probe = createTransport({
      host: '127.0.0.1',
      port: far.port,
      requireTLS: true,
      tls: { rejectUnauthorized: false },
    });
    const canTls = await probe.verify().then(
      () => true,
      () => false,
    );
    probe.close();
    const ours = createTransport({
      host: '127.0.0.1',
      port: server.port('submissions'),
      secure: true,
      tls: { rejectUnauthorized: false },
      auth: { user: BOB.address, pass: BOB.password },
    });
    const send = (to: string, subject: string): Promise<unknown> =>
      ours.sendMail({ from: BOB.address, to, subject, text: TEXT });
    await send(CARL, 'first');
    const first = await settled(server, CARL);
    assert.equal(first.outcome, 'relayed', await far.log());
    assert.match(first.tls ?? '', canTls ? /^TLSv1/ : /^plain$/);
    await send(CARL, 'second');
    await send(`dora@${FAR}`, 'never in plain');
    assert.equal((await atLeast(far, 2)).length, 2, await far.log());
    const strict = await settled(server, `dora@${FAR}`);
    if (canTls) assert.equal(strict.reason, 'smtp.address', server.output());
    else {
      assert.equal(strict.reason, 'tls.handshake', server.output());
      await server.heard(/"reached":"handshake: /);
      await server.heard(/"reached":"plain, not tried as it failed before/);
    }
    ours.close();
  },
);

async function certificateFiles(): Promise<AsyncDisposable & { certificateFile: string; keyFile: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-certificate-'));
  const { pem, keyPem } = await makeCertificate({ name: `mx.${FAR}`, names: [`mx.${FAR}`] });
  const certificateFile = join(folder, 'certificate.pem');
  const keyFile = join(folder, 'key.pem');
  await writeFile(certificateFile, pem);
  await writeFile(keyFile, keyPem, { mode: 0o600 });
  return {
    certificateFile,
    keyFile,
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}

const WAIT_MS = 20_000;

async function atLeast(far: FarAgent, count: number): Promise<readonly string[]> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const messages = await far.messages('carl');
    if (messages.length >= count || performance.now() > end) return messages;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
