/** Traces in memory, for tests: bounded by their number of entries, the oldest trace goes first. */
import { decodeEntries } from '../entry-form.ts';
import { AFTER_ALL_IDS, inOrder } from '../trace-store.ts';
import type { TraceEntry, TraceBatch, TraceQuery, TraceStore } from '../trace-store.ts';
import type { TraceKey } from '../trace-key.ts';

type Kept = { readonly entries: TraceEntry[]; readonly keys: Set<TraceKey> };

export class MemoryTraceStore implements TraceStore {
  readonly #traces = new Map<string, Kept>();
  readonly #tracesMax: number;

  constructor(tracesMax = 10_000) {
    this.#tracesMax = tracesMax;
  }

  async append({ parts, keys }: TraceBatch): Promise<void> {
    for (const { id, entries } of parts) {
      const kept = this.#traces.get(id) ?? { entries: [], keys: new Set() };
      kept.entries.push(...decodeEntries(entries));
      this.#traces.set(id, kept);
    }
    for (const [key, ids] of keys) for (const id of ids.split(' ')) this.#traces.get(id)?.keys.add(key);
    for (const id of [...this.#traces.keys()].toSorted().slice(0, -this.#tracesMax)) this.#traces.delete(id);
  }

  async read(ids: readonly string[]): Promise<ReadonlyMap<string, readonly TraceEntry[]>> {
    const found = new Map<string, readonly TraceEntry[]>();
    for (const id of ids) {
      const kept = this.#traces.get(id);
      if (kept !== undefined) found.set(id, inOrder(kept.entries));
    }
    return found;
  }

  async find({ key, from = '', before = AFTER_ALL_IDS, limit }: TraceQuery): Promise<readonly string[]> {
    return [...this.#traces]
      .filter(([id, { keys }]) => id >= from && id < before && (key === undefined || keys.has(key)))
      .map(([id]) => id)
      .toSorted((left, right) => (left < right ? 1 : -1))
      .slice(0, limit);
  }
}
