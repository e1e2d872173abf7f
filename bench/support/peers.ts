/**
 * Postfix and Dovecot of the bench's own, where Debian's packages are installed: folders in a temporary one, ports on
 * loopback, nothing of the machine's own configuration. Needs root, as they do. Settings that are not named here are
 * theirs, so both sync as they do by default. Dovecot's logins are in its "high-performance mode", or a hundred sessions
 * over TLS would be all.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { selfSigned } from '../../src/net/self-signed.ts';
import { masterOf } from '../../test/support/postfix.ts';
import { run } from '../../test/support/command.ts';
import { freePort } from '../../test/support/free-port.ts';
import { benchDirectory, type MeasuredServer } from './server.ts';

export type PeerKind = 'postfix' | 'postfix tuned' | 'postfix+dovecot';

const DOMAIN = 'example.test';
const USER = 'bench';
const ADDRESS = `${USER}@${DOMAIN}`;
/** What Postfix's TUNING_README recommends for many deliveries: more processes and parallel deliveries. */
const TUNED = [
  'default_process_limit = 200',
  'default_destination_concurrency_limit = 50',
  'virtual_destination_concurrency_limit = 50',
  'initial_destination_concurrency = 50',
  'in_flow_delay = 0',
  'smtpd_client_connection_count_limit = 0',
];

/** Why the peers cannot be measured here; undefined when they can. */
export async function peersMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'Postfix and Dovecot need root';
  const found = await Promise.all([
    run('postconf', ['-d', 'mail_version']),
    run('dovecot', ['--version']),
  ]).catch(() => undefined);
  return found?.every(({ code }) => code === 0) === true ? undefined : 'Postfix or Dovecot is not installed';
}

/** @param relayPort where mail for other domains goes, on loopback */
export async function startPeer(kind: PeerKind, relayPort?: number): Promise<MeasuredServer> {
  const root = await mkdtemp(join(benchDirectory(), 'postrider-peer-'));
  // Their processes run under users of their own, who must be able to pass.
  await chmod(root, 0o755);
  const mail = join(root, 'mail');
  const config = join(root, 'config');
  const uid = await idOf('-u');
  const gid = await idOf('-g');
  for (const folder of [config, mail, join(root, 'queue'), join(root, 'data')])
    await mkdir(folder, { mode: 0o755 });
  await chown(join(root, 'data'), uid, gid);
  await chown(mail, uid, gid);
  const smtpPort = await freePort();
  const withDovecot = kind === 'postfix+dovecot';
  const imapPort = withDovecot ? await freePort() : undefined;
  // The bench says so where Dovecot's POP3 is not installed.
  const pop3Port = withDovecot && existsSync('/usr/lib/dovecot/pop3') ? await freePort() : undefined;
  await writeFile(
    join(config, 'main.cf'),
    [
      'compatibility_level = 3.6',
      `myhostname = mx.${DOMAIN}`,
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
      `virtual_mailbox_domains = ${DOMAIN}`,
      `virtual_mailbox_base = ${mail}`,
      `virtual_mailbox_maps = inline:{ { ${ADDRESS} = ${USER}/Maildir/ } }`,
      'virtual_mailbox_limit = 0',
      'virtual_minimum_uid = 1',
      `virtual_uid_maps = static:${uid}`,
      `virtual_gid_maps = static:${gid}`,
      'smtpd_tls_security_level = none',
      `virtual_transport = ${withDovecot ? 'lmtp:unix:private/dovecot-lmtp' : 'virtual'}`,
      ...(relayPort === undefined ? [] : [`relayhost = [127.0.0.1]:${relayPort}`]),
      ...(kind === 'postfix tuned' ? TUNED : []),
      '',
    ].join('\n'),
  );
  await writeFile(
    join(config, 'master.cf'),
    masterOf(smtpPort, await readFile('/usr/share/postfix/master.cf.dist', 'utf8')),
  );
  const dovecot = join(root, 'dovecot.conf');
  // Postfix first: it makes the folder of the socket between them.
  await mustRun('postfix', ['-c', config, 'start']);
  const pids = [Number((await readFile(join(root, 'queue/pid/master.pid'), 'utf8')).trim())];
  if (imapPort !== undefined) {
    const { chain, key } = await selfSigned(['localhost'], Date.now());
    await writeFile(join(root, 'certificate.pem'), chain);
    await writeFile(join(root, 'key.pem'), key, { mode: 0o600 });
    await writeFile(dovecot, dovecotConfig(root, { imapPort, pop3Port }, uid, gid));
    await mustRun('dovecot', ['-c', dovecot]);
    pids.push(await pidFrom(join(root, 'dovecot-run/master.pid')));
  }
  return {
    name: kind,
    pids,
    smtpPort,
    imapPort,
    ...(pop3Port === undefined ? {} : { pop3Port }),
    directory: root,
    address: ADDRESS,
    user: USER,
    password: 'bench-secret',
    count: async () => (await readdir(join(mail, USER, 'Maildir/new')).catch(() => [])).length,
    async [Symbol.asyncDispose]() {
      if (withDovecot) await run('doveadm', ['-c', dovecot, 'stop']);
      await run('postfix', ['-c', config, 'abort']);
      await rm(root, { recursive: true, force: true });
    },
  };
}

function dovecotConfig(
  root: string,
  { imapPort, pop3Port }: { readonly imapPort: number; readonly pop3Port: number | undefined },
  uid: number,
  gid: number,
): string {
  const pop3 = `
service pop3-login {
  service_count = 0
  inet_listener pop3 {
    port = 0
  }
  inet_listener pop3s {
    port = ${pop3Port}
    ssl = yes
  }
}`;
  return `
base_dir = ${root}/dovecot-run
state_dir = ${root}/dovecot-state
log_path = ${root}/dovecot.log
protocols = imap lmtp${pop3Port === undefined ? '' : ' pop3'}
listen = 127.0.0.1
ssl = yes
ssl_cert = <${root}/certificate.pem
ssl_key = <${root}/key.pem
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
first_valid_uid = 1
auth_mechanisms = plain login
mail_max_userip_connections = 20000
passdb {
  driver = static
  args = password=bench-secret
}
userdb {
  driver = static
  args = uid=${uid} gid=${gid} home=${root}/mail/%n
}
service imap-login {
  service_count = 0
  client_limit = 20000
  process_min_avail = 2
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = ${imapPort}
    ssl = yes
  }
}
service imap {
  process_limit = 2048
}${pop3Port === undefined ? '' : pop3}
service lmtp {
  unix_listener ${root}/queue/private/dovecot-lmtp {
    mode = 0600
    user = postfix
    group = postfix
  }
}
service stats {
  client_limit = 10000
}
service anvil {
  client_limit = 10000
}
auth_username_format = %n
`;
}

/** Without pipes: a daemon keeps those it was started with. */
async function mustRun(command: string, args: readonly string[]): Promise<void> {
  const [code]: unknown[] = await once(spawn(command, args, { stdio: 'ignore' }), 'exit');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed with ${String(code)}`);
}

async function pidFrom(file: string): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text.trim() !== '') return Number(text);
    await sleep(50);
  }
  throw new Error(`There is no ${file}`);
}

async function idOf(what: '-u' | '-g'): Promise<number> {
  return Number((await run('id', [what, 'postfix'])).stdout.trim());
}
