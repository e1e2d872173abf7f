/** What the operator says of TLS with some domains. Pure. */
import type { TlsSettings } from '../remote/tls-requirement.ts';

/** 'default': what the domain itself says, by DANE and MTA-STS. */
export type TlsDemand =
  | { readonly kind: 'none' | 'default' | 'encrypt' | 'dane-only' }
  /** Without names: the name of each host. */
  | { readonly kind: 'verify'; readonly names: readonly string[] }
  | { readonly kind: 'fingerprint'; readonly sha256: readonly string[] };

export type TlsRule = {
  /** A domain; `.` and a domain for all below it; `*` for all. A-labels, lower case. */
  readonly domain: string;
  readonly demand: TlsDemand;
  readonly settings: TlsSettings;
};

/** The rule of the domain itself, else that of the longest domain above it, else that of all. */
export function ruleFor(rules: readonly TlsRule[], domain: string): TlsRule | undefined {
  const byDomain = new Map(rules.map((rule) => [rule.domain, rule]));
  const own = byDomain.get(domain);
  if (own !== undefined) return own;
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
    const above = byDomain.get(domain.slice(dot));
    if (above !== undefined) return above;
  }
  return byDomain.get('*');
}
