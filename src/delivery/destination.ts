/**
 * How much each destination domain is given at once. It begins with a few visits; each success lets one more in, each
 * failure halves them. A domain of which no host answers, or that takes nothing from us, is left alone for a while: its mail waits with the answer that
 * the last visit met, then a single visit probes it. Held in memory; forgetting it costs a few visits.
 *
 * Units: milliseconds of the clock that never goes back.
 */
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { LastAnswer } from '../queue/queue.ts';

export type Admission =
  | { readonly kind: 'go' }
  /** Nobody there answers, or nothing of ours is taken: do not try, the answer is known. */
  | { readonly kind: 'down'; readonly answer: LastAnswer };

type Destination = {
  visitsMax: number;
  visits: number;
  readonly waiting: ((admission: Admission) => void)[];
  /** Something got through since it was remembered. */
  proven: boolean;
  failures: number;
  /** When the last one that found it full was told to come back. */
  comeBackAtMs: number;
  down: { readonly untilMs: number; readonly answer: LastAnswer } | undefined;
};

const COME_BACK_MS = 3000;
const COME_BACK_PROVEN_MS = 1000;
/** Of those that find a domain full, so many a second come back, however many they are: looking costs the queue a write. */
const COME_BACKS_A_SECOND = 1000;
const COME_BACK_STEP_MS = 100;
const COME_BACK_MAX_MS = 600_000;
const DOWN_AT_FIRST_MS = 60_000;
const DOWN_MAX_MS = 900_000;
/** Some at once, so that not every visit looks through all of them. */
const FORGOTTEN_DOWN_TO = Math.floor(LIMITS.destinationsMax * 0.9);

export class Destinations {
  readonly #clock: Clock;
  readonly #waitingMax: number;
  readonly #known = new Map<string, Destination>();

  /** @param waitingMax how many may wait for one domain that is known to work */
  constructor(clock: Clock, waitingMax: number) {
    this.#clock = clock;
    this.#waitingMax = waitingMax;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Undefined: as many as this domain may have are there already; come back later. Else `leave` must follow a 'go'. */
  enter(domain: string): Promise<Admission> | undefined {
    const destination = this.#of(domain);
    const { down } = destination;
    if (down !== undefined && this.#clock.monotonicMs() < down.untilMs)
      return Promise.resolve({ kind: 'down', answer: down.answer });
    if (destination.visits < destination.visitsMax) {
      destination.visits += 1;
      return Promise.resolve({ kind: 'go' });
    }
    const waitingMax = destination.proven ? this.#waitingMax : LIMITS.destinationVisitsAtFirst;
    if (destination.waiting.length >= waitingMax) return undefined;
    return new Promise((resolve) => destination.waiting.push(resolve));
  }

  /** Nobody there answers, and it is not yet time to see whether that has changed. */
  isDown(domain: string): boolean {
    const down = this.#known.get(domain)?.down;
    return down !== undefined && this.#clock.monotonicMs() < down.untilMs;
  }

  /** How long until one should come back to a domain that was full: one that works makes room soon. One behind the other. */
  comeBackMs(domain: string): number {
    const destination = this.#of(domain);
    const nowMs = this.#clock.monotonicMs();
    const soonestMs = nowMs + (destination.proven ? COME_BACK_PROVEN_MS : COME_BACK_MS);
    const nextMs = Math.max(soonestMs, destination.comeBackAtMs + 1000 / COME_BACKS_A_SECOND);
    destination.comeBackAtMs = Math.min(nextMs, nowMs + COME_BACK_MAX_MS);
    // In steps, so that many are put back in one write.
    return Math.ceil((destination.comeBackAtMs - nowMs) / COME_BACK_STEP_MS) * COME_BACK_STEP_MS;
  }

  /** After a visit. @param unreachable the answer, where no host answered or all our mail was refused. Gives for how long it counts as down now. */
  leave(domain: string, unreachable: LastAnswer | undefined): number | undefined {
    const destination = this.#of(domain);
    destination.visits -= 1;
    let downForMs: number | undefined;
    if (unreachable === undefined) {
      destination.proven = true;
      destination.failures = 0;
      destination.down = undefined;
      destination.visitsMax = Math.min(destination.visitsMax + 1, LIMITS.destinationVisitsMax);
    } else downForMs = this.#fail(destination, unreachable);
    this.#admitWaiting(destination);
    this.#forget();
    return downForMs;
  }

  #fail(destination: Destination, answer: LastAnswer): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    destination.proven = false;
    // The visits that were on their way when it was found down tell nothing new.
    if (destination.down !== undefined && nowMs < destination.down.untilMs) return undefined;
    destination.failures += 1;
    const lengthMs = Math.min(DOWN_AT_FIRST_MS * 2 ** Math.min(destination.failures - 1, 10), DOWN_MAX_MS);
    destination.visitsMax = 1;
    destination.down = { untilMs: nowMs + lengthMs, answer };
    for (const resolve of destination.waiting.splice(0)) resolve({ kind: 'down', answer });
    return lengthMs;
  }

  #admitWaiting(destination: Destination): void {
    while (destination.visits < destination.visitsMax) {
      const next = destination.waiting.shift();
      if (next === undefined) return;
      destination.visits += 1;
      next({ kind: 'go' });
    }
  }

  #of(domain: string): Destination {
    const known = this.#known.get(domain);
    if (known !== undefined) return known;
    const destination: Destination = {
      visitsMax: LIMITS.destinationVisitsAtFirst,
      visits: 0,
      waiting: [],
      proven: false,
      failures: 0,
      comeBackAtMs: Number.NEGATIVE_INFINITY,
      down: undefined,
    };
    this.#known.set(domain, destination);
    return destination;
  }

  /** Whoever is idle may be forgotten, the longest known first. */
  #forget(): void {
    if (this.#known.size <= LIMITS.destinationsMax) return;
    const nowMs = this.#clock.monotonicMs();
    for (const [name, one] of this.#known) {
      if (this.#known.size <= FORGOTTEN_DOWN_TO) return;
      if (isIdle(one) && (one.down === undefined || one.down.untilMs <= nowMs)) this.#known.delete(name);
    }
  }
}

function isIdle(destination: Destination): boolean {
  return destination.visits === 0 && destination.waiting.length === 0;
}
