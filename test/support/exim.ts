/** An Exim of the test's own, all of it in a temporary folder. Needs root, to work under the user that it was built for. */
import { spawn } from 'node:child_process';
import { chown, copyFile, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './command.ts';
import type { FarAgent, FarAgentOptions } from './far-agent.ts';
import { readMaildir, untilItGreets } from './far-agent.ts';
import { freePort } from './free-port.ts';

const USER = 'Debian-exim';

export async function startExim(program: string, options: FarAgentOptions): Promise<FarAgent> {
  const root = await mkdtemp(join(tmpdir(), 'exim-test-'));
  const port = await freePort();
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (what) => Number((await run('id', [what, USER])).stdout.trim())),
  );
  if (uid === undefined || gid === undefined) throw new Error(`There is no user ${USER}`);
  for (const folder of ['', 'spool', 'log', 'mail']) {
    await mkdir(join(root, folder), { recursive: true, mode: 0o755 });
    await chown(join(root, folder), uid, gid);
  }
  const { tls } = options;
  // Its own user must be able to read them.
  const own =
    tls === undefined
      ? undefined
      : { certificateFile: join(root, 'certificate.pem'), keyFile: join(root, 'key.pem') };
  if (tls !== undefined && own !== undefined) {
    await copyFile(tls.certificateFile, own.certificateFile);
    await copyFile(tls.keyFile, own.keyFile);
    await chown(own.keyFile, uid, gid);
  }
  const config = join(root, 'exim.conf');
  const path = await realpath(program);
  await writeFile(
    config,
    configOf(path, root, port, { ...options, ...(own === undefined ? {} : { tls: own }) }),
    { mode: 0o644 },
  );
  const child = spawn(path, ['-C', config, '-bdf', '-q1s'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await untilItGreets(child, port, () => said);
  return {
    port,
    messages: (user) => readMaildir(join(root, 'mail', user)),
    log: async () => `${said}${await readFile(join(root, 'log', 'main'), 'utf8').catch(() => '')}`,
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
      await rm(root, { recursive: true, force: true });
    },
  };
}

function configOf(
  path: string,
  root: string,
  port: number,
  { domain, relayPort, tls }: FarAgentOptions,
): string {
  return [
    `exim_path = ${path}`,
    `exim_user = ${USER}`,
    `exim_group = ${USER}`,
    `primary_hostname = mx.${domain}`,
    `spool_directory = ${root}/spool`,
    `log_file_path = ${root}/log/%s`,
    `pid_file_path = ${root}/exim.pid`,
    `daemon_smtp_ports = ${port}`,
    'local_interfaces = 127.0.0.1',
    'never_users =',
    'keep_environment =',
    'dsn_advertise_hosts = *',
    'smtputf8_advertise_hosts = *',
    'chunking_advertise_hosts = *',
    'acl_smtp_rcpt = check_rcpt',
    ...(tls === undefined
      ? ['tls_advertise_hosts =']
      : [
          'tls_advertise_hosts = *',
          `tls_certificate = ${tls.certificateFile}`,
          `tls_privatekey = ${tls.keyFile}`,
        ]),
    'begin acl',
    'check_rcpt:',
    `  accept domains = ${domain}`,
    '    local_parts = carl : kärl',
    `  deny domains = ${domain}`,
    '    message = Unknown user',
    '  accept hosts = 127.0.0.1',
    '  deny message = relay not permitted',
    'begin routers',
    'here:',
    '  driver = accept',
    `  domains = ${domain}`,
    '  local_parts = carl : kärl',
    '  transport = to_maildir',
    'there:',
    '  driver = manualroute',
    `  domains = !${domain}`,
    '  transport = to_smtp',
    '  route_list = * 127.0.0.1',
    '  self = send',
    'begin transports',
    'to_maildir:',
    '  driver = appendfile',
    '  maildir_format',
    `  directory = ${root}/mail/carl`,
    '  create_directory',
    `  user = ${USER}`,
    '  delivery_date_add',
    '  envelope_to_add',
    '  return_path_add',
    'to_smtp:',
    '  driver = smtp',
    `  port = ${relayPort}`,
    `  hosts_require_tls = ${tls === undefined ? '' : '*'}`,
    `  hosts_avoid_tls = ${tls === undefined ? '*' : ''}`,
    '  tls_try_verify_hosts = *',
    'begin retry',
    '* * F,1h,1s',
    '',
  ].join('\n');
}
