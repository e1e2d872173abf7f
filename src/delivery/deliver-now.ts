/**
 * Delivers to local recipients in the thread that received the message: what the session gathered while the octets passed
 * is still in memory.
 *
 * A message whose recipients are all here goes into the mailboxes first: when it is in all of them, on stable storage, it
 * is accepted, and the queue never hears of it (docs/adr/0006-accept-by-delivery.md). Where a recipient cannot take it now,
 * where success is to be reported, or where others are elsewhere, the queue accepts it; what is left is the runner's.
 * Bounded: a thread with too much of it leaves new messages to the runner.
 */
import type { Clock } from '../base/clock.ts';
import { Gate } from '../base/gate.ts';
import { LIMITS } from '../base/limits.ts';
import { firstDueMs, firstState } from '../queue/progress.ts';
import type { NewQueuedMessage, Queue, QueuedMessage, QueuedRecipient } from '../queue/queue.ts';
import { wantsDsn } from './bounce.ts';
import type { DeliveryEventSink } from './event.ts';
import type { LocalDeliverer } from './hook.ts';
import type { DeliverableMessage, LocalRecipient } from './local.ts';
import type { MessageFacts } from './message-facts.ts';
import type { Outcome } from './outcome.ts';
import { faultAnswer, mailboxOf } from './outcome.ts';
import type { Settler } from './settler.ts';

export type DeliverNowPorts = {
  readonly queue: Pick<Queue, 'accept' | 'acceptAll'>;
  readonly local: LocalDeliverer;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly events: DeliveryEventSink;
};

/** Works on messages under its own lease. */
export type TakesOver = {
  readonly owner: string;
  /** There is room for another message now. */
  readonly hasRoom: boolean;
  /** A message that was just accepted under the owner's lease. */
  readonly adopt: (message: QueuedMessage) => void;
};

/** Long enough for a busy disk; a process that died leaves its messages to others after it, or at the next start. */
const LEASE_MS = 120_000;
/** Messages that wait for their delivery here; above it the runner takes new ones. */
const WAITING_MAX = 256;
/** Above so many mailboxes the client would wait long: the queue accepts in one commit. */
const AT_ONCE_MAX = 20;

const DELIVERED = {
  name: 'delivery.settled',
  outcome: 'delivered',
  status: undefined,
  reason: undefined,
  host: undefined,
  text: undefined,
  attempts: undefined,
  dueAtMs: undefined,
} as const;

export type Refused = Extract<Outcome, { kind: 'delayed' | 'failed' }>;

export class DeliverNow {
  readonly #ports: DeliverNowPorts;
  readonly #owner: string;
  readonly #gate = new Gate(LIMITS.localDeliveriesMax);
  readonly #running = new Set<Promise<void>>();

  #takesOver: TakesOver | undefined;

  /** @param owner the name under which this thread holds leases; no other has it */
  constructor(ports: DeliverNowPorts, owner: string) {
    this.#ports = ports;
    this.#owner = owner;
  }

  /** Who delivers to other hosts in this thread: what is all for them goes straight there, without being looked for in the queue. */
  handTo(takesOver: TakesOver): void {
    this.#takesOver = takesOver;
  }

  /**
   * Resolves when the message is on stable storage: in every mailbox, or in the queue with delivery going on behind it.
   *
   * @param refusable where no mailbox takes it, the message is not accepted, and why not is given: its client can still be told
   */
  async accept(
    message: NewQueuedMessage,
    facts: MessageFacts,
    refusable = false,
  ): Promise<Refused | undefined> {
    const locals = message.recipients.filter(({ route }) => route.kind === 'local').length;
    const isLater = message.hold !== undefined || firstDueMs(message) > this.#ports.clock.nowMs();
    if (locals === 0 && !isLater && this.#takesOver?.hasRoom === true) {
      const { owner, adopt } = this.#takesOver;
      const lease = { owner, untilMs: this.#ports.clock.nowMs() + LEASE_MS };
      await this.#ports.queue.accept(message, lease);
      this.#tellAccepted(message, facts);
      adopt(toQueued(message, lease));
      return undefined;
    }
    if (locals === 0 || isLater || this.#gate.waiting >= WAITING_MAX) {
      await this.#ports.queue.accept(message);
      this.#tellAccepted(message, facts);
      return undefined;
    }
    const lease = { owner: this.#owner, untilMs: this.#ports.clock.nowMs() + LEASE_MS };
    const queued = toQueued(message, lease);
    if (locals < message.recipients.length || locals > AT_ONCE_MAX) {
      await this.#ports.queue.accept(message, lease);
      this.#tellAccepted(message, facts);
      this.#goOn(queued, async () => this.#settle(queued, await this.#deliver(queued, facts)));
      return undefined;
    }
    const outcomes = await this.#gate.run(() => this.#deliver(queued, facts));
    if (isDone(queued, outcomes)) {
      this.#tellAccepted(message, facts);
      for (const { number, forwardPath } of queued.recipients)
        this.#ports.events({
          ...DELIVERED,
          queueId: message.id,
          recipient: number,
          address: forwardPath,
          mailbox: mailboxOf(outcomes.get(number)),
        });
      return undefined;
    }
    const refused = refusable ? refusedByAll(queued, outcomes) : undefined;
    if (refused !== undefined) return refused;
    // Should we die before it is settled, the runner delivers again, and who has the message does not get it twice.
    await this.#ports.queue.accept(message, lease);
    this.#tellAccepted(message, facts);
    this.#goOn(queued, () => this.#settle(queued, outcomes));
    return undefined;
  }

  /**
   * Resolves when all that one transaction of a client became is in the queue, by one commit: what a crash interrupts, its
   * client sends again, and nobody has had a part of it before.
   *
   * @param reports of what was decided when the message was taken
   */
  async acceptAll(
    messages: readonly NewQueuedMessage[],
    facts: MessageFacts,
    reports: readonly NewQueuedMessage[],
  ): Promise<void> {
    await this.#ports.queue.acceptAll([...reports, ...messages]);
    for (const message of messages) this.#tellAccepted(message, facts);
  }

  #tellAccepted({ id, blob, recipients }: NewQueuedMessage, { messageId, subject }: MessageFacts): void {
    this.#ports.events({
      name: 'delivery.accepted',
      queueId: id,
      messageId,
      subject,
      octets: blob.octets,
      recipients: recipients.length,
    });
  }

  /** Behind the answer to the client. */
  #goOn(message: QueuedMessage, work: () => Promise<void>): void {
    const running = this.#gate
      .run(work)
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

  async #deliver(message: QueuedMessage, facts: MessageFacts): Promise<ReadonlyMap<number, Outcome>> {
    const locals = message.recipients.filter(isLocal);
    const outcomes = new Map<number, Outcome>();
    await Promise.all(
      locals.map(async (recipient) => {
        outcomes.set(recipient.number, await deliverSafely(this.#ports, message, recipient, facts));
      }),
    );
    return outcomes;
  }

  /** What is left of the message is the runner's: settling ends our lease and tells it. */
  async #settle(message: QueuedMessage, outcomes: ReadonlyMap<number, Outcome>): Promise<void> {
    await this.#ports.settler.settle(message, this.#owner, outcomes);
  }
}

/** Why nobody can have it: for now, where that holds for any of them. */
function refusedByAll(
  { recipients }: QueuedMessage,
  outcomes: ReadonlyMap<number, Outcome>,
): Refused | undefined {
  const refusals: Refused[] = [];
  for (const { number } of recipients) {
    const outcome = outcomes.get(number);
    if (outcome?.kind !== 'delayed' && outcome?.kind !== 'failed') return undefined;
    refusals.push(outcome);
  }
  return refusals.find(({ kind }) => kind === 'delayed') ?? refusals[0];
}

/** Whether the queue would have nothing to do: everybody has it, and nobody is to be told of it. */
function isDone(message: QueuedMessage, outcomes: ReadonlyMap<number, Outcome>): boolean {
  return message.recipients.every(
    (recipient) =>
      outcomes.get(recipient.number)?.kind === 'delivered' && !wantsDsn(message, recipient, 'delivered'),
  );
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
  const state = firstState(message);
  const recipients = message.recipients.map((recipient, number) => ({ ...recipient, number, state }));
  const { hold: _hold, ...kept } = message;
  return { ...kept, recipients, lease };
}
