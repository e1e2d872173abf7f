import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { known } from '../ids.ts';
import { toBlobPlace } from '../blob-store.ts';
import type { BlobPlace, BlobRef } from '../blob-store.ts';
import type { BlobUser } from '../blob-use.ts';
import type { Finding } from '../finding.ts';
import { CrashDisk } from '../../../test/support/crash-disk.ts';
import { checkSegments } from './segment-check.ts';
import { fromPlace, toPlace } from './segment-format.ts';
import { openSegmentStore } from './segment-store.ts';
import type { SegmentStore } from './segment-store.ts';

const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, after: () => ({ cancel: () => undefined }) };

class Rows implements BlobUser {
  places: BlobPlace[] = [];
  async placesBetween(from: BlobPlace, before: BlobPlace): Promise<readonly BlobPlace[]> {
    return [...new Set(this.places)]
      .filter((place) => place >= from && place < before)
      .toSorted((a, b) => a - b);
  }
  async relocate(moves: readonly { readonly from: BlobPlace; readonly to: BlobPlace }[]): Promise<void> {
    const to = new Map(moves.map((move) => [move.from, move.to]));
    this.places = this.places.map((place) => to.get(place) ?? place);
  }
}

type Scene = { readonly disk: CrashDisk; readonly rows: Rows; readonly refs: readonly BlobRef[] };

const BODIES = [300, 0, 5000, 17, 300].map((octets, seed) => Buffer.alloc(octets, seed + 1));

function open(disk: CrashDisk): Promise<SegmentStore> {
  return openSegmentStore({ directory: '', clock, owner: 'w1', disk, limits: { recentOctetsMax: 0 } });
}

async function scene(bodies: readonly Buffer[] = BODIES): Promise<Scene> {
  const disk = new CrashDisk();
  const store = await open(disk);
  const rows = new Rows();
  const refs: BlobRef[] = [];
  for (const body of bodies) {
    const writer = store.create();
    await writer.write(body);
    const ref = await writer.finish();
    refs.push(ref);
    rows.places.push(ref.place);
  }
  await store.close();
  return { disk, rows, refs };
}

async function check({ disk, rows }: Scene, repair: boolean): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for await (const finding of checkSegments({ directory: '', users: [rows], repair, disk }))
    found.push(finding);
  return found;
}

function flip(disk: CrashDisk, at: number): void {
  const content = disk.contentOf('0000000001.segment');
  content[at] = (content[at] ?? 0) ^ 0x5a;
}

function kinds(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ kind, mended }) => (mended ? `${kind} mended` : kind));
}

function offsetOf({ refs }: Scene, index: number): number {
  return fromPlace(refs[index]?.place ?? assert.fail()).offset;
}

suite('segment check', () => {
  test('a sound folder has no findings', async () => {
    assert.deepEqual(await check(await scene(), false), []);
    assert.deepEqual(await check(await scene(), true), []);
  });

  test('octets that no row names are a note', async () => {
    const one = await scene();
    one.rows.places.splice(1, 2);
    const [finding, ...others] = await check(one, true);
    assert.equal(finding?.kind, 'segment.unreferenced');
    assert.equal(finding.severity, 'note');
    assert.match(finding.text, /2 records \(5136 octets\)/);
    assert.deepEqual(others, []);
  });

  test('a damaged file header is written anew', async () => {
    const one = await scene();
    flip(one.disk, 3);
    assert.deepEqual(kinds(await check(one, false)), ['segment.header']);
    assert.deepEqual(kinds(await check(one, true)), ['segment.header mended']);
    assert.deepEqual(await check(one, true), []);
  });

  for (const field of [0, 5, 8, 12, 16, 40, 48, 53, 57, 61])
    test(`a header damaged at octet ${field} is proven by its octets and written anew`, async () => {
      for (const index of [0, 2, 4]) {
        const one = await scene();
        flip(one.disk, offsetOf(one, index) + field);
        assert.ok(
          (await check(one, false)).every(({ kind, mended }) => kind === 'segment.damaged' && !mended),
        );
        assert.deepEqual(kinds(await check(one, true)), ['segment.damaged mended']);
        assert.deepEqual(await check(one, true), []);
        const store = await open(one.disk);
        assert.deepEqual(await store.read(one.refs[index] ?? assert.fail()), BODIES[index]);
      }
    });

  test('damaged octets are kept in quarantine, the record stays', async () => {
    const one = await scene();
    const at = offsetOf(one, 2);
    flip(one.disk, at + 2000);
    assert.deepEqual(kinds(await check(one, true)), ['segment.damaged']);
    const copy = one.disk.contentOf(`quarantine/0000000001-${String(at).padStart(10, '0')}.record`);
    assert.equal(copy.length, 5072);
    assert.ok(
      one.disk
        .contentOf('0000000001.segment')
        .subarray(at, at + 5072)
        .equals(copy),
    );
    assert.deepEqual(kinds(await check(one, true)), ['segment.damaged']);
  });

  test('rows are given another record of the same blob', async () => {
    const body = Buffer.alloc(700, 9);
    const one = await scene([body, Buffer.alloc(30), body]);
    flip(one.disk, offsetOf(one, 0) + 100);
    assert.deepEqual(kinds(await check(one, true)), ['segment.damaged', 'segment.damaged mended']);
    assert.equal(one.rows.places[0], one.refs[2]?.place);
    const store = await open(one.disk);
    const place = one.rows.places[0] ?? assert.fail();
    assert.deepEqual(await store.read({ ...(one.refs[0] ?? assert.fail()), place }), body);
  });

  test('a header and its octets damaged: the span is kept in quarantine', async () => {
    const one = await scene();
    flip(one.disk, offsetOf(one, 2) + 20);
    flip(one.disk, offsetOf(one, 2) + 2000);
    assert.deepEqual(kinds(await check(one, true)), ['segment.damaged', 'segment.unreadable']);
    assert.ok((await one.disk.list()).some((name) => name.startsWith('quarantine/')));
  });

  test('rows that name what is not there are reported', async () => {
    const one = await scene();
    one.rows.places.push(
      toPlace(1, offsetOf(one, 2) + 64),
      toPlace(1, 200_000),
      toPlace(7, 64),
      known(toBlobPlace(0)),
    );
    assert.deepEqual(kinds(await check(one, true)), [
      'segment.no-record',
      'segment.no-record',
      'segment.no-record',
      'segment.no-record',
    ]);
  });
});
