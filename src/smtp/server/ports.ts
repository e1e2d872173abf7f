/**
 * What a receiving session needs from the rest of the server. Whoever composes it gives these; the session knows nothing
 * else of accounts, queues, or checks. A port that throws has met a fault of the world: the client hears 451 and may try
 * again. Answers may come at once or as a promise; at once is faster, and the session then stays synchronous.
 */
import type { Principal } from '../../auth/principal.ts';
import type { Result } from '../../base/result.ts';
import type { Endpoint, TlsInfo } from '../../base/connection.ts';
import type { Hold } from '../../queue/queue.ts';
import type { HelloVerb } from '../wire/command.ts';
import type { MailParameters, RcptParameters } from '../wire/parameter.ts';
import type { ForwardPath, ReversePath } from '../wire/path.ts';
import type { Reply } from '../wire/reply.ts';
import type { SmtpRole } from './role.ts';

export type MaybePromise<Value> = Value | Promise<Value>;

/** How the client greeted. */
export type Hello = { readonly verb: HelloVerb; readonly domain: string };

/** What is known of the session now. A new object whenever something of it changes. */
export type SessionFacts = {
  readonly sessionId: string;
  readonly role: SmtpRole;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly hello: Hello | undefined;
  readonly tls: TlsInfo | undefined;
  readonly principal: Principal | undefined;
  /** The client spoke before it was greeted (RFC 5321 §4.3.1 forbids it): a mark of spam software. */
  readonly earlyTalker: boolean;
  /** The host at the other end may speak for other clients, whoever `remote` is by now. */
  readonly isForwarder: boolean;
  /** XCLIENT was said: `remote` is the client that the forwarder stands for, and this is what else it said of it. */
  readonly standsFor: StandIn | undefined;
  /** XFORWARD was said: where the next message came from before, for traces. */
  readonly forwarded: ForwardedClient | undefined;
};

export type StandIn = {
  /** The name that the client's address has in the DNS. */
  readonly name?: string | undefined;
  /** What the client said in EHLO or HELO; it counts instead of what the forwarder says there. */
  readonly helo?: string | undefined;
  /** Whether the client said EHLO. */
  readonly isExtended?: boolean;
  /** Whom the forwarder has let in. */
  readonly principal?: Principal | undefined;
};

export type ForwardedClient = {
  readonly name: string | undefined;
  /** Undefined: the message began at the forwarder's host itself. */
  readonly address: string | undefined;
  readonly helo: string | undefined;
  /** The id that the message had there. */
  readonly ident: string | undefined;
};

export type AcceptedRecipient = {
  readonly forwardPath: ForwardPath;
  readonly parameters: RcptParameters;
  /** A check lets this one be accepted and get nothing. */
  readonly isDiscarded?: true;
};

/** One mail transaction, from MAIL on. `recipients` are those accepted so far, in the order of their RCPT. */
export type TransactionFacts = {
  /** The id of this message everywhere: replies, logs, Received, queue, DSN. */
  readonly traceId: string;
  readonly startedAtMs: number;
  readonly reversePath: ReversePath;
  readonly parameters: MailParameters;
  readonly recipients: readonly AcceptedRecipient[];
};

/** A no, with what the client is told (4xx: try again; 5xx: do not) and a stable reason code for traces and metrics. */
export type Refusal = { readonly kind: 'refuse'; readonly reply: Reply; readonly reason: string };

export interface RecipientVerifier {
  /** At RCPT: is there such a recipient, and may this client send to it? Relaying is refused here. */
  verify(
    forwardPath: ForwardPath,
    transaction: TransactionFacts,
    session: SessionFacts,
  ): MaybePromise<RecipientVerdict>;
}

export type RecipientVerdict = { readonly kind: 'accept' } | Refusal;

/** What VRFY and EXPN are told of an address (RFC 5321 §3.5). */
export type AddressAnswer =
  /** Mailboxes here, or where mail for it goes on to; more than one for a list. */
  | { readonly kind: 'found'; readonly addresses: readonly string[] }
  /** Somebody else's domain, or one mailbox of a domain that takes everything: only delivery can tell. */
  | { readonly kind: 'unverifiable' }
  | { readonly kind: 'unknown' };

export interface AddressQueries {
  find(address: string, session: SessionFacts): MaybePromise<AddressAnswer>;
}

export interface Intake {
  /** Called once for each message, before its first octet. */
  begin(transaction: TransactionFacts, session: SessionFacts): MaybePromise<MessageSink>;
}

/**
 * Takes one message. `write` any number of times, then exactly one of `commit` and `abort`; `abort` also after a `write` or
 * `commit` that threw.
 */
export interface MessageSink {
  /**
   * Content as received, dots unstuffed, nothing else changed. The octets belong to the sink from now on.
   *
   * @returns undefined, or a promise to wait for before the next write
   */
  write(octets: Uint8Array): Promise<void> | undefined;

  /** Resolves only when the message is on stable storage together with the record that will deliver it. */
  commit(message: CompleteMessage): MaybePromise<CommitOutcome>;

  abort(): void;
}

export type CompleteMessage = {
  /** Its recipients are those that get the message. */
  readonly transaction: TransactionFacts;
  readonly session: SessionFacts;
  /** The queue is to keep it back, for this reason. */
  readonly hold: Hold | undefined;
  /** Fields put before the content: what checks added, then Received. Each ends in CRLF. */
  readonly prefix: Uint8Array;
  readonly octets: number;
};

export type CommitOutcome =
  | { readonly kind: 'accepted' }
  | Refusal
  /** LMTP: one for each accepted recipient, in order (RFC 2033 §4.2). */
  | { readonly kind: 'each'; readonly outcomes: readonly ({ readonly kind: 'accepted' } | Refusal)[] };

/**
 * What the checks of a stage come to. At `message`, `fields` are header fields for the message's prefix, whole lines with
 * CRLF, and `hold` keeps it back. 'discard' is for `recipient`, who is accepted and gets nothing, and for `message`.
 */
export type Verdict =
  | { readonly kind: 'accept'; readonly fields?: string; readonly hold?: Hold | undefined }
  | { readonly kind: 'discard'; readonly reason: string }
  | Refusal;

/**
 * The checks of one session, by stage. A stage that is left out accepts. Each is called after the session's own rules have
 * let the command pass; `recipient` also after {@link RecipientVerifier}.
 */
export interface Policy {
  /** Before the greeting. */
  connect?(session: SessionFacts): MaybePromise<Verdict>;
  hello?(session: SessionFacts): MaybePromise<Verdict>;
  /** The client has proved who it is, and has not heard so yet. */
  auth?(session: SessionFacts): MaybePromise<Verdict>;
  mail?(transaction: TransactionFacts, session: SessionFacts): MaybePromise<Verdict>;
  recipient?(
    recipient: AcceptedRecipient,
    transaction: TransactionFacts,
    session: SessionFacts,
  ): MaybePromise<Verdict>;
  /** At DATA or the first BDAT or BURL, before any content. */
  data?(transaction: TransactionFacts, session: SessionFacts): MaybePromise<Verdict>;
  /** Directly behind `data`: what is to see each piece of the content, before it is the sink's. */
  reader?(transaction: TransactionFacts, session: SessionFacts): ((octets: Uint8Array) => void) | undefined;
  /**
   * The content is complete and not yet committed.
   *
   * @param header the content up to its first empty line, at most LIMITS.headerOctetsMax of it
   */
  message?(
    header: Uint8Array,
    octets: number,
    transaction: TransactionFacts,
    session: SessionFacts,
  ): MaybePromise<Verdict>;
  /** In a long session: so many more commands have come. A refusal ends it. */
  commands?(count: number, session: SessionFacts): MaybePromise<Verdict>;
  /** A command was answered 4xx or 5xx: how long that answer is kept back, in milliseconds. */
  refused?(refusal: { readonly verb: string; readonly code: number }, session: SessionFacts): number;
  /** Once, whatever the session ended by. */
  disconnect?(session: SessionFacts, activity: SessionActivity): void;
}

/** What a session did, at its end. */
export type SessionActivity = {
  readonly commands: number;
  readonly messages: number;
  readonly octetsReceived: number;
};

/** Content that is in a mailbox already. RFC 4468. */
export type UrlContents = {
  /** Behind BURL in the answer to EHLO, once somebody has signed in (RFC 4468 §3.3). */
  readonly offer: readonly string[];
  /** What a URL gives to this submitter. Throws for a fault of the world, also while it is read. */
  open(url: string, principal: Principal): Promise<Result<UrlContent, UrlProblem>>;
};

export type UrlContent = { readonly octets: number; read(): AsyncIterable<Uint8Array> };

export type UrlProblem =
  /** Of a server, or in a form, that nobody here fetches from. */
  { readonly kind: 'not-trusted' } | { readonly kind: 'not-authorized' } | { readonly kind: 'not-found' };
