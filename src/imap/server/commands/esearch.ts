/** ESEARCH: one search in several mailboxes. Source: RFC 7377. */
import { unreachable } from '../../../base/unreachable.ts';
import type { Principal } from '../../../auth/principal.ts';
import type { EmailId, Uid } from '../../../store/ids.ts';
import type { Command } from '../../wire/command.ts';
import type { SearchSource } from '../../wire/command/search.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { accessOf, otherOwner, ownMail, sharedMails, type Access } from '../mailbox-access.ts';
import { matcherOf, reachesOthers, withAncestors } from '../notify/coverage.ts';
import { withFilters } from '../search/filter.ts';
import { rememberIds } from '../search/indexed.ts';
import { runSearch } from '../search/run.ts';
import { normalName } from '../shared-name.ts';
import type { SearchedMailbox, SelectedMailbox, SignedIn } from '../state.ts';
import { MailboxView } from '../view.ts';
import { ALL, extended, keptUpToDate, refused, savedOf } from './search.ts';

type Esearch = Extract<Command, { verb: 'ESEARCH' }>;

const SELECTED: readonly SearchSource[] = [{ kind: 'selected' }];
const ENTRIES_PAGE = 5000;

export async function* esearch(state: SignedIn, command: Esearch, context: Context): Replies {
  const { sources = SELECTED, returns = ALL } = command;
  const { tag, deps } = context;
  const selected = state.phase === 'selected' ? state.selected : undefined;
  const wrong = misplaced(sources, command, selected, tag);
  if (wrong !== undefined) return wrong;
  const filtered = await withFilters(command.key, state.principal, deps);
  if (!filtered.ok) {
    // RFC 9051 §6.4.4.1.
    if (returns.save && selected !== undefined) selected.saved = [];
    return filtered.error;
  }
  const key = filtered.value;
  const isRanked = returns.relevancy === true;
  const unranked = refused(key, isRanked);
  if (unranked !== undefined) return unranked;
  let left = deps.limits.messagesMax;
  let isKept = false;
  for (const access of await placesOf(sources, state.principal, selected, context)) {
    const mailbox = isSelected(access, selected) ? selected : await unselected(access, context);
    left -= mailbox.view.exists;
    // RFC 7377 §2.4.
    if (left < 0)
      return {
        status: 'NO',
        code: 'LIMIT',
        text: `At most ${deps.limits.messagesMax} messages are searched`,
      };
    const found = await runSearch(mailbox, key, isRanked, context);
    if (found.modSeqs !== undefined) context.enabled.condstore = true;
    const source = { mailbox: access.name, uidValidity: access.node.mailbox.uidValidity };
    // RFC 7377 §2.1: nothing is said of a mailbox where nothing was found.
    if (found.uids.length > 0) yield* extended({ tag, uid: true, source }, returns, found, mailbox.view);
    if (mailbox !== selected) continue;
    if (returns.save) selected.saved = savedOf(returns, found.uids);
    if (returns.update === undefined) continue;
    isKept = true;
    yield* keptUpToDate(selected, command, { ...found, lowest: undefined, key }, source, tag);
  }
  // RFC 7377 §2.2: only of the selected mailbox.
  if (returns.update !== undefined && !isKept)
    yield {
      kind: 'status',
      status: 'NO',
      code: { kind: 'NOUPDATE', tag },
      text: 'The selected mailbox is not searched',
    };
  return done('Searched');
}

/** RFC 7377 §2.2: what needs a selected mailbox, or that one alone. */
function misplaced(
  sources: readonly SearchSource[],
  { returns }: Esearch,
  selected: SelectedMailbox | undefined,
  tag: string,
): Outcome | undefined {
  const searchesSelected = sources.some(({ kind }) => kind === 'selected');
  if (selected === undefined && (searchesSelected || returns?.update !== undefined))
    return { status: 'BAD', text: 'Select a mailbox first' };
  if (returns?.save === true && sources.some(({ kind }) => kind !== 'selected'))
    return { status: 'BAD', text: 'SAVE is of the selected mailbox alone' };
  // RFC 5267 §4.3.
  if (returns?.update !== undefined && selected?.updating.has(tag) === true)
    return { status: 'BAD', text: 'That tag is in use for updates' };
  return undefined;
}

function isSelected(access: Access, selected: SelectedMailbox | undefined): selected is SelectedMailbox {
  return selected?.account === access.owner && selected.id === access.node.mailbox.id;
}

/** Each mailbox once. RFC 7377 §2.2: of those that are not named one must be able to see it, and of all to read it. */
async function placesOf(
  sources: readonly SearchSource[],
  principal: Principal,
  selected: SelectedMailbox | undefined,
  { deps }: Context,
): Promise<readonly Access[]> {
  const others = sources.some(
    (source) =>
      (source.kind === 'selected' && selected?.account !== principal.account) ||
      (source.kind !== 'selected' &&
        reachesOthers(source.kind === 'subtree-one' ? { ...source, kind: 'subtree' } : source)),
  );
  const mails = [await ownMail(principal, deps), ...(others ? await sharedMails(principal, deps) : [])];
  const subscribed = sources.some(({ kind }) => kind === 'subscribed')
    ? new Set(await deps.store.subscriptions(principal.account))
    : new Set<string>();
  const wants = sources.map((source) => wanted(source, selected, subscribed));
  const found = new Map<string, Access>();
  for (const mail of mails)
    for (const node of mail.tree.nodes) {
      const access = accessOf(mail, node);
      if (
        access.rights.includes('r') &&
        !found.has(access.name) &&
        wants.some((isWanted) => isWanted(access))
      )
        found.set(access.name, access);
    }
  return [...found.values()];
}

type Wants = (access: Access) => boolean;

function wanted(
  source: SearchSource,
  selected: SelectedMailbox | undefined,
  subscribed: ReadonlySet<string>,
): Wants {
  switch (source.kind) {
    case 'selected':
      return (access) => isSelected(access, selected);
    case 'mailboxes': {
      const matches = matcherOf(source);
      return ({ name }) => matches(name, false);
    }
    case 'subtree-one': {
      const names = new Set(source.names.map(normalName));
      return ({ name, rights }) =>
        rights.includes('l') &&
        withAncestors(name)
          .slice(0, 2)
          .some((one) => names.has(one));
    }
    case 'personal':
    case 'subscribed':
    case 'subtree': {
      const matches = matcherOf(source);
      return ({ name, rights }) => rights.includes('l') && matches(name, subscribed.has(name));
    }
    default:
      return unreachable(source);
  }
}

async function unselected(access: Access, { deps }: Context): Promise<SearchedMailbox> {
  const { owner: account, node } = access;
  const { id, highestModSeq } = node.mailbox;
  const uids: Uid[] = [];
  const ids = new Map<number, EmailId>();
  for (let after = 0, isFull = true; isFull;) {
    // oxlint-disable-next-line no-await-in-loop -- pages follow one another
    const page = await deps.store.entries(account, id, after, ENTRIES_PAGE);
    for (const { uid, emailId } of page) {
      uids.push(uid);
      ids.set(uid, emailId);
    }
    isFull = page.length === ENTRIES_PAGE;
    after = uids.at(-1) ?? 0;
  }
  const mailbox = {
    account,
    otherOwner: otherOwner(access),
    id,
    view: new MailboxView(uids, highestModSeq),
    // RFC 5182: of the selected mailbox alone.
    saved: [],
  };
  rememberIds(mailbox, ids);
  return mailbox;
}
