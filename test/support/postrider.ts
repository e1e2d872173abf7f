/**
 * A whole Postrider in a process of its own, as a user would run it: for scenarios with other people's programs.
 * Everything on loopback, in a folder that goes when the test ends.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';

const ENTRY = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));
const START_MS = 30_000;
const HEARD_MS = 30_000;

export type PostriderOptions = {
  /** `ADDRESS:PASSWORD` */
  readonly accounts?: readonly string[];
  readonly hostname?: string;
  /** Lines of a configuration beyond names, ports and folders: then it is `serve`, and accounts are added before. */
  readonly config?: string;
  /** Lines of its table `tls`; needs `config`. */
  readonly tls?: string;
  /** With `config`: lines for the table of every listener. */
  readonly listenerLines?: string;
  /** A folder of an earlier run; it then outlives this one. */
  readonly directory?: string;
  readonly basePort?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its words that runs the server under limits of the system, in its own place. */
  readonly limitBy?: readonly string[];
};

export type RunningPostrider = AsyncDisposable & {
  readonly directory: string;
  readonly basePort: number;
  readonly pid: number;
  /** All of standard output and of standard error so far. */
  output(): string;
  /** Waits until the output has the pattern, for logs are written behind what a client sees; then gives all of it. */
  heard(pattern: RegExp): Promise<string>;
  port(service: Service): number;
  /** SIGTERM, then waits; gives the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL: a crash. */
  kill(): Promise<void>;
};

const SERVICES = {
  smtp: 25,
  submission: 587,
  submissions: 465,
  lmtp: 24,
  imap: 143,
  imaps: 993,
  pop3: 110,
  pop3s: 995,
} as const;
export type Service = keyof typeof SERVICES;

export const ALICE = { address: 'alice@example.test', password: 'alice-secret' };
export const BOB = { address: 'bob@example.test', password: 'bob-secret' };

export async function startPostrider(options: PostriderOptions = {}): Promise<RunningPostrider> {
  if (options.directory !== undefined || options.basePort !== undefined) return startOnce(options);
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOnce(options);
    } catch (cause) {
      // Between finding ports free and listening, a test in another process may have taken one.
      if (tries >= START_TRIES_MAX || !String(cause).includes('EADDRINUSE')) throw cause;
    }
  }
}

const START_TRIES_MAX = 3;

async function startOnce(options: PostriderOptions): Promise<RunningPostrider> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'postrider-test-')));
  const basePort = options.basePort ?? (await freeBasePort());
  const accounts = options.accounts ?? [
    `${ALICE.address}:${ALICE.password}`,
    `${BOB.address}:${BOB.password}`,
  ];
  const command =
    options.config === undefined
      ? [
          'localserve',
          '--dir',
          directory,
          '--base-port',
          String(basePort),
          ...accounts.flatMap((account) => ['--account', account]),
          ...(options.hostname === undefined ? [] : ['--hostname', options.hostname]),
        ]
      : await configure(directory, basePort, accounts, options);
  const words = [...(options.limitBy ?? []), process.execPath, ENTRY, ...command, ...(options.args ?? [])];
  const child = spawn(words[0] ?? '', words.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let output = '';
  const said = new EventEmitter();
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    said.emit('more');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  await ready(child, () => output);
  const stop = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
    child.kill(signal);
    return ended;
  };
  return {
    directory,
    basePort,
    pid: child.pid ?? 0,
    output: () => output,
    heard: async (pattern) => {
      const signal = AbortSignal.timeout(HEARD_MS);
      while (!pattern.test(output))
        await once(said, 'more', { signal }).catch(() => assert.match(output, pattern));
      return output;
    },
    port: (service) => basePort + SERVICES[service],
    stop: () => stop('SIGTERM'),
    kill: async () => void (await stop('SIGKILL')),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) await stop('SIGKILL');
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Writes a configuration on loopback, adds domains and accounts, and gives the arguments of `serve`. */
async function configure(
  directory: string,
  basePort: number,
  accounts: readonly string[],
  { config = '', tls = '', listenerLines = '', hostname = 'mail.example.test' }: PostriderOptions,
): Promise<string[]> {
  const file = join(directory, 'postrider.toml');
  const listeners = Object.entries(SERVICES).map(
    ([service, port]) =>
      `[listeners.${service}]\nenabled = true\naddresses = ["127.0.0.1", "::1"]\nport = ${basePort + port}\n${listenerLines}`,
  );
  await writeFile(
    file,
    [
      `hostname = ${JSON.stringify(hostname)}`,
      `dataDirectory = ${JSON.stringify(join(directory, 'data'))}`,
      '[tls]',
      'selfSigned = true',
      tls,
      ...listeners,
      config,
    ].join('\n'),
  );
  const domains = new Set(
    accounts.map((account) => account.slice(account.indexOf('@') + 1, account.indexOf(':'))),
  );
  for (const domain of domains) await postrider(['domain', 'add', domain, '--config', file]);
  for (const account of accounts) {
    const colon = account.indexOf(':');
    const password = ['--password', account.slice(colon + 1)];
    await postrider(['account', 'add', account.slice(0, colon), ...password, '--config', file]);
  }
  return ['serve', '--config', file];
}

/** The command line, which must succeed or find that it was done before. */
export async function postrider(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(process.execPath, [ENTRY, ...args]);
  if (code !== 0 && !/exists/.test(stderr))
    throw new Error(`postrider ${args.join(' ')} gave ${code}: ${stderr}`);
  return stdout;
}

async function ready(child: ChildProcess, output: () => string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${why}; it said:\n${output()}`));
    };
    const timer = setTimeout(() => fail(`Not ready within ${START_MS} ms`), START_MS);
    const onExit = (code: number | null): void => fail(`Ended with ${code} before it was ready`);
    child.once('exit', onExit);
    child.stdout?.on('data', () => {
      if (!/^ready$/m.test(output())) return;
      clearTimeout(timer);
      child.off('exit', onExit);
      resolve();
    });
  });
}

/** A base at which every service's port is free now on both loopback addresses. */
export async function freeBasePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    // Below the range from which the kernel takes ports for clients.
    const base = 11_000 + 10 * randomInt(1600);
    const free = await Promise.all(
      Object.values(SERVICES).flatMap((port) => [
        isFree('127.0.0.1', base + port),
        isFree('::1', base + port),
      ]),
    );
    if (free.every(Boolean)) return base;
  }
  throw new Error('No free ports on loopback');
}

async function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
}
