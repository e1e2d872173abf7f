/**
 * The port to those ways of signing in that are no password: proofs of one, certificates, tokens. Its meaning is
 * `sign-in.contract.ts`. As with passwords, every refusal takes equally long, and failures slow down whoever makes them.
 */
import type { Result } from '../base/result.ts';
import type { ScramClaim, ScramHash, ScramSalt } from '../sasl/mechanism.ts';
import type { AuthProblem, Principal, Scope } from './principal.ts';
import type { Turn } from './turn.ts';

export type Authentication = {
  /** What a client of SCRAM is told of a name: always something, always the same, whether or not it is anybody's. */
  scramSalt(name: string, hash: ScramHash): Promise<ScramSalt>;
  /**
   * By a proof made for the salt of {@link scramSalt}. Costs no slow hash, for anybody.
   *
   * @param source the peer's IP address: failures are counted by it. Without one nothing is throttled
   */
  byProof(claim: ScramClaim, scope: Scope, source?: string): Promise<Result<ScramAccepted, AuthProblem>>;
  /**
   * The holder of a certificate: by its fingerprint, or else by its addresses.
   *
   * @param authorizationId the address that the client wants to be; '' where the certificate says enough
   */
  byCertificate(
    names: CertificateNames,
    authorizationId: string,
    source?: string,
  ): Promise<Result<Principal, AuthProblem>>;
  /**
   * Somebody for whom another authority answers.
   *
   * @param authorizationId as above
   * @param vouch gives the address; asked once, and not where the client is throttled. What it throws goes to the caller
   */
  byToken(
    authorizationId: string,
    vouch: (turn: Turn) => Promise<string | undefined>,
    source?: string,
  ): Promise<Result<Principal, AuthProblem>>;
};

/** What a certificate says of its holder. */
export type CertificateNames = {
  readonly fingerprint: string;
  /** Addresses that an authority vouches for; none where the certificate leads to no authority of ours. */
  readonly addresses: readonly string[];
};

/** SCRAM's proof holds; the server's own is for the client to judge. */
export type ScramAccepted = { readonly principal: Principal; readonly serverSignature: Uint8Array };
