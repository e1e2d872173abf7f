/**
 * Which hosts take the mail of a domain, in which order. Sources: RFC 5321 §5.1 (MX, implicit MX, CNAME, loops),
 * RFC 7505 (null MX), RFC 5321 §4.1.3 (address literals).
 */
import { LIMITS } from '../../base/limits.ts';
import type { Random } from '../../base/random.ts';
import type { DnsAnswer, MxRecord, Resolver } from '../../dns/resolver.ts';
import { toDnsName, toIpv4Octets, toIpv6Groups } from '../../dns/wire/question.ts';
import type { Problem } from './problem.ts';
import type { DomainExchanges, ExchangeHost } from './tls-policy.ts';

export type RoutingOptions = {
  readonly resolver: Resolver;
  readonly random: Random;
  /** This host's names, lower case: an MX list that leads back to us is cut there. */
  readonly ownNames: readonly string[];
  /** This host's public addresses, in any of their spellings. */
  readonly ownAddresses: readonly string[];
  /**
   * False: an address of this machine's loopback is never connected to, as any domain's owner could point his MX at it.
   */
  readonly loopbackAllowed: boolean;
  /** Over which IP versions hosts are gone to, the preferred one first; left out: IPv6, then IPv4. */
  readonly families?: () => readonly AddressFamily[];
};

export type AddressFamily = 'ipv4' | 'ipv6';

export type Exchanges =
  | ({ readonly kind: 'exchanges'; readonly exchanges: readonly string[] } & Pick<
      DomainExchanges,
      'source' | 'authentic' | 'canonicalName'
    >)
  | ({ readonly kind: 'failed' | 'delayed' } & Problem);

export type HostAddresses =
  | ({ readonly kind: 'addresses'; readonly addresses: readonly string[] } & Pick<
      ExchangeHost,
      'canonicalName' | 'authentic'
    >)
  /** One of them is ours: this exchange and all after it would loop (RFC 5321 §5.1). */
  | { readonly kind: 'own' }
  | ({ readonly kind: 'failed' | 'delayed' } & Problem);

type FoundMx = Extract<DnsAnswer<MxRecord>, { kind: 'found' }>;

export class Routing {
  readonly #options: RoutingOptions;
  readonly #ownAddresses: ReadonlySet<string>;

  constructor(options: RoutingOptions) {
    this.#options = options;
    this.#ownAddresses = new Set(options.ownAddresses.map(addressKey));
  }

  /** @param domain A-labels, or an address literal in brackets */
  async exchangesOf(domain: string): Promise<Exchanges> {
    if (domain.startsWith('[')) {
      const address = literalAddress(domain);
      return address === undefined
        ? { kind: 'failed', ...BAD_DOMAIN }
        : {
            kind: 'exchanges',
            exchanges: [address],
            source: 'literal',
            authentic: false,
            canonicalName: domain,
          };
    }
    if (toDnsName(domain) === undefined) return { kind: 'failed', ...BAD_DOMAIN };
    const answer = await this.#options.resolver.mx(domain);
    switch (answer.kind) {
      case 'unavailable':
        return { kind: 'delayed', ...dnsProblem(domain, answer.reason) };
      case 'none':
        // RFC 5321 §5.1: without MX records the domain is its own exchange; one that does not exist is none.
        return answer.nameExists
          ? {
              kind: 'exchanges',
              exchanges: [domain],
              source: 'implicit',
              authentic: answer.authentic,
              canonicalName: domain,
            }
          : {
              kind: 'failed',
              status: '5.1.2',
              reason: 'dns.no-domain',
              text: `The domain ${domain} does not exist`,
            };
      case 'found':
        return this.#fromMx(domain, answer);
    }
  }

  #fromMx(domain: string, { records, authentic, canonicalName }: FoundMx): Exchanges {
    // RFC 7505 §3: a null MX stands alone; beside others it says nothing.
    const named = records
      .filter((record) => record.exchange !== '')
      .map(({ preference, exchange }) => ({ preference, exchange: exchange.toLowerCase() }));
    if (named.length === 0)
      return {
        kind: 'failed',
        status: '5.1.10',
        reason: 'dns.null-mx',
        text: `The domain ${domain} takes no mail (null MX)`,
      };
    const own = new Set(this.#options.ownNames);
    const cut = Math.min(
      ...named.filter((record) => own.has(record.exchange)).map((record) => record.preference),
      Number.MAX_SAFE_INTEGER,
    );
    const usable = named.filter((record) => record.preference < cut);
    if (usable.length === 0) return { kind: 'failed', ...loop(domain) };
    // RFC 5321 §5.1: MX must name a host; an address in its place is none, and is no way to hosts that have no name.
    const hosts = usable.filter((record) => !isIpAddress(record.exchange));
    if (hosts.length === 0)
      return {
        kind: 'failed',
        status: '5.4.4',
        reason: 'dns.bad-exchange',
        text: `The MX records of ${domain} name no host`,
      };
    const exchanges = this.#ordered(hosts).slice(0, LIMITS.mxHostsMax);
    return { kind: 'exchanges', exchanges, source: 'mx', authentic, canonicalName };
  }

  /** By preference; equals in random order, so that they share the load (RFC 5321 §5.1). Each name once. */
  #ordered(records: readonly MxRecord[]): readonly string[] {
    const shuffled = [...records];
    for (let left = shuffled.length - 1; left > 0; left -= 1) {
      const at = this.#options.random.below(left + 1);
      const [one, other] = [shuffled[left], shuffled[at]];
      if (one === undefined || other === undefined) continue;
      shuffled[left] = other;
      shuffled[at] = one;
    }
    const sorted = shuffled.toSorted((one, other) => one.preference - other.preference);
    return [...new Set(sorted.map((record) => record.exchange))];
  }

  /**
   * By turns of the IP versions, the preferred one first, each in the order of the DNS; at most {@link LIMITS.mxAddressesMax}.
   *
   * @param host a name or an IP literal
   * @param named 'by-operator': who runs this server may send its mail through another on the same machine
   */
  async addressesOf(host: string, named: 'by-dns' | 'by-operator'): Promise<HostAddresses> {
    const families = this.#options.families?.() ?? BOTH_FAMILIES;
    if (isIpAddress(host)) {
      const family = toIpv4Octets(host) === undefined ? 'ipv6' : 'ipv4';
      return named === 'by-dns' && !families.includes(family)
        ? { kind: 'failed', ...otherFamily(host, families) }
        : this.#checked(host, [host], named, { canonicalName: host, authentic: false });
    }
    if (toDnsName(host) === undefined)
      return {
        kind: 'failed',
        status: '5.4.4',
        reason: 'dns.bad-exchange',
        text: `The exchange ${host} is no host name`,
      };
    const { resolver } = this.#options;
    const answers = await Promise.all(
      families.map((family) => (family === 'ipv6' ? resolver.aaaa(host) : resolver.a(host))),
    );
    const mixed = byTurns(answers.map(recordsOf));
    if (mixed.length === 0) {
      const silent = answers.find((answer) => answer.kind === 'unavailable');
      if (silent?.kind === 'unavailable') return { kind: 'delayed', ...dnsProblem(host, silent.reason) };
      return { kind: 'failed', ...otherFamily(host, families) };
    }
    return this.#checked(host, mixed.slice(0, LIMITS.mxAddressesMax), named, {
      canonicalName: answers.find((answer) => answer.kind === 'found')?.canonicalName ?? host,
      // What one family lacks, or keeps back, says nothing of what was found (RFC 7672 §2.2.2).
      authentic: answers.every((answer) => answer.kind !== 'found' || answer.authentic),
    });
  }

  #checked(
    host: string,
    addresses: readonly string[],
    named: 'by-dns' | 'by-operator',
    facts: Pick<ExchangeHost, 'canonicalName' | 'authentic'>,
  ): HostAddresses {
    if (named === 'by-operator') return { kind: 'addresses', addresses, ...facts };
    if (addresses.some((address) => this.#ownAddresses.has(addressKey(address)))) return { kind: 'own' };
    const usable = this.#options.loopbackAllowed
      ? addresses
      : addresses.filter((address) => !isThisMachine(address));
    return usable.length > 0
      ? { kind: 'addresses', addresses: usable, ...facts }
      : {
          kind: 'failed',
          status: '5.4.4',
          reason: 'route.loopback',
          text: `The host ${host} has only loopback addresses`,
        };
  }
}

export function loop(domain: string): Problem {
  return {
    status: '5.4.6',
    reason: 'route.loop',
    text: `Mail for ${domain} leads back to this host, which is not its last`,
  };
}

const BOTH_FAMILIES: readonly AddressFamily[] = ['ipv6', 'ipv4'];
const FAMILY_NAMES = { ipv4: 'IPv4 ', ipv6: 'IPv6 ' } as const;

/** @param families those that it could have been of */
function otherFamily(host: string, families: readonly AddressFamily[]): Problem {
  const [only] = families;
  const what = families.length === 1 && only !== undefined ? FAMILY_NAMES[only] : '';
  return {
    status: '5.4.4',
    reason: 'dns.no-address',
    text: `The host ${host} has no ${what}address`,
  };
}

function byTurns(lists: readonly (readonly string[])[]): readonly string[] {
  const turns = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: turns }, (_, turn) =>
    lists.flatMap((list) => list.slice(turn, turn + 1)),
  ).flat();
}

const BAD_DOMAIN: Problem = {
  status: '5.1.2',
  reason: 'route.bad-domain',
  text: 'The domain is no host name',
};

function dnsProblem(
  name: string,
  reason: Extract<DnsAnswer<never>, { kind: 'unavailable' }>['reason'],
): Problem {
  return { status: '4.4.3', reason: `dns.${reason}`, text: `The DNS gave no answer for ${name} (${reason})` };
}

function recordsOf(answer: DnsAnswer<string>): readonly string[] {
  return answer.kind === 'found' ? answer.records : [];
}

export function isIpAddress(text: string): boolean {
  return toIpv4Octets(text) !== undefined || toIpv6Groups(text) !== undefined;
}

/** One text for each address: `2001:DB8:0::1` is `2001:db8::1`, and an IPv4 address in IPv6 is that address. */
function addressKey(address: string): string {
  const groups = toIpv6Groups(address);
  if (groups === undefined) return address;
  const [g6 = 0, g7 = 0] = groups.slice(6);
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
    ? [g6 >> 8, g6 & 255, g7 >> 8, g7 & 255].join('.')
    : groups.join(':');
}

/** `[192.0.2.1]`, `[IPv6:2001:db8::1]`. */
function literalAddress(domain: string): string | undefined {
  const inner = domain.slice(1, -1).replace(/^ipv6:/i, '');
  return domain.endsWith(']') && isIpAddress(inner) ? inner : undefined;
}

/** Loopback and unspecified addresses, IPv4 in IPv6 too (RFC 6890 §2.2). */
export function isThisMachine(address: string): boolean {
  const four = toIpv4Octets(address);
  if (four !== undefined) return four[0] === 127 || four[0] === 0;
  const groups = toIpv6Groups(address);
  if (groups === undefined) return false;
  const [g6 = 0, g7 = 0] = groups.slice(6);
  if (groups.slice(0, 5).every((group) => group === 0)) {
    if (groups[5] === 0xffff) return g6 >> 8 === 127 || g6 >> 8 === 0;
    return groups[5] === 0 && g6 === 0 && g7 <= 1;
  }
  return false;
}
