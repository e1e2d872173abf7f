/**
 * How far a command has come, told to a client that has waited long. The handler counts, the driver waits.
 * Source: RFC 9585 §4.
 */
import type { Clock, Timer } from '../../base/clock.ts';

/** How often it is told. */
const TELL_MS = 10_000;

/** The goal is reached when the command ends, not before (RFC 9585 §4). */
export type ProgressMade = { readonly done: number; readonly goal: number };

export class Progress {
  readonly #clock: Clock;
  readonly #tell: (made: ProgressMade | undefined) => Promise<void>;
  #timer: Timer;
  #done = 0;
  #goal = 0;
  #isWaiting = false;
  #telling: Promise<void> | undefined;

  /** @param tell called while the driver waits, and no other time: it may write */
  constructor(clock: Clock, tell: (made: ProgressMade | undefined) => Promise<void>) {
    this.#clock = clock;
    this.#tell = tell;
    this.#timer = this.#later();
  }

  /** For the handler: so many more of so many are done. */
  of(more: number, goal: number): void {
    this.#done += more;
    this.#goal = goal;
  }

  /** For the driver: from here on it waits for the handler. */
  wait(): void {
    this.#isWaiting = true;
  }

  /** It waits no longer, but for the end of what is being told. */
  go(): Promise<void> | undefined {
    this.#isWaiting = false;
    const telling = this.#telling;
    this.#telling = undefined;
    return telling;
  }

  /** The command is over, in whatever way; nothing is told any more. */
  async end(): Promise<void> {
    this.#timer.cancel();
    await this.#telling?.catch(() => undefined);
  }

  #later(): Timer {
    return this.#clock.after(TELL_MS, () => {
      this.#timer = this.#later();
      if (!this.#isWaiting || this.#telling !== undefined) return;
      const goal = this.#goal;
      const made = goal === 0 ? undefined : { done: Math.min(this.#done, goal - 1), goal };
      this.#telling = this.#tell(made).finally(() => {
        this.#telling = undefined;
      });
      // Whoever waits for it hears of a fault.
      this.#telling.catch(() => undefined);
    });
  }
}
