/** Puts the checks together: which there are, in which order they are asked, and what each is given. */
import type { Directory } from '../auth/directory.ts';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import { sendNotice, type Notice } from '../delivery/notice.ts';
import { ReturnPaths } from '../delivery/return-paths.ts';
import { accountGuard, type AccountSign } from '../policy/account-guard.ts';
import type { Check } from '../policy/check.ts';
import { deliveryChecks, type DeliveryChecks } from '../policy/delivery-checks.ts';
import { Pipeline } from '../policy/pipeline.ts';
import type { Gauge, Rates } from '../policy/rate.ts';
import { ratesCheck } from '../policy/rates.ts';
import { releaseQuotaCheck } from '../policy/release-quota.ts';
import { rulesCheck } from '../policy/rules.ts';
import { sessionChecks, type SessionChecks } from '../policy/session-checks.ts';
import { submissionCheck } from '../policy/submission.ts';
import type { Trust } from '../policy/trust.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import type { Queue } from '../queue/queue.ts';
import type { AccountId } from '../store/ids.ts';
import { AccountSuspension } from './account-suspension.ts';
import { returnPathOptions } from './return-paths.ts';
import type { ServiceOptions } from './service-options.ts';

export type Policies = {
  /** Gives each session its checks. */
  readonly sessionChecks: () => SessionChecks;
  /** Undefined: no check takes part in deliveries. */
  readonly delivery: DeliveryChecks | undefined;
};

export type PolicyOptions = Pick<
  ServiceOptions,
  'config' | 'backends' | 'clock' | 'random' | 'observers' | 'rates' | 'admission' | 'trust'
>;

export function composePolicy(options: PolicyOptions): Policies {
  const { config, backends, clock, random, observers, rates, admission: gauge, trust } = options;
  const { directory, queue } = backends;
  const suspension = composeSuspension(options);
  const checks = composeChecks({
    config,
    directory,
    queue,
    clock,
    newId: createQueueIds(clock, random),
    rates,
    gauge,
    trust,
    suspend: (account, sign) => suspension.suspend(account, sign),
  });
  const pipeline = new Pipeline(checks, { clock, events: observers.policy });
  return { sessionChecks: sessionChecks(pipeline), delivery: deliveryChecks(pipeline) };
}

export type CheckOptions = {
  readonly config: Config;
  readonly directory: Pick<Directory, 'sending' | 'sendingRight'>;
  readonly queue: Pick<Queue, 'scheduled'>;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly rates: Rates;
  readonly gauge: Gauge;
  readonly trust: Trust;
  readonly suspend: (account: AccountId, sign: AccountSign) => void;
};

/** In the order in which they are asked: what is counted comes last, so that only what may pass is counted. */
export function composeChecks(options: CheckOptions): readonly Check[] {
  const { config, directory, queue, clock, newId, rates, gauge, trust, suspend } = options;
  const isExempt = (address: string): boolean => trust.isExempt(address);
  const ruleCheck = rulesCheck(config.rules);
  const guard = accountGuard({ rates, isExempt, suspend }, { ...config.submission.suspend, ...config.rates });
  return [
    ...(ruleCheck === undefined ? [] : [ruleCheck]),
    submissionCheck({ directory, clock, newId, hostname: config.hostname }, config.submission),
    releaseQuotaCheck({ queue, clock }, config.submission),
    guard,
    ratesCheck(
      {
        rates,
        gauge,
        clock,
        isExempt,
        limitsOf: async (account) => (await directory.sending(account)).limits,
        onExcess: (account) => guard.exceeded(account),
      },
      config.rates,
    ),
  ];
}

function composeSuspension({ config, backends, clock, random, observers }: PolicyOptions): AccountSuspension {
  const { directory, queue, blobs } = backends;
  const returnPaths = new ReturnPaths({ directory, clock }, returnPathOptions(config));
  const ports = { queue, blobs, directory, returnPaths, clock, newId: createQueueIds(clock, random) };
  const { hostname } = config;
  return new AccountSuspension({
    directory,
    queue,
    clock,
    notify: (notice: Notice) => sendNotice(ports, { hostname, lifetimeMs: lifetimeMsOf(config) }, notice),
    events: observers.policy,
    onFault: (cause) => observers.server({ name: 'server.fault', cause }),
  });
}

function lifetimeMsOf({ queue }: Config): number {
  return queue.expireAfterSeconds * 1000;
}
