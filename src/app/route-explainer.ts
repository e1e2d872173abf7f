/** Explains routes of one configuration, beside the threads that deliver by it: with a resolver and a memory of policies of its own. */
import { networkInterfaces } from 'node:os';
import type { Directory } from '../auth/directory.ts';
import type { Config } from '../config/config.ts';
import type { RouteExplanation, RouteQuestion } from '../delivery/remote/explain.ts';
import { explainRoute } from '../delivery/remote/explain.ts';
import { Routing } from '../delivery/remote/routing.ts';
import { MemoryTlsRecords } from '../tls-policy/memory/tls-records.ts';
import { composeTls, readOutgoingTls } from './outgoing-tls.ts';
import { addressFamilies } from './address-families.ts';
import { ownAddresses } from './own-addresses.ts';
import { createResolver } from './resolver.ts';
import { accountIds, createRouter } from './routes.ts';
import { systemClock, systemRandom } from './system.ts';

export type RouteExplainer = (question: RouteQuestion) => Promise<RouteExplanation | 'no-such-account'>;

export function routeExplainer(
  config: Config,
  directory: Pick<Directory, 'resolve' | 'accountByAddress'>,
  loopbackAllowed: boolean,
): RouteExplainer {
  return async (question) => {
    const resolver = await createResolver(config, systemClock, systemRandom);
    const ids = await accountIds(config, directory);
    const { policy } = composeTls({
      config,
      resolver,
      clock: systemClock,
      loopbackAllowed,
      outgoingTls: await readOutgoingTls(config),
      observers: { delivery: () => undefined },
      backends: { tls: new MemoryTlsRecords() },
    });
    return explainRoute(question, {
      directory,
      // No password is needed to say where mail would go.
      router: createRouter(config, new Map(), (address) => ids.get(address)),
      routing: new Routing({
        resolver,
        random: systemRandom,
        ownNames: [config.hostname.toLowerCase()],
        ownAddresses: ownAddresses(config, networkInterfaces()),
        loopbackAllowed,
        families: () => addressFamilies(config.outgoing.addressFamily, networkInterfaces()),
      }),
      tlsPolicy: policy,
      clock: systemClock,
    });
  };
}
