/**
 * What may be said about each recipient of an attempt before it is made, and heard of it afterwards: the port for checks of
 * the stages before and after delivery. {@link hookLocal} and {@link hookRemote} put a hook around the two ways of
 * delivery; without one, nothing is around them.
 *
 * A hook must not throw: what could not be found out is its own business to settle.
 */
import type { Clock } from '../base/clock.ts';
import { fromUtf8 } from '../base/bytes.ts';
import type { QueuedMessage, QueuedRecipient } from '../queue/queue.ts';
import type { AccountId } from '../store/ids.ts';
import type { DeliverableMessage, LocalDelivery, LocalRecipient } from './local.ts';
import type { Outcome } from './outcome.ts';
import { ownAnswer } from './outcome.ts';
import type { RemoteDelivery, RemoteOutcome } from './remote/remote-delivery.ts';

/** One recipient in one attempt. */
export type HookedDelivery = {
  readonly queueId: string;
  readonly reversePath: string | null;
  readonly forwardPath: string;
  readonly route: { readonly kind: 'local' | 'remote' };
  readonly octets: number;
  readonly arrivedAtMs: number;
  readonly account: AccountId | undefined;
};

export type BeforeDelivery =
  /** `fields`: whole header fields with CRLF, put before the message for this recipient. */
  | { readonly kind: 'go-on'; readonly fields: string }
  | {
      readonly kind: 'failed' | 'delayed' | 'held' | 'dropped';
      readonly status: string;
      readonly reason: string;
      readonly text: string;
    };

export type DeliveryHook = {
  /** Undefined: all go on, with nothing put before them. */
  readonly before: ((delivery: HookedDelivery) => BeforeDelivery | Promise<BeforeDelivery>) | undefined;
  after(
    delivery: HookedDelivery,
    result: { readonly kind: Outcome['kind']; readonly reason: string | undefined },
  ): void;
};

export type LocalDeliverer = Pick<LocalDelivery, 'deliver'>;
export type RemoteDeliverer = Pick<RemoteDelivery, 'deliver'>;

export function hookLocal(local: LocalDeliverer, hook: DeliveryHook, clock: Clock): LocalDeliverer {
  return {
    deliver: async (message, recipient, fresh) => {
      const delivery = hooked(message, recipient);
      const said = hook.before === undefined ? GO_ON : await hook.before(delivery);
      const outcome =
        said.kind === 'go-on'
          ? await local.deliver(withFields(message, said.fields), recipient, fresh)
          : settledBy(said, clock.nowMs());
      tell(hook, delivery, outcome);
      return outcome;
    },
  };
}

export function hookRemote(remote: RemoteDeliverer, hook: DeliveryHook, clock: Clock): RemoteDeliverer {
  const { before } = hook;
  const tellAll = (
    message: QueuedMessage,
    recipients: readonly QueuedRecipient[],
    outcomes: ReadonlyMap<number, Outcome>,
  ): void => {
    for (const recipient of recipients) {
      const outcome = outcomes.get(recipient.number);
      if (outcome !== undefined) tell(hook, hooked(message, recipient), outcome);
    }
  };
  if (before === undefined)
    return {
      deliver: async (message, route, recipients, signal) => {
        const answered = await remote.deliver(message, route, recipients, signal);
        tellAll(message, recipients, answered.outcomes);
        return answered;
      },
    };
  return {
    deliver: async (message, route, recipients, signal) => {
      const outcomes = new Map<number, Outcome>();
      const groups = new Map<string, QueuedRecipient[]>();
      await Promise.all(
        recipients.map(async (recipient) => {
          const said = await before(hooked(message, recipient));
          if (said.kind !== 'go-on') outcomes.set(recipient.number, settledBy(said, clock.nowMs()));
          else groups.set(said.fields, [...(groups.get(said.fields) ?? []), recipient]);
        }),
      );
      let answered: RemoteOutcome = { outcomes, finding: { kind: 'unknown' }, fault: undefined };
      for (const [fields, group] of groups) {
        // oxlint-disable-next-line no-await-in-loop -- each is a message of its own to the same host
        const visited = await remote.deliver(withFields(message, fields), route, group, signal);
        for (const [number, outcome] of visited.outcomes) outcomes.set(number, outcome);
        answered = { ...visited, outcomes };
      }
      tellAll(message, recipients, outcomes);
      return answered;
    },
  };
}

const GO_ON = { kind: 'go-on', fields: '' } as const;

function hooked(
  message: DeliverableMessage,
  { forwardPath, route }: LocalRecipient | QueuedRecipient,
): HookedDelivery {
  const { id, blob, reversePath, arrivedAtMs, source } = message;
  const facts = { queueId: id, reversePath, forwardPath, route, arrivedAtMs };
  return { ...facts, octets: blob.octets, account: source.account };
}

function withFields<Message extends DeliverableMessage>(message: Message, fields: string): Message {
  return fields === '' ? message : { ...message, prefix: Buffer.concat([fromUtf8(fields), message.prefix]) };
}

function settledBy(said: Exclude<BeforeDelivery, { kind: 'go-on' }>, nowMs: number): Outcome {
  return { kind: said.kind, answer: ownAnswer(nowMs, said.status, said.reason, said.text) };
}

function tell(hook: DeliveryHook, delivery: HookedDelivery, outcome: Outcome): void {
  hook.after(delivery, { kind: outcome.kind, reason: outcome.answer?.reason });
}
