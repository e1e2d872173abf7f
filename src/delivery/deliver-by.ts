/**
 * What the time by which a message is to be delivered makes of an attempt, of its delay, and of handing it on. Pure.
 * Source: RFC 2852 §4.1.
 */
import { firstDueMs } from '../queue/progress.ts';
import type { LastAnswer, NewQueuedMessage, NewRecipient } from '../queue/queue.ts';
import type { Outcome } from './outcome.ts';
import { ownAnswer } from './outcome.ts';

type Timed = Pick<NewQueuedMessage, 'deliverBy'>;

/** RFC 2852 §4.1.3: it is to be returned, and no further attempt may be made. */
export function isOverdue({ deliverBy }: Timed, nowMs: number): boolean {
  return deliverBy?.mode === 'return' && nowMs >= deliverBy.byMs;
}

/** What becomes of a recipient then. @param last what the last attempt met, if there was one */
export function overdueOutcome(nowMs: number, last?: LastAnswer): Extract<Outcome, { kind: 'failed' }> {
  const met = last === undefined ? '' : `; last: ${last.text}`;
  return {
    kind: 'failed',
    answer: ownAnswer(
      nowMs,
      '5.4.7',
      'delivery.overdue',
      `Not delivered by the time that was asked for${met}`,
    ),
  };
}

/**
 * When a report of delay is due. Who said when they want to hear of one hears then (RFC 2852 §4.1.3), and not before;
 * others after a while in the queue, which begins with the release of the message.
 */
export function delayReportAtMs(
  message: Timed & Pick<NewQueuedMessage, 'arrivedAtMs' | 'releaseAtMs'>,
  reportAfterMs: number,
): number {
  const { deliverBy } = message;
  return deliverBy?.mode === 'notify' ? deliverBy.byMs : firstDueMs(message) + reportAfterMs;
}

/** The answer that a report of delay gives. */
export function delayAnswer({ deliverBy }: Timed, answer: LastAnswer): LastAnswer {
  return deliverBy?.mode === 'notify' ? { ...answer, status: '4.4.7' } : answer;
}

/** The next attempt is not put off beyond the time at which something is to be said of the message. */
export function withinTime({ deliverBy }: Timed, dueAtMs: number, nowMs: number): number {
  return deliverBy === undefined || deliverBy.byMs <= nowMs ? dueAtMs : Math.min(dueAtMs, deliverBy.byMs);
}

/**
 * RFC 2852 §4.1.4: each hand-over is told where a trace was asked for, and one in time to a host that knows nothing of the
 * time; never to who wants to hear nothing.
 */
export function tellsHandOver(
  { deliverBy, reversePath }: Timed & Pick<NewQueuedMessage, 'reversePath'>,
  { notify }: Pick<NewRecipient, 'notify'>,
  { answer, keepsTime = false }: Extract<Outcome, { kind: 'relayed' }>,
): boolean {
  if (deliverBy === undefined || reversePath === null || notify?.length === 0) return false;
  return deliverBy.trace || (!keepsTime && answer.atMs < deliverBy.byMs);
}
