/** THREAD. Source: RFC 5256 §3 (BASE.6.4.THREAD). */
import { Pace } from '../../../base/pace.ts';
import type { Sortable } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import type { Selected } from '../state.ts';
import { threadByReferences, threadBySubject, type Threadable } from '../thread/thread.ts';
import { searched } from './search.ts';
import { sentMs } from '../search/order.ts';

type ThreadCommand = Extract<Command, { verb: 'THREAD' }>;

export async function* thread(state: Selected, command: ThreadCommand, context: Context): Replies {
  const { view } = state.selected;
  const found = await searched(state, command, context);
  if ('status' in found) return found;
  const { account, id } = state.selected;
  const part = command.algorithm === 'REFERENCES' ? 'thread' : undefined;
  const messages: Threadable[] = [];
  for (const row of await context.deps.store.sortables(account, id, found.uids, part)) {
    const number = command.uid ? row.uid : view.seqOf(row.uid);
    if (number !== undefined) messages.push(toThreadable(number, row));
  }
  const pace = new Pace(context.deps.clock);
  const threads = await (command.algorithm === 'REFERENCES'
    ? threadByReferences(messages, pace)
    : threadBySubject(messages, pace));
  yield { kind: 'thread', threads };
  return done('Threaded');
}

function toThreadable(number: number, row: Sortable): Threadable {
  return {
    number,
    sentMs: sentMs(row),
    messageId: row.thread?.messageId,
    references: row.thread?.references ?? [],
    subject: row.subject,
    isReply: row.thread?.isReply ?? false,
  };
}
