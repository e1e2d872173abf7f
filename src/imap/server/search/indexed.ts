/**
 * What the index says of a search before any message is read: for each key over texts, which messages match, which do not,
 * and which must be read. A message's id never changes, so the session asks for those of its mailbox once.
 */
import type { SearchAnswer, SearchQuestion } from '../../../search/search-index.ts';
import { toNeedle } from '../../../search/message-text.ts';
import type { EmailId } from '../../../store/ids.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import type { Context } from '../command-context.ts';
import type { SelectedMailbox } from '../state.ts';

/** Answers of the index by the key that was asked. */
export type Answers = ReadonlyMap<SearchKey, SearchAnswer>;

const ENTRIES_PAGE = 5000;

export function askIndex(key: SearchKey, { account }: SelectedMailbox, { deps }: Context): Answers {
  const answers = new Map<SearchKey, SearchAnswer>();
  if (deps.search === undefined) return answers;
  const open: SearchKey[] = [key];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.kind === 'and' || next.kind === 'or') open.push(...next.keys);
    else if (next.kind === 'not' || next.kind === 'fuzzy') open.push(next.key);
    const question = questionOf(next);
    const answer = question && deps.search.ask(account, question);
    if (answer !== undefined) answers.set(next, answer);
  }
  return answers;
}

/** Keys without a text ask whether a field is there, which the index does not know. */
function questionOf(key: SearchKey): SearchQuestion | undefined {
  if (key.kind !== 'field' && key.kind !== 'body' && key.kind !== 'text') return undefined;
  const needle = toNeedle(key.value);
  if (needle === '') return undefined;
  return { where: key.kind === 'field' ? key.field : key.kind, needle };
}

/** Ids by UID, of the mailboxes that sessions have searched, up to the last UID that was asked for. */
type KnownIds = { readonly ids: Map<number, EmailId>; through: number };
const known = new WeakMap<SelectedMailbox, KnownIds>();

/** The ids of all messages that the session knows and that are still there. */
export async function emailIdsOf(
  selected: SelectedMailbox,
  { deps }: Context,
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
