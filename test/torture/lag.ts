/**
 * Loaded before a post office (`--import`): lets chosen calls to its writers wait, so that a kill meets what is
 * otherwise over in a millisecond. `TORTURE_LAG=settle=250`: messages that are in the mailbox and still in the queue;
 * `deliver=150`: messages that were accepted and are nowhere else.
 */
import { MessagePort } from 'node:worker_threads';

const lags = new Map(
  (process.env['TORTURE_LAG'] ?? '').split(',').map((lag) => {
    const [name = '', ms] = lag.split('=');
    return [name, Number(ms)] as const;
  }),
);

type Post = (this: MessagePort, message: unknown, transfer?: readonly object[]) => unknown;

const { prototype } = MessagePort as unknown as { readonly prototype: { postMessage: Post } };
const post = prototype.postMessage;
prototype.postMessage = function lagging(message, transfer) {
  if (!isCalls(message)) return post.call(this, message, transfer);
  const now: unknown[] = [];
  const later = new Map<number, unknown[]>();
  for (const call of message) {
    const ms = lags.get(String(call[2]));
    if (ms === undefined) now.push(call);
    else later.set(ms, [...(later.get(ms) ?? []), call]);
  }
  for (const [ms, calls] of later) setTimeout(() => post.call(this, calls), ms);
  return now.length === 0 ? true : post.call(this, now);
};

/** Calls to a writer: number, writer, name, lazy, arguments (src/sqlite/writer.ts). */
function isCalls(message: unknown): message is readonly (readonly unknown[])[] {
  return (
    Array.isArray(message) &&
    message.length > 0 &&
    message.every((call) => Array.isArray(call) && call.length === 5 && typeof call[3] === 'boolean')
  );
}
