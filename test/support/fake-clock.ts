/** A clock that stands still until a test moves it on: a week of retries passes in a millisecond. */
import type { Clock, Timer } from '../../src/base/clock.ts';

type Alarm = { readonly atMs: number; readonly order: number; readonly callback: () => void };

export class FakeClock implements Clock {
  #nowMs: number;
  #jumpedMs = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  constructor(nowMs: number = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs + this.#jumpedMs;
  }

  /** Somebody sets the time of day: no time passes, no timer hears of it. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Timers that have not fired yet. */
  get pending(): number {
    return this.#alarms.size;
  }

  after(delayMs: number, callback: () => void): Timer {
    const alarm = { atMs: this.#nowMs + Math.max(0, delayMs), order: (this.#order += 1), callback };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  /** Moves time on by `ms`; what falls due fires in order, and the work it starts runs until it waits for time again. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let alarm = this.#next(untilMs); alarm !== undefined; alarm = this.#next(untilMs)) {
      this.#alarms.delete(alarm);
      this.#nowMs = Math.max(this.#nowMs, alarm.atMs);
      alarm.callback();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  #next(untilMs: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs > untilMs) continue;
      if (
        next === undefined ||
        alarm.atMs < next.atMs ||
        (alarm.atMs === next.atMs && alarm.order < next.order)
      )
        next = alarm;
    }
    return next;
  }
}

/** Lets everything run that needs no time: promises, and a few turns of the event loop for streams. */
export async function settled(turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
