/** Counts the system calls of running processes by strace(1), where it is installed. It slows them: nothing is timed then. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../test/support/command.ts';

/** Calls by name while `work` ran; undefined without strace, or where it may not attach. */
export async function countCalls(
  pids: readonly number[],
  work: () => Promise<void>,
): Promise<ReadonlyMap<string, number> | undefined> {
  const found = await run('strace', ['-V']).catch(() => undefined);
  if (found?.code !== 0) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'postrider-strace-'));
  const output = join(directory, 'counts');
  const child = spawn('strace', ['-f', '-c', '-o', output, ...pids.flatMap((pid) => ['-p', String(pid)])], {
    stdio: 'ignore',
  });
  // Time to attach to every thread.
  await sleep(500);
  await work();
  child.kill('SIGINT');
  if (child.exitCode === null) await once(child, 'exit');
  const text = await readFile(output, 'latin1').catch(() => '');
  await rm(directory, { recursive: true });
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_0-9]+)\s*$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined && match[2] !== 'total')
      counts.set(match[2], Number(match[1]));
  }
  return counts.size === 0 ? undefined : counts;
}
