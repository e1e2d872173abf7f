/**
 * Takes one exchange to its end, for every protocol: the protocol carries challenges and responses, whoever keeps
 * accounts gives salts and judges claims. Source: RFC 4422 §3.
 */
import type { Result } from '../base/result.ts';
import { unreachable } from '../base/unreachable.ts';
import type { SaslClaim, SaslServerStep, ScramHash, ScramSalt } from './mechanism.ts';

/** A claim that holds. `serverSignature` where the client waits for a proof of the server. */
export type SaslAccepted<Identity> = {
  readonly identity: Identity;
  readonly serverSignature: Uint8Array | undefined;
};

export type SaslVerifier<Identity, Problem> = {
  /** An answer for every name, whether or not it is anybody's. */
  salt(hash: ScramHash, authenticationId: string): Promise<ScramSalt>;
  /** Whatever is wrong takes equally long. */
  verify(claim: SaslClaim): Promise<Result<SaslAccepted<Identity>, Problem>>;
  /** Whether the problem is with the claim: else the client hears nothing of what may be wrong with it. */
  isWithClaim(problem: Problem): boolean;
};

/**
 * Sends a challenge and gives the response, decoded; or what stopped the exchange, in the words of the protocol.
 */
export type SaslTalk<Stop> = (challenge: Uint8Array) => Promise<Uint8Array | { readonly stop: Stop }>;

export type SaslEnd<Identity, Problem, Stop> =
  | { readonly kind: 'accepted'; readonly identity: Identity }
  | { readonly kind: 'problem'; readonly problem: Problem }
  | { readonly kind: 'stopped'; readonly stop: Stop }
  | { readonly kind: 'malformed'; readonly detail: string }
  | { readonly kind: 'refused'; readonly reason: string };

export async function converse<Identity, Problem, Stop>(
  begin: SaslServerStep,
  talk: SaslTalk<Stop>,
  verifier: SaslVerifier<Identity, Problem>,
): Promise<SaslEnd<Identity, Problem, Stop>> {
  let step = begin;
  let identity: { readonly of: Identity } | undefined;
  let problem: { readonly of: Problem } | undefined;
  for (;;) {
    switch (step.kind) {
      case 'challenge': {
        const response = await talk(step.octets);
        if ('stop' in response) return { kind: 'stopped', stop: response.stop };
        step = step.next(response);
        break;
      }
      case 'salt-wanted':
        step = step.next(await verifier.salt(step.hash, step.authenticationId));
        break;
      case 'claim': {
        const verdict = await verifier.verify(step.claim);
        if (!verdict.ok) {
          if (step.refused === undefined || !verifier.isWithClaim(verdict.error))
            return { kind: 'problem', problem: verdict.error };
          problem = { of: verdict.error };
          step = step.refused();
          break;
        }
        identity = { of: verdict.value.identity };
        const { serverSignature } = verdict.value;
        if (step.accepted === undefined || serverSignature === undefined)
          return { kind: 'accepted', identity: identity.of };
        step = step.accepted(serverSignature);
        break;
      }
      case 'done':
        if (identity === undefined) throw new TypeError('An exchange ended without a claim');
        return { kind: 'accepted', identity: identity.of };
      case 'malformed':
      case 'refused':
        return problem === undefined ? step : { kind: 'problem', problem: problem.of };
      default:
        return unreachable(step);
    }
  }
}
