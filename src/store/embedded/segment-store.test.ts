import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { BlobError } from '../blob-store.ts';
import type { BlobRef, BlobStore } from '../blob-store.ts';
import type { BlobUser } from '../blob-use.ts';
import { blobStoreContract } from '../blob-store.contract.ts';
import { CrashDisk, systemError } from '../../../test/support/crash-disk.ts';
import { fromPlace } from './segment-format.ts';
import { recoverSegments } from './segment-recovery.ts';
import { openSegmentStore } from './segment-store.ts';
import type { SegmentStore, SegmentStoreOptions } from './segment-store.ts';

const clock: Clock = {
  nowMs: () => 1_700_000_000_000,
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

async function withFolder(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-segments-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** What is looked at is what the disk gives, not what is still in memory. */
const FROM_DISK = { recentOctetsMax: 0 };

function openOn(disk: CrashDisk, limits: SegmentStoreOptions['limits'] = {}): Promise<SegmentStore> {
  return openSegmentStore({ directory: '', clock, owner: 'w1', disk, limits: { ...FROM_DISK, ...limits } });
}

function bodyOf(octets: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length: octets }, (_, at) => (at * 7 + seed * 13 + (at >> 8)) & 0xff));
}

async function put(store: BlobStore, octets: Buffer): Promise<BlobRef> {
  const writer = store.create();
  for (let at = 0; at < octets.length; at += 50_000) await writer.write(octets.subarray(at, at + 50_000));
  return writer.finish();
}

type Kept = { readonly ref: BlobRef; readonly octets: Buffer };

async function assertKept(store: BlobStore, kept: readonly Kept[]): Promise<void> {
  for (const { ref, octets } of kept) assert.ok((await store.read(ref)).equals(octets), ref.id);
}

async function assertStreamed(store: BlobStore, kept: readonly Kept[]): Promise<void> {
  for (const { ref, octets } of kept) {
    const chunks: Buffer[] = [];
    for await (const chunk of store.stream(ref)) chunks.push(Buffer.from(chunk));
    assert.ok(Buffer.concat(chunks).equals(octets), ref.id);
  }
}

for (const [name, limits] of [
  ['usual limits', {}],
  ['nothing kept in memory', { recentOctetsMax: 0 }],
  ['little kept in memory', { recentOctetsMax: 400, recentBlobOctetsMax: 150 }],
  ['segments of 300 KiB', { segmentOctets: 307_200 }],
  ['memory pressed', { bufferedOctetsMax: 0, pressedOctetsMax: 1000, streamOctets: 500 }],
] as const)
  blobStoreContract(`segments, ${name}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postrider-segments-'));
    const open = (): Promise<SegmentStore> => openSegmentStore({ directory, clock, owner: 'w1', limits });
    let store = await open();
    return {
      store,
      reopen: async () => {
        await store.close();
        await recoverSegments({ directory, users: [] });
        store = await open();
        return store;
      },
      close: async () => {
        await store.close();
        await rm(directory, { recursive: true });
      },
    };
  });

suite('segments', () => {
  test('what this thread wrote last needs no read of the disk; a part of it, or what is older, does', async () => {
    const disk = new CrashDisk();
    const store = await openOn(disk, { recentOctetsMax: 1000, recentBlobOctetsMax: 300 });
    const [first, last] = [bodyOf(300, 1), bodyOf(300, 2)];
    const old = await put(store, first);
    for (const seed of [3, 4, 5]) await put(store, bodyOf(300, seed));
    const fresh = await put(store, last);
    disk.trouble = (met) => (met === 'read' ? systemError('EIO') : undefined);
    await assertKept(store, [{ ref: fresh, octets: last }]);
    await assertStreamed(store, [{ ref: fresh, octets: last }]);
    await assert.rejects(store.read(old), Fault);
    await assert.rejects(store.read(fresh, 1), Fault);
    await store.close();
  });

  test('one sync serves all that are finished together', async () => {
    const disk = new CrashDisk();
    const store = await openOn(disk);
    await put(store, bodyOf(10, 0));
    const before = disk.counts.get('sync') ?? 0;
    await Promise.all(Array.from({ length: 100 }, (_, index) => put(store, bodyOf(1000, index))));
    assert.equal((disk.counts.get('sync') ?? 0) - before, 1);
  });

  test('a closed store has sealed its segments, and an idle one makes none', () =>
    withFolder(async (directory) => {
      const store = await openSegmentStore({ directory, clock, owner: 'w1', limits: FROM_DISK });
      assert.deepEqual(await readdir(directory), []);
      await put(store, bodyOf(10, 0));
      await put(store, bodyOf(1_200_000, 0));
      assert.deepEqual((await readdir(directory)).toSorted(), [
        '0000000001.active-w1',
        '0000000001.segment',
        '0000000002.active-w1',
        '0000000002.segment',
      ]);
      await store.close();
      assert.deepEqual(await readdir(directory), ['0000000001.segment', '0000000002.segment']);
      assert.equal((await stat(join(directory, '0000000001.segment'))).mode & 0o777, 0o600);
      await assert.rejects(put(store, bodyOf(10, 0)), Fault);
    }));

  test('large blobs share segments, one at a time each', async () => {
    const disk = new CrashDisk();
    const store = await openOn(disk, { smallOctetsMax: 1000, streamOctets: 500 });
    const refs = [];
    for (let index = 0; index < 5; index += 1) refs.push(await put(store, bodyOf(5000, index)));
    assert.deepEqual(new Set(refs.map(({ place }) => fromPlace(place).segment)), new Set([1]));
  });

  test('writers in one folder never share a segment', () =>
    withFolder(async (directory) => {
      const stores = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          openSegmentStore({
            directory,
            clock,
            owner: `w${index}`,
            limits: { ...FROM_DISK, segmentOctets: 2000 },
          }),
        ),
      );
      const kept = await Promise.all(
        stores.flatMap((store, owner) =>
          Array.from({ length: 20 }, async (_, index) => {
            const octets = bodyOf(700, owner * 100 + index);
            return { ref: await put(store, octets), octets };
          }),
        ),
      );
      assert.equal(new Set(kept.map(({ ref }) => ref.place)).size, kept.length);
      const [reader] = stores;
      assert.ok(reader !== undefined);
      await assertKept(reader, kept);
      await Promise.all(stores.map((store) => store.close()));
    }));

  test('recovery looks only into segments that were open', async () => {
    let disk = new CrashDisk();
    const store = await openOn(disk, { segmentOctets: 1000 });
    const kept: Kept[] = [];
    for (let index = 0; index < 40; index += 1) {
      const octets = bodyOf(400, index);
      kept.push({ octets, ref: await put(store, octets) });
    }
    disk = disk.crash(() => 0);
    const recovered = await recoverSegments({ directory: '', users: [], disk });
    assert.ok(recovered.length <= 2, `${recovered.length} segments`);
    assert.equal(disk.counts.get('open'), recovered.length);
    assert.deepEqual(await recoverSegments({ directory: '', users: [], disk }), []);
    await assertKept(await openOn(disk), kept);
  });

  test('recovery of one owner leaves the others alone', async () => {
    const disk = new CrashDisk();
    for (const owner of ['a', 'b'])
      await put(await openSegmentStore({ directory: '', clock, owner, disk }), bodyOf(10, 1));
    await recoverSegments({ directory: '', users: [], disk, owner: 'a' });
    assert.deepEqual((await disk.list()).toSorted(), [
      '0000000001.segment',
      '0000000002.active-b',
      '0000000002.segment',
    ]);
  });

  test('a segment of a newer format is refused by name, in reading and in recovery', () =>
    withFolder(async (directory) => {
      const store = await openSegmentStore({ directory, clock, owner: 'w1', limits: FROM_DISK });
      const ref = await put(store, bodyOf(10, 0));
      await store.close();
      const { encodeFileHeader } = await import('./segment-format.ts');
      const { crc32 } = await import('node:zlib');
      const header = encodeFileHeader(1, 0);
      header.writeUInt32LE(2, 16);
      header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
      await writeFile(join(directory, '0000000001.segment'), header);
      await writeFile(join(directory, '0000000001.active-w1'), '');
      const again = await openSegmentStore({ directory, clock, owner: 'w1', limits: FROM_DISK });
      await assert.rejects(again.read(ref), /0000000001\.segment.*format 2/);
      await assert.rejects(recoverSegments({ directory, users: [] }), /0000000001\.segment.*format 2/);
      await again.close();
    }));

  test('a file cut short: what is whole is served, what is not is damaged', () =>
    withFolder(async (directory) => {
      const store = await openSegmentStore({ directory, clock, owner: 'w1', limits: FROM_DISK });
      const first = await put(store, bodyOf(3000, 0));
      const second = await put(store, bodyOf(3000, 1));
      await truncate(join(directory, '0000000001.segment'), fromPlace(second.place).offset + 1000);
      assert.ok((await store.read(first)).equals(bodyOf(3000, 0)));
      await assert.rejects(
        store.read(second),
        (error: unknown) => error instanceof BlobError && error.problem.kind === 'damaged',
      );
      await store.close();
    }));
});

suite('segments when the disk refuses', () => {
  const troubles = [
    { name: 'a full disk', operation: 'write', answer: () => systemError('ENOSPC') },
    { name: 'a disk that fills in the middle of a write', operation: 'write', answer: () => 37 },
    { name: 'a failing sync', operation: 'sync', answer: () => systemError('EIO') },
    { name: 'no room for a new file', operation: 'create', answer: () => systemError('ENOSPC') },
    { name: 'too many open files', operation: 'create', answer: () => systemError('EMFILE') },
    { name: 'a failing sync of the folder', operation: 'syncNames', answer: () => systemError('EIO') },
  ] as const;
  for (const { name, operation, answer } of troubles)
    for (const fresh of [true, false])
      for (const truncateFails of [true, false])
        for (const octets of [500, 5000])
          test(`${name}: ${octets} octets, ${fresh ? 'first blob' : 'later blob'}${truncateFails ? ', and truncating fails' : ''}`, async () => {
            let disk = new CrashDisk();
            const store = await openOn(disk, {
              smallOctetsMax: 1000,
              streamOctets: 700,
              segmentOctets: 20_000,
            });
            const kept: Kept[] = [];
            const keep = async (seed: number): Promise<void> => {
              const body = bodyOf(octets, seed);
              kept.push({ octets: body, ref: await put(store, body) });
            };
            if (!fresh) for (let seed = 0; seed < 3; seed += 1) await keep(seed);
            let refused = 0;
            disk.trouble = (met) => {
              if (met === operation) return answer();
              return truncateFails && met === 'truncate' ? systemError('EIO') : undefined;
            };
            for (let seed = 10; seed < 13; seed += 1) {
              const results = await Promise.allSettled([keep(seed), keep(seed + 100), keep(seed + 200)]);
              for (const result of results) {
                if (result.status === 'fulfilled') continue;
                assert.ok(result.reason instanceof Fault, String(result.reason));
                refused += 1;
              }
            }
            // Files that are open already need no new one.
            if (fresh || operation === 'write' || operation === 'sync') assert.ok(refused > 0);
            disk.trouble = () => undefined;
            await assertKept(store, kept);
            for (let seed = 20; seed < 26; seed += 1) await keep(seed);
            await assertKept(store, kept);
            disk = disk.crash(() => 0);
            await recoverSegments({ directory: '', users: [], disk });
            await assertKept(await openOn(disk), kept);
          });

  test('small blobs asked for one after the other share reads, those that came since included', async () => {
    const disk = new CrashDisk();
    const store = await openOn(disk);
    const all: Kept[] = [];
    const append = async (count: number): Promise<readonly Kept[]> => {
      const bodies = Array.from({ length: count }, (_, index) => bodyOf(4000, all.length + index));
      const refs = await Promise.all(bodies.map((octets) => put(store, octets)));
      const kept = refs.map((ref, index) => ({ ref, octets: bodies[index] ?? Buffer.alloc(0) }));
      all.push(...kept);
      return kept;
    };
    const readsFor = async (kept: readonly Kept[]): Promise<number> => {
      const before = disk.counts.get('read') ?? 0;
      await assertKept(store, kept);
      await assertStreamed(store, kept);
      return (disk.counts.get('read') ?? 0) - before;
    };
    const first = await readsFor(await append(40));
    // 40 records of 4 KB in windows of 64 KiB.
    assert.ok(first < 12, `${first} reads`);
    const then = await readsFor(await append(10));
    assert.ok(then <= 2, `${then} reads`);
    await Promise.all([
      assertKept(store, all),
      assertStreamed(store, all),
      assertKept(store, all.toReversed()),
    ]);
  });

  test('a reading error is a Fault, not damage', async () => {
    const disk = new CrashDisk();
    const store = await openOn(disk);
    const ref = await put(store, bodyOf(100, 0));
    disk.trouble = (met) => (met === 'read' ? systemError('EIO') : undefined);
    await assert.rejects(store.read(ref), Fault);
    disk.trouble = () => undefined;
    assert.equal((await store.read(ref)).length, 100);
  });
});

suite('segments after a crash', () => {
  const seeds = fc.infiniteStream(fc.nat(1_000_000));
  const sizes = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 12 });

  test('whatever was finished is there, wherever the power was cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sizes, { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
        seeds,
        async (rounds, instants, chance) => {
          const below = (limit: number): number => Number(chance.next().value) % limit;
          let disk = new CrashDisk();
          const kept: Kept[] = [];
          let seed = 0;
          for (const [round, batch] of rounds.entries()) {
            await recoverSegments({ directory: '', users: [], disk });
            const store = await openOn(disk, {
              smallOctetsMax: 2000,
              streamOctets: 600,
              segmentOctets: 9000,
            });
            await assertKept(store, kept);
            for (const octets of batch) {
              seed += 1;
              const body = bodyOf(octets, seed);
              put(store, body).then(
                (ref) => kept.push({ ref, octets: body }),
                () => undefined,
              );
            }
            const steps = instants[round % instants.length] ?? 1;
            for (let step = 0; step < steps; step += 1)
              await new Promise<void>((resolve) => void setImmediate(resolve));
            disk = disk.crash(below);
          }
          await recoverSegments({ directory: '', users: [], disk });
          await assertKept(await openOn(disk), kept);
        },
      ),
      { numRuns: 120 },
    );
  });

  test('the file cut at any octet: what is before stays, and the store goes on', async () => {
    const source = new CrashDisk();
    const writing = await openOn(source);
    const kept: Kept[] = [];
    for (const [seed, octets] of [0, 1, 90, 17, 150].entries()) {
      const body = bodyOf(octets, seed);
      kept.push({ octets: body, ref: await put(writing, body) });
    }
    const full = source.contentOf('0000000001.segment');
    for (let cut = 0; cut <= full.length; cut += 1) {
      const disk = new CrashDisk();
      disk.replace('0000000001.segment', Buffer.from(full.subarray(0, cut)));
      disk.replace('0000000001.active-w1', Buffer.alloc(0));
      await recoverSegments({ directory: '', users: [], disk });
      const store = await openOn(disk);
      for (const { ref, octets } of kept) {
        const whole = fromPlace(ref.place).offset + 64 + octets.length <= cut;
        if (whole) assert.ok((await store.read(ref)).equals(octets));
        else await assert.rejects(store.read(ref), BlobError);
      }
      const body = bodyOf(50, 99);
      assert.ok((await store.read(await put(store, body))).equals(body));
    }
  });

  test('a tail that a row names is not cut', async () => {
    const disk = new CrashDisk();
    const ref = await put(await openOn(disk), bodyOf(100, 0));
    const content = Buffer.from(disk.contentOf('0000000001.segment'));
    content[70] = 0xff;
    disk.replace('0000000001.segment', content);
    const user: BlobUser = {
      placesBetween: async (from, before) => (from <= ref.place && ref.place < before ? [ref.place] : []),
      relocate: async () => undefined,
    };
    const [recovered] = await recoverSegments({ directory: '', users: [user], disk });
    assert.equal(recovered?.octetsCut, 0);
    assert.ok(disk.contentOf('0000000001.segment').equals(content));
  });

  test('any octet changed: only the record it belongs to suffers', async () => {
    const source = new CrashDisk();
    const writing = await openOn(source);
    const kept: Kept[] = [];
    for (const [seed, octets] of [40, 0, 120, 17, 80].entries()) {
      const body = bodyOf(octets, seed);
      kept.push({ octets: body, ref: await put(writing, body) });
    }
    const full = source.contentOf('0000000001.segment');
    for (let at = 0; at < full.length; at += 1) {
      const content = Buffer.from(full);
      content[at] = (content[at] ?? 0) ^ 0x41;
      const disk = new CrashDisk();
      disk.replace('0000000001.segment', content);
      disk.replace('0000000001.active-w1', Buffer.alloc(0));
      await recoverSegments({ directory: '', users: [], disk });
      const store = await openOn(disk);
      for (const { ref, octets } of kept) {
        const { offset } = fromPlace(ref.place);
        const hit = at >= offset && at < offset + 64 + octets.length;
        if (!hit) assert.ok((await store.read(ref)).equals(octets), `octet ${at}`);
        // The very last header has nothing behind it: it looks like a torn tail, and nothing is there any more.
        else await assert.rejects(store.read(ref), BlobError, `octet ${at}`);
      }
    }
  });
});
