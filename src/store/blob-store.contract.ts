/**
 * What every blob store promises, as tests. A backend's test file calls {@link blobStoreContract} with a way to open
 * itself; `reopen` closes the store in good order and opens it again on the same data.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { BlobError, toBlobPlace } from './blob-store.ts';
import type { BlobRef, BlobStore, BlobWriter } from './blob-store.ts';
import { known, toBlobId } from './ids.ts';

export type OpenedBlobStore = {
  readonly store: BlobStore;
  readonly reopen: () => Promise<BlobStore>;
  readonly close: () => Promise<void>;
};

const CHUNK_OCTETS_MAX = 65_536;

/** Octets that differ from offset to offset, so that a shifted or swapped piece is seen. */
function sample(octets: number, seed = 1): Buffer {
  const out = Buffer.allocUnsafe(octets);
  let state = (seed * 2_654_435_761) >>> 0;
  for (let at = 0; at < octets; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    out[at] = state >>> 24;
  }
  return out;
}

function sha256(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex');
}

async function put(
  store: BlobStore,
  octets: Buffer,
  { chunkOctets = 65_536, expected }: { chunkOctets?: number; expected?: number } = {},
): Promise<BlobRef> {
  const writer = store.create(expected);
  for (let at = 0; at < octets.length; at += chunkOctets)
    await writer.write(octets.subarray(at, at + chunkOctets));
  return writer.finish();
}

async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const chunk of chunks) {
    assert.ok(chunk.length > 0 && chunk.length <= CHUNK_OCTETS_MAX, `a chunk of ${chunk.length} octets`);
    out.push(Buffer.from(chunk));
  }
  return Buffer.concat(out);
}

function isProblem(kind: 'missing' | 'damaged'): (error: unknown) => boolean {
  return (error) => error instanceof BlobError && error.problem.kind === kind;
}

/** @param open a fresh, empty store each time it is called */
export function blobStoreContract(name: string, open: () => Promise<OpenedBlobStore>): void {
  const withStore = async (body: (opened: OpenedBlobStore) => Promise<void>): Promise<void> => {
    const opened = await open();
    try {
      await body(opened);
    } finally {
      await opened.close();
    }
  };

  suite(`blob store contract: ${name}`, () => {
    const sizes = [
      0, 1, 15, 16, 17, 4096, 65_535, 65_536, 65_537, 131_072, 1_048_511, 1_048_512, 1_048_575, 1_048_576,
      1_048_577, 3_000_001,
    ];
    for (const octets of sizes) {
      test(`${octets} octets come back as they were given, streamed and whole, after reopening too`, () =>
        withStore(async ({ store, reopen }) => {
          const body = sample(octets);
          const ref = await put(store, body);
          assert.equal(ref.id, sha256(body));
          assert.equal(ref.octets, octets);
          assert.ok(Number.isSafeInteger(ref.place) && ref.place >= 0);
          assert.deepEqual(await store.read(ref), body);
          assert.deepEqual(await gather(store.stream(ref)), body);
          const again = await reopen();
          assert.deepEqual(await again.read(ref), body);
          assert.deepEqual(await gather(again.stream(ref)), body);
        }));
    }

    const expectations = [0, 10, 200_000, 2_000_000, 50_000_000];
    for (const expected of expectations) {
      test(`the expected size is a hint only: ${expected} said, 200000 come`, () =>
        withStore(async ({ store }) => {
          const body = sample(200_000);
          const ref = await put(store, body, { expected, chunkOctets: 1777 });
          assert.equal(ref.octets, body.length);
          assert.deepEqual(await store.read(ref), body);
        }));
    }

    test('the chunk may be used again as soon as write has returned or resolved', () =>
      withStore(async ({ store }) => {
        for (const count of [3, 60]) {
          const writer = store.create();
          const chunk = Buffer.alloc(50_000);
          const want: Buffer[] = [];
          for (let turn = 0; turn < count; turn += 1) {
            chunk.fill(turn);
            want.push(Buffer.from(chunk));
            await writer.write(chunk);
            chunk.fill(0xff);
          }
          assert.deepEqual(await store.read(await writer.finish()), Buffer.concat(want));
        }
      }));

    test('a writer that does not wait for write loses nothing', () =>
      withStore(async ({ store }) => {
        const body = sample(2_500_000);
        const writer = store.create();
        const waits: Promise<void>[] = [];
        for (let at = 0; at < body.length; at += 30_000) {
          const wait = writer.write(body.subarray(at, at + 30_000));
          if (wait !== undefined) waits.push(wait);
        }
        const ref = await writer.finish();
        await Promise.all(waits);
        assert.deepEqual(await store.read(ref), body);
      }));

    test('ranges: start is inclusive, end exclusive, both cut to the blob', () =>
      withStore(async ({ store }) => {
        for (const octets of [100_000, 1_500_000]) {
          const body = sample(octets);
          const ref = await put(store, body);
          const ranges: readonly (readonly [number | undefined, number | undefined])[] = [
            [0, 0],
            [0, 1],
            [10, 20],
            [octets - 1, octets],
            [octets, octets],
            [70_000, undefined],
            [undefined, 70_000],
            [65_535, 65_537],
            [5, octets + 1000],
            [octets + 5, octets + 10],
            [20, 10],
          ];
          for (const [start, end] of ranges) {
            const from = Math.min(start ?? 0, octets);
            const want = body.subarray(from, Math.max(from, Math.min(end ?? octets, octets)));
            assert.deepEqual(await store.read(ref, start, end), want, `read ${start} to ${end}`);
            assert.deepEqual(await gather(store.stream(ref, start, end)), want, `stream ${start} to ${end}`);
          }
        }
      }));

    test('a stream left early does no harm', () =>
      withStore(async ({ store }) => {
        const body = sample(400_000);
        const ref = await put(store, body);
        for await (const chunk of store.stream(ref)) {
          assert.ok(chunk.length > 0);
          break;
        }
        assert.deepEqual(await store.read(ref), body);
      }));

    test('what is given may be changed by who asked: it is not the store’s own copy', () =>
      withStore(async ({ store }) => {
        const body = sample(5000);
        const ref = await put(store, body);
        (await store.read(ref)).fill(0);
        for await (const chunk of store.stream(ref)) chunk.fill(0);
        assert.deepEqual(await store.read(ref), body);
      }));

    test('aborting ends a writer, at any size, twice too, and harms no other', () =>
      withStore(async ({ store, reopen }) => {
        const before = sample(10_000, 2);
        const beforeRef = await put(store, before);
        for (const octets of [0, 100, 900_000, 1_200_000, 2_500_000]) {
          const writer = store.create();
          for (let at = 0; at < octets; at += 100_000) await writer.write(sample(100_000, at + 3));
          writer.abort();
          writer.abort();
        }
        const unwaited = store.create();
        void unwaited.write(sample(2_000_000));
        unwaited.abort();
        const afterRefs: BlobRef[] = [];
        for (const octets of [20_000, 1_300_000]) afterRefs.push(await put(store, sample(octets, 4)));
        const again = await reopen();
        assert.deepEqual(await again.read(beforeRef), before);
        for (const ref of afterRefs) assert.deepEqual(await again.read(ref), sample(ref.octets, 4));
      }));

    test('aborting after finish changes nothing', () =>
      withStore(async ({ store }) => {
        const body = sample(1000);
        const writer = store.create();
        await writer.write(body);
        const ref = await writer.finish();
        writer.abort();
        assert.deepEqual(await store.read(ref), body);
      }));

    test('a writer that was ended takes nothing more: a bug of the caller', () =>
      withStore(async ({ store }) => {
        const finished = store.create();
        await finished.finish();
        const aborted = store.create();
        aborted.abort();
        for (const writer of [finished, aborted]) {
          await assert.rejects(async () => writer.write(Buffer.from('x')), TypeError);
          await assert.rejects(async () => writer.finish(), TypeError);
        }
      }));

    test('many writers at once, of every size, each get their own octets', () =>
      withStore(async ({ store, reopen }) => {
        const bodies = Array.from({ length: 200 }, (_, index) =>
          sample(index % 25 === 0 ? 1_100_000 + index : (index * 977) % 70_000, index),
        );
        const refs = await Promise.all(bodies.map((body) => put(store, body, { chunkOctets: 30_000 })));
        await Promise.all(
          refs.map(async (ref, index) => assert.deepEqual(await store.read(ref), bodies[index])),
        );
        const again = await reopen();
        for (const [index, ref] of refs.entries()) assert.deepEqual(await again.read(ref), bodies[index]);
      }));

    test('writers that take turns do not mix their octets', () =>
      withStore(async ({ store }) => {
        const writers: BlobWriter[] = [];
        for (let index = 0; index < 5; index += 1) writers.push(store.create());
        for (let turn = 0; turn < 40; turn += 1)
          for (const [index, writer] of writers.entries())
            await writer.write(sample(40_000, index * 100 + turn));
        for (const [index, writer] of writers.entries()) {
          const want = Buffer.concat(
            Array.from({ length: 40 }, (_, turn) => sample(40_000, index * 100 + turn)),
          );
          assert.deepEqual(await store.read(await writer.finish()), want);
        }
      }));

    test('the same octets twice have one id, and both refs serve', () =>
      withStore(async ({ store }) => {
        const body = sample(3000);
        const refs = [await put(store, body), await put(store, body)];
        assert.equal(refs[0]?.id, refs[1]?.id);
        for (const ref of refs) assert.deepEqual(await store.read(ref), body);
      }));

    test('a place where nothing was written, and a place of another blob, are missing', () =>
      withStore(async ({ store }) => {
        const ref = await put(store, sample(3000));
        const other = await put(store, sample(3000, 9));
        const nowhere = { ...ref, place: known(toBlobPlace(2 ** 52)) };
        const swapped = { ...ref, id: known(toBlobId('0'.repeat(64))) };
        const crossed = { ...ref, place: other.place };
        for (const wrong of [nowhere, swapped, crossed]) {
          await assert.rejects(store.read(wrong), isProblem('missing'));
          await assert.rejects(gather(store.stream(wrong)), isProblem('missing'));
        }
      }));

    test('any octets in any chunks come back equal, in any range', async () => {
      await withStore(async ({ store }) => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 }),
            fc.nat(40_000),
            fc.nat(40_000),
            async (chunks, start, end) => {
              const writer = store.create();
              for (const chunk of chunks) await writer.write(chunk);
              const ref = await writer.finish();
              const body = Buffer.concat(chunks);
              assert.deepEqual(await store.read(ref), body);
              const from = Math.min(start, body.length);
              assert.deepEqual(
                await store.read(ref, start, end),
                body.subarray(from, Math.max(from, Math.min(end, body.length))),
              );
            },
          ),
          { numRuns: 60 },
        );
      });
    });
  });
}
