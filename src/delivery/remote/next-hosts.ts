/** Where a route leads now: its hosts and what of TLS each must have, then the addresses of each. What delivery does, and what is explained. */
import type { Problem } from './problem.ts';
import type { HopSpeech, RemoteRoute, RouteHost } from './router.ts';
import type { Exchanges, HostAddresses, Routing } from './routing.ts';
import type { DomainTls, TlsPolicy, TlsWish } from './tls-policy.ts';

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
  { next, speech: { tls } }: RemoteRoute,
  wish: TlsWish,
  { routing, tlsPolicy }: { readonly routing: Routing; readonly tlsPolicy: TlsPolicy },
): Promise<NextHosts> {
  if (next.kind === 'hosts')
    return {
      kind: 'hosts',
      hosts: next.hosts,
      tls: fixedTls(tls, wish),
      source: 'route',
      authentic: false,
    };
  if (next.kind !== 'domain') return next;
  const { domain, port } = next;
  const found = await routing.exchangesOf(domain);
  if (found.kind !== 'exchanges') return found;
  const { source, authentic, canonicalName } = found;
  const policy =
    tls === 'policy'
      ? await tlsPolicy.ofDomain({ domain, source, authentic, canonicalName, port }, wish)
      : fixedTls(tls, wish);
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

/**
 * What the route says itself. One that names its hosts and leaves it to the policy has no domain to ask that about. A message
 * that requires TLS has a host verified by its name (RFC 8689 §4.2.1).
 */
function fixedTls(tls: HopSpeech['tls'], wish: TlsWish): DomainTls & { kind: 'policy' } {
  return {
    kind: 'policy',
    of: async ({ host }) => ({
      kind: 'require',
      tls:
        tls === 'verified' || wish === 'require'
          ? { kind: 'verified', names: [host] }
          : { kind: tls === 'policy' ? 'opportunistic' : tls },
    }),
  };
}
