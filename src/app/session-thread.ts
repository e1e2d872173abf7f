/** The entry of a session thread: opens its view of the backends, serves, and stops when it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { Fault } from '../base/fault.ts';
import { Admission } from '../net/admission.ts';
import { MaildropLockTable } from './maildrop-locks.ts';
import { connectWith } from '../net/connect.ts';
import { RateTable } from '../net/rate-table.ts';
import { serverTls } from '../net/tls-context.ts';
import { openBackends } from './backends.ts';
import { createObservers } from './observers.ts';
import { readOutgoingTls } from './outgoing-tls.ts';
import { createResolver } from './resolver.ts';
import { readRoutePasswords } from './routes.ts';
import { startServices, type Services } from './services.ts';
import { openSearchIndex } from './search.ts';
import { openTraceSink } from './traces.ts';
import { systemClock, systemRandom } from './system.ts';
import { createTokenVerifier } from './token-verifier.ts';
import { createTrust } from './trust.ts';
import type { FromSessionThread, SessionThreadData, ToSessionThread } from './thread-messages.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `startServer` gave it
const data = workerData as SessionThreadData;
const { config, name } = data;
const observers = createObservers({ ...config, thread: name, traces: openTraceSink(config, data.traces) });
const tls = serverTls(data.certificate);

function tell(message: FromSessionThread): void {
  parentPort?.postMessage(message);
}

async function start(): Promise<Services> {
  const rates = new RateTable(data.rates, systemClock);
  const backends = await openBackends({
    config,
    writers: data.writers,
    hashes: data.hashes,
    rates,
    owner: name,
    clock: systemClock,
    random: systemRandom,
  });
  const outgoingTls = await readOutgoingTls(config);
  return startServices({
    config,
    backends,
    search: openSearchIndex(config, systemClock, (cause) =>
      observers.server({ name: 'server.fault', cause }),
    ),
    resolver: await createResolver(config, systemClock, systemRandom),
    connect: connectWith(outgoingTls.trustStore),
    outgoingTls,
    clock: systemClock,
    random: systemRandom,
    serverTls: tls.tls,
    peopleTls: tls.peopleTls,
    admission: new Admission(data.admission, data.number, {
      connectionsMax: data.connectionsMax,
      connectionsPerAddressMax: config.limits.connectionsPerAddressMax,
      connectionsPerNetworkMax: config.rates.network.connectionsAtOnce,
    }),
    rates,
    maildropLocks: new MaildropLockTable(data.maildropLocks, data.number),
    trust: createTrust(config),
    observers,
    owner: name,
    runsQueue: data.runsQueue,
    version: data.version,
    loopbackAllowed: data.loopbackAllowed,
    routePasswords: await readRoutePasswords(config),
    tokens: await createTokenVerifier(config, systemClock),
  });
}

/** Never rejects. */
async function stop(services: Services, graceMs: number): Promise<void> {
  for (const step of [() => services.stop(graceMs), () => observers.close()]) {
    try {
      await step();
    } catch (cause) {
      observers.server({ name: 'server.fault', cause });
    }
  }
}

try {
  const services = await start();
  parentPort?.on('message', (message: ToSessionThread) => {
    if (message.kind === 'certificate') {
      tls.replace(message.certificate);
      return;
    }
    void stop(services, message.graceMs).then(() => {
      tell({ kind: 'stopped' });
      parentPort?.close();
    });
  });
  tell({ kind: 'ready', listening: services.listening });
} catch (cause) {
  const inner = cause instanceof Fault ? cause.cause : undefined;
  tell({
    kind: 'failed',
    message: cause instanceof Error ? cause.message : String(cause),
    cause: inner instanceof Error ? inner.message : cause instanceof Error ? (cause.stack ?? '') : '',
  });
}
