/** STATUS, from counters that the store keeps. Source: RFC 9051 §6.3.11, RFC 7889 §4, RFC 8438. */
import { unreachable } from '../../../base/unreachable.ts';
import type { Command } from '../../wire/command.ts';
import type { StatusItem } from '../../wire/command/mailbox.ts';
import type { StatusDatum, Untagged } from '../../wire/response.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import { mailboxTree, type MailboxNode } from '../mailbox-tree.ts';
import { formatMailboxId } from '../object-id.ts';
import type { SignedIn } from '../state.ts';

type Status = Extract<Command, { verb: 'STATUS' }>;

export async function* status({ principal }: SignedIn, command: Status, { deps, enabled }: Context): Replies {
  // RFC 9208 §5.1: comes with QUOTA, which is not offered.
  if (command.items.includes('DELETED-STORAGE'))
    return { status: 'BAD', text: 'Unknown item of STATUS: DELETED-STORAGE' };
  const node = mailboxTree(await deps.store.mailboxes(principal.account)).find(command.mailbox);
  if (node === undefined) return { status: 'NO', code: 'NONEXISTENT', text: 'No such mailbox' };
  // RFC 7162 §3.1.2: asking for HIGHESTMODSEQ is a CONDSTORE enabling command.
  if (command.items.includes('HIGHESTMODSEQ')) enabled.condstore = true;
  yield statusOf(node, command.items, deps.limits.messageOctetsMax);
  return done('Counted');
}

export function statusOf(
  { mailbox, path }: MailboxNode,
  items: readonly StatusItem[],
  appendLimit: number,
): Untagged {
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
        return [{ item, id: formatMailboxId(mailbox.id) }];
      case 'APPENDLIMIT':
        return [{ item, value: appendLimit }];
      case 'DELETED-STORAGE':
        return [];
      default:
        return unreachable(item);
    }
  });
  return { kind: 'mailbox-status', mailbox: path, data };
}
