/**
 * The port to the queue of accepted messages. Its meaning is `queue.contract.ts`; every state that a queued message can
 * be in, and who moves it on, is in docs/queue.md.
 *
 * A message is accepted by one durable commit; then each of its recipients is settled on its own. Whoever works on a
 * message holds its lease; a lease that runs out (its holder died) makes the message due again, so work is done at least
 * once, and local delivery is idempotent by (queue id, recipient).
 */
import type { Brand } from '../base/brand.ts';
import type { BlobRef } from '../store/blob-store.ts';
import type { AccountId } from '../store/ids.ts';

/** The trace id of the message: one name from the first octet to the last DSN. Letters and digits, sortable by time. */
export type QueueId = Brand<string, 'QueueId'>;

/** RFC 3461 §4.1; an empty list is NEVER; `undefined` was not said. */
export type NotifyOn = readonly ('success' | 'failure' | 'delay')[];

/** Where a recipient goes: decided when it is accepted, and again when it is retried or requeued. */
export type Route =
  | {
      readonly kind: 'local';
      readonly account: AccountId;
      /** `user+detail` */ readonly detail: string | undefined;
    }
  | {
      readonly kind: 'remote';
      /** A-labels, lower case, or an address literal in brackets */ readonly domain: string;
      /** An operator named it: this port of its hosts, whatever routes say. */
      readonly port?: number;
      /** How they are spoken with at that port; left out: SMTP. 'smtps': under TLS from the first octet. */
      readonly speech?: 'smtps' | 'lmtp';
    };

export type NewRecipient = {
  /** RCPT TO as it will be given to the next hop: local part as received, domain in A-labels unless SMTPUTF8. */
  readonly forwardPath: string;
  readonly route: Route;
  readonly notify: NotifyOn | undefined;
  /** RFC 3461 §4.2, as received, undecoded: `rfc822;Bob@example.org`. */
  readonly originalRecipient: string | undefined;
  /**
   * What MAIL and Return-Path say for this recipient where it is not the message's own reverse-path: rewritten for another
   * host (SRS), or tagged with the recipient (VERP).
   */
  readonly reversePath?: string;
  /** The address of ours that leads to this one at another host; a loop is known by it (RFC 9228 §4). */
  readonly forwardedFrom?: string;
};

/** RFC 2852 §4: by when a message is to be delivered, and what becomes of it then. */
export type DeliverBy = {
  readonly byMs: number;
  /** 'return': it has failed. 'notify': its sender is told, and it is tried on. */
  readonly mode: 'return' | 'notify';
  /** The sender wants to hear of each hand-over to another host. */
  readonly trace: boolean;
};

export type NewQueuedMessage = {
  readonly id: QueueId;
  readonly blob: BlobRef;
  /** Trace fields put before the blob's octets for every recipient (Received …); Return-Path is added at final delivery. */
  readonly prefix: Uint8Array;
  /** `null`: the null reverse-path of RFC 5321 §4.5.5. */
  readonly reversePath: string | null;
  readonly body: '7bit' | '8bitmime' | 'binarymime';
  readonly smtpUtf8: boolean;
  /** RFC 3461 §4.3, §4.4. */
  readonly dsn: { readonly ret: 'full' | 'hdrs' | undefined; readonly envid: string | undefined };
  /** RFC 6710 §3: -9 to 9, the highest first; 0 where nothing was said. */
  readonly priority: number;
  /** RFC 8689 §2: REQUIRETLS was said, so it may only travel under TLS, to hosts whose names were verified. */
  readonly requireTls: boolean;
  /** RFC 8689 §3: the field `TLS-Required: No`: better in the clear than not at all. Never together with `requireTls`. */
  readonly tlsOptional: boolean;
  readonly deliverBy: DeliverBy | undefined;
  readonly arrivedAtMs: number;
  /** RFC 4865: no recipient is due before; `undefined`: from its arrival on. */
  readonly releaseAtMs: number | undefined;
  /** RFC 4865 §5.1.2: what was asked for, as a DSN repeats it: `for;3600`, `until;2030-01-01T00:00:00Z`. */
  readonly releaseRequest: string | undefined;
  /** When retrying ends with a DSN of failure. */
  readonly expiresAtMs: number;
  /** Who gave it to us, for traces and the operator. */
  readonly source: {
    readonly kind: 'mx' | 'submission' | 'lmtp' | 'dsn' | 'local';
    readonly remote: string | undefined;
    readonly helo: string | undefined;
    readonly account: AccountId | undefined;
  };
  /** At least one. A recipient's number is its index here, for ever. */
  readonly recipients: readonly NewRecipient[];
  /** Every recipient is held from the first, until it is released; the reason stands as its last answer. */
  readonly hold?: Hold | undefined;
};

/** Why a message is kept back: a stable reason code, and words for the operator. */
export type Hold = { readonly reason: string; readonly text: string };

/** What the last attempt said, word for word where a peer said it. */
export type LastAnswer = {
  readonly atMs: number;
  /** The host that said it, or `undefined` when it was ours. */
  readonly host: string | undefined;
  /** RFC 3463: `4.4.1`. */
  readonly status: string;
  readonly text: string;
  /** A stable reason code: `dns.timeout`, `mailbox.over-quota`, `smtp.refused` … */
  readonly reason: string;
  /** Of the session in which the host said it: `plain`, or version, cipher and by what its certificate was verified. */
  readonly tls?: string;
};

/** Every state of a recipient. `leased` is of the message and lies over `waiting`. See docs/queue.md. */
export type RecipientState =
  | {
      readonly kind: 'waiting';
      readonly dueAtMs: number;
      readonly attempts: number;
      readonly lastAnswer: LastAnswer | undefined;
      /** a delay DSN was sent */ readonly delayReported: boolean;
      /** The operator ended its time: it fails at the next look, without an attempt and with a DSN. */
      readonly expired?: true;
      /** The operator asked for an attempt then: it is made although the destination has not answered before. */
      readonly askedAtMs?: number;
    }
  | {
      readonly kind: 'held';
      /** Why: {@link HELD_BY_OPERATOR}, {@link heldBySuspension}, or the reason code of the rule. */
      readonly reason: string;
      readonly attempts: number;
      readonly lastAnswer: LastAnswer | undefined;
      readonly delayReported: boolean;
    }
  | {
      readonly kind: 'settled';
      readonly outcome: 'delivered' | 'relayed' | 'expanded' | 'failed' | 'dropped';
      readonly atMs: number;
      readonly lastAnswer: LastAnswer | undefined;
    };

export type QueuedRecipient = NewRecipient & { readonly number: number; readonly state: RecipientState };

export type QueuedMessage = Omit<NewQueuedMessage, 'recipients' | 'hold'> & {
  readonly recipients: readonly QueuedRecipient[];
  readonly lease: { readonly owner: string; readonly untilMs: number } | undefined;
};

/**
 * What became of one recipient in one attempt. `delivered` is into a mailbox of ours, where repeating it is harmless; what
 * another host took is `relayed`.
 */
export type Settlement =
  | {
      readonly recipient: number;
      readonly kind: 'delivered' | 'relayed' | 'expanded' | 'failed';
      readonly answer: LastAnswer | undefined;
    }
  /** Kept back by a rule until it is released; or taken out by one, without a DSN. */
  | { readonly recipient: number; readonly kind: 'held' | 'dropped'; readonly answer: LastAnswer }
  | {
      readonly recipient: number;
      readonly kind: 'delayed';
      readonly answer: LastAnswer;
      readonly dueAtMs: number;
      readonly delayReported: boolean;
    }
  /** Its destination is suspended: no attempt. Held as long as the suspension is there, else it stays as it is. */
  | { readonly recipient: number; readonly kind: 'suspended'; readonly scope: SuspensionScope };

/** Matches recipients that are not settled; every field given must hold. */
export type QueueFilter = {
  readonly id?: QueueId;
  readonly state?: 'waiting' | 'held';
  /** Why it is held. */
  readonly hold?: string;
  /** Exact domain of a remote recipient, or of a local recipient's address. */
  readonly domain?: string;
  /** Exact address, compared in lower case. */
  readonly recipient?: string;
  /** Exact reverse-path in lower case; '' is the null reverse-path. */
  readonly sender?: string;
  /** Who submitted it. */
  readonly account?: AccountId;
  /** The address of the client that gave it to us. */
  readonly source?: string;
  readonly arrivedBeforeMs?: number;
  readonly arrivedAfterMs?: number;
  /** Of the blob. */
  readonly octetsMin?: number;
  readonly octetsMax?: number;
  readonly priorityMin?: number;
  readonly priorityMax?: number;
  /** Reason code of the last answer. */
  readonly reason?: string;
  /** The host that said the last answer, compared in lower case (ASCII). */
  readonly host?: string;
  /** Is in the text of the last answer, compared in lower case (ASCII). */
  readonly text?: string;
};

/** What is done to recipients beside their attempts, by the operator but for `wake`. What each does to each state: `progress.ts`. */
export type OperatorAct =
  /** Due now; ends a hold. */
  | { readonly kind: 'retry' }
  /** `reason` left out: {@link HELD_BY_OPERATOR}. */
  | { readonly kind: 'hold'; readonly reason?: string }
  | { readonly kind: 'release' }
  /** Fails at once, without another attempt; who sent it is told. */
  | { readonly kind: 'expire' }
  /** Out of the queue; nobody is told. */
  | { readonly kind: 'drop' }
  /** The worker: what made those wait who last met one of these reasons is over. Due now. */
  | { readonly kind: 'wake'; readonly reasons: readonly string[] };

/** Who comes in the place of a recipient: at least one. */
export type Replacement = { readonly recipient: number; readonly by: readonly NewRecipient[] };

/** The recipients of one message that an act changed. */
export type Acted = { readonly id: QueueId; readonly recipients: readonly number[] };

/** Recipients of one domain in the same state for the same reason. */
export type QueueGroup = {
  readonly domain: string;
  readonly state: 'waiting' | 'held';
  /** Of held ones: why. */
  readonly hold: string | undefined;
  readonly recipients: number;
  /** When the message with the lowest id among them arrived. */
  readonly oldestAtMs: number;
  /** The earliest time that one of them is due. */
  readonly dueAtMs: number | undefined;
  /** The last answer of one of them; all have its reason and its status. */
  readonly lastAnswer: LastAnswer | undefined;
};

/** What is suspended: everything for other hosts (`*`), one domain (`domain:example.org`) or one route (`route:KEY`). */
export type SuspensionScope = Brand<string, 'SuspensionScope'>;

export type Suspension = { readonly scope: SuspensionScope; readonly sinceMs: number };

/** What of an account waits for the time of its release. */
export type Scheduled = { readonly messages: number; readonly octets: number };

export const HELD_BY_OPERATOR = 'operator';

export type Queue = {
  /**
   * Takes a message into the queue: resolves when it is on stable storage, and only then may 250 be said. With `lease`
   * the caller goes on to deliver it at once and nobody else is given it before `untilMs`. An id that is in the queue
   * is passed over if it has the same blob (a repeated accept is not a second message), else refused with a TypeError.
   */
  accept(
    message: NewQueuedMessage,
    lease?: { readonly owner: string; readonly untilMs: number },
  ): Promise<void>;
  /** As `accept`, several in one commit: all of them or none. For what was one transaction of its client. */
  acceptAll(messages: readonly NewQueuedMessage[]): Promise<void>;
  /**
   * Gives the messages that have a due recipient and no running lease, soonest due first, and leases them until
   * `untilMs`. Only recipients with `waiting` and due are the holder's to work on.
   */
  lease(owner: string, nowMs: number, untilMs: number, limit: number): Promise<readonly QueuedMessage[]>;
  /** Sets the end of leases, later or sooner; gives the ids that this owner does not hold. */
  renew(owner: string, ids: readonly QueueId[], untilMs: number): Promise<readonly QueueId[]>;
  /**
   * Writes down what became of recipients, takes in the messages that follow from it (DSNs, forwarded copies) in the same
   * commit, and ends the lease. A message with every recipient settled leaves the queue. Settling what another has
   * settled already, or what left the queue, changes nothing and takes in nothing (`stale`). No settlements: the lease
   * ends. Where all are `delivered` and nothing follows it may be written down lazily, see {@link Settlement}.
   *
   * With `lease` 'kept' the same is done but for the lease, which stays as it is: for what a crash must not make us do again
   * while the rest of the message is still being worked on.
   */
  settle(
    id: QueueId,
    owner: string,
    settlements: readonly Settlement[],
    follow: readonly NewQueuedMessage[],
    lease?: 'ended' | 'kept',
  ): Promise<'settled' | 'stale'>;
  /** Ends all leases of owners that are not in the list: at start, when the process that held them is gone. */
  endLeases(exceptOwners: readonly string[]): Promise<void>;
  /** When the next message falls due (leased ones at their lease's end); `undefined`: none waits. */
  nextDueMs(): Promise<number | undefined>;

  /** Pages by key: messages with a matching recipient and ids above `after`, ascending, at most `limit`. */
  list(filter: QueueFilter, after: QueueId | undefined, limit: number): Promise<readonly QueuedMessage[]>;
  /** The same as `list`, of the ids alone. */
  find(filter: QueueFilter, after: QueueId | undefined, limit: number): Promise<readonly QueueId[]>;
  /**
   * Messages with a recipient of this domain, or of any, that has had an answer and is due later: the highest priority first,
   * then by id. Pages by key: behind the message `after`, at most `limit`.
   */
  backlog(
    domain: string | undefined,
    nowMs: number,
    after: Pick<QueuedMessage, 'id' | 'priority'> | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]>;
  /** Matching recipients by domain, state and last reply; those with the most recipients first, at most `limit`. */
  summary(filter: QueueFilter, limit: number): Promise<readonly QueueGroup[]>;
  count(): Promise<{ readonly messages: number; readonly recipients: number; readonly held: number }>;
  /** The messages in the queue that this account submitted and that are to be released behind `nowMs`, octets of blobs. */
  scheduled(account: AccountId, nowMs: number): Promise<Scheduled>;
  /** In one commit, on every matching recipient of these messages; gives those that it changed. A lease goes on. */
  act(
    ids: readonly QueueId[],
    filter: QueueFilter,
    act: OperatorAct,
    nowMs: number,
  ): Promise<readonly Acted[]>;
  /**
   * Puts other recipients in the place of some, in one commit: those become `expanded`, and theirs come with numbers of
   * their own, due now. Nothing is changed while somebody has the message's lease (`leased`), nor of recipients that are settled.
   */
  readdress(
    id: QueueId,
    replacements: readonly Replacement[],
    nowMs: number,
  ): Promise<'readdressed' | 'leased' | 'gone'>;

  /** Kept until it is resumed; suspending twice changes nothing. */
  suspend(scope: SuspensionScope, nowMs: number): Promise<void>;
  /** Ends a suspension; who is held by it must be released. False: there was none. */
  resume(scope: SuspensionScope): Promise<boolean>;
  /** By scope, ascending. */
  suspensions(): Promise<readonly Suspension[]>;

  /** Calls back soon after a message was accepted without a lease, or made due by hand, in any thread. A hint. */
  watch(listener: () => void): { close(): void };
};

function isQueueId(value: string): value is QueueId {
  return /^[0-9A-Za-z]{8,40}$/.test(value);
}

export function toQueueId(value: string): QueueId | undefined {
  return isQueueId(value) ? value : undefined;
}

function isSuspensionScope(value: string): value is SuspensionScope {
  return value === '*' || /^(?:domain|route):[^\s\p{Cc}]{1,500}$/u.test(value);
}

export function toSuspensionScope(value: string): SuspensionScope | undefined {
  return isSuspensionScope(value) ? value : undefined;
}

/** The reason of a hold that a suspension made. */
export function heldBySuspension(scope: SuspensionScope): string {
  return `suspended:${scope}`;
}
