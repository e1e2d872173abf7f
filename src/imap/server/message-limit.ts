/**
 * How many messages one command works on. Of more than that only those with the highest UIDs are taken, and the client
 * is told how far it came. Source: RFC 9738 §3.1 (MESSAGELIMIT), §3.3 (SORT, THREAD), §3.4 (SEARCHRES).
 */
import type { Uid } from '../../store/ids.ts';
import type { SearchKey } from '../wire/command/search-key.ts';
import type { Untagged } from '../wire/response.ts';
import { NUMBER_MAX } from '../wire/sequence-set.ts';
import type { Outcome } from './command-context.ts';
import { resolveSet, toUids } from './message-set.ts';
import type { SelectedMailbox } from './state.ts';

export type Limited = {
  /** Ascending. */
  readonly uids: readonly Uid[];
  /** The lowest that is worked on, where some are left out. */
  readonly lowest: Uid | undefined;
};

/** @param uids ascending */
export function highestOf(uids: readonly Uid[], messagesMax: number): Limited {
  const lowest = uids.length > messagesMax ? uids[uids.length - messagesMax] : undefined;
  return lowest === undefined ? { uids, lowest } : { uids: uids.slice(-messagesMax), lowest };
}

/** For what is done to all or to none. */
export function tooMany(messagesMax: number, lowest?: Uid): Outcome {
  return {
    status: 'NO',
    code: { kind: 'MESSAGELIMIT', messages: messagesMax, ...(lowest === undefined ? {} : { uid: lowest }) },
    text: `Nothing was done: at most ${messagesMax} messages at once`,
  };
}

/** RFC 9738 §3.1: the code goes with the tagged OK, or before it where that has another one. */
export function* sayingLimit(
  outcome: Outcome,
  messagesMax: number,
  lowest: Uid | undefined,
): Generator<Untagged, Outcome, void> {
  if (lowest === undefined || outcome.status !== 'OK') return outcome;
  const code = { kind: 'MESSAGELIMIT', messages: messagesMax, uid: lowest } as const;
  const text = `Only the ${messagesMax} last messages were looked at`;
  if (outcome.code === undefined) return { ...outcome, code, text };
  yield { kind: 'status', status: 'NO', code, text };
  return outcome;
}

/**
 * The search among the messages that it may look at: those that its numbers and UIDs allow are counted, not those that match.
 * @param key without numbers beyond the last message
 */
export function limitSearch(
  key: SearchKey,
  selected: SelectedMailbox,
  messagesMax: number,
): { readonly key: SearchKey; readonly lowest: Uid | undefined } {
  if (selected.view.exists <= messagesMax) return { key, lowest: undefined };
  const { lowest } = highestOf(candidatesOf(key, selected), messagesMax);
  if (lowest === undefined) return { key, lowest };
  const ranges = [{ first: lowest, last: NUMBER_MAX }];
  return { key: { kind: 'and', keys: [{ kind: 'uid', set: { kind: 'ranges', ranges } }, key] }, lowest };
}

function candidatesOf(key: SearchKey, selected: SelectedMailbox): readonly Uid[] {
  const sets = (key.kind === 'and' ? key.keys : [key]).flatMap((one) =>
    one.kind === 'sequence' || one.kind === 'uid' ? [resolveSet(one.set, one.kind === 'uid', selected)] : [],
  );
  let candidates: readonly Uid[] | undefined;
  for (const set of sets) {
    if (!set.ok) continue;
    const allowed = new Set(set.value);
    candidates = candidates?.filter((uid) => allowed.has(uid)) ?? set.value;
  }
  return candidates ?? toUids(selected.view.all());
}
