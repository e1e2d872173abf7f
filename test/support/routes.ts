/** Routes and targets for tests of delivery, with everything that a test does not care about filled in. */
import type { Clock } from '../../src/base/clock.ts';
import type { HopTarget } from '../../src/delivery/remote/hop.ts';
import type { RouteRule } from '../../src/delivery/remote/route-rule.ts';
import type { RemoteRoute, Router } from '../../src/delivery/remote/router.ts';
import type { RuleRouterOptions } from '../../src/delivery/remote/rule-router.ts';
import { DIRECT, RuleRouter } from '../../src/delivery/remote/rule-router.ts';
import { SessionPool } from '../../src/delivery/remote/session-pool.ts';

export function ruleRouter(options: Partial<RuleRouterOptions> = {}): RuleRouter {
  return new RuleRouter({
    rules: [],
    pools: [],
    defaultPool: { name: undefined, sources: [{ address: undefined, helloName: 'here.example' }] },
    port: 25,
    accountId: () => undefined,
    ...options,
  });
}

/** To the hosts of each domain. */
export function directRouter(port = 25): Router {
  return ruleRouter({ port });
}

export function directRoute(domain: string, port = 25): RemoteRoute {
  return {
    key: domain,
    rule: undefined,
    next: { kind: 'domain', domain, port },
    speech: DIRECT,
    pool: { name: undefined, sources: [{ address: undefined, helloName: 'here.example' }] },
    fallback: undefined,
  };
}

export function routeRule(
  name: string,
  more: Partial<RouteRule> & {
    readonly to?: readonly string[];
    readonly recipients?: readonly string[];
  } = {},
): RouteRule {
  const { to = [], recipients = ['*'], ...rest } = more;
  const hosts = to.map((host) => ({ host, port: 25 }));
  return {
    name,
    match: { recipients, senders: [], accounts: [], networks: [], pools: [] },
    action: { kind: 'deliver', hosts, speech: { ...DIRECT, tls: 'opportunistic' } },
    pool: undefined,
    fallback: undefined,
    ...rest,
  };
}

export function hopTarget(more: Partial<HopTarget> = {}): HopTarget {
  return {
    host: 'mx.far.example',
    address: '192.0.2.1',
    port: 25,
    protocol: 'smtp',
    implicitTls: false,
    tls: { kind: 'opportunistic' },
    credentials: undefined,
    localAddress: undefined,
    helloName: 'here.example',
    proxy: undefined,
    isLast: true,
    ...more,
  };
}

/** One message to a session. */
export function singleSessions(clock: Clock): SessionPool {
  return new SessionPool(clock, { idleMs: 0, idleMax: 0, messagesMax: 1, ageMs: 0 });
}
