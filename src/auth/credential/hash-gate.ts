/** Lets a few run at once and some wait, in order; whoever comes beyond that is turned away at once. */
export class HashGate {
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnceMax: number, waitingMax: number) {
    this.#atOnceMax = atOnceMax;
    this.#waitingMax = waitingMax;
  }

  /** Undefined: too many wait already, and `work` was not begun. */
  enter<Value>(work: () => Promise<Value>): Promise<Value> | undefined {
    return this.#running >= this.#atOnceMax && this.#waiting.length >= this.#waitingMax
      ? undefined
      : this.patiently(work);
  }

  /** Waits its turn behind any number of others. */
  async patiently<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#running < this.#atOnceMax) this.#running += 1;
    // Whoever leaves hands its place on, so the count stays.
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
