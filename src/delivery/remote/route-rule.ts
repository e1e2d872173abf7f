/** The operator's rules for routes, and which mail each is for. Pure. */
import type { IpNetwork } from '../../base/ip-network.ts';
import { isInNetwork, parseIp } from '../../base/ip-network.ts';
import type { AccountId } from '../../store/ids.ts';
import type { HopSpeech, RouteHost } from './router.ts';

/** Whom a rule is for; an empty list of anything but recipients excludes nobody. */
export type RuleMatch = {
  /** `example.org`, `.example.org` (what is below it), `someone@example.org`, `*`. */
  readonly recipients: readonly string[];
  /** The same of the reverse-path, and `<>`. */
  readonly senders: readonly string[];
  /** Addresses of accounts that handed the mail in. */
  readonly accounts: readonly string[];
  /** Where the mail came from. */
  readonly networks: readonly IpNetwork[];
  /** The pool that was chosen for the mail before any rule was looked at. */
  readonly pools: readonly string[];
};

export type RouteRule = {
  readonly name: string;
  readonly match: RuleMatch;
  readonly action:
    /** No hosts: those of the recipient's domain. */
    | { readonly kind: 'deliver'; readonly hosts: readonly RouteHost[]; readonly speech: HopSpeech }
    | { readonly kind: 'hold' | 'refuse'; readonly text: string };
  readonly pool: string | undefined;
  /** Pauses between the tries, the last one repeats; undefined: as for all mail. */
  readonly retryMs?: readonly number[] | undefined;
  readonly fallback: { readonly rule: string; readonly afterMs: number } | undefined;
};

/** What rules look at. */
export type RuleFacts = {
  readonly recipient: string;
  /** A-labels, lower case. */
  readonly domain: string;
  readonly sender: string | null;
  readonly account: AccountId | undefined;
  readonly remote: string | undefined;
  readonly pool: string | undefined;
};

/** @param accountId of the account with that address, undefined where there is none */
export function matches(
  match: RuleMatch,
  facts: RuleFacts,
  accountId: (address: string) => AccountId | undefined,
): boolean {
  return (
    match.recipients.some((pattern) => isAddressed(pattern, facts.recipient, facts.domain)) &&
    isAny(match.senders, (pattern) => isFrom(pattern, facts.sender)) &&
    isAny(match.accounts, (address) => facts.account !== undefined && accountId(address) === facts.account) &&
    isAny(match.networks, (network) => isWithin(network, facts.remote)) &&
    isAny(match.pools, (pool) => pool === facts.pool)
  );
}

function isAny<Item>(list: readonly Item[], holds: (item: Item) => boolean): boolean {
  return list.length === 0 || list.some(holds);
}

function isFrom(pattern: string, sender: string | null): boolean {
  if (sender === null) return pattern === '<>' || pattern === '*';
  return pattern !== '<>' && isAddressed(pattern, sender, domainOf(sender));
}

/** `example.org`, `.example.org` (what is below it), `someone@example.org`, `*`. */
export function isAddressed(pattern: string, address: string, domain: string): boolean {
  if (pattern === '*') return true;
  const wanted = pattern.toLowerCase();
  if (wanted.startsWith('.')) return domain.endsWith(wanted) && domain.length > wanted.length;
  const at = wanted.lastIndexOf('@');
  if (at === -1) return domain === wanted;
  return domain === wanted.slice(at + 1) && localPartOf(address) === wanted.slice(0, at);
}

function isWithin(network: IpNetwork, remote: string | undefined): boolean {
  const octets = remote === undefined ? undefined : parseIp(remote);
  return octets !== undefined && isInNetwork(octets, network);
}

/** Local parts are compared without regard to case, as nobody means two routes by it (RFC 5321 §2.4 leaves that to us). */
function localPartOf(address: string): string {
  return address.slice(0, address.lastIndexOf('@')).toLowerCase();
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}
