/**
 * A visit to a next hop by the SMTP client: over a session that an earlier message left, else over a new one.
 *
 * A peer may end a session between two messages at any time. So where a session that was used before ends before any
 * content was sent, nothing is known of the message: it goes out over a new session, and counts as tried by that alone.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Connect } from '../../base/connection.ts';
import type { OutgoingMessage, OutgoingRecipient } from '../../smtp/client/message.ts';
import type { ClientProblem, RecipientOutcome, Stage } from '../../smtp/client/problem.ts';
import { formatProblem, statusOf } from '../../smtp/client/problem.ts';
import type { SmtpClientOptions } from '../../smtp/client/client.ts';
import { openSmtp } from '../../smtp/client/client.ts';
import type { SmtpTimeouts } from '../../smtp/client/timeouts.ts';
import { parseOriginalRecipient } from '../../smtp/wire/original-recipient.ts';
import type { NotifyCondition } from '../../smtp/wire/parameter.ts';
import { parseEnvelopeAddress } from '../../smtp/wire/path.ts';
import type { HopAnswer, HopMessage, HopStage, HopTarget, HopVisit, RemoteHop } from './hop.ts';
import type { HopSession, SessionPool } from './session-pool.ts';
import { sessionKey } from './session-pool.ts';
import type { TlsFailure, TlsRequirement } from './tls-requirement.ts';
import { certificateRuleOf, failureOf, levelOf, servernameOf, settingsOf } from './tls-requirement.ts';

export type SmtpHopOptions = {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  /** The same, where another address of the host is left: what is silent is not waited for as long. */
  readonly connectSoonMs: number;
  readonly random: Random;
  readonly timeouts: SmtpTimeouts;
  readonly sessions: SessionPool;
};

/** RFC 5321 §4.5.3.2 gives 5 minutes for the greeting; a handshake before it needs no more. */
const HANDSHAKE_MS = 60_000;
/** For one message at one hop. */
const SESSIONS_MAX = 10;

export class SmtpHop implements RemoteHop {
  readonly #options: SmtpHopOptions;

  constructor(options: SmtpHopOptions) {
    this.#options = options;
  }

  async visit(target: HopTarget, message: HopMessage, signal: AbortSignal): Promise<HopVisit> {
    let visit = await this.#visitOnce(target, message, signal);
    // RFC 9422 §4: whom the hop takes in another session only, it is brought in another session.
    for (let sessions = 1; sessions < SESSIONS_MAX && !signal.aborted; sessions += 1) {
      const left = leftOver(visit);
      if (left.length === 0) break;
      const rest = { ...message, recipients: message.recipients.filter((_, index) => left.includes(index)) };
      // oxlint-disable-next-line no-await-in-loop -- one session after the other
      visit = withAnswers(visit, left, await this.#visitOnce(target, rest, signal));
    }
    return visit;
  }

  async #visitOnce(target: HopTarget, message: HopMessage, signal: AbortSignal): Promise<HopVisit> {
    const made = toOutgoing(message);
    // Nothing that a session would be needed for.
    if ('kind' in made) return made;
    const key = sessionKey(target);
    const used = this.#options.sessions.take(key);
    if (used !== undefined) {
      const visit = await this.#send(key, used, message, made, signal);
      if (visit !== 'stale') return visit;
    }
    const opened = await this.#open(target, message, signal);
    if ('kind' in opened) return opened;
    const visit = await this.#send(key, opened, message, made, signal);
    if (visit === 'stale') throw new TypeError('A new session cannot be stale');
    return visit;
  }

  async #open(target: HopTarget, message: HopMessage, signal: AbortSignal): Promise<HopSession | HopVisit> {
    const { connect, clock, random, connectTimeoutMs, connectSoonMs, timeouts } = this.#options;
    const { host, address, port, localAddress, proxy, isLast } = target;
    const servername = servernameOf(target.tls, host, address);
    const handshake = { certificate: certificateRuleOf(target.tls), ...settingsOf(target.tls) };
    const connected = await connect(
      {
        host,
        address,
        port,
        timeoutMs: isLast ? connectTimeoutMs : connectSoonMs,
        ...(localAddress === undefined ? {} : { localAddress }),
        ...(proxy === undefined ? {} : { proxy }),
        ...(target.implicitTls
          ? { tls: { side: 'client', servername, ...handshake, timeoutMs: HANDSHAKE_MS } }
          : {}),
      },
      signal,
    );
    if (!connected.ok) {
      const problem = connected.error;
      return problem.kind === 'tls'
        ? { kind: 'tls-failed', failure: failureOf(problem.problem), localAddress: undefined }
        : { kind: 'no-connection', problem };
    }
    const connection = connected.value;
    const cut = (): void => connection.destroy();
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    try {
      const opened = await openSmtp(connection, {
        protocol: target.protocol,
        helloName: target.helloName,
        servername,
        tls: CLIENT_TLS[target.tls.kind],
        handshake,
        credentials: target.credentials,
        chunking: true,
        timeouts,
        random,
        clock,
      });
      const from = connection.local.address;
      if (opened.ok)
        return {
          client: opened.value,
          tls: levelOf(connection.tls),
          localAddress: from,
          openedMs: clock.monotonicMs(),
          messages: 0,
        };
      const failure = tlsFailureOf(opened.error, target, connection.tls !== undefined);
      if (failure !== undefined && !signal.aborted)
        return { kind: 'tls-failed', failure, localAddress: from };
      const answer = toAnswer(opened.error, signal);
      return { kind: 'session', answers: message.recipients.map(() => answer), speaksDsn: false };
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  async #send(
    key: string,
    session: HopSession,
    message: HopMessage,
    { outgoing, numbers }: Outgoing,
    signal: AbortSignal,
  ): Promise<HopVisit | 'stale'> {
    const { client, tls, localAddress } = session;
    const isNew = session.messages === 0;
    const cut = (): void => client.destroy();
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    const { outcomes, reusable } = await client.send(outgoing).finally(() => {
      signal.removeEventListener('abort', cut);
    });
    if (
      !isNew &&
      !signal.aborted &&
      outcomes.every((one) => one.kind !== 'relayed') &&
      outcomes.some(isStale)
    ) {
      if (reusable) void client.quit();
      return 'stale';
    }
    if (reusable) this.#options.sessions.give(key, { ...session, messages: session.messages + 1 });
    const [first] = outcomes;
    const lacks = first !== undefined && first.kind !== 'relayed' ? first.problem : undefined;
    if (lacks?.kind === 'not-offered') {
      const what = LACKS[lacks.feature];
      if (what !== undefined) return { kind: 'cannot', what };
    }
    const { dsn, deliverBy } = client.features;
    const answers: HopAnswer[] = message.recipients.map(() => UNWRITABLE);
    for (const [index, outcome] of outcomes.entries()) {
      const number = numbers[index];
      if (number !== undefined) answers[number] = fromOutcome(outcome, signal);
    }
    return {
      kind: 'session',
      answers,
      speaksDsn: dsn,
      speaksDeliverBy: deliverBy,
      opened: { tls, localAddress, isNew },
    };
  }
}

/** Whether a session that was used before ended, or was refused, before any content of this message was sent over it. */
function isStale(outcome: RecipientOutcome): boolean {
  if (outcome.kind !== 'temporary') return false;
  const { problem } = outcome;
  // RFC 5321 §3.8: 421 at any time. A limit on messages or on time may be met with any temporary refusal of MAIL.
  if (problem.stage === 'mail') return true;
  if (problem.stage !== 'rcpt' && problem.stage !== 'data') return false;
  return problem.kind === 'closed' || (problem.kind === 'reply' && problem.reply.code === 421);
}

/** The recipients, by their place, that the hop would take in another session. */
function leftOver(visit: HopVisit): readonly number[] {
  if (visit.kind !== 'session') return [];
  return visit.answers.flatMap((answer, index) =>
    answer.kind === 'lost' && answer.how === 'session-limit' ? [index] : [],
  );
}

/** A next session that did not come about changes nothing. */
function withAnswers(visit: HopVisit, left: readonly number[], next: HopVisit): HopVisit {
  if (visit.kind !== 'session' || next.kind !== 'session') return visit;
  const answers = [...visit.answers];
  for (const [at, index] of left.entries()) {
    const answer = next.answers[at];
    if (answer !== undefined) answers[index] = answer;
  }
  return { ...visit, answers };
}

/**
 * What the session's opening failed of, if it is that TLS could not be had: a connection that is lost over STARTTLS, or at the first
 * command under TLS, is as good as a handshake that failed. Under TLS from the first octet nothing could be left out.
 */
function tlsFailureOf(
  problem: ClientProblem,
  { tls, implicitTls }: Pick<HopTarget, 'tls' | 'implicitTls'>,
  isSecured: boolean,
): TlsFailure | undefined {
  const { kind } = tls;
  if (problem.kind === 'tls') return failureOf(problem.problem);
  if (kind === 'none') return undefined;
  const isOverTls = problem.stage === 'starttls' || (problem.stage === 'hello' && isSecured && !implicitTls);
  const lost = LOST_OVER_TLS[problem.kind];
  if (isOverTls && lost !== undefined) return { kind: lost, text: formatProblem(problem) };
  if (kind === 'opportunistic' || problem.stage !== 'starttls') return undefined;
  if (problem.kind === 'not-offered') return { kind: 'not-offered', text: 'STARTTLS is not offered' };
  return problem.kind === 'reply' ? { kind: 'refused', text: formatProblem(problem) } : undefined;
}

const LOST_OVER_TLS: Partial<Record<ClientProblem['kind'], TlsFailure['kind']>> = {
  closed: 'reset',
  timeout: 'timeout',
  garbage: 'handshake',
};

const CLIENT_TLS = {
  none: 'none',
  opportunistic: 'opportunistic',
  encrypt: 'required',
  verified: 'required',
  dane: 'required',
  fingerprint: 'required',
} as const satisfies Record<TlsRequirement['kind'], SmtpClientOptions['tls']>;

type Outgoing = {
  readonly outgoing: OutgoingMessage;
  /** Which of the message's recipients each outgoing one is. */
  readonly numbers: readonly number[];
};

const UNWRITABLE: HopAnswer = {
  kind: 'unfit',
  status: '5.1.3',
  reason: 'smtp.bad-path',
  text: 'The address cannot be written as an SMTP path',
};

const LACKS: Partial<Record<string, Extract<HopVisit, { kind: 'cannot' }>['what']>> = {
  SMTPUTF8: 'smtputf8',
  '8BITMIME': '8bitmime',
  SIZE: 'size',
  REQUIRETLS: 'requiretls',
  BINARYMIME: 'binarymime',
  DELIVERBY: 'deliverby',
};

const BODY = { '7bit': '7BIT', '8bitmime': '8BITMIME', binarymime: 'BINARYMIME' } as const;

const CONDITIONS = { success: 'SUCCESS', failure: 'FAILURE', delay: 'DELAY' } as const satisfies Record<
  string,
  NotifyCondition
>;

function toOutgoing(message: HopMessage): Outgoing | HopVisit {
  const reversePath = message.reversePath === null ? null : parseEnvelopeAddress(message.reversePath);
  const recipients: OutgoingRecipient[] = [];
  const numbers: number[] = [];
  for (const [number, { forwardPath, notify, originalRecipient }] of message.recipients.entries()) {
    const path = parseEnvelopeAddress(forwardPath);
    if (path === undefined) continue;
    numbers.push(number);
    recipients.push({
      forwardPath: path,
      notify: notify?.map((condition) => CONDITIONS[condition]),
      originalRecipient:
        originalRecipient === undefined ? undefined : parseOriginalRecipient(originalRecipient),
    });
  }
  if (reversePath === undefined || recipients.length === 0)
    return { kind: 'session', answers: message.recipients.map(() => UNWRITABLE), speaksDsn: false };
  const { ret, envid } = message.dsn;
  const outgoing: OutgoingMessage = {
    reversePath,
    recipients,
    body: BODY[message.body],
    smtpUtf8: message.smtpUtf8,
    ret: ret === undefined ? undefined : ({ full: 'FULL', hdrs: 'HDRS' } as const)[ret],
    envelopeId: envid,
    requireTls: message.requireTls,
    deliverBy: message.deliverBy,
    priority: message.priority,
    octets: message.octets,
    content: () => message.content(),
  };
  return { outgoing, numbers };
}

function fromOutcome(outcome: RecipientOutcome, signal: AbortSignal): HopAnswer {
  return outcome.kind === 'relayed'
    ? { kind: 'replied', reply: outcome.reply, at: 'content' }
    : toAnswer(outcome.problem, signal);
}

function toAnswer(problem: ClientProblem, signal: AbortSignal): HopAnswer {
  const text = formatProblem(problem);
  switch (problem.kind) {
    case 'reply':
      return { kind: 'replied', reply: problem.reply, at: REPLIED_AT[problem.stage] };
    case 'bad-path':
      return { kind: 'unfit', status: statusOf(problem), reason: 'smtp.bad-path', text };
    case 'garbage':
      return { kind: 'lost', how: 'garbage', at: LOST_AT[problem.stage], text };
    case 'session-limit':
      return { kind: 'lost', how: 'session-limit', at: LOST_AT[problem.stage], text };
    case 'timeout':
      return { kind: 'lost', how: 'timeout', at: LOST_AT[problem.stage], text };
    case 'closed':
    case 'tls':
    case 'unproven':
    case 'not-offered':
      return { kind: 'lost', how: signal.aborted ? 'stopped' : 'reset', at: LOST_AT[problem.stage], text };
  }
}

const REPLIED_AT = {
  greeting: 'greeting',
  hello: 'hello',
  starttls: 'tls',
  auth: 'tls',
  mail: 'mail',
  rcpt: 'rcpt',
  // Refused before any content: as good or bad as a no to MAIL.
  data: 'mail',
  content: 'content',
  final: 'content',
  reset: 'content',
} as const satisfies Record<Stage, HopStage>;

/** Before the final dot the hop cannot have taken the message: another host may be tried at once. */
const LOST_AT = { ...REPLIED_AT, content: 'rcpt', reset: 'rcpt' } as const satisfies Record<Stage, HopStage>;
