/** What no key of a route or pool alone can tell. */
import type { XStatic } from 'typebox/schema';
import type { DeepReadonly } from './deep-readonly.ts';
import type { POOLS } from './section/pools.ts';
import type { ROUTES } from './section/routes.ts';

type Report = (path: string, text: string) => void;
type RouteConfig = DeepReadonly<XStatic<typeof ROUTES>>[number];
type PoolConfig = DeepReadonly<XStatic<typeof POOLS>>[number];

export function reportRouteContradictions(
  { routes, pools }: { readonly routes: readonly RouteConfig[]; readonly pools: readonly PoolConfig[] },
  report: Report,
): void {
  reportDoubles('routes', routes, report);
  reportDoubles('pools', pools, report);
  const poolNames = new Set(pools.map(({ name }) => name));
  for (const [index, route] of routes.entries()) {
    const path = `routes[${index}]`;
    reportRoute(route, path, report);
    for (const pool of [...route.pools, ...(route.pool === undefined ? [] : [route.pool])])
      if (!poolNames.has(pool)) report(path, `names the pool ${JSON.stringify(pool)}, which is not there`);
    if (route.fallback !== undefined) reportFallback(route, route.fallback, routes, path, report);
  }
}

function reportRoute(route: RouteConfig, path: string, report: Report): void {
  const { action, hosts, protocol, tls, implicitTls, username, passwordFile, fallback } = route;
  const { proxy, proxyUsername, proxyPasswordFile } = route;
  if ((proxyUsername === undefined) !== (proxyPasswordFile === undefined))
    report(path, 'proxyUsername and proxyPasswordFile belong together');
  if (proxy === undefined && proxyUsername !== undefined) report(`${path}.proxyUsername`, 'needs a proxy');
  if ((username === undefined) !== (passwordFile === undefined))
    report(path, 'username and passwordFile belong together');
  if (username !== undefined && (tls === 'none' || tls === 'opportunistic'))
    report(`${path}.tls`, `cannot be ${JSON.stringify(tls)} where a password is sent`);
  if (implicitTls && tls === 'none') report(`${path}.tls`, 'cannot be "none" with implicitTls');
  if (hosts.length === 0) {
    if (protocol === 'lmtp') report(`${path}.protocol`, 'cannot be "lmtp" without hosts');
    if (implicitTls) report(`${path}.implicitTls`, 'needs hosts');
    if (username !== undefined) report(`${path}.username`, 'needs hosts');
  }
  if (action !== 'deliver' && hosts.length > 0)
    report(`${path}.hosts`, `is of no use with the action ${JSON.stringify(action)}`);
  if (fallback === undefined && route.fallbackAfterSeconds > 0)
    report(`${path}.fallbackAfterSeconds`, 'needs a fallback');
}

/** A way of fallbacks must end. */
function reportFallback(
  route: RouteConfig,
  fallback: string,
  routes: readonly RouteConfig[],
  path: string,
  report: Report,
): void {
  const seen = new Set([route.name]);
  for (let at: string | undefined = fallback; at !== undefined;) {
    if (seen.has(at)) return report(`${path}.fallback`, 'leads back to where it began');
    seen.add(at);
    const next: RouteConfig | undefined = routes.find(({ name }) => name === at);
    if (next === undefined)
      return report(`${path}.fallback`, `names the route ${JSON.stringify(at)}, which is not there`);
    at = next.fallback;
  }
  return undefined;
}

function reportDoubles(table: string, items: readonly { readonly name: string }[], report: Report): void {
  const seen = new Set<string>();
  for (const [index, { name }] of items.entries()) {
    if (seen.has(name)) report(`${table}[${index}].name`, `${JSON.stringify(name)} is taken`);
    seen.add(name);
  }
}
