/** From what a client names (sequence numbers, UIDs, `$`) to the UIDs it knows. Source: RFC 9051 §9, §6.4.4.1. */
import { err, ok, type Result } from '../../base/result.ts';
import { known, toUid, type Uid } from '../../store/ids.ts';
import type { PartialRange } from '../wire/command/partial-range.ts';
import { resolveRanges, slicesOf, type SequenceRange, type SequenceSet } from '../wire/sequence-set.ts';
import type { Outcome } from './command-context.ts';
import type { SelectedMailbox } from './state.ts';

/** Ascending UIDs; UIDs that the client does not know are passed over, sequence numbers beyond the last are BAD. */
export function resolveSet(
  set: SequenceSet,
  byUid: boolean,
  { view, saved }: SelectedMailbox,
): Result<readonly Uid[], Outcome> {
  if (set.kind === 'saved') return ok(toUids(saved.filter((uid) => view.seqOf(uid) !== undefined)));
  if (byUid) return ok(uidsInRanges(set.ranges, view.all(), view.lastUid));
  if (largestPlain(set.ranges) > view.exists)
    return err({ status: 'BAD', text: `There are only ${view.exists} messages` });
  const uids: Uid[] = [];
  for (const { first, last } of resolveRanges(set.ranges, view.exists))
    for (const uid of view.uidsAt(first, last)) uids.push(known(toUid(uid)));
  return ok(uids);
}

export function uidsInRanges(ranges: readonly SequenceRange[], all: Uint32Array, largest: number): Uid[] {
  const uids: Uid[] = [];
  for (const { start, end } of slicesOf(resolveRanges(ranges, largest), all))
    for (const uid of all.subarray(start, end)) uids.push(known(toUid(uid)));
  return uids;
}

export function toUids(numbers: Iterable<number>): Uid[] {
  return Array.from(numbers, (uid) => known(toUid(uid)));
}

/**
 * A range with `*` may begin beyond the last message, or in an empty mailbox: clients ask `1:*` of any mailbox, and the
 * best servers answer with what there is (departs from RFC 9051 §9 seq-number).
 */
export function largestPlain(ranges: readonly SequenceRange[]): number {
  let largest = 0;
  for (const { first, last } of ranges)
    if (first !== Infinity && last !== Infinity) largest = Math.max(largest, first, last);
  return largest;
}

/** Slices of at most `size`, so that no call to the store holds the thread for long. */
export function* pagesOf<Item>(items: readonly Item[], size: number): Generator<readonly Item[], void, void> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/** The same from the end; each slice in the order of the whole. */
export function* pagesFromEnd<Item>(
  items: readonly Item[],
  size: number,
): Generator<readonly Item[], void, void> {
  for (let end = items.length; end > 0; end -= size) yield items.slice(Math.max(0, end - size), end);
}

export function spanOf({ first, last }: PartialRange): number {
  return Math.abs(last - first) + 1;
}

/** RFC 9394: positions count from 1 at the oldest, or from -1 at the newest; what is beyond the ends is nothing. */
export function partialOf<Item>(items: readonly Item[], { first, last }: PartialRange): readonly Item[] {
  const low = Math.min(first, last);
  const high = Math.max(first, last);
  if (low > 0) return items.slice(low - 1, high);
  return items.slice(Math.max(0, items.length + low), Math.max(0, items.length + high + 1));
}
