/**
 * Decides what of TLS a connection must have: by what the operator says of the domain, by what the message asks for, by what
 * the domain promises itself. DANE goes before MTA-STS, and what DANE forbids MTA-STS does not allow (RFC 8461 §2). A host
 * that a route names stands for the domain (RFC 8461 §3.4).
 *
 * Sources: RFC 7672 §2.2, §3.2.2, §6; RFC 8461 §3.4, §5; RFC 8689 §4.2; RFC 8460 §4.3.
 */
import { Fault } from '../../base/fault.ts';
import type { Resolver } from '../../dns/resolver.ts';
import { FAULT_REASON } from '../../queue/retry.ts';
import { matchesStsPolicy, type StsPolicy } from '../../tls-policy/wire/sts-policy.ts';
import { formatTlsa, usableTlsa } from '../../tls-policy/wire/tlsa.ts';
import type { ReportedPolicy, ResultType } from '../../tls-policy/wire/tls-report.ts';
import type { DeliveryEventSink } from '../event.ts';
import type { Problem } from '../remote/problem.ts';
import type {
  DomainExchanges,
  DomainTls,
  ExchangeHost,
  HostTls,
  TlsConnection,
  TlsDecider,
  TlsPolicy,
  TlsWish,
} from '../remote/tls-policy.ts';
import type { RouteTls } from '../remote/router.ts';
import type { TlsFailure, TlsRequirement, TlsSettings } from '../remote/tls-requirement.ts';
import { findTlsa, type TlsaFinding } from './dane.ts';
import { reportedSts, type StsPolicies } from './sts-policies.ts';
import { ruleFor, type TlsDemand, type TlsRule } from './tls-rule.ts';
import type { TlsTallies } from './tls-tallies.ts';

export type DomainTlsPolicyPorts = {
  readonly resolver: Resolver;
  /** Undefined: MTA-STS is off. */
  readonly sts: StsPolicies | undefined;
  readonly tallies: TlsTallies;
  readonly events: DeliveryEventSink;
};

export type DomainTlsPolicyOptions = {
  readonly rules: readonly TlsRule[];
  /** Of domains without a rule; what a route names is not one of them. */
  readonly otherwise: 'none' | 'default';
  readonly usesDane: boolean;
};

type Found = DomainExchanges & {
  readonly settings: TlsSettings;
  /** Who says what is not left to the domain. */
  readonly by: 'route' | 'rule';
};

export class DomainTlsPolicy implements TlsPolicy {
  readonly #ports: DomainTlsPolicyPorts;
  readonly #options: DomainTlsPolicyOptions;

  constructor(ports: DomainTlsPolicyPorts, options: DomainTlsPolicyOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  async ofDomain(exchanges: DomainExchanges, wish: TlsWish, route: RouteTls): Promise<DomainTls> {
    const rule = this.#ruleFor(exchanges);
    const otherwise = exchanges.source === 'route' ? 'default' : this.#options.otherwise;
    const { demand, by } = demandUnder(route, rule?.demand ?? { kind: otherwise });
    const found = { ...exchanges, settings: rule?.settings ?? {}, by };
    const domain =
      wish === 'require' && !isVerified(demand) ? this.#required(found) : this.#demanded(found, demand, wish);
    if (domain.kind !== 'policy') return domain;
    return perHost(async (host) => {
      try {
        return atLeast(route, await domain.of(host), host, found.settings);
      } catch (cause) {
        if (!(cause instanceof Fault)) throw cause;
        this.#ports.events({ name: 'delivery.fault', queueId: undefined, doing: cause.message, cause });
        return { kind: 'delayed', ...FAULT };
      }
    });
  }

  /** What is said of all domains is not said of a host that a route names: the route says that itself. */
  #ruleFor({ domain, source }: DomainExchanges): TlsRule | undefined {
    const { rules } = this.#options;
    return ruleFor(source === 'route' ? rules.filter((rule) => rule.domain !== '*') : rules, domain);
  }

  #demanded(found: Found, demand: TlsDemand, wish: TlsWish): DomainTls {
    const { settings, by } = found;
    switch (demand.kind) {
      case 'none':
        return uniform({ kind: 'none' }, by);
      case 'encrypt':
        return uniform({ kind: 'encrypt', ...settings }, by);
      case 'fingerprint':
        return uniform({ kind: 'fingerprint', sha256: demand.sha256, ...settings }, by);
      case 'verify':
        return demand.names.length > 0
          ? uniform({ kind: 'verified', names: demand.names, ...settings }, by)
          : perHost(async ({ host }) => verified(host, found, by));
      case 'dane-only':
        return this.#daneOnly(found);
      case 'default':
        // RFC 8689 §4.2.2: whatever the domain asks for, TLS is tried and not insisted on.
        if (wish === 'optional') return uniform({ kind: 'opportunistic', ...settings }, 'message');
        return found.source === 'literal'
          ? uniform({ kind: 'opportunistic', ...settings }, 'nobody')
          : this.#promised(found);
    }
  }

  /** What the domain promises of itself. */
  #promised(found: Found): DomainTls {
    return perHost(async (host) => {
      const dane = await this.#tlsa(found, host);
      if (dane.kind !== 'none') return this.#byDane(found, host, dane);
      const sts = mayHaveSts(found) ? await this.#ports.sts?.of(found.domain) : undefined;
      return sts === undefined ? this.#byNothing(found, host) : this.#bySts(found, host, sts);
    });
  }

  /** RFC 7672 §2.2.1: records count where the answer that named the host is secure. */
  async #tlsa(found: Found, host: ExchangeHost): Promise<TlsaFinding> {
    const applies = this.#options.usesDane && found.authentic && found.source !== 'literal';
    return applies ? findTlsa(this.#ports.resolver, host) : { kind: 'none' };
  }

  #byDane(found: Found, host: ExchangeHost, dane: Exclude<TlsaFinding, { kind: 'none' }>): HostTls {
    if (dane.kind === 'unavailable') {
      const text = `The TLSA records of ${host.host} cannot be had (${dane.reason})`;
      this.#count(found.domain, { type: 'tlsa', strings: [], mxPatterns: [] }, host, undefined, {
        type: 'dnssec-invalid',
        reason: dane.reason,
      });
      return { kind: 'delayed', status: '4.7.5', reason: 'tls.tlsa-unavailable', text };
    }
    const policy: ReportedPolicy = { type: 'tlsa', strings: dane.records.map(formatTlsa), mxPatterns: [] };
    const records = usableTlsa(dane.records);
    if (records.length === 0) {
      // RFC 7672 §2.2: it promised TLS in a way that nobody can check.
      const told = (connection: TlsConnection): void => {
        const failure = failureOf(connection) ?? { type: 'tlsa-invalid', reason: 'No usable record' };
        this.#count(found.domain, policy, host, connection, failure);
      };
      return { kind: 'require', tls: { kind: 'encrypt', ...found.settings }, by: 'dane', told };
    }
    const names = referenceNames(found, dane.baseDomain);
    return {
      kind: 'require',
      tls: { kind: 'dane', names, records, ...found.settings },
      by: 'dane',
      told: this.#counting(found.domain, policy, host),
    };
  }

  #bySts(found: Found, host: ExchangeHost, sts: StsPolicy): HostTls {
    const policy = reportedSts(sts);
    const matches = matchesStsPolicy(sts, host.host);
    if (!matches)
      this.#count(found.domain, policy, host, undefined, {
        type: 'validation-failure',
        reason: 'The MX host is not of the policy',
      });
    if (sts.mode === 'enforce')
      return matches
        ? {
            kind: 'require',
            tls: { kind: 'verified', names: [host.host], ...found.settings },
            by: 'sts',
            told: this.#counting(found.domain, policy, host),
          }
        : {
            kind: 'delayed',
            status: '4.7.5',
            reason: 'tls.sts-mx-mismatch',
            text: `The MTA-STS policy of ${found.domain} does not name the host ${host.host}`,
          };
    // RFC 8461 §5: what would have failed is told, and the mail goes on.
    return {
      kind: 'require',
      tls: { kind: 'opportunistic', wanted: { kind: 'pkix', names: [host.host] }, ...found.settings },
      by: 'sts',
      ...(matches ? { told: this.#counting(found.domain, policy, host) } : {}),
    };
  }

  #byNothing(found: Found, host: ExchangeHost): HostTls {
    return {
      kind: 'require',
      tls: { kind: 'opportunistic', ...found.settings },
      by: 'nobody',
      told: this.#counting(found.domain, NO_POLICY, host),
    };
  }

  /** RFC 7672 §6. */
  #daneOnly(found: Found): DomainTls {
    const lacks = (text: string): { readonly kind: 'delayed' } & Problem => ({
      kind: 'delayed',
      status: '4.7.5',
      reason: 'tls.dane-required',
      text,
    });
    if (!found.authentic) return lacks(`DANE is required, and the DNS of ${found.domain} is not secure`);
    return perHost(async (host) => {
      const dane = await findTlsa(this.#ports.resolver, host);
      if (dane.kind === 'unavailable') return this.#byDane(found, host, dane);
      if (dane.kind === 'found' && usableTlsa(dane.records).length > 0)
        return this.#byDane(found, host, dane);
      this.#count(found.domain, NO_POLICY, host, undefined, { type: 'dane-required', reason: '' });
      return lacks(`DANE is required, and ${host.host} has no usable TLSA records`);
    });
  }

  /** RFC 8689 §4.2.1: the name of the host is secured by DNSSEC or MTA-STS, its certificate by DANE or a CA. */
  #required(found: Found): DomainTls {
    const isNamedSecurely = found.authentic || found.source !== 'mx';
    return perHost(async (host) => {
      const dane = await this.#tlsa(found, host);
      if (dane.kind === 'unavailable') return this.#byDane(found, host, dane);
      if (dane.kind === 'found' && usableTlsa(dane.records).length > 0)
        return this.#byDane(found, host, dane);
      if (isNamedSecurely) return verified(host.host, found, 'message');
      const sts = await this.#ports.sts?.of(found.domain);
      if (sts !== undefined && matchesStsPolicy(sts, host.host)) return verified(host.host, found, 'message');
      return {
        kind: 'failed',
        status: '5.7.10',
        reason: 'tls.required-unsecured-mx',
        text: `TLS is required, and nothing secures that ${host.host} takes the mail of ${found.domain}`,
      };
    });
  }

  #counting(domain: string, policy: ReportedPolicy, host: ExchangeHost): (connection: TlsConnection) => void {
    return (connection) => this.#count(domain, policy, host, connection, failureOf(connection));
  }

  #count(
    domain: string,
    policy: ReportedPolicy,
    { host }: ExchangeHost,
    connection: TlsConnection | undefined,
    failure: { readonly type: ResultType; readonly reason: string } | undefined,
  ): void {
    const at = {
      sendingIp: connection?.localAddress ?? '',
      mxHost: host,
      mxIp: connection?.address ?? '',
    };
    this.#ports.tallies.add(domain, policy, failure === undefined ? undefined : { ...at, ...failure });
  }
}

const NO_POLICY: ReportedPolicy = { type: 'no-policy-found', strings: [], mxPatterns: [] };

const FAULT: Problem = {
  status: '4.3.0',
  reason: FAULT_REASON,
  text: 'What is known of TLS cannot be read now',
};

/** The operator's word, of a route and of a rule: where both say something, it is the stricter. */
function demandUnder(
  route: RouteTls,
  rule: TlsDemand,
): { readonly demand: TlsDemand; readonly by: 'route' | 'rule' } {
  if (route === 'none') return { demand: { kind: 'none' }, by: 'route' };
  return route === 'verified' && !isVerified(rule)
    ? { demand: { kind: 'verify', names: [] }, by: 'route' }
    : { demand: rule, by: 'rule' };
}

/** What was found of a host, or what the route asks for at least. */
function atLeast(route: RouteTls, found: HostTls, { host }: ExchangeHost, settings: TlsSettings): HostTls {
  if (found.kind !== 'require') return found;
  const least = leastOf(route, host, found.tls);
  if (least === undefined || STRENGTH[found.tls.kind] >= STRENGTH[least.kind]) return found;
  const tls = { ...least, ...settings };
  // What nobody but the operator asks for is not reported (RFC 8460 §4.3).
  return found.by === 'nobody' ? { kind: 'require', tls, by: 'route' } : { ...found, tls, by: 'route' };
}

function leastOf(route: RouteTls, host: string, found: TlsRequirement): TlsRequirement | undefined {
  switch (route) {
    case 'policy':
    case 'none':
    case 'verified':
      return undefined;
    case 'opportunistic':
      return { kind: route };
    case 'encrypt':
      return {
        kind: route,
        ...(found.kind === 'opportunistic' && found.wanted ? { wanted: found.wanted } : {}),
      };
    case 'authenticated':
      return { kind: 'verified', names: [host] };
  }
}

const STRENGTH = {
  none: 0,
  opportunistic: 1,
  encrypt: 2,
  verified: 3,
  dane: 3,
  fingerprint: 3,
} as const satisfies Record<TlsRequirement['kind'], number>;

/** RFC 8461 §3.4: an SMTP relay that is named by a name; LMTP relays nothing. */
function mayHaveSts({ source, authentic, protocol }: Found): boolean {
  return source !== 'route' || (authentic && protocol === 'smtp');
}

/** The operator vouches for whom mail may go to. */
function isVerified(demand: TlsDemand): boolean {
  return (
    demand.kind === 'fingerprint' ||
    demand.kind === 'dane-only' ||
    (demand.kind === 'verify' && demand.names.length > 0)
  );
}

function perHost(of: (host: ExchangeHost) => Promise<HostTls>): DomainTls {
  return { kind: 'policy', of };
}

function uniform(tls: TlsRequirement, by: TlsDecider): DomainTls {
  return perHost(async () => ({ kind: 'require', tls, by }));
}

function verified(host: string, { settings }: Found, by: TlsDecider): HostTls {
  return { kind: 'require', tls: { kind: 'verified', names: [host], ...settings }, by };
}

/**
 * RFC 7672 §3.2.2: the TLSA base domain, the domain that the mail is for, and what that is an alias of. Where there is no MX
 * the base domain is one of the latter two.
 */
function referenceNames({ domain, canonicalName }: Found, baseDomain: string): readonly string[] {
  return [...new Set([baseDomain, domain, canonicalName])];
}

/** What a report says of a connection; undefined: it was as it should be. */
function failureOf({
  outcome,
}: TlsConnection): { readonly type: ResultType; readonly reason: string } | undefined {
  switch (outcome.kind) {
    case 'plain':
      return { type: 'starttls-not-supported', reason: '' };
    case 'tls':
      return outcome.shortfall === undefined
        ? undefined
        : { type: RESULTS[outcome.shortfall.kind], reason: outcome.shortfall.text };
    case 'failed':
      return { type: RESULTS[outcome.failure.kind], reason: outcome.failure.text };
  }
}

/** RFC 8460 §4.3. */
const RESULTS = {
  'not-offered': 'starttls-not-supported',
  refused: 'starttls-not-supported',
  handshake: 'validation-failure',
  timeout: 'validation-failure',
  reset: 'validation-failure',
  'host-mismatch': 'certificate-host-mismatch',
  expired: 'certificate-expired',
  'not-trusted': 'certificate-not-trusted',
  'other-than-tlsa': 'tlsa-invalid',
  'other-fingerprint': 'validation-failure',
} as const satisfies Record<TlsFailure['kind'], ResultType>;
