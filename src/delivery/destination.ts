/**
 * How much each destination is given at once: a route's next hop, or one host. It begins with a few visits; each success
 * lets one more in, up to a bound; a failure halves them. Where nothing gets through between two failures it is down: its mail
 * waits with the answer that the last visit met, then a single visit probes it. Who waits for a place is served by turns of
 * the senders. Held in memory; forgetting it costs a few visits.
 *
 * Units: milliseconds of the clock that never goes back.
 */
import type { Clock } from '../base/clock.ts';
import { FairQueue } from '../base/fair-queue.ts';
import { LIMITS } from '../base/limits.ts';

export type Admission<Answer> =
  | { readonly kind: 'go' }
  /** Nobody there answers, or nothing of ours is taken: do not try, the answer is known. */
  | { readonly kind: 'down'; readonly answer: Answer };

export type DestinationsOptions = {
  /** Visits to one destination at once, at most. */
  readonly visitsMax: number;
  /** How many may wait for one destination that is known to work. */
  readonly waitingMax: number;
};

/** `atMs`: when it was tried last, by the clock of the wall. */
type Down<Answer> = { readonly untilMs: number; readonly atMs: number; readonly answer: Answer };

type Destination<Answer> = {
  visitsMax: number;
  visits: number;
  readonly waiting: FairQueue<(admission: Admission<Answer>) => void>;
  /** Something got through since the last failure. */
  proven: boolean;
  failures: number;
  /** When the last one that found it full was told to come back. */
  comeBackAtMs: number;
  down: Down<Answer> | undefined;
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
    return this.#known.get(key)?.proven === true;
  }

  isDown(key: string): boolean {
    return this.#downOf(this.#known.get(key)) !== undefined;
  }

  /**
   * Undefined: as many as this destination may have are there already; come back later. Else `leave` must follow a 'go'.
   *
   * @param sender whose turn it is among those that wait
   * @param askedAtMs when an attempt was asked for, whatever was met before
   */
  enter(key: string, sender: string, askedAtMs?: number): Promise<Admission<Answer>> | undefined {
    const destination = this.#of(key);
    const down = this.#downOf(destination, askedAtMs);
    if (down !== undefined) return Promise.resolve({ kind: 'down', answer: down.answer });
    if (destination.visits < destination.visitsMax) {
      destination.visits += 1;
      return Promise.resolve({ kind: 'go' });
    }
    const { waiting, proven } = destination;
    // One that has shown nothing yet may be stuck: nothing waits for it, so that others have room.
    if (!proven || waiting.size >= this.#waitingMax) return undefined;
    if (waiting.sizeOf(sender) >= Math.ceil(this.#waitingMax * SENDER_SHARE)) return undefined;
    return new Promise((resolve) => waiting.push(sender, resolve));
  }

  /** Waits as long as it takes. `leave` must follow a 'go'. */
  async enterPatiently(key: string, sender: string, askedAtMs?: number): Promise<Admission<Answer>> {
    const destination = this.#of(key);
    const down = this.#downOf(destination, askedAtMs);
    if (down !== undefined) return { kind: 'down', answer: down.answer };
    if (destination.visits >= destination.visitsMax)
      return new Promise((resolve) => destination.waiting.push(sender, resolve));
    destination.visits += 1;
    return { kind: 'go' };
  }

  /** How many more should be had here to wait: up to one sender's part, as soon as half of those that may are gone. */
  roomToWait(key: string): number {
    const destination = this.#known.get(key);
    if (destination?.proven !== true || destination.waiting.size > this.#waitingMax / 2) return 0;
    return Math.ceil(this.#waitingMax * SENDER_SHARE) - destination.waiting.size;
  }

  /** How long until one should come back to a domain that was full: one that works makes room soon. One behind the other. */
  comeBackMs(key: string): number {
    const destination = this.#of(key);
    const nowMs = this.#clock.monotonicMs();
    const soonestMs = nowMs + (destination.proven ? COME_BACK_PROVEN_MS : COME_BACK_MS);
    const nextMs = Math.max(soonestMs, destination.comeBackAtMs + 1000 / COME_BACKS_A_SECOND);
    destination.comeBackAtMs = Math.min(nextMs, nowMs + COME_BACK_MAX_MS);
    // In steps, so that many are put back in one write.
    return Math.ceil((destination.comeBackAtMs - nowMs) / COME_BACK_STEP_MS) * COME_BACK_STEP_MS;
  }

  /**
   * After a visit.
   *
   * @param failure the answer, where no host answered or this host wants no more of us
   * @returns for how long it counts as down from now on
   */
  leave(key: string, failure: Answer | undefined): number | undefined {
    const destination = this.#of(key);
    destination.visits -= 1;
    let downForMs: number | undefined;
    if (failure === undefined) {
      destination.proven = true;
      destination.failures = 0;
      destination.down = undefined;
      destination.visitsMax = Math.min(destination.visitsMax + 1, this.#visitsMax);
    } else downForMs = this.#fail(destination, failure);
    this.#admitWaiting(destination);
    this.#forget();
    return downForMs;
  }

  #fail(destination: Destination<Answer>, answer: Answer): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const { proven } = destination;
    destination.proven = false;
    const known = this.#downOf(destination);
    if (known !== undefined) {
      // Still down: what was asked for before this visit has had its answer.
      this.#takeDown(destination, { ...known, atMs: this.#clock.nowMs(), answer });
      return undefined;
    }
    destination.visitsMax = Math.max(1, Math.floor(destination.visitsMax / 2));
    // One failure among successes: too much at once, or one of its hosts.
    if (proven) return undefined;
    destination.failures += 1;
    const lengthMs = Math.min(DOWN_AT_FIRST_MS * 2 ** Math.min(destination.failures - 1, 10), DOWN_MAX_MS);
    destination.visitsMax = 1;
    this.#takeDown(destination, { untilMs: nowMs + lengthMs, atMs: this.#clock.nowMs(), answer });
    return lengthMs;
  }

  #takeDown(destination: Destination<Answer>, down: Down<Answer>): void {
    destination.down = down;
    for (const resolve of destination.waiting.drain()) resolve({ kind: 'down', answer: down.answer });
  }

  #admitWaiting(destination: Destination<Answer>): void {
    while (destination.visits < destination.visitsMax) {
      const next = destination.waiting.shift();
      if (next === undefined) return;
      destination.visits += 1;
      next({ kind: 'go' });
    }
  }

  /** @param askedAtMs counts as up until it was tried after this */
  #downOf(
    destination: Destination<Answer> | undefined,
    askedAtMs = Number.NEGATIVE_INFINITY,
  ): Down<Answer> | undefined {
    const down = destination?.down;
    if (down === undefined || askedAtMs > down.atMs) return undefined;
    return this.#clock.monotonicMs() < down.untilMs ? down : undefined;
  }

  #of(key: string): Destination<Answer> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const destination: Destination<Answer> = {
      visitsMax: Math.min(LIMITS.destinationVisitsAtFirst, this.#visitsMax),
      visits: 0,
      waiting: new FairQueue(),
      proven: false,
      failures: 0,
      comeBackAtMs: Number.NEGATIVE_INFINITY,
      down: undefined,
    };
    this.#known.set(key, destination);
    return destination;
  }

  /** Whoever is idle may be forgotten, the longest known first. */
  #forget(): void {
    if (this.#known.size <= LIMITS.destinationsMax) return;
    for (const [name, one] of this.#known) {
      if (this.#known.size <= FORGOTTEN_DOWN_TO) return;
      if (isIdle(one) && this.#downOf(one) === undefined) this.#known.delete(name);
    }
  }
}

function isIdle<Answer>(destination: Destination<Answer>): boolean {
  return destination.visits === 0 && destination.waiting.size === 0;
}
