/**
 * What the checks say of one message from the maildrop, stage by stage, as a session would hear it: mail, recipient, data,
 * and the message. Nobody is there to be told no, so refusals are gathered, for the report to its sender.
 */
import { Buffer } from 'node:buffer';
import { LIMITS } from '../base/limits.ts';
import { EMPTY_LINE, headerSectionOf } from '../message/header.ts';
import type { SessionFacts } from '../policy/facts.ts';
import type { SessionChecks, StageAnswer } from '../policy/session-checks.ts';
import type { Hold } from '../queue/queue.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import { reply } from '../smtp/wire/reply.ts';
import type { IntakeTransaction, RefusedRecipient } from './intake-facts.ts';

export type MessagePolicy = Pick<
  SessionChecks,
  'mail' | 'recipient' | 'data' | 'reader' | 'message' | 'disconnect'
>;

type Refusal = Pick<RefusedRecipient, 'reply' | 'reason'>;
export type CheckDeferral = Refusal & { readonly kind: 'deferred' };

export type ContentVerdict =
  | { readonly kind: 'accepted'; readonly fields: string; readonly hold: Hold | undefined }
  /** All of it was refused or thrown away. */
  | { readonly kind: 'over' }
  | CheckDeferral;

export class PickupChecks {
  readonly #policy: MessagePolicy;
  readonly #session: SessionFacts;
  readonly #whole: IntakeTransaction;
  #recipients: IntakeTransaction['recipients'][number][] = [];
  readonly #refused: RefusedRecipient[] = [];
  readonly #discarded: { readonly recipient: string; readonly reason: string }[] = [];
  #read: ((octets: Uint8Array) => void) | undefined;
  #header = Buffer.alloc(0);
  #octets = 0;

  constructor(policy: MessagePolicy, transaction: IntakeTransaction, localUser: SessionFacts['localUser']) {
    this.#policy = policy;
    this.#whole = transaction;
    this.#session = {
      // There is one message in it.
      sessionId: transaction.traceId,
      role: { name: 'pickup' },
      remote: NOWHERE,
      local: NOWHERE,
      hello: undefined,
      tls: undefined,
      principal: undefined,
      earlyTalker: false,
      localUser,
    };
  }

  /** With those recipients whom nobody refused so far. */
  get transaction(): IntakeTransaction {
    return { ...this.#whole, recipients: this.#recipients };
  }

  get refused(): readonly RefusedRecipient[] {
    return this.#refused;
  }

  get discarded(): readonly { readonly recipient: string; readonly reason: string }[] {
    return this.#discarded;
  }

  /** Nobody gets it, and nobody is to be told. */
  get isNobodys(): boolean {
    return this.#recipients.length + this.#refused.length === 0;
  }

  /** Before the content is read. */
  async envelope(): Promise<CheckDeferral | undefined> {
    const session = this.#session;
    const mail = await this.#policy.mail(this.transaction, session);
    if (mail.kind === 'refuse') return this.#no(mail);
    for (const recipient of this.#whole.recipients) {
      // oxlint-disable-next-line no-await-in-loop -- each is told who was accepted before it
      const answer = await this.#policy.recipient(recipient, this.transaction, session);
      if (answer.kind === 'accept') this.#recipients.push(recipient);
      else if (answer.kind === 'discard') this.#discard([recipient], answer.reason);
      else if (answer.reply.code < 500) return { ...answer, kind: 'deferred' };
      else this.#refused.push({ ...answer, recipient });
    }
    if (this.#recipients.length === 0) return undefined;
    const data = await this.#policy.data(this.transaction, session);
    if (data.kind === 'refuse') return this.#no(data);
    this.#read = this.#policy.reader(this.transaction, session);
    return undefined;
  }

  push(octets: Uint8Array): void {
    this.#octets += octets.length;
    this.#read?.(octets);
    if (this.#header.length < LIMITS.headerOctetsMax && !this.#header.includes(EMPTY_LINE))
      this.#header = Buffer.concat([this.#header, octets]);
  }

  /** When all of the content has come. */
  async content(): Promise<ContentVerdict> {
    if (this.#recipients.length === 0) return { kind: 'over' };
    const header = headerSectionOf(this.#header.subarray(0, LIMITS.headerOctetsMax));
    const answer = await this.#policy.message(header, this.#octets, this.transaction, this.#session);
    if (answer.kind === 'refuse') return this.#no(answer) ?? { kind: 'over' };
    if (answer.kind === 'accept') return { kind: 'accepted', fields: answer.fields ?? '', hold: answer.hold };
    this.#discard(this.#recipients, answer.reason);
    this.#recipients = [];
    return { kind: 'over' };
  }

  /** Of those who are left, and of those who were not asked about. */
  refuseAll({ reply: said, reason }: Refusal): void {
    const settled = new Set([
      ...this.#refused.map(({ recipient }) => formatEnvelopeAddress(recipient.forwardPath)),
      ...this.#discarded.map(({ recipient }) => recipient),
    ]);
    for (const recipient of this.#whole.recipients)
      if (!settled.has(formatEnvelopeAddress(recipient.forwardPath)))
        this.#refused.push({ recipient, reply: said, reason });
    this.#recipients = [];
  }

  end(): void {
    this.#policy.disconnect(this.#session, { commands: 0, messages: 1, octetsReceived: this.#octets });
  }

  #no(answer: Extract<StageAnswer, { kind: 'refuse' }>): CheckDeferral | undefined {
    if (answer.reply.code < 500) return { ...answer, kind: 'deferred' };
    this.refuseAll(answer);
    return undefined;
  }

  #discard(recipients: IntakeTransaction['recipients'], reason: string): void {
    for (const { forwardPath } of recipients)
      this.#discarded.push({ recipient: formatEnvelopeAddress(forwardPath), reason });
  }
}

/** RFC 3463 §3.5, X.4.7: it was put off until its time was over. */
export function expired({ reply: said, reason }: Refusal): Refusal {
  return { reply: reply(550, '5.4.7', ...said.lines), reason };
}

/** A local program comes from no address. */
const NOWHERE = { address: '', port: 0 } as const;
