/**
 * Takes mail of the machine's own programs out of the maildrop and hands it to the intake. A file goes only when the queue, or
 * every mailbox, has its message; after a crash in between it is taken again under the same id, so nobody here gets it twice.
 *
 * Who left it is known for sure, whose name it is in is not: see {@link PickupRules}. A message passes the checks that one by
 * SMTP does. What they refuse is reported to the sender, as is a recipient that is nobody's, since the program that left
 * the mail has long gone; what they put off stays in the maildrop.
 */
import { Buffer } from 'node:buffer';
import type { Directory } from '../auth/directory.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { sha256 } from '../base/sha256.ts';
import { formatDate } from '../message/date.ts';
import { derivedQueueId } from '../queue/queue-id.ts';
import type { QueueId } from '../queue/queue.ts';
import type { SendmailEventSink } from '../sendmail/event.ts';
import type { DroppedMessage, Maildrop } from '../sendmail/maildrop.ts';
import { parseOriginalRecipient } from '../smtp/wire/original-recipient.ts';
import { NO_MAIL_PARAMETERS } from '../smtp/wire/parameter.ts';
import { POSTMASTER_PATH } from '../smtp/wire/path.ts';
import type { ForwardPath } from '../smtp/wire/path.ts';
import { formatEnvelopeAddress, parseEnvelopeAddress } from '../smtp/wire/path.ts';
import type { IntakeTransaction } from './intake-facts.ts';
import type { IntakeSink } from './intake.ts';
import { PickupChecks, expired, type CheckDeferral, type MessagePolicy } from './pickup-checks.ts';

export type PickupPorts = {
  readonly maildrop: Maildrop;
  readonly intake: { begin(transaction: IntakeTransaction): Pick<IntakeSink, 'write' | 'commit' | 'abort'> };
  readonly directory: Pick<Directory, 'resolve'>;
  /** Of the machine: the login name of a user, and whether there is one of this name. */
  /** The checks for one message. */
  readonly policy: () => MessagePolicy;
  readonly users: { nameOf(uid: number): string | undefined; isUser(name: string): boolean };
  readonly clock: Clock;
  readonly events: SendmailEventSink;
};

export type PickupRules = {
  readonly hostname: string;
  /** What is put behind addresses without a domain. */
  readonly domain: string;
  /** `own`: `login@domain` alone. `local`: any address at a domain of ours. */
  readonly senders: 'own' | 'local' | 'any';
  readonly trustedUsers: readonly string[];
  /** What checks put off for longer than this has failed, and its sender hears of it. */
  readonly lifetimeMs: number;
};

type Handed =
  /** The file may go. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'later' }
  | { readonly kind: 'aside'; readonly text: string };

/** The folder tells when something comes; where it does not, it is looked into all the same. */
const LOOK_MS = 10_000;
/** The system may tell of a file before it is whole. */
const SETTLE_MS = 20;
/** What is put off is tried again after {@link LOOK_MS}, and at last each so many. */
const DEFERRED_PAUSE_MS = 600_000;

export class Pickup {
  readonly #ports: PickupPorts;
  readonly #rules: PickupRules;
  #watch: { close(): void } | undefined;
  #timer: Timer | undefined;
  #working: Promise<void> | undefined;
  #again = false;
  #isStopped = false;
  /** What the checks put off, by its name; no more of them than there are files. */
  readonly #deferred = new Map<string, { readonly dueMs: number; readonly pauseMs: number }>();

  constructor(ports: PickupPorts, rules: PickupRules) {
    this.#ports = ports;
    this.#rules = rules;
  }

  start(): void {
    this.#watch = this.#ports.maildrop.watch(() => this.#soon());
    this.#look();
  }

  /** What was begun is ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watch?.close();
    this.#timer?.cancel();
    await this.#working;
  }

  #soon(): void {
    if (this.#working !== undefined) this.#again = true;
    else this.#sleep(SETTLE_MS);
  }

  #sleep(delayMs: number): void {
    if (this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = this.#ports.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    if (this.#isStopped || this.#working !== undefined) return;
    this.#timer?.cancel();
    this.#again = false;
    this.#working = this.#takeAll().finally(() => {
      this.#working = undefined;
      this.#sleep(this.#again ? SETTLE_MS : LOOK_MS);
    });
  }

  /** Never rejects. */
  async #takeAll(): Promise<void> {
    const { maildrop, events } = this.#ports;
    try {
      const names = await maildrop.list();
      const there = new Set(names);
      for (const name of this.#deferred.keys()) if (!there.has(name)) this.#deferred.delete(name);
      // What was put off is last: who left much of it keeps nobody else's mail waiting.
      const inOrder = names.toSorted(
        (left, right) => Number(this.#deferred.has(left)) - Number(this.#deferred.has(right)),
      );
      for (const name of inOrder) {
        if (this.#isStopped) return;
        // oxlint-disable-next-line no-await-in-loop -- one after the other: what is left here waits for nobody
        await this.#take(name);
      }
    } catch (cause) {
      events({ name: 'sendmail.fault', doing: 'Taking mail from the maildrop', cause });
    }
  }

  /** Never rejects: whatever it is with one, the other mail goes on. */
  async #take(name: string): Promise<void> {
    const { maildrop, events, clock } = this.#ports;
    if ((this.#deferred.get(name)?.dueMs ?? 0) > clock.nowMs()) return;
    try {
      const opened = await maildrop.open(name);
      if (opened.kind === 'unfinished') return;
      if (opened.kind === 'refused') await this.#setAside(name, opened);
      else await this.#settle(name, opened.message);
    } catch (cause) {
      const doing = cause instanceof Fault ? cause.message : 'Taking a message from the maildrop';
      events({ name: 'sendmail.fault', doing, cause });
    }
  }

  async #settle(name: string, message: DroppedMessage): Promise<void> {
    try {
      const handed = await this.#hand(name, message);
      if (handed.kind === 'later') return;
      this.#deferred.delete(name);
      if (handed.kind === 'settled') await this.#ports.maildrop.remove(name);
      else await this.#setAside(name, { uid: message.uid, text: handed.text });
    } finally {
      await message.close();
    }
  }

  async #setAside(
    name: string,
    { uid, text }: { readonly uid: number; readonly text: string },
  ): Promise<void> {
    this.#ports.events({ name: 'sendmail.refused', uid, text });
    await this.#ports.maildrop.setAside(name);
  }

  async #hand(name: string, message: DroppedMessage): Promise<Handed> {
    const { users, events, clock } = this.#ports;
    const { envelope, uid } = message;
    const user = users.nameOf(uid) ?? String(uid);
    const id = derivedQueueId(message.droppedAtMs, sha256(name));
    const sender = await this.#senderOf(envelope.sender, user);
    const wanted = sender === envelope.sender ? undefined : (envelope.sender ?? '');
    const recipients = await Promise.all(envelope.recipients.map((address) => this.#forwardPath(address)));
    // Of one that the checks put off, it is known.
    if (!this.#deferred.has(name)) {
      const reversePath = sender ?? '';
      const { octets } = message;
      events({ name: 'sendmail.picked-up', queueId: id, uid, user, reversePath, wanted, octets });
      for (const [index, path] of recipients.entries()) {
        const recipient = formatEnvelopeAddress(path);
        const written = path === POSTMASTER_PATH ? envelope.recipients[index] : undefined;
        events({ name: 'sendmail.recipient', queueId: id, recipient, written });
      }
    }
    const transaction = this.#transaction(id, message, sender, recipients);
    const checks = new PickupChecks(this.#ports.policy(), transaction, { uid, name: user });
    try {
      const isLate = clock.nowMs() >= message.droppedAtMs + this.#rules.lifetimeMs;
      const prefix = this.#prefix(id, uid, user, wanted);
      const handed = await this.#checked(id, message, checks, prefix, isLate);
      if (handed.kind !== 'deferred') return handed;
      const { code, status, lines } = handed.reply;
      const dueAtMs = this.#putOff(name);
      const text = lines.join(' ');
      events({ name: 'sendmail.deferred', queueId: id, code, status, text, reason: handed.reason, dueAtMs });
      return { kind: 'later' };
    } finally {
      checks.end();
    }
  }

  /** What the checks say of the envelope, then of the content, and what becomes of it. */
  async #checked(
    id: QueueId,
    message: DroppedMessage,
    checks: PickupChecks,
    prefix: string,
    isLate: boolean,
  ): Promise<Handed | CheckDeferral> {
    const { intake, events } = this.#ports;
    const early = await checks.envelope();
    if (early !== undefined && !isLate) return early;
    if (early !== undefined) checks.refuseAll(expired(early));
    const sink = intake.begin(checks.transaction);
    try {
      for await (const chunk of message.content()) {
        checks.push(chunk);
        await sink.write(chunk);
      }
      const verdict = await checks.content();
      if (verdict.kind === 'deferred') {
        if (!isLate) {
          sink.abort();
          return verdict;
        }
        checks.refuseAll(expired(verdict));
      }
      for (const { recipient, reason } of checks.discarded)
        events({ name: 'sendmail.discarded', queueId: id, recipient, reason });
      if (checks.isNobodys) {
        sink.abort();
        return { kind: 'settled' };
      }
      const { transaction, refused } = checks;
      const { fields, hold } = verdict.kind === 'accepted' ? verdict : NOTHING_ADDED;
      const answer = await sink.commit({
        transaction,
        session: LOCAL_SESSION,
        prefix: Buffer.from(fields + prefix),
        hold,
        refused,
      });
      if (answer.kind !== 'refuse') return { kind: 'settled' };
      const { code, lines } = answer.reply;
      return code >= 500 ? { kind: 'aside', text: lines.join(' ') } : { kind: 'later' };
    } catch (cause) {
      sink.abort();
      throw cause;
    }
  }

  /** Gives the time of its next try; each pause is twice the one before. */
  #putOff(name: string): number {
    const pauseMs = Math.min((this.#deferred.get(name)?.pauseMs ?? LOOK_MS / 2) * 2, DEFERRED_PAUSE_MS);
    const dueMs = this.#ports.clock.nowMs() + pauseMs;
    this.#deferred.set(name, { dueMs, pauseMs });
    return dueMs;
  }

  #transaction(
    id: QueueId,
    { envelope, octets }: DroppedMessage,
    sender: string | null,
    recipients: readonly ForwardPath[],
  ): IntakeTransaction {
    const { notify, wishes, ret, envid, verp, eightBit } = envelope;
    return {
      traceId: id,
      startedAtMs: this.#ports.clock.nowMs(),
      reversePath: sender === null ? null : (parseEnvelopeAddress(sender) ?? null),
      parameters: {
        ...NO_MAIL_PARAMETERS,
        declaredOctets: octets,
        body: eightBit ? '8BITMIME' : '7BIT',
        smtpUtf8: recipients.some(({ ascii }) => !ascii) || (sender !== null && /[^\0-\u007f]/.test(sender)),
        ret: ret === undefined ? undefined : RET[ret],
        envelopeId: envid,
        verp: sender === null ? undefined : verp,
      },
      recipients: recipients.map((forwardPath, index) => {
        const wish = wishes?.[index] ?? { notify, originalRecipient: undefined };
        return {
          forwardPath,
          parameters: {
            notify: wish.notify?.map((one) => NOTIFY[one]),
            originalRecipient: parseOriginalRecipient(wish.originalRecipient ?? ''),
          },
        };
      }),
    };
  }

  /** Whose name it goes out in: the one that was wanted, or, where that is not allowed, the user's own. */
  async #senderOf(wanted: string | null, user: string): Promise<string | null> {
    const { senders, trustedUsers, domain } = this.#rules;
    const own = `${user}@${domain}`;
    if (wanted === null || senders === 'any' || trustedUsers.includes(user)) return wanted;
    if (wanted.toLowerCase() === own.toLowerCase()) return wanted;
    if (senders === 'own') return own;
    if (wanted.toLowerCase().endsWith(`@${domain.toLowerCase()}`)) return wanted;
    return (await this.#ports.directory.resolve(wanted)).kind === 'remote' ? own : wanted;
  }

  /** Mail for a user of the machine who has no address here goes to the postmaster: it is mostly the system's. */
  async #forwardPath(address: string): Promise<ForwardPath> {
    const path = parseEnvelopeAddress(address);
    if (path === undefined) return POSTMASTER_PATH;
    const { kind } = await this.#ports.directory.resolve(address);
    const isOurs = path.domain.toLowerCase() === this.#rules.domain.toLowerCase();
    const isNobody = kind === 'unknown' || kind === 'remote';
    return isOurs && isNobody && this.#ports.users.isUser(path.localPart) ? POSTMASTER_PATH : path;
  }

  #prefix(id: QueueId, uid: number, user: string, wanted: string | undefined): string {
    const { hostname } = this.#rules;
    const date = formatDate(this.#ports.clock.nowMs(), 0);
    const received = `Received: by ${hostname} (Postrider, from userid ${uid})\r\n\tid ${id};\r\n\t${date}\r\n`;
    if (wanted === undefined) return received;
    // As Sendmail has told it for long; login names and addresses that were parsed hold no line ends.
    return `${received}X-Authentication-Warning: ${hostname}: ${user} may not send as <${wanted}>\r\n`;
  }
}

const NOTHING_ADDED = { fields: '', hold: undefined } as const;
const LOCAL_SESSION = {
  role: { name: 'local' },
  remote: { address: '' },
  hello: undefined,
  principal: undefined,
} as const;
const NOTIFY = { success: 'SUCCESS', failure: 'FAILURE', delay: 'DELAY' } as const;
const RET = { full: 'FULL', hdrs: 'HDRS' } as const;
