/**
 * Where receiving sessions hand over: says at RCPT who is here, takes a message's octets to the disk while looking them
 * through, and at its end puts it into the queue by one durable commit. Its shapes are those of the SMTP session's ports
 * (`RecipientVerifier`, `Intake`, `MessageSink`); the session is not imported.
 *
 * LMTP (RFC 2033 §4.2): a recipient that is one account of ours is answered when the message is in the mailbox, without
 * the queue in between. One that stands for several, or leads elsewhere, is answered when the queue has it.
 */
import type { Directory } from '../auth/directory.ts';
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import { formatTimestamp } from '../message/timestamp.ts';
import type { Hold, LastAnswer, NewQueuedMessage, NewRecipient, NotifyOn, QueueId } from '../queue/queue.ts';
import { toQueueId } from '../queue/queue.ts';
import type { RcptParameters } from '../smtp/wire/parameter.ts';
import type { ForwardPath } from '../smtp/wire/path.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import { reply } from '../smtp/wire/reply.ts';
import type { BlobRef, BlobStore, BlobWriter } from '../store/blob-store.ts';
import type { MailStore } from '../store/mail-store.ts';
import type { DeliverNow } from './deliver-now.ts';
import { deliverSafely } from './deliver-now.ts';
import type { DeliveryEventSink } from './event.ts';
import type { EnvelopeRecipient, Expansion } from './expand.ts';
import { expandRecipients } from './expand.ts';
import type { LocalDeliverer } from './hook.ts';
import type { IntakeRefusal, IntakeSession, IntakeTransaction, RefusedRecipient } from './intake-facts.ts';
import { refuse, reversePathOf, sourceOf } from './intake-facts.ts';
import { isLoop } from './local.ts';
import type { FactsGatherer, MessageFacts } from './message-facts.ts';
import { gatherFacts } from './message-facts.ts';
import type { Outcome } from './outcome.ts';
import { faultAnswer, mailboxOf, ownAnswer } from './outcome.ts';
import type { Relaying } from './relaying.ts';
import type { Router } from './remote/router.ts';
import { RecipientVerifier } from './recipient-verifier.ts';
import type { ReturnPaths } from './return-paths.ts';
import type { Settler } from './settler.ts';

export type IntakePorts = {
  readonly directory: Pick<Directory, 'resolve'>;
  readonly router: Router;
  readonly blobs: BlobStore;
  readonly mail: Pick<MailStore, 'quota'>;
  readonly local: LocalDeliverer;
  readonly now: DeliverNow;
  readonly settler: Pick<Settler, 'reportsOfTaking' | 'tellDsn'>;
  readonly returnPaths: ReturnPaths;
  readonly relaying: Pick<Relaying, 'allows'>;
  /** A new id for a message of ours. */
  readonly newId: () => QueueId;
  readonly clock: Clock;
  readonly events: DeliveryEventSink;
};

export type IntakeOptions = {
  /** How long a message is tried before its sender hears that it failed (RFC 5321 §4.5.4.1: at least 4 to 5 days). */
  readonly lifetimeMs: number;
  /** Ours, in Received fields. */
  readonly hostname: string;
};

export type IntakeOutcome = { readonly kind: 'accepted' } | IntakeRefusal;
export type IntakeAnswer =
  | IntakeOutcome
  | { readonly kind: 'each'; readonly outcomes: readonly IntakeOutcome[] };

export type IntakeMessage = {
  readonly transaction: IntakeTransaction;
  readonly session: IntakeSession;
  readonly prefix: Uint8Array;
  /** The queue takes it, whoever it is for, and keeps it back until it is released. */
  readonly hold?: Hold | undefined;
  /** Of programs of this machine; they are not among the transaction's recipients. */
  readonly refused?: readonly RefusedRecipient[];
};

/** What a list redistributes: a message of its own. */
type ListMessage = { readonly list: string; readonly message: NewQueuedMessage };

type Messages = {
  /** May be without recipients, where lists have them all. */
  readonly main: NewQueuedMessage;
  readonly copies: readonly ListMessage[];
  /** The addresses of ours that it came back to. */
  readonly looped: readonly EnvelopeRecipient[];
};

const ACCEPTED = { kind: 'accepted' } as const;

export class DeliveryIntake {
  readonly #ports: IntakePorts;
  readonly #options: IntakeOptions;
  readonly #verifier: RecipientVerifier;

  constructor(ports: IntakePorts, options: IntakeOptions) {
    this.#ports = ports;
    this.#verifier = new RecipientVerifier(ports);
    this.#options = options;
  }

  /** At RCPT. */
  verify(
    forwardPath: ForwardPath,
    transaction: IntakeTransaction,
    session: IntakeSession,
  ): Promise<{ readonly kind: 'accept' } | IntakeRefusal> {
    return this.#verifier.verify(forwardPath, transaction, session);
  }

  /** Takes one message. */
  begin(transaction: IntakeTransaction): IntakeSink {
    const { blobs } = this.#ports;
    return new IntakeSink(
      blobs.create(transaction.parameters.declaredOctets),
      (facts) => this.#isLoop(facts),
      (message, blob, facts) =>
        message.session.role.name === 'lmtp' && message.hold === undefined
          ? this.#acceptLmtp(message, blob, facts)
          : this.#accept(message, blob, facts),
    );
  }

  /**
   * RFC 5321 §6.3: too many hosts on the way, or this one too often; a name without a dot is anybody's. Those who were
   * delivered to before are found at delivery.
   */
  #isLoop(facts: MessageFacts): boolean {
    const { hostname } = this.#options;
    const own = hostname.includes('.') ? hostname.toLowerCase() : undefined;
    const here = facts.receivedBy.filter((name) => name === own).length;
    return here > LIMITS.ownReceivedFieldsMax || isLoop({ ...facts, deliveredTo: [] }, '');
  }

  async #accept(message: IntakeMessage, blob: Promise<BlobRef>, facts: MessageFacts): Promise<IntakeAnswer> {
    const { transaction } = message;
    const [ref, expansion] = await Promise.all([blob, this.#expand(transaction)]);
    const { main, copies, looped } = this.#messages(message, ref, expansion, facts);
    const unknown = transaction.recipients.filter((_, index) => expansion.targets[index] === undefined);
    if (message.session.role.name !== 'local') {
      // The directory changed between RCPT and now: at the next try, RCPT says which one it is.
      if (unknown.length > 0) return CHANGED;
      if (main.recipients.length + copies.length === 0) return looped.length === 0 ? CHANGED : LOOPED;
    }
    const refused = [...(message.refused ?? []), ...unknown.map((recipient) => ({ recipient, ...UNKNOWN }))];
    const reports = await this.#reportsOf(main, expansion, looped, refused);
    const messages = [...copies.map((copy) => copy.message), main].filter(
      ({ recipients }) => recipients.length > 0,
    );
    this.#tellExpanded(transaction, expansion);
    const [only, ...others] = messages;
    if (only === undefined || others.length > 0 || reports.length > 0)
      await this.#ports.now.acceptAll(messages, facts, reports);
    else {
      // Nobody has it, and nobody was told anything: a stranger's host reports it better than we can.
      const refusable =
        message.session.role.name === 'relay' &&
        copies.length + looped.length + expansion.reports.length === 0;
      const outcome = await this.#ports.now.accept(only, facts, refusable);
      if (outcome !== undefined) return toAnswer(outcome);
    }
    this.#tellTaken(main, copies, reports);
    this.#tellGivenUp(main, looped, refused);
    return ACCEPTED;
  }

  /** The message, and what lists redistribute of it; those who loop are in neither. */
  #messages(message: IntakeMessage, blob: BlobRef, expansion: Expansion, facts: MessageFacts): Messages {
    const looped = new Map<string, EnvelopeRecipient>();
    const wasAt = (address: string): boolean => facts.deliveredTo.includes(address.toLowerCase());
    const recipients = expansion.recipients.filter(({ forwardedFrom, ...asked }) => {
      if (forwardedFrom === undefined || !wasAt(forwardedFrom)) return true;
      const { notify, originalRecipient, reversePath } = asked;
      looped.set(forwardedFrom, { address: forwardedFrom, notify, originalRecipient, reversePath });
      return false;
    });
    const main = this.#newMessage(message, blob, recipients, facts);
    const copies: ListMessage[] = [];
    for (const [number, { address, owner, recipients: members }] of expansion.lists.entries()) {
      if (wasAt(address)) {
        const asked = message.transaction.recipients.find((_, index) =>
          expansion.targets[index]?.lists.includes(number),
        );
        const notify = asked && notifyOf(asked.parameters);
        const reversePath = asked && this.#askedReversePath(message.transaction, asked.forwardPath);
        looped.set(address, { address, notify, originalRecipient: undefined, reversePath });
      } else if (members.length > 0) {
        // The one message that there is keeps the name that its client was told.
        const id = recipients.length + copies.length === 0 ? main.id : this.#ports.newId();
        // RFC 3461 §5.2.7.1 (b): nothing that the sender asked for goes on.
        const dsn = { ret: undefined, envid: undefined };
        const own = { id, reversePath: owner, dsn, deliverBy: undefined, recipients: members };
        copies.push({ list: address, message: { ...main, ...own } });
      }
    }
    return { main, copies, looped: [...looped.values()] };
  }

  /** @param refused of programs of this machine: whom nobody could be told of before */
  async #reportsOf(
    main: NewQueuedMessage,
    expansion: Expansion,
    looped: readonly EnvelopeRecipient[],
    refused: readonly RefusedRecipient[] = [],
  ): Promise<readonly NewQueuedMessage[]> {
    if (expansion.reports.length + looped.length + refused.length === 0) return [];
    const nowMs = this.#ports.clock.nowMs();
    const answer = this.#loopedAnswer();
    const isLooped = (address: string): boolean => looped.some((one) => one.address === address);
    return this.#ports.settler.reportsOfTaking(main, [
      ...expansion.reports
        .filter(({ recipient }) => !isLooped(recipient.address))
        .map(({ recipient, action }) => ({
          recipient: { ...recipient, forwardPath: recipient.address },
          action,
          answer: undefined,
        })),
      ...looped.map((recipient) => ({
        recipient: { ...recipient, forwardPath: recipient.address },
        action: 'failed' as const,
        answer,
      })),
      ...refused.map(({ recipient: { forwardPath, parameters }, ...no }) => ({
        recipient: {
          notify: notifyOf(parameters),
          originalRecipient: undefined,
          forwardPath: formatEnvelopeAddress(forwardPath),
        },
        action: 'failed' as const,
        answer: answerOf(no, nowMs),
      })),
    ]);
  }

  #loopedAnswer(): LastAnswer {
    return ownAnswer(this.#ports.clock.nowMs(), '5.4.6', 'delivery.loop', LOOPED_TEXT);
  }

  /** What else the queue has taken beside a message. */
  #tellTaken(
    { id: queueId }: NewQueuedMessage,
    copies: readonly ListMessage[],
    reports: readonly NewQueuedMessage[],
  ): void {
    for (const { list, message } of copies)
      this.#ports.events({
        name: 'delivery.redistributed',
        queueId,
        copyId: message.id,
        address: list,
        owner: message.reversePath ?? '',
        recipients: message.recipients.length,
      });
    for (const report of reports) this.#ports.settler.tellDsn(queueId, report);
  }

  /** Of whom nothing was queued. */
  #tellGivenUp(
    { id, recipients }: NewQueuedMessage,
    looped: readonly EnvelopeRecipient[],
    refused: readonly RefusedRecipient[] = [],
  ): void {
    const failed = { kind: 'failed', answer: this.#loopedAnswer() } as const;
    for (const [index, { address: forwardPath }] of looped.entries())
      this.#tellDelivered(id, { number: recipients.length + index, forwardPath }, failed);
    for (const { recipient, ...no } of refused)
      this.#tellDelivered(
        id,
        { number: 0, forwardPath: formatEnvelopeAddress(recipient.forwardPath) },
        { kind: 'failed', answer: answerOf(no, this.#ports.clock.nowMs()) },
      );
  }

  async #acceptLmtp(
    message: IntakeMessage,
    blob: Promise<BlobRef>,
    facts: MessageFacts,
  ): Promise<IntakeAnswer> {
    const { transaction } = message;
    const [ref, expansion] = await Promise.all([blob, this.#expand(transaction)]);
    const outcomes = new Map<number, IntakeOutcome>();
    const viaQueue = queuedTargets(expansion);
    const { main, copies, looped } = this.#messages(message, ref, expansion, facts);
    const queued = { ...main, recipients: expansion.recipients };
    this.#tellExpanded(transaction, expansion);
    const reports = await this.#reportsOf(main, expansion, looped);
    await Promise.all(
      expansion.recipients.map(async (recipient, number) => {
        const { route } = recipient;
        if (route.kind !== 'local' || viaQueue.has(number)) return;
        const target = { ...recipient, number, route };
        const delivered = await deliverSafely(this.#ports, queued, target, facts);
        outcomes.set(number, toAnswer(delivered));
        this.#tellDelivered(queued.id, target, delivered);
      }),
    );
    const rest = [...viaQueue]
      .map((number) => expansion.recipients[number])
      .filter((one) => one !== undefined)
      .filter((one) => main.recipients.includes(one));
    const messages = [...copies.map((copy) => copy.message), { ...main, recipients: rest }].filter(
      ({ recipients }) => recipients.length > 0,
    );
    const taken = await this.#acceptSafely(main.id, messages, facts, reports);
    if (taken.kind === 'accepted') {
      this.#tellTaken(main, copies, reports);
      this.#tellGivenUp(main, looped);
    }
    return {
      kind: 'each',
      outcomes: expansion.targets.map((target) => {
        if (target === undefined) return GONE;
        // Of whom is told by the report alone, the queue has it or not.
        if (target.lists.length > 0 && taken.kind === 'refuse') return taken;
        const all = target.recipients.map((number) => outcomes.get(number) ?? taken);
        return all.find((one) => one.kind === 'refuse') ?? ACCEPTED;
      }),
    };
  }

  /** A queue that cannot take its part says so of its recipients only: who has the message must not be sent it again. */
  async #acceptSafely(
    queueId: QueueId,
    messages: readonly NewQueuedMessage[],
    facts: MessageFacts,
    reports: readonly NewQueuedMessage[],
  ): Promise<IntakeOutcome> {
    const { now, events, clock } = this.#ports;
    try {
      const [only, ...others] = messages;
      if (only !== undefined && others.length === 0 && reports.length === 0) await now.accept(only, facts);
      else await now.acceptAll(messages, facts, reports);
      return ACCEPTED;
    } catch (cause) {
      events({ name: 'delivery.fault', queueId, doing: 'Queueing a message', cause });
      return toAnswer({ kind: 'delayed', answer: faultAnswer(clock.nowMs()) });
    }
  }

  /** Where an address led somewhere else than to itself, and which member a list's bounce says that it is about. */
  #tellExpanded(transaction: IntakeTransaction, expansion: Expansion): void {
    const { traceId, recipients } = transaction;
    for (const [index, { forwardPath }] of recipients.entries()) {
      const address = formatEnvelopeAddress(forwardPath);
      const member =
        transaction.reversePath === null ? this.#ports.returnPaths.taggedWith(address) : undefined;
      if (member !== undefined)
        this.#ports.events({ name: 'delivery.list-bounced', queueId: queueIdOf(traceId), address, member });
      for (const number of expansion.targets[index]?.recipients ?? []) {
        const target = expansion.recipients[number]?.forwardPath ?? address;
        if (target === address) continue;
        this.#ports.events({ name: 'delivery.expanded', queueId: queueIdOf(traceId), address, target });
      }
    }
  }

  /** What was said of it when it was taken is all that becomes of this recipient. */
  #tellDelivered(
    queueId: QueueId,
    { number, forwardPath }: { readonly number: number; readonly forwardPath: string },
    outcome: Outcome,
  ): void {
    const { kind, answer } = outcome;
    this.#ports.events({
      name: 'delivery.settled',
      queueId,
      recipient: number,
      address: forwardPath,
      // What a client of LMTP is told to try again is its queue's to delay: here it has ended.
      outcome: kind === 'delayed' ? 'failed' : kind,
      status: answer?.status,
      reason: answer?.reason,
      host: answer?.host,
      text: answer?.text,
      mailbox: mailboxOf(outcome),
      attempts: undefined,
      dueAtMs: undefined,
    });
  }

  #expand(transaction: IntakeTransaction): Promise<Expansion> {
    const envelope = transaction.recipients.map(({ forwardPath, parameters }): EnvelopeRecipient => ({
      address: formatEnvelopeAddress(forwardPath),
      notify: parameters.notify?.map((condition) => NOTIFY[condition]),
      originalRecipient: originalRecipientOf(parameters),
      reversePath: this.#askedReversePath(transaction, forwardPath),
    }));
    const { smtpUtf8 } = transaction.parameters;
    return expandRecipients(this.#ports, { reversePath: reversePathOf(transaction), smtpUtf8 }, envelope);
  }

  /** Of the address that the sender wrote to, whatever it leads to: that is whom its lists know (Postfix's VERP_README). */
  #askedReversePath(transaction: IntakeTransaction, forwardPath: ForwardPath): string | undefined {
    const { verp } = transaction.parameters;
    const sender = reversePathOf(transaction);
    if (verp === undefined || sender === null) return undefined;
    return this.#ports.returnPaths.asked(sender, formatEnvelopeAddress(forwardPath), verp);
  }

  #newMessage(
    message: IntakeMessage,
    blob: BlobRef,
    recipients: readonly NewRecipient[],
    facts: MessageFacts,
  ): NewQueuedMessage {
    const { transaction, session, prefix, hold } = message;
    const { parameters } = transaction;
    const { deliverBy } = parameters;
    const nowMs = this.#ports.clock.nowMs();
    return {
      id: queueIdOf(transaction.traceId),
      blob,
      prefix,
      reversePath: reversePathOf(transaction),
      body: parameters.body === undefined ? '7bit' : BODY[parameters.body],
      smtpUtf8: parameters.smtpUtf8,
      dsn: {
        ret: parameters.ret === undefined ? undefined : RET[parameters.ret],
        envid: parameters.envelopeId,
      },
      priority: parameters.priority ?? 0,
      requireTls: parameters.requireTls,
      // RFC 8689 §4.1: the field counts only where the parameter was not given.
      tlsOptional: !parameters.requireTls && facts.tlsRequiredNo,
      deliverBy: deliverBy && {
        byMs: transaction.startedAtMs + deliverBy.seconds * 1000,
        mode: deliverBy.mode,
        trace: deliverBy.trace,
      },
      arrivedAtMs: nowMs,
      ...releaseOf(transaction),
      // RFC 4865 §4.2 (5): what is held is not yet tried, and its time does not run out.
      expiresAtMs: Math.max(nowMs, releaseOf(transaction).releaseAtMs ?? nowMs) + this.#options.lifetimeMs,
      source: sourceOf(session),
      recipients,
      hold,
    };
  }
}

/** One message on its way in. Exactly one of `commit` and `abort` ends it; `abort` may follow a `commit` that threw. */
export class IntakeSink {
  readonly #writer: BlobWriter;
  readonly #accept: (
    message: IntakeMessage,
    blob: Promise<BlobRef>,
    facts: MessageFacts,
  ) => Promise<IntakeAnswer>;
  readonly #loops: (facts: MessageFacts) => boolean;
  readonly #gatherer: FactsGatherer = gatherFacts();
  #finished = false;

  constructor(
    writer: BlobWriter,
    loops: (facts: MessageFacts) => boolean,
    accept: (message: IntakeMessage, blob: Promise<BlobRef>, facts: MessageFacts) => Promise<IntakeAnswer>,
  ) {
    this.#writer = writer;
    this.#loops = loops;
    this.#accept = accept;
  }

  write(octets: Uint8Array): Promise<void> | undefined {
    this.#gatherer.push(octets);
    return this.#writer.write(octets);
  }

  async commit(message: IntakeMessage): Promise<IntakeAnswer> {
    const facts = this.#gatherer.end();
    if (this.#loops(facts)) {
      this.abort();
      return LOOP;
    }
    this.#finished = true;
    return this.#accept(message, this.#writer.finish(), facts);
  }

  abort(): void {
    if (!this.#finished) this.#writer.abort();
    this.#finished = true;
  }
}

const NOTIFY = { SUCCESS: 'success', FAILURE: 'failure', DELAY: 'delay' } as const;
const BODY = { '7BIT': '7bit', '8BITMIME': '8bitmime', BINARYMIME: 'binarymime' } as const;
const RET = { FULL: 'full', HDRS: 'hdrs' } as const;

function notifyOf({ notify }: RcptParameters): NotifyOn | undefined {
  return notify?.map((condition) => NOTIFY[condition]);
}

const LOOP: IntakeRefusal = refuse(
  reply(554, '5.4.6', 'Routing loop: the message has passed too many hosts, or this one too often'),
  'delivery.loop',
);
const CHANGED: IntakeRefusal = refuse(
  reply(451, '4.3.0', 'A recipient changed meanwhile, try again'),
  'recipient.changed',
);
const LOOPED_TEXT = 'The message loops: it was delivered to this address before';
const LOOPED: IntakeRefusal = refuse(reply(554, '5.4.6', LOOPED_TEXT), 'delivery.loop');
const UNKNOWN = { reply: reply(550, '5.1.1', 'No such mailbox here'), reason: 'recipient.unknown' } as const;
const GONE: IntakeRefusal = refuse(reply(550, '5.1.1', 'No such mailbox here any more'), 'recipient.unknown');

function originalRecipientOf({ originalRecipient }: RcptParameters): string | undefined {
  if (originalRecipient === undefined) return undefined;
  return `${originalRecipient.type};${originalRecipient.written}`;
}

/** FUTURERELEASE: until when, and in which words (RFC 4865 §5.1.2). */
function releaseOf({
  startedAtMs,
  parameters: { hold },
}: IntakeTransaction): Pick<NewQueuedMessage, 'releaseAtMs' | 'releaseRequest'> {
  if (hold === undefined) return { releaseAtMs: undefined, releaseRequest: undefined };
  return hold.kind === 'for'
    ? { releaseAtMs: startedAtMs + hold.seconds * 1000, releaseRequest: `for;${hold.seconds}` }
    : { releaseAtMs: hold.atMs, releaseRequest: `until;${formatTimestamp(hold.atMs)}` };
}

function answerOf({ reply: said, reason }: Omit<RefusedRecipient, 'recipient'>, nowMs: number): LastAnswer {
  return ownAnswer(nowMs, said.status ?? '5.7.0', reason, said.lines.join(' '));
}

function queueIdOf(traceId: string): QueueId {
  const id = toQueueId(traceId);
  if (id === undefined) throw new TypeError(`The trace id ${traceId} is no queue id`);
  return id;
}

/** The recipients that some RCPT shares with others, that are elsewhere, or whose success is to be reported: the queue's. */
function queuedTargets({ recipients, targets }: Expansion): ReadonlySet<number> {
  const queued = new Set<number>();
  for (const target of targets)
    if (target !== undefined && target.recipients.length + target.lists.length > 1)
      for (const number of target.recipients) queued.add(number);
  for (const [number, { route, notify }] of recipients.entries())
    if (route.kind === 'remote' || notify?.includes('success') === true) queued.add(number);
  return queued;
}

function toAnswer(outcome: Outcome): IntakeOutcome {
  if (outcome.kind === 'delivered' || outcome.kind === 'relayed') return ACCEPTED;
  const { status, text, reason } = outcome.answer;
  const [kind, subject = '0', detail = '0'] = status.split('.');
  const rest = `${Number(subject)}.${Number(detail)}` as const;
  if (kind === '5')
    return refuse(reply(reason === 'recipient.unknown' ? 550 : 554, `5.${rest}` as const, text), reason);
  // RFC 5321 §4.2.3: 452 for storage, 451 for the rest.
  return refuse(reply(reason === 'mailbox.over-quota' ? 452 : 451, `4.${rest}` as const, text), reason);
}
