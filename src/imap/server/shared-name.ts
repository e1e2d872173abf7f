/** Names of mailboxes of other users: `Other Users/alice@example.test/Path/Of/Mailbox` (RFC 2342 §5). Pure. */
import { DELIMITER, normalPath } from './mailbox-tree.ts';

export const OTHER_USERS = 'Other Users';

export type SharedName =
  | { readonly kind: 'own'; readonly path: string }
  /** One of the two levels above, which are no mailboxes. */
  | { readonly kind: 'above' }
  /** `owner` is the level that names them, see {@link ownerLevel}. */
  | { readonly kind: 'other'; readonly owner: string; readonly path: string };

/** In NFC, and the inbox in capitals wherever it is the first level of somebody's mail. */
export function parseSharedName(name: string): SharedName {
  const [first, owner, ...rest] = name.normalize('NFC').split(DELIMITER);
  if (first !== OTHER_USERS) return { kind: 'own', path: normalPath(name) };
  const path = rest.join(DELIMITER);
  if (owner === undefined || path === '') return { kind: 'above' };
  return { kind: 'other', owner: owner.toLowerCase(), path: normalPath(path) };
}

/** A name in the form in which it is kept and compared, whether or not there is such a mailbox. */
export function normalName(name: string): string {
  const parsed = parseSharedName(name);
  if (parsed.kind === 'own') return parsed.path;
  return parsed.kind === 'other' ? formatSharedName(parsed.owner, parsed.path) : name.normalize('NFC');
}

/** Whether it is the namespace itself, or a level that names an owner. */
export function isUpperLevel(name: string): boolean {
  return parseSharedName(name).kind === 'above';
}

export function formatSharedName(ownerAddress: string, path: string): string {
  return [formatUpperLevel(ownerAddress), path].join(DELIMITER);
}

/** What all mailboxes of an owner are below. */
export function formatUpperLevel(ownerAddress: string): string {
  return [OTHER_USERS, ownerLevel(ownerAddress)].join(DELIMITER);
}

/** An address as one level of a path: the delimiter, which a local part may hold, becomes a colon. */
export function ownerLevel(address: string): string {
  return address.normalize('NFC').replaceAll(DELIMITER, ':');
}
