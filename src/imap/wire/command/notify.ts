/** NOTIFY: which events a client wants to hear of, and where. Source: RFC 5465 §3.1, §6, §8. */
import { LIMITS } from '../../../base/limits.ts';
import type { Cursor } from '../cursor.ts';
import { parseFetchItems, type FetchItem } from './fetch.ts';

/** RFC 5465 §5. There are no annotations of messages, so AnnotationChange is not among them. */
const EVENTS = [
  'MessageNew',
  'MessageExpunge',
  'FlagChange',
  'MailboxName',
  'SubscriptionChange',
  'MailboxMetadataChange',
  'ServerMetadataChange',
] as const;
export type NotifyEvent = (typeof EVENTS)[number];

/** Which mailboxes a group is about, the selected one apart. Names as they were given. */
export type MailboxFilter =
  /** RFC 5465 §6.3: where mail may be delivered is not known beforehand, so `inboxes` is `personal`. */
  | { readonly kind: 'personal' }
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'subtree' | 'mailboxes'; readonly names: readonly string[] };

export type EventGroup = { readonly filter: MailboxFilter; readonly events: ReadonlySet<NotifyEvent> };

/** What is told of the selected mailbox. RFC 5465 §6.1. */
export type SelectedGroup = {
  /** Whether a message that is gone is told of only where a client that counts messages expects it. */
  readonly isDelayed: boolean;
  readonly events: ReadonlySet<NotifyEvent>;
  /** What is sent of a new message, unasked. */
  readonly items: readonly FetchItem[];
};

export type NotifyRequest = {
  readonly wantsStatus: boolean;
  readonly selected: SelectedGroup | undefined;
  readonly groups: readonly EventGroup[];
};

/** Without a request: NOTIFY NONE. */
export type NotifyCommand = { readonly verb: 'NOTIFY'; readonly request: NotifyRequest | undefined };

type Events = {
  readonly events: ReadonlySet<NotifyEvent>;
  /** Undefined where no list stood behind MessageNew. */
  readonly items: readonly FetchItem[] | undefined;
};
type Group =
  | ({ readonly kind: 'selected'; readonly isDelayed: boolean } & Events)
  | ({ readonly kind: 'other'; readonly filter: MailboxFilter } & Events);

const BY_NAME: ReadonlyMap<string, NotifyEvent> = new Map(EVENTS.map((name) => [name.toUpperCase(), name]));
const OF_MESSAGES: ReadonlySet<NotifyEvent> = new Set(['MessageNew', 'MessageExpunge', 'FlagChange']);

export function parseNotify(cursor: Cursor): NotifyCommand | undefined {
  if (!cursor.space('SET or NONE')) return undefined;
  if (cursor.takeLabel('NONE')) return { verb: 'NOTIFY', request: undefined };
  if (!cursor.takeLabel('SET')) return cursor.fail('NOTIFY takes SET or NONE');
  if (!cursor.space('the events')) return undefined;
  const wantsStatus = cursor.takeLabel('STATUS');
  if (wantsStatus && !cursor.space('the events')) return undefined;
  let selected: SelectedGroup | undefined;
  const groups: EventGroup[] = [];
  do {
    const group = parseGroup(cursor);
    if (group === undefined) return undefined;
    if (group.kind === 'other') groups.push(group);
    else if (selected === undefined) selected = { ...group, items: group.items ?? [] };
    // RFC 5465 §6.1.
    else return cursor.fail('SELECTED and SELECTED-DELAYED stand once');
    if (groups.length > LIMITS.imapNotifyGroupsMax)
      return cursor.refuse({
        status: 'NO',
        code: NOTIFICATION_OVERFLOW,
        text: `NOTIFY takes ${LIMITS.imapNotifyGroupsMax} groups of events at most`,
      });
  } while (cursor.takeSpace());
  return { verb: 'NOTIFY', request: { wantsStatus, selected, groups } };
}

/** RFC 5465 §5.8. */
export const NOTIFICATION_OVERFLOW = { kind: 'EXTENSION', text: 'NOTIFICATIONOVERFLOW' } as const;

function parseGroup(cursor: Cursor): Group | undefined {
  if (!cursor.takeLeft()) return cursor.fail('Expected a group of events in parentheses');
  const name = cursor.label('which mailboxes');
  if (name === undefined) return undefined;
  if (name === 'SELECTED' || name === 'SELECTED-DELAYED') {
    const events = parseEvents(cursor);
    if (events === undefined) return undefined;
    if ([...events.events].some((event) => !OF_MESSAGES.has(event)))
      return cursor.fail(`${name} takes events of messages only`);
    return { kind: 'selected', isDelayed: name === 'SELECTED-DELAYED', ...events };
  }
  const filter = parseFilter(cursor, name);
  const events = filter && parseEvents(cursor);
  if (filter === undefined || events === undefined) return undefined;
  if (events.items !== undefined) return cursor.fail('Only of the selected mailbox are new messages fetched');
  return { kind: 'other', filter, ...events };
}

export function parseFilter(cursor: Cursor, name: string): MailboxFilter | undefined {
  switch (name) {
    case 'INBOXES':
    case 'PERSONAL':
      return { kind: 'personal' };
    case 'SUBSCRIBED':
      return { kind: 'subscribed' };
    case 'SUBTREE':
    case 'MAILBOXES': {
      const names = parseNames(cursor);
      return names && { kind: name === 'SUBTREE' ? 'subtree' : 'mailboxes', names };
    }
    default:
      return cursor.fail(`There are no mailboxes of the name ${name.slice(0, 40)}`);
  }
}

/** ` name` or ` (name …)` */
export function parseNames(cursor: Cursor): readonly string[] | undefined {
  if (!cursor.space('a mailbox name')) return undefined;
  return cursor.takeLeft()
    ? cursor.listToRight('the mailbox names', () => cursor.mailbox())
    : oneOf(cursor.mailbox());
}

function oneOf(name: string | undefined): readonly string[] | undefined {
  return name === undefined ? undefined : [name];
}

/** Up to and with the end of the group. */
function parseEvents(cursor: Cursor): Events | undefined {
  if (!cursor.space('the events')) return undefined;
  const events = new Set<NotifyEvent>();
  if (cursor.takeLabel('NONE')) return cursor.right('the group') && { events, items: undefined };
  if (!cursor.takeLeft()) return cursor.fail('Expected the events as a list, or NONE');
  let items: readonly FetchItem[] | undefined;
  do {
    const event = parseEvent(cursor);
    if (event === undefined) return undefined;
    events.add(event);
    if (event === 'MessageNew' && cursor.takeSpaceLeft()) {
      items = parseFetchItems(cursor);
      if (items === undefined) return undefined;
    }
  } while (cursor.takeSpace());
  if (!cursor.right('the events') || !cursor.right('the group')) return undefined;
  // RFC 5465 §5.
  if (events.has('MessageNew') !== events.has('MessageExpunge'))
    return cursor.fail('MessageNew and MessageExpunge stand together');
  if (events.has('FlagChange') && !events.has('MessageNew'))
    return cursor.fail('FlagChange stands with MessageNew and MessageExpunge');
  return { events, items };
}

function parseEvent(cursor: Cursor): NotifyEvent | undefined {
  const name = cursor.atom('an event');
  if (name === undefined) return undefined;
  // RFC 5465 §3.1: NO, and never BAD, for an event that is not known.
  return (
    BY_NAME.get(name.toUpperCase()) ??
    cursor.refuse({
      status: 'NO',
      code: { kind: 'EXTENSION', text: `BADEVENT (${EVENTS.join(' ')})` },
      text: 'There are no such events',
    })
  );
}
