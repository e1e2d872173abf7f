/**
 * SASL (RFC 4422) as pure exchanges: octets of the client in, a step out. An exchange holds no connection, no clock and
 * no directory. What a mechanism must know it asks for by a step; what it wants checked it hands out as a claim; the driver
 * (`converse.ts`, for every protocol) has both answered. A step carries what comes next, so nothing is kept beside it.
 * One mechanism, one file.
 */

/** A hash of the SCRAM family, as its mechanisms name it (RFC 5802 §4, RFC 7677 §3). */
export type ScramHash = 'SHA-1' | 'SHA-256';

export type ScramMechanismName = `SCRAM-${ScramHash}` | `SCRAM-${ScramHash}-PLUS`;

export type TokenMechanismName = 'OAUTHBEARER' | 'XOAUTH2';

export type SaslMechanismName = 'PLAIN' | 'LOGIN' | 'EXTERNAL' | ScramMechanismName | TokenMechanismName;

type Identities = {
  /** The identity to act as; empty means the one that authenticates (RFC 4422 §3.4.1). */
  readonly authorizationId: string;
  readonly authenticationId: string;
};

export type PasswordClaim = Identities & {
  readonly kind: 'password';
  readonly mechanism: 'PLAIN' | 'LOGIN';
  readonly password: string;
};

/** A proof that the client knows the password, for the salt and iterations that it was told. */
export type ScramClaim = Identities & {
  readonly kind: 'scram';
  readonly mechanism: ScramMechanismName;
  readonly hash: ScramHash;
  readonly salt: ScramSalt;
  /** RFC 5802 §3: AuthMessage. */
  readonly authMessage: string;
  readonly proof: Uint8Array;
};

/** Whoever holds the key of a certificate that was shown in the handshake. */
export type CertificateClaim = {
  readonly kind: 'certificate';
  readonly mechanism: 'EXTERNAL';
  readonly authorizationId: string;
  readonly certificate: ChannelCertificate;
};

/** A bearer token (RFC 6750) that another authority gave the client. */
export type TokenClaim = {
  readonly kind: 'token';
  readonly mechanism: TokenMechanismName;
  readonly authorizationId: string;
  readonly token: string;
};

/** Who says to be whom, and by what proof. */
export type SaslClaim = PasswordClaim | ScramClaim | CertificateClaim | TokenClaim;

/** What a client hears whose token does not do, so that it can ask for another. Source: RFC 7628 §3.2.2. */
export type TokenHints = {
  readonly scope?: string;
  /** Where the authority describes itself. */
  readonly openidConfiguration?: string;
};

/** What a client must know to prove a password. */
export type ScramSalt = { readonly salt: Uint8Array; readonly iterations: number };

/** The certificate of the other end. */
export type ChannelCertificate = {
  readonly der: Uint8Array;
  /** It leads to an authority that the operator named. Who has its key was proved in any case. */
  readonly isVerified: boolean;
};

/** What the layer below gives to authentication. */
export type SaslChannel = {
  /** Nobody else hears or says anything: TLS. Without it nothing is offered. */
  readonly isPrivate: boolean;
  /** Channel bindings (RFC 5056) by their type. */
  readonly bindings: ReadonlyMap<string, Uint8Array>;
  readonly peerCertificate: ChannelCertificate | undefined;
};

/** What an exchange is begun with. */
export type SaslServerContext = {
  readonly channel: SaslChannel;
  /** Printable ASCII without commas that nobody can foresee. */
  nonce(): string;
  readonly tokenHints: TokenHints;
};

/** What the server does next. After 'malformed' and 'refused', and after a claim that has no `accepted`, it is over. */
export type SaslServerStep =
  | {
      readonly kind: 'challenge';
      readonly octets: Uint8Array;
      /** @param response decoded; an empty one is not undefined */
      readonly next: (response: Uint8Array) => SaslServerStep;
    }
  | {
      readonly kind: 'salt-wanted';
      readonly hash: ScramHash;
      readonly authenticationId: string;
      readonly next: (salt: ScramSalt) => SaslServerStep;
    }
  | {
      readonly kind: 'claim';
      readonly claim: SaslClaim;
      /** Present where the client waits for a proof of the server; called when the claim holds. */
      readonly accepted?: (serverSignature: Uint8Array) => SaslServerStep;
      /** Present where the client is told why not, before the end. */
      readonly refused?: () => SaslServerStep;
    }
  /** The claim held, and the client has heard it. */
  | { readonly kind: 'done' }
  | { readonly kind: 'malformed'; readonly detail: string }
  /** Well formed, and to be refused as a wrong password is; the reason is for events. */
  | { readonly kind: 'refused'; readonly reason: string };

export type SaslMechanism = {
  readonly name: SaslMechanismName;
  /** Whether the channel has what the mechanism needs beside privacy. */
  isPossible(channel: SaslChannel): boolean;
  /** @param initial the initial response, or undefined where the client sent none */
  server(context: SaslServerContext, initial: Uint8Array | undefined): SaslServerStep;
};

/** The client's side: the first response, then one response for each challenge; undefined gives up. */
export interface SaslClientExchange {
  readonly mechanism: SaslMechanismName;
  /** Undefined where the server speaks first. Whoever cannot send it at once answers the first, empty challenge with it. */
  initial(): Uint8Array | undefined;
  respond(challenge: Uint8Array): Promise<Uint8Array | undefined>;
  /** Whether the server has proved what the mechanism lets it prove: a success that comes before is not to be believed. */
  isSatisfied(): boolean;
}

export type SaslCredentials = {
  readonly authorizationId?: string;
  readonly authenticationId: string;
  readonly password: string;
};

/** For mechanisms whose client speaks first: an empty challenge asks for what did not come at once (RFC 4422 §5). */
export function withInitial(
  initial: Uint8Array | undefined,
  next: (response: Uint8Array) => SaslServerStep,
): SaslServerStep {
  return initial === undefined ? { kind: 'challenge', octets: new Uint8Array(), next } : next(initial);
}

export function malformed(detail: string): SaslServerStep {
  return { kind: 'malformed', detail };
}
