/** Puts delivery together: the intake that sessions hand over to, the settler, and the queue's worker with its next hops. */
import { networkInterfaces } from 'node:os';
import { LIMITS } from '../base/limits.ts';
import { DeliverNow } from '../delivery/deliver-now.ts';
import { hookLocal, hookRemote, type DeliveryHook } from '../delivery/hook.ts';
import { DeliveryIntake } from '../delivery/intake.ts';
import { LocalDelivery } from '../delivery/local.ts';
import { HostGate } from '../delivery/remote/host-gate.ts';
import { BrokenTls } from '../delivery/remote/broken-tls.ts';
import { RemoteDelivery } from '../delivery/remote/remote-delivery.ts';
import { Routing } from '../delivery/remote/routing.ts';
import { Relaying } from '../delivery/relaying.ts';
import { ReturnPaths } from '../delivery/return-paths.ts';
import { SessionPool } from '../delivery/remote/session-pool.ts';
import { SmtpHop } from '../delivery/remote/smtp-hop.ts';
import { DeliveryRunner } from '../delivery/runner.ts';
import { Settler } from '../delivery/settler.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import { nextDueMs, RETRY_SCHEDULE } from '../queue/retry.ts';
import { SMTP_TIMEOUTS } from '../smtp/client/timeouts.ts';
import { composeTls } from './outgoing-tls.ts';
import { addressFamilies, lookingAnew } from './address-families.ts';
import { ownAddresses } from './own-addresses.ts';
import type { Policies } from './compose-policy.ts';
import { withMachineUsers } from './machine-users.ts';
import { composePickup, sendmailDomain } from './pickup.ts';
import { createRouter, RouteAccounts } from './routes.ts';
import { returnPathOptions } from './return-paths.ts';
import type { ServiceOptions } from './service-options.ts';

const CONNECT_MS = 30_000;
/** Where another address of the host is left to try. */
const CONNECT_SOON_MS = 10_000;

export type Delivery = {
  readonly intake: DeliveryIntake;
  start(): void;
  stop(graceMs: number): Promise<void>;
};

export function composeDelivery(options: ServiceOptions, policies: Policies): Delivery {
  const hook: DeliveryHook | undefined = policies.delivery;
  const { config, backends, clock, random, observers, owner, runsQueue } = options;
  const { queue, blobs, directory, mail } = backends;
  const events = observers.delivery;
  const newId = createQueueIds(clock, random);
  const schedule = {
    ...RETRY_SCHEDULE,
    pausesMs: config.queue.retryAfterSeconds.map((seconds) => seconds * 1000),
  };
  const lifetimeMs = config.queue.expireAfterSeconds * 1000;
  const noticeMs = config.queue.delayNoticeAfterSeconds * 1000;
  const returnPaths = new ReturnPaths({ directory, clock }, returnPathOptions(config));
  const settler = new Settler(
    {
      queue,
      blobs,
      directory: withMachineUsers(directory, sendmailDomain(config)),
      returnPaths,
      clock,
      random,
      newId,
      nextDueMs: (tried, nowMs) => nextDueMs(tried, nowMs, random, schedule),
      events,
    },
    {
      hostname: config.hostname,
      delayReportAfterMs: noticeMs === 0 ? Number.POSITIVE_INFINITY : noticeMs,
      dsnLifetimeMs: lifetimeMs,
      lostReportsTo: config.queue.lostReportsToPostmaster ? 'postmaster' : undefined,
    },
  );
  const accounts = new RouteAccounts(config, directory, clock, (cause) =>
    events({ name: 'delivery.fault', queueId: undefined, doing: 'Looking up the accounts of routes', cause }),
  );
  const router = createRouter(config, options.routePasswords, (address) => accounts.idOf(address));
  const mailboxes = new LocalDelivery({ store: mail, blobs, directory, clock });
  const local = hook === undefined ? mailboxes : hookLocal(mailboxes, hook, clock);
  const now = new DeliverNow({ queue, local, settler, clock, events }, `${owner}now`);
  const relaying = new Relaying(config.relaying);
  const intake = new DeliveryIntake(
    { directory, returnPaths, relaying, router, blobs, mail, local, now, settler, newId, clock, events },
    { lifetimeMs, hostname: config.hostname },
  );
  if (!runsQueue)
    return {
      intake,
      start: () => void accounts.start(),
      stop: async () => {
        accounts.stop();
        settler.stop();
        await now.idle();
      },
    };

  const routing = new Routing({
    resolver: options.resolver,
    random,
    ownNames: [config.hostname.toLowerCase()],
    ownAddresses: ownAddresses(config, networkInterfaces()),
    loopbackAllowed: options.loopbackAllowed,
    families: lookingAnew(clock, () => addressFamilies(config.outgoing.addressFamily, networkInterfaces())),
  });
  const sessions = new SessionPool(clock, {
    idleMs: config.outgoing.idleConnectionSeconds * 1000,
    idleMax: LIMITS.hopSessionsIdleMax,
    messagesMax: config.outgoing.messagesPerConnectionMax,
    ageMs: LIMITS.hopSessionAgeMs,
  });
  const hop = new SmtpHop({
    connect: options.connect,
    sessions,
    clock,
    connectTimeoutMs: CONNECT_MS,
    connectSoonMs: CONNECT_SOON_MS,
    random,
    timeouts: SMTP_TIMEOUTS,
  });
  const tls = composeTls(options);
  const gate = new HostGate(hop, clock, config.queue.deliveriesPerHostMax);
  const brokenTls = new BrokenTls(clock, config.outgoing.brokenTlsSeconds * 1000);
  const hosts = new RemoteDelivery({
    routing,
    tlsPolicy: tls.policy,
    hop: gate,
    brokenTls,
    blobs,
    clock,
    events,
  });
  const remote = hook === undefined ? hosts : hookRemote(hosts, hook, clock);
  const runner = new DeliveryRunner(
    { queue, local, remote, router, settler, clock, events },
    {
      owner: `${owner}run`,
      messagesMax: config.queue.deliveriesMax,
      visitsMax: config.queue.deliveriesPerHostMax,
    },
  );
  now.handTo(runner);
  const pickup = composePickup(options, intake, policies.sessionChecks);
  let stopped = false;
  return {
    intake,
    start: () => {
      tls.start();
      pickup.start();
      void accounts.start().then(() => {
        if (!stopped) runner.start();
      });
    },
    stop: async (graceMs) => {
      stopped = true;
      accounts.stop();
      settler.stop();
      await pickup.stop();
      await Promise.all([runner.stop(graceMs), now.idle()]);
      sessions.close();
      await tls.stop();
    },
  };
}
