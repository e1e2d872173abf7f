/**
 * When a delayed recipient is tried again. Pure: attempts, the time and chance in, a time out.
 *
 * Source: RFC 5321 §4.5.4.1. Departs from its interval of at least 30 minutes at first: most delays are short (greylisting,
 * a restart), so the first tries come sooner, and later ones much later, than that.
 */
import type { Random } from '../base/random.ts';

/** 'own': the trouble was ours, and trying costs nobody else. 'soon': a host means minutes. 'slow': somebody must do something first, and nothing is gained by haste. */
export type RetryPace = 'own' | 'soon' | 'usual' | 'slow';

/** The reason of an answer that says so: a disk or a database of ours failed. */
export const FAULT_REASON = 'fault';

export type RetrySchedule = {
  /** Pause after the first, second … attempt; the last one is kept from then on. */
  readonly pausesMs: readonly number[];
  /** The first pauses where a disk or a database of ours failed; what follows is as usual. None is longer than usual. */
  readonly ownMs: readonly number[];
  /** The first pauses where a host asked us to come back; what follows is as usual. None is longer than usual. */
  readonly soonMs: readonly number[];
  /** No pause is shorter than this where nothing is gained by haste. */
  readonly slowMs: number;
  /** Each pause is varied by up to this part of it, either way, so that what failed together is not tried together. */
  readonly jitter: number;
  /** A message that waits for longer than this is reported as delayed, once (RFC 5321 §4.5.4.1, RFC 3461 §5.2.7). */
  readonly delayReportMs: number;
  /** Trying ends after this: at least 4 to 5 days (RFC 5321 §4.5.4.1). */
  readonly lifetimeMs: number;
};

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

export const RETRY_SCHEDULE: RetrySchedule = {
  pausesMs: [
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    20 * MINUTE_MS,
    40 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    4 * HOUR_MS,
  ],
  ownMs: [5 * SECOND_MS, 15 * SECOND_MS, MINUTE_MS, 2 * MINUTE_MS],
  // RFC 6647 §5: who greylists wants us back within minutes, most of them five.
  soonMs: [2 * MINUTE_MS, 4 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS],
  slowMs: HOUR_MS,
  jitter: 0.2,
  delayReportMs: 4 * HOUR_MS,
  lifetimeMs: 5 * 24 * HOUR_MS,
};

export type Tried = {
  /** Attempts made so far, the one that has just failed included: at least 1. */
  readonly attempts: number;
  readonly pace: RetryPace;
  /** Those of its route, in the place of the schedule's. */
  readonly pausesMs?: readonly number[] | undefined;
};

export function nextDueMs(
  tried: Tried,
  nowMs: number,
  random: Random,
  schedule: RetrySchedule = RETRY_SCHEDULE,
): number {
  const pauseMs = pauseOf(tried, schedule);
  const spanMs = Math.floor(pauseMs * schedule.jitter);
  return nowMs + pauseMs - spanMs + random.below(2 * spanMs + 1);
}

function pauseOf(tried: Tried, { ownMs, soonMs, slowMs, ...schedule }: RetrySchedule): number {
  const { attempts, pace, pausesMs = schedule.pausesMs } = tried;
  const at = Math.max(0, attempts - 1);
  const usualMs = pausesMs[at] ?? pausesMs.at(-1) ?? HOUR_MS;
  switch (pace) {
    case 'own':
      return Math.min(ownMs[at] ?? usualMs, usualMs);
    case 'soon':
      return Math.min(soonMs[at] ?? usualMs, usualMs);
    case 'usual':
      return usualMs;
    case 'slow':
      return Math.max(usualMs, slowMs);
  }
}
