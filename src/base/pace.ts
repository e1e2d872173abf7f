/** Long work on a thread that others wait for: between two pieces of it the others have their turn, as often as need be. */
import { sleep, type Clock } from './clock.ts';

/** Work goes on for so long before it gives way; a piece is to take no longer itself. */
const TURN_MS = 8;

export class Pace {
  readonly #clock: Clock;
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** To be called between pieces. */
  async give(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#sinceMs < TURN_MS) return;
    await sleep(this.#clock, 0);
    this.#sinceMs = this.#clock.monotonicMs();
  }
}

/** Items sorted at a stretch. */
const RUN = 4096;

/** As `toSorted`, in pieces: equal items keep their order. */
export async function sortInTurns<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
  pace: Pace,
): Promise<Item[]> {
  let runs: Item[][] = [];
  for (let at = 0; at < items.length; at += RUN) {
    runs.push(items.slice(at, at + RUN).toSorted(compare));
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    await pace.give();
  }
  while (runs.length > 1) {
    const merged: Item[][] = [];
    for (let at = 0; at < runs.length; at += 2)
      // oxlint-disable-next-line no-await-in-loop -- others have their turn
      merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? [], compare, pace));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge<Item>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Item, b: Item) => number,
  pace: Pace,
): Promise<Item[]> {
  const merged: Item[] = [];
  for (let [at, other] = [0, 0]; ;) {
    const [a, b] = [left[at], right[other]];
    if (a === undefined || b === undefined) return merged.concat(left.slice(at), right.slice(other));
    if (compare(a, b) <= 0) {
      merged.push(a);
      at += 1;
    } else {
      merged.push(b);
      other += 1;
    }
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    if (merged.length % RUN === 0) await pace.give();
  }
}
