/** The port by which sessions of every protocol let people in: what is offered now, and who judges. */
import type { Endpoint, TlsInfo } from '../base/connection.ts';
import type { SaslVerifier } from '../sasl/converse.ts';
import type { SaslChannel, SaslMechanism, SaslMechanismName } from '../sasl/mechanism.ts';
import { offeredMechanisms } from '../sasl/registry.ts';
import type { AuthProblem, Principal } from './principal.ts';

export type SignIn = {
  /** What the operator and the state of the directory allow at this moment. */
  allowed(): ReadonlySet<SaslMechanismName>;
  /** For a challenge: nobody can foresee it. Printable ASCII without commas. */
  nonce(): string;
  /** Judges those who come from `remote`. Throws `Fault` where the directory cannot be asked. */
  verifier(remote: Endpoint): SaslVerifier<Principal, AuthProblem>;
};

/** What is offered on a connection as it is now. */
export function offeredOn(signIn: SignIn, tls: TlsInfo | undefined): readonly SaslMechanism[] {
  return offeredMechanisms(signIn.allowed(), channelOf(tls));
}

export function channelOf(tls: TlsInfo | undefined): SaslChannel {
  const der = tls?.peerCertificate;
  return {
    isPrivate: tls !== undefined,
    bindings: tls?.channelBindings() ?? new Map<string, Uint8Array>(),
    peerCertificate:
      tls === undefined || der === undefined ? undefined : { der, isVerified: tls.peerVerified },
  };
}
