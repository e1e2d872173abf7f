/**
 * A socket that sends what is written in one turn together. The driver writes each statement by itself: a transaction of
 * ten statements sent without waiting would be ten system calls and wake the database ten times.
 */
import { Socket } from 'node:net';

export class GatheringSocket extends Socket {
  #isHeld = false;

  /** The driver corks around each statement; the first of a turn holds all that follow it. */
  override cork(): void {
    if (!this.#isHeld) {
      this.#isHeld = true;
      super.cork();
      process.nextTick(() => {
        this.#isHeld = false;
        this.uncork();
      });
    }
    super.cork();
  }
}
