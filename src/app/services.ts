/**
 * Puts the services of one thread together over its backends and opens the listeners. Everything that is built, is
 * built here; nothing below knows more than its ports.
 */
import { networkInterfaces } from 'node:os';
import { authenticateClaim, smtpAuthenticator, submissionPolicy } from './smtp-service.ts';
import type { Backends } from './backends.ts';
import type { Clock } from '../base/clock.ts';
import type { Connect } from '../base/connection.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import type { Config, ListenerConfig, ServiceName } from '../config/config.ts';
import { DeliverNow } from '../delivery/deliver-now.ts';
import { DeliveryIntake } from '../delivery/intake.ts';
import { LocalDelivery } from '../delivery/local.ts';
import { RemoteDelivery } from '../delivery/remote/remote-delivery.ts';
import { Routing } from '../delivery/remote/routing.ts';
import { SmtpHop } from '../delivery/remote/smtp-hop.ts';
import { DeliveryRunner } from '../delivery/runner.ts';
import { Settler } from '../delivery/settler.ts';
import type { Resolver } from '../dns/resolver.ts';
import type { ImapDeps } from '../imap/server/ports.ts';
import { serveImap } from '../imap/server/session.ts';
import { toNetwork } from '../auth/login-throttle.ts';
import type { Admission, AdmissionProblem } from '../net/admission.ts';
import { isLoopback, listen, type Listener } from '../net/listener.ts';
import type { ServerTls } from '../net/socket-connection.ts';
import { SubmissionPolicy } from '../policy/submission.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import { nextDueMs, RETRY_SCHEDULE } from '../queue/retry.ts';
import type { SaslCredentials } from '../sasl/mechanism.ts';
import { SMTP_TIMEOUTS } from '../smtp/client/timeouts.ts';
import type { SmtpServerDeps } from '../smtp/server/deps.ts';
import { SMTP_LIMITS } from '../smtp/server/limits.ts';
import { LMTP, RELAY, SUBMISSION, type SmtpRole } from '../smtp/server/role.ts';
import { serveSmtp } from '../smtp/server/session.ts';
import type { Observers } from './observers.ts';
import { ownAddresses } from './own-addresses.ts';

export type ServiceOptions = {
  readonly config: Config;
  readonly backends: Backends;
  readonly resolver: Resolver;
  readonly connect: Connect;
  readonly clock: Clock;
  readonly random: Random;
  readonly serverTls: ServerTls;
  readonly admission: Admission;
  readonly observers: Observers;
  /** Letters and digits; no other thread of this post office has it. */
  readonly owner: string;
  /** Whether this thread works through the queue, beside delivering what it accepted itself. */
  readonly runsQueue: boolean;
  readonly version: string;
  /** Mail may be sent on to addresses of this machine: for a post office on loopback. */
  readonly loopbackAllowed: boolean;
  /** The password of `relay.username`. */
  readonly relayPassword: string | undefined;
};

export type Listening = { readonly service: ServiceName; readonly address: string; readonly port: number };

export type Services = {
  readonly listening: readonly Listening[];
  /** Ends sessions and work in flight: in good order within `graceMs`, then by cutting them. */
  stop(graceMs: number): Promise<void>;
};

const HANDSHAKE_MS = 30_000;
const CONNECT_MS = 30_000;
const REFUSAL_LOG_MS = 1000;

export async function startServices(options: ServiceOptions): Promise<Services> {
  const { config, backends, observers, clock, serverTls, admission } = options;
  const shutdown = new AbortController();
  const delivery = startDelivery(options);
  const serveOf = sessionsOf(options, delivery.intake, shutdown.signal);
  const open: { readonly service: ServiceName; readonly address: string; readonly listener: Listener }[] = [];
  const names: readonly ServiceName[] = ['smtp', 'submission', 'submissions', 'lmtp', 'imap', 'imaps'];
  try {
    for (const service of names) {
      const settings = config.listeners[service];
      if (!settings.enabled) continue;
      for (const address of settings.addresses) {
        const listener = await listen({
          address,
          port: settings.port,
          serverTls: settings.tls === 'none' ? undefined : serverTls,
          implicitTls: settings.tls === 'implicit',
          handshakeMs: HANDSHAKE_MS,
          reusePort: true,
          enter: (remote) => admission.enter(service, isLoopback(remote) ? undefined : toNetwork(remote)),
          refusal: refusalOf(service, config.hostname),
          serve: serveOf(service, settings),
          onRefused: refusalLog(service, clock, observers),
          onTlsFailure: (remote, reason) =>
            observers.server({ name: 'server.tls.failed', service, remote, reason }),
          onBug: (cause) => observers.server({ name: 'server.fault', cause }),
        });
        open.push({ service, address, listener });
      }
    }
  } catch (cause) {
    for (const { listener } of open) listener.close();
    throw cause;
  }
  delivery.start();
  return {
    listening: open.map(({ service, address, listener }) => ({ service, address, port: listener.port })),
    stop: async (graceMs) => {
      for (const { listener } of open) listener.close();
      shutdown.abort();
      const cut = clock.after(graceMs, () => {
        for (const { listener } of open) listener.destroy();
      });
      await Promise.all(open.map(({ listener }) => listener.drained()));
      cut.cancel();
      await delivery.stop(graceMs);
      await backends.close();
    },
  };
}

/** One line a second for each service, however many are refused: a flood must not become a flood of lines. */
function refusalLog(
  service: ServiceName,
  clock: Clock,
  observers: Observers,
): (remote: string, reason: AdmissionProblem) => void {
  let untold = 0;
  let toldMs = Number.NEGATIVE_INFINITY;
  return (remote, reason) => {
    untold += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs - toldMs < REFUSAL_LOG_MS) return;
    observers.server({ name: 'server.connection.refused', service, remote, reason, connections: untold });
    toldMs = nowMs;
    untold = 0;
  };
}

type Delivery = {
  readonly intake: DeliveryIntake;
  start(): void;
  stop(graceMs: number): Promise<void>;
};

function startDelivery(options: ServiceOptions): Delivery {
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

type Serve = (service: ServiceName, settings: ListenerConfig) => Parameters<typeof listen>[0]['serve'];

function sessionsOf(options: ServiceOptions, intake: DeliveryIntake, shutdown: AbortSignal): Serve {
  const { config, backends, clock, observers, random } = options;
  const { limits } = config;
  const traceId = createQueueIds(clock, random);
  const submission = new SubmissionPolicy(
    { directory: backends.directory, clock, newId: traceId, hostname: config.hostname },
    config.submission,
  );
  const smtpOf = (role: SmtpRole, settings: ListenerConfig): SmtpServerDeps => ({
    role,
    limits: {
      ...SMTP_LIMITS,
      messageOctetsMax: limits.messageOctetsMax,
      recipientsMax: limits.recipientsMax,
      errorsMax: limits.smtpErrorsMax,
      idleMs: limits.smtpIdleSeconds * 1000,
      unauthenticatedMs: limits.signInSeconds * 1000,
      withoutMessageMs: Math.max(SMTP_LIMITS.withoutMessageMs, 2000 * limits.smtpIdleSeconds),
    },
    hostname: config.hostname,
    startTls: settings.tls === 'starttls',
    clock,
    traceId,
    authenticator: role.auth === 'none' ? undefined : smtpAuthenticator(backends.directory),
    recipients: intake,
    intake,
    policy: role.name === 'submission' ? submissionPolicy(submission) : {},
    events: observers.smtp,
    shutdown,
  });
  const imapOf = (settings: ListenerConfig): ImapDeps => ({
    hostname: config.hostname,
    clock,
    store: backends.mail,
    blobs: backends.blobs,
    authenticate: (claim, remote) => authenticateClaim(backends.directory, claim, 'imap', remote),
    tlsAvailable: settings.tls === 'starttls',
    limits: {
      messageOctetsMax: limits.messageOctetsMax,
      errorsMax: limits.imapErrorsMax,
      authFailuresMax: LIMITS.smtpAuthFailuresMax,
      idleMs: limits.imapIdleSeconds * 1000,
      signInMs: limits.signInSeconds * 1000,
      appendMessagesMax: 1000,
    },
    version: options.version,
    emit: observers.imap,
    shutdown,
  });
  return (service, settings) => {
    switch (service) {
      case 'smtp':
      case 'submission':
      case 'submissions':
      case 'lmtp': {
        const role = service === 'smtp' ? RELAY : service === 'lmtp' ? LMTP : SUBMISSION;
        const deps = smtpOf(role, settings);
        return (connection) => serveSmtp(connection, deps);
      }
      case 'imap':
      case 'imaps': {
        const deps = imapOf(settings);
        return (connection) => serveImap(connection, deps);
      }
    }
  };
}

/** What a client over a limit of connections hears, in the words of its protocol. */
function refusalOf(service: ServiceName, hostname: string): Uint8Array {
  return Buffer.from(
    service === 'imap' || service === 'imaps'
      ? '* BYE [LIMIT] Too many connections, try again later\r\n'
      : `421 4.7.0 ${hostname} Too many connections, try again later\r\n`,
  );
}
