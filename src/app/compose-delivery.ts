/** Puts delivery together: the intake that sessions hand over to, the settler, and the queue's worker with its next hops. */
import { networkInterfaces } from 'node:os';
import type { Config } from '../config/config.ts';
import { DeliverNow } from '../delivery/deliver-now.ts';
import { DeliveryIntake } from '../delivery/intake.ts';
import { LocalDelivery } from '../delivery/local.ts';
import { RemoteDelivery } from '../delivery/remote/remote-delivery.ts';
import { Routing } from '../delivery/remote/routing.ts';
import { SmtpHop } from '../delivery/remote/smtp-hop.ts';
import { DeliveryRunner } from '../delivery/runner.ts';
import { Settler } from '../delivery/settler.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import { nextDueMs, RETRY_SCHEDULE } from '../queue/retry.ts';
import type { SaslCredentials } from '../sasl/mechanism.ts';
import { SMTP_TIMEOUTS } from '../smtp/client/timeouts.ts';
import { ownAddresses } from './own-addresses.ts';
import type { ServiceOptions } from './service-options.ts';

const CONNECT_MS = 30_000;

export type Delivery = {
  readonly intake: DeliveryIntake;
  start(): void;
  stop(graceMs: number): Promise<void>;
};

export function composeDelivery(options: ServiceOptions): Delivery {
  const { config, backends, clock, random, observers, owner, runsQueue, relayPassword } = options;
  const { queue, blobs, directory, mail } = backends;
  const events = observers.delivery;
  const newId = createQueueIds(clock, random);
  const schedule = {
    ...RETRY_SCHEDULE,
    pausesMs: config.queue.retryAfterSeconds.map((seconds) => seconds * 1000),
  };
  const lifetimeMs = config.queue.expireAfterSeconds * 1000;
  const noticeMs = config.queue.delayNoticeAfterSeconds * 1000;
  const settler = new Settler(
    {
      queue,
      blobs,
      directory,
      clock,
      random,
      newId,
      nextDueMs: (attempts, nowMs) => nextDueMs(attempts, nowMs, random, schedule),
      events,
    },
    {
      hostname: config.hostname,
      delayReportAfterMs: noticeMs === 0 ? Number.POSITIVE_INFINITY : noticeMs,
      dsnLifetimeMs: lifetimeMs,
    },
  );
  const local = new LocalDelivery({ store: mail, blobs, directory, clock });
  const now = new DeliverNow({ queue, local, settler, clock, events }, `${owner}now`);
  const intake = new DeliveryIntake({ directory, blobs, local, now, settler, clock, events }, { lifetimeMs });
  if (!runsQueue) return { intake, start: () => undefined, stop: () => now.idle() };

  const { relay } = config;
  const routing = new Routing({
    resolver: options.resolver,
    random,
    ownNames: [config.hostname.toLowerCase()],
    ownAddresses: ownAddresses(config, networkInterfaces()),
    smarthost: relay === undefined ? undefined : { host: relay.host, port: relay.port },
    port: config.outgoing.port,
    loopbackAllowed: options.loopbackAllowed,
  });
  const hop = new SmtpHop({
    connect: options.connect,
    clock,
    hostname: config.hostname,
    connectTimeoutMs: CONNECT_MS,
    timeouts: SMTP_TIMEOUTS,
    usesTls: config.outgoing.tls !== 'none',
    ...(relay === undefined
      ? {}
      : { relay: { tls: relay.tls, credentials: credentialsOf(relay, relayPassword) } }),
  });
  const remote = new RemoteDelivery({ routing, hop, blobs, clock });
  const runner = new DeliveryRunner(
    { queue, local, remote, settler, clock, events },
    { owner: `${owner}run`, messagesMax: config.queue.deliveriesMax },
  );
  return {
    intake,
    start: () => runner.start(),
    stop: async (graceMs) => {
      await Promise.all([runner.stop(graceMs), now.idle()]);
    },
  };
}

function credentialsOf(
  { username }: NonNullable<Config['relay']>,
  password: string | undefined,
): SaslCredentials | undefined {
  return username === undefined || password === undefined
    ? undefined
    : { authenticationId: username, password };
}
