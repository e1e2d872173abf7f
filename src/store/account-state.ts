/**
 * What an operation on an account's mail reckons with and what it decides before it writes, whichever way rows are kept.
 * Pure.
 */
import { LIMITS } from '../base/limits.ts';
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import { known, toMailboxId } from './ids.ts';
import type { AccountId, MailboxId } from './ids.ts';
import { keywordKey, spellKeywords } from './keyword.ts';
import type { Flags } from './keyword.ts';
import { FLAG } from './mail-store.ts';
import type { Mailbox, MailboxProblem, MailboxRole, OverQuota } from './mail-store.ts';
import { isPathAllowed, isSubtreeAllowed, isUnder, pathOf, toMailboxName } from './mailbox-name.ts';

/** An account's row while an operation works on it. */
export type AccountState = {
  readonly id: AccountId;
  modSeq: number;
  lastUidValidity: number;
  octetsUsed: number;
  messagesUsed: number;
  readonly octetsMax: number | undefined;
};

/** The topic of hints about accounts' mail: key account, value modseq. */
export const MAIL_TOPIC = 'mail';

/** The first of `FIRST_MAILBOXES` takes the first modseq, and cannot be removed. */
export const INBOX_ID: MailboxId = known(toMailboxId(1));

/** What an operation did to a mailbox: added to its row in the end. */
export type Delta = {
  total: number;
  unseen: number;
  deleted: number;
  octets: number;
  uids: number;
  modSeq: number;
};

export function newDelta(): Delta {
  return { total: 0, unseen: 0, deleted: 0, octets: 0, uids: 0, modSeq: 0 };
}

export function countFlags(delta: Delta, flags: number, by: 1 | -1): void {
  if ((flags & FLAG.seen) === 0) delta.unseen += by;
  if ((flags & FLAG.deleted) !== 0) delta.deleted += by;
}

/** A place that came, with a UID of its own. */
export function countPlace(
  delta: Delta,
  { flags, octets }: { readonly flags: number; readonly octets: number },
  modSeq: number,
): void {
  countFlags(delta, flags, 1);
  delta.uids += 1;
  delta.total += 1;
  delta.octets += octets;
  delta.modSeq = modSeq;
}

/** A place that went. */
export function discountPlace(
  delta: Delta,
  { flags, octets }: { readonly flags: number; readonly octets: number },
  modSeq: number,
): void {
  countFlags(delta, flags, -1);
  delta.total -= 1;
  delta.octets -= octets;
  delta.modSeq = modSeq;
}

/** What belongs to the message and not to its place. */
export function withoutDeleted({ flags, keywords }: Flags): Flags {
  return { flags: flags & ~FLAG.deleted, keywords };
}

export function overQuota(
  { octetsMax, octetsUsed }: Pick<AccountState, 'octetsMax' | 'octetsUsed'>,
  octets: number,
  octetsFreed = 0,
): OverQuota | undefined {
  if (octetsMax === undefined) return undefined;
  const octetsLeft = Math.max(0, octetsMax - octetsUsed) + octetsFreed;
  return octets > octetsLeft ? { kind: 'over-quota', octetsLeft } : undefined;
}

/** Larger than any that the account gave, and than those of a copy of it that was used meanwhile. */
export function nextUidValidity({ lastUidValidity }: AccountState, nowMs: number): number {
  return Math.max(lastUidValidity + 1, Math.floor(nowMs / 1000));
}

export type MailboxTree = ReadonlyMap<MailboxId, Mailbox>;

/** The name as it will be stored, or why the mailbox cannot be made. */
export function checkNewMailbox(
  tree: MailboxTree,
  {
    parent,
    name,
    role,
  }: {
    readonly parent: MailboxId | undefined;
    readonly name: string;
    readonly role: MailboxRole | undefined;
  },
): Result<string, MailboxProblem> {
  const stored = nameIn(tree, parent, name);
  if (!stored.ok) return stored;
  if (tree.size >= LIMITS.mailboxesMax) return err({ kind: 'too-many' });
  const isTaken = role !== undefined && [...tree.values()].some((one) => one.role === role);
  return isTaken ? err({ kind: 'exists' }) : stored;
}

/** The new name as it will be stored, or why the mailbox cannot go there. */
export function checkRename(
  tree: MailboxTree,
  mailbox: MailboxId,
  { parent, name }: { readonly parent: MailboxId | undefined; readonly name: string },
): Result<string, MailboxProblem> {
  const old = tree.get(mailbox);
  if (old === undefined) return err({ kind: 'no-such-mailbox' });
  if (old.role === 'inbox') return err({ kind: 'inbox' });
  if (isUnder(tree, parent, mailbox)) return err({ kind: 'loop' });
  const stored = nameIn(tree, parent, name);
  if (!stored.ok) return stored;
  const isAllowed = isSubtreeAllowed(tree, mailbox, [...pathOf(tree, parent), stored.value]);
  return isAllowed ? stored : err({ kind: 'bad-name' });
}

export function checkRemoval(tree: MailboxTree, mailbox: MailboxId): MailboxProblem | undefined {
  const old = tree.get(mailbox);
  if (old === undefined) return { kind: 'no-such-mailbox' };
  if (old.role === 'inbox') return { kind: 'inbox' };
  return [...tree.values()].some(({ parent }) => parent === mailbox) ? { kind: 'has-children' } : undefined;
}

function nameIn(
  tree: MailboxTree,
  parent: MailboxId | undefined,
  name: string,
): Result<string, MailboxProblem> {
  if (parent !== undefined && !tree.has(parent)) return err({ kind: 'no-such-mailbox' });
  const stored = toMailboxName(name, parent === undefined);
  if (stored === undefined || !isPathAllowed([...pathOf(tree, parent), stored]))
    return err({ kind: 'bad-name' });
  const isTaken = [...tree.values()].some((one) => one.parent === parent && one.name === stored);
  return isTaken ? err({ kind: 'exists' }) : ok(stored);
}

/** Lists of keywords in the account's spelling, and the keywords that are new to it; `undefined`: it would have too many. */
export function spellLists(
  spellings: ReadonlyMap<string, string>,
  lists: readonly (readonly string[])[],
): { readonly lists: readonly (readonly string[])[]; readonly added: readonly string[] } | undefined {
  const all = spellKeywords(spellings, lists.flat());
  if (all === undefined) return undefined;
  const grown = new Map([
    ...spellings,
    ...all.added.map((keyword) => [keywordKey(keyword), keyword] as const),
  ]);
  return { lists: lists.map((list) => spellKeywords(grown, list)?.spelled ?? []), added: all.added };
}
