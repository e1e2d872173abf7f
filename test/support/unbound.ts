/**
 * An unbound of the test's own that validates, over zones of the test's own: it answers for nothing else and asks nobody. A
 * signed zone is signed by ldns, and its key is unbound's trust anchor.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './command.ts';
import { freePort } from './free-port.ts';
import { peer } from './peer.ts';

export type UnboundZone = {
  readonly name: string;
  /** 'bogus': signed with another key than the trust anchor's. */
  readonly dnssec: 'signed' | 'unsigned' | 'bogus';
  /** Lines of a zone file, names relative to the zone; SOA and NS are there already. */
  readonly records: readonly string[];
};

export type Unbound = AsyncDisposable & { readonly port: number };

const unbound = peer('unbound');
const keygen = peer('ldns-keygen');
const signzone = peer('ldns-signzone');
const START_MS = 20_000;

/** Goes into the options of `test`: the reason to skip, or undefined. */
export const unboundSkip: string | undefined = unbound.skip ?? keygen.skip ?? signzone.skip;

export async function startUnbound(zones: readonly UnboundZone[]): Promise<Unbound> {
  const root = await mkdtemp(join(tmpdir(), 'unbound-test-'));
  const port = await freePort();
  const files = await Promise.all(zones.map(async (zone) => ({ zone, ...(await zoneFile(root, zone)) })));
  // Nothing outside is asked: the root is here too, and knows nobody.
  await writeFile(join(root, 'root.zone'), head('.').join('\n'));
  const lines = [
    'server:',
    '  interface: 127.0.0.1',
    `  port: ${port}`,
    '  do-ip6: no',
    '  do-daemonize: no',
    '  username: ""',
    '  chroot: ""',
    `  directory: "${root}"`,
    '  pidfile: ""',
    '  use-syslog: no',
    '  logfile: ""',
    '  verbosity: 1',
    '  do-not-query-localhost: no',
    '  module-config: "validator iterator"',
    // RFC 6761 §6.2 keeps this name from resolvers otherwise.
    '  local-zone: "test." nodefault',
    ...files.flatMap(({ anchor }) => (anchor === undefined ? [] : [`  trust-anchor: "${anchor}"`])),
    ...[
      { name: '.', file: join(root, 'root.zone') },
      ...files.map(({ zone, file }) => ({ name: zone.name, file })),
    ].flatMap(({ name, file }) => [
      'auth-zone:',
      `  name: "${name}"`,
      `  zonefile: "${file}"`,
      '  for-upstream: yes',
      '  for-downstream: no',
      '  fallback-enabled: no',
    ]),
    '',
  ];
  await writeFile(join(root, 'unbound.conf'), lines.join('\n'));
  const child = spawn(unbound.path ?? 'unbound', ['-c', join(root, 'unbound.conf'), '-d'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const started = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`unbound did not start: ${said}`)), START_MS);
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (!said.includes('start of service')) return;
      clearTimeout(timer);
      resolve();
    });
    void ended.then(() => reject(new Error(`unbound ended: ${said}`)));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    await rm(root, { recursive: true, force: true });
  };
  try {
    await started;
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { port, [Symbol.asyncDispose]: stop };
}

function head(name: string): string[] {
  return [
    `$ORIGIN ${name === '.' ? '.' : `${name}.`}`,
    '$TTL 300',
    '@ IN SOA ns hostmaster 1 3600 600 86400 60',
    '@ IN NS ns',
    'ns IN A 127.0.0.1',
    '',
  ];
}

async function zoneFile(
  root: string,
  { name, dnssec, records }: UnboundZone,
): Promise<{ readonly file: string; readonly anchor: string | undefined }> {
  const file = join(root, `${name}.zone`);
  await writeFile(file, [...head(name), ...records, ''].join('\n'));
  if (dnssec === 'unsigned') return { file, anchor: undefined };
  const key = await makeKey(root, name);
  const signed = await run(signzone.path ?? 'ldns-signzone', ['-f', `${file}.signed`, file, key]);
  if (signed.code !== 0) throw new Error(`${name} was not signed: ${signed.stdout}${signed.stderr}`);
  const anchorKey = dnssec === 'bogus' ? await makeKey(root, name) : key;
  return { file: `${file}.signed`, anchor: anchorOf(await readFile(`${anchorKey}.key`, 'utf8')) };
}

/** Gives the path without its ending. */
async function makeKey(root: string, name: string): Promise<string> {
  const words = ['-k', '-r', '/dev/urandom', '-a', 'ECDSAP256SHA256', name];
  const made = await run(keygen.path ?? 'ldns-keygen', words, { cwd: root });
  if (made.code !== 0) throw new Error(`No key for ${name}: ${made.stdout}${made.stderr}`);
  return join(root, made.stdout.trim());
}

/** The record without comment, on one line. */
function anchorOf(text: string): string {
  return text.split(';', 1)[0]?.trim().replaceAll(/\s+/g, ' ') ?? '';
}
