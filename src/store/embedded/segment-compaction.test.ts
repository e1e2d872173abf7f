import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { BlobError } from '../blob-store.ts';
import type { BlobPlace, BlobRef, BlobStore } from '../blob-store.ts';
import type { BlobUser } from '../blob-use.ts';
import { CrashDisk, systemError } from '../../../test/support/crash-disk.ts';
import { SegmentCompaction } from './segment-compaction.ts';
import { fromPlace } from './segment-format.ts';
import { recoverSegments } from './segment-recovery.ts';
import { openSegmentStore } from './segment-store.ts';
import type { SegmentStore } from './segment-store.ts';

const SETTLE_MS = 3_600_000;

class TestClock implements Clock {
  #now = 0;
  nowMs(): number {
    return this.#now;
  }
  monotonicMs(): number {
    return this.#now;
  }
  /** Pauses pass at once; what waits for long (files to be idle) never comes. */
  after(delayMs: number, callback: () => void): { cancel(): void } {
    if (delayMs > 1000) return { cancel: () => undefined };
    const timer = setImmediate(callback);
    return { cancel: () => clearImmediate(timer) };
  }
  advance(ms: number): void {
    this.#now += ms;
  }
}

/** Rows of one shard: what a user of the store keeps. */
class Rows implements BlobUser {
  refs = new Map<number, BlobRef>();
  relocations = 0;
  async placesBetween(from: BlobPlace, before: BlobPlace): Promise<readonly BlobPlace[]> {
    const places = [...this.refs.values()].map(({ place }) => place);
    return [...new Set(places)].filter((place) => place >= from && place < before).toSorted((a, b) => a - b);
  }
  async relocate(moves: readonly { readonly from: BlobPlace; readonly to: BlobPlace }[]): Promise<void> {
    this.relocations += 1;
    const to = new Map(moves.map((move) => [move.from, move.to]));
    for (const [key, ref] of this.refs) this.refs.set(key, { ...ref, place: to.get(ref.place) ?? ref.place });
  }
}

const SMALL = { recentOctetsMax: 0, segmentOctets: 4000, smallOctetsMax: 1500, streamOctets: 600 };

function openOn(disk: CrashDisk, clock: Clock, owner: string): Promise<SegmentStore> {
  return openSegmentStore({ directory: '', clock, owner, disk, limits: SMALL });
}

function compactionOn(
  disk: CrashDisk,
  clock: Clock,
  store: BlobStore,
  users: readonly BlobUser[],
  onDamage: (place: BlobPlace) => void = () => assert.fail('damage'),
): SegmentCompaction {
  return new SegmentCompaction({
    disk,
    clock,
    store,
    users,
    onDamage,
    limits: { smallCount: Number.POSITIVE_INFINITY, slicePlaces: 3 },
  });
}

function bodyOf(octets: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length: octets }, (_, at) => (at * 7 + seed * 13 + (at >> 8)) & 0xff));
}

async function put(store: BlobStore, octets: Buffer): Promise<BlobRef> {
  const writer = store.create();
  await writer.write(octets);
  return writer.finish();
}

async function assertServed(
  store: BlobStore,
  rows: Rows,
  bodies: ReadonlyMap<number, Buffer>,
): Promise<void> {
  for (const [key, ref] of rows.refs)
    assert.ok((await store.read(ref)).equals(bodies.get(key) ?? Buffer.alloc(0)), `row ${key}`);
}

async function settle(compaction: SegmentCompaction, clock: TestClock, passes = 4): Promise<void> {
  for (let pass = 0; pass < passes; pass += 1) {
    await compaction.pass();
    clock.advance(SETTLE_MS);
  }
}

function segmentsOf(names: readonly string[]): readonly string[] {
  return names.filter((name) => name.endsWith('.segment')).toSorted();
}

suite('segment compaction', () => {
  test('reclaims what nobody names and keeps what somebody does', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const store = await openOn(disk, clock, 'w1');
    const own = await openOn(disk, clock, 'compaction');
    const rows = new Rows();
    const other = new Rows();
    const bodies = new Map<number, Buffer>();
    for (let key = 0; key < 80; key += 1) {
      const body = bodyOf(key % 10 === 0 ? 2500 : 300, key);
      bodies.set(key, body);
      (key % 2 === 0 ? rows : other).refs.set(key, await put(store, body));
    }
    const before = segmentsOf(await disk.list()).length;
    for (const key of bodies.keys()) if (key % 4 !== 0) (key % 2 === 0 ? rows : other).refs.delete(key);
    const compaction = compactionOn(disk, clock, own, [rows, other]);
    await settle(compaction, clock);
    assert.ok(segmentsOf(await disk.list()).length < before / 1.5, `${before}`);
    await assertServed(store, rows, bodies);
    await assertServed(own, rows, bodies);
    rows.refs.clear();
    await settle(compaction, clock);
    await own.close();
    await store.close();
    await settle(compactionOn(disk, clock, own, [rows, other]), clock);
    // The highest number stays, so that it is never given again.
    assert.equal(segmentsOf(await disk.list()).length, 1);
  });

  test('a rich segment is left alone', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const store = await openOn(disk, clock, 'w1');
    const rows = new Rows();
    for (let key = 0; key < 40; key += 1) rows.refs.set(key, await put(store, bodyOf(300, key)));
    for (let key = 0; key < 40; key += 3) rows.refs.delete(key);
    const before = await disk.list();
    await settle(compactionOn(disk, clock, store, [rows]), clock);
    assert.deepEqual(await disk.list(), before);
    assert.equal(rows.relocations, 0);
  });

  test('an empty file that a crash left is removed', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    disk.replace('0000000001.segment', Buffer.alloc(0));
    const store = await openOn(disk, clock, 'w1');
    await put(store, bodyOf(10, 1));
    await settle(compactionOn(disk, clock, store, []), clock);
    assert.deepEqual(segmentsOf(await disk.list()), ['0000000002.segment']);
  });

  test('many small segments are joined', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const rows = new Rows();
    const bodies = new Map<number, Buffer>();
    for (let key = 0; key < 12; key += 1) {
      const store = await openOn(disk, clock, 'w1');
      bodies.set(key, bodyOf(100, key));
      rows.refs.set(key, await put(store, bodyOf(100, key)));
      await store.close();
    }
    const own = await openOn(disk, clock, 'compaction');
    const compaction = new SegmentCompaction({
      disk,
      clock,
      store: own,
      users: [rows],
      limits: { smallCount: 8 },
    });
    await settle(compaction, clock);
    assert.equal(segmentsOf(await disk.list()).length, 2);
    await assertServed(own, rows, bodies);
  });

  test('nothing goes before an hour has passed twice, whatever the wall clock says', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const store = await openOn(disk, clock, 'w1');
    for (let key = 0; key < 40; key += 1) await put(store, bodyOf(300, key));
    const before = segmentsOf(await disk.list()).length;
    const compaction = compactionOn(disk, clock, store, []);
    await compaction.pass();
    clock.nowMs = () => 1e15;
    clock.advance(SETTLE_MS - 1);
    await compaction.pass();
    clock.advance(1);
    await compaction.pass();
    clock.advance(SETTLE_MS - 1);
    await compaction.pass();
    assert.equal(segmentsOf(await disk.list()).length, before);
    clock.advance(1);
    const { segmentsRemoved, octetsFreed } = await compaction.pass();
    assert.ok(segmentsRemoved > 0 && octetsFreed >= segmentsRemoved * 4000);
  });

  test('an old place that is committed late is moved too', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const store = await openOn(disk, clock, 'w1');
    const rows = new Rows();
    const body = bodyOf(300, 1);
    const late = await put(store, body);
    for (let key = 0; key < 40; key += 1) await put(store, bodyOf(300, key));
    const compaction = compactionOn(disk, clock, store, [rows]);
    await compaction.pass();
    clock.advance(SETTLE_MS);
    await compaction.pass();
    rows.refs.set(1, late);
    clock.advance(SETTLE_MS);
    await compaction.pass();
    assert.notEqual(fromPlace(rows.refs.get(1)?.place ?? late.place).segment, 1);
    rows.refs.set(2, late);
    clock.advance(SETTLE_MS);
    await compaction.pass();
    await settle(compaction, clock);
    assert.ok(!(await disk.list()).includes('0000000001.segment'));
    await assertServed(
      store,
      rows,
      new Map([
        [1, body],
        [2, body],
      ]),
    );
  });

  test('readers and writers go on meanwhile', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const store = await openOn(disk, clock, 'w1');
    const own = await openOn(disk, clock, 'compaction');
    const rows = new Rows();
    const bodies = new Map<number, Buffer>();
    let next = 0;
    const add = async (): Promise<void> => {
      const key = (next += 1);
      const body = bodyOf(key % 9 === 0 ? 2000 : 300, key);
      bodies.set(key, body);
      rows.refs.set(key, await put(store, body));
    };
    for (let turn = 0; turn < 60; turn += 1) await add();
    const shop = { isOpen: true };
    const serving = Array.from({ length: 4 }, async (_, reader) => {
      for (let turn = 0; shop.isOpen; turn += 1) {
        const keys = [...rows.refs.keys()];
        const key = keys[(turn * 7 + reader * 13) % keys.length] ?? 0;
        const read = async (): Promise<Buffer | undefined> => {
          const ref = rows.refs.get(key);
          return ref === undefined ? undefined : store.read(ref);
        };
        // A place may go stale between the row and the read: then the row is read again.
        const got = await read().catch((error: unknown) => {
          assert.ok(error instanceof BlobError && error.problem.kind === 'missing');
          return read();
        });
        if (got !== undefined) assert.ok(got.equals(bodies.get(key) ?? Buffer.alloc(0)));
        if (turn % 3 === 0 && keys.length > 20) rows.refs.delete(keys[(turn * 11) % keys.length] ?? 0);
        if (turn % 4 === 0) await add();
      }
    });
    await settle(compactionOn(disk, clock, own, [rows]), clock, 12);
    shop.isOpen = false;
    await Promise.all(serving);
    await assertServed(own, rows, bodies);
  });

  test('a damaged record stays where it is, and so does its segment', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const store = await openOn(disk, clock, 'w1');
    const rows = new Rows();
    for (let key = 0; key < 40; key += 1) {
      const ref = await put(store, bodyOf(300, key));
      if (key === 3 || key === 4) rows.refs.set(key, ref);
    }
    const { place } = rows.refs.get(3) ?? assert.fail();
    const content = disk.contentOf('0000000001.segment');
    const at = fromPlace(place).offset + 100;
    content[at] = (content[at] ?? 0) ^ 1;
    const damaged: BlobPlace[] = [];
    await settle(
      compactionOn(disk, clock, store, [rows], (one) => damaged.push(one)),
      clock,
    );
    assert.deepEqual(damaged, [place]);
    assert.equal(rows.refs.get(3)?.place, place);
    assert.ok((await disk.list()).includes('0000000001.segment'));
    assert.notEqual(fromPlace(rows.refs.get(4)?.place ?? place).segment, 1);
  });

  test('a full disk ends the pass and loses nothing; the next one succeeds', async () => {
    const clock = new TestClock();
    const disk = new CrashDisk();
    const store = await openOn(disk, clock, 'w1');
    const rows = new Rows();
    const bodies = new Map<number, Buffer>();
    for (let key = 0; key < 60; key += 1) {
      const ref = await put(store, bodyOf(300, key));
      if (key % 5 !== 0) continue;
      bodies.set(key, bodyOf(300, key));
      rows.refs.set(key, ref);
    }
    const compaction = compactionOn(disk, clock, store, [rows]);
    await compaction.pass();
    clock.advance(SETTLE_MS);
    disk.trouble = (met) => (met === 'write' ? systemError('ENOSPC') : undefined);
    await assert.rejects(compaction.pass(), Fault);
    disk.trouble = () => undefined;
    await assertServed(store, rows, bodies);
    await settle(compaction, clock);
    await assertServed(store, rows, bodies);
    assert.ok(!(await disk.list()).includes('0000000001.segment'));
  });

  test('a crash at any step leaves every named record whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 400 }),
        fc.infiniteStream(fc.nat(1_000_000)),
        async (instant, chance) => {
          const below = (limit: number): number => Number(chance.next().value) % limit;
          const clock = new TestClock();
          let disk = new CrashDisk();
          const rows = new Rows();
          const bodies = new Map<number, Buffer>();
          const store = await openOn(disk, clock, 'w1');
          for (let key = 0; key < 30; key += 1) {
            const body = bodyOf(key % 7 === 0 ? 1700 : 300, key);
            const ref = await put(store, body);
            if (key % 3 !== 0) continue;
            bodies.set(key, body);
            rows.refs.set(key, ref);
          }
          const own = await openOn(disk, clock, 'compaction');
          settle(compactionOn(disk, clock, own, [rows]), clock).catch(() => undefined);
          for (let step = 0; step < instant; step += 1)
            await new Promise<void>((resolve) => void setImmediate(resolve));
          disk = disk.crash(below);
          await recoverSegments({ directory: '', users: [rows], disk });
          const again = await openOn(disk, clock, 'compaction');
          await assertServed(again, rows, bodies);
          await settle(compactionOn(disk, clock, again, [rows]), clock);
          await assertServed(again, rows, bodies);
        },
      ),
      { numRuns: 100 },
    );
  });
});
