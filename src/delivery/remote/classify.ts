/**
 * What a next hop's answer means for a recipient: done, never, later, or elsewhere. Pure.
 *
 * A `reason` is stable: the queue groups by it, and retry decisions may look at it. Sources: RFC 5321 §4.2.1 (classes),
 * §4.5.4 and §5.1 (other hosts), RFC 3463 (subjects).
 */
import type { LastAnswer } from '../../queue/queue.ts';
import type { PeerReply } from '../../smtp/wire/reply.ts';
import { ownAnswer, peerAnswer } from '../outcome.ts';
import type { HopAnswer } from './hop.ts';
import { classOf, reasonOf } from './reply-class.ts';

export type HopVerdict =
  | { readonly kind: 'relayed' | 'failed' | 'delayed'; readonly answer: LastAnswer }
  /** Another host of the domain may do better; if there is none, `last` is what becomes of it. */
  | { readonly kind: 'next'; readonly last: 'failed' | 'delayed'; readonly answer: LastAnswer };

export function classify(answer: HopAnswer, host: string, nowMs: number): HopVerdict {
  if (answer.kind === 'lost') {
    const status = answer.how === 'garbage' ? '4.5.0' : '4.4.2';
    const said = ownAnswer(nowMs, status, `smtp.${answer.how}`, `${answer.text} (${host}, ${answer.at})`);
    // After the content the hop may have taken the message: another host at once would make a copy likely.
    return answer.at === 'content' || answer.how === 'stopped'
      ? { kind: 'delayed', answer: said }
      : { kind: 'next', last: 'delayed', answer: said };
  }
  if (answer.kind === 'unfit')
    return { kind: 'failed', answer: ownAnswer(nowMs, answer.status, answer.reason, answer.text) };
  const { reply, at } = answer;
  const said = peerAnswer(nowMs, host, reply, reply.code < 400 ? 'smtp.accepted' : reasonOf(classOf(reply)));
  if (reply.code >= 200 && reply.code < 300) {
    if (at === 'content') return { kind: 'relayed', answer: said };
    // A yes that leads nowhere is no refusal either.
    return { kind: 'next', last: 'delayed', answer: { ...said, status: '4.5.0' } };
  }
  if (at === 'rcpt' && reply.code === 552) {
    const limit = limitOf(reply);
    if (limit !== undefined) return { kind: 'delayed', answer: { ...said, ...limit } };
  }
  const permanent = reply.code >= 500;
  if (at === 'greeting' || at === 'hello' || at === 'tls')
    return { kind: 'next', last: permanent ? 'failed' : 'delayed', answer: said };
  if (permanent) return { kind: 'failed', answer: said };
  // What the content met will meet it on the other hosts as well; a busy host or mailbox may not.
  return at === 'content'
    ? { kind: 'delayed', answer: said }
    : { kind: 'next', last: 'delayed', answer: said };
}

/**
 * RFC 5321 §4.5.3.1.10: 552 to RCPT means too many recipients and is to be treated as 452, unless its status or its words say
 * something else. A full mailbox may have room before the message's time is over.
 */
function limitOf(reply: PeerReply): Pick<LastAnswer, 'status' | 'reason'> | undefined {
  const means = classOf({ ...reply, code: 550 });
  if (means === 'mailbox-full') return { status: '4.2.2', reason: reasonOf(means) };
  return means === 'refused' || means === 'too-many-recipients'
    ? { status: '4.5.3', reason: reasonOf('too-many-recipients') }
    : undefined;
}
