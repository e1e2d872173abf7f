/** From the name that a client says to whose mailbox it is, and what the client may do with it (RFC 4314 §4, §6). */
import type { Principal } from '../../auth/principal.ts';
import { ALL_RIGHTS, hasOneOf, rightsOn, type Share } from '../../auth/rights.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { AccountId, MailboxId } from '../../store/ids.ts';
import type { Mailbox } from '../../store/mail-store.ts';
import type { Completion } from '../wire/response.ts';
import { mailboxTree, normalPath, type MailboxNode, type MailboxTree } from './mailbox-tree.ts';
import type { OtherOwner } from './object-id.ts';
import type { ImapDeps } from './ports.ts';
import { formatSharedName, ownerLevel, parseSharedName } from './shared-name.ts';
import type { Selected } from './state.ts';

/** All mail of one owner, as one reader may see it. */
export type Mail = {
  readonly owner: AccountId;
  readonly ownerAddress: string;
  readonly isOwn: boolean;
  /** All mailboxes; those that the reader may not see are nobody's children. */
  readonly tree: MailboxTree;
  /** From a path in the owner's mail to the name by which the reader knows it. */
  readonly nameOf: (path: string) => string;
  /** Letters of {@link ALL_RIGHTS}. `undefined`: where no mailbox is above, which rights on all mail decide. */
  readonly rightsOn: (mailbox: MailboxId | undefined) => string;
};

export type Access = {
  readonly owner: AccountId;
  readonly ownerAddress: string;
  readonly isOwn: boolean;
  /** Its path is the one in the owner's mail. */
  readonly node: MailboxNode;
  /** As the client sees it. */
  readonly name: string;
  /** Letters of {@link ALL_RIGHTS}; perhaps none, see {@link lacking}. */
  readonly rights: string;
};

type Ports = Pick<ImapDeps, 'store' | 'sharing'>;

/** Undefined where there is no such mailbox. One without rights is given: {@link lacking} hides it. */
export async function accessTo(
  principal: Principal,
  name: string,
  ports: Ports,
): Promise<Access | undefined> {
  const place = await placeOf(principal, name, ports);
  const node = place?.mail.tree.find(place.path);
  return place && node && accessOf(place.mail, node);
}

/** Whose it is, where that is not the reader. */
export function otherOwner({ owner, isOwn }: Access): OtherOwner {
  return isOwn ? undefined : owner;
}

export function accessOf(
  { owner, ownerAddress, isOwn, nameOf, rightsOn: rights }: Mail,
  node: MailboxNode,
): Access {
  return { owner, ownerAddress, isOwn, node, name: nameOf(node.path), rights: rights(node.mailbox.id) };
}

/** Whose mail a name leads into, and the path there, whether or not there is such a mailbox. */
export async function placeOf(
  principal: Principal,
  name: string,
  ports: Ports,
): Promise<{ readonly mail: Mail; readonly path: string } | undefined> {
  const parsed = parseSharedName(name);
  if (parsed.kind === 'own') return { mail: await ownMail(principal, ports), path: parsed.path };
  // An earlier version let people make mailboxes there: they are not lost.
  const own = await ownMail(principal, ports);
  if (own.tree.find(name) !== undefined) return { mail: own, path: normalPath(name) };
  if (parsed.kind === 'above') return undefined;
  const shares = await ports.sharing.sharedWith(principal.account);
  const [mail] = await mailsOf(
    shares.filter(({ ownerAddress }) => ownerLevel(ownerAddress) === parsed.owner),
    ports,
  );
  return mail && { mail, path: parsed.path };
}

export async function ownMail({ account, address }: Principal, { store }: Ports): Promise<Mail> {
  return {
    owner: account,
    ownerAddress: address,
    isOwn: true,
    tree: mailboxTree(await store.mailboxes(account)),
    nameOf: (path) => path,
    rightsOn: () => ALL_RIGHTS,
  };
}

/** The mail of all owners who share some of theirs with the reader, by address. */
export async function sharedMails({ account }: Principal, ports: Ports): Promise<readonly Mail[]> {
  return mailsOf(await ports.sharing.sharedWith(account), ports);
}

async function mailsOf(shares: readonly Share[], { store }: Ports): Promise<readonly Mail[]> {
  const owners = [...Map.groupBy(shares, ({ owner }) => owner)].toSorted(([a], [b]) => a - b);
  // Two addresses may come to the same level: the older account has it, and its rights are not the other's.
  const levels = new Map<string, (typeof owners)[number]>();
  for (const one of owners) {
    const level = ownerLevel(one[1][0]?.ownerAddress ?? '');
    if (!levels.has(level)) levels.set(level, one);
  }
  const mails: Mail[] = [];
  for (const [, [owner, ofOwner]] of [...levels].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    mails.push(sharedMail(owner, ofOwner, await store.mailboxes(owner)));
  return mails;
}

function sharedMail(owner: AccountId, shares: readonly Share[], mailboxes: readonly Mailbox[]): Mail {
  const ownerAddress = shares[0]?.ownerAddress ?? '';
  const byMailbox = Map.groupBy(shares, ({ mailbox }) => mailbox);
  const everywhere = byMailbox.get(undefined) ?? [];
  const rightsEverywhere = rightsOn(undefined, everywhere);
  const rights = (mailbox: MailboxId | undefined): string => {
    const here = mailbox === undefined ? undefined : byMailbox.get(mailbox);
    return here === undefined ? rightsEverywhere : rightsOn(mailbox, [...everywhere, ...here]);
  };
  return {
    owner,
    ownerAddress,
    isOwn: false,
    tree: mailboxTree(mailboxes, (mailbox) => rights(mailbox).includes('l')),
    nameOf: (path) => formatSharedName(ownerAddress, path),
    rightsOn: rights,
  };
}

/** The rights on the selected mailbox as they are now; the client is told what changed (RFC 4314 §5.1.1). */
export async function currentRights({ principal, selected }: Selected, { sharing }: Ports): Promise<string> {
  if (selected.otherOwner === undefined) return ALL_RIGHTS;
  selected.rights = await rightsNow(principal, selected.account, selected.id, { sharing });
  return selected.rights;
}

/** On a mailbox that was found before. */
export async function rightsNow(
  { account }: Principal,
  of: AccountId,
  mailbox: MailboxId,
  { sharing }: Pick<Ports, 'sharing'>,
): Promise<string> {
  if (of === account) return ALL_RIGHTS;
  const shares = await sharing.sharedWith(account);
  return rightsOn(
    mailbox,
    shares.filter(({ owner }) => owner === of),
  );
}

export const NO_SUCH_MAILBOX: Completion = { status: 'NO', code: 'NONEXISTENT', text: 'No such mailbox' };
export const NO_RIGHT: Completion = { status: 'NO', code: 'NOPERM', text: 'You have no right to do that' };

/** How a command is refused that needs one of these rights; undefined where one is there. */
export function lacking({ rights }: Pick<Access, 'rights'>, anyOf: string): Completion | undefined {
  if (hasOneOf(rights, anyOf)) return undefined;
  // RFC 4314 §6: without `l` nothing tells it from a mailbox that does not exist.
  return rights.includes('l') ? NO_RIGHT : NO_SUCH_MAILBOX;
}

/** A mailbox that one of these rights is asked for; refused alike where there is none, or none to be seen. */
export async function allowed(
  principal: Principal,
  name: string,
  anyOf: string,
  ports: Ports,
): Promise<Result<Access, Completion>> {
  const access = await accessTo(principal, name, ports);
  if (access === undefined) return err(NO_SUCH_MAILBOX);
  const refused = lacking(access, anyOf);
  return refused === undefined ? ok(access) : err(refused);
}

/** Where APPEND and COPY put messages (RFC 4314 §4). */
export async function target(
  principal: Principal,
  name: string,
  ports: Ports,
): Promise<Result<Access, Completion>> {
  const access = await allowed(principal, name, 'i', ports);
  // RFC 9051 §6.3.12, §6.4.7: the client may create it and try again.
  return !access.ok && access.error === NO_SUCH_MAILBOX
    ? err({ ...NO_SUCH_MAILBOX, code: 'TRYCREATE' })
    : access;
}
