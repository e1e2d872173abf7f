/**
 * SASL (RFC 4422) as pure exchanges: octets of the client in, a step out. An exchange holds no connection, no clock and
 * no directory. What a mechanism wants checked it hands out as a claim; the driver (SMTP AUTH, IMAP AUTHENTICATE …) has
 * it verified. One mechanism, one file; a mechanism that must look something up adds its own kind of claim.
 */

/** Who says to be whom, and by what proof. Later mechanisms add kinds: a token, a certificate, a SCRAM proof. */
export type SaslClaim = {
  readonly kind: 'password';
  readonly mechanism: SaslMechanismName;
  /** The identity to act as; empty means the one that authenticates (RFC 4422 §3.4.1). */
  readonly authorizationId: string;
  readonly authenticationId: string;
  readonly password: string;
};

export type SaslMechanismName = 'PLAIN' | 'LOGIN';

/** What the server does next. After 'claim' and 'malformed' the exchange is over. */
export type SaslServerStep =
  | { readonly kind: 'challenge'; readonly octets: Uint8Array }
  | { readonly kind: 'claim'; readonly claim: SaslClaim }
  | { readonly kind: 'malformed'; readonly detail: string };

/** The server's side of one exchange. */
export interface SaslServerExchange {
  /**
   * Called first with the initial response, or undefined where the client sent none; then once with each response.
   *
   * @param response decoded octets; an empty response is not undefined
   */
  step(response: Uint8Array | undefined): SaslServerStep;
}

/** The client's side: the first response, then one response for each challenge; undefined gives up. */
export interface SaslClientExchange {
  readonly mechanism: SaslMechanismName;
  /** Undefined where the server speaks first. */
  initial(): Uint8Array | undefined;
  respond(challenge: Uint8Array): Uint8Array | undefined;
}

export type SaslMechanism = {
  readonly name: SaslMechanismName;
  /** The secret crosses the wire as it is: only offered under TLS. */
  readonly revealsSecret: boolean;
  server(): SaslServerExchange;
};

export type SaslCredentials = {
  readonly authorizationId?: string;
  readonly authenticationId: string;
  readonly password: string;
};
