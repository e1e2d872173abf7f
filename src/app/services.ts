/**
 * Puts the services of one thread together over its backends and opens the listeners. Everything that is built, is
 * built here; nothing below knows more than its ports.
 */
import type { Clock } from '../base/clock.ts';
import { unreachable } from '../base/unreachable.ts';
import type { ServiceName } from '../config/config.ts';
import type { AdmissionProblem, Peer } from '../net/admission.ts';
import { listen, type Listener, type ListenerOptions } from '../net/listener.ts';
import { addressName, networkName } from '../policy/peer-name.ts';
import { composeDelivery } from './compose-delivery.ts';
import { composePolicy } from './compose-policy.ts';
import { composeSessions } from './compose-sessions.ts';
import type { Observers } from './observers.ts';
import { SignInOffer } from './sign-in.ts';
import type { ServiceOptions } from './service-options.ts';

export type Listening = { readonly service: ServiceName; readonly address: string; readonly port: number };

export type Services = {
  readonly listening: readonly Listening[];
  /** Ends sessions and work in flight: in good order within `graceMs`, then by cutting them. */
  stop(graceMs: number): Promise<void>;
};

const HANDSHAKE_MS = 30_000;
const REFUSAL_LOG_MS = 1000;

export async function startServices(options: ServiceOptions): Promise<Services> {
  const { config, backends, observers, clock, serverTls, peopleTls, admission, trust } = options;
  const { ipv4NetworkBits: ipv4, ipv6NetworkBits: ipv6 } = config.rates;
  const peerOf = (remote: string): Peer | undefined =>
    trust.isExempt(remote)
      ? undefined
      : { address: addressName(remote), network: networkName(remote, { ipv4, ipv6 }) };
  const offer = new SignInOffer({
    ...options,
    directory: backends.directory,
    onFault: (cause) => observers.server({ name: 'server.fault', cause }),
  });
  await offer.check();
  const shutdown = new AbortController();
  const policies = composePolicy(options);
  const delivery = composeDelivery(options, policies);
  const serveOf = composeSessions(options, delivery.intake, policies, offer, shutdown.signal);
  const open: { readonly service: ServiceName; readonly address: string; readonly listener: Listener }[] = [];
  const names: readonly ServiceName[] = [
    'smtp',
    'submission',
    'submissions',
    'lmtp',
    'imap',
    'imaps',
    'pop3',
    'pop3s',
  ];
  try {
    for (const service of names) {
      const settings = config.listeners[service];
      if (!settings.enabled) continue;
      for (const address of settings.addresses) {
        const listener = await listen({
          address,
          port: settings.port,
          serverTls: settings.tls === 'none' ? undefined : isForPeople(service) ? peopleTls : serverTls,
          implicitTls: settings.tls === 'implicit',
          handshakeMs: HANDSHAKE_MS,
          reusePort: true,
          ...(settings.proxyProtocol ? { proxies: proxiesOf(service, options) } : {}),
          enter: (remote) => admission.connect(service, peerOf(remote)),
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

function proxiesOf(
  service: ServiceName,
  { trust, observers }: ServiceOptions,
): NonNullable<ListenerOptions['proxies']> {
  return {
    isTrusted: (remote) => trust.isProxy(remote),
    onFailure: (remote, reason) => observers.server({ name: 'server.proxy.failed', service, remote, reason }),
  };
}

/** Where people sign in. Hosts on port 25 are not asked for certificates, which some would trip over. */
function isForPeople(service: ServiceName): boolean {
  return service !== 'smtp' && service !== 'lmtp';
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

/** What a client over a limit of connections hears, in the words of its protocol. */
function refusalOf(service: ServiceName, hostname: string): Uint8Array {
  const text = 'Too many connections, try again later';
  switch (service) {
    case 'imap':
    case 'imaps':
      return Buffer.from(`* BYE [LIMIT] ${text}\r\n`);
    case 'pop3':
    case 'pop3s':
      return Buffer.from(`-ERR [SYS/TEMP] ${text}\r\n`);
    case 'smtp':
    case 'submission':
    case 'submissions':
    case 'lmtp':
      return Buffer.from(`421 4.7.0 ${hostname} ${text}\r\n`);
    default:
      return unreachable(service);
  }
}
