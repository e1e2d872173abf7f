/** Time as an argument. Milliseconds since the Unix epoch, UTC; a test plays a week in a millisecond. */
export type Clock = {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. May jump either way. */
  nowMs(): number;
  /** Never goes back; for measuring and for deadlines. Milliseconds from an arbitrary origin. */
  monotonicMs(): number;
  /** Calls back once, at least `delayMs` later. `cancel` is idempotent. The timer does not keep the process up. */
  after(delayMs: number, callback: () => void): Timer;
};

export type Timer = { cancel(): void };

/** Resolves after `delayMs`, or at once when the signal is aborted. */
export async function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
