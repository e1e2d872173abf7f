/** What every trace store does. A backend runs this with an empty store of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstIdAt } from '../queue/queue-id.ts';
import { known } from '../store/ids.ts';
import { encodeEntries } from './entry-form.ts';
import { toTraceKey, type TraceKey } from './trace-key.ts';
import type { TraceEntry, TraceBatch, TraceStore } from './trace-store.ts';

export type OpenedTraceStore = {
  readonly store: TraceStore;
  /** The store as another would see it who opens it now. */
  readonly reopen: () => Promise<TraceStore>;
  close(): Promise<void>;
};

const DAY_MS = 86_400_000;
/** Noon of a day, so that a minute more or less stays in it. */
export const NOON_MS: number = Date.UTC(2026, 0, 10, 12);

/** Ids are of their time. */
function idOf(name: string): string {
  return `${firstIdAt(NOON_MS)}${name}`;
}

export function traceKey(text: string): TraceKey {
  return known(toTraceKey(text));
}

function entry(atMs: number, text: string): TraceEntry {
  return { atMs, event: 'test.event', fields: { text, number: 1, isTrue: true } };
}

type Part = {
  readonly id: string;
  readonly entries: readonly TraceEntry[];
  readonly keys: readonly string[];
};

function part(id: string, atMs: number, text: string, ...keys: readonly string[]): Part {
  return { id, entries: [entry(atMs, text)], keys };
}

/** As the collector puts it together. */
export function batchOf(parts: readonly Part[]): TraceBatch {
  const keys = new Map<TraceKey, string>();
  for (const { id, keys: own } of parts)
    for (const key of own.map(traceKey)) keys.set(key, keys.has(key) ? `${keys.get(key)} ${id}` : id);
  return { parts: parts.map(({ id, entries }) => ({ id, entries: encodeEntries(entries) })), keys };
}

const EVERYTHING = { key: undefined, from: undefined, before: undefined, limit: 100 } as const;

export function traceStoreContract(name: string, open: () => Promise<OpenedTraceStore>): void {
  const withStore =
    (run: (opened: OpenedTraceStore) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const opened = await open();
      try {
        await run(opened);
      } finally {
        await opened.close();
      }
    };

  test(
    `${name}: the parts of a trace come back as one, in order of time, values as they were`,
    withStore(async ({ store, reopen }) => {
      await store.append(
        batchOf([part(idOf('A1'), NOON_MS + 2, 'later'), part(idOf('B1'), NOON_MS, 'other')]),
      );
      await store.append(
        batchOf([
          {
            id: idOf('A1'),
            entries: [entry(NOON_MS, 'first'), entry(NOON_MS + 2, 'of one instant')],
            keys: [],
          },
        ]),
      );
      const expected = [
        entry(NOON_MS, 'first'),
        entry(NOON_MS + 2, 'later'),
        entry(NOON_MS + 2, 'of one instant'),
      ];
      for (const one of [store, await reopen()]) {
        const found = await one.read([idOf('A1'), idOf('ZZ'), idOf('B1')]);
        assert.deepEqual([...found.keys()].toSorted(), [idOf('A1'), idOf('B1')]);
        assert.deepEqual(found.get(idOf('A1')), expected);
      }
    }),
  );

  test(
    `${name}: found by key, the newest first, each once`,
    withStore(async ({ store }) => {
      await store.append(
        batchOf([
          part(idOf('A1'), NOON_MS, 'x', 'a:bob@example.org', 'c:192.0.2.1'),
          part(idOf('A2'), NOON_MS, 'x', 'a:bob@example.org'),
          part(idOf('A3'), NOON_MS, 'x', 'a:bob@example.orgs'),
        ]),
      );
      await store.append(batchOf([part(idOf('A1'), NOON_MS, 'y', 'a:bob@example.org', 'o:failed')]));
      const by = async (key: string): Promise<readonly string[]> =>
        store.find({ ...EVERYTHING, key: traceKey(key) });
      assert.deepEqual(await by('a:bob@example.org'), [idOf('A2'), idOf('A1')]);
      assert.deepEqual(await by('c:192.0.2.1'), [idOf('A1')]);
      assert.deepEqual(await by('o:failed'), [idOf('A1')]);
      assert.deepEqual(await by('a:nobody@example.org'), []);
      assert.deepEqual(await store.find(EVERYTHING), [idOf('A3'), idOf('A2'), idOf('A1')]);
    }),
  );

  test(
    `${name}: a page begins below an id and ends at one, and is no longer than asked`,
    withStore(async ({ store }) => {
      const ids = Array.from({ length: 9 }, (_, number) => idOf(`A${number}`));
      await store.append(batchOf(ids.map((id) => part(id, NOON_MS, 'x', 'a:bob@example.org'))));
      for (const key of [undefined, traceKey('a:bob@example.org')]) {
        assert.deepEqual(await store.find({ key, from: idOf('A2'), before: idOf('A6'), limit: 9 }), [
          idOf('A5'),
          idOf('A4'),
          idOf('A3'),
          idOf('A2'),
        ]);
        assert.deepEqual(await store.find({ key, from: undefined, before: idOf('A6'), limit: 2 }), [
          idOf('A5'),
          idOf('A4'),
        ]);
        // An id by its beginning.
        assert.deepEqual(await store.find({ key, from: idOf('A7'), before: idOf('A7~'), limit: 2 }), [
          idOf('A7'),
        ]);
      }
    }),
  );

  test(
    `${name}: what happens days later belongs to the same trace`,
    withStore(async ({ store, reopen }) => {
      await store.append(batchOf([part(idOf('A1'), NOON_MS, 'accepted', 'a:bob@example.org', 'o:delayed')]));
      await store.append(batchOf([part(idOf('B1'), NOON_MS + DAY_MS, 'x', 'a:bob@example.org')]));
      await store.append(batchOf([part(idOf('A1'), NOON_MS + 2 * DAY_MS, 'delivered', 'a:bob@example.org')]));
      for (const one of [store, await reopen()]) {
        assert.deepEqual(await one.find({ ...EVERYTHING, key: traceKey('a:bob@example.org') }), [
          idOf('B1'),
          idOf('A1'),
        ]);
        assert.deepEqual(await one.find({ ...EVERYTHING, limit: 1 }), [idOf('B1')]);
        assert.deepEqual(await one.find({ ...EVERYTHING, before: idOf('B1'), limit: 1 }), [idOf('A1')]);
        const found = await one.read([idOf('A1')]);
        assert.deepEqual(
          found.get(idOf('A1'))?.map(({ fields }) => fields['text']),
          ['accepted', 'delivered'],
        );
      }
    }),
  );

  test(
    `${name}: much at once, and text of any kind`,
    withStore(async ({ store }) => {
      const odd = 'quote " backslash \\ tab\t \u0001 ü 漢 🙂';
      const parts = Array.from({ length: 3000 }, (_, number) =>
        part(idOf(`M${String(number).padStart(5, '0')}`), NOON_MS, odd, 'c:192.0.2.9', `m:${odd}${number}`),
      );
      await store.append(batchOf(parts));
      assert.equal(
        (await store.find({ ...EVERYTHING, key: traceKey('c:192.0.2.9'), limit: 5000 })).length,
        3000,
      );
      assert.deepEqual(await store.find({ ...EVERYTHING, key: traceKey(`m:${odd}7`) }), [idOf('M00007')]);
      assert.equal((await store.read([idOf('M02999')])).get(idOf('M02999'))?.[0]?.fields['text'], odd);
      const all = parts.map(({ id }) => id);
      assert.equal((await store.read(all)).size, 3000);
    }),
  );

  test(
    `${name}: nothing at all`,
    withStore(async ({ store }) => {
      await store.append(batchOf([]));
      assert.deepEqual(await store.find(EVERYTHING), []);
      assert.equal((await store.read([])).size, 0);
      assert.equal((await store.read([idOf('A1')])).size, 0);
    }),
  );
}
