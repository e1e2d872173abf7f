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

/** What is known of one fuzzy question: the messages that have its words, and how well they fit. `fuzzy.ts`. */
export type FuzzyAnswer = {
  readonly through: number;
  /** Above 0; all others up to `through` have none, but for candidates. */
  readonly scores: ReadonlyMap<EmailId, number>;
  readonly candidates: ReadonlySet<EmailId>;
};

/** Undefined: the index cannot help with this one, and messages are to be read. */
export type SearchIndex = {
  ask(account: AccountId, question: SearchQuestion): Promise<SearchAnswer | undefined>;
  askFuzzily(account: AccountId, question: SearchQuestion): Promise<FuzzyAnswer | undefined>;
};
