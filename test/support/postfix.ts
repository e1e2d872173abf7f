/**
 * A Postfix of the test's own: its folders in a temporary one, its port on loopback, the mail of one domain delivered
 * into Maildirs, everything else relayed to one host. Needs root, as Postfix does.
 */
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FarAgent, FarAgentOptions } from './far-agent.ts';
import { readMaildir } from './far-agent.ts';
import { freePort } from './free-port.ts';
import { run } from './command.ts';

export type PostfixOptions = FarAgentOptions & {
  /** Another user there, whose mail is taken first, and then comes back as undeliverable. */
  readonly bouncingUser?: string;
  /** The socket of a Dovecot that judges logins; with `tls`. */
  readonly saslSocket?: string;
  /** Further settings of its main.cf. */
  readonly settings?: readonly string[];
  /** Further domains whose `carl` has the same mailbox. */
  readonly alsoFor?: readonly string[];
  /** Any that is free, if it is left out. */
  readonly port?: number;
};

/** A program that takes nothing. */
const FAILING = 'failing unix - n n - - pipe flags= user=nobody argv=/bin/false';

export async function startPostfix({
  domain,
  relayPort,
  bouncingUser,
  saslSocket,
  tls,
  settings = [],
  alsoFor = [],
  port: wanted,
}: PostfixOptions): Promise<FarAgent> {
  const root = await mkdtemp(join(tmpdir(), 'postfix-test-'));
  // Postfix works under users of its own, who must be able to pass.
  await chmod(root, 0o755);
  const port = wanted ?? (await freePort());
  const config = join(root, 'config');
  const mail = join(root, 'mail');
  const [uid, gid] = await idsOf('postfix');
  for (const folder of [config, mail, join(root, 'queue'), join(root, 'data')])
    await mkdir(folder, { mode: 0o755 });
  await chown(join(root, 'data'), uid, gid);
  await chown(mail, uid, gid);
  await writeFile(
    join(config, 'main.cf'),
    [
      'compatibility_level = 3.6',
      `myhostname = mx.${domain}`,
      'mydestination =',
      'inet_interfaces = 127.0.0.1',
      'inet_protocols = ipv4',
      'mynetworks = 127.0.0.0/8',
      `queue_directory = ${root}/queue`,
      `data_directory = ${root}/data`,
      `maillog_file = ${root}/postfix.log`,
      `maillog_file_prefixes = ${root}`,
      'alias_maps =',
      'alias_database =',
      'local_recipient_maps =',
      `relayhost = [127.0.0.1]:${relayPort}`,
      `virtual_mailbox_domains = ${[domain, ...alsoFor].join(', ')}`,
      `virtual_mailbox_base = ${mail}`,
      `virtual_mailbox_maps = inline:{ ${['carl', 'kärl', bouncingUser ?? 'carl']
        .map((user) => `{ ${user}@${domain} = ${user === 'kärl' ? 'carl' : user}/ }`)
        .concat(alsoFor.map((other) => `{ carl@${other} = carl/ }`))
        .join(', ')} }`,
      ...(bouncingUser === undefined
        ? []
        : [`transport_maps = inline:{ { ${bouncingUser}@${domain} = failing: } }`]),
      `virtual_minimum_uid = 1`,
      `virtual_uid_maps = static:${uid}`,
      `virtual_gid_maps = static:${gid}`,
      ...(tls === undefined
        ? ['smtpd_tls_security_level = none', 'smtp_tls_security_level = may']
        : [
            'smtpd_tls_security_level = may',
            `smtpd_tls_chain_files = ${tls.keyFile}, ${tls.certificateFile}`,
            'smtp_tls_security_level = encrypt',
          ]),
      ...(saslSocket === undefined
        ? []
        : [
            'smtpd_sasl_auth_enable = yes',
            'smtpd_sasl_type = dovecot',
            `smtpd_sasl_path = ${saslSocket}`,
            'smtpd_tls_auth_only = yes',
          ]),
      'smtputf8_enable = yes',
      'minimal_backoff_time = 1s',
      'queue_run_delay = 1s',
      ...settings,
      '',
    ].join('\n'),
  );
  await writeFile(
    join(config, 'master.cf'),
    `${masterOf(port, await readFile('/usr/share/postfix/master.cf.dist', 'utf8'))}\n${FAILING}\n`,
  );
  const started = await run('postfix', ['-c', config, 'start']);
  if (started.code !== 0) throw new Error(`Postfix did not start: ${started.stdout}${started.stderr}`);
  return {
    port,
    messages: (user) => readMaildir(join(mail, user)),
    log: () => readFile(join(root, 'postfix.log'), 'utf8').catch(() => ''),
    [Symbol.asyncDispose]: async () => {
      await run('postfix', ['-c', config, 'abort']);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Debian's services with our port in place of 25, and none in a chroot. */
export function masterOf(port: number, distributed: string): string {
  const lines = distributed.split('\n').map((line) => {
    if (/^smtp\s+inet\s/.test(line)) return `127.0.0.1:${port} inet n - n - - smtpd`;
    return /^\S+\s+(unix|unix-dgram)\s/.test(line)
      ? line.replace(/^(\S+\s+\S+\s+\S+\s+\S+\s+)y(\s)/, '$1n$2')
      : line;
  });
  return [
    ...lines,
    ...(distributed.includes('\npostlog') ? [] : ['postlog unix-dgram n - n - 1 postlogd']),
    '',
  ].join('\n');
}

async function idsOf(user: string): Promise<readonly [uid: number, gid: number]> {
  const { stdout } = await run('id', ['-u', user]);
  const group = await run('id', ['-g', user]);
  return [Number(stdout.trim()), Number(group.stdout.trim())];
}
