/** What a session is told of its selected mailbox, as NOTIFY has it. Source: RFC 5465 §5.1 to §5.3, §6.1. */
import type { FetchItem } from '../../wire/command/fetch.ts';
import type { Untagged } from '../../wire/response.ts';
import { rangesOf, type SequenceRange } from '../../wire/sequence-set.ts';
import type { Context } from '../command-context.ts';
import { fetch } from '../commands/fetch.ts';
import { pagesOf } from '../message-set.ts';
import { Progress } from '../progress.ts';
import type { Selected, SelectedMailbox } from '../state.ts';
import { updates } from '../updates.ts';

/** New messages that are fetched at once. */
const PAGE = 500;

/** After which command it is told; `unasked`: none. */
export type Occasion = string;

/** These do something to the mailbox, or ask: what is said of it must add up, whatever NOTIFY has turned off. */
const TELLS_ALL: ReadonlySet<Occasion> = new Set(['EXPUNGE', 'MOVE', 'REPLACE', 'NOTIFY']);

export async function* selectedNews(
  state: Selected,
  mayExpunge: boolean,
  occasion: Occasion,
  context: Omit<Context, 'progress'>,
): AsyncGenerator<Untagged | readonly Untagged[], void, void> {
  const { deps, enabled, notifications } = context;
  const rule = notifications.selected;
  const tellsAll = TELLS_ALL.has(occasion);
  if (occasion === 'unasked' ? rule.unasked === 'never' : !rule.messages && !tellsAll) return;
  const { view, path, uidValidity } = state.selected;
  const known = view.lastUid;
  yield await updates(state, deps, enabled, mayExpunge, rule.flags || tellsAll);
  // RFC 5465 §5.2: what the client put there itself it knows.
  const own = notifications.ownIn(path, uidValidity);
  const fresh = [...view.uidsBetween(known + 1, Infinity)].filter((uid) => !isAmong(uid, own));
  for (const { items, uids } of wantedOf(fresh, rule.items, state.selected))
    for (const page of pagesOf(uids, Math.min(PAGE, deps.limits.messagesMax))) {
      const set = { kind: 'ranges', ranges: rangesOf(page) } as const;
      const progress = new Progress(deps.clock, async () => undefined);
      try {
        const command = { verb: 'FETCH', uid: true, set, items, vanished: false } as const;
        yield* fetch(state, command, { ...context, progress });
      } finally {
        await progress.end();
      }
    }
}

type Wanted = { readonly items: readonly FetchItem[]; readonly uids: readonly number[] };

/** RFC 5465 §5.2, §7: what NOTIFY asks for of a new message, and the searches that it is found by, in one FETCH. */
function wantedOf(
  fresh: readonly number[],
  items: readonly FetchItem[],
  { updating }: SelectedMailbox,
): readonly Wanted[] {
  const searches = updating
    .values()
    .filter((search) => search.items.length > 0)
    .map((search) => ({ items: search.items, found: new Set(search.uids) }))
    .toArray();
  const wanted = new Map<string, { items: readonly FetchItem[]; uids: number[] }>();
  for (const uid of fresh) {
    const found = searches.filter((search) => search.found.has(uid));
    const all = new Map(
      [...items, ...found.flatMap((search) => search.items)].map((item) => [JSON.stringify(item), item]),
    );
    if (all.size === 0) continue;
    const key = [...all.keys()].join(' ');
    const group = wanted.get(key) ?? { items: [...all.values()], uids: [] };
    wanted.set(key, group);
    group.uids.push(uid);
  }
  return [...wanted.values()];
}

function isAmong(uid: number, ranges: readonly SequenceRange[]): boolean {
  return ranges.some(({ first, last }) => first <= uid && uid <= last);
}
