/** CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE. Source: RFC 9051 §6.3.4 to §6.3.8; RFC 6154 §3; RFC 8474 §4.1. */
import { err, ok, type Result } from '../../../base/result.ts';
import { unreachable } from '../../../base/unreachable.ts';
import type { Mailbox, MailboxProblem, MailboxRole } from '../../../store/mail-store.ts';
import type { MailboxId } from '../../../store/ids.ts';
import { FIRST_MAILBOXES, toMailboxPath } from '../../../store/mailbox-name.ts';
import type { Command } from '../../wire/command.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { DELIMITER, levelsOf, roleOfUse } from '../mailbox-tree.ts';
import { listOf } from './list.ts';
import { pagesOf } from '../message-set.ts';
import { accessOf, allowed, NO_RIGHT, otherOwner, placeOf, type Mail } from '../mailbox-access.ts';
import { formatMailboxId } from '../object-id.ts';
import type { ImapDeps } from '../ports.ts';
import { normalName } from '../shared-name.ts';
import type { SignedIn } from '../state.ts';

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
  const [wanted] = roles;
  // RFC 6154 §3: a use that cannot be given refuses the whole command.
  if (roles.length > 1 || (roles.length === 1 && wanted === undefined))
    return { status: 'NO', code: 'USEATTR', text: 'No mailbox can have that use' };
  const place = await placeOf(principal, command.mailbox, deps);
  // RFC 4314 §6: an owner who shares nothing is not told from one who is not here.
  if (place === undefined) return NO_RIGHT;
  const { mail } = place;
  const checked = checkNew(mail, place.path);
  if (!checked.ok) return checked.error;
  const levels = checked.value;
  const path = levels.join(DELIMITER);
  // A use is the owner's, and not shown to others.
  if (wanted !== undefined && !mail.isOwn)
    return { status: 'NO', code: 'USEATTR', text: 'Uses are for mailboxes of your own' };
  const isTaken = (role: MailboxRole): boolean =>
    mail.tree.nodes.some(({ mailbox }) => mailbox.role === role);
  if (wanted !== undefined && isTaken(wanted)) return useTaken(wanted);
  // A client that makes "Drafts" anew, after somebody removed it, means the one for drafts (RFC 6154 §3 leaves it to us).
  const familiar = FIRST_MAILBOXES.find(({ name }) => mail.isOwn && name === path)?.role;
  const role = wanted ?? (familiar === undefined || isTaken(familiar) ? undefined : familiar);
  const parent = await makeParents(mail, levels, deps);
  if (!parent.ok) return parent.error;
  const name = levels.at(-1) ?? '';
  const made = await make(
    mail,
    { parent: parent.value, name, ...(role === undefined ? {} : { role }) },
    deps,
  );
  if (!made.ok) return made.error;
  const access = accessOf(mail, { mailbox: made.value, path, hasChildren: false });
  // RFC 9051 §6.3.4: said where the name was put into another form.
  const asked = command.mailbox.endsWith(DELIMITER) ? command.mailbox.slice(0, -1) : command.mailbox;
  if (access.name !== asked) yield listOf(access, asked);
  const id = formatMailboxId(made.value.id, otherOwner(access));
  return { status: 'OK', code: { kind: 'MAILBOXID', id }, text: 'Created' };
}

function useTaken(role: MailboxRole): Outcome {
  return { status: 'NO', code: 'USEATTR', text: `Another mailbox is for ${role} already` };
}

/** The levels of a name that a mailbox may get; asked before parents are made for nothing. */
function checkNew(mail: Mail, name: string): Result<readonly string[], Outcome> {
  const levels = levelsOf(name);
  const path = levels.join(DELIMITER);
  if (!mayCreate(mail, levels)) return err(NO_RIGHT);
  if (mail.tree.find(path) !== undefined) return err(refusal({ kind: 'exists' }));
  return toMailboxPath(path) === undefined ? err(refusal({ kind: 'bad-name' })) : ok(levels);
}

/** RFC 4314 §4: `k` on the nearest parent that there is. */
function mayCreate({ tree, rightsOn }: Mail, levels: readonly string[]): boolean {
  let above: MailboxId | undefined;
  for (let depth = levels.length - 1; depth > 0 && above === undefined; depth -= 1)
    above = tree.find(levels.slice(0, depth).join(DELIMITER))?.mailbox.id;
  return rightsOn(above).includes('k');
}

/** RFC 9051 §6.3.4: missing names above are created. Gives the mailbox right above; `undefined` at the top. */
async function makeParents(
  mail: Mail,
  levels: readonly string[],
  deps: ImapDeps,
): Promise<Result<MailboxId | undefined, Outcome>> {
  let parent: MailboxId | undefined;
  for (let depth = 1; depth < levels.length; depth += 1) {
    const found = mail.tree.find(levels.slice(0, depth).join(DELIMITER));
    if (found === undefined) {
      const made = await make(mail, { parent, name: levels[depth - 1] ?? '' }, deps);
      if (!made.ok) return made;
      parent = made.value.id;
    } else parent = found.mailbox.id;
  }
  return ok(parent);
}

type NewMailbox = {
  readonly parent: MailboxId | undefined;
  readonly name: string;
  readonly role?: MailboxRole;
};

/** RFC 4314 §4: who has rights on the mailbox above has them on the new one. */
async function make(
  { owner }: Mail,
  request: NewMailbox,
  { store, sharing }: ImapDeps,
): Promise<Result<Mailbox, Outcome>> {
  const made = await store.createMailbox(owner, request);
  if (!made.ok) {
    const { role } = request;
    return err(role !== undefined && made.error.kind === 'exists' ? useTaken(role) : refusal(made.error));
  }
  if (request.parent === undefined) return made;
  const above = (await sharing.shares(owner)).filter(({ mailbox }) => mailbox === request.parent);
  for (const { identifier, rights } of above) {
    const set = await sharing.setShare({ owner, mailbox: made.value.id, identifier, rights });
    if (set.ok || set.error.kind !== 'too-many') continue;
    // With some of them only, it might be open to whom the others close it.
    await store.removeMailbox(owner, made.value.id);
    await sharing.removeShares(owner, made.value.id);
    return err({ status: 'NO', code: 'LIMIT', text: 'Too much is shared' });
  }
  return made;
}

export async function remove(
  { principal }: SignedIn,
  { mailbox }: OneMailbox,
  { deps }: Context,
): Promise<Outcome> {
  const access = await allowed(principal, mailbox, 'x', deps);
  if (!access.ok) return access.error;
  const { owner, node } = access.value;
  const removed = await deps.store.removeMailbox(owner, node.mailbox.id);
  if (!removed.ok) return refusal(removed.error);
  // RFC 4314 §4. The id is never given again: rows that a crash leaves here let nobody do anything.
  await deps.sharing.removeShares(owner, node.mailbox.id);
  return done('Deleted');
}

export async function rename(
  { principal }: SignedIn,
  { from, to }: Rename,
  { deps }: Context,
): Promise<Outcome> {
  const access = await allowed(principal, from, 'x', deps);
  if (!access.ok) return access.error;
  const { owner, isOwn, node: source } = access.value;
  const isInbox = source.mailbox.role === 'inbox';
  const place = await placeOf(principal, to, deps);
  if (place === undefined || place.mail.owner !== owner)
    return { status: 'NO', code: 'CANNOT', text: 'A mailbox stays in the mail of its owner' };
  const { mail } = place;
  const checked = checkNew(mail, place.path);
  if (!checked.ok) return checked.error;
  const levels = checked.value;
  if (levels.join(DELIMITER).startsWith(`${source.path}${DELIMITER}`) && !isInbox)
    return refusal({ kind: 'loop' });
  // To take all that is in it is more than `x` allows.
  if (isInbox && !isOwn) return refusal({ kind: 'inbox' });
  const parent = await makeParents(mail, levels, deps);
  if (!parent.ok) return parent.error;
  const target = { parent: parent.value, name: levels.at(-1) ?? '' };
  if (isInbox) return moveInbox(mail, source.mailbox, target, deps);
  const renamed = await deps.store.renameMailbox(owner, source.mailbox.id, target);
  return renamed.ok ? done('Renamed') : refusal(renamed.error);
}

/** RFC 9051 §6.3.6: renaming INBOX moves its messages to the new name; INBOX stays, and so does what is below it. */
async function moveInbox(mail: Mail, inbox: Mailbox, target: NewMailbox, deps: ImapDeps): Promise<Outcome> {
  const { owner: account } = mail;
  const { store } = deps;
  const made = await make(mail, target, deps);
  if (!made.ok) return made.error;
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
  const path = levelsOf(normalName(command.mailbox)).join(DELIMITER);
  const answer = await deps.store.subscribe(principal.account, path, command.verb === 'SUBSCRIBE');
  // A name that cannot be is not in the list: there is nothing to take away.
  if (!answer.ok && command.verb === 'SUBSCRIBE')
    return answer.error.kind === 'bad-name'
      ? refusal(answer.error)
      : { status: 'NO', code: 'LIMIT', text: 'There are too many subscriptions' };
  return done(command.verb === 'SUBSCRIBE' ? 'Subscribed' : 'Unsubscribed');
}
