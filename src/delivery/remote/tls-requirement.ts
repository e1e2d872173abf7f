/**
 * What one connection to a next hop must have of TLS. It is decided before the visit, by a route or by the
 * {@link TlsPolicy}, and holds for one host; only 'opportunistic' may end in plain text.
 */
import type { TlsaRecord } from '../../dns/resolver.ts';

export type TlsRequirement =
  /** Never, also where it is offered. */
  | { readonly kind: 'none' }
  /** Where it is offered, with any certificate; in plain where it fails (RFC 7435). */
  | { readonly kind: 'opportunistic' }
  /** Never in plain, with any certificate. */
  | { readonly kind: 'encrypt' }
  /** A certificate that the trust store vouches for, for one of these names. The first is asked for (RFC 6066 §3). */
  | { readonly kind: 'verified'; readonly names: readonly string[] }
  /** A certificate that these records vouch for (RFC 7672 §3.1). */
  | { readonly kind: 'dane'; readonly names: readonly string[]; readonly records: readonly TlsaRecord[] };
