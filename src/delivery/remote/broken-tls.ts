/**
 * Hosts that offer TLS and fail at it, while plain text works: where TLS is only opportunistic, the next visits to such an address go
 * without it for a while instead of failing at it each time. Held in memory; what is forgotten is tried again.
 *
 * Bounded: beyond {@link LIMITS.brokenTlsHostsMax} the longest known goes.
 */
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import type { HopTarget } from './hop.ts';
import type { TlsFailure } from './tls-requirement.ts';

type Broken = { readonly failure: TlsFailure; readonly untilMs: number };
type Place = Pick<HopTarget, 'host' | 'address' | 'port' | 'implicitTls' | 'tls'>;

export class BrokenTls {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #known = new Map<string, Broken>();

  /** @param forMs how long a failure counts; 0: never */
  constructor(clock: Clock, forMs: number) {
    this.#clock = clock;
    this.#forMs = forMs;
  }

  get size(): number {
    return this.#known.size;
  }

  /** What TLS failed of there not long ago; undefined where it is to be tried. */
  of(target: Place): TlsFailure | undefined {
    if (!mayDoWithout(target)) return undefined;
    const key = keyOf(target);
    const broken = this.#known.get(key);
    if (broken === undefined) return undefined;
    if (this.#clock.monotonicMs() < broken.untilMs) return broken.failure;
    this.#known.delete(key);
    return undefined;
  }

  remember(target: Place, failure: TlsFailure): void {
    if (this.#forMs <= 0 || !mayDoWithout(target)) return;
    const key = keyOf(target);
    this.#known.delete(key);
    this.#known.set(key, { failure, untilMs: this.#clock.monotonicMs() + this.#forMs });
    const [longest] = this.#known.keys();
    if (this.#known.size > LIMITS.brokenTlsHostsMax && longest !== undefined) this.#known.delete(longest);
  }
}

/** What a policy in testing wants of a certificate is looked at each time, for its domain is told (RFC 8460). */
function mayDoWithout({ tls, implicitTls }: Place): boolean {
  return tls.kind === 'opportunistic' && tls.wanted === undefined && !implicitTls;
}

function keyOf({ host, address, port }: Place): string {
  return `${host} ${address} ${port}`;
}
