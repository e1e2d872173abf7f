/**
 * Rights on mailboxes as RFC 4314 spells them, and who has which. Rights are kept as letters in the order of
 * {@link ALL_RIGHTS}, without the virtual `c` and `d`. Pure. docs/sharing.md says what each decides.
 */
import type { AccountId, MailboxId } from '../store/ids.ts';

/** RFC 4314 §2.1, in the order in which its examples begin. */
export const ALL_RIGHTS = 'lrswipkxtea';

/** RFC 4314 §2.1.1: of the two ways to read the rights of RFC 2086, the first. */
const VIRTUAL: Readonly<Record<string, string>> = { c: 'kx', d: 'et' };

/** What an owner let others do. */
export type Share = {
  readonly owner: AccountId;
  readonly ownerAddress: string;
  /** `undefined`: all of the owner's mailboxes, also those to come. */
  readonly mailbox: MailboxId | undefined;
  /** An address of an account or a group, or `anyone`; with a dash before it the rights are taken away. */
  readonly identifier: string;
  readonly rights: string;
};

/** Each letter alone, in order. */
export const RIGHTS: readonly string[] = Array.from(ALL_RIGHTS);

function inOrder(rights: Iterable<string>): string {
  const set = new Set(rights);
  return RIGHTS.filter((right) => set.has(right)).join('');
}

export function hasOneOf(rights: string, anyOf: string): boolean {
  return RIGHTS.some((right) => anyOf.includes(right) && rights.includes(right));
}

export function hasAll(rights: string, all: string): boolean {
  return RIGHTS.every((right) => !all.includes(right) || rights.includes(right));
}

/** Those of the first that are not among the second. */
export function without(rights: string, taken: string): string {
  return RIGHTS.filter((right) => rights.includes(right) && !taken.includes(right)).join('');
}

/** RFC 4314 §3.1: undefined where a letter is no right; none is ignored. */
export function parseRights(text: string): string | undefined {
  const letters = Array.from(Array.from(text, (letter) => VIRTUAL[letter] ?? letter).join(''));
  return letters.every((letter) => ALL_RIGHTS.includes(letter)) ? inOrder(letters) : undefined;
}

/** RFC 4314 §2.1.1: with `c` and `d` for clients of RFC 2086 wherever one of their members is there. */
export function formatRights(rights: string): string {
  const virtual = Object.entries(VIRTUAL).filter(([, members]) => hasOneOf(rights, members));
  return `${rights}${virtual.map(([letter]) => letter).join('')}`;
}

/** RFC 4314 §3.1: `+` adds, `-` removes, neither replaces. Undefined where a letter is no right. */
export function changeRights(before: string, change: string): string | undefined {
  const mode = change.startsWith('+') || change.startsWith('-') ? change.charAt(0) : '';
  const rights = parseRights(change.slice(mode.length));
  if (rights === undefined || mode === '') return rights;
  return mode === '+' ? inOrder(before + rights) : without(before, rights);
}

/**
 * What shares that apply to one reader come to: those of the mailbox and those of all mail together, less what any of
 * them takes away (RFC 4314 §2).
 *
 * @param mailbox `undefined`: those of all mail alone
 */
export function rightsOn(
  mailbox: MailboxId | undefined,
  shares: readonly Omit<Share, 'ownerAddress'>[],
): string {
  const given = new Set<string>();
  const taken = new Set<string>();
  for (const share of shares) {
    if (share.mailbox !== undefined && share.mailbox !== mailbox) continue;
    for (const right of share.rights) (share.identifier.startsWith('-') ? taken : given).add(right);
  }
  return inOrder(given.difference(taken));
}
