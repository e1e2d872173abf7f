import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { RateKind } from '../policy/rate.ts';
import { openRates, RateKeeper } from './rate-file.ts';
import { createRateMemory, RateTable, type RateMemory } from './rate-table.ts';

const TEN = { count: 10, intervalMs: 86_400_000 };
const small = (secret?: string): RateMemory => createRateMemory(64, 64, 64, secret);

async function inFolder(work: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-rates-'));
  try {
    await work(join(folder, 'rates.bin'), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A server that counts, and is asked what it counted. */
async function life(path: string, clock: FakeClock) {
  const faults: unknown[] = [];
  const { memory, lost } = await openRates(path, small);
  const keeper = new RateKeeper(path, memory, clock, (cause) => void faults.push(cause));
  keeper.start();
  const table = new RateTable(memory, clock);
  const used = (kind: RateKind): number =>
    Math.round(table.subject(kind, 'account 7').bucket('messages', TEN).used());
  const charge = (kind: RateKind, cost: number): void =>
    table.subject(kind, 'account 7').bucket('messages', TEN).charge(cost);
  return { keeper, lost, faults, used, charge };
}

test('what accounts sent and who failed to sign in is known after a restart; strangers begin anew', () =>
  inFolder(async (path, folder) => {
    const clock = new FakeClock();
    const first = await life(path, clock);
    for (const kind of ['account', 'sign-in', 'peer'] as const) first.charge(kind, 5);
    await first.keeper.stop();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ['rates.bin']);
    const second = await life(path, clock);
    assert.deepEqual(
      (['account', 'sign-in', 'peer'] as const).map((kind) => second.used(kind)),
      [5, 5, 0],
    );
    assert.equal(second.lost, undefined);
    await second.keeper.stop();
    assert.equal(clock.pending, 0);
  }));

test('a crash loses the last minute at most, and nothing is written where nothing was counted', () =>
  inFolder(async (path) => {
    const clock = new FakeClock();
    const crashed = await life(path, clock);
    await clock.advance(LIMITS.ratesKeptMs);
    assert.equal(await stat(path).catch(() => undefined), undefined);
    crashed.charge('account', 3);
    await clock.advance(LIMITS.ratesKeptMs - 1);
    assert.equal(await stat(path).catch(() => undefined), undefined);
    await clock.advance(1);
    await written(path);
    crashed.charge('account', 4);
    const { used, keeper } = await life(path, clock);
    assert.equal(used('account'), 3);
    await keeper.stop();
    await crashed.keeper.stop();
  }));

/** The disk is no part of the clock. */
async function written(path: string): Promise<void> {
  while ((await stat(path).catch(() => undefined)) === undefined)
    await new Promise((resolve) => setImmediate(resolve));
}

for (const [what, damage] of [
  ['torn', async (path: string) => truncate(path, (await stat(path)).size - 1)],
  ['empty', (path: string) => truncate(path, 0)],
  ['of something else', (path: string) => writeFile(path, 'x'.repeat(10_000))],
  [
    'changed',
    async (path: string) => {
      const octets = await readFile(path);
      octets[20] = (octets[20] ?? 0) ^ 1;
      await writeFile(path, octets);
    },
  ],
] as const)
  test(`a file that is ${what} is told of, and all begins anew`, () =>
    inFolder(async (path) => {
      const clock = new FakeClock();
      const first = await life(path, clock);
      first.charge('account', 5);
      await first.keeper.stop();
      await damage(path);
      const second = await life(path, clock);
      assert.match(String(second.lost), /Reading .*rates\.bin/);
      assert.equal(second.used('account'), 0);
      await second.keeper.stop();
    }));

test('a file of tables of another size is none', () =>
  inFolder(async (path) => {
    const clock = new FakeClock();
    const first = await life(path, clock);
    first.charge('account', 5);
    await first.keeper.stop();
    const { lost } = await openRates(path, (secret) => createRateMemory(128, 64, 64, secret));
    assert.match(String(lost?.cause), /another size/);
  }));

test('a disk that refuses is told of, and tried again', () =>
  inFolder(async (path) => {
    const clock = new FakeClock();
    const { keeper, charge, faults } = await life(join(path, 'rates.bin'), clock);
    charge('account', 5);
    await keeper.stop();
    assert.equal(faults.length, 1);
  }));
