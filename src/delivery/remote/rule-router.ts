/**
 * Routes by the operator's rules: the first that matches decides, and where none does, mail goes to the hosts of its domain.
 * Pure but for the accounts' ids, which the caller keeps.
 */
import type { AccountId } from '../../store/ids.ts';
import type { RemoteHop } from '../named-hop.ts';
import { literalAddressOf } from '../named-hop.ts';
import type { Pool } from './pool.ts';
import type { RouteRule, RuleFacts } from './route-rule.ts';
import { matches } from './route-rule.ts';
import type { HopSpeech, NextHop, RemoteRoute, RoutedMessage, RoutedRecipient, Router } from './router.ts';

/** A pool, and the mail that goes out by it where its route names none. */
export type PoolRule = {
  readonly pool: Pool & { readonly name: string };
  readonly senders: readonly string[];
  readonly accounts: readonly string[];
};

export type RuleRouterOptions = {
  /** Their names are different; what they name as pool and fallback is there, and no fallback leads back. */
  readonly rules: readonly RouteRule[];
  readonly pools: readonly PoolRule[];
  /** Where no pool is chosen. */
  readonly defaultPool: Pool;
  /** Of other hosts: 25, but for tests and trials. */
  readonly port: number;
  readonly accountId: (address: string) => AccountId | undefined;
};

/** How hosts that MX names are spoken with. */
export const DIRECT: HopSpeech = {
  protocol: 'smtp',
  implicitTls: false,
  tls: 'policy',
  credentials: undefined,
  proxy: undefined,
};

export class RuleRouter implements Router {
  readonly #options: RuleRouterOptions;
  readonly #rules: ReadonlyMap<string, RouteRule>;
  readonly #pools: ReadonlyMap<string, Pool>;
  /** What stands for a rule in the keys of its routes, where another rule leads to the same hosts in another way. */
  readonly #marks: ReadonlyMap<RouteRule, string>;

  constructor(options: RuleRouterOptions) {
    this.#options = options;
    this.#rules = new Map(options.rules.map((rule) => [rule.name, rule]));
    this.#pools = new Map(options.pools.map(({ pool }) => [pool.name, pool]));
    this.#marks = marksOf(options.rules);
  }

  plan(message: RoutedMessage, recipient: RoutedRecipient, domain: string, nowMs: number): RemoteRoute {
    const { rules, pools, accountId, defaultPool } = this.#options;
    const facts: Omit<RuleFacts, 'pool'> = {
      recipient: recipient.forwardPath,
      domain,
      sender: recipient.reversePath ?? message.reversePath,
      account: message.source.account,
      remote: message.source.remote,
    };
    const own = pools.find(({ senders, accounts }) =>
      // A pool without conditions is for routes that name it.
      senders.length + accounts.length === 0
        ? false
        : matches(
            { recipients: ['*'], senders, accounts, networks: [], pools: [] },
            { ...facts, pool: undefined },
            accountId,
          ),
    )?.pool;
    if (recipient.route?.kind === 'remote' && recipient.route.port !== undefined)
      return namedRoute(recipient.route, recipient.route.port, own ?? defaultPool);
    // What was released from a hold, or tried before there was one, is not held again.
    const isNew = recipient.state === undefined || recipient.state.lastAnswer === undefined;
    const rule = rules.find(
      ({ match, action }) =>
        (isNew || action.kind !== 'hold') && matches(match, { ...facts, pool: own?.name }, accountId),
    );
    const route = this.#route(rule, domain, own ?? defaultPool);
    return this.#waited(route, rule, nowMs - message.arrivedAtMs);
  }

  /** The first on the way of fallbacks whose time is not over. */
  #waited(route: RemoteRoute, rule: RouteRule | undefined, waitedMs: number): RemoteRoute {
    let at = rule;
    let found = route;
    while (at?.fallback !== undefined && found.fallback !== undefined && waitedMs >= at.fallback.afterMs) {
      found = found.fallback;
      at = this.#rules.get(at.fallback.rule);
    }
    return found;
  }

  #route(rule: RouteRule | undefined, domain: string, pool: Pool): RemoteRoute {
    const chosen = rule?.pool === undefined ? pool : (this.#pools.get(rule.pool) ?? pool);
    const next = this.#next(rule, domain);
    const fallback = rule?.fallback === undefined ? undefined : this.#rules.get(rule.fallback.rule);
    return {
      key: `${keyOf(next, rule)}${(rule && this.#marks.get(rule)) ?? ''}${suffixOf(chosen)}`,
      rule: rule?.name,
      next,
      speech: rule?.action.kind === 'deliver' ? rule.action.speech : DIRECT,
      pool: chosen,
      ...(rule?.retryMs === undefined ? {} : { retryMs: rule.retryMs }),
      fallback: fallback === undefined ? undefined : this.#route(fallback, domain, pool),
    };
  }

  #next(rule: RouteRule | undefined, domain: string): NextHop {
    const direct = { kind: 'domain', domain, port: this.#options.port } as const;
    if (rule === undefined) return direct;
    const { action } = rule;
    switch (action.kind) {
      case 'hold':
        // RFC 3463 §3.8: X.7.1, a matter of policy.
        return { kind: 'held', status: '4.7.1', reason: 'route.held', text: action.text };
      case 'refuse':
        return { kind: 'failed', status: '5.7.1', reason: 'route.refused', text: action.text };
      case 'deliver':
        return action.hosts.length === 0 ? direct : { kind: 'hosts', hosts: action.hosts };
    }
  }
}

/** What an operator named: whose hosts, which port, and how. No rule has a say in it, and none gives it a password. */
function namedRoute({ domain, speech }: RemoteHop, port: number, pool: Pool): RemoteRoute {
  const address = literalAddressOf(domain);
  const protocol = speech === 'lmtp' ? 'lmtp' : 'smtp';
  return {
    key: `hop:${speech ?? 'smtp'}:${domain}:${port}${suffixOf(pool)}`,
    rule: undefined,
    next:
      address === undefined
        ? { kind: 'domain', domain, port }
        : { kind: 'hosts', hosts: [{ host: address, port }] },
    speech: { ...DIRECT, protocol, implicitTls: speech === 'smtps' },
    pool,
    fallback: undefined,
  };
}

function suffixOf({ name }: Pool): string {
  return name === undefined ? '' : `/${name}`;
}

function keyOf(next: NextHop, rule: RouteRule | undefined): string {
  switch (next.kind) {
    case 'domain':
      return next.domain;
    case 'hosts': {
      const protocol = rule?.action.kind === 'deliver' ? rule.action.speech.protocol : 'smtp';
      return next.hosts.map(({ host, port }) => `${protocol}:[${host}]:${port}`).join(',');
    }
    case 'held':
    case 'failed':
      return `${next.kind}:${rule?.name ?? ''}`;
  }
}

function marksOf(rules: readonly RouteRule[]): ReadonlyMap<RouteRule, string> {
  const marks = new Map<RouteRule, string>();
  const spoken = new Map<string, string>([['', JSON.stringify(DIRECT)]]);
  for (const rule of rules) {
    const { action } = rule;
    if (action.kind !== 'deliver') continue;
    const hosts = action.hosts.length === 0 ? '' : keyOf({ kind: 'hosts', hosts: action.hosts }, rule);
    const speech = JSON.stringify(action.speech);
    const other = spoken.get(hosts);
    if (other === undefined) spoken.set(hosts, speech);
    else if (other !== speech) marks.set(rule, `;${rule.name}`);
  }
  return marks;
}
