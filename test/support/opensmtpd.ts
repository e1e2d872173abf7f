/**
 * An OpenSMTPD of the test's own. Its socket and its queue are where it was built to have them, so there is one on a machine at
 * a time; its configuration, its port and its mail are the test's. Needs root. Under TLS it relays only, unless `offersTls`: as
 * Debian 12 builds it, with OpenSSL 3, it offers STARTTLS and then cannot use its own key.
 */
import { spawn } from 'node:child_process';
import { chown, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './command.ts';
import type { FarAgent, FarAgentOptions } from './far-agent.ts';
import { readMaildir, untilItGreets } from './far-agent.ts';
import { freePort } from './free-port.ts';

/** Under whom mail is kept. */
const USER = 'nobody';

export async function startOpenSmtpd(
  program: string,
  options: FarAgentOptions & { readonly offersTls?: boolean },
): Promise<FarAgent> {
  const root = await mkdtemp(join(tmpdir(), 'opensmtpd-test-'));
  const port = await freePort();
  const [uid = 0, gid = 0] = await Promise.all(
    ['-u', '-g'].map(async (what) => Number((await run('id', [what, USER])).stdout.trim())),
  );
  for (const folder of ['', 'mail', 'mail/carl']) {
    await mkdir(join(root, folder), { recursive: true, mode: 0o755 });
    await chown(join(root, folder), uid, gid);
  }
  const config = join(root, 'smtpd.conf');
  await writeFile(config, configOf(root, port, uid, gid, options));
  const child = spawn(await realpath(program), ['-d', '-f', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await untilItGreets(child, port, () => said);
  return {
    port,
    messages: (user) => readMaildir(join(root, 'mail', user)),
    log: async () => said,
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
      await rm(root, { recursive: true, force: true });
    },
  };
}

function configOf(
  root: string,
  port: number,
  uid: number,
  gid: number,
  { domain, relayPort, tls, offersTls = false }: Parameters<typeof startOpenSmtpd>[1],
): string {
  const offered = offersTls ? tls : undefined;
  return [
    ...(offered === undefined
      ? []
      : [`pki mx.${domain} cert "${offered.certificateFile}"`, `pki mx.${domain} key "${offered.keyFile}"`]),
    `table users { carl = "${uid}:${gid}:${root}/mail/carl" }`,
    `listen on 127.0.0.1 port ${port} hostname mx.${domain}${offered === undefined ? '' : ` tls pki mx.${domain}`}`,
    `action "here" maildir "${root}/mail/carl" userbase <users>`,
    tls === undefined
      ? `action "there" relay host smtp+notls://127.0.0.1:${relayPort}`
      : `action "there" relay host smtp+tls://127.0.0.1:${relayPort} tls no-verify`,
    `match from any for domain "${domain}" action "here"`,
    'match from any for any action "there"',
    '',
  ].join('\n');
}
