/** Puts the checks together: which there are, in which order they are asked, and what each is given. */
import type { Check } from '../policy/check.ts';
import { Pipeline } from '../policy/pipeline.ts';
import type { SessionChecks } from '../policy/session-checks.ts';
import { sessionChecks } from '../policy/session-checks.ts';
import { ratesCheck } from '../policy/rates.ts';
import { submissionCheck } from '../policy/submission.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import type { SmtpRole } from '../smtp/server/role.ts';
import type { ServiceOptions } from './service-options.ts';

export type Policies = {
  /** What gives each session of a role its checks. */
  sessionsOf(role: SmtpRole): () => SessionChecks;
};

export function composePolicy(options: ServiceOptions): Policies {
  const { config, backends, clock, observers, random, rates, admission, trust } = options;
  const submission = submissionCheck(
    {
      directory: backends.directory,
      clock,
      newId: createQueueIds(clock, random),
      hostname: config.hostname,
    },
    config.submission,
  );
  const ratesOf = ratesCheck(
    {
      rates,
      gauge: admission,
      clock,
      isExempt: (address) => trust.isExempt(address),
      limitsOf: async () => undefined,
      onExcess: () => undefined,
    },
    config.rates,
  );
  const pipelineOf = (checks: readonly Check[]): Pipeline =>
    new Pipeline(checks, { clock, events: observers.policy });
  return {
    sessionsOf: ({ name }) =>
      sessionChecks(pipelineOf([...(name === 'submission' ? [submission] : []), ratesOf])),
  };
}
