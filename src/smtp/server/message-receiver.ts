/** Receives one message: opens the sink, reads the content by DATA or BDAT, has it checked and committed. */
import { Buffer } from 'node:buffer';
import type { Result } from '../../base/result.ts';
import { unreachable } from '../../base/unreachable.ts';
import { DataDecoder, NewlineCheck } from '../wire/data.ts';
import { formatPath } from '../wire/path.ts';
import type { Reply } from '../wire/reply.ts';
import { reply } from '../wire/reply.ts';
import type { Channel } from './channel.ts';
import type { SmtpServerDeps } from './deps.ts';
import { contentRefusal } from './content-refusal.ts';
import { countReceivedFields, IncomingMessage } from './incoming-message.ts';
import type { Outcome } from './outcome.ts';
import { FAULT, refused } from './outcome.ts';
import type {
  CommitOutcome,
  MessageSink,
  Refusal,
  SessionFacts,
  UrlContent,
  UrlProblem,
  Verdict,
} from './ports.ts';
import { formatReceived } from './received.ts';
import type { Transaction } from './state.ts';
import { refusalOutcome } from './verdict.ts';

/** RFC 4468 §6, §3.4. */
const URL_REFUSALS: Readonly<Record<UrlProblem['kind'], Outcome>> = {
  'not-trusted': refused('url-not-trusted', reply(554, '5.7.8', 'URLs of that kind are not fetched here')),
  'not-authorized': refused('url-not-authorized', reply(554, '5.7.0', 'IMAP URL authorization failed')),
  'not-found': refused('url-not-found', reply(554, '5.6.6', 'IMAP URL resolution failed')),
};

export class MessageReceiver {
  readonly #channel: Channel;
  readonly #deps: SmtpServerDeps;
  readonly #onFault: (doing: string, cause: unknown) => void;

  constructor(channel: Channel, deps: SmtpServerDeps, onFault: (doing: string, cause: unknown) => void) {
    this.#channel = channel;
    this.#deps = deps;
    this.#onFault = onFault;
  }

  /** Asks the checks, then the intake. An outcome means no. */
  async begin(
    how: 'DATA' | 'BDAT',
    transaction: Transaction,
    session: SessionFacts,
  ): Promise<IncomingMessage | Outcome> {
    const { policy, intake, limits, role } = this.#deps;
    try {
      const verdict = await policy.data?.(transaction, session);
      if (verdict?.kind === 'refuse') return refusalOutcome(verdict);
      const sink = await intake.begin(transaction, session);
      // RFC 3030 §3: of a binary message every octet is kept as it is; nothing in it ends anything.
      const isText = how === 'BDAT' && transaction.parameters.body !== 'BINARYMIME';
      const newlines = isText && role.bareNewlines === 'refuse' ? new NewlineCheck() : undefined;
      const reader = policy.reader?.(transaction, session);
      return new IncomingMessage(reader === undefined ? sink : readAlong(sink, reader), limits, newlines);
    } catch (cause) {
      this.#onFault('Beginning a message', cause);
      return FAULT;
    }
  }

  /** Up to and with the final dot. Source: RFC 5321 §4.1.1.4. */
  async readData(message: IncomingMessage, transaction: Transaction): Promise<'complete' | 'over'> {
    const { input } = this.#channel;
    const strict = this.#deps.role.bareNewlines === 'refuse';
    const decoder = new DataDecoder();
    for (;;) {
      const chunk = input.takeAll();
      if (chunk.length === 0) {
        if ((await this.#channel.more('content')) === 'over') return 'over';
        continue;
      }
      const step = decoder.push(chunk);
      if (decoder.bareNewline && strict) message.fail('bare-newline');
      const pending = step.octets.length === 0 ? undefined : message.write(step.octets);
      if (pending !== undefined) await pending;
      if (step.kind === 'end') {
        input.giveBack(step.rest);
        return 'complete';
      }
      if (this.#overdone(message, transaction)) return 'over';
    }
  }

  /** One chunk, kept or thrown away: what follows it is a command again either way. Source: RFC 3030 §2. */
  async readChunk(
    octets: number,
    message: IncomingMessage | undefined,
    transaction: Transaction | undefined,
  ): Promise<'complete' | 'over'> {
    const { limits } = this.#deps;
    let left = octets;
    while (left > 0) {
      const chunk = this.#channel.input.take(left);
      if (chunk.length === 0) {
        const where = message === undefined ? 'unwanted' : 'content';
        if ((await this.#channel.more(where)) === 'over') return 'over';
        continue;
      }
      left -= chunk.length;
      const pending = message?.writeRaw(chunk);
      if (pending !== undefined) await pending;
      if (message !== undefined && transaction !== undefined && this.#overdone(message, transaction))
        return 'over';
      if (message === undefined && octets - left > limits.discardOctetsMax) {
        this.#channel.end('limit', TOO_MUCH);
        return 'over';
      }
    }
    return 'complete';
  }

  /** Content by URL: nothing of it comes over the connection. An outcome says why there is none. Source: RFC 4468 §6. */
  async readUrl(
    open: () => Promise<Result<UrlContent, UrlProblem>>,
    message: IncomingMessage,
  ): Promise<Outcome | undefined> {
    try {
      const content = await open();
      if (!content.ok) return URL_REFUSALS[content.error.kind];
      // Nothing of what would not do is read.
      if (message.octets + content.value.octets > this.#deps.limits.messageOctetsMax)
        message.fail('too-large');
      if (message.problem !== undefined) return undefined;
      for await (const octets of content.value.read()) {
        const pending = message.writeRaw(octets);
        if (pending !== undefined) await pending;
      }
    } catch (cause) {
      message.fail('fault', cause);
    }
    return undefined;
  }

  /** The content is complete: says what becomes of it. The message is finished with, whatever the answer. */
  async finish(message: IncomingMessage, transaction: Transaction, session: SessionFacts): Promise<Finished> {
    if (message.problem === 'fault') this.#onFault('Taking in content', message.cause);
    const checked =
      message.problem === undefined
        ? await this.#check(message, transaction, session)
        : contentRefusal(message.problem, this.#deps.limits);
    const kept = withoutDiscarded(transaction);
    if ('reply' in checked) {
      message.abort();
      return { outcomes: this.#forAll(checked, transaction), discarded: undefined };
    }
    if (checked.kind === 'discard' || kept.recipients.length === 0) {
      message.abort();
      const discarded = checked.kind === 'discard' ? checked.reason : 'every-recipient';
      return { outcomes: this.#forAll(accepted(transaction), transaction), discarded };
    }
    const sink = message.release();
    const { fields = '', hold } = checked;
    try {
      const prefix = Buffer.from(fields + this.#received(kept, session));
      const { octets } = message;
      const committed = await sink.commit({ transaction: kept, session, prefix, octets, hold });
      return { outcomes: this.#outcomes(committed, transaction), discarded: undefined };
    } catch (cause) {
      this.#onFault('Committing a message', cause);
      sink.abort();
      return { outcomes: this.#forAll(FAULT, transaction), discarded: undefined };
    }
  }

  /** The checks on the whole, or a refusal. */
  async #check(
    message: IncomingMessage,
    transaction: Transaction,
    session: SessionFacts,
  ): Promise<Exclude<Verdict, Refusal> | Outcome> {
    const header = message.header();
    if (countReceivedFields(header) > this.#deps.limits.receivedFieldsMax)
      return refused('too-many-hops', reply(554, '5.4.6', 'Too many hops, the message is in a loop'));
    try {
      const verdict = await this.#deps.policy.message?.(header, message.octets, transaction, session);
      if (verdict?.kind === 'refuse') return refusalOutcome(verdict);
      return verdict ?? { kind: 'accept' };
    } catch (cause) {
      this.#onFault('Checking a message', cause);
      return FAULT;
    }
  }

  #received(transaction: Transaction, session: SessionFacts): string {
    const [only, ...others] = transaction.recipients;
    return formatReceived({
      hostname: this.#deps.hostname,
      traceId: transaction.traceId,
      session,
      smtpUtf8: transaction.parameters.smtpUtf8,
      priority: transaction.parameters.priority,
      recipient: others.length === 0 ? only?.forwardPath : undefined,
      receivedAtMs: this.#deps.clock.nowMs(),
    });
  }

  #outcomes(committed: CommitOutcome, transaction: Transaction): readonly Outcome[] {
    switch (committed.kind) {
      case 'accepted':
        return this.#forAll(accepted(transaction), transaction);
      case 'refuse':
        return this.#forAll(refusalOutcome(committed), transaction);
      case 'each': {
        const ofKept = committed.outcomes.map((one) =>
          one.kind === 'accepted' ? accepted(transaction) : refusalOutcome(one),
        );
        if (ofKept.length !== withoutDiscarded(transaction).recipients.length)
          throw new TypeError('An outcome for each recipient is needed');
        const each = transaction.recipients.map(({ isDiscarded }) =>
          isDiscarded === true ? accepted(transaction) : (ofKept.shift() ?? FAULT),
        );
        if (this.#deps.role.name === 'lmtp') return this.#named(each, transaction);
        // SMTP has one reply: yes if anyone got it, and a DSN tells of the rest (RFC 5321 §4.4).
        const best = each.find(({ reason }) => reason === undefined) ?? each[0] ?? FAULT;
        return this.#forAll(best, transaction);
      }
      default:
        return unreachable(committed);
    }
  }

  #forAll(outcome: Outcome, transaction: Transaction): readonly Outcome[] {
    if (this.#deps.role.name !== 'lmtp') return [traced(outcome, transaction.traceId)];
    return this.#named(
      transaction.recipients.map(() => outcome),
      transaction,
    );
  }

  /** LMTP: each reply says whom it is about. */
  #named(outcomes: readonly Outcome[], transaction: Transaction): readonly Outcome[] {
    return outcomes.map((outcome, index) => {
      const recipient = transaction.recipients[index];
      const named = traced(outcome, transaction.traceId);
      if (recipient === undefined) return named;
      const [first = '', ...others] = named.reply.lines;
      const text = `${formatPath(recipient.forwardPath)} ${first}`;
      return { ...named, reply: reply(named.reply.code, named.reply.status, text, ...others) };
    });
  }

  /** Ends a session that sends on and on after its message was refused, or takes longer than any message may. */
  #overdone(message: IncomingMessage, transaction: Transaction): boolean {
    const { limits, clock, hostname } = this.#deps;
    if (message.discardedOctets > limits.discardOctetsMax) this.#channel.end('limit', TOO_MUCH);
    else if (clock.monotonicMs() - transaction.startedMonotonicMs > limits.messageMs)
      this.#channel.end('timeout', reply(421, '4.4.2', `${hostname} The message takes too long, closing`));
    return this.#channel.closed !== undefined;
  }
}

/** The replies, and why the message was accepted and thrown away, where it was. */
export type Finished = { readonly outcomes: readonly Outcome[]; readonly discarded: string | undefined };

/** The transaction of those who get the message. */
function withoutDiscarded(transaction: Transaction): Transaction {
  const { recipients } = transaction;
  if (recipients.every(({ isDiscarded }) => isDiscarded !== true)) return transaction;
  return { ...transaction, recipients: recipients.filter(({ isDiscarded }) => isDiscarded !== true) };
}

/** The same sink, with somebody who sees each piece before. */
function readAlong(sink: MessageSink, reader: (octets: Uint8Array) => void): MessageSink {
  return {
    write: (octets) => {
      reader(octets);
      return sink.write(octets);
    },
    commit: (message) => sink.commit(message),
    abort: () => sink.abort(),
  };
}

export const TOO_MUCH: Reply = reply(421, '4.7.0', 'Too much data, closing');

function accepted(transaction: Transaction): Outcome {
  return { reply: reply(250, '2.0.0', `Accepted as ${transaction.traceId}`) };
}

/** A refused message has a trace too: its id ends the text. */
function traced(outcome: Outcome, traceId: string): Outcome {
  const { code, status, lines } = outcome.reply;
  if (code < 400) return outcome;
  const last = lines.length - 1;
  const texts = lines.map((line, index) => (index === last ? `${line} (${traceId})` : line));
  return { ...outcome, reply: reply(code, status, ...texts) };
}
