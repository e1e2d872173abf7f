/**
 * The keys of SEARCH as a tree. Chains of OR and lists of keys are flat, so that the tree is no deeper than the
 * parentheses and NOTs that were written.
 *
 * Limits: keys in all, parentheses within one another. Sources: RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5032 (OLDER,
 * YOUNGER), RFC 7162 §3.1.5 (MODSEQ), RFC 8474 §5 (EMAILID, THREADID), RFC 8514 §4.3 (SAVED…), RFC 6203 (FUZZY),
 * RFC 5466 (FILTER), RFC 9738 §3.2 (UIDAFTER, UIDBEFORE).
 */
import type { Cursor } from '../cursor.ts';
import { NUMBER_MAX, type SequenceRange, type SequenceSet } from '../sequence-set.ts';
import { decodeUtf8 } from '../mailbox-name.ts';

export type SearchKey =
  | { readonly kind: 'all' }
  | { readonly kind: 'and' | 'or'; readonly keys: readonly SearchKey[] }
  | { readonly kind: 'not'; readonly key: SearchKey }
  | { readonly kind: 'fuzzy'; readonly key: SearchKey }
  /** A system flag or a keyword that is set. */
  | { readonly kind: 'flag'; readonly flag: string }
  /** \Recent of RFC 3501; NEW and OLD are built on it. */
  | { readonly kind: 'recent' }
  | { readonly kind: 'sequence' | 'uid'; readonly set: SequenceSet }
  | {
      readonly kind: 'field';
      readonly field: 'bcc' | 'cc' | 'from' | 'subject' | 'to';
      readonly value: string;
    }
  /** The field's name as given; an empty value asks only that the field be there. */
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'body' | 'text'; readonly value: string }
  | {
      readonly kind: 'date';
      readonly of: 'internal' | 'sent' | 'saved';
      readonly relation: 'before' | 'on' | 'since';
      /** Days since 1970-01-01. */
      readonly day: number;
    }
  | { readonly kind: 'larger' | 'smaller'; readonly octets: number }
  | { readonly kind: 'older' | 'younger'; readonly seconds: number }
  | {
      readonly kind: 'modseq';
      readonly modSeq: number;
      readonly entry?: { readonly name: string; readonly type: 'priv' | 'shared' | 'all' };
    }
  | { readonly kind: 'savedate-supported' }
  | { readonly kind: 'email-id' | 'thread-id'; readonly id: string }
  | { readonly kind: 'filter'; readonly name: string };

type Reading = {
  readonly cursor: Cursor;
  /** In capitals; undefined when none was said, which is UTF-8 (RFC 9051 §6.4.4). */
  readonly charset: string | undefined;
  keys: number;
};

type KeyParser = (reading: Reading, depth: number) => SearchKey | undefined;

const ALL: SearchKey = { kind: 'all' };
const RECENT: SearchKey = { kind: 'recent' };

function not(key: SearchKey): SearchKey {
  return key.kind === 'not' ? key.key : { kind: 'not', key };
}

function flag(name: string): SearchKey {
  return { kind: 'flag', flag: name };
}

function constant(key: SearchKey): KeyParser {
  return () => key;
}

function field(name: 'bcc' | 'cc' | 'from' | 'subject' | 'to'): KeyParser {
  return (reading) => {
    const value = searchText(reading);
    return value === undefined ? undefined : { kind: 'field', field: name, value };
  };
}

function content(kind: 'body' | 'text'): KeyParser {
  return (reading) => {
    const value = searchText(reading);
    return value === undefined ? undefined : { kind, value };
  };
}

function date(of: 'internal' | 'sent' | 'saved', relation: 'before' | 'on' | 'since'): KeyParser {
  return ({ cursor }) => {
    const day = cursor.space('a date') && cursor.date();
    return day === undefined ? undefined : { kind: 'date', of, relation, day };
  };
}

function size(kind: 'larger' | 'smaller'): KeyParser {
  return ({ cursor }) => {
    const octets = cursor.space('a size') && cursor.number64('a size');
    return octets === undefined ? undefined : { kind, octets };
  };
}

function within(kind: 'older' | 'younger'): KeyParser {
  return ({ cursor }) => {
    const seconds = cursor.space('seconds') && cursor.nzNumber('seconds');
    return seconds === undefined ? undefined : { kind, seconds };
  };
}

function objectId(kind: 'email-id' | 'thread-id'): KeyParser {
  return ({ cursor }) => {
    const id = cursor.space('an object id') && cursor.text('an object id');
    return id === undefined ? undefined : { kind, id };
  };
}

const parseKeyword: KeyParser = ({ cursor }) => {
  const keyword = cursor.space('a keyword') && cursor.atom('a keyword');
  return keyword === undefined ? undefined : flag(keyword);
};

const parseHeader: KeyParser = (reading) => {
  const { cursor } = reading;
  const name = cursor.space('the name of a field') && cursor.text('the name of a field');
  if (name === undefined) return undefined;
  const value = searchText(reading);
  return value === undefined ? undefined : { kind: 'header', name, value };
};

const parseUid: KeyParser = ({ cursor }) => {
  const set = cursor.space('a sequence set') && cursor.sequenceSet();
  return set && { kind: 'uid', set };
};

/** RFC 9738 §3.2: UIDs above or below one. `UID n:*` would find the last message whatever its UID. */
function beside(rangeOf: (uid: number) => SequenceRange): KeyParser {
  return ({ cursor }) => {
    const uid = cursor.space('a UID') && cursor.nzNumber('a UID');
    if (uid === undefined) return undefined;
    const range = rangeOf(uid);
    return range.first > range.last ? not(ALL) : { kind: 'uid', set: { kind: 'ranges', ranges: [range] } };
  };
}

const parseNot: KeyParser = (reading, depth) => {
  const key = reading.cursor.space('a key') && parseKey(reading, depth);
  return key && not(key);
};

const parseFuzzy: KeyParser = (reading, depth) => {
  const key = reading.cursor.space('a key') && parseKey(reading, depth);
  return key && { kind: 'fuzzy', key };
};

const parseOr: KeyParser = (reading, depth) => {
  const left = reading.cursor.space('a key') && parseKey(reading, depth);
  if (left === undefined) return undefined;
  const right = reading.cursor.space('a second key for OR') && parseKey(reading, depth);
  return right && { kind: 'or', keys: [left, right] };
};

const parseModSeq: KeyParser = ({ cursor }) => {
  if (!cursor.space('a mod-sequence')) return undefined;
  if (cursor.peek() !== 0x22) {
    const modSeq = cursor.number64('a mod-sequence');
    return modSeq === undefined ? undefined : { kind: 'modseq', modSeq };
  }
  const name = cursor.text('an entry');
  if (name === undefined || !cursor.space('the type of the entry')) return undefined;
  const type = cursor.label('the type of the entry')?.toLowerCase();
  if (type !== 'priv' && type !== 'shared' && type !== 'all')
    return cursor.fail('Expected priv, shared or all');
  const modSeq = cursor.space('a mod-sequence') && cursor.number64('a mod-sequence');
  return modSeq === undefined ? undefined : { kind: 'modseq', modSeq, entry: { name, type } };
};

const parseFilter: KeyParser = ({ cursor, charset }) => {
  // RFC 5466 §3.1: filters are kept in UTF-8.
  if (charset !== undefined && charset !== 'UTF-8' && charset !== 'US-ASCII')
    return cursor.refuse({
      status: 'BAD',
      code: { kind: 'BADCHARSET', charsets: ['US-ASCII', 'UTF-8'] },
      text: 'FILTER is in UTF-8',
    });
  const name = cursor.space('the name of a filter') && cursor.atom('the name of a filter');
  return name === undefined ? undefined : { kind: 'filter', name };
};

const parseUnkeyword: KeyParser = (reading, depth) => {
  const key = parseKeyword(reading, depth);
  return key && not(key);
};

/** One row a key. */
const KEYS: ReadonlyMap<string, KeyParser> = new Map([
  ['ALL', constant(ALL)],
  ['ANSWERED', constant(flag('\\Answered'))],
  ['DELETED', constant(flag('\\Deleted'))],
  ['DRAFT', constant(flag('\\Draft'))],
  ['FLAGGED', constant(flag('\\Flagged'))],
  ['SEEN', constant(flag('\\Seen'))],
  ['UNANSWERED', constant(not(flag('\\Answered')))],
  ['UNDELETED', constant(not(flag('\\Deleted')))],
  ['UNDRAFT', constant(not(flag('\\Draft')))],
  ['UNFLAGGED', constant(not(flag('\\Flagged')))],
  ['UNSEEN', constant(not(flag('\\Seen')))],
  ['KEYWORD', parseKeyword],
  ['UNKEYWORD', parseUnkeyword],
  // RFC 3501 §6.4.4: NEW is RECENT UNSEEN, OLD is NOT RECENT.
  ['RECENT', constant(RECENT)],
  ['NEW', constant({ kind: 'and', keys: [RECENT, not(flag('\\Seen'))] })],
  ['OLD', constant(not(RECENT))],
  ['BCC', field('bcc')],
  ['CC', field('cc')],
  ['FROM', field('from')],
  ['SUBJECT', field('subject')],
  ['TO', field('to')],
  ['HEADER', parseHeader],
  ['BODY', content('body')],
  ['TEXT', content('text')],
  ['BEFORE', date('internal', 'before')],
  ['ON', date('internal', 'on')],
  ['SINCE', date('internal', 'since')],
  ['SENTBEFORE', date('sent', 'before')],
  ['SENTON', date('sent', 'on')],
  ['SENTSINCE', date('sent', 'since')],
  ['SAVEDBEFORE', date('saved', 'before')],
  ['SAVEDON', date('saved', 'on')],
  ['SAVEDSINCE', date('saved', 'since')],
  ['SAVEDATESUPPORTED', constant({ kind: 'savedate-supported' })],
  ['LARGER', size('larger')],
  ['SMALLER', size('smaller')],
  ['OLDER', within('older')],
  ['YOUNGER', within('younger')],
  ['UID', parseUid],
  ['UIDAFTER', beside((uid) => ({ first: uid + 1, last: NUMBER_MAX }))],
  ['UIDBEFORE', beside((uid) => ({ first: 1, last: uid - 1 }))],
  ['NOT', parseNot],
  ['OR', parseOr],
  ['FUZZY', parseFuzzy],
  ['MODSEQ', parseModSeq],
  ['EMAILID', objectId('email-id')],
  ['THREADID', objectId('thread-id')],
  ['FILTER', parseFilter],
]);

/** One or more keys, all of which must hold, to the end of the command. */
export function parseSearchKeys(cursor: Cursor, charset: string | undefined): SearchKey | undefined {
  const reading: Reading = { cursor, charset, keys: 0 };
  const first = parseKey(reading, 0);
  return first && parseMore(reading, first, 0);
}

function parseMore(reading: Reading, first: SearchKey, depth: number): SearchKey | undefined {
  const { cursor } = reading;
  const keys = [first];
  while (cursor.takeSpace() && !cursor.done()) {
    const key = parseKey(reading, depth);
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys.length === 1
    ? first
    : { kind: 'and', keys: keys.flatMap((key) => (key.kind === 'and' ? key.keys : [key])) };
}

/** Recursion is bounded by the number of keys, since NOT, OR and FUZZY each count as one. */
function parseKey(reading: Reading, depth: number): SearchKey | undefined {
  const { cursor } = reading;
  const { nestingMax, searchKeysMax } = cursor.context;
  reading.keys += 1;
  if (reading.keys > searchKeysMax)
    return cursor.refuse({
      status: 'NO',
      code: 'LIMIT',
      text: `A search takes ${searchKeysMax} keys at most`,
    });
  if (cursor.takeLeft()) {
    if (depth === nestingMax)
      return cursor.refuse({
        status: 'NO',
        code: 'LIMIT',
        text: `A search nests ${nestingMax} deep at most`,
      });
    const first = parseKey(reading, depth + 1);
    const key = first && parseMore(reading, first, depth + 1);
    return key && cursor.right('the keys') && key;
  }
  if (cursor.atSequenceSet()) {
    const set = cursor.sequenceSet();
    return set && { kind: 'sequence', set };
  }
  const name = cursor.label('a search key');
  if (name === undefined) return undefined;
  const parser = KEYS.get(name);
  if (parser === undefined) return cursor.fail(`Unknown search key: ${name.slice(0, 40)}`);
  const key = parser(reading, depth);
  return key?.kind === 'or' ? flatOr(key.keys) : key;
}

function flatOr(keys: readonly SearchKey[]): SearchKey {
  return { kind: 'or', keys: keys.flatMap((key) => (key.kind === 'or' ? key.keys : [key])) };
}

function searchText({ cursor, charset }: Reading): string | undefined {
  const octets = cursor.space('a string') && cursor.astring('a string');
  if (octets === undefined) return undefined;
  if (charset === undefined || charset === 'UTF-8' || charset === 'US-ASCII')
    return decodeUtf8(octets) ?? cursor.fail('The string is not in the charset of the search');
  return (
    cursor.context.decodeCharset?.(charset, octets) ??
    cursor.fail('The string is not in the charset of the search')
  );
}
