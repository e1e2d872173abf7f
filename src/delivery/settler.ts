/**
 * Writes down what became of recipients: decides when delayed ones are tried again and when they have failed for good,
 * writes the DSN that follows, and settles all of it in one commit of the queue. The DSN's octets are on stable storage
 * before that commit names them.
 */
import { isAscii } from 'node:buffer';
import type { Directory } from '../auth/directory.ts';
import { fromLatin1 } from '../base/bytes.ts';
import { sleep, type Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import type {
  NewQueuedMessage,
  NewRecipient,
  Queue,
  QueuedMessage,
  QueuedRecipient,
  QueueId,
  Settlement,
} from '../queue/queue.ts';
import { decodeText } from '../message/encoded-word.ts';
import { findField, parseHeaderOctets, unfold } from '../message/header.ts';
import { parseMessageId, parseMessageIds } from '../message/message-id.ts';
import { encodeQuotedPrintable } from '../message/transfer.ts';
import type { BlobRef, BlobStore } from '../store/blob-store.ts';
import { BlobError } from '../store/blob-store.ts';
import { buildDsn, returnedEncoding, returnedPart, wantsDsn } from './bounce.ts';
import type { DsnAction, DsnOriginal, DsnRecipient } from './dsn/request.ts';
import {
  delayAnswer,
  delayReportAtMs,
  isOverdue,
  overdueOutcome,
  tellsHandOver,
  withinTime,
} from './deliver-by.ts';
import type { DeliveryEventSink } from './event.ts';
import { expandRecipients, isSameRecipient } from './expand.ts';
import type { Tried } from '../queue/retry.ts';
import type { Outcome } from './outcome.ts';
import { mailboxOf } from './outcome.ts';
import { retryDecision } from './remote/reply-class.ts';
import { isSrs } from './return-path/srs.ts';
import type { ReturnPaths } from './return-paths.ts';

export type SettlerPorts = {
  readonly queue: Pick<Queue, 'settle'>;
  readonly blobs: BlobStore;
  readonly directory: Pick<Directory, 'resolve'>;
  readonly returnPaths: ReturnPaths;
  readonly clock: Clock;
  readonly random: Random;
  /** A new id for a message of ours. */
  readonly newId: () => QueueId;
  /** When a recipient that was tried `attempts` times is due again. */
  readonly nextDueMs: (tried: Tried, nowMs: number) => number;
  readonly events: DeliveryEventSink;
};

export type SettlerOptions = {
  readonly hostname: string;
  /** A recipient that waits longer than this after its arrival is reported as delayed, once. */
  readonly delayReportAfterMs: number;
  /** How long a DSN is tried. */
  readonly dsnLifetimeMs: number;
  /** Who is told of mail from the null reverse-path that failed: reports that nobody got. Undefined: nobody. */
  readonly lostReportsTo?: string | undefined;
};

type Attempted = Exclude<Settlement, { kind: 'suspended' }>;

type Decision = {
  readonly settlement: Attempted;
  /** Where the sender is to hear of it. */
  readonly report: DsnRecipient | undefined;
};

/** What a report says of its message. */
type Reported = Omit<NewQueuedMessage, 'recipients'>;

/** Where a DSN could not be written, what it would have said is settled again after this. */
const DSN_RETRY_MS = 300_000;
/** After a fault of the queue, the first pause and the longest. */
const SETTLE_PAUSE_MS = 100;
const SETTLE_PAUSE_MS_MAX = 5000;

export class Settler {
  readonly #ports: SettlerPorts;
  readonly #options: SettlerOptions;
  readonly #stopped = new AbortController();

  constructor(ports: SettlerPorts, options: SettlerOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /**
   * @param outcomes by the recipient's number; recipients without one stay as they are
   * @param lease 'kept' where the rest of the message is still being worked on
   */
  async settle(
    message: QueuedMessage,
    owner: string,
    outcomes: ReadonlyMap<number, Outcome>,
    lease: 'ended' | 'kept' = 'ended',
  ): Promise<'settled' | 'stale'> {
    const decisions: Decision[] = [];
    for (const recipient of message.recipients) {
      const outcome = outcomes.get(recipient.number);
      if (outcome !== undefined) decisions.push(this.#decide(message, recipient, outcome));
    }
    const reports = decisions.map(({ report }) => report).filter((report) => report !== undefined);
    const lost = decisions.filter(
      ({ settlement }) => settlement.kind === 'failed' && message.reversePath === null,
    );
    const written = await this.#writeDsns(
      message,
      reports,
      lost.map(({ settlement }) => settlement),
    );
    const settlements = decisions.map((decision) =>
      written === 'fault' ? this.#withoutReport(decision) : decision.settlement,
    );
    const follow = written === 'fault' ? [] : written;
    const settled = await this.#commit(message.id, () =>
      this.#ports.queue.settle(message.id, owner, settlements, follow, lease),
    );
    if (settled === 'settled') this.#tell(message, outcomes, settlements, follow);
    return settled;
  }

  /** From now on a fault of the queue is not waited out: the process ends. */
  stop(): void {
    this.#stopped.abort();
  }

  /**
   * What was done is known here alone: as long as nobody else may do it again, the queue is asked once more after a fault,
   * so that mail which a host has taken does not go out twice. Throws the last `Fault`.
   */
  async #commit(queueId: QueueId, settle: () => Promise<'settled' | 'stale'>): Promise<'settled' | 'stale'> {
    const { clock, events } = this.#ports;
    const endMs = clock.monotonicMs() + LIMITS.settlingMs;
    for (let pauseMs = SETTLE_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, SETTLE_PAUSE_MS_MAX)) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        return await settle();
      } catch (cause) {
        const isLast = clock.monotonicMs() + pauseMs > endMs || this.#stopped.signal.aborted;
        if (!(cause instanceof Fault) || isLast) throw cause;
        events({ name: 'delivery.fault', queueId, doing: cause.message, cause });
      }
      // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
      await sleep(clock, pauseMs, this.#stopped.signal);
    }
  }

  /**
   * The reports of what is decided when a message is taken: addresses that stand for several, lists, loops. Their octets are on
   * stable storage; the queue is to take them together with the message. Throws `Fault`.
   */
  async reportsOfTaking(
    message: Reported,
    reports: readonly DsnRecipient[],
  ): Promise<readonly NewQueuedMessage[]> {
    const { reversePath } = message;
    const isLost = reversePath === null;
    const wanted = reports.filter(({ recipient, action }) =>
      isLost ? action === 'failed' : wantsDsn(message, recipient, action),
    );
    if (isLost)
      for (const { recipient } of wanted)
        this.#tellUnreported(message.id, recipient.forwardPath, 'null-reverse-path');
    const groups = Map.groupBy(wanted, ({ recipient }) =>
      isLost ? (this.#options.lostReportsTo ?? null) : reportedTo(message, recipient),
    );
    const dsns = await Promise.all(
      [...groups].map(async ([to, some]) => {
        const dsn = await this.#newDsn(message, some, to);
        if (dsn === undefined && to !== null && !isLost) this.#tellUnreported(message.id, to, 'nobody-there');
        return dsn;
      }),
    );
    return dsns.filter((dsn) => dsn !== undefined);
  }

  /** A report about a message was queued. */
  tellDsn(queueId: QueueId, { id, recipients }: NewQueuedMessage): void {
    const [to] = recipients;
    this.#ports.events({
      name: 'delivery.dsn-queued',
      queueId,
      dsnId: id,
      address: to?.forwardPath ?? '',
    });
  }

  #decide(message: QueuedMessage, recipient: QueuedRecipient, outcome: Outcome): Decision {
    const { number } = recipient;
    const report = (action: DsnAction): DsnRecipient | undefined =>
      wantsDsn(message, recipient, action) ? { recipient, action, answer: outcome.answer } : undefined;
    switch (outcome.kind) {
      case 'delivered':
        return {
          settlement: { recipient: number, kind: 'delivered', answer: outcome.answer },
          report: report('delivered'),
        };
      case 'relayed':
        return {
          settlement: { recipient: number, kind: 'relayed', answer: outcome.answer },
          report: tellsHandOver(message, recipient, outcome)
            ? { recipient, action: 'relayed', answer: outcome.answer }
            : outcome.reportsItself
              ? undefined
              : report('relayed'),
        };
      case 'failed':
        return {
          settlement: { recipient: number, kind: 'failed', answer: outcome.answer },
          report: report('failed'),
        };
      case 'held':
      case 'dropped':
        return {
          settlement: { recipient: number, kind: outcome.kind, answer: outcome.answer },
          report: undefined,
        };
      case 'delayed':
        return this.#decideDelay(message, recipient, outcome);
    }
  }

  #decideDelay(
    message: QueuedMessage,
    recipient: QueuedRecipient,
    outcome: Extract<Outcome, { kind: 'delayed' }>,
  ): Decision {
    const nowMs = this.#ports.clock.nowMs();
    const { answer } = outcome;
    if (isOverdue(message, nowMs)) return this.#decide(message, recipient, overdueOutcome(nowMs, answer));
    if (nowMs >= message.expiresAtMs) return this.#decide(message, recipient, { kind: 'failed', answer });
    const { state } = recipient;
    const attempts = (state.kind === 'waiting' ? state.attempts : 0) + 1;
    const reported = state.kind === 'waiting' && state.delayReported;
    const late = nowMs >= delayReportAtMs(message, this.#options.delayReportAfterMs);
    const report = !reported && late && wantsDsn(message, recipient, 'delayed');
    const { pace } = retryDecision(answer.reason);
    // The last attempt is made when time runs out, not after.
    const dueAtMs = Math.min(
      withinTime(
        message,
        this.#ports.nextDueMs({ attempts, pace, pausesMs: outcome.pausesMs }, nowMs),
        nowMs,
      ),
      message.expiresAtMs,
    );
    return {
      settlement: {
        recipient: recipient.number,
        kind: 'delayed',
        answer,
        dueAtMs,
        delayReported: reported || report,
      },
      report: report ? { recipient, action: 'delayed', answer: delayAnswer(message, answer) } : undefined,
    };
  }

  /** The disk refused the DSN. What was done stays done; a failure waits until its report can be written. */
  #withoutReport({ settlement, report }: Decision): Attempted {
    if (report === undefined) return settlement;
    if (settlement.kind === 'delayed') return { ...settlement, delayReported: false };
    if (settlement.kind !== 'failed' || settlement.answer === undefined) return settlement;
    return {
      recipient: settlement.recipient,
      kind: 'delayed',
      answer: settlement.answer,
      dueAtMs: this.#ports.clock.nowMs() + DSN_RETRY_MS,
      delayReported: true,
    };
  }

  /** One for each address that the copies left with. None where an address leads nowhere: then nobody can be told. */
  async #writeDsns(
    message: QueuedMessage,
    reports: readonly DsnRecipient[],
    lost: readonly Attempted[],
  ): Promise<readonly NewQueuedMessage[] | 'fault'> {
    const dsns: NewQueuedMessage[] = [];
    if (reports.length + lost.length === 0) return dsns;
    try {
      const report = await this.#reportLost(message, lost);
      if (report !== undefined) dsns.push(report);
      for (const [to, about] of Map.groupBy(reports, ({ recipient }) => reportedTo(message, recipient))) {
        // oxlint-disable-next-line no-await-in-loop -- mostly one
        const dsn = await this.#newDsn(message, about, to);
        if (dsn !== undefined) dsns.push(dsn);
        else this.#tellUnreported(message.id, to ?? '', 'nobody-there');
      }
      return dsns;
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause;
      this.#ports.events({ name: 'delivery.fault', queueId: message.id, doing: cause.message, cause });
      return 'fault';
    }
  }

  /** A report that nobody got makes none to its sender; the postmaster may be told, but not of what did not reach him. */
  async #reportLost(
    message: QueuedMessage,
    lost: readonly Attempted[],
  ): Promise<NewQueuedMessage | undefined> {
    const about: (DsnRecipient & { readonly recipient: QueuedRecipient })[] = [];
    for (const { recipient: number, answer } of lost) {
      const recipient = message.recipients[number];
      if (recipient === undefined) continue;
      this.#tellUnreported(message.id, recipient.forwardPath, 'null-reverse-path');
      about.push({ recipient, action: 'failed', answer });
    }
    const { lostReportsTo } = this.#options;
    if (about.length === 0 || lostReportsTo === undefined) return undefined;
    return this.#newDsn(
      message,
      about,
      lostReportsTo,
      about.map(({ recipient }) => recipient),
    );
  }

  /** @param except who is not told */
  async #newDsn(
    message: Reported,
    reports: readonly DsnRecipient[],
    to: string | null,
    except: readonly NewRecipient[] = [],
  ): Promise<NewQueuedMessage | undefined> {
    const { clock, newId } = this.#ports;
    if (to === null) return undefined;
    // RFC 3461 §6.1: to the reverse-path, with NOTIFY=NEVER.
    const recipient = { address: to, notify: [], originalRecipient: undefined };
    const envelope = { reversePath: null, smtpUtf8: message.smtpUtf8 };
    const expansion = await expandRecipients(this.#ports, envelope, [recipient]);
    const recipients = expansion.recipients.filter(
      (one) => !except.some((other) => isSameRecipient(one, other)),
    );
    if (recipients.length === 0) return undefined;
    const nowMs = clock.nowMs();
    const id = newId();
    const { blob, eightBit, smtpUtf8 } = await this.#writeDsnBlob(
      { ...message, reversePath: to },
      reports,
      id,
      nowMs,
    );
    return {
      id,
      blob,
      prefix: new Uint8Array(0),
      reversePath: null,
      body: eightBit ? '8bitmime' : '7bit',
      smtpUtf8,
      dsn: { ret: undefined, envid: undefined },
      // RFC 6710 §4.6: as urgent as the message that it is about.
      priority: message.priority,
      // RFC 8689 §5: a report is protected as what it tells of.
      requireTls: message.requireTls,
      tlsOptional: false,
      deliverBy: undefined,
      arrivedAtMs: nowMs,
      releaseAtMs: undefined,
      releaseRequest: undefined,
      expiresAtMs: nowMs + this.#options.dsnLifetimeMs,
      source: { kind: 'dsn', remote: undefined, helo: undefined, account: undefined },
      recipients,
    };
  }

  async #writeDsnBlob(
    message: Reported,
    reports: readonly DsnRecipient[],
    id: QueueId,
    nowMs: number,
  ): Promise<{ readonly blob: BlobRef; readonly eightBit: boolean; readonly smtpUtf8: boolean }> {
    const { blobs, random } = this.#ports;
    const octets = message.prefix.length + message.blob.octets;
    const wanted = returnedPart(
      message,
      octets,
      reports.map(({ action }) => action),
    );
    const header = await this.#headerOctets(message);
    // What has to be encoded is in memory as a whole: no more of it than goes back without being asked for.
    const fits = octets <= LIMITS.dsnReturnedOctets || returnedEncoding(message, 'message', true) === '8bit';
    // RFC 6522 §3: a header of eight bits cannot stand in a message/rfc822 that may be sent anywhere.
    const isLegal = message.smtpUtf8 || !isEightBit(header);
    const original = await this.#original(message, fits && isLegal ? wanted : 'header', header);
    const boundary = Buffer.from(random.octets(18)).toString('base64url');
    const frame = buildDsn({
      message,
      original: describeOriginal(header),
      recipients: reports,
      hostname: this.#options.hostname,
      id,
      nowMs,
      boundary: `=_${boundary}`,
      eightBit: original.eightBit,
      returned: original.returned,
    });
    const writer = blobs.create(frame.head.length + octets + frame.tail.length);
    try {
      await writer.write(frame.head);
      for await (const chunk of original.content())
        await writer.write(
          frame.encoding === 'quoted-printable' ? fromLatin1(encodeQuotedPrintable(chunk)) : chunk,
        );
      await writer.write(frame.tail);
      return { blob: await writer.finish(), eightBit: frame.eightBit, smtpUtf8: frame.smtpUtf8 };
    } catch (cause) {
      writer.abort();
      throw cause;
    }
  }

  /**
   * What goes back, looked through once before: its encoding stands in front of it. Damaged octets do not go back. What may
   * have to be encoded comes in one piece.
   */
  async #original(message: Reported, wanted: 'message' | 'header', header: Buffer): Promise<Original> {
    if (wanted === 'header') return headerOnly(header);
    const { blobs } = this.#ports;
    try {
      if (message.prefix.length + message.blob.octets <= LIMITS.dsnReturnedOctets) {
        const whole = Buffer.concat([message.prefix, await blobs.read(message.blob)]);
        return { returned: 'message', eightBit: isEightBit(whole), content: () => [whole] };
      }
      let eightBit = isEightBit(message.prefix);
      for await (const chunk of blobs.stream(message.blob)) eightBit ||= isEightBit(chunk);
      return {
        returned: 'message',
        eightBit,
        content: async function* content() {
          yield message.prefix;
          yield* blobs.stream(message.blob);
        },
      };
    } catch (cause) {
      if (!(cause instanceof BlobError)) throw cause;
      return headerOnly(header);
    }
  }

  /** The header as it goes back, our own fields before it; of damaged octets those alone. */
  async #headerOctets(message: Reported): Promise<Buffer> {
    const end = Math.min(message.blob.octets, LIMITS.dsnHeaderOctetsMax);
    try {
      const start = end === 0 ? Buffer.alloc(0) : await this.#ports.blobs.read(message.blob, 0, end);
      return Buffer.concat([message.prefix, headerOf(start)]);
    } catch (cause) {
      if (!(cause instanceof BlobError)) throw cause;
      return Buffer.from(message.prefix);
    }
  }

  #tell(
    message: QueuedMessage,
    outcomes: ReadonlyMap<number, Outcome>,
    settlements: readonly Attempted[],
    follow: readonly NewQueuedMessage[],
  ): void {
    for (const settlement of settlements) {
      const recipient = message.recipients[settlement.recipient];
      const tried = recipient?.state.kind === 'settled' ? 0 : (recipient?.state.attempts ?? 0);
      const isDelayed = settlement.kind === 'delayed';
      this.#ports.events({
        name: 'delivery.settled',
        queueId: message.id,
        recipient: settlement.recipient,
        address: recipient?.forwardPath ?? '',
        outcome: settlement.kind,
        status: settlement.answer?.status,
        reason: settlement.answer?.reason,
        host: settlement.answer?.host,
        text: settlement.answer?.text,
        tls: settlement.answer?.tls,
        mailbox: mailboxOf(outcomes.get(settlement.recipient)),
        attempts: isDelayed ? tried + 1 : undefined,
        dueAtMs: isDelayed ? settlement.dueAtMs : undefined,
      });
    }
    for (const dsn of follow) this.tellDsn(message.id, dsn);
  }

  #tellUnreported(queueId: QueueId, address: string, reason: 'null-reverse-path' | 'nobody-there'): void {
    this.#ports.events({ name: 'delivery.unreported', queueId, address, reason });
  }
}

/**
 * Who hears of a recipient: whoever its copy left from (RFC 3461 §6.1), so that a tagged address says whom the report is
 * about. An address that was rewritten stands for the sender.
 */
function reportedTo({ reversePath }: Reported, recipient: DsnRecipient['recipient']): string | null {
  const own = recipient.reversePath;
  return own === undefined || isSrs(own) ? reversePath : own;
}

type Original = {
  readonly returned: 'message' | 'header';
  readonly eightBit: boolean;
  content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
};

function headerOnly(header: Uint8Array): Original {
  return { returned: 'header', eightBit: isEightBit(header), content: () => [header] };
}

function describeOriginal(header: Buffer): DsnOriginal {
  const fields = parseHeaderOctets(header);
  const raw = (key: string): string => findField(fields, key)?.raw ?? '';
  return {
    subject: decodeText(unfold(raw('subject'))),
    messageId: parseMessageId(raw('message-id')),
    references: parseMessageIds(raw('references')),
  };
}

/** Up to the empty line that ends it; of one that is cut, the whole lines. */
function headerOf(octets: Buffer): Buffer {
  const empty = /^\r?\n|\n\r?\n/.exec(octets.toString('latin1'));
  if (empty !== null) return octets.subarray(0, empty.index === 0 ? 0 : empty.index + 1);
  return octets.length < LIMITS.dsnHeaderOctetsMax
    ? octets
    : octets.subarray(0, octets.lastIndexOf(LINE_END) + 1);
}

const LINE_END = fromLatin1('\n');

function isEightBit(octets: Uint8Array): boolean {
  return !isAscii(octets);
}
