/**
 * Failed logins slow their source down: each source network (an IPv4 address, an IPv6 /64) may fail some times, and
 * then once for every while it waits. A login that succeeds costs nothing. The machine itself and the networks
 * the operator trusts (proxies, web mail) stand for many people and are never slowed.
 *
 * Units: milliseconds of the monotonic clock. Memory is bounded: the source that tried longest ago is forgotten first.
 */
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';

export type LoginThrottle = {
  /** False means: refuse without looking. */
  admits(source: string | undefined): boolean;
  /** A login was refused. */
  failed(source: string | undefined): void;
};

/** For directories that are not reached over a network. */
export const UNTHROTTLED: LoginThrottle = { admits: () => true, failed: () => undefined };

type Bucket = { readonly failures: number; readonly atMs: number };

export class NetworkLoginThrottle implements LoginThrottle {
  readonly #clock: Clock;
  readonly #isTrusted: (source: string) => boolean;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, isTrusted: (source: string) => boolean = () => false) {
    this.#clock = clock;
    this.#isTrusted = isTrusted;
  }

  admits(source: string | undefined): boolean {
    const network = this.#networkOf(source);
    return network === undefined || this.#failures(network) + 1 <= LIMITS.loginFailuresMax;
  }

  failed(source: string | undefined): void {
    const network = this.#networkOf(source);
    if (network === undefined) return;
    const failures = Math.min(this.#failures(network) + 1, LIMITS.loginFailuresMax);
    // Put again, so that the order of the map is the order of the last failure.
    this.#buckets.delete(network);
    this.#buckets.set(network, { failures, atMs: this.#clock.monotonicMs() });
    if (this.#buckets.size <= LIMITS.loginSourcesMax) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }

  #networkOf(source: string | undefined): string | undefined {
    if (source === undefined || isLoopback(source) || this.#isTrusted(source)) return undefined;
    return toNetwork(source);
  }

  #failures(network: string): number {
    const bucket = this.#buckets.get(network);
    if (bucket === undefined) return 0;
    const forgiven = (this.#clock.monotonicMs() - bucket.atMs) / LIMITS.loginFailureForgivenMs;
    return Math.max(0, bucket.failures - forgiven);
  }
}

const MAPPED = '::ffff:';

function isLoopback(source: string): boolean {
  const address = unmapped(source);
  return address === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(address);
}

/** An IPv4 address that came through an IPv6 socket (RFC 4291 §2.5.5.2) is the IPv4 address. */
function unmapped(source: string): string {
  const lower = source.toLowerCase();
  return lower.startsWith(MAPPED) && lower.includes('.') ? lower.slice(MAPPED.length) : lower;
}

/** An IPv4 address as it is; of an IPv6 address the /64, which is what one customer has. */
export function toNetwork(source: string): string {
  const address = unmapped(source);
  if (!address.includes(':')) return address;
  const [bare = ''] = address.split('%');
  const [head = '', tail] = bare.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: gap }, () => '0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
