/**
 * How many callers share one sync: durable operations per second through a writer thread, beside the disk's own rate of
 * syncs. `node bench/store/group-commit.ts [seconds per row]`
 */
import { fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectWriter, startWriterThread } from '../../src/sqlite/writer.ts';
import type { CountingOperations } from '../../test/support/counting-writer.ts';

const seconds = Number(process.argv[2] ?? 2);
const directory = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'postrider-bench-'));

function syncsPerSecond(): number {
  const descriptor = openSync(join(directory, 'sync'), 'w');
  const block = Buffer.alloc(4096, 1);
  const endsAt = performance.now() + 1000;
  let count = 0;
  for (; performance.now() < endsAt; count += 1) {
    writeSync(descriptor, block, 0, block.length, (count % 4096) * 4096);
    fdatasyncSync(descriptor);
  }
  return count;
}

type Row = { callers: number; perSecond: number; p50Ms: number; p99Ms: number };

async function measure(callers: number): Promise<Row> {
  const thread = await startWriterThread([
    {
      name: 'count',
      file: join(directory, `${callers}.sqlite`),
      moduleUrl: new URL('../../test/support/counting-writer.ts', import.meta.url).href,
    },
  ]);
  const writer = connectWriter<CountingOperations>(thread.connect(), 'count');
  const times: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const one = async (): Promise<void> => {
    for (let value = 0; performance.now() < endsAt; value += 1) {
      const at = performance.now();
      await writer.call('add', { value });
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: callers }, one));
  const perSecond = Math.round((times.length * 1000) / (performance.now() - startedAt));
  await thread.close();
  times.sort((a, b) => a - b);
  const at = (share: number): number => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(2));
  return { callers, perSecond, p50Ms: at(0.5), p99Ms: at(0.99) };
}

try {
  console.log(`the disk syncs ${syncsPerSecond()} times a second`);
  for (const callers of [1, 10, 50, 200, 512]) console.log(JSON.stringify(await measure(callers)));
} finally {
  rmSync(directory, { recursive: true });
}
