/**
 * Which way mail for an address would go, and why: asked of the same directory, rules, DNS and policies as delivery asks, without
 * going anywhere. What a step would find that ends it is told in its place.
 */
import type { Directory, Resolution } from '../../auth/directory.ts';
import type { Clock } from '../../base/clock.ts';
import type { AccountId } from '../../store/ids.ts';
import { addressesOf, hostsOf } from './next-hosts.ts';
import type { Source } from './pool.ts';
import { sourcesFor } from './pool.ts';
import type { Problem } from './problem.ts';
import type { RemoteRoute, RouteHost, Router } from './router.ts';
import type { Routing } from './routing.ts';
import { loop } from './routing.ts';
import type { DomainTls, TlsDecider, TlsPolicy } from './tls-policy.ts';
import type { TlsRequirement } from './tls-requirement.ts';

export type ExplainPorts = {
  readonly directory: Pick<Directory, 'resolve' | 'accountByAddress'>;
  readonly router: Router;
  readonly routing: Routing;
  readonly tlsPolicy: TlsPolicy;
  readonly clock: Clock;
};

export type RouteQuestion = {
  readonly address: string;
  /** `null` is the null reverse-path. */
  readonly sender: string | null;
  /** The address of the account that hands the mail in. */
  readonly account: string | undefined;
};

export type RouteExplanation = {
  readonly address: string;
  readonly resolution: Resolution['kind'];
  /** Accounts here that get it. */
  readonly mailboxes: readonly string[];
  /** Addresses at other hosts: this one, or those that it stands for. */
  readonly remote: readonly {
    readonly address: string;
    readonly domain: string;
    /** The first is taken; each other where no host of the one before answers. */
    readonly ways: readonly WayExplanation[];
  }[];
};

/** What ends it before any host is gone to. */
type Ending = Problem & { readonly outcome: 'failed' | 'delayed' | 'held' };

export type WayExplanation = {
  readonly key: string;
  /** The route of the configuration that matched, if one did. */
  readonly route: string | undefined;
  readonly pool: string | undefined;
  readonly protocol: 'smtp' | 'lmtp';
  readonly proxy: string | undefined;
  readonly hostsBy: 'mx' | 'implicit' | 'literal' | 'route' | undefined;
  /** The answer that named the hosts was validated by DNSSEC. */
  readonly isSecure: boolean;
  /** In the order in which they are tried; hosts of one preference in any order (RFC 5321 §5.1). */
  readonly hosts: readonly HostExplanation[];
  readonly ending: Ending | undefined;
};

export type HostExplanation = {
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly {
    readonly address: string;
    /** Those of the pool that can reach it; messages are spread over them. Without an address: as the system chooses. */
    readonly sources: readonly Source[];
  }[];
  readonly isSecure: boolean;
  readonly tls: { readonly level: TlsRequirement['kind']; readonly why: string } | undefined;
  readonly ending: Ending | undefined;
};

export async function explainRoute(
  question: RouteQuestion,
  ports: ExplainPorts,
): Promise<RouteExplanation | 'no-such-account'> {
  const { address, account } = question;
  const owner = account === undefined ? undefined : await ports.directory.accountByAddress(account);
  if (account !== undefined && owner === undefined) return 'no-such-account';
  const resolution = await ports.directory.resolve(address);
  const remote: { address: string; domain: string }[] = [];
  let mailboxes: readonly string[] = [];
  if (resolution.kind === 'remote') remote.push({ address, domain: resolution.domain });
  if (resolution.kind === 'local') {
    const reached = [resolution, ...(resolution.lists ?? [])];
    mailboxes = reached.flatMap(({ accounts }) => accounts.map((one) => one.address));
    for (const forward of reached.flatMap(({ forwards }) => forwards)) {
      // oxlint-disable-next-line no-await-in-loop -- forwards are few
      const next = await ports.directory.resolve(forward);
      if (next.kind === 'remote') remote.push({ address: forward, domain: next.domain });
    }
  }
  return {
    address,
    resolution: resolution.kind,
    mailboxes,
    remote: await Promise.all(
      remote.map(async (one) => ({ ...one, ways: await waysOf(one, question.sender, owner?.id, ports) })),
    ),
  };
}

async function waysOf(
  { address, domain }: { readonly address: string; readonly domain: string },
  sender: string | null,
  account: AccountId | undefined,
  ports: ExplainPorts,
): Promise<readonly WayExplanation[]> {
  const nowMs = ports.clock.nowMs();
  const source = { kind: 'submission', remote: undefined, helo: undefined, account } as const;
  const message = { reversePath: sender, source, arrivedAtMs: nowMs };
  const ways: WayExplanation[] = [];
  for (
    let route: RemoteRoute | undefined = ports.router.plan(message, { forwardPath: address }, domain, nowMs);
    route !== undefined;
    route = route.fallback
  )
    // oxlint-disable-next-line no-await-in-loop -- ways are few
    ways.push(await wayOf(route, ports));
  return ways;
}

async function wayOf(route: RemoteRoute, ports: ExplainPorts): Promise<WayExplanation> {
  const { key, rule, pool, speech } = route;
  const about = {
    key,
    route: rule,
    pool: pool.name,
    protocol: speech.protocol,
    proxy: speech.proxy === undefined ? undefined : `${speech.proxy.address}:${speech.proxy.port}`,
  };
  const found = await hostsOf(route, undefined, ports);
  if (found.kind !== 'hosts') {
    const { kind: outcome, status, reason, text } = found;
    const ending = { outcome, status, reason, text };
    return { ...about, hostsBy: undefined, isSecure: false, hosts: [], ending };
  }
  const hosts: HostExplanation[] = [];
  for (const host of found.hosts) {
    // oxlint-disable-next-line no-await-in-loop -- a host of ours ends the list
    const one = await hostOf(route, host, found.tls, ports);
    hosts.push(one);
    if (one.ending?.reason === 'route.loop') break;
  }
  return { ...about, hostsBy: found.source, isSecure: found.authentic, hosts, ending: undefined };
}

async function hostOf(
  route: RemoteRoute,
  { host, port }: RouteHost,
  policy: DomainTls & { kind: 'policy' },
  { routing }: ExplainPorts,
): Promise<HostExplanation> {
  const found = await addressesOf(route, host, routing);
  const nothing = { host, port, addresses: [], isSecure: false, tls: undefined };
  if (found.kind === 'own') {
    const domain = route.next.kind === 'domain' ? route.next.domain : host;
    return { ...nothing, ending: { outcome: 'failed', ...loop(domain) } };
  }
  if (found.kind !== 'addresses') {
    const { kind: outcome, status, reason, text } = found;
    return { ...nothing, ending: { outcome, status, reason, text } };
  }
  const { canonicalName, authentic } = found;
  const required = await policy.of({ host, port, canonicalName, authentic });
  const addresses = found.addresses.map((address) => ({
    address,
    sources: sourcesFor(route.pool, (route.speech.proxy ?? { address }).address, ''),
  }));
  if (required.kind !== 'require') {
    const { kind: outcome, status, reason, text } = required;
    return { ...nothing, addresses, isSecure: authentic, ending: { outcome, status, reason, text } };
  }
  const { tls, by } = required;
  return {
    host,
    port,
    addresses,
    isSecure: authentic,
    tls: { level: tls.kind, why: whyOf(tls, by, route.rule) },
    ending: undefined,
  };
}

/** @param route that mail is sent by, where the configuration names one */
function whyOf(tls: TlsRequirement, by: TlsDecider, route: string | undefined): string {
  const names = 'names' in tls ? `; for ${tls.names.join(', ')}` : '';
  switch (by) {
    case 'route':
      return `as the route ${route ?? ''} has it${names}`;
    case 'rule':
      return `as the configuration has it${names}`;
    case 'message':
      return `as the message asks for${names}`;
    case 'dane':
      return tls.kind === 'dane'
        ? `${tls.records.length} TLSA records${names}`
        : 'the host has TLSA records, and none can be used';
    case 'sts':
      return tls.kind === 'opportunistic' ? 'MTA-STS, in testing' : `MTA-STS${names}`;
    case 'nobody':
      return 'nothing more is known of it';
  }
}
