/**
 * The pipeline as delivery sees it: before each attempt for a recipient, and after it. In the shape of delivery's own hook,
 * which is not imported. Never throws.
 */
import type { Reply } from '../smtp/wire/reply.ts';
import type { MaybePromise } from './check.ts';
import type { DeliveryFacts, DeliveryResult } from './facts.ts';
import type { Asked, Pipeline } from './pipeline.ts';
import type { Sum } from './verdict.ts';

/** What becomes of the recipient: it is delivered, or this is what the attempt came to. */
export type BeforeDelivery =
  | { readonly kind: 'go-on'; readonly fields: string }
  | {
      readonly kind: 'failed' | 'delayed' | 'held' | 'dropped';
      readonly status: string;
      readonly reason: string;
      readonly text: string;
    };

export type DeliveryChecks = {
  /** Undefined: nothing is said before. */
  readonly before: ((delivery: DeliveryFacts) => MaybePromise<BeforeDelivery>) | undefined;
  after(delivery: DeliveryFacts, result: DeliveryResult): void;
};

/** Undefined: no check takes part in deliveries. */
export function deliveryChecks(pipeline: Pipeline): DeliveryChecks | undefined {
  const before = pipeline.having('beforeDelivery');
  const after = pipeline.having('afterDelivery');
  if (before.length + after.length === 0) return undefined;
  const asked = (stage: 'before-delivery' | 'after-delivery', { queueId }: DeliveryFacts): Asked => ({
    stage,
    sessionId: undefined,
    traceId: queueId,
  });
  const ask = (delivery: DeliveryFacts): MaybePromise<BeforeDelivery> => {
    const sum = pipeline.consult(before, asked('before-delivery', delivery), (check) =>
      check.beforeDelivery?.(delivery),
    );
    return sum instanceof Promise ? sum.then(toAnswer) : toAnswer(sum);
  };
  return {
    before: before.length === 0 ? undefined : ask,
    after: (delivery, result) => {
      for (const check of after)
        try {
          check.afterDelivery?.(delivery, result);
        } catch (cause) {
          pipeline.failed(check, asked('after-delivery', delivery), cause);
        }
    },
  };
}

function toAnswer({ refusal, discard, hold, fields }: Sum): BeforeDelivery {
  if (refusal !== undefined)
    return {
      kind: refusal.kind === 'refuse' ? 'failed' : 'delayed',
      status: statusOf(refusal.reply, refusal.kind),
      reason: refusal.reason,
      text: refusal.reply.lines.join(' '),
    };
  // RFC 3463 §3.8: X.7.0, no more is said of a matter of policy.
  if (discard !== undefined)
    return { kind: 'dropped', status: '2.7.0', reason: discard, text: 'Discarded by a rule' };
  if (hold !== undefined) return { kind: 'held', status: '4.7.0', ...hold };
  return { kind: 'go-on', fields };
}

function statusOf({ status }: Reply, kind: 'refuse' | 'defer'): string {
  return status ?? (kind === 'refuse' ? '5.7.0' : '4.7.0');
}
