/** From a check's verdict to a command's outcome, at once or later. */
import type { Outcome } from './outcome.ts';
import type { MaybePromise, Refusal, Verdict } from './ports.ts';

/** `accepted` if the check lets it pass or there is none, else what the check says. */
export function answered(
  verdict: MaybePromise<Verdict> | undefined,
  accepted: Outcome,
): MaybePromise<Outcome> {
  if (verdict === undefined) return accepted;
  if (verdict instanceof Promise) return verdict.then((settled) => outcomeOf(settled, accepted));
  return outcomeOf(verdict, accepted);
}

function outcomeOf(verdict: Verdict, accepted: Outcome): Outcome {
  return verdict.kind === 'refuse' ? refusalOutcome(verdict) : accepted;
}

/** Says in a refusal what it is about. */
export function about(
  what: NonNullable<Outcome['about']>,
  outcome: MaybePromise<Outcome>,
): MaybePromise<Outcome> {
  if (outcome instanceof Promise) return outcome.then((settled) => about(what, settled));
  return outcome.reply.code < 400 ? outcome : { ...outcome, about: what };
}

export function refusalOutcome(refusal: Refusal): Outcome {
  return { reply: refusal.reply, reason: refusal.reason };
}
