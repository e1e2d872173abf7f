/** STATUS, from counters that the store keeps. Source: RFC 9051 §6.3.11, RFC 7889 §4, RFC 8438, RFC 9208 §4.1.4. */
import { unreachable } from '../../../base/unreachable.ts';
import { FLAG, type Mailbox, type MailStore } from '../../../store/mail-store.ts';
import type { AccountId } from '../../../store/ids.ts';
import type { Command } from '../../wire/command.ts';
import type { StatusItem } from '../../wire/command/mailbox.ts';
import type { StatusDatum, Untagged } from '../../wire/response.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import { allowed, otherOwner, type Access } from '../mailbox-access.ts';
import { pagesOf } from '../message-set.ts';
import { formatMailboxId } from '../object-id.ts';
import type { ImapDeps } from '../ports.ts';
import type { SignedIn } from '../state.ts';

type Status = Extract<Command, { verb: 'STATUS' }>;

/** Entries, and messages, of one read. */
const ENTRIES_PAGE = 5000;
const MESSAGES_PAGE = 1000;

export async function* status({ principal }: SignedIn, command: Status, { deps, enabled }: Context): Replies {
  const access = await allowed(principal, command.mailbox, 'r', deps);
  if (!access.ok) return access.error;
  // RFC 7162 §3.1.2: asking for HIGHESTMODSEQ is a CONDSTORE enabling command.
  if (command.items.includes('HIGHESTMODSEQ')) enabled.condstore = true;
  yield await statusOf(access.value, command.items, deps);
  return done('Counted');
}

export async function statusOf(
  access: Access,
  items: readonly StatusItem[],
  { store, limits }: ImapDeps,
): Promise<Untagged> {
  const { owner, node, name } = access;
  const { mailbox } = node;
  const deletedOctets = items.includes('DELETED-STORAGE') ? await deletedStorage(owner, mailbox, store) : 0;
  const data = items.flatMap((item): readonly StatusDatum[] => {
    switch (item) {
      case 'MESSAGES':
        return [{ item, value: mailbox.total }];
      case 'UIDNEXT':
        return [{ item, value: mailbox.uidNext }];
      case 'UIDVALIDITY':
        return [{ item, value: mailbox.uidValidity }];
      case 'UNSEEN':
        return [{ item, value: mailbox.unseen }];
      case 'DELETED':
        return [{ item, value: mailbox.deleted }];
      case 'SIZE':
        return [{ item, value: mailbox.octets }];
      case 'RECENT':
        return [{ item, value: 0 }];
      case 'HIGHESTMODSEQ':
        return [{ item, value: Math.max(1, mailbox.highestModSeq) }];
      case 'MAILBOXID':
        return [{ item, id: formatMailboxId(mailbox.id, otherOwner(access)) }];
      case 'APPENDLIMIT':
        return [{ item, value: limits.messageOctetsMax }];
      case 'DELETED-STORAGE':
        return [{ item, value: deletedOctets }];
      default:
        return unreachable(item);
    }
  });
  return { kind: 'mailbox-status', mailbox: name, data };
}

/**
 * RFC 9208 §4.1.4: the sizes of what is marked, added up. What has another place besides is counted too, though it frees
 * nothing. Costs nothing where nothing is marked.
 */
async function deletedStorage(
  account: AccountId,
  { id, deleted }: Mailbox,
  store: MailStore,
): Promise<number> {
  let octets = 0;
  let left = deleted;
  for (let after = 0; left > 0;) {
    const entries = await store.entries(account, id, after, ENTRIES_PAGE);
    const uids = entries.filter(({ flags }) => (flags & FLAG.deleted) !== 0).map(({ uid }) => uid);
    for (const page of pagesOf(uids, MESSAGES_PAGE))
      for (const message of await store.placed(account, id, page)) octets += message.octets;
    left -= uids.length;
    after = entries.at(-1)?.uid ?? 0;
    if (entries.length < ENTRIES_PAGE) break;
  }
  return octets;
}
