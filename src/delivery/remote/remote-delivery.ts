/**
 * Takes one message to the hosts of one domain: in their order, each recipient until one host has decided about it.
 *
 * TLS is opportunistic: a handshake that fails is followed by a visit in plain (RFC 7435; policies that forbid it come to
 * bear in `HopTarget.tls`). Every host is bounded by the client's timeouts, the whole by LIMITS.hopVisitsMax.
 */
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import type { LastAnswer, QueuedMessage, QueuedRecipient } from '../../queue/queue.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { Outcome } from '../outcome.ts';
import { ownAnswer } from '../outcome.ts';
import type { HopVerdict } from './classify.ts';
import { classify } from './classify.ts';
import type { HopMessage, HopTarget, HopVisit, RemoteHop } from './hop.ts';
import type { Problem, Routing } from './routing.ts';
import { loop } from './routing.ts';

export type RemoteDeliveryPorts = {
  readonly routing: Routing;
  readonly hop: RemoteHop;
  readonly blobs: BlobStore;
  readonly clock: Clock;
};

export type RemoteOutcome = {
  /** By the recipient's number. */
  readonly outcomes: ReadonlyMap<number, Outcome>;
  /** No host of the domain spoke with us: it is down, and its other mail need not find that out one by one. */
  readonly unreachable: boolean;
};

/** The recipients that no host has decided about yet, and the last word about each. */
class Pending {
  readonly #recipients = new Map<number, QueuedRecipient>();
  readonly #last = new Map<number, { readonly kind: 'failed' | 'delayed'; readonly answer: LastAnswer }>();
  readonly outcomes: Map<number, Outcome> = new Map();

  constructor(recipients: readonly QueuedRecipient[]) {
    for (const recipient of recipients) this.#recipients.set(recipient.number, recipient);
  }

  get recipients(): readonly QueuedRecipient[] {
    return [...this.#recipients.values()];
  }

  settle(number: number, outcome: Outcome): void {
    this.#recipients.delete(number);
    this.outcomes.set(number, outcome);
  }

  /** A word about all that are left; one that leaves hope is not overruled by one that leaves none. */
  note(kind: 'failed' | 'delayed', answer: LastAnswer): void {
    for (const number of this.#recipients.keys()) this.noteOne(number, kind, answer);
  }

  noteOne(number: number, kind: 'failed' | 'delayed', answer: LastAnswer): void {
    if (kind === 'failed' && this.#last.get(number)?.kind === 'delayed') return;
    this.#last.set(number, { kind, answer });
  }

  /** Whoever is left gets the last word about it. */
  close(otherwise: LastAnswer): void {
    for (const { number } of this.recipients)
      this.settle(number, this.#last.get(number) ?? { kind: 'delayed', answer: otherwise });
  }
}

export class RemoteDelivery {
  readonly #ports: RemoteDeliveryPorts;

  constructor(ports: RemoteDeliveryPorts) {
    this.#ports = ports;
  }

  /** @param recipients all of `domain`. Throws `Fault` where the message's octets cannot be read. */
  async deliver(
    message: QueuedMessage,
    domain: string,
    recipients: readonly QueuedRecipient[],
    signal: AbortSignal,
  ): Promise<RemoteOutcome> {
    const pending = new Pending(recipients);
    const plan = await this.#ports.routing.plan(domain);
    if (plan.kind !== 'exchanges') {
      pending.note(plan.kind, this.#own(plan));
      pending.close(this.#own(plan));
      return { outcomes: pending.outcomes, unreachable: false };
    }
    let spoke = false;
    let visits = 0;
    for (const host of plan.exchanges) {
      if (pending.recipients.length === 0 || visits >= LIMITS.hopVisitsMax || signal.aborted) break;
      // oxlint-disable-next-line no-await-in-loop -- one host after the other is the point
      const found = await this.#ports.routing.addressesOf(host);
      if (found.kind === 'own') {
        pending.note('failed', this.#own(loop(domain)));
        break;
      }
      if (found.kind !== 'addresses') {
        pending.note(found.kind, this.#own(found));
        continue;
      }
      for (const address of found.addresses) {
        if (pending.recipients.length === 0 || visits >= LIMITS.hopVisitsMax || signal.aborted) break;
        visits += 1;
        const target: HopTarget = { host, address, port: plan.port, tls: 'opportunistic' };
        // oxlint-disable-next-line no-await-in-loop -- as above
        const visit = await this.#visit(target, message, pending, signal);
        if (visit.kind === 'session' || !signal.aborted) this.#note(visit, target, pending);
        spoke ||= isAlive(visit);
      }
    }
    const stopped: Problem = {
      status: '4.3.2',
      reason: 'delivery.stopped',
      text: 'Delivery was interrupted',
    };
    pending.close(this.#own(stopped));
    return { outcomes: pending.outcomes, unreachable: !spoke && visits > 0 };
  }

  async #visit(
    target: HopTarget,
    message: QueuedMessage,
    pending: Pending,
    signal: AbortSignal,
  ): Promise<HopVisit> {
    const { hop, blobs } = this.#ports;
    const request: HopMessage = {
      id: message.id,
      reversePath: message.reversePath,
      body: message.body,
      smtpUtf8: message.smtpUtf8,
      dsn: message.dsn,
      octets: message.prefix.length + message.blob.octets,
      recipients: pending.recipients,
      content: () => contentOf(message, blobs),
    };
    const visit = await hop.visit(target, request, signal);
    if (visit.kind !== 'tls-failed' || signal.aborted) return visit;
    return hop.visit({ ...target, tls: 'none' }, request, signal);
  }

  #note(visit: HopVisit, target: HopTarget, pending: Pending): void {
    const nowMs = this.#ports.clock.nowMs();
    const where = `${target.host} [${target.address}]:${target.port}`;
    switch (visit.kind) {
      case 'no-connection': {
        const { kind, text } = visit.problem;
        // RFC 3463 §3.5: 4.4.1 no answer from host.
        pending.note(
          'delayed',
          ownAnswer(nowMs, '4.4.1', `connect.${kind}`, `No connection to ${where}: ${text}`),
        );
        return;
      }
      case 'tls-failed':
        pending.note(
          'delayed',
          ownAnswer(nowMs, '4.7.5', 'tls.failed', `No TLS with ${where}: ${visit.text}`),
        );
        return;
      case 'cannot':
        pending.note('failed', ownAnswer(nowMs, ...CANNOT[visit.what](target.host)));
        return;
      case 'session': {
        const { recipients } = pending;
        for (const [index, recipient] of recipients.entries()) {
          const answer = visit.answers[index];
          if (answer === undefined) continue;
          this.#take(classify(answer, target.host, nowMs), recipient.number, visit.speaksDsn, pending);
        }
      }
    }
  }

  #take(verdict: HopVerdict, number: number, speaksDsn: boolean, pending: Pending): void {
    switch (verdict.kind) {
      case 'relayed':
        pending.settle(number, { kind: 'relayed', answer: verdict.answer, reportsItself: speaksDsn });
        return;
      case 'failed':
      case 'delayed':
        pending.settle(number, { kind: verdict.kind, answer: verdict.answer });
        return;
      case 'next':
        pending.noteOne(number, verdict.last, verdict.answer);
    }
  }

  #own(problem: Problem): LastAnswer {
    return ownAnswer(this.#ports.clock.nowMs(), problem.status, problem.reason, problem.text);
  }
}

/** A host that falls silent over one message's recipients or content says nothing of the next message. */
function isAlive(visit: HopVisit): boolean {
  if (visit.kind === 'cannot') return true;
  if (visit.kind !== 'session') return false;
  return visit.answers.some(
    (answer) => answer.kind !== 'lost' || answer.at === 'rcpt' || answer.at === 'content',
  );
}

const CANNOT = {
  // RFC 6531 §3.5 and RFC 3463 with RFC 6531 §3.5.2's codes: X.6.7.
  smtputf8: (host) => ['5.6.7', 'smtp.no-smtputf8', `${host} cannot take internationalized mail (SMTPUTF8)`],
  // RFC 6152 §3 leaves conversion or return; RFC 3463 §3.7: X.6.3.
  '8bitmime': (host) => ['5.6.3', 'smtp.no-8bitmime', `${host} cannot take 8-bit content (8BITMIME)`],
  binarymime: () => ['5.6.3', 'smtp.no-binarymime', 'Binary content (BINARYMIME) cannot be handed on'],
  // RFC 1870 §6.1; RFC 3463 §3.4: X.3.4.
  size: (host) => ['5.3.4', 'smtp.too-big', `The message is larger than ${host} accepts (SIZE)`],
} as const satisfies Record<
  string,
  (host: string) => readonly [status: string, reason: string, text: string]
>;

/** The message as it travels: the queue's fields, then the octets as received. */
async function* contentOf(message: QueuedMessage, blobs: BlobStore): AsyncGenerator<Uint8Array, void, void> {
  if (message.prefix.length > 0) yield message.prefix;
  yield* blobs.stream(message.blob);
}
