/**
 * Delivers the local recipients of a message that was accepted a moment ago, in the thread that accepted it: what the
 * session gathered while the octets passed is still in memory. Recipients at other hosts, and whatever fails for now, are
 * the queue runner's. Bounded: a thread with too much of it leaves new messages to the runner.
 */
import type { Clock } from '../base/clock.ts';
import { Gate } from '../base/gate.ts';
import { LIMITS } from '../base/limits.ts';
import type { NewQueuedMessage, Queue, QueuedMessage, QueuedRecipient } from '../queue/queue.ts';
import type { DeliveryEventSink } from './event.ts';
import type { DeliverableMessage, LocalDelivery, LocalRecipient } from './local.ts';
import type { MessageFacts } from './message-facts.ts';
import type { Outcome } from './outcome.ts';
import { faultAnswer } from './outcome.ts';
import type { Settler } from './settler.ts';

export type DeliverNowPorts = {
  readonly queue: Pick<Queue, 'accept'>;
  readonly local: LocalDelivery;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly events: DeliveryEventSink;
};

/** Long enough for a busy disk; a process that died leaves its messages to others after it, or at the next start. */
const LEASE_MS = 120_000;
/** Messages that wait for their delivery here; above it the runner takes new ones. */
const WAITING_MAX = 256;

export class DeliverNow {
  readonly #ports: DeliverNowPorts;
  readonly #owner: string;
  readonly #gate = new Gate(LIMITS.localDeliveriesMax);
  readonly #running = new Set<Promise<void>>();

  /** @param owner the name under which this thread holds leases; no other has it */
  constructor(ports: DeliverNowPorts, owner: string) {
    this.#ports = ports;
    this.#owner = owner;
  }

  /** Resolves when the message is on stable storage; delivery goes on behind it. */
  async accept(message: NewQueuedMessage, facts: MessageFacts): Promise<void> {
    const hasLocal = message.recipients.some((recipient) => recipient.route.kind === 'local');
    if (!hasLocal || this.#gate.waiting >= WAITING_MAX) {
      await this.#ports.queue.accept(message);
      return;
    }
    const lease = { owner: this.#owner, untilMs: this.#ports.clock.nowMs() + LEASE_MS };
    await this.#ports.queue.accept(message, lease);
    const running = this.#gate
      .run(() => this.#deliver(toQueued(message, lease), facts))
      .catch((cause: unknown) => {
        // The lease runs out, and the runner does it again: delivery is idempotent.
        this.#ports.events({
          name: 'delivery.fault',
          queueId: message.id,
          doing: 'Delivering at once',
          cause,
        });
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when nothing that was accepted here is on its way any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #deliver(message: QueuedMessage, facts: MessageFacts): Promise<void> {
    const locals = message.recipients.filter(isLocal);
    const outcomes = new Map<number, Outcome>();
    await Promise.all(
      locals.map(async (recipient) => {
        outcomes.set(recipient.number, await deliverSafely(this.#ports, message, recipient, facts));
      }),
    );
    // What is left of the message is the runner's: settling ends our lease and tells it.
    await this.#ports.settler.settle(message, this.#owner, outcomes);
  }
}

export function isLocal(recipient: QueuedRecipient): recipient is QueuedRecipient & LocalRecipient {
  return recipient.route.kind === 'local';
}

/** A fault of the world, or a bug that one message brings out, delays this recipient and nobody else. */
export async function deliverSafely(
  ports: Pick<DeliverNowPorts, 'local' | 'clock' | 'events'>,
  message: DeliverableMessage,
  recipient: LocalRecipient,
  facts?: MessageFacts,
): Promise<Outcome> {
  try {
    return await ports.local.deliver(message, recipient, facts);
  } catch (cause) {
    ports.events({ name: 'delivery.fault', queueId: message.id, doing: 'Delivering to a mailbox', cause });
    return { kind: 'delayed', answer: faultAnswer(ports.clock.nowMs()) };
  }
}

function toQueued(
  message: NewQueuedMessage,
  lease: { readonly owner: string; readonly untilMs: number },
): QueuedMessage {
  const state = {
    kind: 'waiting',
    dueAtMs: message.arrivedAtMs,
    attempts: 0,
    lastAnswer: undefined,
    delayReported: false,
  } as const;
  const recipients = message.recipients.map((recipient, number) => ({ ...recipient, number, state }));
  return { ...message, recipients, lease };
}
