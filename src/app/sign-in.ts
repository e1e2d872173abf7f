/** Lets sessions sign people in: claims of every kind go to the directory, and what is offered follows its state. */
import type { Directory } from '../auth/directory.ts';
import type { AuthProblem, Principal, Scope } from '../auth/principal.ts';
import type { SignIn } from '../auth/sign-in.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import type { Turn } from '../auth/turn.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { unreachable } from '../base/unreachable.ts';
import type { Config } from '../config/config.ts';
import { certificateNames } from '../net/certificate-names.ts';
import { encodeBase64 } from '../sasl/base64.ts';
import type { SaslAccepted } from '../sasl/converse.ts';
import type { SaslClaim, SaslMechanismName } from '../sasl/mechanism.ts';

const NONCE_OCTETS = 18;
/** How often the directory is asked whether everybody has keys, until everybody has. */
const READY_CHECK_MS = 60_000;

const SCRAM: readonly SaslMechanismName[] = ['SCRAM-SHA-256', 'SCRAM-SHA-1'];
const PLAIN: readonly SaslMechanismName[] = ['PLAIN', 'LOGIN'];
const TOKEN: readonly SaslMechanismName[] = ['OAUTHBEARER', 'XOAUTH2'];
const BOUND: readonly SaslMechanismName[] = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS'];

export type SignInOptions = {
  readonly config: Pick<Config, 'signIn' | 'oauth'>;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  /** Where another authority's tokens let in. */
  readonly tokens?: TokenVerifier | undefined;
  readonly onFault: (cause: unknown) => void;
};

/** What is offered, for all protocols of one thread. */
export class SignInOffer {
  readonly #options: SignInOptions;
  readonly #withScram: ReadonlySet<SaslMechanismName>;
  readonly #withoutScram: ReadonlySet<SaslMechanismName>;
  #isReady: boolean;
  #checkedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SignInOptions) {
    const { plain, scram, channelBinding } = options.config.signIn;
    const others: readonly SaslMechanismName[] = [
      'EXTERNAL',
      ...(options.tokens === undefined ? [] : TOKEN),
      ...(plain ? PLAIN : []),
    ];
    this.#options = options;
    this.#withScram = new Set([...SCRAM, ...(channelBinding ? BOUND : []), ...others]);
    this.#withoutScram = new Set(others);
    this.#isReady = scram === 'always';
  }

  /** As it was found lately; never waits. */
  allowed(): ReadonlySet<SaslMechanismName> {
    if (!this.#isReady) void this.check();
    return this.#isReady ? this.#withScram : this.#withoutScram;
  }

  /** Asks the directory, where that is due. */
  async check(): Promise<void> {
    const { config, clock, directory, onFault } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#isReady || config.signIn.scram !== 'when-ready' || nowMs - this.#checkedMs < READY_CHECK_MS)
      return;
    this.#checkedMs = nowMs;
    try {
      // What is ready stays so: whoever is added, or sets a password, gets keys at once.
      const [waitedFor] = await directory.accountsWithoutScram({ after: undefined, limit: 1 });
      this.#isReady = waitedFor === undefined;
    } catch (cause) {
      onFault(cause);
    }
  }

  /** For one protocol. */
  signIn(scope: Scope): SignIn {
    const { directory, random, tokens, config } = this.#options;
    const { scope: tokenScope, openidConfiguration } = config.oauth ?? {};
    return {
      allowed: () => this.allowed(),
      nonce: () => encodeBase64(random.octets(NONCE_OCTETS)),
      tokenHints: {
        ...(tokenScope === undefined ? {} : { scope: tokenScope }),
        ...(openidConfiguration === undefined ? {} : { openidConfiguration }),
      },
      vouchedFor: async (name) => {
        const account = await directory.accountByAddress(name);
        if (account === undefined) return err({ kind: 'refused' });
        const { id, address, disabled } = account;
        return disabled
          ? err({ kind: 'disabled' })
          : ok({ account: id, address, authenticationId: name, appPassword: undefined });
      },
      verifier: (remote) => ({
        salt: async (hash, authenticationId) => directory.authentication.scramSalt(authenticationId, hash),
        isWithClaim: ({ kind }) => kind !== 'throttled',
        verify: async (claim) => verifyClaim({ directory, tokens }, claim, scope, remote.address),
      }),
    };
  }
}

type Judges = Pick<SignInOptions, 'directory' | 'tokens'>;

/** Checks a claim for a protocol: nobody acts for another account yet, so an authorization identity must be one's own. */
export async function verifyClaim(
  judges: Judges,
  claim: SaslClaim,
  scope: Scope,
  source: string,
): Promise<Result<SaslAccepted<Principal>, AuthProblem>> {
  const accepted = await judge(judges, claim, scope, source);
  // Who holds a certificate or a token was looked for by this identity.
  const isLookedFor = claim.kind === 'certificate' || claim.kind === 'token';
  if (!accepted.ok || isLookedFor || claim.authorizationId === '') return accepted;
  const other = await judges.directory.accountByAddress(claim.authorizationId);
  return other?.id === accepted.value.identity.account ? accepted : err({ kind: 'refused' });
}

async function judge(
  { directory, tokens }: Judges,
  claim: SaslClaim,
  scope: Scope,
  source: string,
): Promise<Result<SaslAccepted<Principal>, AuthProblem>> {
  switch (claim.kind) {
    case 'password':
      return withoutProof(
        await directory.authenticate(claim.authenticationId, claim.password, scope, source),
      );
    case 'scram': {
      const answer = await directory.authentication.byProof(claim, scope, source);
      if (!answer.ok) return answer;
      return ok({ identity: answer.value.principal, serverSignature: answer.value.serverSignature });
    }
    case 'certificate': {
      const names = certificateNames(claim.certificate);
      return withoutProof(await directory.authentication.byCertificate(names, claim.authorizationId, source));
    }
    case 'token': {
      const { token, authorizationId } = claim;
      const vouch = async (turn: Turn): Promise<string | undefined> => tokens?.(token, turn);
      return withoutProof(await directory.authentication.byToken(authorizationId, vouch, source));
    }
    default:
      return unreachable(claim);
  }
}

function withoutProof(answer: Result<Principal, AuthProblem>): Result<SaslAccepted<Principal>, AuthProblem> {
  return answer.ok ? ok({ identity: answer.value, serverSignature: undefined }) : answer;
}
