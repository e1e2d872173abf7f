/**
 * The port to what is known of a domain's TLS: DANE, MTA-STS, an operator's word. Asked once per attempt for the domain, then
 * for each of its hosts as it is come to. Never throws for a fault of the world: an answer that cannot be had now is 'delayed'.
 */
import type { Problem } from './problem.ts';
import type { TlsFailure, TlsLevel, TlsRequirement } from './tls-requirement.ts';

export type DomainExchanges = {
  /** A-labels, or an address literal in brackets. */
  readonly domain: string;
  /** 'implicit': it has no MX and is its own exchange (RFC 5321 §5.1). 'literal': an address. */
  readonly source: 'mx' | 'implicit' | 'literal';
  /** The answer that named the exchanges was validated by DNSSEC. */
  readonly authentic: boolean;
  /** The domain after CNAMEs. */
  readonly canonicalName: string;
  readonly port: number;
};

/** RFC 8689: what the message itself asks for. 'require': REQUIRETLS; 'optional': the field `TLS-Required: No`. */
export type TlsWish = 'require' | 'optional' | undefined;

export type ExchangeHost = {
  /** As MX names it. */
  readonly host: string;
  /** The name after CNAMEs. */
  readonly canonicalName: string;
  /** All answers that brought its addresses were validated by DNSSEC. */
  readonly authentic: boolean;
};

export type DomainTls =
  | {
      readonly kind: 'policy';
      /** 'delayed' and 'failed': the host is passed over, and that is what becomes of the mail if no other takes it. */
      of(host: ExchangeHost): Promise<HostTls>;
    }
  /** None of its hosts is gone to. */
  | ({ readonly kind: 'delayed' | 'failed' } & Problem);

export type HostTls =
  | {
      readonly kind: 'require';
      readonly tls: TlsRequirement;
      /** Told once of each connection that was opened for it, or that failed of its TLS (RFC 8460). */
      readonly told?: (connection: TlsConnection) => void;
    }
  | ({ readonly kind: 'delayed' | 'failed' } & Problem);

export type TlsConnection = {
  readonly outcome: TlsLevel | { readonly kind: 'failed'; readonly failure: TlsFailure };
  readonly address: string;
  /** Of ours; undefined where no connection stood. */
  readonly localAddress: string | undefined;
};

export type TlsPolicy = {
  ofDomain(found: DomainExchanges, wish: TlsWish): Promise<DomainTls>;
};

/** The same for every host: where nothing is known of any domain. */
export function uniformTlsPolicy(tls: TlsRequirement): TlsPolicy {
  return { ofDomain: async () => ({ kind: 'policy', of: async () => ({ kind: 'require', tls }) }) };
}
