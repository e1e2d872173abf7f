/** THREAD. Source: RFC 5256 §3 (BASE.6.4.THREAD). */
import { isReplySubject } from '../../../message/subject.ts';
import type { StoredMessage } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import type { Selected } from '../state.ts';
import { threadByReferences, threadBySubject, type Threadable } from '../thread/thread.ts';
import { searched } from './search.ts';
import { messagesOf, sentMs } from './sort.ts';

type ThreadCommand = Extract<Command, { verb: 'THREAD' }>;

export async function* thread(state: Selected, command: ThreadCommand, context: Context): Replies {
  const { view } = state.selected;
  const found = await searched(state, command.key, undefined, context, true);
  if ('status' in found) return found;
  const messages: Threadable[] = [];
  for await (const message of messagesOf(state, found.uids, context)) {
    const number = command.uid ? message.uid : view.seqOf(message.uid);
    if (number !== undefined) messages.push(toThreadable(number, message));
  }
  const threads =
    command.algorithm === 'REFERENCES' ? threadByReferences(messages) : threadBySubject(messages);
  yield { kind: 'thread', threads };
  return done('Threaded');
}

function toThreadable(number: number, message: StoredMessage): Threadable {
  const { messageId, references, subject, sortKeys } = message.digest;
  return {
    number,
    sentMs: sentMs(message),
    messageId,
    references,
    subject: sortKeys.subject,
    isReply: isReplySubject(subject),
  };
}
