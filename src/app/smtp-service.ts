/** Gives SMTP sessions their ports: directory, intake and the rules of submission behind the session's own words. */
import type { Directory } from '../auth/directory.ts';
import type { Principal, Scope } from '../auth/principal.ts';
import type { Endpoint } from '../base/connection.ts';
import { err, type Result } from '../base/result.ts';
import type { AuthProblem } from '../auth/principal.ts';
import type { SubmissionPolicy, SendAsProblem } from '../policy/submission.ts';
import type { SaslClaim } from '../sasl/mechanism.ts';
import type { Authenticator, Policy, Refusal, SessionFacts, TransactionFacts } from '../smtp/server/ports.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import { reply } from '../smtp/wire/reply.ts';

/** Checks a claim for a protocol: nobody acts for another account yet, so an authorization identity must be one's own. */
export async function authenticateClaim(
  directory: Directory,
  claim: SaslClaim,
  scope: Scope,
  remote: Endpoint,
): Promise<Result<Principal, AuthProblem>> {
  const answer = await directory.authenticate(claim.authenticationId, claim.password, scope, remote.address);
  if (!answer.ok || claim.authorizationId === '') return answer;
  const other = await directory.accountByAddress(claim.authorizationId);
  return other?.id === answer.value.account ? answer : err({ kind: 'refused' });
}

export function smtpAuthenticator(directory: Directory): Authenticator {
  return {
    authenticate: async (claim, session) => {
      const answer = await authenticateClaim(directory, claim, 'smtp', session.remote);
      if (answer.ok) return { kind: 'authenticated', principal: answer.value };
      const { kind } = answer.error;
      return kind === 'throttled' ? { kind: 'temporary', reason: kind } : { kind: 'refused', reason: kind };
    },
  };
}

export function submissionPolicy(rules: SubmissionPolicy): Policy {
  return {
    mail: async (transaction, session) => {
      const { principal } = session;
      if (principal === undefined) return ACCEPT;
      const problem = await rules.checkReversePath(principal.account, reversePathOf(transaction));
      return problem === undefined ? ACCEPT : refusal(problem);
    },
    message: async (header, _octets, transaction, { principal }: SessionFacts) => {
      if (principal === undefined) return ACCEPT;
      const problem = await rules.checkHeader(principal.account, header);
      if (problem !== undefined) return refusal(problem);
      const fields = rules.additions(header, reversePathOf(transaction));
      return fields === '' ? ACCEPT : { kind: 'accept', fields };
    },
  };
}

const ACCEPT = { kind: 'accept' } as const;

function reversePathOf({ reversePath }: TransactionFacts): string | null {
  return reversePath === null ? null : formatEnvelopeAddress(reversePath);
}

function refusal(reason: SendAsProblem): Refusal {
  const text = {
    'submission.not-own-reverse-path': 'You may not send in the name of that address',
    'submission.not-own-from': 'You may not write in the name of the address in From',
    'submission.bad-from': 'There must be one From field with an address',
  }[reason];
  const answer = reason === 'submission.bad-from' ? reply(550, '5.6.0', text) : reply(550, '5.7.1', text);
  return { kind: 'refuse', reply: answer, reason };
}
