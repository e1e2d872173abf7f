/** SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS. Source: RFC 4314 §3, §4; docs/sharing.md. */
import {
  ALL_RIGHTS,
  changeRights,
  formatRights,
  hasAll,
  RIGHTS,
  without,
  type Share,
} from '../../../auth/rights.ts';
import { ANYONE, formatIdentifier, toIdentifier, type Identifier } from '../../../auth/sharing.ts';
import type { DirectoryProblem } from '../../../auth/directory.ts';
import type { Result } from '../../../base/result.ts';
import type { Command } from '../../wire/command.ts';
import { aclResponse, listRightsResponse, myRightsResponse, type AclEntry } from '../../wire/command/acl.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { allowed, type Access } from '../mailbox-access.ts';
import type { SignedIn } from '../state.ts';

type SetAcl = Extract<Command, { verb: 'SETACL' }>;
type OfIdentifier = Extract<Command, { verb: 'DELETEACL' | 'LISTRIGHTS' }>;
type OfMailbox = Extract<Command, { verb: 'GETACL' | 'MYRIGHTS' }>;

const BAD_IDENTIFIER: Outcome = { status: 'BAD', text: 'An identifier is an address, or anyone' };

export async function setAcl(
  { principal }: SignedIn,
  { mailbox, identifier, rights }: SetAcl,
  { deps }: Context,
): Promise<Outcome> {
  // RFC 4314 §3.1: before anything is asked, so that the answer tells nothing of the mailbox.
  if (changeRights('', rights) === undefined) return { status: 'BAD', text: 'There is no such right' };
  return change(identifier, (before) => changeRights(before, rights) ?? before, {
    access: await allowed(principal, mailbox, 'a', deps),
    deps,
  });
}

export async function deleteAcl(
  { principal }: SignedIn,
  { mailbox, identifier }: OfIdentifier,
  { deps }: Context,
): Promise<Outcome> {
  return change(identifier, () => '', { access: await allowed(principal, mailbox, 'a', deps), deps });
}

async function change(
  text: string,
  next: (before: string) => string,
  { access, deps }: { readonly access: Result<Access, Outcome>; readonly deps: Context['deps'] },
): Promise<Outcome> {
  const parsed = toIdentifier(text);
  if (parsed === undefined) return BAD_IDENTIFIER;
  if (!access.ok) return access.error;
  const identifier = formatIdentifier(parsed);
  const { owner, node } = access.value;
  const mailbox = node.mailbox.id;
  const shares = (await deps.sharing.shares(owner)).filter((share) => share.identifier === identifier);
  const everywhere = shares.find((share) => share.mailbox === undefined)?.rights ?? '';
  const here = shares.find((share) => share.mailbox === mailbox)?.rights ?? '';
  const before = changeRights(everywhere, `+${here}`) ?? here;
  const rights = next(before);
  if (!mayGive(parsed, deps) && !hasAll(before, rights))
    return { status: 'NO', code: 'NOPERM', text: 'Only the operator shares with everybody' };
  // What holds for all mail cannot be taken away on one mailbox but by a negative identifier.
  if (!hasAll(rights, everywhere))
    return { status: 'NO', code: 'CANNOT', text: 'Those rights are on all mail of the owner' };
  const set = await deps.sharing.setShare({
    owner,
    mailbox,
    identifier,
    rights: without(rights, everywhere),
  });
  return set.ok ? done('The rights are set') : refusal(set.error);
}

function mayGive({ name, negative }: Identifier, { sharesWithAnyone }: Context['deps']): boolean {
  return negative || name !== ANYONE || sharesWithAnyone;
}

function refusal({ kind }: DirectoryProblem): Outcome {
  if (kind === 'not-found')
    return { status: 'NO', code: 'NONEXISTENT', text: 'Nobody here has that address' };
  if (kind === 'in-use') return { status: 'NO', code: 'CANNOT', text: 'The owner has all rights always' };
  return kind === 'too-many' ? { status: 'NO', code: 'LIMIT', text: 'Too much is shared' } : BAD_IDENTIFIER;
}

export async function* getAcl(
  { principal }: SignedIn,
  command: OfMailbox,
  { deps, enabled }: Context,
): Replies {
  const found = await allowed(principal, command.mailbox, 'a', deps);
  if (!found.ok) return found.error;
  const access = found.value;
  const entries = entriesOf(access, await deps.sharing.shares(access.owner));
  yield aclResponse(access.name, entries, enabled.utf8);
  return done('These have rights');
}

/** The owner, then each identifier once, with what it has here and on all mail. */
function entriesOf({ ownerAddress, node }: Access, shares: readonly Share[]): readonly AclEntry[] {
  const rights = new Map([[ownerAddress, ALL_RIGHTS]]);
  for (const share of shares) {
    if (share.mailbox !== undefined && share.mailbox !== node.mailbox.id) continue;
    const before = rights.get(share.identifier) ?? '';
    rights.set(share.identifier, changeRights(before, `+${share.rights}`) ?? before);
  }
  return Array.from(rights, ([identifier, some]) => ({ identifier, rights: formatRights(some) }));
}

export async function* listRights(
  { principal }: SignedIn,
  { mailbox, identifier }: OfIdentifier,
  { deps, enabled }: Context,
): Replies {
  const parsed = toIdentifier(identifier);
  if (parsed === undefined) return BAD_IDENTIFIER;
  const found = await allowed(principal, mailbox, 'a', deps);
  if (!found.ok) return found.error;
  const access = found.value;
  const isOwner = !parsed.negative && parsed.name === access.ownerAddress;
  // RFC 4314 §2.1.1: each right may be granted alone, so the virtual ones stand alone too.
  const rights = isOwner
    ? { required: formatRights(ALL_RIGHTS), optional: [] }
    : { required: '', optional: mayGive(parsed, deps) ? [...RIGHTS, 'c', 'd'] : [] };
  // RFC 4314 §3.4: the identifier in the form in which it was sent.
  yield listRightsResponse(access.name, identifier, rights, enabled.utf8);
  return done('These rights can be given');
}

export async function* myRights(
  { principal }: SignedIn,
  { mailbox }: OfMailbox,
  { deps, enabled }: Context,
): Replies {
  const access = await allowed(principal, mailbox, 'lrikxa', deps);
  if (!access.ok) return access.error;
  const { name, rights } = access.value;
  yield myRightsResponse(name, formatRights(rights), enabled.utf8);
  return done('These are your rights');
}
