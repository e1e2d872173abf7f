/** A visit to a next hop by the SMTP client: one connection, one message, goodbye. */
import type { Clock } from '../../base/clock.ts';
import type { Connect } from '../../base/connection.ts';
import type { SaslCredentials } from '../../sasl/mechanism.ts';
import type { OutgoingMessage, OutgoingRecipient } from '../../smtp/client/message.ts';
import type { ClientProblem, RecipientOutcome, Stage } from '../../smtp/client/problem.ts';
import { formatProblem, statusOf } from '../../smtp/client/problem.ts';
import type { SmtpClient } from '../../smtp/client/client.ts';
import { openSmtp } from '../../smtp/client/client.ts';
import type { SmtpTimeouts } from '../../smtp/client/timeouts.ts';
import type { NotifyCondition, OriginalRecipient } from '../../smtp/wire/parameter.ts';
import { parseEnvelopeAddress } from '../../smtp/wire/path.ts';
import { decodeXtext } from '../../smtp/wire/xtext.ts';
import type { HopAnswer, HopMessage, HopStage, HopTarget, HopVisit, RemoteHop } from './hop.ts';

export type SmtpHopOptions = {
  readonly connect: Connect;
  readonly clock: Clock;
  /** Our name in EHLO: one that leads back to us (RFC 5321 §4.1.4). */
  readonly hostname: string;
  readonly connectTimeoutMs: number;
  readonly timeouts: SmtpTimeouts;
  /** Set where one host takes all mail: how it is spoken with, and as whom. Its certificate must be valid. */
  readonly relay?: RelayLogin;
  /** False: never TLS, also where it is offered. */
  readonly usesTls: boolean;
};

export type RelayLogin = {
  readonly tls: 'none' | 'starttls' | 'implicit';
  readonly credentials: SaslCredentials | undefined;
};

/** RFC 5321 §4.5.3.2 gives 5 minutes for the greeting; a handshake before it needs no more. */
const HANDSHAKE_MS = 60_000;

export class SmtpHop implements RemoteHop {
  readonly #options: SmtpHopOptions;

  constructor(options: SmtpHopOptions) {
    this.#options = options;
  }

  async visit(target: HopTarget, message: HopMessage, signal: AbortSignal): Promise<HopVisit> {
    const outgoing = toOutgoing(message);
    if ('kind' in outgoing) return outgoing;
    const { connect, clock, hostname, connectTimeoutMs, timeouts } = this.#options;
    const { host, address, port } = target;
    const { relay, usesTls } = this.#options;
    const servername = host === address ? '' : host;
    const implicit = { side: 'client', servername, verify: 'verified', timeoutMs: HANDSHAKE_MS } as const;
    const connected = await connect(
      {
        host,
        address,
        port,
        timeoutMs: connectTimeoutMs,
        ...(relay?.tls === 'implicit' ? { tls: implicit } : {}),
      },
      signal,
    );
    if (!connected.ok) return { kind: 'no-connection', problem: connected.error };
    const connection = connected.value;
    const cut = (): void => connection.destroy();
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    try {
      const opened = await openSmtp(connection, {
        protocol: 'smtp',
        helloName: hostname,
        // RFC 6066 §3: an address is no server name.
        servername,
        tls:
          relay === undefined
            ? usesTls
              ? target.tls
              : 'none'
            : relay.tls === 'starttls'
              ? 'verified'
              : 'none',
        credentials: relay?.credentials,
        chunking: true,
        timeouts,
        clock,
      });
      if (opened.ok) return await this.#send(opened.value, message, outgoing, signal);
      if (opened.error.kind === 'tls' && !signal.aborted)
        return { kind: 'tls-failed', text: opened.error.detail };
      const answer = toAnswer(opened.error, signal);
      return { kind: 'session', answers: message.recipients.map(() => answer), speaksDsn: false };
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  async #send(
    client: SmtpClient,
    message: HopMessage,
    { outgoing, numbers }: Outgoing,
    signal: AbortSignal,
  ): Promise<HopVisit> {
    const { outcomes, reusable } = await client.send(outgoing);
    // The answer is known: the goodbye is nobody's to wait for.
    if (reusable) void client.quit();
    const [first] = outcomes;
    const lacks = first !== undefined && first.kind !== 'relayed' ? first.problem : undefined;
    if (lacks?.kind === 'not-offered') {
      const what = LACKS[lacks.feature];
      if (what !== undefined) return { kind: 'cannot', what };
    }
    const answers: HopAnswer[] = message.recipients.map(() => UNWRITABLE);
    for (const [index, outcome] of outcomes.entries()) {
      const number = numbers[index];
      if (number !== undefined) answers[number] = fromOutcome(outcome, signal);
    }
    return { kind: 'session', answers, speaksDsn: client.features.dsn };
  }
}

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
};

const CONDITIONS = { success: 'SUCCESS', failure: 'FAILURE', delay: 'DELAY' } as const satisfies Record<
  string,
  NotifyCondition
>;

function toOutgoing(message: HopMessage): Outgoing | HopVisit {
  // We do not offer BINARYMIME, so nothing binary comes from a peer; a converted or local one has nowhere to go.
  if (message.body === 'binarymime') return { kind: 'cannot', what: 'binarymime' };
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
      originalRecipient: originalRecipient === undefined ? undefined : toOriginalRecipient(originalRecipient),
    });
  }
  if (reversePath === undefined || recipients.length === 0)
    return { kind: 'session', answers: message.recipients.map(() => UNWRITABLE), speaksDsn: false };
  const { ret, envid } = message.dsn;
  const outgoing: OutgoingMessage = {
    reversePath,
    recipients,
    body: message.body === '8bitmime' ? '8BITMIME' : '7BIT',
    smtpUtf8: message.smtpUtf8,
    ret: ret === undefined ? undefined : ({ full: 'FULL', hdrs: 'HDRS' } as const)[ret],
    envelopeId: envid,
    octets: message.octets,
    content: message.content(),
  };
  return { outgoing, numbers };
}

/** From the form of the queue, `type;xtext`. */
function toOriginalRecipient(text: string): OriginalRecipient | undefined {
  const semicolon = text.indexOf(';');
  if (semicolon < 1) return undefined;
  const type = text.slice(0, semicolon);
  const written = text.slice(semicolon + 1);
  if (type.toLowerCase() !== 'rfc822') return { type, address: written };
  const address = decodeXtext(written);
  return address === undefined ? undefined : { type, address };
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
    case 'timeout':
      return { kind: 'lost', how: 'timeout', at: LOST_AT[problem.stage], text };
    case 'closed':
    case 'tls':
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
