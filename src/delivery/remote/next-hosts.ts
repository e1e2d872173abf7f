/** Where a route leads now: its hosts and what of TLS each must have, then the addresses of each. What delivery does, and what is explained. */
import type { Problem } from './problem.ts';
import type { RemoteRoute, RouteHost } from './router.ts';
import type { Exchanges, HostAddresses, Routing } from './routing.ts';
import { isIpAddress } from './routing.ts';
import type { DomainTls, ExchangeHost, HostTls, TlsPolicy, TlsWish } from './tls-policy.ts';

export type NextHosts =
  | {
      readonly kind: 'hosts';
      readonly hosts: readonly RouteHost[];
      readonly tls: DomainTls & { kind: 'policy' };
      /** How they were found. */
      readonly source: Extract<Exchanges, { kind: 'exchanges' }>['source'] | 'route';
      /** The answer that named them was validated by DNSSEC. */
      readonly authentic: boolean;
    }
  | ({ readonly kind: 'delayed' | 'failed' | 'held' } & Problem);

export async function hostsOf(
  { next, speech }: RemoteRoute,
  wish: TlsWish,
  { routing, tlsPolicy }: { readonly routing: Routing; readonly tlsPolicy: TlsPolicy },
): Promise<NextHosts> {
  const { protocol, proxy, tls: route } = speech;
  if (next.kind === 'hosts') {
    // RFC 8461 §3.4, RFC 7672 §2.2.2: a host that is named here is a policy domain of its own, and needs no MX.
    const of = async (at: ExchangeHost): Promise<HostTls> => {
      const domain = at.host.toLowerCase();
      const authentic = proxy === undefined && !isIpAddress(domain);
      const about = { domain, source: 'route', authentic, canonicalName: domain, protocol } as const;
      const found = await tlsPolicy.ofDomain(about, wish, route);
      return found.kind === 'policy' ? found.of({ ...at, host: domain }) : found;
    };
    return {
      kind: 'hosts',
      hosts: next.hosts,
      tls: { kind: 'policy', of },
      source: 'route',
      authentic: false,
    };
  }
  if (next.kind !== 'domain') return next;
  const { domain, port } = next;
  const found = await routing.exchangesOf(domain);
  if (found.kind !== 'exchanges') return found;
  const { source, authentic, canonicalName } = found;
  const about = { domain, source, authentic, canonicalName, protocol };
  const policy = await tlsPolicy.ofDomain(about, wish, route);
  if (policy.kind !== 'policy') return policy;
  return {
    kind: 'hosts',
    hosts: found.exchanges.map((host) => ({ host, port })),
    tls: policy,
    source,
    authentic,
  };
}

/** Behind a proxy the names that a route gives are the proxy's to look up. */
export async function addressesOf(
  { next, speech }: RemoteRoute,
  host: string,
  routing: Routing,
): Promise<HostAddresses> {
  if (next.kind === 'domain') return routing.addressesOf(host, 'by-dns');
  return speech.proxy === undefined
    ? routing.addressesOf(host, 'by-operator')
    : { kind: 'addresses', addresses: [host], canonicalName: host, authentic: false };
}
