/**
 * The queue's worker: leases what is due, takes it to mailboxes and next hops, settles it, and sleeps until something
 * falls due or the queue says so. One per process is enough; several, in any process, get along by their leases.
 *
 * The recipients of a message whose routes have one key, and who have one reverse-path, travel together. Each key has a bound of its own (see
 * {@link Destinations}): what is above it is put back for a moment, so that one next hop's mail, however much and however
 * stuck, leaves room for the others. Memory: at most `messagesMax` messages' envelopes, never their octets.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { Gate } from '../base/gate.ts';
import { LIMITS } from '../base/limits.ts';
import type {
  LastAnswer,
  Queue,
  QueuedMessage,
  QueuedRecipient,
  QueueId,
  Settlement,
  SuspensionScope,
} from '../queue/queue.ts';
import { lastAskedAtMs } from '../queue/progress.ts';
import { isOverdue, overdueOutcome } from './deliver-by.ts';
import { deliverSafely, isLocal } from './deliver-now.ts';
import { Backlog } from './backlog.ts';
import type { Admission, Finding, Mail, Turn } from './destination.ts';
import { Destinations } from './destination.ts';
import type { DeliveryEventSink } from './event.ts';
import { deliveredTo } from './local.ts';
import type { LocalDeliverer, RemoteDeliverer } from './hook.ts';
import type { LocalRecipient } from './local.ts';
import type { Outcome } from './outcome.ts';
import { faultAnswer, ownAnswer } from './outcome.ts';
import { Parked } from './parked.ts';
import { wishOf } from './remote/remote-delivery.ts';
import type { RemoteRoute, Router } from './remote/router.ts';
import type { TlsWish } from './remote/tls-policy.ts';
import type { Settler } from './settler.ts';

export type DeliveryRunnerPorts = {
  readonly queue: Queue;
  readonly local: LocalDeliverer;
  readonly remote: RemoteDeliverer;
  readonly router: Router;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly events: DeliveryEventSink;
};

export type DeliveryRunnerOptions = {
  /** The name under which leases are held; no other runner has it. */
  readonly owner: string;
  /** Messages being worked on at once, those that are stuck apart. */
  readonly messagesMax?: number;
  /** Visits to one destination at once. */
  readonly visitsMax?: number;
  readonly leaseMs?: number;
};

/** One message being worked on. */
type Flight = {
  readonly done: Promise<void>;
  readonly abort: AbortController;
  readonly timer: Timer;
  /** Nothing that others should wait for: to destinations that have shown nothing yet, or stuck for long. */
  isAside: boolean;
};

/** The recipients of one message that travel together. */
type Group = {
  readonly route: RemoteRoute;
  readonly recipients: readonly QueuedRecipient[];
  readonly admission: Promise<Admission<LastAnswer>>;
};

/** Every destination that a message has is full: until when it is put back, unless this one has room before. */
type Crowded = { readonly key: string; readonly comeBackMs: number };

type Suspended = Extract<Settlement, { kind: 'suspended' }>;

/** What is to be done about one message. */
type Task = {
  readonly locals: readonly LocalRecipient[];
  readonly groups: readonly Group[];
  readonly expired: readonly QueuedRecipient[];
  readonly suspended: readonly Suspended[];
};

const LEASE_MS = 300_000;
const STUCK_AFTER_MS = 5000;
/** What stands for a destination where there is no room aside: no route has this key. */
const ASIDE = '';
const NOT_RUNNING: Crowded = { key: ASIDE, comeBackMs: 0 };
const BATCH_MAX = 100;
const FAULT_PAUSE_MS = 5000;
/** Between two looks at the queue that nothing pressing asks for. */
const PAUSE_MS = 20;
const SLEEP_MAX_MS = 3_600_000;
const STOPPED: ReadonlySet<string> = new Set(['delivery.stopped', 'smtp.stopped']);

export class DeliveryRunner {
  readonly #ports: DeliveryRunnerPorts;
  readonly #owner: string;
  readonly #messagesMax: number;
  readonly #leaseMs: number;
  readonly #flights = new Map<QueueId, Flight>();
  /** Flights that are aside. */
  #aside = 0;
  readonly #destinations: Destinations<LastAnswer>;
  readonly #parked = new Parked(LIMITS.deliveryParkedIdsMax);
  readonly #backlog: Backlog;
  /** Destinations that may have room for what was put back. */
  readonly #roomy = new Set<string>();
  #suspended: ReadonlyMap<string, SuspensionScope> = new Map();
  readonly #localGate = new Gate(LIMITS.localDeliveriesMax);
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #watch: { close(): void } | undefined;
  #sleep: { readonly timer: Timer; readonly untilMs: number } | undefined;
  #renewal: Timer | undefined;
  #filling: Promise<void> | undefined;
  /** Asked to look again while looking. */
  #again = false;
  /** When the last look ended, by the clock that never goes back. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(ports: DeliveryRunnerPorts, options: DeliveryRunnerOptions) {
    this.#ports = ports;
    this.#owner = options.owner;
    this.#messagesMax = options.messagesMax ?? LIMITS.deliveryMessagesMax;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
    this.#destinations = new Destinations(ports.clock, {
      visitsMax: options.visitsMax ?? LIMITS.destinationVisitsMax,
      waitingMax: Math.ceil(this.#messagesMax / 2),
    });
    this.#backlog = new Backlog({
      queue: ports.queue,
      roomAt: (key) => this.#destinations.roomToWake(key),
      keyOf: (message, recipient, domain) => this.#routeOf(message, recipient, domain).key,
    });
  }

  /** Messages being worked on. */
  get inFlight(): number {
    return this.#flights.size;
  }

  get owner(): string {
    return this.#owner;
  }

  get hasRoom(): boolean {
    return this.#phase === 'running' && this.#room() > 0;
  }

  /** Works on a message that was accepted under our lease. */
  readonly adopt = (message: QueuedMessage): void => {
    const crowded = this.#phase === 'running' ? this.#take(message) : NOT_RUNNING;
    if (crowded === undefined) return;
    const { key, comeBackMs } = crowded;
    const untilMs = this.#ports.clock.nowMs() + comeBackMs;
    this.#ports.queue
      .renew(this.#owner, [message.id], untilMs)
      .then(() => {
        this.#parked.add(key, message.id);
        this.#sleepFor(comeBackMs);
      })
      // The lease runs out by itself.
      .catch((cause: unknown) => this.#faulted('Putting a message back', cause));
  };

  start(): void {
    if (this.#phase !== 'new') throw new TypeError('A runner is started once');
    this.#phase = 'running';
    this.#watch = this.#ports.queue.watch(() => this.wake());
    this.#scheduleRenewal();
    this.wake();
  }

  /** Looks into the queue soon: at once, or where many ask, a moment after the last look. */
  wake(): void {
    if (this.#phase !== 'running') return;
    if (this.#filling !== undefined) {
      this.#again = true;
      return;
    }
    const restMs = this.#lookedAtMs + PAUSE_MS - this.#ports.clock.monotonicMs();
    if (restMs > 0) this.#sleepFor(restMs);
    else this.#look();
  }

  #look(): void {
    this.#sleep?.timer.cancel();
    this.#sleep = undefined;
    this.#filling = this.#fill().finally(() => {
      this.#filling = undefined;
      this.#lookedAtMs = this.#ports.clock.monotonicMs();
      if (this.#again) {
        this.#again = false;
        this.wake();
      }
    });
  }

  /**
   * Takes no more, and lets what is under way end; after `graceMs` it is cut. What had been decided by then is written
   * down, the rest stays due. Resolves when nothing is under way.
   */
  async stop(graceMs: number): Promise<void> {
    this.#phase = 'stopped';
    this.#watch?.close();
    this.#sleep?.timer.cancel();
    await this.#filling;
    const cut = this.#ports.clock.after(graceMs, () => {
      for (const { abort } of this.#flights.values()) abort.abort();
    });
    await Promise.all([...this.#flights.values()].map(({ done }) => done));
    cut.cancel();
    this.#renewal?.cancel();
  }

  /** What is aside keeps no room from others, up to a bound of all: memory and sockets. */
  #room(): number {
    const all = this.#flights.size;
    const allMax = (LIMITS.deliveryAsideFactor + 1) * this.#messagesMax;
    return Math.min(this.#messagesMax - (all - this.#aside), allMax - all);
  }

  async #fill(): Promise<void> {
    try {
      let hasMore = false;
      while (this.#phase === 'running') {
        const room = this.#room();
        // Whatever lands makes us look again.
        if (room < 1) return;
        const limit = Math.min(room, BATCH_MAX);
        // oxlint-disable-next-line no-await-in-loop -- what is had back is in the batch
        await this.#recall();
        // oxlint-disable-next-line no-await-in-loop -- what is woken is in the batch
        hasMore = await this.#backlog.wake(this.#ports.clock.nowMs());
        // oxlint-disable-next-line no-await-in-loop -- what was suspended a moment ago is not begun
        const suspensions = await this.#ports.queue.suspensions();
        this.#suspended = new Map(suspensions.map(({ scope }) => [scope, scope]));
        const nowMs = this.#ports.clock.nowMs();
        // oxlint-disable-next-line no-await-in-loop -- each batch decides whether there is another
        const batch = await this.#ports.queue.lease(this.#owner, nowMs, nowMs + this.#leaseMs, limit);
        const crowded = batch.flatMap((message) => {
          const found = this.#take(message);
          return found === undefined ? [] : [{ id: message.id, ...found }];
        });
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.#putBack(crowded, nowMs);
        if (batch.length < limit) break;
      }
      if (hasMore) this.#sleepFor(PAUSE_MS);
      const nextMs = await this.#ports.queue.nextDueMs();
      if (nextMs !== undefined) this.#sleepFor(nextMs - this.#ports.clock.nowMs());
    } catch (cause) {
      this.#faulted('Looking into the queue', cause);
      this.#sleepFor(FAULT_PAUSE_MS);
    }
  }

  async #putBack(crowded: readonly (Crowded & { readonly id: QueueId })[], nowMs: number): Promise<void> {
    for (const [comeBackMs, some] of Map.groupBy(crowded, (one) => one.comeBackMs)) {
      const ids = some.map(({ id }) => id);
      // oxlint-disable-next-line no-await-in-loop -- mostly one
      await this.#ports.queue.renew(this.#owner, ids, nowMs + comeBackMs);
      for (const { key, id } of some) this.#parked.add(key, id);
    }
  }

  /** Where there is room to wait again, what was put back is due now. Never while a batch is on its way: that may have some of them. */
  async #recall(): Promise<void> {
    const ids = [...this.#roomy]
      .flatMap((key) => this.#parked.take(key, this.#destinations.roomToWait(key)))
      // Its lease is what the work on it goes by.
      .filter((id) => !this.#flights.has(id));
    this.#roomy.clear();
    if (ids.length > 0) await this.#ports.queue.renew(this.#owner, ids, this.#ports.clock.nowMs());
  }

  #faulted(doing: string, cause: unknown): void {
    this.#ports.events({ name: 'delivery.fault', queueId: undefined, doing, cause });
  }

  /** Of several times to look again, the first counts. */
  #sleepFor(delayMs: number): void {
    if (this.#phase !== 'running') return;
    const sleepMs = Math.min(Math.max(delayMs, 1), SLEEP_MAX_MS);
    const untilMs = this.#ports.clock.monotonicMs() + sleepMs;
    if (this.#sleep !== undefined && this.#sleep.untilMs <= untilMs) return;
    this.#sleep?.timer.cancel();
    const timer = this.#ports.clock.after(sleepMs, () => {
      this.#sleep = undefined;
      this.wake();
    });
    this.#sleep = { timer, untilMs };
  }

  /** Begins to work on a message; where every destination that it has is crowded, says when it is to come back. */
  #take(message: QueuedMessage): Crowded | undefined {
    // A lease that ran out under us: the work on it is still ours to end, and delivers it once.
    if (this.#flights.has(message.id)) return undefined;
    const nowMs = this.#ports.clock.nowMs();
    const isDue = ({ state }: QueuedRecipient): boolean => state.kind === 'waiting' && state.dueAtMs <= nowMs;
    // RFC 2852 §4.1.3: no attempt is made any more.
    const overdue = isOverdue(message, nowMs);
    const { expired = [], due = [] } = Object.groupBy(message.recipients.filter(isDue), ({ state }) =>
      overdue || (state.kind === 'waiting' && state.expired === true) ? 'expired' : 'due',
    );
    const suspended: Suspended[] = [];
    const groups: Group[] = [];
    let crowded: Crowded | undefined;
    const locals = due.filter(isLocal);
    const routed = [...this.#byRoute(message, due)];
    const isUnproven =
      locals.length === 0 &&
      routed.length > 0 &&
      routed.every(({ route }) => !this.#destinations.isProven(route.key));
    if (isUnproven && this.#aside >= LIMITS.deliveryAsideFactor * this.#messagesMax)
      return { key: ASIDE, comeBackMs: this.#destinations.comeBackMs(ASIDE) };
    for (const { route, recipients } of routed) {
      this.#parked.remove(route.key, message.id);
      const free: QueuedRecipient[] = [];
      for (const recipient of recipients) {
        const scope = this.#suspensionOf(recipient, route);
        if (scope === undefined) free.push(recipient);
        else suspended.push({ recipient: recipient.number, kind: 'suspended', scope });
      }
      if (free.length === 0) continue;
      const mail = mailOf(message, free);
      // Transactions of one message at one destination are reported together, so they wait for each other.
      const isAgain = groups.some((group) => group.route.key === route.key);
      const admission = isAgain
        ? this.#destinations.enterPatiently(route.key, mail)
        : this.#destinations.enter(route.key, mail);
      if (admission !== undefined) groups.push({ route, recipients: free, admission });
      else {
        const comeBackMs = this.#destinations.comeBackMs(route.key);
        if (crowded === undefined || comeBackMs < crowded.comeBackMs)
          crowded = { key: route.key, comeBackMs };
      }
    }
    const idle = locals.length + groups.length + expired.length + suspended.length === 0;
    if (idle && crowded !== undefined) return crowded;
    const abort = new AbortController();
    const task = { locals, groups, expired, suspended };
    const done = this.#work(message, task, abort.signal).finally(() => this.#landed(message.id));
    const timer = this.#ports.clock.after(STUCK_AFTER_MS, () => this.#putAside(flight));
    const flight: Flight = { done, abort, timer, isAside: false };
    this.#flights.set(message.id, flight);
    if (isUnproven) this.#putAside(flight);
    return undefined;
  }

  /** One reverse-path to a transaction, and one message. */
  #byRoute(
    message: QueuedMessage,
    due: readonly QueuedRecipient[],
  ): Iterable<{ readonly route: RemoteRoute; readonly recipients: readonly QueuedRecipient[] }> {
    const groups = new Map<string, { readonly route: RemoteRoute; readonly recipients: QueuedRecipient[] }>();
    for (const recipient of due) {
      if (recipient.route.kind !== 'remote') continue;
      const route = this.#routeOf(message, recipient, recipient.route.domain);
      const key = `${route.key} ${recipient.reversePath ?? ''} ${recipient.forwardedFrom ?? ''}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { route, recipients: [recipient] });
      else group.recipients.push(recipient);
    }
    return groups.values();
  }

  /** Where nobody of a route answers just now, its fallback. */
  #routeOf(message: QueuedMessage, recipient: QueuedRecipient, domain: string): RemoteRoute {
    let route = this.#ports.router.plan(message, recipient, domain, this.#ports.clock.nowMs());
    const wish = wishOf(message);
    while (route.fallback !== undefined && this.#destinations.isDown(route.key, wish)) route = route.fallback;
    return route;
  }

  #suspensionOf({ route }: QueuedRecipient, { key }: RemoteRoute): SuspensionScope | undefined {
    if (this.#suspended.size === 0 || route.kind !== 'remote') return undefined;
    const scopes = ['*', `domain:${route.domain.toLowerCase()}`, `route:${key}`];
    return scopes.map((scope) => this.#suspended.get(scope)).find((scope) => scope !== undefined);
  }

  #putAside(flight: Flight): void {
    if (flight.isAside) return;
    flight.isAside = true;
    this.#aside += 1;
    this.wake();
  }

  #landed(id: QueueId): void {
    const flight = this.#flights.get(id);
    this.#flights.delete(id);
    flight?.timer.cancel();
    if (flight?.isAside === true) this.#aside -= 1;
    this.wake();
  }

  async #work(
    message: QueuedMessage,
    { locals, groups, expired, suspended }: Task,
    signal: AbortSignal,
  ): Promise<void> {
    const outcomes = new Map<number, Outcome>(
      expired.map(({ number, state }) => [number, this.#expired(message, state.lastAnswer)]),
    );
    if (suspended.length > 0) {
      const goesOn = locals.length + groups.length + expired.length > 0;
      await this.#settleSuspended(message, suspended, goesOn ? 'kept' : 'ended');
      if (!goesOn) return;
    }
    const note = (number: number, outcome: Outcome): void => {
      // What was only interrupted is not an attempt: it stays due.
      const interrupted = outcome.kind === 'delayed' && STOPPED.has(outcome.answer.reason);
      if (!interrupted) outcomes.set(number, outcome);
    };
    const works = locals.map(async (recipient) =>
      note(recipient.number, await this.#localGate.run(() => deliverSafely(this.#ports, message, recipient))),
    );
    let left = groups.length;
    let settling: Promise<void> = Promise.resolve();
    for (const group of groups)
      works.push(
        this.#visit(message, group, signal, (number, outcome) =>
          note(number, pacedBy(group.route, outcome)),
        ).then(() => {
          left -= 1;
          if (left > 0) settling = settling.then(() => this.#settleRelayed(message, outcomes));
        }),
      );
    await Promise.all(works);
    await settling;
    try {
      const settled = await this.#ports.settler.settle(message, this.#owner, outcomes);
      if (settled === 'stale') this.#ports.events({ name: 'delivery.lease-lost', queueId: message.id });
    } catch (cause) {
      // The lease runs out, and the work is done again.
      this.#settlingFailed(message, cause);
    }
  }

  #expired(message: QueuedMessage, last: LastAnswer | undefined): Outcome {
    const nowMs = this.#ports.clock.nowMs();
    if (isOverdue(message, nowMs)) return overdueOutcome(nowMs, last);
    const ended = 'The postmaster ended the attempts to deliver it';
    const text = last === undefined ? ended : `${ended}; the last answer was: ${last.text}`;
    // RFC 3463 §3.5: X.4.7, delivery time expired.
    return { kind: 'failed', answer: ownAnswer(nowMs, '5.4.7', 'queue.expired', text) };
  }

  async #settleSuspended(
    message: QueuedMessage,
    suspended: readonly Suspended[],
    lease: 'ended' | 'kept',
  ): Promise<void> {
    try {
      await this.#ports.queue.settle(message.id, this.#owner, suspended, [], lease);
    } catch (cause) {
      // The lease runs out, and they are found suspended again.
      this.#settlingFailed(message, cause);
    }
  }

  /**
   * Writes down what other hosts have taken while another one of the same message is still at work: should we die now, it
   * must not go out a second time. Everything else may be done again, and waits for the end, so that one DSN tells of all.
   */
  async #settleRelayed(message: QueuedMessage, outcomes: Map<number, Outcome>): Promise<void> {
    const relayed = new Map([...outcomes].filter(([, { kind }]) => kind === 'relayed'));
    if (relayed.size === 0) return;
    try {
      await this.#ports.settler.settle(message, this.#owner, relayed, 'kept');
      for (const number of relayed.keys()) outcomes.delete(number);
    } catch (cause) {
      // The end tries again.
      this.#settlingFailed(message, cause);
    }
  }

  #settlingFailed(message: QueuedMessage, cause: unknown): void {
    this.#ports.events({
      name: 'delivery.fault',
      queueId: message.id,
      doing: 'Settling in the queue',
      cause,
    });
  }

  async #visit(
    message: QueuedMessage,
    { route, recipients, admission }: Group,
    signal: AbortSignal,
    note: (number: number, outcome: Outcome) => void,
  ): Promise<void> {
    const { clock, events, remote } = this.#ports;
    const admitted = await admission;
    if (admitted.kind === 'down') {
      const { fallback } = route;
      const other =
        fallback === undefined
          ? undefined
          : this.#destinations.enter(fallback.key, { ...mailOf(message, recipients), askedAtMs: undefined });
      if (fallback !== undefined && other !== undefined)
        return this.#visit(message, { route: fallback, recipients, admission: other }, signal, note);
      const answer = { ...admitted.answer, atMs: clock.nowMs() };
      for (const { number } of recipients) note(number, { kind: 'delayed', answer });
      return;
    }
    let finding: Finding<LastAnswer> = { kind: 'unknown' };
    try {
      const visited = await remote.deliver(copyFor(message, recipients), route, recipients, signal);
      for (const [number, outcome] of visited.outcomes) note(number, outcome);
      if (visited.fault !== undefined)
        events({
          name: 'delivery.fault',
          queueId: message.id,
          doing: 'Reading a message',
          cause: visited.fault,
        });
      if (!signal.aborted) ({ finding } = visited);
    } catch (cause) {
      events({ name: 'delivery.fault', queueId: message.id, doing: 'Delivering to another host', cause });
      for (const { number } of recipients)
        note(number, { kind: 'delayed', answer: faultAnswer(clock.nowMs()) });
    } finally {
      const wish = wishOf(message);
      const turn = this.#destinations.leave(route.key, finding, wish);
      if (turn !== undefined) this.#turned(route, wish, turn);
      // Its landing makes us look.
      this.#roomy.add(route.key);
    }
  }

  #turned(route: RemoteRoute, wish: TlsWish, turn: Turn): void {
    const { clock, events } = this.#ports;
    const destination = route.key;
    const ofWish = MAIL_OF[wish ?? 'usual'];
    if (turn.kind === 'back') {
      this.#backlog.add(route, wish, turn);
      events({ name: 'delivery.destination-back', destination, mail: turn.all ? 'all' : ofWish });
      return;
    }
    this.#backlog.remove(destination, turn.to, wish);
    const untilMs = clock.nowMs() + turn.forMs;
    const mail = turn.to === 'all' ? 'all' : ofWish;
    events({ name: 'delivery.destination-down', destination, untilMs, mail });
  }

  #scheduleRenewal(): void {
    this.#renewal = this.#ports.clock.after(this.#leaseMs / 3, () => {
      void this.#renew().finally(() => {
        if (this.#phase === 'running' || this.#flights.size > 0) this.#scheduleRenewal();
      });
    });
  }

  async #renew(): Promise<void> {
    const ids = [...this.#flights.keys()];
    if (ids.length === 0) return;
    try {
      const untilMs = this.#ports.clock.nowMs() + this.#leaseMs;
      for (const id of await this.#ports.queue.renew(this.#owner, ids, untilMs))
        this.#flights.get(id)?.abort.abort();
    } catch (cause) {
      this.#faulted('Renewing leases', cause);
    }
  }
}

/** The message as these recipients, who agree in that, get it. */
function copyFor(message: QueuedMessage, recipients: readonly QueuedRecipient[]): QueuedMessage {
  const [first] = recipients;
  if (first === undefined) return message;
  const { reversePath = message.reversePath, forwardedFrom } = first;
  if (forwardedFrom === undefined) return { ...message, reversePath };
  // RFC 9228 §4: should it come back for the address that it was forwarded from, that is a loop.
  return { ...message, reversePath, prefix: Buffer.concat([deliveredTo(forwardedFrom), message.prefix]) };
}

/** What the event calls mail by its wish of TLS. */
const MAIL_OF = {
  usual: 'without-wish',
  require: 'requiretls',
  optional: 'tls-required-no',
} as const satisfies Record<NonNullable<TlsWish> | 'usual', string>;

function mailOf(message: QueuedMessage, recipients: readonly QueuedRecipient[]): Mail {
  return { sender: senderOf(message), wish: wishOf(message), askedAtMs: lastAskedAtMs(recipients) };
}

/** Who takes turns with others at a destination. */
function senderOf({ source, reversePath }: QueuedMessage): string {
  return source.account === undefined ? (reversePath ?? '') : String(source.account);
}

function pacedBy({ retryMs }: RemoteRoute, outcome: Outcome): Outcome {
  return outcome.kind === 'delayed' && retryMs !== undefined ? { ...outcome, pausesMs: retryMs } : outcome;
}
