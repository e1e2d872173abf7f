/** CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE. Source: RFC 9051 §6.3.4 to §6.3.8; RFC 6154 §3; RFC 8474 §4.1. */
import { unreachable } from '../../../base/unreachable.ts';
import type { Mailbox, MailboxProblem, MailboxRole } from '../../../store/mail-store.ts';
import type { AccountId, MailboxId } from '../../../store/ids.ts';
import { toMailboxPath } from '../../../store/mailbox-name.ts';
import type { Command } from '../../wire/command.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import {
  DELIMITER,
  levelsOf,
  mailboxTree,
  normalPath,
  roleOfUse,
  type MailboxTree,
} from '../mailbox-tree.ts';
import { listOf } from './list.ts';
import { pagesOf } from '../message-set.ts';
import { formatMailboxId } from '../object-id.ts';
import type { SignedIn } from '../state.ts';
import type { MailStore } from '../../../store/mail-store.ts';

type Create = Extract<Command, { verb: 'CREATE' }>;
type Rename = Extract<Command, { verb: 'RENAME' }>;
type OneMailbox = Extract<Command, { verb: 'DELETE' | 'SUBSCRIBE' | 'UNSUBSCRIBE' }>;

const PAGE = 1000;

/** What the store would not do, in the codes of RFC 9051 §7.1. */
export function refusal(problem: MailboxProblem): Outcome {
  switch (problem.kind) {
    case 'no-such-mailbox':
      return { status: 'NO', code: 'NONEXISTENT', text: 'No such mailbox' };
    case 'exists':
      return { status: 'NO', code: 'ALREADYEXISTS', text: 'A mailbox of that name or use exists' };
    case 'has-children':
      return { status: 'NO', code: 'HASCHILDREN', text: 'The mailbox has others below it' };
    case 'inbox':
      return { status: 'NO', code: 'CANNOT', text: 'Not with the inbox' };
    case 'bad-name':
      return { status: 'NO', code: 'CANNOT', text: 'No mailbox can have that name' };
    case 'too-many':
      return { status: 'NO', code: 'LIMIT', text: 'There are too many mailboxes' };
    case 'loop':
      return { status: 'NO', code: 'CANNOT', text: 'A mailbox cannot be below itself' };
    default:
      return unreachable(problem);
  }
}

export async function* create({ principal }: SignedIn, command: Create, { deps }: Context): Replies {
  const roles = command.uses.map(roleOfUse);
  const [role] = roles;
  // RFC 6154 §3: a use that cannot be given refuses the whole command.
  if (roles.length > 1 || (roles.length === 1 && role === undefined))
    return { status: 'NO', code: 'USEATTR', text: 'No mailbox can have that use' };
  const tree = mailboxTree(await deps.store.mailboxes(principal.account));
  const levels = levelsOf(command.mailbox);
  const path = levels.join(DELIMITER);
  if (tree.find(path) !== undefined) return refusal({ kind: 'exists' });
  // Before parents are made for nothing.
  if (toMailboxPath(path) === undefined) return refusal({ kind: 'bad-name' });
  if (role !== undefined && tree.nodes.some(({ mailbox }) => mailbox.role === role)) return useTaken(role);
  const parent = await makeParents(principal.account, levels, tree, deps.store);
  if (!parent.ok) return refusal(parent.problem);
  const name = levels.at(-1) ?? '';
  const made = await deps.store.createMailbox(principal.account, {
    parent: parent.id,
    name,
    ...(role === undefined ? {} : { role }),
  });
  if (!made.ok)
    return role !== undefined && made.error.kind === 'exists' ? useTaken(role) : refusal(made.error);
  // RFC 9051 §6.3.4: said where the name was put into another form.
  const asked = command.mailbox.endsWith(DELIMITER) ? command.mailbox.slice(0, -1) : command.mailbox;
  if (path !== asked) yield listOf({ mailbox: made.value, path, hasChildren: false }, asked);
  return { status: 'OK', code: { kind: 'MAILBOXID', id: formatMailboxId(made.value.id) }, text: 'Created' };
}

function useTaken(role: MailboxRole): Outcome {
  return { status: 'NO', code: 'USEATTR', text: `Another mailbox is for ${role} already` };
}

type Parent =
  | { readonly ok: true; readonly id: MailboxId | undefined }
  | { readonly ok: false; readonly problem: MailboxProblem };

/** RFC 9051 §6.3.4: missing names above are created. */
async function makeParents(
  account: AccountId,
  levels: readonly string[],
  tree: MailboxTree,
  store: MailStore,
): Promise<Parent> {
  let parent: MailboxId | undefined;
  for (let depth = 1; depth < levels.length; depth += 1) {
    const found = tree.find(levels.slice(0, depth).join(DELIMITER));
    if (found === undefined) {
      const made = await store.createMailbox(account, { parent, name: levels[depth - 1] ?? '' });
      if (!made.ok) return { ok: false, problem: made.error };
      parent = made.value.id;
    } else parent = found.mailbox.id;
  }
  return { ok: true, id: parent };
}

export async function remove(
  { principal }: SignedIn,
  { mailbox }: OneMailbox,
  { deps }: Context,
): Promise<Outcome> {
  const node = mailboxTree(await deps.store.mailboxes(principal.account)).find(mailbox);
  if (node === undefined) return refusal({ kind: 'no-such-mailbox' });
  const removed = await deps.store.removeMailbox(principal.account, node.mailbox.id);
  return removed.ok ? done('Deleted') : refusal(removed.error);
}

export async function rename(
  { principal }: SignedIn,
  { from, to }: Rename,
  { deps }: Context,
): Promise<Outcome> {
  const tree = mailboxTree(await deps.store.mailboxes(principal.account));
  const source = tree.find(from);
  if (source === undefined) return refusal({ kind: 'no-such-mailbox' });
  const levels = levelsOf(to);
  if (tree.find(levels.join(DELIMITER)) !== undefined) return refusal({ kind: 'exists' });
  if (toMailboxPath(levels.join(DELIMITER)) === undefined) return refusal({ kind: 'bad-name' });
  if (normalPath(to).startsWith(`${source.path}${DELIMITER}`) && source.mailbox.role !== 'inbox')
    return refusal({ kind: 'loop' });
  const parent = await makeParents(principal.account, levels, tree, deps.store);
  if (!parent.ok) return refusal(parent.problem);
  const target = { parent: parent.id, name: levels.at(-1) ?? '' };
  if (source.mailbox.role === 'inbox')
    return moveInbox(principal.account, source.mailbox, target, deps.store);
  const renamed = await deps.store.renameMailbox(principal.account, source.mailbox.id, target);
  return renamed.ok ? done('Renamed') : refusal(renamed.error);
}

/** RFC 9051 §6.3.6: renaming INBOX moves its messages to the new name; INBOX stays, and so does what is below it. */
async function moveInbox(
  account: AccountId,
  inbox: Mailbox,
  target: { readonly parent: MailboxId | undefined; readonly name: string },
  store: MailStore,
): Promise<Outcome> {
  const made = await store.createMailbox(account, target);
  if (!made.ok) return refusal(made.error);
  // RFC 5464 §4.1: annotations are copied, and stay with the inbox too.
  const annotations = await store.metadata(account, account, inbox.id);
  if (annotations.length > 0) await store.setMetadata(account, account, made.value.id, annotations);
  for (;;) {
    const entries = await store.entries(account, inbox.id, 0, PAGE);
    if (entries.length === 0) return done('Renamed; the inbox is empty now');
    for (const uids of pagesOf(
      entries.map(({ uid }) => uid),
      PAGE,
    )) {
      const moved = await store.move(account, inbox.id, uids, made.value.id);
      if (!moved.ok) return refusal(moved.error);
    }
  }
}

/** RFC 9051 §6.3.7: a name may be subscribed to before and after it is a mailbox. */
export async function subscribe(
  { principal }: SignedIn,
  command: OneMailbox,
  { deps }: Context,
): Promise<Outcome> {
  const path = levelsOf(command.mailbox).join(DELIMITER);
  const answer = await deps.store.subscribe(principal.account, path, command.verb === 'SUBSCRIBE');
  // A name that cannot be is not in the list: there is nothing to take away.
  if (!answer.ok && command.verb === 'SUBSCRIBE')
    return answer.error.kind === 'bad-name'
      ? refusal(answer.error)
      : { status: 'NO', code: 'LIMIT', text: 'There are too many subscriptions' };
  return done(command.verb === 'SUBSCRIBE' ? 'Subscribed' : 'Unsubscribed');
}
