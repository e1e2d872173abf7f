/** The servers under measure, all alike to the bench: ports, processes, an account, and where its mail is counted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freeBasePort } from '../../test/support/postrider.ts';
import { pathOf } from './child.ts';

export type MeasuredServer = AsyncDisposable & {
  readonly name: string;
  readonly pids: readonly number[];
  readonly smtpPort: number;
  /** With TLS from the first octet, as people's programs use it. */
  readonly imapPort: number | undefined;
  readonly address: string;
  readonly user: string;
  readonly password: string;
  /** Messages in the mailbox now, for a server without IMAP. */
  count?(): Promise<number>;
};

export type StartedPostrider = MeasuredServer & {
  /** From the start of the process to `ready`. */
  readonly startMs: number;
};

const ADDRESS = 'bench@example.test';
const PASSWORD = 'bench-secret';

export function benchDirectory(): string {
  return process.env['BENCH_DIR'] ?? tmpdir();
}

/** @param built the published JavaScript (`npm run build`) instead of the source */
export async function startPostrider(built: boolean): Promise<StartedPostrider> {
  const entry = pathOf(built ? 'dist/app/main.js' : 'src/app/main.ts');
  if (!existsSync(entry)) throw new Error(`There is no ${entry}: run npm run build first`);
  const directory = await mkdtemp(join(benchDirectory(), 'postrider-bench-'));
  const basePort = await freeBasePort();
  const from = performance.now();
  const child = spawn(
    process.execPath,
    [
      entry,
      'localserve',
      '--dir',
      directory,
      '--base-port',
      String(basePort),
      '--account',
      `${ADDRESS}:${PASSWORD}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'ready') resolve();
    });
    child.once('exit', () => reject(new Error('Postrider did not start')));
  });
  const startMs = Math.round(performance.now() - from);
  return {
    name: built ? 'postrider (built)' : 'postrider',
    pids: [child.pid ?? 0],
    smtpPort: basePort + 25,
    imapPort: basePort + 993,
    address: ADDRESS,
    user: ADDRESS,
    password: PASSWORD,
    startMs,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
