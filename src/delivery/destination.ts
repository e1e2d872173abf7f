/**
 * How much each destination is given at once: a route's next hop, or one host. It begins with a few visits; each success
 * lets one more in, up to a bound; a failure halves them. Where nothing gets through between two failures it is down: its mail
 * waits with the answer that the last visit met, then a single visit probes it. Where it was only TLS that failed, it is down for
 * mail that wants the same of TLS, and for no other. Who waits for a place is served by turns of the senders. Held in memory;
 * forgetting it costs a few visits.
 *
 * Units: milliseconds of the clock that never goes back.
 */
import type { Clock } from '../base/clock.ts';
import { FairQueue } from '../base/fair-queue.ts';
import { LIMITS } from '../base/limits.ts';
import type { TlsWish } from './remote/tls-policy.ts';

/** What mail has to do with when, and for whom, it is let in. */
export type Mail = {
  /** Whose turn it is among those that wait. */
  readonly sender: string;
  readonly wish: TlsWish;
  /** When an attempt was asked for, whatever was met before. */
  readonly askedAtMs?: number | undefined;
};

export type Admission<Answer> =
  | { readonly kind: 'go' }
  /** Nobody there answers, or nothing of ours is taken: do not try, the answer is known. */
  | { readonly kind: 'down'; readonly answer: Answer };

/** What a visit says of its destination. */
export type Finding<Answer> =
  | { readonly kind: 'open' }
  /** Nobody was gone to, or it was cut. */
  | { readonly kind: 'unknown' }
  /** No host answered, or this host wants no more of us; to 'wish': none that mail with the same wish of TLS may go to. */
  | { readonly kind: 'closed'; readonly to: 'all' | 'wish'; readonly answer: Answer };

/** What is over: nobody's answering, and TLS that was not to be had for mail with the same wish. */
export type Return = { readonly all: boolean; readonly tls: boolean };

/** What a visit has changed for other mail. */
export type Turn =
  | { readonly kind: 'down'; readonly to: 'all' | 'wish'; readonly forMs: number }
  | ({ readonly kind: 'back' } & Return);

export type DestinationsOptions = {
  /** Visits to one destination at once, at most. */
  readonly visitsMax: number;
  /** How many may wait for one destination that is known to work. */
  readonly waitingMax: number;
};

type Down<Answer> = {
  readonly untilMs: number;
  /** When it was tried last, by the clock of the wall. */
  readonly atMs: number;
  readonly answer: Answer;
  /** A visit is finding out whether it still is. */
  readonly isProbed: boolean;
};

/** How mail fares. */
type Fare<Answer> = {
  /** Something got through since the last failure. */
  proven: boolean;
  failures: number;
  down: Down<Answer> | undefined;
};

type Waiting<Answer> = { readonly mail: Mail; readonly resolve: (admission: Admission<Answer>) => void };

type Destination<Answer> = {
  visitsMax: number;
  visits: number;
  readonly waiting: FairQueue<Waiting<Answer>>;
  /** When the last one that found it full was told to come back. */
  comeBackAtMs: number;
  /** Of all mail. */
  readonly all: Fare<Answer>;
  /** Of what wants the same of TLS, as far as that has failed. */
  readonly byWish: Map<TlsWish, Fare<Answer>>;
};

const COME_BACK_MS = 3000;
const COME_BACK_PROVEN_MS = 1000;
/** Of those that find a domain full, so many a second come back, however many they are: looking costs the queue a write. */
const COME_BACKS_A_SECOND = 1000;
const COME_BACK_STEP_MS = 100;
const COME_BACK_MAX_MS = 600_000;
const DOWN_AT_FIRST_MS = 60_000;
const DOWN_MAX_MS = 900_000;
/** One sender's part of those that wait, while others may want to. */
const SENDER_SHARE = 0.75;
/** Some at once, so that not every visit looks through all of them. */
const FORGOTTEN_DOWN_TO = Math.floor(LIMITS.destinationsMax * 0.9);

/** @template Answer what a failure is known by */
export class Destinations<Answer> {
  readonly #clock: Clock;
  readonly #visitsMax: number;
  readonly #waitingMax: number;
  readonly #known = new Map<string, Destination<Answer>>();

  constructor(clock: Clock, { visitsMax, waitingMax }: DestinationsOptions) {
    this.#clock = clock;
    this.#visitsMax = visitsMax;
    this.#waitingMax = waitingMax;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Something got through since the last failure. */
  isProven(key: string): boolean {
    return this.#known.get(key)?.all.proven === true;
  }

  isDown(key: string, wish: TlsWish): boolean {
    const destination = this.#known.get(key);
    return destination !== undefined && this.#downOf(destination, { wish }) !== undefined;
  }

  /** Undefined: as many as this destination may have are there already; come back later. Else `leave` must follow a 'go'. */
  enter(key: string, mail: Mail): Promise<Admission<Answer>> | undefined {
    const destination = this.#of(key);
    const admission = this.#admit(destination, mail);
    if (admission !== undefined) return Promise.resolve(admission);
    const { waiting, all } = destination;
    // One that has shown nothing yet may be stuck: nothing waits for it, so that others have room.
    if (!all.proven || waiting.size >= this.#waitingMax) return undefined;
    if (waiting.sizeOf(mail.sender) >= Math.ceil(this.#waitingMax * SENDER_SHARE)) return undefined;
    return this.#wait(destination, mail);
  }

  /** Waits as long as it takes. `leave` must follow a 'go'. */
  async enterPatiently(key: string, mail: Mail): Promise<Admission<Answer>> {
    const destination = this.#of(key);
    return this.#admit(destination, mail) ?? this.#wait(destination, mail);
  }

  #wait({ waiting }: Destination<Answer>, mail: Mail): Promise<Admission<Answer>> {
    return new Promise((resolve) => waiting.push(mail.sender, { mail, resolve }));
  }

  /** Undefined: there is no place just now. */
  #admit(destination: Destination<Answer>, mail: Mail): Admission<Answer> | undefined {
    const down = this.#downOf(destination, mail);
    if (down !== undefined) return { kind: 'down', answer: down.answer };
    if (destination.visits >= destination.visitsMax) return undefined;
    destination.visits += 1;
    // Other mail has places beside it: only this one is to find out.
    const fare = destination.byWish.get(mail.wish);
    if (fare?.down !== undefined) fare.down = { ...fare.down, atMs: this.#clock.nowMs(), isProbed: true };
    return { kind: 'go' };
  }

  /** How many more should be had here to wait: up to one sender's part, as soon as half of those that may are gone. */
  roomToWait(key: string): number {
    const destination = this.#known.get(key);
    if (destination?.all.proven !== true || destination.waiting.size > this.#waitingMax / 2) return 0;
    return Math.ceil(this.#waitingMax * SENDER_SHARE) - destination.waiting.size;
  }

  /** How long until one should come back to a domain that was full: one that works makes room soon. One behind the other. */
  comeBackMs(key: string): number {
    const destination = this.#of(key);
    const nowMs = this.#clock.monotonicMs();
    const soonestMs = nowMs + (destination.all.proven ? COME_BACK_PROVEN_MS : COME_BACK_MS);
    const nextMs = Math.max(soonestMs, destination.comeBackAtMs + 1000 / COME_BACKS_A_SECOND);
    destination.comeBackAtMs = Math.min(nextMs, nowMs + COME_BACK_MAX_MS);
    // In steps, so that many are put back in one write.
    return Math.ceil((destination.comeBackAtMs - nowMs) / COME_BACK_STEP_MS) * COME_BACK_STEP_MS;
  }

  /** How many more of its messages one that takes mail has use for: places, and as many again that wait for them. */
  roomToWake(key: string): number {
    const destination = this.#known.get(key);
    if (destination?.all.proven !== true || this.#isDown(destination.all)) return 0;
    return Math.max(0, 2 * destination.visitsMax - destination.visits - destination.waiting.size);
  }

  /**
   * After a visit.
   *
   * @param wish of the mail that was there
   */
  leave(key: string, finding: Finding<Answer>, wish: TlsWish): Turn | undefined {
    const destination = this.#of(key);
    destination.visits -= 1;
    const turn = this.#found(destination, finding, wish);
    this.#admitWaiting(destination);
    this.#forget();
    return turn;
  }

  #found(destination: Destination<Answer>, finding: Finding<Answer>, wish: TlsWish): Turn | undefined {
    const { all, byWish } = destination;
    const fare = byWish.get(wish);
    // Unless it says more, the visit was no probe.
    if (fare?.down !== undefined && finding.kind !== 'open' && !isToWish(finding))
      fare.down = { ...fare.down, isProbed: false };
    const back = { all: all.down !== undefined, tls: fare?.down !== undefined };
    switch (finding.kind) {
      case 'closed':
        return isToWish(finding)
          ? this.#failWish(destination, wish, finding.answer)
          : this.#failAll(destination, finding.answer);
      case 'unknown':
        if (all.down !== undefined) return undefined;
        break;
      case 'open':
        byWish.delete(wish);
    }
    all.proven = true;
    all.failures = 0;
    all.down = undefined;
    destination.visitsMax = Math.min(destination.visitsMax + 1, this.#visitsMax);
    return finding.kind === 'open' && (back.all || back.tls) ? { kind: 'back', ...back } : undefined;
  }

  #failAll(destination: Destination<Answer>, answer: Answer): Turn | undefined {
    const { all } = destination;
    if (!this.#isDown(all)) destination.visitsMax = Math.max(1, Math.floor(destination.visitsMax / 2));
    const forMs = this.#fail(destination, all, answer);
    if (forMs === undefined) return undefined;
    destination.visitsMax = 1;
    return { kind: 'down', to: 'all', forMs };
  }

  /** Somebody spoke with us, if not as this mail must have it: nothing is wrong with the rest. */
  #failWish(destination: Destination<Answer>, wish: TlsWish, answer: Answer): Turn | undefined {
    const { all, byWish } = destination;
    all.failures = 0;
    // Its time is over, and whoever gets through first finds it back.
    if (all.down !== undefined) all.down = { ...all.down, untilMs: this.#clock.monotonicMs() };
    const fare = byWish.get(wish) ?? { proven: all.proven, failures: 0, down: undefined };
    byWish.set(wish, fare);
    const forMs = this.#fail(destination, fare, answer);
    return forMs === undefined ? undefined : { kind: 'down', to: 'wish', forMs };
  }

  #fail(destination: Destination<Answer>, fare: Fare<Answer>, answer: Answer): number | undefined {
    const { proven, down } = fare;
    const known = { atMs: this.#clock.nowMs(), answer, isProbed: false };
    fare.proven = false;
    if (down !== undefined && !down.isProbed && this.#isDown(fare)) {
      // Still down: what was asked for before this visit has had its answer.
      fare.down = { ...known, untilMs: down.untilMs };
      this.#turnAway(destination);
      return undefined;
    }
    // One failure among successes: too much at once, or one of its hosts.
    if (proven) return undefined;
    fare.failures += 1;
    const lengthMs = Math.min(DOWN_AT_FIRST_MS * 2 ** Math.min(fare.failures - 1, 10), DOWN_MAX_MS);
    fare.down = { ...known, untilMs: this.#clock.monotonicMs() + lengthMs };
    this.#turnAway(destination);
    return lengthMs;
  }

  /** Who waits for what is down now waits no longer. */
  #turnAway(destination: Destination<Answer>): void {
    const { waiting } = destination;
    for (const one of waiting.drain()) {
      const down = this.#downOf(destination, one.mail);
      if (down === undefined) waiting.push(one.mail.sender, one);
      else one.resolve({ kind: 'down', answer: down.answer });
    }
  }

  #admitWaiting(destination: Destination<Answer>): void {
    while (destination.visits < destination.visitsMax) {
      const next = destination.waiting.shift();
      if (next === undefined) return;
      const admission = this.#admit(destination, next.mail);
      if (admission !== undefined) next.resolve(admission);
    }
  }

  #downOf(
    { all, byWish }: Destination<Answer>,
    { wish, askedAtMs }: Omit<Mail, 'sender'>,
  ): Down<Answer> | undefined {
    return [all, byWish.get(wish)].find((fare) => fare !== undefined && this.#isDown(fare, askedAtMs))?.down;
  }

  /** @param askedAtMs counts as up until it was tried after this */
  #isDown({ down }: Fare<Answer>, askedAtMs = Number.NEGATIVE_INFINITY): boolean {
    if (down === undefined || askedAtMs > down.atMs) return false;
    return down.isProbed || this.#clock.monotonicMs() < down.untilMs;
  }

  #of(key: string): Destination<Answer> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const destination: Destination<Answer> = {
      visitsMax: Math.min(LIMITS.destinationVisitsAtFirst, this.#visitsMax),
      visits: 0,
      waiting: new FairQueue(),
      comeBackAtMs: Number.NEGATIVE_INFINITY,
      all: { proven: false, failures: 0, down: undefined },
      byWish: new Map(),
    };
    this.#known.set(key, destination);
    return destination;
  }

  /** Whoever is idle may be forgotten, the longest known first. */
  #forget(): void {
    if (this.#known.size <= LIMITS.destinationsMax) return;
    for (const [name, one] of this.#known) {
      if (this.#known.size <= FORGOTTEN_DOWN_TO) return;
      if (isIdle(one) && [one.all, ...one.byWish.values()].every((fare) => !this.#isDown(fare)))
        this.#known.delete(name);
    }
  }
}

function isToWish<Answer>(finding: Finding<Answer>): boolean {
  return finding.kind === 'closed' && finding.to === 'wish';
}

function isIdle<Answer>(destination: Destination<Answer>): boolean {
  return destination.visits === 0 && destination.waiting.size === 0;
}
