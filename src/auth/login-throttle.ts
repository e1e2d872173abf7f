/**
 * Failed logins slow down whoever fails, and nobody else. Counted are the network they come from (an IPv4 address, an IPv6
 * /64), the one around it (a /24, a /48: whoever has one of these has many of the former) and, over all networks, the name
 * that was tried, whether or not it is anybody's. A network from which an account
 * signed in lately is its home: what others do there or elsewhere is not held against the account at home; only its own
 * failures there are, apart. A login that succeeds costs nothing. The machine itself and the networks the operator trusts
 * (proxies, web mail) stand for many people and are never slowed.
 *
 * It is counted in the table of rates, which all threads share, and which is kept over a restart: who failed least is
 * forgotten first.
 */
import { LIMITS } from '../base/limits.ts';
import type { Bucket, Rates } from '../policy/rate.ts';

export type LoginAttempt = {
  /** As {@link LoginThrottle.networkOf} gave it. */
  readonly network: string | undefined;
  /** In the form that accounts are found by; '' where none was given. */
  readonly name: string;
  /** The account of that name signed in from that network lately. */
  readonly isAtHome: boolean;
};

export type LoginThrottle = {
  /** What a source is counted as; undefined where it is never slowed. */
  networkOf(source: string | undefined): string | undefined;
  /** False means: refuse without looking. */
  admits(attempt: LoginAttempt): boolean;
  /** A login was refused. */
  failed(attempt: LoginAttempt): void;
};

/** For directories that are not reached over a network. */
export const UNTHROTTLED: LoginThrottle = {
  networkOf: () => undefined,
  admits: () => true,
  failed: () => undefined,
};

/** What an attempt is counted under, how much room there is, and how soon one more is forgiven. */
type Count = { readonly key: string; readonly failuresMax: number; readonly forgivenMs: number };

export class NetworkLoginThrottle implements LoginThrottle {
  readonly #rates: Rates;
  readonly #isTrusted: (source: string) => boolean;

  constructor(rates: Rates, isTrusted: (source: string) => boolean = () => false) {
    this.#rates = rates;
    this.#isTrusted = isTrusted;
  }

  networkOf(source: string | undefined): string | undefined {
    if (source === undefined || isLoopback(source) || this.#isTrusted(source)) return undefined;
    return toNetwork(source);
  }

  admits(attempt: LoginAttempt): boolean {
    return countsOf(attempt).every((count) => this.#bucket(count).has());
  }

  failed(attempt: LoginAttempt): void {
    // Of what has run out nothing more is taken: the wait does not grow.
    for (const count of countsOf(attempt)) this.#bucket(count).take();
  }

  #bucket({ key, failuresMax, forgivenMs }: Count): Bucket {
    const intervalMs = failuresMax * forgivenMs;
    return this.#rates.subject('sign-in', key).bucket('failures', { count: failuresMax, intervalMs });
  }
}

/** Of a name that is counted: what is longer is nobody's, and must not fill the memory. */
const NAME_CHARACTERS_MAX = 255;

function countsOf({ network, name: given, isAtHome }: LoginAttempt): readonly Count[] {
  if (network === undefined) return [];
  const name = given.slice(0, NAME_CHARACTERS_MAX);
  const { loginFailuresMax, loginFailureForgivenMs: forgivenMs } = LIMITS;
  if (isAtHome) return [{ key: `home ${network} ${name}`, failuresMax: loginFailuresMax, forgivenMs }];
  const counts = [
    { key: `network ${network}`, failuresMax: loginFailuresMax, forgivenMs },
    {
      key: `around ${around(network)}`,
      failuresMax: LIMITS.loginAroundFailuresMax,
      forgivenMs: LIMITS.loginAroundFailureForgivenMs,
    },
  ];
  return name === ''
    ? counts
    : [...counts, { key: `name ${name}`, failuresMax: LIMITS.loginNameFailuresMax, forgivenMs }];
}

/** The /24 of an IPv4 address, the /48 of a /64. */
function around(network: string): string {
  const mark = network.includes(':') ? ':' : '.';
  return network.split(mark).slice(0, 3).join(mark);
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
