/** TLS with other hosts, from the configuration: whom we trust, what is asked of whom, and what is remembered of it. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/config.ts';
import { isThisMachine } from '../delivery/remote/routing.ts';
import type { TlsPolicy } from '../delivery/remote/tls-policy.ts';
import { DomainTlsPolicy } from '../delivery/tls/domain-tls-policy.ts';
import { StsPolicies } from '../delivery/tls/sts-policies.ts';
import type { TlsDemand, TlsRule } from '../delivery/tls/tls-rule.ts';
import { TlsTallies } from '../delivery/tls/tls-tallies.ts';
import { policyFetch } from '../tls-policy/https/fetch-policy.ts';
import type { OutgoingTls, ServiceOptions } from './service-options.ts';

type PolicyConfig = Config['tlsPolicies'][number];

/** Throws `Fault` for a file that cannot be read or is not what it should be. */
export async function readOutgoingTls({
  outgoing,
  tlsPolicies,
}: Pick<Config, 'outgoing' | 'tlsPolicies'>): Promise<OutgoingTls> {
  const { caFile } = outgoing;
  return {
    trustStore: caFile === undefined ? undefined : [...rootCertificates, ...(await readAuthorities(caFile))],
    rules: await Promise.all(tlsPolicies.map(toRule)),
  };
}

async function readAuthorities(file: string): Promise<readonly string[]> {
  const blocks = (await read(file)).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const problem = blocks.length === 0 ? new Error('It holds no certificate') : undefined;
  if (problem !== undefined) throw new Fault(`Reading ${file}`, problem);
  for (const block of blocks) mustBe(file, () => new X509Certificate(block));
  return blocks;
}

async function toRule(policy: PolicyConfig): Promise<TlsRule> {
  const { domain, versionMin, certificateFile, keyFile } = policy;
  const rule = { domain: domain.toLowerCase(), demand: demandOf(policy) };
  if (certificateFile === undefined || keyFile === undefined) return { ...rule, settings: { versionMin } };
  const [chain, key] = [await read(certificateFile), await read(keyFile)];
  mustBe(certificateFile, () => {
    if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(key)))
      throw new Error(`${keyFile} is not its key`);
  });
  return { ...rule, settings: { versionMin, identity: { chain, key } } };
}

function demandOf({ level, names, fingerprints }: PolicyConfig): TlsDemand {
  switch (level) {
    case 'verify':
      return { kind: level, names: names.map((name) => name.toLowerCase()) };
    case 'fingerprint':
      return {
        kind: level,
        sha256: fingerprints.map((text) => text.replaceAll(':', '').toLowerCase()),
      };
    case 'none':
    case 'default':
    case 'encrypt':
    case 'dane-only':
      return { kind: level };
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new Fault(`Reading ${file}`, cause);
  }
}

function mustBe(file: string, check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    throw new Fault(`Reading ${file}`, cause);
  }
}

const REFRESH_PAUSE_MS = 3_600_000;

export type TlsService = {
  readonly policy: TlsPolicy;
  start(): void;
  stop(): Promise<void>;
};

/** What it is made of. */
export type TlsParts = Pick<
  ServiceOptions,
  'config' | 'resolver' | 'clock' | 'loopbackAllowed' | 'outgoingTls'
> & {
  readonly observers: Pick<ServiceOptions['observers'], 'delivery'>;
  readonly backends: Pick<ServiceOptions['backends'], 'tls'>;
};

export function composeTls(options: TlsParts): TlsService {
  const { config, resolver, clock, observers, loopbackAllowed, outgoingTls } = options;
  const records = options.backends.tls;
  const events = observers.delivery;
  const { dane, mtaSts, policyPort, tls } = config.outgoing;
  const tallies = new TlsTallies({ records, clock, events });
  const fetch = policyFetch({
    resolver,
    port: policyPort,
    mayConnect: (address) => loopbackAllowed || !isThisMachine(address),
    trustStore: outgoingTls.trustStore,
  });
  const sts = mtaSts ? new StsPolicies({ resolver, fetch, records, tallies, clock, events }) : undefined;
  const policy = new DomainTlsPolicy(
    { resolver, sts, tallies, events },
    {
      rules: outgoingTls.rules,
      otherwise: tls === 'none' ? 'none' : 'default',
      usesDane: dane,
    },
  );
  const refresh = new Hourly(clock, async (signal) => {
    try {
      await sts?.refresh(signal);
    } catch (cause) {
      events({ name: 'delivery.fault', queueId: undefined, doing: 'refreshing MTA-STS policies', cause });
    }
  });
  return {
    policy,
    start: () => refresh.start(),
    stop: async () => {
      await refresh.stop();
      await tallies.stop();
    },
  };
}

/** Does its work an hour after it was started or had last done it. */
class Hourly {
  readonly #clock: Clock;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #stopped = new AbortController();
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(clock: Clock, work: (signal: AbortSignal) => Promise<void>) {
    this.#clock = clock;
    this.#work = work;
  }

  start(): void {
    if (this.#stopped.signal.aborted) return;
    this.#timer = this.#clock.after(REFRESH_PAUSE_MS, () => {
      this.#working = this.#work(this.#stopped.signal).finally(() => this.start());
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#timer?.cancel();
    await this.#working;
  }
}
