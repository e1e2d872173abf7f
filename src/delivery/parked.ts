/**
 * The names of messages that found their destination full and were put back into the queue for a while: as soon as there is
 * room, they are had back before their time. The longest put back first. Held in memory; one that is forgotten comes back
 * when its time has come.
 *
 * Bounded: beyond `idsMax`, over all destinations, no more are remembered.
 */
import type { QueueId } from '../queue/queue.ts';

export class Parked {
  readonly #idsMax: number;
  readonly #ids = new Map<string, Set<QueueId>>();
  #size = 0;

  constructor(idsMax: number) {
    this.#idsMax = idsMax;
  }

  get size(): number {
    return this.#size;
  }

  add(key: string, id: QueueId): void {
    if (this.#size >= this.#idsMax) return;
    const ids = this.#ids.get(key) ?? new Set();
    if (ids.has(id)) return;
    this.#ids.set(key, ids.add(id));
    this.#size += 1;
  }

  /** It is back. */
  remove(key: string, id: QueueId): void {
    const ids = this.#ids.get(key);
    if (ids?.delete(id) !== true) return;
    this.#size -= 1;
    if (ids.size === 0) this.#ids.delete(key);
  }

  /** Takes out the first of those that were put back for this destination. */
  take(key: string, count: number): readonly QueueId[] {
    const taken = [...(this.#ids.get(key)?.values().take(count) ?? [])];
    for (const id of taken) this.remove(key, id);
    return taken;
  }
}
