/**
 * What a mailbox may be called: one level in NFC without '/', controls and broken surrogates, its path within
 * `LIMITS.mailboxNameOctetsMax` octets of UTF-8 and `LIMITS.mailboxDepthMax` levels. `INBOX` in any case, at the top only, is
 * the inbox. Sources: RFC 9051 §5.1, RFC 5198 §2 (NFC), RFC 8621 §2.
 */
import { fromUtf8 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import type { MailboxRole } from './mail-store.ts';

export const INBOX = 'INBOX';

/** What every account begins with, all subscribed. The order is that of their ids. */
export const FIRST_MAILBOXES: readonly { readonly name: string; readonly role: MailboxRole }[] = [
  { name: INBOX, role: 'inbox' },
  { name: 'Drafts', role: 'drafts' },
  { name: 'Sent', role: 'sent' },
  { name: 'Junk', role: 'junk' },
  { name: 'Trash', role: 'trash' },
  { name: 'Archive', role: 'archive' },
];

/** C0, DEL, C1, the line and paragraph separators, and the delimiter. */
const FORBIDDEN = /[\p{Cc}\u2028\u2029/]/u;

/** One level as it is stored; `undefined` for what may not be a name. */
export function toMailboxName(name: string, isTop: boolean): string | undefined {
  // Before the normalisation: what is longer than any path may be is not worth the time.
  if (name.length > LIMITS.mailboxNameOctetsMax || !name.isWellFormed()) return undefined;
  const normal = name.normalize('NFC');
  if (normal === '' || FORBIDDEN.test(normal)) return undefined;
  return isTop && normal.toUpperCase() === INBOX ? INBOX : normal;
}

/** Whether a mailbox may have this path, given from the top. */
export function isPathAllowed(levels: readonly string[]): boolean {
  return (
    levels.length <= LIMITS.mailboxDepthMax &&
    fromUtf8(levels.join('/')).length <= LIMITS.mailboxNameOctetsMax
  );
}

/** A path joined with '/' as it is stored, or `undefined`. */
export function toMailboxPath(path: string): string | undefined {
  if (path.length > LIMITS.mailboxNameOctetsMax) return undefined;
  const levels: string[] = [];
  for (const level of path.split('/')) {
    const name = toMailboxName(level, levels.length === 0);
    if (name === undefined) return undefined;
    levels.push(name);
  }
  return isPathAllowed(levels) ? levels.join('/') : undefined;
}

/** What the rules of the tree need to know of a mailbox. */
export type TreeNode<Id> = { readonly id: Id; readonly parent: Id | undefined; readonly name: string };

/** The names from the top to this mailbox. */
export function pathOf<Id>(nodes: ReadonlyMap<Id, TreeNode<Id>>, id: Id | undefined): string[] {
  const path: string[] = [];
  for (let node = id === undefined ? undefined : nodes.get(id); node !== undefined;) {
    path.push(node.name);
    node = node.parent === undefined ? undefined : nodes.get(node.parent);
  }
  return path.toReversed();
}

/** Whether `id` is `above` or lies under it. */
export function isUnder<Id>(nodes: ReadonlyMap<Id, TreeNode<Id>>, id: Id | undefined, above: Id): boolean {
  for (let at = id; at !== undefined; at = nodes.get(at)?.parent) if (at === above) return true;
  return false;
}

/** Whether every path stays allowed when the mailbox, and all below it, come to lie at `levels`. */
export function isSubtreeAllowed<Id>(
  nodes: ReadonlyMap<Id, TreeNode<Id>>,
  id: Id,
  levels: readonly string[],
): boolean {
  if (!isPathAllowed(levels)) return false;
  const oldDepth = pathOf(nodes, id).length;
  for (const node of nodes.values()) {
    if (node.id === id || !isUnder(nodes, node.id, id)) continue;
    if (!isPathAllowed([...levels, ...pathOf(nodes, node.id).slice(oldDepth)])) return false;
  }
  return true;
}

function inCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Parents before children, siblings by name in code unit order. */
export function inTreeOrder<Id, Node extends TreeNode<Id>>(nodes: readonly Node[]): Node[] {
  const children = new Map<Id | undefined, Node[]>();
  for (const node of nodes) {
    const siblings = children.get(node.parent);
    if (siblings === undefined) children.set(node.parent, [node]);
    else siblings.push(node);
  }
  const ordered: Node[] = [];
  const open = (children.get(undefined) ?? []).toSorted((a, b) => inCodeUnits(b.name, a.name));
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    ordered.push(node);
    open.push(...(children.get(node.id) ?? []).toSorted((a, b) => inCodeUnits(b.name, a.name)));
  }
  return ordered;
}
