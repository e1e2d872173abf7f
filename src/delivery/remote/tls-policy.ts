/**
 * The port to what is known of a domain's TLS: DANE, MTA-STS, an operator's word. Asked once per attempt for the domain, then
 * for each of its hosts as it is come to; of a host that a route names, for its own name. Never throws for a fault of the
 * world: an answer that cannot be had now is 'delayed'.
 */
import type { Problem } from './problem.ts';
import type { HopProtocol, RouteTls } from './router.ts';
import type { TlsFailure, TlsLevel, TlsRequirement } from './tls-requirement.ts';

export type DomainExchanges = {
  /** A-labels, lower case, or an address literal in brackets. Of a route: the host that it names. */
  readonly domain: string;
  /** 'implicit': it has no MX and is its own exchange (RFC 5321 §5.1). 'literal': an address. */
  readonly source: 'mx' | 'implicit' | 'literal' | 'route';
  /**
   * The answer that named the exchanges was validated by DNSSEC. Of a route, whose word needs no proof: it names a host that
   * is looked up here, not an address, nor a name that only its proxy knows.
   */
  readonly authentic: boolean;
  /** The domain after CNAMEs. */
  readonly canonicalName: string;
  readonly protocol: HopProtocol;
};

/** RFC 8689: what the message itself asks for. 'require': REQUIRETLS; 'optional': the field `TLS-Required: No`. */
export type TlsWish = 'require' | 'optional' | undefined;

export type ExchangeHost = {
  /** As MX or the route names it. */
  readonly host: string;
  readonly port: number;
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
      readonly by: TlsDecider;
      /** Told once of each connection that was opened for it, or that failed of its TLS (RFC 8460). */
      readonly told?: (connection: TlsConnection) => void;
    }
  | ({ readonly kind: 'delayed' | 'failed' } & Problem);

/** Who asks for it: the route, a rule of the operator, the message (RFC 8689), the host or domain itself, or nobody. */
export type TlsDecider = 'route' | 'rule' | 'message' | 'dane' | 'sts' | 'nobody';

export type TlsConnection = {
  readonly outcome: TlsLevel | { readonly kind: 'failed'; readonly failure: TlsFailure };
  readonly address: string;
  /** Of ours; undefined where no connection stood. */
  readonly localAddress: string | undefined;
};

export type TlsPolicy = {
  ofDomain(found: DomainExchanges, wish: TlsWish, route: RouteTls): Promise<DomainTls>;
};

/** The same for every host: where nothing is known of any domain. */
export function uniformTlsPolicy(tls: TlsRequirement): TlsPolicy {
  return {
    ofDomain: async () => ({ kind: 'policy', of: async () => ({ kind: 'require', tls, by: 'rule' }) }),
  };
}
