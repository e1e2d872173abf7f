/**
 * What ties messages into a thread: RFC 8621 §3 asks for a shared message id and the same base subject, so a key is
 * both together. A message without ids is a thread of its own.
 */
import type { MessageDigest } from '../message/digest.ts';

/** Ids beyond this many do not tie: its own, those it replies to, and the oldest are enough for any conversation. */
const THREAD_KEYS_MAX = 100;

export function threadKeys({ threadIds, sortKeys }: Pick<MessageDigest, 'threadIds' | 'sortKeys'>): string[] {
  return threadIds.slice(0, THREAD_KEYS_MAX).map((id) => `${id}\0${sortKeys.subject}`);
}
