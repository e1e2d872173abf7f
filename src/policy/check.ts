/**
 * A check: a small module with a stable name that looks at one or more stages of a session or of a delivery and says what
 * it thinks. Which verdict then counts is the pipeline's business. The stages and all rules: docs/policy.md.
 */
import type {
  DeliveryFacts,
  DeliveryResult,
  MessageFacts,
  RecipientFacts,
  SessionActivity,
  SessionFacts,
  TransactionFacts,
} from './facts.ts';
import type { Verdict } from './verdict.ts';

export type MaybePromise<Value> = Value | Promise<Value>;

/** Looks at one message's content while it passes. */
export type ContentReader = {
  /** A piece as it was received, dots unstuffed. Read it, keep no reference to it. Must not throw. */
  push(octets: Uint8Array): void;
  /** All of it has come: the verdict. Not called for a message that was given up. */
  end(message: MessageFacts, transaction: TransactionFacts, session: SessionFacts): MaybePromise<Verdict>;
};

/** What a command was answered: its verb ('' of none), and the code, 4xx or 5xx. */
export type CommandRefusal = { readonly verb: string; readonly code: number };

/** Where a verdict was given. */
export type Stage =
  | 'connect'
  | 'hello'
  | 'auth'
  | 'mail'
  | 'recipient'
  | 'data'
  | 'message'
  | 'before-delivery'
  | 'after-delivery'
  | 'commands'
  | 'disconnect';

/**
 * A stage that is left out accepts. Stages are called in the order of the protocol; answering at once keeps the session
 * synchronous. A check that throws, or that takes longer than its deadline, is an event, and then counts as `onFault` says.
 */
export type Check = {
  /** Lower case, with hyphens: in events, metrics and traces. */
  readonly name: string;
  /** 'closed', the default: what could not be checked is deferred. 'open': it passes. */
  readonly onFault?: 'open' | 'closed';
  /** Left out: LIMITS.policyCheckMs. */
  readonly deadlineMs?: number;

  /** Before the greeting. */
  connect?(session: SessionFacts): MaybePromise<Verdict>;
  hello?(session: SessionFacts): MaybePromise<Verdict>;
  /** The client has proved who it is; `session.principal` is there. */
  auth?(session: SessionFacts): MaybePromise<Verdict>;
  mail?(transaction: TransactionFacts, session: SessionFacts): MaybePromise<Verdict>;
  /** The recipient exists and may be sent to by this client. */
  recipient?(
    recipient: RecipientFacts,
    transaction: TransactionFacts,
    session: SessionFacts,
  ): MaybePromise<Verdict>;
  /** Before any content. */
  data?(transaction: TransactionFacts, session: SessionFacts): MaybePromise<Verdict>;
  /** At the same moment, for a check that wants to see the content. Undefined: not of this message. */
  read?(transaction: TransactionFacts, session: SessionFacts): ContentReader | undefined;
  /** The content is complete and not yet committed. */
  message?(
    message: MessageFacts,
    transaction: TransactionFacts,
    session: SessionFacts,
  ): MaybePromise<Verdict>;
  /** In a long session, again and again: so many more commands have come. A refusal ends it. */
  commands?(count: number, session: SessionFacts): MaybePromise<Verdict>;
  /** A command was refused, by whomever: how long to keep the answer back, in milliseconds. */
  refused?(refusal: CommandRefusal, session: SessionFacts): number;
  disconnect?(session: SessionFacts, activity: SessionActivity): void;

  /** For each recipient of each attempt. Refused is failed for good, deferred is tried again, discarded is dropped. */
  beforeDelivery?(delivery: DeliveryFacts): MaybePromise<Verdict>;
  afterDelivery?(delivery: DeliveryFacts, result: DeliveryResult): void;
};
