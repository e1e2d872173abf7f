/** Who is logged in. Authentication and authorization identity are two things (RFC 4422 §3.4.1). */
import type { AccountId } from '../store/ids.ts';

/** What a credential may be used for; an account's own password may everything. */
export type Scope = 'imap' | 'pop3' | 'smtp' | 'managesieve' | 'http';

export type Principal = {
  /** The account's primary address, normalised. */
  readonly address: string;
  readonly account: AccountId;
  /** As the client gave it, for traces. */
  readonly authenticationId: string;
  /** `undefined`: by the account's own password, or a certificate. */
  readonly appPassword: string | undefined;
};

/** Every refusal looks alike to the peer; the kinds are for events. */
export type AuthProblem =
  | { readonly kind: 'refused' }
  | { readonly kind: 'not-in-scope' }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'throttled' };
