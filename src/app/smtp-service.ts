/** Proves who a client is, for SMTP and whoever else takes SASL. */
import type { Directory } from '../auth/directory.ts';
import type { Principal, Scope } from '../auth/principal.ts';
import type { Endpoint } from '../base/connection.ts';
import { err, type Result } from '../base/result.ts';
import type { AuthProblem } from '../auth/principal.ts';
import type { SaslClaim } from '../sasl/mechanism.ts';
import type { Authenticator } from '../smtp/server/ports.ts';

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
