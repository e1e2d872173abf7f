/**
 * What one connection to a next hop must have of TLS, and what it came to. It is decided before the visit, by a route or by the
 * {@link TlsPolicy}, and holds for one host; only 'opportunistic' may end in plain text.
 */
import { parseIp } from '../../base/ip-network.ts';
import type {
  CertificateProblem,
  CertificateRule,
  ClientTlsRequest,
  PkixRule,
  TlsInfo,
  TlsProblem,
} from '../../base/connection.ts';
import type { TlsaRecord } from '../../dns/resolver.ts';

/** Whatever the requirement: the oldest version that is spoken, and what we show if we are asked for a certificate. */
export type TlsSettings = Pick<ClientTlsRequest, 'versionMin' | 'identity'>;

export type TlsRequirement =
  /** Never, also where it is offered. */
  | { readonly kind: 'none' }
  | (TlsSettings &
      (
        | /** Where it is offered, with any certificate; in plain where it fails (RFC 7435). What is `wanted` is told of. */
          { readonly kind: 'opportunistic'; readonly wanted?: PkixRule }
        /** Never in plain, with any certificate; what is `wanted` of it is told of. */
        | { readonly kind: 'encrypt'; readonly wanted?: PkixRule }
        /** A certificate that the trust store vouches for, for one of these names. The first is asked for (RFC 6066 §3). */
        | { readonly kind: 'verified'; readonly names: readonly string[] }
        /** A certificate that these records vouch for, all of them usable (RFC 7672 §3.1). The first name is asked for. */
        | {
            readonly kind: 'dane';
            readonly names: readonly string[];
            readonly records: readonly TlsaRecord[];
          }
        /** A certificate, or a key, with one of these SHA-256 sums. */
        | { readonly kind: 'fingerprint'; readonly sha256: readonly string[] }
      ));

/** Why TLS as it was required did not come about. */
export type TlsFailure = {
  readonly kind:
    | 'not-offered'
    /** STARTTLS was offered, and answered with a no. */
    | 'refused'
    | Exclude<TlsProblem['kind'], 'certificate'>
    | CertificateProblem;
  readonly text: string;
};

/** What a connection came to. */
export type TlsLevel =
  | { readonly kind: 'plain' }
  | ({
      readonly kind: 'tls';
      /** What the certificate lacks of what was wanted of it. */
      readonly shortfall?: TlsFailure;
    } & Pick<TlsInfo, 'protocol' | 'cipher' | 'verifiedBy'>);

/** RFC 6066 §3: the name to ask for; an address is none. */
export function servernameOf(requirement: TlsRequirement, host: string, address: string): string {
  const name = 'names' in requirement ? (requirement.names[0] ?? host) : host;
  return name === address && parseIp(address) !== undefined ? '' : name;
}

export function certificateRuleOf(requirement: TlsRequirement): CertificateRule {
  switch (requirement.kind) {
    case 'none':
      return { kind: 'any' };
    case 'encrypt':
    case 'opportunistic':
      return { kind: 'any', wanted: requirement.wanted };
    case 'verified':
      return { kind: 'pkix', names: requirement.names };
    case 'dane':
      return { kind: 'dane', names: requirement.names, records: requirement.records };
    case 'fingerprint':
      return { kind: 'fingerprint', sha256: requirement.sha256 };
  }
}

export function settingsOf(requirement: TlsRequirement): TlsSettings {
  if (requirement.kind === 'none') return {};
  const { versionMin, identity } = requirement;
  return {
    ...(versionMin === undefined ? {} : { versionMin }),
    ...(identity === undefined ? {} : { identity }),
  };
}

export function failureOf(problem: TlsProblem): TlsFailure {
  return { kind: problem.kind === 'certificate' ? problem.problem : problem.kind, text: problem.text };
}

export function levelOf(tls: TlsInfo | undefined): TlsLevel {
  if (tls === undefined) return { kind: 'plain' };
  const { protocol, cipher, verifiedBy, shortfall } = tls;
  return {
    kind: 'tls',
    protocol,
    cipher,
    ...(verifiedBy === undefined ? {} : { verifiedBy }),
    ...(shortfall === undefined ? {} : { shortfall: { kind: shortfall.problem, text: shortfall.text } }),
  };
}

/** `TLSv1.3 TLS_AES_256_GCM_SHA384, verified by dane-ee`, for events and the operator. */
export function formatTlsLevel(level: TlsLevel): string {
  if (level.kind === 'plain') return 'plain';
  const { protocol, cipher, verifiedBy } = level;
  return `${protocol} ${cipher}${verifiedBy === undefined ? '' : `, verified by ${verifiedBy}`}`;
}
