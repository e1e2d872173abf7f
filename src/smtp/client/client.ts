/**
 * The sending side of SMTP and LMTP, over a connection that is open already. {@link openSmtp} greets; the client then sends any
 * number of messages, one after the other. Whatever the peer does is a value; only the content's own source may throw
 * through `send` (and the connection is then destroyed, so that half a message is never ended by a dot).
 * Sources: RFC 5321 §3.2, §3.3, §4.5.3.2; RFC 2920 §3.1; RFC 2033; RFC 3207; RFC 4954; RFC 3030.
 */
import { fromUtf8 } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import type { ClientTlsRequest, Connection } from '../../base/connection.ts';
import type { Random } from '../../base/random.ts';
import type { Result } from '../../base/result.ts';
import { err, ok } from '../../base/result.ts';
import { unreachable } from '../../base/unreachable.ts';
import { decodeBase64, encodeBase64 } from '../../sasl/base64.ts';
import { chooseMechanism } from '../../sasl/choose.ts';
import type { SaslClientExchange, SaslCredentials } from '../../sasl/mechanism.ts';
import { DataEncoder } from '../wire/data.ts';
import type { PeerReply } from '../wire/reply.ts';
import type { Features } from './features.ts';
import { NO_FEATURES, parseFeatures } from './features.ts';
import type { OutgoingMessage } from './message.ts';
import { asksForDelay, mailLine, needsSmtpUtf8, rcptLine, secondsLeft } from './message.ts';
import { SessionBudget } from './peer-limits.ts';
import type { ClientProblem, RecipientOutcome, Stage } from './problem.ts';
import { refusalOf } from './problem.ts';
import { ReplyStream } from './reply-stream.ts';
import type { SmtpTimeouts } from './timeouts.ts';

export type SmtpClientOptions = {
  readonly protocol: 'smtp' | 'lmtp';
  /** What we call ourselves in EHLO. */
  readonly helloName: string;
  /** The name to ask for and to check in TLS. */
  readonly servername: string;
  /** 'opportunistic': STARTTLS where it is offered; where it is refused, in plain. 'required': never in plain. */
  readonly tls: 'none' | 'opportunistic' | 'required';
  /** What must hold of TLS, where there is any. */
  readonly handshake: Pick<ClientTlsRequest, 'certificate' | 'versionMin' | 'identity'>;
  readonly credentials?: SaslCredentials | undefined;
  /** Send the content by BDAT where CHUNKING is offered. */
  readonly chunking: boolean;
  readonly timeouts: SmtpTimeouts;
  readonly clock: Clock;
  readonly random: Random;
};

export type SendResult = {
  /** One for each recipient, in order. */
  readonly outcomes: readonly RecipientOutcome[];
  /** The next message may be sent over this client. Otherwise it is destroyed already. */
  readonly reusable: boolean;
};

/** Greets, turns TLS on, authenticates. On a problem the connection is destroyed. */
export async function openSmtp(
  connection: Connection,
  options: SmtpClientOptions,
): Promise<Result<SmtpClient, ClientProblem>> {
  const client = new SmtpClient(connection, options);
  const problem = await client.open();
  if (problem === undefined) return ok(client);
  connection.destroy();
  return err(problem);
}

type Step =
  | { readonly stage: 'mail'; readonly line: string }
  | { readonly stage: 'data'; readonly line: string }
  | { readonly stage: 'rcpt'; readonly line: string; readonly recipient: number };

export class SmtpClient {
  features: Features = NO_FEATURES;
  /** The peer's greeting, for traces. */
  greeting: PeerReply | undefined;
  readonly #connection: Connection;
  readonly #options: SmtpClientOptions;
  readonly #replies: ReplyStream;
  readonly #budget = new SessionBudget();

  constructor(connection: Connection, options: SmtpClientOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#replies = new ReplyStream(connection, options.clock);
  }

  /** Called once, by {@link openSmtp}. */
  async open(): Promise<ClientProblem | undefined> {
    const { timeouts, tls } = this.#options;
    const greeting = await this.#replies.next('greeting', timeouts.greetingMs);
    if (!greeting.ok) return greeting.error;
    if (!isPositive(greeting.value)) return unexpected('greeting', greeting.value);
    this.greeting = greeting.value;
    const greeted = await this.#hello();
    if (greeted !== undefined) return greeted;
    if (tls !== 'none' && this.#connection.tls === undefined) {
      const secured = await this.#startTls();
      if (secured !== undefined) return secured;
    }
    return this.#options.credentials === undefined
      ? undefined
      : this.#authenticate(this.#options.credentials);
  }

  /** Says goodbye and closes; waits only shortly for the answer. */
  async quit(): Promise<void> {
    if (this.#connection.gone === undefined) {
      await this.#write(fromUtf8('QUIT\r\n'), 'reset', this.#options.timeouts.quitMs);
      await this.#replies.next('reset', this.#options.timeouts.quitMs);
    }
    await this.#connection.close();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /**
   * Sends one message to all its recipients: in one transaction, or in as many as the peer's limits ask for (RFC 9422 §4).
   * Those that the session has no room for end in a 'session-limit'. On a client that was used before, a temporary outcome at
   * the stage 'mail' may only mean that the peer has closed in between: try a new connection.
   */
  async send(message: OutgoingMessage): Promise<SendResult> {
    const { limits } = this.features;
    const { recipients } = message;
    const outcomes: (RecipientOutcome | undefined)[] = recipients.map(() => undefined);
    const lack = this.#lack(message);
    if (lack !== undefined) return { outcomes: outcomes.map(() => refusalOf(lack)), reusable: true };
    let problem = await this.#outOfStep();
    let left = [...recipients.keys()];
    while (problem === undefined) {
      const some = this.#budget.take(recipients, left, limits);
      if (some.length === 0) break;
      left = some.length === left.length ? [] : left.filter((index) => !some.includes(index));
      // oxlint-disable-next-line no-await-in-loop -- one transaction after the other
      problem = await this.#sendSome(message, some, outcomes);
    }
    const stands = problem === undefined && this.#connection.gone === undefined;
    const reusable = stands && this.#budget.hasRoom(limits);
    if (!stands) this.#connection.destroy();
    else if (!reusable) void this.quit();
    const lost = refusalOf(problem ?? { kind: 'closed', stage: 'final' });
    const full = refusalOf({ kind: 'session-limit', stage: 'rcpt' });
    return {
      outcomes: outcomes.map(
        (outcome, index) => outcome ?? (problem === undefined && left.includes(index) ? full : lost),
      ),
      reusable,
    };
  }

  /** One transaction, for the recipients with these indexes. */
  async #sendSome(
    message: OutgoingMessage,
    some: readonly number[],
    outcomes: (RecipientOutcome | undefined)[],
  ): Promise<ClientProblem | undefined> {
    if (some.length === message.recipients.length) return this.#transactionSafely(message, outcomes);
    const recipients = message.recipients.filter((_, index) => some.includes(index));
    const own: (RecipientOutcome | undefined)[] = recipients.map(() => undefined);
    try {
      return await this.#transactionSafely({ ...message, recipients }, own);
    } finally {
      for (const [at, index] of some.toSorted((one, other) => one - other).entries())
        outcomes[index] = own[at];
    }
  }

  async #transactionSafely(
    message: OutgoingMessage,
    outcomes: (RecipientOutcome | undefined)[],
  ): Promise<ClientProblem | undefined> {
    try {
      return await this.#transaction(message, outcomes);
    } catch (cause) {
      // The content's source failed: the peer must not take what it has for a message.
      this.#connection.destroy();
      throw cause;
    }
  }

  // ---- opening ----

  async #hello(): Promise<ClientProblem | undefined> {
    const { protocol, helloName } = this.#options;
    const verb = protocol === 'lmtp' ? 'LHLO' : 'EHLO';
    const extended = await this.#command('hello', `${verb} ${helloName}`);
    if (!extended.ok) return extended.error;
    if (isPositive(extended.value)) {
      this.features = parseFeatures(extended.value);
      return undefined;
    }
    // RFC 5321 §3.2: a server that does not know EHLO is asked with HELO.
    if (protocol === 'lmtp' || extended.value.code < 500) return unexpected('hello', extended.value);
    const plain = await this.#command('hello', `HELO ${helloName}`);
    if (!plain.ok) return plain.error;
    this.features = NO_FEATURES;
    return isPositive(plain.value) ? undefined : unexpected('hello', plain.value);
  }

  /** Source: RFC 3207 §4. */
  async #startTls(): Promise<ClientProblem | undefined> {
    const { tls, servername, handshake, timeouts } = this.#options;
    const mayBePlain = tls === 'opportunistic';
    if (!this.features.startTls)
      return mayBePlain ? undefined : { kind: 'not-offered', stage: 'starttls', feature: 'STARTTLS' };
    const invited = await this.#command('starttls', 'STARTTLS');
    if (!invited.ok) return invited.error;
    if (invited.value.code !== 220)
      return mayBePlain && invited.value.code !== 421 ? undefined : unexpected('starttls', invited.value);
    // What was said in plain behind the invitation must never be taken for a reply under TLS.
    if (this.#replies.unasked)
      return {
        kind: 'tls',
        stage: 'starttls',
        problem: { kind: 'handshake', text: 'The peer sent plain text behind its invitation' },
      };
    const started = await this.#connection.startTls({
      side: 'client',
      servername,
      ...handshake,
      timeoutMs: timeouts.handshakeMs,
    });
    if (!started.ok) return { kind: 'tls', stage: 'starttls', problem: started.error };
    return this.#hello();
  }

  /** Source: RFC 4954 §4. */
  async #authenticate(credentials: SaslCredentials): Promise<ClientProblem | undefined> {
    if (this.#connection.tls === undefined)
      return { kind: 'not-offered', stage: 'auth', feature: 'plain-auth-without-tls' };
    const exchange = chooseMechanism(this.features.mechanisms, credentials, {
      bindings: this.#connection.tls.channelBindings(),
      nonce: encodeBase64(this.#options.random.octets(NONCE_OCTETS)),
    });
    if (exchange === undefined) return { kind: 'not-offered', stage: 'auth', feature: 'AUTH' };
    const { initial, line } = authLine(exchange);
    let pending = initial;
    let answer = await this.#command('auth', line);
    // No mechanism of ours takes more steps than this.
    for (let steps = 0; answer.ok && answer.value.code === 334 && steps < 5; steps += 1) {
      const challenge = decodeBase64((answer.value.lines[0] ?? '').trim());
      const response = challenge === undefined ? undefined : (pending ?? (await exchange.respond(challenge)));
      pending = undefined;
      answer = await this.#command('auth', response === undefined ? '*' : encodeBase64(response));
      // RFC 4954 §4: the exchange is taken back, whatever is said to that.
      if (response === undefined && answer.ok) return UNPROVEN;
    }
    if (!answer.ok) return answer.error;
    if (!isPositive(answer.value)) return unexpected('auth', answer.value);
    // RFC 5802 §5: a success from a server that has not proved itself may be anybody's.
    if (!exchange.isSatisfied()) return UNPROVEN;
    this.features = { ...this.features, isAuthenticated: true };
    return undefined;
  }

  // ---- one message ----

  /** What the peer said between two messages: 421 most often, as it closes. No reply may be taken for that of a later command. */
  async #outOfStep(): Promise<ClientProblem | undefined> {
    if (!this.#replies.unasked) return undefined;
    const said = await this.#replies.next('mail', LAST_WORDS_MS);
    return said.ok ? unexpected('mail', said.value) : said.error;
  }

  /** What the peer lacks for this message, known before anything is sent. */
  #lack(message: OutgoingMessage): ClientProblem | undefined {
    const { smtpUtf8, eightBitMime, sizeOctetsMax } = this.features;
    // RFC 6531 §3.5, RFC 6152 §3, RFC 1870 §5.
    if (!smtpUtf8 && needsSmtpUtf8(message))
      return { kind: 'not-offered', stage: 'mail', feature: 'SMTPUTF8' };
    // RFC 8689 §2: the keyword counts in the answer under TLS; §5: a report is not held up by its lack.
    if (message.requireTls === true && message.reversePath !== null)
      if (!this.features.requireTls || this.#connection.tls === undefined)
        return { kind: 'not-offered', stage: 'mail', feature: 'REQUIRETLS' };
    if (message.body === '8BITMIME' && !eightBitMime)
      return { kind: 'not-offered', stage: 'mail', feature: '8BITMIME' };
    if (sizeOctetsMax !== undefined && message.octets > sizeOctetsMax)
      return { kind: 'not-offered', stage: 'mail', feature: 'SIZE' };
    if (message.body === 'BINARYMIME' && !this.#byChunks('BINARYMIME'))
      return { kind: 'not-offered', stage: 'mail', feature: 'BINARYMIME' };
    if (this.#lacksTime(message)) return { kind: 'not-offered', stage: 'mail', feature: 'DELIVERBY' };
    return this.#mailLine(message) === undefined ? { kind: 'bad-path', stage: 'mail' } : undefined;
  }

  /** RFC 2852 §4.1.4.1: what is to be returned in time goes only to who promises that, in the time that is left. */
  #lacksTime({ deliverBy }: OutgoingMessage): boolean {
    if (deliverBy?.mode !== 'return') return false;
    const leftSeconds = secondsLeft(deliverBy, this.#options.clock.nowMs());
    return !this.features.deliverBy || leftSeconds < Math.max(1, this.features.deliverBySecondsMin);
  }

  #mailLine(message: OutgoingMessage): string | undefined {
    return mailLine(message, this.features, this.#options.clock.nowMs());
  }

  /** Whether the content goes by BDAT; what is binary goes by nothing else (RFC 3030 §3). */
  #byChunks(body: OutgoingMessage['body']): boolean {
    const { chunking, binaryMime } = this.features;
    return this.#options.chunking && (body === 'BINARYMIME' ? binaryMime : chunking);
  }

  /** Fills in outcomes. A problem means: the connection is lost, and outcomes not filled in share it. */
  async #transaction(
    message: OutgoingMessage,
    outcomes: (RecipientOutcome | undefined)[],
  ): Promise<ClientProblem | undefined> {
    const byChunks = this.#byChunks(message.body);
    const accepted: number[] = [];
    let goAhead: PeerReply | undefined;
    let refusedMail = false;
    const steps = this.#steps(message, outcomes, byChunks);
    const groupMax = this.features.pipelining ? GROUP_MAX : 1;
    for (let at = 0; at < steps.length && !refusedMail; at += groupMax) {
      const group = steps.slice(at, at + groupMax);
      // Nobody to send to: DATA is not asked for where that is known in time.
      if (accepted.length === 0 && group[0]?.stage === 'data') break;
      const lines = fromUtf8(group.map(({ line }) => line).join(''));
      const lost = await this.#write(lines, group[0]?.stage ?? 'mail');
      if (lost !== undefined) return lost;
      for (const step of group) {
        const answer = await this.#replies.next(step.stage, this.#timeoutOf(step.stage));
        if (!answer.ok) return answer.error;
        const { code } = answer.value;
        if (step.stage === 'data') goAhead = answer.value;
        else if (isPositive(answer.value)) {
          if (step.stage === 'rcpt' && !refusedMail) accepted.push(step.recipient);
        } else {
          const problem = unexpected(step.stage, answer.value);
          if (problem.kind !== 'reply') return problem;
          if (step.stage === 'mail') {
            refusedMail = true;
            outcomes.fill(refusalOf(problem));
          } else if (!refusedMail) outcomes[step.recipient] = refusalOf(problem);
        }
        if (code === 421) return unexpected(step.stage, answer.value);
      }
    }
    if (goAhead?.code === 354) return this.#data(message, outcomes, accepted);
    if (goAhead !== undefined) {
      const refusal = unexpected('data', goAhead);
      for (const recipient of accepted) outcomes[recipient] = refusalOf(refusal);
      // A success where 354 was due: nobody knows what this peer takes for content.
      if (refusal.kind !== 'reply') return refusal;
    }
    if (byChunks && accepted.length > 0) return this.#chunks(message, outcomes, accepted);
    return this.#reset();
  }

  #steps(message: OutgoingMessage, outcomes: (RecipientOutcome | undefined)[], byChunks: boolean): Step[] {
    const steps: Step[] = [{ stage: 'mail', line: this.#mailLine(message) ?? '' }];
    const isDelayAsked = asksForDelay(message, this.features, this.#options.clock.nowMs());
    for (const [index, recipient] of message.recipients.entries()) {
      const line = rcptLine(recipient, this.features, isDelayAsked);
      if (line === undefined) outcomes[index] = refusalOf({ kind: 'bad-path', stage: 'rcpt' });
      else steps.push({ stage: 'rcpt', line, recipient: index });
    }
    if (!byChunks && steps.length > 1) steps.push({ stage: 'data', line: 'DATA\r\n' });
    return steps;
  }

  async #data(
    message: OutgoingMessage,
    outcomes: (RecipientOutcome | undefined)[],
    accepted: readonly number[],
  ): Promise<ClientProblem | undefined> {
    const encoder = new DataEncoder('DATA');
    // RFC 2920 §3.1: 354 although every recipient was refused is answered with an empty message.
    const lost =
      accepted.length === 0
        ? await this.#write(encoder.finish())
        : await this.#stream(message, async (pieces, isLast) => {
            const encoded = pieces.map((piece) => encoder.push(piece));
            return this.#write(isLast ? [...encoded, encoder.finish()] : encoded);
          });
    if (lost !== undefined) return this.#lastWords(lost);
    if (accepted.length === 0) {
      const answer = await this.#replies.next('final', this.#options.timeouts.finalMs);
      return answer.ok ? undefined : answer.error;
    }
    return this.#final(outcomes, accepted);
  }

  /** BDAT, one chunk and its reply after the other. Source: RFC 3030 §2. */
  async #chunks(
    message: OutgoingMessage,
    outcomes: (RecipientOutcome | undefined)[],
    accepted: readonly number[],
  ): Promise<ClientProblem | undefined> {
    // RFC 3030 §3: of a binary message every octet is content.
    const encoder = message.body === 'BINARYMIME' ? RAW : new DataEncoder('BDAT');
    let refused: ClientProblem | undefined;
    const lost = await this.#stream(message, async (pieces, isLast) => {
      const encoded = pieces.map((piece) => encoder.push(piece));
      if (isLast) encoded.push(encoder.finish());
      const octets = encoded.reduce((sum, piece) => sum + piece.length, 0);
      if (octets === 0 && !isLast) return undefined;
      const gone = await this.#write([fromUtf8(`BDAT ${octets}${isLast ? ' LAST' : ''}\r\n`), ...encoded]);
      if (gone !== undefined) return isLast ? this.#lastWords(gone) : gone;
      if (isLast) return undefined;
      const answer = await this.#replies.next('content', this.#options.timeouts.dataMs);
      if (!answer.ok) return answer.error;
      if (isPositive(answer.value)) return undefined;
      refused = unexpected('content', answer.value);
      return refused;
    });
    if (refused !== undefined) {
      for (const recipient of accepted) outcomes[recipient] = refusalOf(refused);
      return refused.kind === 'reply' && refused.reply.code !== 421 ? this.#reset() : refused;
    }
    return lost ?? this.#final(outcomes, accepted);
  }

  /** One reply for all in SMTP, one for each accepted recipient in LMTP (RFC 2033 §4.2). */
  async #final(
    outcomes: (RecipientOutcome | undefined)[],
    accepted: readonly number[],
  ): Promise<ClientProblem | undefined> {
    const { protocol, timeouts } = this.#options;
    const groups = protocol === 'lmtp' ? accepted.map((recipient) => [recipient]) : [accepted];
    let closing: ClientProblem | undefined;
    for (const group of groups) {
      const answer = await this.#replies.next('final', timeouts.finalMs);
      if (!answer.ok) return answer.error;
      const reply = answer.value;
      const problem = isPositive(reply) ? undefined : unexpected('final', reply);
      for (const recipient of group)
        outcomes[recipient] =
          problem === undefined ? { kind: 'relayed', stage: 'final', reply } : refusalOf(problem);
      if (problem !== undefined && (reply.code === 421 || problem.kind !== 'reply')) closing = problem;
    }
    return closing;
  }

  /**
   * Hands the content to `take` in blocks of useful size; stops at the first problem. The last block, perhaps empty, is
   * known as such: what ends the content goes with it, and not before all of it was read.
   */
  async #stream(
    message: OutgoingMessage,
    take: (pieces: readonly Uint8Array[], isLast: boolean) => Promise<ClientProblem | undefined>,
  ): Promise<ClientProblem | undefined> {
    let pieces: Uint8Array[] = [];
    let octets = 0;
    for await (const piece of message.content()) {
      if (octets >= BLOCK_OCTETS) {
        const problem = await take(pieces, false);
        if (problem !== undefined) return problem;
        pieces = [];
        octets = 0;
      }
      pieces.push(piece);
      octets += piece.length;
    }
    return take(pieces, true);
  }

  /** The peer went away in the content: it may have said why before. */
  async #lastWords(lost: ClientProblem): Promise<ClientProblem> {
    const answer = await this.#replies.next('content', LAST_WORDS_MS);
    return answer.ok && !isPositive(answer.value) ? unexpected('content', answer.value) : lost;
  }

  /** Ends a transaction that led to nothing, so that the next message finds the peer ready. */
  async #reset(): Promise<ClientProblem | undefined> {
    const answer = await this.#command('reset', 'RSET');
    if (!answer.ok) return answer.error;
    return isPositive(answer.value) ? undefined : unexpected('reset', answer.value);
  }

  // ---- octets ----

  async #command(stage: Stage, line: string): Promise<Result<PeerReply, ClientProblem>> {
    const lost = await this.#write(fromUtf8(`${line}\r\n`), stage);
    return lost === undefined
      ? this.#replies.next(stage, this.#timeoutOf(stage))
      : this.#replies.next(stage, LAST_WORDS_MS);
  }

  /** RFC 5321 §4.5.3.2.5: a peer that does not take a block in time is given up. */
  async #write(
    octets: Uint8Array | readonly Uint8Array[],
    stage: Stage = 'content',
    timeoutMs: number = this.#options.timeouts.blockMs,
  ): Promise<ClientProblem | undefined> {
    const pending = this.#connection.write(octets);
    let late = false;
    if (pending !== undefined) {
      const timer = this.#options.clock.after(timeoutMs, () => {
        late = true;
        this.#connection.destroy();
      });
      await pending;
      timer.cancel();
    }
    if (this.#connection.gone === undefined) return undefined;
    return { kind: late || this.#connection.gone === 'stalled' ? 'timeout' : 'closed', stage };
  }

  #timeoutOf(stage: Stage): number {
    const { timeouts } = this.#options;
    switch (stage) {
      case 'mail':
        return timeouts.mailMs;
      case 'rcpt':
        return timeouts.rcptMs;
      case 'data':
        return timeouts.dataMs;
      case 'greeting':
        return timeouts.greetingMs;
      case 'final':
        return timeouts.finalMs;
      case 'content':
      case 'hello':
      case 'starttls':
      case 'auth':
      case 'reset':
        return timeouts.commandMs;
      default:
        return unreachable(stage);
    }
  }
}

function isPositive({ code }: PeerReply): boolean {
  return code >= 200 && code < 300;
}

/** A 4xx or 5xx is an answer; anything else here means that we and the peer are out of step. */
function unexpected(stage: Stage, reply: PeerReply): ClientProblem {
  return reply.code >= 400
    ? { kind: 'reply', stage, reply }
    : { kind: 'garbage', stage, detail: 'out-of-step', line: `${reply.code} ${reply.lines[0] ?? ''}` };
}

/** RFC 4954 §4: where the initial response would make the line too long, it answers the first challenge. */
function authLine(exchange: SaslClientExchange): {
  readonly line: string;
  readonly initial: Uint8Array | undefined;
} {
  const initial = exchange.initial();
  const bare = `AUTH ${exchange.mechanism}`;
  if (initial === undefined) return { line: bare, initial };
  const line = `${bare} ${encodeBase64(initial) || '='}`;
  return line.length <= AUTH_LINE_MAX ? { line, initial: undefined } : { line: bare, initial };
}

/** In place of an encoder, for octets that are to stay as they are. */
const RAW: Pick<DataEncoder, 'push' | 'finish'> = {
  push: (octets) => octets,
  finish: () => new Uint8Array(0),
};

const UNPROVEN: ClientProblem = { kind: 'unproven', stage: 'auth' };
const NONCE_OCTETS = 18;
/** RFC 5321 §4.5.3.1.4: 512 octets with CRLF. */
const AUTH_LINE_MAX = 510;
/** Commands in one group: few enough that their replies never fill both directions (RFC 2920 §3.1). */
const GROUP_MAX = 100;
const BLOCK_OCTETS = 65_536;
const LAST_WORDS_MS = 1000;
