/**
 * Takes one message along one route: to its hosts in their order, each recipient until one host has decided about it.
 *
 * Where TLS is only opportunistic, a handshake that fails is followed by a visit in plain (RFC 7435). Every host is bounded
 * by the client's timeouts, the whole by LIMITS.hopVisitsMax.
 */
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import { lastAskedAtMs } from '../../queue/progress.ts';
import type { LastAnswer, QueueId, QueuedMessage, QueuedRecipient } from '../../queue/queue.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import { BlobError } from '../../store/blob-store.ts';
import type { DeliveryEvent, DeliveryEventSink } from '../event.ts';
import type { Finding } from '../destination.ts';
import type { Outcome } from '../outcome.ts';
import { damagedAnswer, faultAnswer, ownAnswer } from '../outcome.ts';
import type { BrokenTls } from './broken-tls.ts';
import type { HopVerdict } from './classify.ts';
import { classify } from './classify.ts';
import type { HopMessage, HopTarget, HopVisit, RemoteHop } from './hop.ts';
import { isAscii, MessageForms, noInternationalAddress } from './message-forms.ts';
import type { Problem } from './problem.ts';
import { sourcesFor } from './pool.ts';
import { reasonOf, retryDecision } from './reply-class.ts';
import { addressesOf, hostsOf } from './next-hosts.ts';
import type { RemoteRoute, RouteHost } from './router.ts';
import type { Routing } from './routing.ts';
import { loop } from './routing.ts';
import type { DomainTls, TlsConnection, TlsPolicy, TlsWish } from './tls-policy.ts';
import { formatTlsLevel, type TlsFailure, type TlsLevel } from './tls-requirement.ts';

export type RemoteDeliveryPorts = {
  readonly routing: Routing;
  readonly tlsPolicy: TlsPolicy;
  readonly hop: RemoteHop;
  readonly brokenTls: BrokenTls;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly events: DeliveryEventSink;
};

export type RemoteOutcome = {
  /** By the recipient's number. */
  readonly outcomes: ReadonlyMap<number, Outcome>;
  /** What was found out about the route: its other mail need not do that one by one. */
  readonly finding: Finding<LastAnswer>;
  /** What was thrown while the message was read; who was left then is delayed. */
  readonly fault: unknown;
};

/** How far the hosts of a route were gone through. `barred`: to one of them this message could not go for its TLS. */
type Progress = { spoke: boolean; visits: number; barred: boolean };

/** What a way came to. 'silent': no host of it spoke with us. 'barred': nor one that mail with another wish of TLS might go to. */
type Came = 'spoke' | 'not-gone' | 'silent' | 'barred';

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

  /** Somebody is left. */
  get hasMore(): boolean {
    return this.#recipients.size > 0;
  }

  settle(number: number, outcome: Outcome): void {
    this.#recipients.delete(number);
    this.outcomes.set(number, outcome);
  }

  /** The last word about one of those that are left which leaves hope. */
  get hope(): LastAnswer | undefined {
    return this.recipients
      .map(({ number }) => this.#last.get(number))
      .find((last) => last?.kind === 'delayed')?.answer;
  }

  /** A word about all of `recipients`; one that leaves hope is not overruled by one that leaves none. */
  note(kind: 'failed' | 'delayed', answer: LastAnswer, recipients = this.recipients): void {
    for (const { number } of recipients) this.noteOne(number, kind, answer);
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

type Visit = (
  | Exclude<HopVisit, { kind: 'cannot' }>
  /** The hop cannot carry such a message, in any form that it may be given. */
  | { readonly kind: 'unfit'; readonly problem: Problem }
) & {
  /** Whom it was for. */
  readonly recipients: readonly QueuedRecipient[];
};

type Attempt = {
  readonly message: QueuedMessage;
  readonly forms: MessageForms;
  readonly route: RemoteRoute;
  readonly tls: DomainTls & { kind: 'policy' };
  readonly pending: Pending;
  readonly signal: AbortSignal;
  /** Hears of each connection to the host that is tried. */
  readonly told?: ((connection: TlsConnection) => void) | undefined;
};

export class RemoteDelivery {
  readonly #ports: RemoteDeliveryPorts;

  constructor(ports: RemoteDeliveryPorts) {
    this.#ports = ports;
  }

  /** @param recipients all of them go by `route`. Never throws for a fault of the world: it comes back as one. */
  async deliver(
    message: QueuedMessage,
    route: RemoteRoute,
    recipients: readonly QueuedRecipient[],
    signal: AbortSignal,
  ): Promise<RemoteOutcome> {
    const pending = new Pending(recipients);
    const { clock } = this.#ports;
    let finding: Finding<LastAnswer> = { kind: 'unknown' };
    let fault: unknown;
    try {
      for (let way: RemoteRoute | undefined = route; way !== undefined; way = way.fallback) {
        // oxlint-disable-next-line no-await-in-loop -- a fallback is for what the way before it left
        const came = await this.#along(way, message, pending, signal);
        if (way === route && !signal.aborted) finding = findingOf(came, pending.hope);
        if (came === 'spoke' || came === 'not-gone' || signal.aborted) break;
        if (!pending.hasMore) break;
      }
    } catch (cause) {
      fault = cause;
      for (const { number } of pending.recipients) pending.settle(number, unreadable(cause, clock.nowMs()));
    }
    const stopped = { status: '4.3.2', reason: 'delivery.stopped', text: 'Delivery was interrupted' };
    pending.close(this.#own(stopped));
    const { outcomes } = pending;
    if (fault !== undefined) return { outcomes, finding: { kind: 'unknown' }, fault };
    // What a fallback was told is not about the route.
    const answer =
      finding.kind === 'open' ? this.#closedTo(message, route, [...outcomes.values()]) : undefined;
    return {
      outcomes,
      finding: answer === undefined ? finding : { kind: 'closed', to: 'all', answer },
      fault,
    };
  }

  /** The answer that was meant for all our mail; undefined where any was taken. */
  #closedTo(
    { id }: QueuedMessage,
    { key }: RemoteRoute,
    outcomes: readonly Outcome[],
  ): LastAnswer | undefined {
    if (outcomes.some(({ kind }) => kind === 'relayed')) return undefined;
    const answer = outcomes
      .map((outcome) => outcome.answer)
      .find((one) => one !== undefined && retryDecision(one.reason).backsOff);
    if (answer === undefined) return undefined;
    if (answer.reason === reasonOf('block-list'))
      this.#ports.events({
        name: 'delivery.blocked',
        queueId: id,
        destination: key,
        host: answer.host,
        status: answer.status,
      });
    // Others are not refused by it: they wait.
    return { ...answer, status: answer.status.replace(/^5/, '4') };
  }

  async #along(
    route: RemoteRoute,
    message: QueuedMessage,
    pending: Pending,
    signal: AbortSignal,
  ): Promise<Came> {
    const found = await hostsOf(route, wishOf(message), this.#ports);
    if (found.kind === 'held') {
      for (const { number } of pending.recipients)
        pending.settle(number, { kind: 'held', answer: this.#own(found) });
      return 'not-gone';
    }
    if (found.kind !== 'hosts') {
      pending.note(found.kind, this.#own(found));
      return 'not-gone';
    }
    const forms = new MessageForms(message, this.#ports.blobs);
    const attempt: Attempt = { message, forms, route, tls: found.tls, pending, signal };
    const progress: Progress = { spoke: false, visits: 0, barred: false };
    for (const host of found.hosts)
      // oxlint-disable-next-line no-await-in-loop -- one host after the other is the point
      if (!(await this.#tryHost(host, attempt, progress))) break;
    if (progress.spoke) return 'spoke';
    if (progress.visits === 0) return 'not-gone';
    return progress.barred ? 'barred' : 'silent';
  }

  /** All addresses of one exchange; false where no other exchange is to follow. */
  async #tryHost({ host, port }: RouteHost, attempt: Attempt, progress: Progress): Promise<boolean> {
    const { route, pending, signal } = attempt;
    const { next, speech } = route;
    const goesOn = (): boolean => pending.hasMore && progress.visits < LIMITS.hopVisitsMax && !signal.aborted;
    if (!goesOn()) return false;
    const found = await addressesOf(route, host, this.#ports.routing);
    if (found.kind === 'own') {
      pending.note('failed', this.#own(loop(next.kind === 'domain' ? next.domain : host)));
      return false;
    }
    if (found.kind !== 'addresses') {
      pending.note(found.kind, this.#own(found));
      return true;
    }
    const required = await attempt.tls.of({
      host,
      port,
      canonicalName: found.canonicalName,
      authentic: found.authentic,
    });
    if (required.kind !== 'require') {
      progress.barred = true;
      pending.note(required.kind, this.#own(required));
      return true;
    }
    const { protocol, implicitTls, credentials, proxy } = speech;
    const final = found.addresses.at(-1);
    for (const address of found.addresses) {
      if (!goesOn()) return false;
      const isLast = address === final;
      const target = {
        host,
        address,
        port,
        protocol,
        implicitTls,
        tls: required.tls,
        credentials,
        proxy,
        isLast,
      };
      // oxlint-disable-next-line no-await-in-loop -- one address after the other is the point
      const visit = await this.#visitFromPool(target, { ...attempt, told: required.told });
      if (visit === undefined) continue;
      progress.visits += 1;
      progress.spoke ||= isAlive(visit);
      progress.barred ||= visit.kind === 'tls-failed';
    }
    return true;
  }

  /** From the first source of the pool that this machine can use. Undefined: there is none, and the address was not gone to. */
  async #visitFromPool(
    to: Omit<HopTarget, 'localAddress' | 'helloName'>,
    attempt: Attempt,
  ): Promise<Visit | undefined> {
    const { message, route, pending, signal } = attempt;
    for (const { address: localAddress, helloName } of sourcesFor(
      route.pool,
      (to.proxy ?? to).address,
      message.id,
    )) {
      const target: HopTarget = { ...to, localAddress, helloName };
      // oxlint-disable-next-line no-await-in-loop -- the next source is for when this one is of no use
      const visit = await this.#visit(target, attempt);
      if (visit.kind !== 'no-connection' || visit.problem.kind !== 'source') {
        if (visit.kind === 'session' || !signal.aborted) this.#note(visit, target, attempt);
        return visit;
      }
      this.#ports.events({
        name: 'delivery.source-unusable',
        pool: route.pool.name ?? '',
        address: localAddress ?? '',
        problem: visit.problem.text,
      });
    }
    // RFC 3463 §3.4: X.3.5, system incorrectly configured.
    const none = `No source address of the pool ${route.pool.name ?? ''} can reach ${to.address}`;
    pending.note('delayed', this.#own({ status: '4.3.5', reason: 'route.no-source', text: none }));
    return undefined;
  }

  async #visit(target: HopTarget, attempt: Attempt): Promise<Visit> {
    const { message, forms, pending } = attempt;
    const { id, reversePath, dsn, requireTls, deliverBy, priority } = message;
    let { recipients } = pending;
    const askedAtMs = lastAskedAtMs(recipients);
    const request = { id, reversePath, dsn, requireTls, deliverBy, priority, askedAtMs };
    let form = forms.asIs;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- in another form only after the hop has said that it cannot take this one
      const visit = await this.#visitWith(target, { ...request, recipients, ...form }, attempt);
      if (visit.kind !== 'cannot') return { ...visit, recipients };
      if (visit.what === 'smtputf8') {
        // RFC 6531 §3.5: an address that needs the extension keeps the message from nobody else.
        const plain = recipients.filter(({ forwardPath }) => isAscii(forwardPath));
        const problem = noInternationalAddress(target.host);
        if (plain.length === 0) return { kind: 'unfit', problem, recipients };
        const international = recipients.filter((one) => !plain.includes(one));
        pending.note('failed', this.#own(problem), international);
        recipients = plain;
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      const other = await forms.without(visit.what, form, target.host);
      if ('status' in other) return { kind: 'unfit', problem: other, recipients };
      form = other;
      if (form.body !== message.body)
        this.#ports.events({ name: 'delivery.converted', queueId: id, host: target.host, to: form.body });
    }
  }

  async #visitWith(target: HopTarget, request: HopMessage, { signal, told }: Attempt): Promise<HopVisit> {
    const { hop, brokenTls } = this.#ports;
    const broken = brokenTls.of(target);
    if (broken !== undefined) return this.#visitInPlain(target, request, signal, { failure: broken, told });
    const visit = await hop.visit(target, request, signal);
    const connection = connectionOf(visit, target);
    if (connection !== undefined) {
      told?.(connection);
      this.#ports.events(tlsEvent(request.id, target, connection));
    }
    const isOver = visit.kind !== 'tls-failed' || target.implicitTls || signal.aborted;
    if (isOver || target.tls.kind !== 'opportunistic') return visit;
    const second = await this.#visitInPlain(target, request, signal);
    if (second.kind === 'session' && second.opened !== undefined) brokenTls.remember(target, visit.failure);
    return second;
  }

  /**
   * RFC 7435: where TLS is not to be had, without it.
   *
   * @param before what it failed of not long ago, which stands for this connection in reports; undefined: just now, and that was told
   */
  async #visitInPlain(
    target: HopTarget,
    request: HopMessage,
    signal: AbortSignal,
    before?: { readonly failure: TlsFailure } & Pick<Attempt, 'told'>,
  ): Promise<HopVisit> {
    const plain: HopTarget = { ...target, tls: { kind: 'none' } };
    const visit = await this.#ports.hop.visit(plain, request, signal);
    const connection = connectionOf(visit, plain);
    if (before === undefined) {
      if (connection !== undefined) this.#ports.events(tlsEvent(request.id, target, connection));
      return visit;
    }
    const { failure, told } = before;
    if (connection !== undefined) told?.({ ...connection, outcome: { kind: 'failed', failure } });
    // Also of a session that another message opened: this one went so because of it.
    if (visit.kind === 'session' && visit.opened !== undefined) {
      const { tls: outcome, localAddress } = visit.opened;
      const reached = `plain, not tried as it failed before (${failure.kind}: ${failure.text})`;
      const event = tlsEvent(request.id, target, { outcome, address: target.address, localAddress });
      this.#ports.events({ ...event, reached });
    }
    return visit;
  }

  #note(visit: Visit, target: HopTarget, { pending, message }: Attempt): void {
    const { recipients } = visit;
    const nowMs = this.#ports.clock.nowMs();
    const where = `${target.host} [${target.address}]:${target.port}`;
    switch (visit.kind) {
      case 'no-connection': {
        const { kind, text } = visit.problem;
        // RFC 3463 §3.5: 4.4.1 no answer from host.
        const answer = ownAnswer(nowMs, '4.4.1', `connect.${kind}`, `No connection to ${where}: ${text}`);
        this.#tell(message.id, target, undefined, answer);
        pending.note('delayed', answer, recipients);
        return;
      }
      case 'tls-failed': {
        const [fate, answer] = tlsVerdict(visit.failure, where, nowMs, wishOf(message));
        this.#tell(message.id, target, undefined, answer);
        pending.note(fate, answer, recipients);
        return;
      }
      case 'unfit':
        pending.note('failed', this.#own(visit.problem), recipients);
        return;
      case 'session':
        for (const [index, recipient] of recipients.entries()) {
          const answer = visit.answers[index];
          if (answer === undefined) continue;
          const verdict = under(visit.opened?.tls, classify(answer, target.host, nowMs));
          this.#tell(message.id, target, recipient, verdict.answer);
          this.#take(verdict, recipient.number, visit, pending);
        }
    }
  }

  #tell(
    queueId: QueueId,
    { host, address, port }: HopTarget,
    recipient: QueuedRecipient | undefined,
    { status, reason, text, tls }: LastAnswer,
  ): void {
    this.#ports.events({
      name: 'delivery.attempted',
      queueId,
      host,
      address,
      port,
      recipient: recipient?.forwardPath,
      status,
      reason,
      text,
      tls,
    });
  }

  #take(
    verdict: HopVerdict,
    number: number,
    { speaksDsn, speaksDeliverBy = false }: Extract<HopVisit, { kind: 'session' }>,
    pending: Pending,
  ): void {
    switch (verdict.kind) {
      case 'relayed':
        pending.settle(number, {
          kind: 'relayed',
          answer: verdict.answer,
          reportsItself: speaksDsn,
          keepsTime: speaksDeliverBy,
        });
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

/** @param hope the last word that leaves some; where there is none, the next message does not wait for anything */
function findingOf(came: Came, hope: LastAnswer | undefined): Finding<LastAnswer> {
  if (came === 'spoke') return { kind: 'open' };
  if (came === 'not-gone' || hope === undefined) return { kind: 'unknown' };
  return { kind: 'closed', to: came === 'barred' ? 'wish' : 'all', answer: hope };
}

/** RFC 8689 §5: a report of failure travels under what it can have. */
export function wishOf({
  reversePath,
  requireTls,
  tlsOptional,
}: Pick<QueuedMessage, 'reversePath' | 'requireTls' | 'tlsOptional'>): TlsWish {
  if (requireTls) return reversePath === null ? undefined : 'require';
  return tlsOptional ? 'optional' : undefined;
}

/** Undefined where none came about, and for one that an earlier message opened. */
function connectionOf(visit: HopVisit, { address }: HopTarget): TlsConnection | undefined {
  if (visit.kind === 'tls-failed')
    return {
      outcome: { kind: 'failed', failure: visit.failure },
      address,
      localAddress: visit.localAddress,
    };
  return visit.kind === 'session' && visit.opened?.isNew === true
    ? { outcome: visit.opened.tls, address, localAddress: visit.opened.localAddress }
    : undefined;
}

function tlsEvent(
  queueId: QueueId,
  { host, tls }: HopTarget,
  connection: TlsConnection,
): Extract<DeliveryEvent, { name: 'delivery.tls' }> {
  const { outcome, address } = connection;
  const isVerified = outcome.kind === 'tls' && outcome.verifiedBy !== undefined;
  return {
    name: 'delivery.tls',
    queueId,
    host,
    address,
    required: tls.kind,
    reached:
      outcome.kind === 'failed'
        ? `${outcome.failure.kind}: ${outcome.failure.text}`
        : formatTlsLevel(outcome),
    level: isVerified ? 'verified' : outcome.kind,
  };
}

/** A host that falls silent over one message's recipients or content says nothing of the next message. */
function isAlive(visit: Visit): boolean {
  if (visit.kind === 'unfit') return true;
  if (visit.kind !== 'session') return false;
  return visit.answers.some(
    (answer) => answer.kind !== 'lost' || answer.at === 'rcpt' || answer.at === 'content',
  );
}

/** The message's own octets failed us: for good, or for now. */
function unreadable(cause: unknown, nowMs: number): Outcome {
  return cause instanceof BlobError && cause.problem.kind === 'damaged'
    ? { kind: 'failed', answer: damagedAnswer(nowMs) }
    : { kind: 'delayed', answer: faultAnswer(nowMs) };
}

/** RFC 3463 §3.8: X.7.5 cryptographic failure; RFC 5248's registry: X.7.10 encryption needed. */
function tlsVerdict(
  { kind, text }: TlsFailure,
  where: string,
  nowMs: number,
  wish: TlsWish,
): ['failed' | 'delayed', LastAnswer] {
  const isPassing = kind === 'timeout' || kind === 'reset';
  const words = `No TLS as it is required with ${where}: ${text}`;
  // RFC 8689 §4.2.1: the sender is told, and does not wait for days.
  if (wish === 'require' && !isPassing) return ['failed', ownAnswer(nowMs, '5.7.10', `tls.${kind}`, words)];
  const status = kind === 'not-offered' || kind === 'refused' ? '4.7.10' : '4.7.5';
  return ['delayed', ownAnswer(nowMs, status, `tls.${kind}`, words)];
}

/** An answer with what was known of the peer that gave it. */
function under(level: TlsLevel | undefined, verdict: HopVerdict): HopVerdict {
  return level === undefined || verdict.answer.host === undefined
    ? verdict
    : { ...verdict, answer: { ...verdict.answer, tls: formatTlsLevel(level) } };
}
