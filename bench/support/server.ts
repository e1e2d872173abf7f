/** The servers under measure, all alike to the bench: ports, processes, an account, and where its mail is counted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../test/support/command.ts';
import { freeBasePort } from '../../test/support/postrider.ts';
import { pathOf } from './child.ts';
import { freePort } from '../../test/support/free-port.ts';

export type MeasuredServer = AsyncDisposable & {
  readonly name: string;
  readonly pids: readonly number[];
  readonly smtpPort: number;
  /** With TLS from the first octet, as people's programs use it. */
  readonly imapPort: number | undefined;
  readonly pop3Port?: number;
  /** Where its files are. */
  readonly directory: string;
  readonly address: string;
  readonly user: string;
  readonly password: string;
  /** Messages in the mailbox now, for a server without IMAP. */
  count?(): Promise<number>;
};

export type StartedPostrider = MeasuredServer & {
  /** From the start of the process to `ready`. */
  readonly startMs: number;
  /** Waits until the search index has all mail. */
  indexed(): Promise<void>;
};

const ADDRESS = 'bench@example.test';
const PASSWORD = 'bench-secret';

/** `BENCH_NODE_OPTIONS='--cpu-prof --cpu-prof-dir=/tmp/prof'` profiles the server under measure. */
function nodeOptions(): readonly string[] {
  return (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '');
}

export function benchDirectory(): string {
  return process.env['BENCH_DIR'] ?? tmpdir();
}

/**
 * A configured host that hands everything for `sink.test` to a port of this machine. Mail for its own address goes there: to
 * relay for a client without a login is nothing that it does.
 */
export async function startRelay(built: boolean, sinkPort: number, more = ''): Promise<StartedPostrider> {
  const entry = entryOf(built);
  const directory = await mkdtemp(join(benchDirectory(), 'postrider-bench-'));
  const smtpPort = await freePort();
  const config = join(directory, 'postrider.toml');
  await writeFile(
    config,
    `hostname = "mx.example.test"
dataDirectory = ${JSON.stringify(join(directory, 'data'))}
tls.selfSigned = true
outgoing.tls = "none"
outgoing.port = ${sinkPort}
${onlySmtp(smtpPort)}
[[routes]]
name = "sink"
recipients = ["sink.test"]
hosts = ["127.0.0.1:${sinkPort}"]
${more}
`,
  );
  for (const words of [
    ['domain', 'add', 'example.test'],
    ['alias', 'add', ADDRESS, 'taken@sink.test'],
  ])
    await command(entry, [...words, '--config', config]);
  return started(built, entry, ['serve', '--config', config], directory, { smtpPort, imapPort: undefined });
}

/** The listeners of a configuration: SMTP on loopback, and nothing else. */
export function onlySmtp(port: number): string {
  const others = ['submission', 'submissions', 'lmtp', 'imap', 'imaps', 'pop3', 'pop3s'];
  return [
    `listeners.smtp = { addresses = ["127.0.0.1"], port = ${port} }`,
    ...others.map((service) => `listeners.${service}.enabled = false`),
  ].join('\n');
}

async function command(entry: string, words: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [entry, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code]: unknown[] = await once(child, 'exit');
  if (code !== 0) throw new Error(`postrider ${words.join(' ')} failed`);
}

function entryOf(built: boolean): string {
  const entry = pathOf(built ? 'dist/app/main.js' : 'src/app/main.ts');
  if (!existsSync(entry)) throw new Error(`There is no ${entry}: run npm run build first`);
  return entry;
}

/**
 * @param built the published JavaScript (`npm run build`) instead of the source
 * @param others accounts beside the one that mail is sent to
 */
export async function startPostrider(
  built: boolean,
  others: readonly string[] = [],
): Promise<StartedPostrider> {
  const directory = await mkdtemp(join(benchDirectory(), 'postrider-bench-'));
  const basePort = await freeBasePort();
  const words = ['localserve', '--dir', directory, '--base-port', String(basePort)];
  for (const address of [ADDRESS, ...others]) words.push('--account', `${address}:${PASSWORD}`);
  return started(built, entryOf(built), words, directory, {
    smtpPort: basePort + 25,
    imapPort: basePort + 993,
    pop3Port: basePort + 995,
  });
}

async function started(
  built: boolean,
  entry: string,
  words: readonly string[],
  directory: string,
  ports: Pick<MeasuredServer, 'smtpPort' | 'imapPort' | 'pop3Port'>,
): Promise<StartedPostrider> {
  // As other servers do, it writes its log to a file.
  const log = openSync(join(directory, 'log'), 'w');
  const from = performance.now();
  const child = spawn(process.execPath, [...nodeOptions(), entry, ...words], {
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    if (child.stdout === null) throw new TypeError('A pipe was asked for');
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'ready') resolve();
    });
    child.once('exit', () => reject(new Error('Postrider did not start')));
  });
  const startMs = Math.round(performance.now() - from);
  return {
    name: built ? 'postrider (built)' : 'postrider',
    pids: [child.pid ?? 0],
    ...ports,
    directory,
    address: ADDRESS,
    user: ADDRESS,
    password: PASSWORD,
    startMs,
    async indexed() {
      const asked = ['search', 'status', ADDRESS, '--json', '--dir', directory];
      const isPending = async (): Promise<boolean> =>
        !/"pending": ?0\b/.test((await run(process.execPath, [entry, ...asked])).stdout);
      // oxlint-disable-next-line no-await-in-loop -- one question after the other
      while (await isPending()) await sleep(1000);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
