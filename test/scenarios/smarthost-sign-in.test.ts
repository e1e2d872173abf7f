/** Our client signs in to a Postfix whose logins Dovecot judges: by SCRAM, and never to one that cannot prove itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../../src/net/connect.ts';
import { openSmtp } from '../../src/smtp/client/client.ts';
import { formatProblem } from '../../src/smtp/client/problem.ts';
import { SMTP_TIMEOUTS } from '../../src/smtp/client/timeouts.ts';
import { systemRandom } from '../../src/app/system.ts';
import { makeCertificate } from '../support/certificates.ts';
import { peer } from '../support/peer.ts';
import { startPostfix } from '../support/postfix.ts';
import { REAL_CLOCK } from '../support/world.ts';

const postfix = peer('postfix');
const dovecot = peer('dovecot');
const PASSWORD = 'p\u00e4ss w\u00f6rd';

type Judge = AsyncDisposable & { readonly socket: string };

/** Dovecot with nothing but its service that judges logins. Needs root, as Dovecot does. */
async function startJudge(mechanisms: string): Promise<Judge> {
  const root = await mkdtemp(join(tmpdir(), 'dovecot-test-'));
  await chmod(root, 0o755);
  const socket = join(root, 'judge');
  await writeFile(join(root, 'passwords'), `relay@example.test:{PLAIN}${PASSWORD}\n`);
  await writeFile(
    join(root, 'dovecot.conf'),
    [
      'protocols =',
      `base_dir = ${root}/run`,
      `state_dir = ${root}/state`,
      `log_path = ${root}/log`,
      'ssl = no',
      `auth_mechanisms = ${mechanisms}`,
      `passdb {\n  driver = passwd-file\n  args = ${root}/passwords\n}`,
      'userdb {\n  driver = static\n  args = uid=nobody gid=nogroup home=/nonexistent\n}',
      `service auth {\n  unix_listener ${socket} {\n    mode = 0666\n  }\n}`,
      '',
    ].join('\n'),
  );
  const child = spawn('dovecot', ['-F', '-c', join(root, 'dovecot.conf')], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(root, { recursive: true, force: true });
    },
  };
}

const skip = postfix.skip ?? dovecot.skip;
for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN', 'LOGIN']) {
  test(`Postfix with Dovecot's logins takes ${mechanism} of us`, { skip }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'smarthost-test-'));
    try {
      const certificate = await makeCertificate({ name: 'mx.far.test', names: ['mx.far.test'] });
      const tls = { certificateFile: join(folder, 'chain.pem'), keyFile: join(folder, 'key.pem') };
      await chmod(folder, 0o755);
      await writeFile(tls.certificateFile, certificate.pem);
      await writeFile(tls.keyFile, certificate.keyPem, { mode: 0o600 });
      await using judge = await startJudge(mechanism.toLowerCase());
      await using far = await startPostfix({
        domain: 'far.test',
        relayPort: 9,
        tls,
        saslSocket: judge.socket,
      });
      const outcome = async (password: string): Promise<string> => {
        const address = '127.0.0.1';
        const connected = await connect({ host: 'mx.far.test', address, port: far.port, timeoutMs: 10_000 });
        assert.ok(connected.ok);
        const opened = await openSmtp(connected.value, {
          protocol: 'smtp',
          helloName: 'here.example',
          servername: 'mx.far.test',
          tls: 'required',
          handshake: { certificate: { kind: 'any' } },
          credentials: { authenticationId: 'relay@example.test', password },
          chunking: true,
          timeouts: SMTP_TIMEOUTS,
          clock: REAL_CLOCK,
          random: systemRandom,
        });
        if (!opened.ok) return formatProblem(opened.error);
        assert.deepEqual(opened.value.features.mechanisms, [mechanism]);
        const content = (): Uint8Array[] => [Buffer.from('Subject: x\r\n\r\nx\r\n')];
        const path = { localPart: 'carl', domain: 'far.test', domainSyntax: 'name', ascii: true } as const;
        const { outcomes } = await opened.value.send({
          reversePath: null,
          recipients: [{ forwardPath: path }],
          body: '7BIT',
          smtpUtf8: false,
          octets: 17,
          content,
        });
        await opened.value.quit();
        return outcomes.map(({ kind }) => kind).join();
      };
      assert.equal(await outcome(PASSWORD), 'relayed');
      assert.match(await outcome('wrong'), /^535 /);
      assert.match(await far.log(), new RegExp(`sasl_method=${mechanism}, sasl_username=relay@example.test`));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
