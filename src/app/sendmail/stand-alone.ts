/** `sendmail -bs`: speaks SMTP on standard input and output; each message goes into the maildrop. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { LIMITS } from '../../base/limits.ts';
import type { Connection, ReadStop } from '../../base/connection.ts';
import { err } from '../../base/result.ts';
import { createQueueIds } from '../../queue/queue-id.ts';
import type { NewEnvelope } from '../../sendmail/wire/drop-file.ts';
import { SMTP_EXTENSIONS } from '../../smtp/server/extensions.ts';
import { SMTP_LIMITS } from '../../smtp/server/limits.ts';
import type {
  CommitOutcome,
  Intake,
  MessageSink,
  RecipientVerdict,
  TransactionFacts,
} from '../../smtp/server/ports.ts';
import { SUBMISSION } from '../../smtp/server/role.ts';
import { serveSmtp } from '../../smtp/server/session.ts';
import { formatEnvelopeAddress } from '../../smtp/wire/path.ts';
import { reply } from '../../smtp/wire/reply.ts';
import { systemClock, systemRandom } from '../system.ts';
import { drop, factsOf } from './deliver.ts';
import { SendmailProblem } from './exit-code.ts';
import type { Caller, Office } from './office.ts';
import { unknownRecipients } from './recipients.ts';

export async function serveStandardInput(office: Office, caller: Caller): Promise<void> {
  const limits = {
    ...SMTP_LIMITS,
    messageOctetsMax: office.messageOctetsMax,
    recipientsMax: LIMITS.dropRecipientsMax,
  };
  await serveSmtp(new StandardConnection(process.stdin, process.stdout), {
    role: { ...SUBMISSION, auth: 'none' },
    limits,
    // What the maildrop has no place for is not offered.
    extensions: {
      ...SMTP_EXTENSIONS,
      hold: undefined,
      deliverBy: undefined,
      priority: undefined,
      binaryMime: false,
      vrfy: 'nobody',
      expn: 'nobody',
    },
    // A user of this machine may ask for XVERP here as by -XV; of what else trust is about, nothing is offered.
    trust: { isPeer: () => true, isForwarder: () => false },
    hostname: office.domain,
    startTls: false,
    clock: systemClock,
    traceId: createQueueIds(systemClock, systemRandom),
    signIn: undefined,
    recipients: { verify: (forwardPath) => verifyRecipient(office, formatEnvelopeAddress(forwardPath)) },
    addresses: { find: () => ({ kind: 'unknown' }) },
    intake: intakeOf(office, caller),
    policy: {},
    events: () => undefined,
    shutdown: new AbortController().signal,
  });
}

async function verifyRecipient(office: Office, address: string): Promise<RecipientVerdict> {
  const unknown = await unknownRecipients(office, [address]);
  return unknown.length === 0 ? { kind: 'accept' } : UNKNOWN;
}

const UNKNOWN: RecipientVerdict = {
  kind: 'refuse',
  reply: reply(550, '5.1.1', 'No such mailbox here'),
  reason: 'recipient.unknown',
};

function intakeOf(office: Office, caller: Caller): Intake {
  return { begin: (transaction) => new DropSink(office, caller, transaction) };
}

/** The content runs through to the file while it comes. */
class DropSink implements MessageSink {
  readonly #content = new PassThrough();
  readonly #dropped: Promise<CommitOutcome>;

  constructor(office: Office, caller: Caller, transaction: TransactionFacts) {
    const envelope = envelopeOf(transaction);
    this.#dropped = drop(office, this.#content, {
      envelope: async () => envelope,
      facts: factsOf(office, caller, envelope.sender, systemClock.nowMs()),
    }).then(
      () => ({ kind: 'accepted' }),
      (cause: unknown) => {
        this.#content.destroy();
        if (!(cause instanceof SendmailProblem)) throw cause;
        return { kind: 'refuse', reply: reply(554, '5.6.0', cause.message), reason: 'sendmail.refused' };
      },
    );
    // Whoever gave the message up asks no more.
    this.#dropped.catch(() => undefined);
  }

  write(octets: Uint8Array): Promise<void> | undefined {
    if (this.#content.destroyed || this.#content.write(octets)) return undefined;
    return Promise.race([once(this.#content, 'drain'), once(this.#content, 'close')]).then(() => undefined);
  }

  async commit(): Promise<CommitOutcome> {
    this.#content.end();
    return this.#dropped;
  }

  abort(): void {
    this.#content.destroy(new Error('The message was given up'));
  }
}

function envelopeOf({ reversePath, parameters, recipients }: TransactionFacts): NewEnvelope {
  return {
    sender: reversePath === null ? null : formatEnvelopeAddress(reversePath),
    recipients: recipients.map(({ forwardPath }) => formatEnvelopeAddress(forwardPath)),
    notify: undefined,
    wishes: recipients.map(({ parameters: { notify, originalRecipient } }) => ({
      notify: notify?.map((one) => NOTIFY[one]),
      originalRecipient: originalRecipient && `${originalRecipient.type};${originalRecipient.written}`,
    })),
    ret: parameters.ret === undefined ? undefined : ({ FULL: 'full', HDRS: 'hdrs' } as const)[parameters.ret],
    envid: parameters.envelopeId,
    verp: parameters.verp,
  };
}

const NOTIFY = { SUCCESS: 'success', FAILURE: 'failure', DELAY: 'delay' } as const;

/** Standard input and output as a connection. No time is limited but by who holds the other ends. */
class StandardConnection implements Connection {
  readonly remote = { address: '127.0.0.1', port: 0 };
  readonly local = { address: '127.0.0.1', port: 0 };
  readonly tls = undefined;
  gone: Connection['gone'] = undefined;
  readonly #output: NodeJS.WriteStream;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #input: NodeJS.ReadStream;
  #pending: Promise<IteratorResult<Uint8Array>> | undefined;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream) {
    this.#input = input;
    this.#output = output;
    this.#chunks = input[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    output.on('error', () => this.destroy());
  }

  async read(idleMs: number): Promise<Uint8Array | ReadStop> {
    if (this.gone !== undefined) return 'reset';
    this.#pending ??= this.#chunks.next();
    const answer = await Promise.race([this.#pending.catch(() => undefined), idle(idleMs)]);
    if (answer === 'timeout') return 'timeout';
    this.#pending = undefined;
    return answer === undefined || answer.done === true ? 'end' : answer.value;
  }

  tryRead(): undefined {
    return undefined;
  }

  wake(): void {
    // Nobody tells this session to end but its input.
  }

  write(octets: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined {
    if (this.gone !== undefined) return undefined;
    const room = this.#output.write(octets instanceof Uint8Array ? octets : Buffer.concat(octets));
    return room ? undefined : once(this.#output, 'drain').then(() => undefined);
  }

  async startTls(): ReturnType<Connection['startTls']> {
    return err({ kind: 'handshake', text: 'There is no TLS over standard input' });
  }

  async close(): Promise<void> {
    this.destroy();
  }

  destroy(): void {
    this.gone ??= 'destroyed';
    this.#input.destroy();
  }
}

async function idle(delayMs: number): Promise<'timeout'> {
  return new Promise((resolve) => setTimeout(() => resolve('timeout'), delayMs).unref());
}
