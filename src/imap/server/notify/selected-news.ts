/** What a session is told of its selected mailbox, as NOTIFY has it. Source: RFC 5465 §5.1 to §5.3, §6.1. */
import type { Untagged } from '../../wire/response.ts';
import { rangesOf, type SequenceRange } from '../../wire/sequence-set.ts';
import type { Context } from '../command-context.ts';
import { fetch } from '../commands/fetch.ts';
import { pagesOf } from '../message-set.ts';
import { Progress } from '../progress.ts';
import type { Selected } from '../state.ts';
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
  const { view, uidValidity } = state.selected;
  const known = view.lastUid;
  yield await updates(state, deps, enabled, mayExpunge, rule.flags || tellsAll);
  if (rule.items.length === 0) return;
  // RFC 5465 §5.2: what the client put there itself it knows.
  const own = notifications.ownIn(uidValidity);
  const fresh = [...view.uidsBetween(known + 1, Infinity)].filter((uid) => !isAmong(uid, own));
  for (const uids of pagesOf(fresh, Math.min(PAGE, deps.limits.messagesMax))) {
    const set = { kind: 'ranges', ranges: rangesOf(uids) } as const;
    const progress = new Progress(deps.clock, async () => undefined);
    try {
      const command = { verb: 'FETCH', uid: true, set, items: rule.items, vanished: false } as const;
      yield* fetch(state, command, { ...context, progress });
    } finally {
      await progress.end();
    }
  }
}

function isAmong(uid: number, ranges: readonly SequenceRange[]): boolean {
  return ranges.some(({ first, last }) => first <= uid && uid <= last);
}
