/**
 * The MDA: puts a queued message into an account's mailbox. Idempotent by (queue id, recipient), so that it may be done
 * again after any crash. The message gets Return-Path (RFC 5321 §4.4) and Delivered-To (RFC 9228 §4) before the fields
 * that the queue keeps for it.
 *
 * `user+detail` goes to the mailbox whose path is `detail`, in any case, if there is one, else to the inbox. Drafts, Sent
 * and Trash are the owner's own: no stranger can choose them.
 */
import type { Directory } from '../auth/directory.ts';
import { fromUtf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import { unreachable } from '../base/unreachable.ts';
import type { QueuedMessage, QueuedRecipient, Route } from '../queue/queue.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { BlobError } from '../store/blob-store.ts';
import type { AccountId, MailboxId } from '../store/ids.ts';
import type { Mailbox, MailboxRole, MailStore } from '../store/mail-store.ts';
import type { MessageFacts } from './message-facts.ts';
import { gatherFromBlob } from './message-facts.ts';
import type { Outcome } from './outcome.ts';
import { damagedAnswer, ownAnswer } from './outcome.ts';

export type LocalDeliveryPorts = {
  readonly store: MailStore;
  readonly blobs: BlobStore;
  readonly directory: Pick<Directory, 'account'>;
  readonly clock: Clock;
};

export type DeliverableMessage = Pick<
  QueuedMessage,
  'id' | 'blob' | 'prefix' | 'reversePath' | 'arrivedAtMs' | 'source'
>;
export type LocalRecipient = Pick<QueuedRecipient, 'number' | 'forwardPath' | 'reversePath'> & {
  readonly route: Extract<Route, { kind: 'local' }>;
};

const NOT_BY_DETAIL: ReadonlySet<MailboxRole | undefined> = new Set<MailboxRole>(['drafts', 'sent', 'trash']);

const INBOX = 'INBOX';

export class LocalDelivery {
  readonly #ports: LocalDeliveryPorts;

  constructor(ports: LocalDeliveryPorts) {
    this.#ports = ports;
  }

  /**
   * Throws `Fault` for a fault of the world: nothing was delivered, or it was and doing it again does no harm.
   *
   * @param fresh what the session gathered when it accepted the message a moment ago: the blob is not read again, and
   *   the account, which was just resolved, is not looked up again
   */
  async deliver(
    message: DeliverableMessage,
    recipient: LocalRecipient,
    fresh?: MessageFacts,
  ): Promise<Outcome> {
    const nowMs = this.#ports.clock.nowMs();
    if (fresh === undefined) {
      const refused = await this.#refusedByAccount(recipient.route.account, nowMs);
      if (refused !== undefined) return refused;
    }
    const facts = fresh ?? (await this.#gather(message));
    if (facts === undefined) return { kind: 'failed', answer: damagedAnswer(nowMs) };
    if (isLoop(facts, recipient.forwardPath))
      return {
        kind: 'failed',
        answer: ownAnswer(
          nowMs,
          '5.4.6',
          'delivery.loop',
          'The message loops: it was delivered to this address before',
        ),
      };
    const prefix = deliveryPrefix(message, recipient);
    const { account, detail } = recipient.route;
    const deliverTo = (mailbox: MailboxId | undefined): ReturnType<MailStore['deliver']> =>
      this.#ports.store.deliver(
        account,
        mailbox,
        { queueId: message.id, recipient: recipient.number },
        {
          blob: message.blob,
          prefix,
          digest: facts.digest(),
          flags: 0,
          keywords: [],
          receivedAtMs: message.arrivedAtMs,
        },
      );
    const chosen = detail === undefined ? undefined : await this.#mailboxFor(account, detail);
    let mailbox = chosen === undefined || detail === undefined ? INBOX : detail;
    let delivered = await deliverTo(chosen);
    // Removed since we looked: the inbox is always there.
    if (!delivered.ok && delivered.error.kind === 'no-such-mailbox') {
      mailbox = INBOX;
      delivered = await deliverTo(undefined);
    }
    if (delivered.ok) return { kind: 'delivered', answer: undefined, mailbox };
    switch (delivered.error.kind) {
      case 'over-quota':
        // RFC 3463 §3.3: 4.2.2, so that room made within the queue's time still lets it in.
        return {
          kind: 'delayed',
          answer: ownAnswer(nowMs, '4.2.2', 'mailbox.over-quota', 'The mailbox is full'),
        };
      case 'no-such-mailbox':
      case 'too-many-keywords':
        return {
          kind: 'delayed',
          answer: ownAnswer(nowMs, '4.2.0', 'mailbox.not-ready', 'The mailbox cannot take mail now'),
        };
      default:
        return unreachable(delivered.error);
    }
  }

  async #refusedByAccount(id: AccountId, nowMs: number): Promise<Outcome | undefined> {
    const account = await this.#ports.directory.account(id);
    if (account === undefined)
      return {
        kind: 'failed',
        answer: ownAnswer(nowMs, '5.1.1', 'recipient.unknown', 'There is no such mailbox here any more'),
      };
    if (account.disabled)
      return {
        kind: 'delayed',
        answer: ownAnswer(nowMs, '4.2.1', 'recipient.disabled', 'The mailbox is closed at present'),
      };
    return undefined;
  }

  /** Undefined where the octets are lost for good; a fault of the disk is thrown on. */
  async #gather(message: DeliverableMessage): Promise<MessageFacts | undefined> {
    try {
      return await gatherFromBlob(this.#ports.blobs, message.blob);
    } catch (cause) {
      if (cause instanceof BlobError && cause.problem.kind === 'damaged') return undefined;
      throw cause;
    }
  }

  async #mailboxFor(account: AccountId, detail: string): Promise<MailboxId | undefined> {
    const mailboxes = await this.#ports.store.mailboxes(account);
    const wanted = toKey(detail);
    const paths = new Map<MailboxId, string>();
    for (const mailbox of mailboxes) {
      const path = pathOf(mailbox, paths);
      paths.set(mailbox.id, path);
      if (toKey(path) === wanted && !NOT_BY_DETAIL.has(mailbox.role)) return mailbox.id;
    }
    return undefined;
  }
}

/** Parents come before their children in the list. */
function pathOf(mailbox: Mailbox, parents: ReadonlyMap<MailboxId, string>): string {
  const parent = mailbox.parent === undefined ? undefined : parents.get(mailbox.parent);
  return parent === undefined ? mailbox.name : `${parent}/${mailbox.name}`;
}

function toKey(path: string): string {
  return path.normalize('NFC').toLowerCase();
}

/** RFC 5321 §6.3 by the number of hosts, RFC 9228 §4 by where it has been. */
export function isLoop(
  facts: Pick<MessageFacts, 'receivedFields' | 'deliveredTo'>,
  forwardPath: string,
): boolean {
  return (
    facts.receivedFields > LIMITS.receivedFieldsMax || facts.deliveredTo.includes(forwardPath.toLowerCase())
  );
}

/** Return-Path stands first (RFC 5321 §4.4); there is exactly one, as only the final delivery adds it. */
function deliveryPrefix(
  message: Pick<QueuedMessage, 'reversePath' | 'prefix'>,
  { forwardPath, reversePath }: Pick<QueuedRecipient, 'forwardPath' | 'reversePath'>,
): Buffer {
  const returnPath = reversePath ?? message.reversePath ?? '';
  const field = fromUtf8(`Return-Path: <${oneLine(returnPath)}>\r\n`);
  return Buffer.concat([field, deliveredTo(forwardPath), message.prefix]);
}

/** The field that says where a message has been (RFC 9228 §4). */
export function deliveredTo(address: string): Buffer {
  return fromUtf8(`Delivered-To: ${oneLine(address)}\r\n`);
}

/** Addresses come from checked syntax; should one not, it still makes no line of its own. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, '');
}
