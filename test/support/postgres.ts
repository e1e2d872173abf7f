/**
 * A PostgreSQL of the test's own: its data in a temporary folder, reached over a socket in it. It does not sync: what a
 * test asks is not what a power cut leaves. PostgreSQL refuses to run as root, so root hands it to the user `postgres`.
 */
import { spawn } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './command.ts';
import { peer } from './peer.ts';

export type RunningPostgres = AsyncDisposable & {
  /** A new, empty database. */
  makeDatabase(): Promise<string>;
  /** Ends every connection at once, as a crash of the database would. */
  crash(): Promise<void>;
  /** After `crash`. */
  start(): Promise<void>;
};

const USER = 'postgres';
const START_MS = 30_000;

const initdb = peer('initdb');
const server = peer('postgres');
const setpriv = peer('setpriv');
const isRoot = process.getuid?.() === 0;

/** Goes into the options of `test`: the reason to skip, or undefined. */
export const postgresSkip: string | undefined =
  initdb.skip ?? server.skip ?? (isRoot ? setpriv.skip : undefined);

export async function startPostgres(): Promise<RunningPostgres> {
  const root = await mkdtemp(join(tmpdir(), 'pg-test-'));
  if (isRoot) await chown(root, ...(await idsOf(USER)));
  const data = join(root, 'data');
  const made = await asServer(initdb.path ?? 'initdb', [
    `--pgdata=${data}`,
    `--username=${USER}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ]);
  if (made.code !== 0) throw new Error(`initdb failed: ${made.stdout}${made.stderr}`);
  let stop = await serve(root, data);
  let databases = 0;
  const urlOf = (name: string): string =>
    `postgres://${USER}@localhost/${name}?host=${encodeURIComponent(root)}`;
  return {
    makeDatabase: async () => {
      databases += 1;
      const name = `test${databases}`;
      const { Client } = await import('pg');
      const client = new Client({ connectionString: urlOf('postgres') });
      await client.connect();
      await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
      await client.end();
      return urlOf(name);
    },
    crash: () => stop('SIGQUIT'),
    start: async () => {
      stop = await serve(root, data);
    },
    [Symbol.asyncDispose]: async () => {
      await stop('SIGINT');
      await rm(root, { recursive: true, force: true });
    },
  };
}

type Stop = (signal: NodeJS.Signals) => Promise<void>;

async function serve(root: string, data: string): Promise<Stop> {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: root,
    fsync: 'off',
    full_page_writes: 'off',
    max_connections: '200',
    log_min_messages: 'fatal',
  };
  const args = [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const [command, ...rest] = asServerCommand(server.path ?? 'postgres', args);
  const child = spawn(command ?? '', rest, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop: Stop = async (signal) => {
    child.kill(signal);
    await ended;
  };
  const deadline = Date.now() + START_MS;
  const ready = ['--host', root, '--username', USER, '--dbname', 'postgres'];
  for (;;) {
    const { code } = await run(peer('pg_isready').path ?? 'pg_isready', ready);
    if (code === 0) return stop;
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop('SIGQUIT');
      throw new Error(`PostgreSQL did not start: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function asServerCommand(command: string, args: readonly string[]): readonly string[] {
  // `setpriv` becomes the server, so that a signal to it is one to the server. It goes when the test is killed.
  return isRoot
    ? [
        'setpriv',
        `--reuid=${USER}`,
        `--regid=${USER}`,
        '--clear-groups',
        '--pdeathsig=QUIT',
        command,
        ...args,
      ]
    : [command, ...args];
}

async function asServer(command: string, args: readonly string[]): ReturnType<typeof run> {
  const [first = '', ...rest] = asServerCommand(command, args);
  return run(first, rest, { cwd: tmpdir() });
}

async function idsOf(user: string): Promise<[uid: number, gid: number]> {
  const uid = await run('id', ['-u', user]);
  const gid = await run('id', ['-g', user]);
  return [Number(uid.stdout.trim()), Number(gid.stdout.trim())];
}
