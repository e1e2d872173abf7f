/** Counters of one thread. A snapshot is plain data, so that threads can be added up and served in any format. */
export type Labels = { readonly [label: string]: string };

export type Sample = { readonly name: string; readonly labels: Labels; readonly value: number };

/** One of them, for who counts again and again. It only grows. */
export type Counter = { readonly name: string; readonly labels: Labels; value: number };

export class Counters {
  readonly #samples = new Map<string, Counter>();

  /** The one of this name with these labels. */
  of(name: string, labels: Labels): Counter {
    const key = keyOf(name, labels);
    let sample = this.#samples.get(key);
    if (sample === undefined) {
      sample = { name, labels, value: 0 };
      this.#samples.set(key, sample);
    }
    return sample;
  }

  /** @param by never negative: a counter only grows */
  add(name: string, labels: Labels, by = 1): void {
    this.of(name, labels).value += by;
  }

  snapshot(): readonly Sample[] {
    return [...this.#samples.values()].map((sample) => ({ ...sample }));
  }
}

/** The sums over several threads' snapshots. */
export function addUp(snapshots: readonly (readonly Sample[])[]): readonly Sample[] {
  const sum = new Counters();
  for (const { name, labels, value } of snapshots.flat()) sum.add(name, labels, value);
  return sum.snapshot();
}

function keyOf(name: string, labels: Labels): string {
  return JSON.stringify([
    name,
    ...Object.entries(labels).toSorted(([left], [right]) => (left < right ? -1 : 1)),
  ]);
}
