/** The mailboxes of an account as IMAP names them: paths whose levels are divided by '/'. */
import type { Mailbox, MailboxRole } from '../../store/mail-store.ts';
import type { MailboxId } from '../../store/ids.ts';

export const DELIMITER = '/';

export type MailboxNode = {
  readonly mailbox: Mailbox;
  readonly path: string;
  readonly hasChildren: boolean;
};

export type MailboxTree = {
  /** Parents before children. */
  readonly nodes: readonly MailboxNode[];
  find(path: string): MailboxNode | undefined;
};

/**
 * @param mailboxes parents before children, as the store gives them
 * @param isShown which of them count as somebody's children
 */
export function mailboxTree(
  mailboxes: readonly Mailbox[],
  isShown: (id: MailboxId) => boolean = () => true,
): MailboxTree {
  const paths = new Map<MailboxId, string>();
  for (const { id, parent, name } of mailboxes)
    paths.set(id, parent === undefined ? name : `${paths.get(parent) ?? ''}${DELIMITER}${name}`);
  const parents = new Set<MailboxId>();
  for (const { id, parent } of mailboxes.toReversed())
    if (parent !== undefined && (parents.has(id) || isShown(id))) parents.add(parent);
  const nodes = mailboxes.map((mailbox) => ({
    mailbox,
    path: paths.get(mailbox.id) ?? mailbox.name,
    hasChildren: parents.has(mailbox.id),
  }));
  const byPath = new Map(nodes.map((node) => [node.path, node] as const));
  return { nodes, find: (path) => byPath.get(normalPath(path)) };
}

/** NFC, as the store keeps names; INBOX in capitals also as the first level of a path (RFC 9051 §5.1). */
export function normalPath(path: string): string {
  const [first = '', ...rest] = path.normalize('NFC').split(DELIMITER);
  return [first.toUpperCase() === 'INBOX' ? 'INBOX' : first, ...rest].join(DELIMITER);
}

/** The levels of a path to be created; a delimiter at the end only says that there will be children (RFC 9051 §6.3.4). */
export function levelsOf(path: string): readonly string[] {
  const normal = normalPath(path);
  return (normal.endsWith(DELIMITER) ? normal.slice(0, -1) : normal).split(DELIMITER);
}

/** RFC 6154 §2; RFC 8457 for Important. INBOX has no attribute of its own. */
const USES: Readonly<Record<MailboxRole, string | undefined>> = {
  inbox: undefined,
  drafts: '\\Drafts',
  sent: '\\Sent',
  junk: '\\Junk',
  trash: '\\Trash',
  archive: '\\Archive',
  flagged: '\\Flagged',
  important: '\\Important',
  all: '\\All',
};

export function specialUse(role: MailboxRole | undefined): string | undefined {
  return role === undefined ? undefined : USES[role];
}

/** The role that a special use names, in any case; undefined for one that we cannot give. */
export function roleOfUse(use: string): MailboxRole | undefined {
  switch (use.toLowerCase()) {
    case '\\drafts':
      return 'drafts';
    case '\\sent':
      return 'sent';
    case '\\junk':
      return 'junk';
    case '\\trash':
      return 'trash';
    case '\\archive':
      return 'archive';
    case '\\important':
      return 'important';
    default:
      // \All and \Flagged are views of all mailboxes, which nothing here is.
      return undefined;
  }
}
