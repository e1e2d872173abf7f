/**
 * Searches whose client is told how their result changes, until the mailbox is left or it says CANCELUPDATE.
 * Source: RFC 5267 §4.3.
 */
import { LIMITS } from '../../../base/limits.ts';
import type { MailboxChanges } from '../../../store/mail-store.ts';
import type { SortCriterion } from '../../wire/command/search.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import type { EsearchResponse, ResultUpdate } from '../../wire/response.ts';
import { rangesOf, resolveRanges, type SequenceRange } from '../../wire/sequence-set.ts';
import { resolveSet, toUids } from '../message-set.ts';
import type { ImapDeps } from '../ports.ts';
import type { Enabled, SelectedMailbox, UpdatingSearch } from '../state.ts';
import type { Notice } from '../view.ts';
import { sorted } from './order.ts';
import { runSearch } from './run.ts';

/** Why a result cannot be kept up to date; undefined: it can (RFC 5267 §4.3.1). The first one always can. */
export function whyNoUpdates(
  { updating }: SelectedMailbox,
  criteria: readonly SortCriterion[] | undefined,
  uids: readonly number[],
): string | undefined {
  // One message more may change the relevancy of all others.
  if (criteria?.some(({ key }) => key === 'RELEVANCY') === true) return 'Relevancy is not kept up to date';
  if (updating.size === 0) return undefined;
  const held = updating.values().reduce((sum, one) => sum + one.uids.length, uids.length);
  return updating.size >= LIMITS.imapContextsMax || held > LIMITS.imapContextMessagesMax
    ? 'Too many results are kept up to date already'
    : undefined;
}

/** RFC 5267 §4.3: sequence numbers, and what else is told by the moment, mean the messages that they name now. */
export function frozen(key: SearchKey, selected: SelectedMailbox): SearchKey {
  if (key.kind === 'and' || key.kind === 'or')
    return { ...key, keys: key.keys.map((one) => frozen(one, selected)) };
  if (key.kind === 'not' || key.kind === 'fuzzy') return { ...key, key: frozen(key.key, selected) };
  if (key.kind !== 'sequence' && key.kind !== 'uid') return key;
  if (key.kind === 'uid' && key.set.kind === 'ranges') {
    const last = selected.view.lastUid;
    const ranges = key.set.ranges.flatMap((one) => openEnded(one, last));
    return { ...key, set: { kind: 'ranges', ranges } };
  }
  const uids = resolveSet(key.set, key.kind === 'uid', selected);
  return byUids(uids.ok ? uids.value : []);
}

function byUids(uids: readonly number[]): SearchKey {
  return { kind: 'uid', set: { kind: 'ranges', ranges: rangesOf(uids) } };
}

const UID_MAX = 4_294_967_295;

/** `*` is the last message of now; from one on to the end is whatever comes. */
function openEnded(range: SequenceRange, last: number): readonly SequenceRange[] {
  const { first } = range;
  if (range.last === Infinity && first !== Infinity && first <= last) return [{ first, last: UID_MAX }];
  return resolveRanges([range], last);
}

/** What to tell of all results: before EXPUNGE, while its numbers still stand, and after everything else. */
export type UpdateNews = {
  readonly before: readonly EsearchResponse[];
  readonly after: readonly EsearchResponse[];
};

export const NO_NEWS: UpdateNews = { before: [], after: [] };

/** @param notices what the client is told besides; the view is past them */
export async function newsOfUpdating(
  selected: SelectedMailbox,
  changes: MailboxChanges | undefined,
  notices: readonly Notice[],
  deps: ImapDeps,
  { uidonly }: Enabled,
): Promise<UpdateNews> {
  const before: EsearchResponse[] = [];
  const after: EsearchResponse[] = [];
  const gone = new Map<number, number>();
  for (const notice of notices) if (notice.kind === 'expunge') gone.set(notice.uid, notice.seq);
  const changed = (changes?.changed ?? []).map(({ uid }) => uid);
  for (const search of selected.updating.values()) {
    // RFC 9586 §3.5: a search by numbers may have begun before they were given up.
    search.uid ||= uidonly;
    const { tag, source, uid: byUid } = search;
    const response = {
      kind: 'esearch',
      tag,
      uid: byUid,
      ...(source === undefined ? {} : { source }),
    } as const;
    const expunged = without(
      search,
      (uid) => gone.has(uid),
      (uid) => (search.uid ? uid : gone.get(uid)),
    );
    if (expunged.length > 0) before.push({ ...response, removeFrom: expunged });
    if (changed.length === 0) continue;
    // oxlint-disable-next-line no-await-in-loop -- one search after the other
    const { removeFrom, addTo } = await changesOf(search, changed, selected, deps);
    if (removeFrom.length > 0) after.push({ ...response, removeFrom });
    if (addTo.length > 0) after.push({ ...response, addTo });
  }
  return { before, after };
}

/** Takes messages out of a result, and gives how to tell. */
function without(
  search: UpdatingSearch,
  isGone: (uid: number) => boolean,
  numberOf: (uid: number) => number | undefined,
): readonly ResultUpdate[] {
  const places: number[] = [];
  for (const [place, uid] of search.uids.entries()) if (isGone(uid)) places.push(place);
  if (places.length === 0) return [];
  const numbers = places.map((place) => numberOf(search.uids[place] ?? 0) ?? 0);
  search.uids = search.uids.filter((uid) => !isGone(uid));
  if (search.criteria === undefined) return [{ position: 0, set: rangesOf(numbers) }];
  // From the end, so that each position is what it was.
  return places
    .map((place, at) => ({ position: place + 1, set: rangesOf(numbers.slice(at, at + 1)) }))
    .toReversed();
}

/** So many messages are sooner read than the index of all is asked, and it may not have come to them. */
const FEW = 20;

function withoutIndex({ search: _search, ...deps }: ImapDeps): ImapDeps {
  return deps;
}

async function changesOf(
  search: UpdatingSearch,
  changed: readonly number[],
  selected: SelectedMailbox,
  deps: ImapDeps,
): Promise<{ readonly removeFrom: readonly ResultUpdate[]; readonly addTo: readonly ResultUpdate[] }> {
  const key: SearchKey = { kind: 'and', keys: [byUids(changed), search.key] };
  const ports = changed.length > FEW ? deps : withoutIndex(deps);
  const found = await runSearch(selected, key, false, { deps: ports, progress: { of: () => undefined } });
  const matching = new Set<number>(found.uids);
  const looked = new Set(changed);
  const numberOf = (uid: number): number | undefined => (search.uid ? uid : selected.view.seqOf(uid));
  const removeFrom = without(search, (uid) => looked.has(uid) && !matching.has(uid), numberOf);
  const had = new Set(search.uids);
  const added = found.uids.filter((uid) => !had.has(uid));
  if (added.length === 0) return { removeFrom, addTo: [] };
  if (search.criteria === undefined) {
    search.uids = [...search.uids, ...added].toSorted((a, b) => a - b);
    return {
      removeFrom,
      addTo: [{ position: 0, set: rangesOf(added.flatMap((uid) => numberOf(uid) ?? [])) }],
    };
  }
  const all = [...search.uids, ...added].toSorted((a, b) => a - b);
  const order = await sorted(selected, { uids: toUids(all), relevancies: undefined }, search.criteria, deps);
  // A message that is gone, and not yet told so, is read no more, but the client has it at its place.
  const present = new Set<number>(order);
  const fresh = new Set<number>(added.filter((uid) => present.has(uid)));
  search.uids = merged(search.uids, order, fresh);
  return { removeFrom, addTo: additions(search.uids, fresh, numberOf) };
}

/** The result that the client has, with what is new put where the order wants it. */
function merged(
  had: readonly number[],
  order: readonly number[],
  fresh: ReadonlySet<number>,
): readonly number[] {
  const result: number[] = [];
  let at = 0;
  for (const uid of order) {
    if (fresh.has(uid)) {
      result.push(uid);
      continue;
    }
    for (let next = had[at]; next !== undefined && next !== uid; next = had[at]) {
      result.push(next);
      at += 1;
    }
    result.push(uid);
    at += 1;
  }
  return result.concat(had.slice(at));
}

/** Positions count as they are when the ones before are in. Runs of new ones are one set. */
function additions(
  uids: readonly number[],
  fresh: ReadonlySet<number>,
  numberOf: (uid: number) => number | undefined,
): readonly ResultUpdate[] {
  const updates: ResultUpdate[] = [];
  for (let at = 0; at < uids.length; at += 1) {
    const numbers: number[] = [];
    const position = at + 1;
    for (let uid = uids[at]; uid !== undefined && fresh.has(uid); uid = uids[at]) {
      numbers.push(numberOf(uid) ?? 0);
      at += 1;
    }
    if (numbers.length > 0) updates.push({ position, set: rangesOf(numbers) });
  }
  return updates;
}
