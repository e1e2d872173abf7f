/** SEARCH. Source: RFC 9051 §6.4.4, RFC 3501 §6.4.4 (the plain response), RFC 7162 §3.1.5, RFC 9394 §3.1. */
import type { Uid } from '../../../store/ids.ts';
import type { Command } from '../../wire/command.ts';
import type { SearchReturn } from '../../wire/command/search.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import type { EsearchResponse, SearchedSource, Untagged } from '../../wire/response.ts';
import { rangesOf } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { limitSearch, sayingLimit, tooMany } from '../message-limit.ts';
import { largestPlain, partialOf } from '../message-set.ts';
import { withFilters } from '../search/filter.ts';
import { leavesOf } from '../search/indexed.ts';
import { runSearch, type Found } from '../search/run.ts';
import { frozen, whyNoUpdates } from '../search/updating.ts';
import type { Selected, SelectedMailbox } from '../state.ts';
import type { MailboxView } from '../view.ts';

type Search = Extract<Command, { verb: 'SEARCH' }>;

type SearchOrSort = Extract<Command, { verb: 'SEARCH' | 'SORT' }>;
/** With the lowest UID that was looked at, where not all were. */
export type Searched = Found & {
  readonly lowest: Uid | undefined;
  /** Filters put in. */
  readonly key: SearchKey;
};

export const ALL: SearchReturn = { min: false, max: false, all: true, count: false, save: false };

export async function* search(state: Selected, command: Search, context: Context): Replies {
  const { selected } = state;
  const { enabled } = context;
  const { messagesMax } = context.deps.limits;
  const found = await searched(state, command, context);
  if ('status' in found) return found;
  const { uids, modSeqs, lowest } = found;
  if (command.returns === undefined && !enabled.imap4rev2) {
    const modSeq = highest(uids, modSeqs);
    const numbers = numbersOf(uids, command.uid, selected);
    yield {
      kind: 'search',
      // RFC 9738 §3.1: highest first where not all were looked at.
      numbers: lowest === undefined ? numbers : numbers.toReversed(),
      ...(modSeq === undefined ? {} : { modSeq }),
    };
    return yield* sayingLimit(done('Searched'), messagesMax, lowest);
  }
  yield* answered(selected, command, command.returns ?? ALL, found, context);
  return yield* sayingLimit(done('Searched'), messagesMax, lowest);
}

/**
 * What RETURN asks for: the result is saved, told, and kept up to date.
 * @param found its UIDs in the order of the answer
 */
export function* answered(
  selected: SelectedMailbox,
  command: SearchOrSort,
  returns: SearchReturn,
  found: Searched,
  { tag }: Context,
): Generator<Untagged, void, void> {
  if (returns.save) selected.saved = savedOf(returns, found.uids);
  yield* extended({ tag, uid: command.uid }, returns, found, selected.view);
  if (returns.update !== undefined) yield* keptUpToDate(selected, command, found, undefined, tag);
}

/** RFC 5267 §4.3: the result is kept up to date from here on, or it is said that it is not. */
export function* keptUpToDate(
  selected: SelectedMailbox,
  command: SearchOrSort | Extract<Command, { verb: 'ESEARCH' }>,
  { uids, lowest, key: searchedKey }: Pick<Searched, 'uids' | 'lowest' | 'key'>,
  source: SearchedSource | undefined,
  tag: string,
): Generator<Untagged, void, void> {
  const criteria = command.verb === 'SORT' ? command.criteria : undefined;
  const refusal =
    lowest === undefined ? whyNoUpdates(selected, criteria, uids) : 'Not all messages were looked at';
  if (refusal === undefined) {
    const key = frozen(searchedKey, selected);
    const items = command.returns?.update?.items ?? [];
    selected.updating.set(tag, { tag, source, uid: command.uid, key, criteria, items, uids });
  } else
    // RFC 5267 §4.3.1.
    yield { kind: 'status', status: 'NO', code: { kind: 'NOUPDATE', tag }, text: refusal };
}

/** RFC 5267 §4.3.5. One that is over already is no mistake. */
export function cancelUpdate(
  { selected }: Selected,
  { tags }: Extract<Command, { verb: 'CANCELUPDATE' }>,
): Outcome {
  for (const tag of tags) selected.updating.delete(tag);
  return done('No further updates');
}

/**
 * What SEARCH, SORT and THREAD have in common: what is wrong before it begins, and what was found.
 * @returns with the lowest UID that was looked at, where not all were
 */
export async function searched(
  state: Selected,
  command: SearchOrSort | Extract<Command, { verb: 'THREAD' }>,
  context: Context,
): Promise<Searched | Outcome> {
  const { messagesMax } = context.deps.limits;
  const { principal, selected } = state;
  const filtered = await withFilters(command.key, principal, context.deps);
  const key = filtered.ok ? filtered.value : command.key;
  const returns = command.verb === 'THREAD' ? undefined : command.returns;
  const isRanked = wantsRelevancy(command);
  // RFC 5267 §4.3.
  if (returns?.update !== undefined && state.selected.updating.has(context.tag))
    return { status: 'BAD', text: 'That tag is in use for updates' };
  let wrong = filtered.ok ? (refused(key, isRanked) ?? beyond(key, selected)) : filtered.error;
  const limited = wrong === undefined ? limitSearch(key, state.selected, messagesMax) : undefined;
  // RFC 9738 §3.3: an order or threads of some of the messages are of no use.
  if (command.verb !== 'SEARCH' && limited?.lowest !== undefined) wrong = tooMany(messagesMax);
  if (wrong !== undefined) {
    // RFC 9051 §6.4.4.1: NO empties what was saved, BAD does not.
    if (returns?.save === true && wrong.status === 'NO') state.selected.saved = [];
    return wrong;
  }
  const found = await runSearch(state.selected, limited?.key ?? key, isRanked, context);
  // RFC 7162 §3.1.2: MODSEQ is CONDSTORE enabling.
  if (found.modSeqs !== undefined) context.enabled.condstore = true;
  return { ...found, lowest: limited?.lowest, key };
}

function wantsRelevancy(command: SearchOrSort | Extract<Command, { verb: 'THREAD' }>): boolean {
  if (command.verb === 'THREAD') return false;
  if (command.returns?.relevancy === true) return true;
  return command.verb === 'SORT' && command.criteria.some(({ key }) => key === 'RELEVANCY');
}

/** Sequence numbers or UIDs, in the order given. */
export function numbersOf(
  uids: readonly number[],
  byUid: boolean,
  { view }: Pick<SelectedMailbox, 'view'>,
): readonly number[] {
  return byUid ? uids : uids.flatMap((uid) => view.seqOf(uid) ?? []);
}

/**
 * The ESEARCH response, unless nothing but SAVE was asked for (RFC 9051 §6.4.4).
 * @param found its UIDs in the order of the answer: RFC 5267 §3.1 adapts MIN, MAX and ALL to SORT so
 */
export function* extended(
  answer: Pick<EsearchResponse, 'uid' | 'source'> & { readonly tag: string },
  { min, max, all, count, partial, relevancy }: SearchReturn,
  { uids, modSeqs, relevancies }: Found,
  view: MailboxView,
): Generator<EsearchResponse, void, void> {
  if (!min && !max && !all && !count && partial === undefined && relevancy === undefined) return;
  const numbers = numbersOf(uids, answer.uid, { view });
  const first = numbers[0];
  const last = numbers.at(-1);
  // RFC 4731 §3.2: of the messages that are told, where those are only the ends.
  const told = all || count || partial !== undefined ? uids : [...ends(min, max, uids)];
  const modSeq = highest(told, modSeqs);
  const scored = partial === undefined ? uids : partialOf(uids, partial);
  yield {
    kind: 'esearch',
    ...answer,
    ...(min && first !== undefined ? { min: first } : {}),
    ...(max && last !== undefined ? { max: last } : {}),
    ...(count ? { count: numbers.length } : {}),
    ...(all && numbers.length > 0 ? { all: rangesOf(numbers) } : {}),
    ...(partial === undefined ? {} : { partial: { ...partial, set: rangesOf(partialOf(numbers, partial)) } }),
    ...(modSeq === undefined ? {} : { modSeq }),
    ...(relevancy === undefined ? {} : { relevancies: scored.map((one) => relevancies?.get(one) ?? 1) }),
  };
}

/** The highest mod-sequence; none where nothing was found. */
function highest(uids: readonly number[], modSeqs: Found['modSeqs']): number | undefined {
  if (modSeqs === undefined || uids.length === 0) return undefined;
  let most = 0;
  for (const uid of uids) most = Math.max(most, modSeqs.get(uid) ?? 0);
  return most;
}

function ends<Item>(min: boolean, max: boolean, items: readonly Item[]): ReadonlySet<Item> {
  return new Set([...(min ? items.slice(0, 1) : []), ...(max ? items.slice(-1) : [])]);
}

/**
 * RFC 9051 §6.4.4.1, table 4: with MIN or MAX and nothing larger asked for, only those are saved.
 * @returns ascending
 */
export function savedOf(
  { min, max, all, count, partial }: SearchReturn,
  uids: readonly number[],
): readonly number[] {
  const saved =
    all || count || (!min && !max)
      ? partial === undefined
        ? uids
        : partialOf(uids, partial)
      : [...ends(min, max, uids)];
  return saved.toSorted((a, b) => a - b);
}

/** RFC 6203 §4 and §6. */
export function refused(key: SearchKey, isRanked: boolean): Outcome | undefined {
  if (!isRanked || leavesOf(key).some(({ isFuzzy }) => isFuzzy)) return undefined;
  return { status: 'BAD', text: 'RELEVANCY needs a FUZZY key' };
}

/** Numbers beyond the last message are a mistake (RFC 9051 §9, seq-number). */
function beyond(key: SearchKey, { view }: SelectedMailbox): Outcome | undefined {
  for (const { key: one } of leavesOf(key))
    if (one.kind === 'sequence' && one.set.kind === 'ranges' && largestPlain(one.set.ranges) > view.exists)
      return { status: 'BAD', text: `There are only ${view.exists} messages` };
  return undefined;
}
