/** The port through which MTA-STS policies are fetched (RFC 8461 §3.3). */
import type { Result } from '../base/result.ts';

export type PolicyFetchProblem = {
  /** 'certificate': nobody vouches that this is the policy host. 'refused': it answered something else than a policy. */
  readonly kind: 'unreachable' | 'certificate' | 'refused';
  readonly text: string;
};

/**
 * Gives the document of `https://HOST/.well-known/mta-sts.txt`. Never rejects for what the host or the network does.
 *
 * @param host `mta-sts.DOMAIN`, A-labels
 */
export type PolicyFetch = (host: string) => Promise<Result<string, PolicyFetchProblem>>;
