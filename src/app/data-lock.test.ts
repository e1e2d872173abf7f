import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Fault } from '../base/fault.ts';
import { describeInUse, takeDataLock } from './data-lock.ts';

const HOLDER = { pid: 4711, what: 'postrider serve', sinceMs: 0 };

test('a data directory has one holder, who is named to the second', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-lock-'));
  const first = await takeDataLock(folder, HOLDER);
  assert.ok(first.ok);
  const second = await takeDataLock(folder, HOLDER);
  assert.ok(!second.ok);
  assert.equal(
    describeInUse('/srv/mail', second.error),
    'The data directory "/srv/mail" is in use by postrider serve (process 4711, since 1970-01-01T00:00:00.000Z)',
  );
  await first.value.release();
  await first.value.release();
  assert.deepEqual(await readdir(folder), ['lock']);
  const third = await takeDataLock(folder, HOLDER);
  assert.ok(third.ok);
  await third.value.release();
  await rm(folder, { recursive: true });
});

test('the lock holds against other processes, and dies with its process, however it dies', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-lock-'));
  const program = `
    const { takeDataLock } = await import(${JSON.stringify(new URL('data-lock.ts', import.meta.url).href)});
    const taken = await takeDataLock(${JSON.stringify(folder)}, { pid: process.pid, what: 'the other', sinceMs: 0 });
    console.log(taken.ok);
    setInterval(() => undefined, 1000);`;
  const other = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(other.stdout, 'data')) as [Buffer];
  assert.equal(said.toString().trim(), 'true');
  const mine = await takeDataLock(folder, HOLDER);
  assert.ok(!mine.ok && mine.error.holder?.what === 'the other' && mine.error.holder.pid === other.pid);
  other.kill('SIGKILL');
  await once(other, 'exit');
  const later = await takeDataLock(folder, HOLDER);
  assert.ok(later.ok);
  await later.value.release();
  await rm(folder, { recursive: true });
});

test('a directory that is not there is a fault', async () => {
  await assert.rejects(takeDataLock('/nonexistent/postrider', HOLDER), Fault);
});
