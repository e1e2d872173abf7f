/**
 * How much each destination domain is given at once. It begins with a few visits; each success lets one more in, each
 * failure halves them. A domain of which no host answers is left alone for a while: its mail waits with the answer that
 * the last visit met, then a single visit probes it. Held in memory; forgetting it costs a few visits.
 */
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { LastAnswer } from '../queue/queue.ts';

export type Admission =
  | { readonly kind: 'go' }
  /** Nobody there answers: do not try, the answer is known. */
  | { readonly kind: 'down'; readonly answer: LastAnswer };

type Destination = {
  visitsMax: number;
  visits: number;
  readonly waiting: ((admission: Admission) => void)[];
  /** Something got through since it was remembered. */
  proven: boolean;
  failures: number;
  down: { readonly untilMs: number; readonly answer: LastAnswer } | undefined;
};

const COME_BACK_MS = 3000;
const COME_BACK_PROVEN_MS = 1000;
const DOWN_AT_FIRST_MS = 60_000;
const DOWN_MAX_MS = 900_000;

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
    if (down !== undefined && this.#clock.nowMs() < down.untilMs)
      return Promise.resolve({ kind: 'down', answer: down.answer });
    if (destination.visits < destination.visitsMax) {
      destination.visits += 1;
      return Promise.resolve({ kind: 'go' });
    }
    const waitingMax = destination.proven ? this.#waitingMax : LIMITS.destinationVisitsAtFirst;
    if (destination.waiting.length >= waitingMax) return undefined;
    return new Promise((resolve) => destination.waiting.push(resolve));
  }

  /** When to come back to a domain that was full: one that works makes room soon. */
  comeBackMs(domain: string): number {
    return this.#of(domain).proven ? COME_BACK_PROVEN_MS : COME_BACK_MS;
  }

  /** After a visit. @param unreachable the answer, where no host answered. Gives until when it counts as down now. */
  leave(domain: string, unreachable: LastAnswer | undefined): number | undefined {
    const destination = this.#of(domain);
    destination.visits -= 1;
    let downUntilMs: number | undefined;
    if (unreachable === undefined) {
      destination.proven = true;
      destination.failures = 0;
      destination.down = undefined;
      destination.visitsMax = Math.min(destination.visitsMax + 1, LIMITS.destinationVisitsMax);
    } else downUntilMs = this.#fail(destination, unreachable);
    this.#admitWaiting(destination);
    this.#forget();
    return downUntilMs;
  }

  #fail(destination: Destination, answer: LastAnswer): number | undefined {
    const nowMs = this.#clock.nowMs();
    destination.proven = false;
    // The visits that were on their way when it was found down tell nothing new.
    if (destination.down !== undefined && nowMs < destination.down.untilMs) return undefined;
    destination.failures += 1;
    const lengthMs = Math.min(DOWN_AT_FIRST_MS * 2 ** Math.min(destination.failures - 1, 10), DOWN_MAX_MS);
    destination.visitsMax = 1;
    destination.down = { untilMs: nowMs + lengthMs, answer };
    for (const resolve of destination.waiting.splice(0)) resolve({ kind: 'down', answer });
    return destination.down.untilMs;
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
      down: undefined,
    };
    this.#known.set(domain, destination);
    return destination;
  }

  /** Whoever is idle may be forgotten, the longest known first. */
  #forget(): void {
    if (this.#known.size <= LIMITS.destinationsMax) return;
    const nowMs = this.#clock.nowMs();
    for (const [name, one] of this.#known)
      if (isIdle(one) && (one.down === undefined || one.down.untilMs <= nowMs)) this.#known.delete(name);
  }
}

function isIdle(destination: Destination): boolean {
  return destination.visits === 0 && destination.waiting.length === 0;
}
