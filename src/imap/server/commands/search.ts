/** SEARCH. Source: RFC 9051 §6.4.4, RFC 3501 §6.4.4 (the plain response), RFC 7162 §3.1.5, RFC 9394 §3.1. */
import type { Command } from '../../wire/command.ts';
import type { SearchReturn } from '../../wire/command/search.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import type { EsearchResponse } from '../../wire/response.ts';
import { rangesOf } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { largestPlain, partialOf } from '../message-set.ts';
import { runSearch, type Found } from '../search/run.ts';
import type { Selected, SelectedMailbox } from '../state.ts';

type Search = Extract<Command, { verb: 'SEARCH' }>;

const ALL: SearchReturn = { min: false, max: false, all: true, count: false, save: false };

export async function* search(state: Selected, command: Search, context: Context): Replies {
  const { selected } = state;
  const { enabled, tag } = context;
  const wrong = refused(command.key, selected);
  if (wrong !== undefined) {
    // RFC 9051 §6.4.4.4: a search that fails empties what was saved.
    if (command.returns?.save === true) selected.saved = [];
    return wrong;
  }
  const found = await runSearch(state, command.key, context);
  if (found.modSeq !== undefined) enabled.condstore = true;
  const numbers = command.uid ? found.uids : found.uids.flatMap((uid) => selected.view.seqOf(uid) ?? []);
  if (command.returns === undefined && !enabled.imap4rev2) {
    yield { kind: 'search', numbers, ...(found.modSeq === undefined ? {} : { modSeq: found.modSeq }) };
    return done('Searched');
  }
  const returns = command.returns ?? ALL;
  if (returns.save) selected.saved = savedOf(returns, found);
  // RFC 9051 §6.4.4: SAVE alone says nothing.
  const { min, max, all, count, partial } = returns;
  if (min || max || all || count || partial !== undefined) yield extended(tag, command.uid, returns, numbers, found);
  return done('Searched');
}

function extended(
  tag: string,
  uid: boolean,
  { min, max, all, count, partial }: SearchReturn,
  numbers: readonly number[],
  { modSeq }: Found,
): EsearchResponse {
  const first = numbers[0];
  const last = numbers.at(-1);
  return {
    kind: 'esearch',
    tag,
    uid,
    ...(min && first !== undefined ? { min: first } : {}),
    ...(max && last !== undefined ? { max: last } : {}),
    ...(count ? { count: numbers.length } : {}),
    ...(all && numbers.length > 0 ? { all: rangesOf(numbers) } : {}),
    ...(partial === undefined ? {} : { partial: { ...partial, set: rangesOf(partialOf(numbers, partial)) } }),
    ...(modSeq === undefined || numbers.length === 0 ? {} : { modSeq }),
  };
}

/** RFC 9051 §6.4.4.3: with MIN or MAX and nothing larger asked for, only those are saved. */
function savedOf({ min, max, all, count, partial }: SearchReturn, { uids }: Found): readonly number[] {
  if (all || count || (!min && !max)) return partial === undefined ? uids : partialOf(uids, partial);
  return [...new Set([...(min ? uids.slice(0, 1) : []), ...(max ? uids.slice(-1) : [])])];
}

/** What makes a search wrong before it begins: numbers beyond the last message, filters that do not exist. */
function refused(key: SearchKey, selected: SelectedMailbox): Outcome | undefined {
  const open: SearchKey[] = [key];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.kind === 'and' || next.kind === 'or') open.push(...next.keys);
    else if (next.kind === 'not' || next.kind === 'fuzzy') open.push(next.key);
    else if (next.kind === 'filter') return { status: 'NO', code: 'NONEXISTENT', text: 'No such filter' };
    else if (next.kind === 'sequence' && next.set.kind === 'ranges' && largestPlain(next.set.ranges) > selected.view.exists)
      return { status: 'BAD', text: `There are only ${selected.view.exists} messages` };
  }
  return undefined;
}
