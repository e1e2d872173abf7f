/**
 * The check that bounds what an account leaves here for a later release (FUTURERELEASE). It is counted in the queue, so
 * nothing else keeps the figure: at MAIL, where the RFC wants the answer, and again when the content is complete, of which
 * MAIL knew only what was declared. What sessions of one account complete in the same moment may exceed it by as many.
 *
 * Source: RFC 4865 §6 (2) to (5).
 */
import type { Clock } from '../base/clock.ts';
import type { HoldRequest } from '../smtp/wire/parameter.ts';
import type { Queue } from '../queue/queue.ts';
import type { Check } from './check.ts';
import type { SessionFacts, TransactionFacts } from './facts.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPT, refuse } from './verdict.ts';

export type ReleaseQuotaRules = {
  readonly scheduledMessagesMax: number;
  readonly scheduledOctetsMax: number;
};

export type ReleaseQuotaPorts = { readonly queue: Pick<Queue, 'scheduled'>; readonly clock: Clock };

export function releaseQuotaCheck({ queue, clock }: ReleaseQuotaPorts, rules: ReleaseQuotaRules): Check {
  const check = async (
    { parameters: { hold } }: TransactionFacts,
    { principal }: SessionFacts,
    octets: number,
  ): Promise<Verdict> => {
    const nowMs = clock.nowMs();
    if (principal === undefined || hold === undefined || !isAhead(hold, nowMs)) return ACCEPT;
    const kept = await queue.scheduled(principal.account, nowMs);
    const isOver =
      kept.messages >= rules.scheduledMessagesMax || kept.octets + octets > rules.scheduledOctetsMax;
    return isOver ? EXCEEDED : ACCEPT;
  };
  return {
    name: 'release-quota',
    mail: (transaction, session) =>
      transaction.parameters.hold === undefined
        ? ACCEPT
        : check(transaction, session, transaction.parameters.declaredOctets ?? 0),
    message: ({ octets }, transaction, session) =>
      transaction.parameters.hold === undefined ? ACCEPT : check(transaction, session, octets),
  };
}

function isAhead(hold: HoldRequest, nowMs: number): boolean {
  return hold.kind === 'for' || hold.atMs > nowMs;
}

const EXCEEDED = refuse(
  'submission.scheduled-quota',
  552,
  '5.7.16',
  'Too much of yours waits for its release already, try again when some of it has gone',
);
