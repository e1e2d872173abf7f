/** What each act does to a message or mailbox, as changes of the ledger's states. */
import type { Change, MailboxRecord, MailboxState, MessageState, Place } from './ledger.ts';

export function arrives(mailbox: MailboxRecord, flags: readonly string[] = []): Change<MessageState> {
  return (state) => ({ places: [...state.places, { mailbox, uid: undefined, deleted: false }], flags });
}

/** RFC 9051 §6.4.7: the flags of a copy SHOULD be those of the message, `\\Deleted` too. */
export function isCopied(from: MailboxRecord, to: MailboxRecord): Change<MessageState> {
  return (state) => {
    const deleted = state.places.some((place) => place.mailbox === from && place.deleted);
    return { ...state, places: [...state.places, { mailbox: to, uid: undefined, deleted }] };
  };
}

export function isMoved(from: MailboxRecord, to: MailboxRecord): Change<MessageState> {
  return (state) => ({
    ...state,
    places: state.places.map((place) =>
      place.mailbox === from ? { ...place, mailbox: to, uid: undefined } : place,
    ),
  });
}

export function isExpunged(from: MailboxRecord): Change<MessageState> {
  return (state) => ({ ...state, places: state.places.filter(({ mailbox }) => mailbox !== from) });
}

export function isMarked(mailbox: MailboxRecord, deleted: boolean): Change<MessageState> {
  return (state) => ({
    ...state,
    places: state.places.map((place): Place => (place.mailbox === mailbox ? { ...place, deleted } : place)),
  });
}

export function hasFlag(flag: string, isSet: boolean): Change<MessageState> {
  return (state) => {
    const others = state.flags.filter((other) => other !== flag);
    return { ...state, flags: isSet ? [...others, flag] : others };
  };
}

export function isMade(): Change<MailboxState> {
  return (state) => ({ ...state, exists: true });
}

export function isNamed(name: string): Change<MailboxState> {
  return (state) => ({ ...state, name });
}

export function isRemoved(): Change<MailboxState> {
  return (state) => ({ ...state, exists: false });
}
