/** What became of one recipient in one attempt, and how answers are worded. Pure. */
import type { LastAnswer } from '../queue/queue.ts';
import { FAULT_REASON } from '../queue/retry.ts';
import type { PeerReply } from '../smtp/wire/reply.ts';

export type Outcome =
  | {
      readonly kind: 'delivered';
      readonly answer: LastAnswer | undefined;
      /** The path of the mailbox that has it, as the address named it; for the trace. */
      readonly mailbox?: string;
    }
  | {
      readonly kind: 'relayed';
      readonly answer: LastAnswer;
      /** The next hop reports success itself (it speaks DSN): we must not (RFC 3461 §5.2.1). */
      readonly reportsItself: boolean;
      /** The next hop keeps to the time by which the message is to be delivered (RFC 2852 §4.1.4). */
      readonly keepsTime?: boolean;
    }
  | {
      readonly kind: 'delayed';
      readonly answer: LastAnswer;
      /** Between the tries, where its route has a schedule of its own. */
      readonly pausesMs?: readonly number[] | undefined;
    }
  /** A rule keeps it back until it is released, or throws it away; the sender hears of neither. */
  | { readonly kind: 'held' | 'dropped'; readonly answer: LastAnswer }
  | { readonly kind: 'failed'; readonly answer: LastAnswer };

export function mailboxOf(outcome: Outcome | undefined): string | undefined {
  return outcome?.kind === 'delivered' ? outcome.mailbox : undefined;
}

/** Our own answer, that no other host said. */
export function ownAnswer(atMs: number, status: string, reason: string, text: string): LastAnswer {
  return { atMs, host: undefined, status, text, reason };
}

export function faultAnswer(atMs: number): LastAnswer {
  return ownAnswer(atMs, '4.3.0', FAULT_REASON, 'Temporary failure of the mail system');
}

export function damagedAnswer(atMs: number): LastAnswer {
  return ownAnswer(atMs, '5.3.0', 'blob.damaged', 'The message was damaged on our disk and cannot be read');
}

/** RFC 3464 §2.3.6: a peer's reply, word for word on one line, cut where it would fill the queue. */
export function peerAnswer(atMs: number, host: string, reply: PeerReply, reason: string): LastAnswer {
  const text = `${reply.code} ${reply.lines.join(' ')}`;
  return { atMs, host, status: statusOf(reply), text: text.slice(0, ANSWER_CHARACTERS_MAX), reason };
}

/**
 * The enhanced status of a reply, or what its code alone says (RFC 3463 §2: class from the first digit). A status whose
 * class contradicts the code is a mistake of the peer; the code is what decides (RFC 2034 §4).
 */
export function statusOf(reply: PeerReply): string {
  const found = STATUS.exec(reply.lines[0] ?? '')?.[1];
  const kind = String(reply.code).charAt(0);
  return found !== undefined && found.startsWith(`${kind}.`) ? found : `${kind}.0.0`;
}

const STATUS = /^([245]\.\d{1,3}\.\d{1,3})(?:\s|$)/;
const ANSWER_CHARACTERS_MAX = 1000;
