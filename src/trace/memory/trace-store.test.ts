import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf, traceStoreContract } from '../trace-store.contract.ts';
import { MemoryTraceStore } from './trace-store.ts';

traceStoreContract('memory', async () => {
  const store = new MemoryTraceStore();
  return { store, reopen: async () => store, close: async () => undefined };
});

test('memory: the oldest traces go first', async () => {
  const store = new MemoryTraceStore(2);
  for (const id of ['A1', 'A3', 'A2'])
    await store.append(batchOf([{ id, entries: [{ atMs: 0, event: 'test.event', fields: {} }], keys: [] }]));
  const all = { key: undefined, from: undefined, before: undefined, limit: 9 };
  assert.deepEqual(await store.find(all), ['A3', 'A2']);
});
