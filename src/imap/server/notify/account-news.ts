/** What is told of mailboxes that are not selected, of names and of subscriptions. Source: RFC 5465 §3.1, §5. */
import { LIMITS } from '../../../base/limits.ts';
import type { StatusItem } from '../../wire/command/mailbox.ts';
import { NOTIFICATION_OVERFLOW, type NotifyEvent } from '../../wire/command/notify.ts';
import type { Untagged } from '../../wire/response.ts';
import { countOf } from '../../wire/sequence-set.ts';
import { listAttributes } from '../commands/list.ts';
import { statusOf } from '../commands/status.ts';
import type { Access } from '../mailbox-access.ts';
import { DELIMITER } from '../mailbox-tree.ts';
import type { Enabled } from '../state.ts';
import {
  messageChanges,
  nameChanges,
  placeKey,
  subscriptionChanges,
  type MessageChanges,
  type Situation,
  type Visible,
} from './account-snapshot.ts';
import type { Coverage } from './coverage.ts';
import type { Comparison, Notifications } from './notifications.ts';

export async function accountNews(
  notifications: Notifications,
  situation: Situation,
): Promise<readonly Untagged[]> {
  const compared = await notifications.compare(situation);
  if (compared === undefined) return [];
  if (compared !== 'overflow') return [...nameNews(compared), ...(await messageNews(compared, situation))];
  situation.deps.emit({ name: 'imap.notify.overflowed', account: situation.principal.account });
  // RFC 5465 §5.8.
  const text = `More than ${LIMITS.imapNotifyMailboxesMax} mailboxes are not watched`;
  return [{ kind: 'status', status: 'OK', code: NOTIFICATION_OVERFLOW, text }];
}

function* nameNews({ before, now, coverage, own }: Comparison): Generator<Untagged, void, void> {
  const told = new Set<string>();
  const isWanted = (event: NotifyEvent, name: string): boolean =>
    coverage.covers(event, name, before.subscribed.has(name) || now.subscribed.has(name));
  const { affected, renamed } = nameChanges(before, now);
  for (const { access, from } of renamed) {
    const { name } = access;
    if (own.names.has(name) || own.names.has(from)) continue;
    if (!isWanted('MailboxName', name) && !isWanted('MailboxName', from)) continue;
    told.add(name);
    yield { ...listOfName(name, now), oldName: from };
  }
  for (const name of affected) {
    if (own.names.has(name) || told.has(name) || !isWanted('MailboxName', name)) continue;
    told.add(name);
    yield listOfName(name, now);
  }
  for (const name of subscriptionChanges(before, now)) {
    if (own.names.has(name) || told.has(name) || !isWanted('SubscriptionChange', name)) continue;
    yield listOfName(name, now);
  }
}

async function messageNews(
  { before, now, coverage, own }: Comparison,
  situation: Situation,
): Promise<readonly Untagged[]> {
  const told: Untagged[] = [];
  for (const access of now.found.values()) {
    // RFC 5465 §3.1: of the selected one nothing is told but what SELECTED asks for.
    if (isSelected(access, situation) || !access.rights.includes('r')) continue;
    const changes = messageChanges(before, access);
    if (changes === undefined || isOwn(access, changes, own)) continue;
    const items = itemsOf(access, changes, coverage, now, situation.enabled);
    if (items.length > 0) told.push(await statusOf(access, items, situation.deps));
  }
  return told;
}

function isSelected({ owner, node }: Access, { selected }: Situation): boolean {
  return node.mailbox.id === selected?.id && owner === selected.account;
}

/** RFC 5465 §5: what the client did itself need not be told. */
function isOwn({ name, node }: Access, changes: MessageChanges, own: Comparison['own']): boolean {
  const { added, removed, isNew } = changes;
  if (added === 0) return isNew && own.names.has(name);
  return removed === 0 && countOf(own.messages.get(placeKey(name, node.mailbox.uidValidity)) ?? []) === added;
}

function listOfName(name: string, { found, subscribed }: Visible): Extract<Untagged, { kind: 'list' }> {
  const access = found.get(name);
  const attributes = access === undefined ? ['\\NonExistent'] : listAttributes(access);
  return {
    kind: 'list',
    attributes: subscribed.has(name) ? [...attributes, '\\Subscribed'] : attributes,
    delimiter: DELIMITER,
    mailbox: name,
  };
}

/** RFC 5465 §5.1 to §5.3. */
function itemsOf(
  { name }: Access,
  changes: MessageChanges,
  coverage: Coverage,
  { subscribed }: Visible,
  { condstore }: Enabled,
): readonly StatusItem[] {
  const isWanted = (event: NotifyEvent): boolean => coverage.covers(event, name, subscribed.has(name));
  const items = new Set<StatusItem>();
  const messages =
    (changes.added > 0 && isWanted('MessageNew')) || (changes.removed > 0 && isWanted('MessageExpunge'));
  if (messages) for (const item of ['MESSAGES', 'UIDNEXT'] as const) items.add(item);
  // A name that the client knew may stand for another mailbox: RFC 5465 §5.1, changes of UIDVALIDITY.
  if (changes.isNew && isWanted('MessageNew'))
    for (const item of ['MESSAGES', 'UIDNEXT', 'UIDVALIDITY'] as const) items.add(item);
  if (isWanted('FlagChange')) {
    if (condstore && changes.modSeq) items.add('UIDVALIDITY');
    if (changes.unseen) for (const item of ['UNSEEN', 'UIDVALIDITY'] as const) items.add(item);
  }
  if (items.size > 0 && condstore) items.add('HIGHESTMODSEQ');
  return [...items];
}

/** What a client must know to make sense of what will follow, and of what nothing can follow (RFC 5465 §3.1). */
export async function* initialNews(
  { found, subscribed }: Visible,
  coverage: Coverage,
  wantsStatus: boolean,
  situation: Situation,
): AsyncGenerator<Untagged, void, void> {
  for (const access of found.values()) {
    const { name } = access;
    const isWanted = (event: NotifyEvent): boolean => coverage.covers(event, name, subscribed.has(name));
    const isRead = access.rights.includes('r');
    if (!isRead && isWanted('MessageNew'))
      yield { kind: 'list', attributes: ['\\NoAccess'], delimiter: DELIMITER, mailbox: name };
    if (!isRead || !wantsStatus || isSelected(access, situation)) continue;
    const items: StatusItem[] = isWanted('MessageNew') ? ['MESSAGES', 'UIDNEXT', 'UIDVALIDITY'] : [];
    if (isWanted('FlagChange')) items.push('UNSEEN', 'HIGHESTMODSEQ');
    if (items.length > 0) yield await statusOf(access, items, situation.deps);
  }
}
