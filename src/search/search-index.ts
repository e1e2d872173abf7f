/**
 * The port to the index of what messages say. An index only narrows: what it answers is what a scan of the same messages
 * would find, or the messages that must be read to know. docs/search.md.
 */
import type { AccountId, EmailId } from '../store/ids.ts';
import type { Needle } from './message-text.ts';

/** Address fields by their names in messages; `subject` is the decoded first Subject. */
export type IndexedField = 'from' | 'to' | 'cc' | 'bcc' | 'subject';

export type SearchQuestion = {
  /** `body`: texts of the parts. `text`: those, and all header fields of the message and of its parts. */
  readonly where: IndexedField | 'body' | 'text';
  /** Not empty. */
  readonly needle: Needle;
};

/** What is known of one question, all of one instant. */
export type SearchAnswer = {
  /** Messages with higher ids are not known to the index yet. */
  readonly through: number;
  /** These contain the needle. */
  readonly matches: ReadonlySet<EmailId>;
  /** These may; all others up to `through` do not. Ids of messages that are gone may be among both. */
  readonly candidates: ReadonlySet<EmailId>;
};

export type SearchIndex = {
  /** Undefined: the index cannot help with this one, and messages are to be read. */
  ask(account: AccountId, question: SearchQuestion): SearchAnswer | undefined;
};
