/** The port by which sessions of every protocol let people in: what is offered now, and who judges. */
import type { Endpoint, TlsInfo } from '../base/connection.ts';
import type { Result } from '../base/result.ts';
import type { SaslVerifier } from '../sasl/converse.ts';
import type {
  SaslChannel,
  SaslMechanism,
  SaslMechanismName,
  SaslServerContext,
  TokenHints,
} from '../sasl/mechanism.ts';
import { offeredMechanisms } from '../sasl/registry.ts';
import type { AuthProblem, Principal } from './principal.ts';

export type SignIn = {
  /** What the operator and the state of the directory allow at this moment. */
  allowed(): ReadonlySet<SaslMechanismName>;
  /** For a challenge: nobody can foresee it. Printable ASCII without commas. */
  nonce(): string;
  readonly tokenHints: TokenHints;
  /** Judges those who come from `remote`. Throws `Fault` where the directory cannot be asked. */
  verifier(remote: Endpoint): SaslVerifier<Principal, AuthProblem>;
  /** Somebody whom a host that the operator trusts has let in: no password is asked for. Throws as `verifier`'s does. */
  vouchedFor(name: string): Promise<Result<Principal, AuthProblem>>;
};

/** What is offered on a connection as it is now. */
export function offeredOn(signIn: SignIn, tls: TlsInfo | undefined): readonly SaslMechanism[] {
  return offeredMechanisms(signIn.allowed(), channelOf(signIn, tls));
}

/** What an exchange is begun with there. */
export function contextOf(signIn: SignIn, tls: TlsInfo | undefined): SaslServerContext {
  return { channel: channelOf(signIn, tls), nonce: () => signIn.nonce(), tokenHints: signIn.tokenHints };
}

function channelOf(signIn: SignIn, tls: TlsInfo | undefined): SaslChannel {
  if (tls === undefined) return IN_PLAIN;
  const { peerCertificate: der, peerVerified: isVerified } = tls;
  // Whoever is not offered to bind is right to say so (RFC 5802 §6): then there is nothing to bind to.
  const isBindable = BOUND.some((name) => signIn.allowed().has(name));
  return {
    isPrivate: true,
    bindings: isBindable ? tls.channelBindings() : NO_BINDINGS,
    peerCertificate: der === undefined ? undefined : { der, isVerified },
  };
}

const BOUND: readonly SaslMechanismName[] = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS'];
const NO_BINDINGS: SaslChannel['bindings'] = new Map();
const IN_PLAIN: SaslChannel = { isPrivate: false, bindings: NO_BINDINGS, peerCertificate: undefined };
