/** A way in for sessions under test: names with passwords, by PLAIN, LOGIN and SCRAM; the holder of any certificate is `certified`. */
import { pbkdf2Sync } from 'node:crypto';
import type { AuthProblem, Principal } from '../../src/auth/principal.ts';
import type { SignIn } from '../../src/auth/sign-in.ts';
import { err, ok } from '../../src/base/result.ts';
import type { Result } from '../../src/base/result.ts';
import type { SaslAccepted } from '../../src/sasl/converse.ts';
import type { SaslClaim, SaslMechanismName, ScramSalt } from '../../src/sasl/mechanism.ts';
import { MECHANISMS } from '../../src/sasl/registry.ts';
import { digestOf, isProofOf, SCRAM_OCTETS, serverSignature, toScramKey } from '../../src/sasl/scram-key.ts';

export const SALT: ScramSalt = { salt: Buffer.from('salt'), iterations: 4096 };

export type SignInOptions = {
  readonly password: string;
  readonly principals: ReadonlyMap<string, Principal>;
  readonly certified?: Principal;
  /** Whose holder may be anybody. */
  readonly token?: string;
  readonly allowed?: readonly SaslMechanismName[];
  /** Instead of any answer. */
  readonly problem?: AuthProblem;
  /** Thrown instead of any answer. */
  readonly fault?: Error;
};

export function signInWith(options: SignInOptions): SignIn {
  const allowed = new Set(options.allowed ?? MECHANISMS.map(({ name }) => name));
  return {
    allowed: () => allowed,
    nonce: () => 'server-nonce',
    tokenHints: {},
    vouchedFor: async (name) => {
      const { fault, problem, principals } = options;
      if (fault !== undefined) throw fault;
      const principal = principals.get(name);
      return principal === undefined || problem !== undefined
        ? err(problem ?? { kind: 'refused' })
        : ok(principal);
    },
    verifier: () => ({
      salt: async () => SALT,
      isWithClaim: ({ kind }) => kind !== 'throttled',
      verify: async (claim) => verify(claim, options),
    }),
  };
}

async function verify(
  claim: SaslClaim,
  options: SignInOptions,
): Promise<Result<SaslAccepted<Principal>, AuthProblem>> {
  const { password, principals, certified, problem, fault } = options;
  if (fault !== undefined) throw fault;
  if (problem !== undefined) return err(problem);
  if (claim.kind === 'token') {
    const named = principals.get(claim.authorizationId);
    return named !== undefined && claim.token === options.token
      ? ok({ identity: named, serverSignature: undefined })
      : err({ kind: 'refused' });
  }
  if (claim.kind === 'certificate')
    return certified === undefined
      ? err({ kind: 'refused' })
      : ok({ identity: certified, serverSignature: undefined });
  const identity = principals.get(claim.authenticationId);
  if (identity === undefined) return err({ kind: 'refused' });
  if (claim.kind === 'password')
    return claim.password === password
      ? ok({ identity, serverSignature: undefined })
      : err({ kind: 'refused' });
  const { hash } = claim;
  // At once: who hears what a session says waits for some turns of the event loop only.
  const salted = pbkdf2Sync(password, SALT.salt, SALT.iterations, SCRAM_OCTETS[hash], digestOf(hash));
  const key = toScramKey(hash, SALT, salted);
  return isProofOf(key, claim.authMessage, claim.proof)
    ? ok({ identity, serverSignature: serverSignature(key, claim.authMessage) })
    : err({ kind: 'refused' });
}
