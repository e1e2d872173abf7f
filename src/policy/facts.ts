/**
 * What a check is told. Facts only: no connection, no store, no way to answer but its verdict. The shapes are those of the
 * SMTP session's own facts, as far as checks need them; the session is not imported.
 */
import type { Principal } from '../auth/principal.ts';
import type { Endpoint } from '../base/connection.ts';
import type { Field } from '../message/header.ts';
import { parseHeaderOctets } from '../message/header.ts';
import type { MailParameters, RcptParameters } from '../smtp/wire/parameter.ts';
import type { ForwardPath, ReversePath } from '../smtp/wire/path.ts';
import type { AccountId } from '../store/ids.ts';

/** What is known of the session now. */
export type SessionFacts = {
  readonly sessionId: string;
  /** `pickup`: no session, but mail that a program of this machine left by `sendmail`. */
  readonly role: { readonly name: 'relay' | 'submission' | 'lmtp' | 'pickup' };
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly hello: { readonly verb: string; readonly domain: string } | undefined;
  readonly tls: { readonly protocol: string; readonly cipher: string } | undefined;
  readonly principal: Principal | undefined;
  /** The client spoke before it was greeted (RFC 5321 §4.3.1). */
  readonly earlyTalker: boolean;
  /** Of a `pickup`: whose program it was, as the system says. */
  readonly localUser?: { readonly uid: number; readonly name: string } | undefined;
};

export type RecipientFacts = { readonly forwardPath: ForwardPath; readonly parameters: RcptParameters };

/** One mail transaction, from MAIL on. */
export type TransactionFacts = {
  readonly traceId: string;
  readonly startedAtMs: number;
  readonly reversePath: ReversePath;
  readonly parameters: MailParameters;
  /** Those accepted so far, in the order of their RCPT. */
  readonly recipients: readonly RecipientFacts[];
};

/** The message, when all of it has come. */
export class MessageFacts {
  /** The content up to its first empty line, at most LIMITS.headerOctetsMax of it. */
  readonly header: Uint8Array;
  /** Of the content as it was received. */
  readonly octets: number;
  /** What checks before this one have tagged the message with. */
  readonly tags: ReadonlySet<string>;
  #fields: readonly Field[] | undefined;

  constructor(header: Uint8Array, octets: number, tags: ReadonlySet<string>) {
    this.header = header;
    this.octets = octets;
    this.tags = tags;
  }

  /** The header's fields; parsed once, by whoever asks first. */
  get fields(): readonly Field[] {
    return (this.#fields ??= parseHeaderOctets(this.header));
  }
}

/** What a session did, told at its end. */
export type SessionActivity = {
  readonly commands: number;
  readonly messages: number;
  readonly octetsReceived: number;
};

/** One recipient in one attempt to deliver. */
export type DeliveryFacts = {
  /** The message's trace id. */
  readonly queueId: string;
  readonly reversePath: string | null;
  readonly forwardPath: string;
  readonly route: { readonly kind: 'local' | 'remote' };
  /** Of the content, as it is kept. */
  readonly octets: number;
  readonly arrivedAtMs: number;
  /** Who submitted it, where somebody did. */
  readonly account: AccountId | undefined;
};

export type DeliveryResult = {
  readonly kind: 'delivered' | 'relayed' | 'delayed' | 'failed' | 'held' | 'dropped';
  /** Stable reason code; undefined where there is nothing to say. */
  readonly reason: string | undefined;
};
