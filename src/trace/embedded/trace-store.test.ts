import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { firstIdAt } from '../../queue/queue-id.ts';
import { connectWriter } from '../../sqlite/writer.ts';
import { NOON_MS, batchOf, traceKey, traceStoreContract } from '../trace-store.contract.ts';
import { EmbeddedTraceReader, EmbeddedTraceSink, startTraceWriter, TRACE_WRITER } from './trace-store.ts';
import { flatten, TraceWriter, type TraceOperations } from './trace-writer.ts';

const DAY_MS = 86_400_000;
const BOUNDS = { keptMs: 30 * DAY_MS, octetsMax: 1e9 };
const KEY = traceKey('a:bob@example.org');

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-trace-'));
  try {
    await run(join(folder, 'traces'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

traceStoreContract('embedded', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'postrider-trace-'));
  const folder = join(parent, 'traces');
  const thread = await startTraceWriter(folder, BOUNDS);
  const port = thread.connect();
  const sink = new EmbeddedTraceSink(connectWriter<TraceOperations>(port, TRACE_WRITER));
  const readers: EmbeddedTraceReader[] = [];
  const openReader = (): EmbeddedTraceReader => {
    const reader = new EmbeddedTraceReader(folder);
    readers.push(reader);
    return reader;
  };
  const both = (reader: EmbeddedTraceReader) => ({
    append: (batch: Parameters<typeof sink.append>[0]) => sink.append(batch),
    read: (ids: readonly string[]) => reader.read(ids),
    find: (query: Parameters<typeof reader.find>[0]) => reader.find(query),
  });
  return {
    store: both(openReader()),
    reopen: async () => both(openReader()),
    close: async () => {
      for (const reader of readers) reader[Symbol.dispose]();
      port.close();
      await thread.close();
      await rm(parent, { recursive: true, force: true });
    },
  };
});

type Part = Parameters<typeof batchOf>[0][number];

/** A message of this instant, with so much text. */
function partAt(atMs: number, octets = 10, number = 0): Part {
  const entries = [{ atMs, event: 'test.event', fields: { text: 'x'.repeat(octets) } }];
  return { id: `${firstIdAt(atMs)}${String(number).padStart(11, '0')}`, entries, keys: [KEY] };
}

function put(writer: TraceWriter, ...parts: readonly Part[]): void {
  writer.append(flatten(batchOf(parts)));
}

test('a day has its file, and goes with it when its time is over', () =>
  inFolder(async (folder) => {
    let nowMs = NOON_MS;
    using writer = new TraceWriter({ folder, keptMs: 2 * DAY_MS, octetsMax: 1e9, nowMs: () => nowMs });
    using reader = new EmbeddedTraceReader(folder);
    const ids: string[] = [];
    const all = { key: KEY, from: undefined, before: undefined, limit: 10 };
    for (let day = 0; day < 4; day += 1) {
      const part = partAt(nowMs);
      ids.unshift(part.id);
      put(writer, part);
      // Whoever looks each day has the files open that go.
      assert.deepEqual(await reader.find(all), ids.slice(0, 3));
      nowMs += DAY_MS;
    }
    const names = (await readdir(folder)).filter((name) => name.endsWith('.sqlite'));
    assert.deepEqual(names.toSorted(), ['2026-01-11.1.sqlite', '2026-01-12.1.sqlite', '2026-01-13.1.sqlite']);
    assert.equal((await reader.read([ids[3] ?? ''])).size, 0);
    assert.equal((await reader.read([ids[2] ?? ''])).size, 1);
  }));

test('the oldest go while all of them are larger than what is allowed', () =>
  inFolder(async (folder) => {
    let nowMs = NOON_MS;
    const octetsMax = 40_000_000;
    using writer = new TraceWriter({ folder, keptMs: 30 * DAY_MS, octetsMax, nowMs: () => nowMs });
    using reader = new EmbeddedTraceReader(folder);
    const ids: string[] = [];
    for (let batch = 0; batch < 90; batch += 1) {
      const part = partAt(nowMs, 1_000_000);
      ids.push(part.id);
      put(writer, part);
      nowMs += 60_000;
    }
    const kept = await reader.read(ids);
    assert.ok(kept.has(ids.at(-1) ?? ''));
    assert.ok(kept.size >= 25 && kept.size <= 42, `${kept.size} of 1 MB are kept`);
    // What is kept is the newest without a gap.
    assert.deepEqual(
      ids.map((id) => kept.has(id)),
      ids.map((_, index) => index >= ids.length - kept.size),
    );
  }));

test('a page over several days is in order, however the days were written', () =>
  inFolder(async (folder) => {
    let nowMs = NOON_MS;
    using writer = new TraceWriter({ folder, ...BOUNDS, nowMs: () => nowMs });
    using reader = new EmbeddedTraceReader(folder);
    const first = partAt(nowMs, 10, 1);
    const second = partAt(nowMs + 1, 10, 1);
    put(writer, first, second);
    nowMs += DAY_MS;
    const third = partAt(nowMs, 10, 1);
    // Of the day before, told a day later.
    put(writer, third, { ...partAt(nowMs), id: first.id });
    for (const key of [KEY, undefined]) {
      const query = { key, from: undefined, before: undefined };
      assert.deepEqual(await reader.find({ ...query, limit: 3 }), [third.id, second.id, first.id]);
      assert.deepEqual(await reader.find({ ...query, limit: 2 }), [third.id, second.id]);
      assert.deepEqual(await reader.find({ ...query, before: third.id, limit: 2 }), [second.id, first.id]);
    }
    assert.equal((await reader.read([first.id])).get(first.id)?.length, 2);
  }));

test('what a killed process left in the WAL is there after the next start', () =>
  inFolder(async (folder) => {
    const nowMs = (): number => NOON_MS;
    const killed = new TraceWriter({ folder, ...BOUNDS, nowMs });
    put(killed, partAt(NOON_MS));
    assert.ok((await readdir(folder)).some((name) => name.endsWith('-wal')));
    using writer = new TraceWriter({ folder, ...BOUNDS, nowMs });
    put(writer, partAt(NOON_MS + 1));
    using reader = new EmbeddedTraceReader(folder);
    assert.equal((await reader.find({ key: KEY, from: undefined, before: undefined, limit: 9 })).length, 2);
    killed[Symbol.dispose]();
  }));

test('a disk that refuses loses a batch, and the next is taken', () =>
  inFolder(async (folder) => {
    using writer = new TraceWriter({ folder, ...BOUNDS, nowMs: () => NOON_MS });
    put(writer, partAt(NOON_MS));
    // The same part of the same trace twice in a batch breaks its key: nothing of the batch stays.
    assert.throws(() => put(writer, ...[1, 2, 2].map((more) => partAt(NOON_MS + more))));
    put(writer, partAt(NOON_MS + 3));
    using reader = new EmbeddedTraceReader(folder);
    const all = { key: KEY, from: undefined, before: undefined, limit: 9 };
    assert.deepEqual(await reader.find(all), [partAt(NOON_MS + 3).id, partAt(NOON_MS).id]);
  }));

test('a damaged file loses what is in it, and the next one is begun', () =>
  inFolder(async (folder) => {
    const nowMs = (): number => NOON_MS;
    const first = new TraceWriter({ folder, ...BOUNDS, nowMs });
    put(first, partAt(NOON_MS));
    first[Symbol.dispose]();
    await writeFile(join(folder, '2026-01-10.1.sqlite'), 'x'.repeat(10_000));
    using writer = new TraceWriter({ folder, ...BOUNDS, nowMs });
    put(writer, partAt(NOON_MS + 1));
    using reader = new EmbeddedTraceReader(folder);
    const all = { key: KEY, from: undefined, before: undefined, limit: 9 };
    await assert.rejects(reader.find(all), /^Fault: Reading the traces of 2026-01-10\.1\.sqlite/);
    await rm(join(folder, '2026-01-10.1.sqlite'));
    assert.deepEqual(await reader.find(all), [partAt(NOON_MS + 1).id]);
    // One that is just being made has nothing in it yet.
    await writeFile(join(folder, '2026-01-10.3.sqlite'), '');
    assert.equal((await reader.find(all)).length, 1);
  }));

test('no folder: no traces', () =>
  inFolder(async (folder) => {
    using reader = new EmbeddedTraceReader(folder);
    assert.deepEqual(await reader.find({ key: KEY, from: undefined, before: undefined, limit: 9 }), []);
    assert.equal((await reader.read(['A1'])).size, 0);
  }));
