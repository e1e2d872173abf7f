/**
 * Where a host's TLSA records are, and which they are. Sources: RFC 7672 §2.2.2 (aliases), §2.2.3 (base domains).
 */
import type { DnsAnswer, Resolver, TlsaRecord } from '../../dns/resolver.ts';
import type { ExchangeHost } from '../remote/tls-policy.ts';

export type TlsaFinding =
  /** DANE does not apply: nothing secure promises anything. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'found';
      /** The TLSA base domain: the name to ask for and to find in the certificate. */
      readonly baseDomain: string;
      /** Not empty; not all need be usable. */
      readonly records: readonly TlsaRecord[];
    }
  /** RFC 7672 §2.1.2: the host must not be gone to. */
  | {
      readonly kind: 'unavailable';
      readonly reason: Extract<DnsAnswer<never>, { kind: 'unavailable' }>['reason'];
    };

/** @param host named by a secure answer; its addresses are found */
export async function findTlsa(resolver: Resolver, host: ExchangeHost): Promise<TlsaFinding> {
  const candidates = await candidatesOf(resolver, host);
  if (candidates.kind !== 'names') return candidates;
  for (const baseDomain of candidates.names) {
    // oxlint-disable-next-line no-await-in-loop -- the second name is for when the first has nothing
    const answer = await resolver.tlsa(`_${host.port}._tcp.${baseDomain}`);
    if (answer.kind === 'unavailable') return { kind: 'unavailable', reason: answer.reason };
    if (answer.kind === 'found' && answer.authentic)
      return { kind: 'found', baseDomain, records: answer.records };
  }
  return { kind: 'none' };
}

type Candidates =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | Exclude<TlsaFinding, { kind: 'found' }>;

async function candidatesOf(
  resolver: Resolver,
  { host, canonicalName, authentic }: ExchangeHost,
): Promise<Candidates> {
  const isAlias = canonicalName !== host;
  if (authentic) return { kind: 'names', names: isAlias ? [canonicalName, host] : [host] };
  // Not even asked for: name servers of unsigned zones that choke on TLSA are not met (RFC 7672 §2.2.2).
  if (!isAlias) return { kind: 'none' };
  const alias = await resolver.cname(host);
  if (alias.kind === 'unavailable') return { kind: 'unavailable', reason: alias.reason };
  return alias.kind === 'found' && alias.authentic ? { kind: 'names', names: [host] } : { kind: 'none' };
}
