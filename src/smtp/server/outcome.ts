/** What a command handler says. The driver writes the reply, moves to the state and keeps the counts. */
import type { Reply } from '../wire/reply.ts';
import { reply } from '../wire/reply.ts';
import type { State } from './state.ts';

export type Outcome = {
  readonly reply: Reply;
  /** Left out: the state stays. */
  readonly state?: State;
  /** Stable reason code of a 4xx or 5xx, for events. */
  readonly reason?: string;
  /** What a refusal is about, for its event: the message that MAIL would have begun, the recipient that RCPT named. */
  readonly about?: { readonly traceId?: string; readonly recipient?: string };
};

/** A refusal by the protocol's own rules. The order of commands: RFC 5321 §4.1.4; codes: RFC 3463 §3.6. */
export function refused(reason: string, text: Reply): Outcome {
  return { reply: text, reason };
}

export function badSequence(text: string): Outcome {
  return refused('bad-sequence', reply(503, '5.5.1', text));
}

/** A port threw: the client may try again, and learns nothing of the cause. */
export const FAULT: Outcome = {
  reply: reply(451, '4.3.0', 'Temporary failure here, try again later'),
  reason: 'fault',
};
