/**
 * A fault of the world: disk full, database away, resolver silent. Thrown; caught by the driver of a session
 * (451, NO) or by the queue (delay). A public reply never contains the cause.
 */
export class Fault extends Error {
  override readonly name = 'Fault';

  /** @param doing what was being done, without a full stop: 'Appending to a segment' */
  constructor(doing: string, cause?: unknown) {
    super(doing, cause === undefined ? undefined : { cause });
  }
}

/** For the log of what nobody expected: the stack, or what was thrown instead of an error. */
export function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
