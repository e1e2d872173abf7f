/**
 * What a session that asked for NOTIFY has been told, or knew, of the mailboxes it can see: their names and counters, and
 * its subscriptions. What is different later is what it has to be told.
 */
import type { Principal } from '../../../auth/principal.ts';
import type { AccountId, MailboxId } from '../../../store/ids.ts';
import { accessOf, ownMail, sharedMails, type Access } from '../mailbox-access.ts';
import { DELIMITER } from '../mailbox-tree.ts';
import { isUpperLevel } from '../shared-name.ts';
import type { ImapDeps } from '../ports.ts';
import type { Enabled, SelectedMailbox } from '../state.ts';

/** Where a session is when news is looked for. */
export type Situation = {
  readonly deps: ImapDeps;
  readonly principal: Principal;
  readonly enabled: Enabled;
  readonly selected: SelectedMailbox | undefined;
};

export type Counters = {
  readonly total: number;
  readonly unseen: number;
  readonly uidNext: number;
  readonly highestModSeq: number;
};

/** Of one mailbox, as it was. */
export type Known = Counters & {
  /** As the client knows it. */
  readonly name: string;
  /** The last level, and the mailbox above: what a change of makes it renamed, and not only moved along. */
  readonly level: string;
  readonly parent: MailboxId | undefined;
};

export type Snapshot = {
  /** By {@link keyOf}. */
  readonly mailboxes: ReadonlyMap<string, Known>;
  readonly subscribed: ReadonlySet<string>;
};

/** As it is now. */
export type Visible = {
  /** By name: what the client may see. */
  readonly found: ReadonlyMap<string, Access>;
  readonly subscribed: ReadonlySet<string>;
};

export type NameChanges = {
  /** Names that a mailbox came to or went from, and the names above them (RFC 5465 §5.4). */
  readonly affected: ReadonlySet<string>;
  /** Without what moved along with a mailbox above it. */
  readonly renamed: readonly { readonly access: Access; readonly from: string }[];
};

/** Mailboxes of two owners may have one UIDVALIDITY, and one name may come to stand for another mailbox. */
export function placeKey(name: string, uidValidity: number): string {
  return `${uidValidity} ${name}`;
}

export function keyOf(owner: AccountId, mailbox: MailboxId): string {
  return `${owner}/${mailbox}`;
}

/**
 * Undefined: there are more mailboxes than that.
 *
 * @param withOthers whether the mail of other owners is looked at
 */
export async function readVisible(
  { principal, deps }: Situation,
  withOthers: boolean,
  mailboxesMax: number,
): Promise<Visible | undefined> {
  const found = new Map<string, Access>();
  const mails = [await ownMail(principal, deps), ...(withOthers ? await sharedMails(principal, deps) : [])];
  for (const mail of mails)
    for (const node of mail.tree.nodes) {
      const access = accessOf(mail, node);
      if (access.rights.includes('l') && !found.has(access.name)) found.set(access.name, access);
      if (found.size > mailboxesMax) return undefined;
    }
  return { found, subscribed: new Set(await deps.store.subscriptions(principal.account)) };
}

export function snapshotOf({ found, subscribed }: Visible): Snapshot {
  return {
    mailboxes: new Map(
      [...found.values()].map((access) => [keyOf(access.owner, access.node.mailbox.id), knownOf(access)]),
    ),
    subscribed,
  };
}

/** The same with other counters for one mailbox. */
export function withCounters(snapshot: Snapshot, key: string, counters: Counters): Snapshot {
  const known = snapshot.mailboxes.get(key);
  if (known === undefined) return snapshot;
  const { total, unseen, uidNext, highestModSeq } = counters;
  const mailboxes = new Map(snapshot.mailboxes);
  mailboxes.set(key, { ...known, total, unseen, uidNext, highestModSeq });
  return { ...snapshot, mailboxes };
}

function knownOf({ name, node }: Access): Known {
  const { parent, name: level, total, unseen, uidNext, highestModSeq } = node.mailbox;
  return { name, level, parent, total, unseen, uidNext, highestModSeq };
}

export function nameChanges(before: Snapshot, { found }: Visible): NameChanges {
  const affected = new Set<string>();
  const renamed: { access: Access; from: string }[] = [];
  const keys = new Set<string>();
  for (const access of found.values()) {
    const { mailbox } = access.node;
    const key = keyOf(access.owner, mailbox.id);
    keys.add(key);
    const known = before.mailboxes.get(key);
    if (known === undefined) addWithParent(affected, access.name);
    else if (known.level !== mailbox.name || known.parent !== mailbox.parent)
      renamed.push({ access, from: known.name });
  }
  for (const [key, { name }] of before.mailboxes) if (!keys.has(key)) addWithParent(affected, name);
  return { affected, renamed };
}

function addWithParent(names: Set<string>, name: string): void {
  const parent = name.slice(0, Math.max(0, name.lastIndexOf(DELIMITER)));
  // What another's mail is below is no mailbox.
  if (parent !== '' && !isUpperLevel(parent)) names.add(parent);
  names.add(name);
}

/** Names that were subscribed to, or no longer are. */
export function subscriptionChanges(before: Snapshot, { subscribed }: Visible): readonly string[] {
  return [...before.subscribed.symmetricDifference(subscribed)].toSorted();
}

export type MessageChanges = {
  /** How many came; how many went. */
  readonly added: number;
  readonly removed: number;
  readonly modSeq: boolean;
  readonly unseen: boolean;
  /** The client does not know this mailbox, whatever it knows of one with its name. */
  readonly isNew: boolean;
};

/** Undefined: nothing is different. */
export function messageChanges(before: Snapshot, { owner, node }: Access): MessageChanges | undefined {
  const { mailbox } = node;
  const known = before.mailboxes.get(keyOf(owner, mailbox.id));
  const was = known ?? { total: 0, unseen: 0, uidNext: 1, highestModSeq: mailbox.highestModSeq };
  const added = mailbox.uidNext - was.uidNext;
  const changes = {
    added,
    removed: was.total + added - mailbox.total,
    modSeq: was.highestModSeq !== mailbox.highestModSeq,
    unseen: was.unseen !== mailbox.unseen,
    isNew: known === undefined,
  };
  const isSame = added === 0 && changes.removed === 0 && !changes.modSeq && !changes.isNew;
  return isSame && !changes.unseen ? undefined : changes;
}
