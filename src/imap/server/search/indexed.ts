/**
 * What the index says of a search before any message is read: for each key over texts, which messages match, which do not,
 * and which must be read. A message's id never changes, so the session asks for those of its mailbox once.
 */
import { Pace } from '../../../base/pace.ts';
import type { FuzzyAnswer, SearchAnswer, SearchQuestion } from '../../../search/search-index.ts';
import { toNeedle } from '../../../search/message-text.ts';
import type { EmailId } from '../../../store/ids.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import type { ImapDeps } from '../ports.ts';
import type { SearchedMailbox } from '../state.ts';

/** Answers of the index by the key that was asked. */
export type Answers = {
  readonly exact: ReadonlyMap<SearchKey, SearchAnswer>;
  readonly fuzzy: ReadonlyMap<SearchKey, FuzzyAnswer>;
};
export const NO_ANSWERS: Answers = { exact: new Map(), fuzzy: new Map() };

const ENTRIES_PAGE = 5000;

export async function askIndex(
  key: SearchKey,
  { account }: SearchedMailbox,
  deps: ImapDeps,
): Promise<Answers> {
  const { search, clock } = deps;
  if (search === undefined) return NO_ANSWERS;
  const exact = new Map<SearchKey, SearchAnswer>();
  const fuzzy = new Map<SearchKey, FuzzyAnswer>();
  const pace = new Pace(clock);
  for (const { key: one, isFuzzy } of leavesOf(key)) {
    const question = questionOf(one);
    if (question === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- one question after the other
    const answer = await search.ask(account, question);
    if (answer !== undefined) exact.set(one, answer);
    // oxlint-disable-next-line no-await-in-loop -- one question after the other
    const scores = isFuzzy ? await search.askFuzzily(account, question) : undefined;
    if (scores !== undefined) fuzzy.set(one, scores);
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    await pace.give();
  }
  return { exact, fuzzy };
}

/** The keys that are made of no others, and whether FUZZY stands before them. */
export function* leavesOf(
  key: SearchKey,
): Generator<{ readonly key: SearchKey; readonly isFuzzy: boolean }, void, void> {
  const open = [{ key, isFuzzy: false }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { key: one, isFuzzy } = next;
    if (one.kind === 'and' || one.kind === 'or')
      for (const inner of one.keys) open.push({ key: inner, isFuzzy });
    else if (one.kind === 'not') open.push({ key: one.key, isFuzzy });
    else if (one.kind === 'fuzzy') open.push({ key: one.key, isFuzzy: true });
    else yield { key: one, isFuzzy };
  }
}

/** Keys without a text ask whether a field is there, which the index does not know. */
export function questionOf(key: SearchKey): SearchQuestion | undefined {
  if (key.kind !== 'field' && key.kind !== 'body' && key.kind !== 'text') return undefined;
  const needle = toNeedle(key.value);
  if (needle === '') return undefined;
  return { where: key.kind === 'field' ? key.field : key.kind, needle };
}

/** Ids by UID, of the mailboxes that sessions have searched, up to the last UID that was asked for. */
type KnownIds = { readonly ids: Map<number, EmailId>; through: number };
const known = new WeakMap<SearchedMailbox, KnownIds>();

/** Ids of all messages of a mailbox that were read for its view. */
export function rememberIds(mailbox: SearchedMailbox, ids: Map<number, EmailId>): void {
  known.set(mailbox, { ids, through: mailbox.view.lastUid });
}

/** The ids of all messages that the session knows and that are still there. */
export async function emailIdsOf(
  selected: SearchedMailbox,
  deps: ImapDeps,
): Promise<ReadonlyMap<number, EmailId>> {
  const { account, id, view } = selected;
  const held = known.get(selected) ?? { ids: new Map(), through: 0 };
  known.set(selected, held);
  // UIDs only rise, so what is missing is at the end.
  while (held.through < view.lastUid) {
    // oxlint-disable-next-line no-await-in-loop -- pages follow one another
    const page = await deps.store.entries(account, id, held.through, ENTRIES_PAGE);
    for (const { uid, emailId } of page) held.ids.set(uid, emailId);
    held.through = page.length < ENTRIES_PAGE ? view.lastUid : (page.at(-1)?.uid ?? view.lastUid);
  }
  return held.ids;
}
