/** Whether an event is wanted of a mailbox. Groups add to one another (RFC 5465 §6). */
import { unreachable } from '../../../base/unreachable.ts';
import type { EventGroup, MailboxFilter, NotifyEvent } from '../../wire/command/notify.ts';
import { DELIMITER } from '../mailbox-tree.ts';
import { normalName, OTHER_USERS, parseSharedName } from '../shared-name.ts';

export type Coverage = {
  /** @param name need not be that of a mailbox */
  covers(event: NotifyEvent, name: string, isSubscribed: boolean): boolean;
  /** Whether it is wanted anywhere. */
  has(event: NotifyEvent): boolean;
  /** Whether a mailbox of another owner may be among what is wanted. */
  readonly reachesOthers: boolean;
};

type Matches = (name: string, isSubscribed: boolean) => boolean;

export const NOTHING: Coverage = coverageOf([]);

export function coverageOf(groups: readonly EventGroup[]): Coverage {
  const matching = groups.map(({ filter, events }) => ({ events, matches: matcherOf(filter) }));
  return {
    covers: (event, name, isSubscribed) =>
      matching.some(({ events, matches }) => events.has(event) && matches(name, isSubscribed)),
    has: (event) => groups.some(({ events }) => events.has(event)),
    reachesOthers: groups.some(({ filter, events }) => events.size > 0 && reachesOthers(filter)),
  };
}

export function matcherOf(filter: MailboxFilter): Matches {
  switch (filter.kind) {
    case 'personal':
      return (name) => parseSharedName(name).kind === 'own';
    case 'subscribed':
      return (_name, isSubscribed) => isSubscribed;
    case 'mailboxes': {
      const names = new Set(filter.names.map(normalName));
      return (name) => names.has(name);
    }
    case 'subtree': {
      const names = new Set(filter.names.map(normalName));
      return (name) => withAncestors(name).some((one) => names.has(one));
    }
    default:
      return unreachable(filter);
  }
}

export function reachesOthers(filter: MailboxFilter): boolean {
  if (filter.kind === 'personal') return false;
  if (filter.kind === 'subscribed') return true;
  return filter.names.some((name) => withAncestors(normalName(name)).includes(OTHER_USERS));
}

/** The name itself, then what is above it, nearest first. */
export function withAncestors(name: string): readonly string[] {
  const names = [name];
  for (let end = name.lastIndexOf(DELIMITER); end > 0; end = name.lastIndexOf(DELIMITER, end - 1))
    names.push(name.slice(0, end));
  return names;
}
