/**
 * SEARCH, SORT and THREAD. Sources: RFC 9051 §6.4.4, RFC 5256, RFC 5957 (DISPLAY…), RFC 5267 (RETURN of SORT, CONTEXT, UPDATE, CANCELUPDATE),
 * RFC 9394 §3.1 (PARTIAL), RFC 6203 §4 and §6 (RELEVANCY), RFC 7377 (ESEARCH).
 */
import { ATOM } from '../character.ts';
import { parseFetchItems, type FetchItem } from './fetch.ts';
import type { Cursor } from '../cursor.ts';
import { parseFilter, parseNames, type MailboxFilter } from './notify.ts';
import { parsePartialRange, type PartialRange } from './partial-range.ts';
import { parseSearchKeys, type SearchKey } from './search-key.ts';

/** What an extended search gives back. `RETURN ()` is `all`. RFC 9051 §6.4.4. */
export type SearchReturn = {
  readonly min: boolean;
  readonly max: boolean;
  readonly all: boolean;
  readonly count: boolean;
  /** RFC 9051 §6.4.4.1: keep the result as `$`. */
  readonly save: boolean;
  readonly partial?: PartialRange;
  /** RFC 6203 §4. */
  readonly relevancy?: true;
  /** RFC 5267 §4.3: what changes in the result is told from then on; with these items of what is new (RFC 5465 §7). */
  readonly update?: { readonly items: readonly FetchItem[] };
};

export type SortCriterion = {
  readonly key:
    | 'ARRIVAL'
    | 'CC'
    | 'DATE'
    | 'DISPLAYFROM'
    | 'DISPLAYTO'
    | 'FROM'
    | 'RELEVANCY'
    | 'SIZE'
    | 'SUBJECT'
    | 'TO';
  readonly reverse: boolean;
};

/** RFC 7377 §2.2. */
export type SearchSource =
  | { readonly kind: 'selected' }
  | MailboxFilter
  /** These, and what is one level below. */
  | { readonly kind: 'subtree-one'; readonly names: readonly string[] };

export type SearchCommand =
  | {
      readonly verb: 'SEARCH';
      readonly uid: boolean;
      /** Undefined: the plain SEARCH response of RFC 3501. */
      readonly returns?: SearchReturn;
      readonly key: SearchKey;
    }
  | {
      readonly verb: 'SORT';
      readonly uid: boolean;
      readonly returns?: SearchReturn;
      readonly criteria: readonly SortCriterion[];
      readonly key: SearchKey;
    }
  | {
      readonly verb: 'ESEARCH';
      /** It counts by UIDs alone (RFC 7377 §2.1). */
      readonly uid: true;
      /** Undefined: the selected mailbox. */
      readonly sources?: readonly SearchSource[];
      readonly returns?: SearchReturn;
      readonly key: SearchKey;
    }
  /** By tags of searches (RFC 5267 §4.3.5). */
  | { readonly verb: 'CANCELUPDATE'; readonly tags: readonly string[] }
  | {
      readonly verb: 'THREAD';
      readonly uid: boolean;
      readonly algorithm: 'ORDEREDSUBJECT' | 'REFERENCES';
      readonly key: SearchKey;
    };

const NOTHING: SearchReturn = { min: false, max: false, all: false, count: false, save: false };
/** More criteria than there are keys change nothing. */
const CRITERIA_MAX = 32;
/** Each may have many names. */
const SOURCES_MAX = 100;
/** More tags than there can be results. */
const CANCELLED_MAX = 100;
const SORT_KEYS: ReadonlyMap<string, SortCriterion['key']> = new Map(
  (
    [
      'ARRIVAL',
      'CC',
      'DATE',
      'DISPLAYFROM',
      'DISPLAYTO',
      'FROM',
      'RELEVANCY',
      'SIZE',
      'SUBJECT',
      'TO',
    ] as const
  ).map((key) => [key, key] as const),
);

export function parseSearch(cursor: Cursor, uid: boolean): SearchCommand | undefined {
  const program = cursor.space('a search key') && parseProgram(cursor);
  return program && { verb: 'SEARCH', uid, ...program };
}

/** RFC 7377 §4. */
export function parseEsearch(cursor: Cursor): SearchCommand | undefined {
  if (!cursor.space('a search key')) return undefined;
  let sources: readonly SearchSource[] | undefined;
  if (cursor.takeLabel('IN')) {
    if (!cursor.takeSpaceLeft()) return cursor.fail('IN takes a list of mailboxes');
    sources = cursor.listToRight('the mailboxes', () => parseSource(cursor));
    if (sources === undefined || !cursor.space('a search key')) return undefined;
    if (sources.length > SOURCES_MAX) return cursor.fail(`ESEARCH takes ${SOURCES_MAX} sources at most`);
  }
  const program = parseProgram(cursor);
  return program && { verb: 'ESEARCH', uid: true, ...(sources === undefined ? {} : { sources }), ...program };
}

function parseSource(cursor: Cursor): SearchSource | undefined {
  const name = cursor.label('which mailboxes');
  if (name === undefined) return undefined;
  if (name === 'SELECTED') return { kind: 'selected' };
  if (name !== 'SUBTREE-ONE') return parseFilter(cursor, name);
  const names = parseNames(cursor);
  return names && { kind: 'subtree-one', names };
}

/** What SEARCH and ESEARCH take: RETURN, CHARSET and the keys. */
function parseProgram(
  cursor: Cursor,
): { readonly returns?: SearchReturn; readonly key: SearchKey } | undefined {
  const returns = parseReturn(cursor);
  if (returns === undefined) return undefined;
  let charset: string | undefined;
  if (cursor.takeLabel('CHARSET')) {
    charset = cursor.space('a charset') && parseCharset(cursor);
    if (charset === undefined || !cursor.space('a search key')) return undefined;
  }
  const key = parseSearchKeys(cursor, charset);
  return key && { ...returns, key };
}

export function parseSort(cursor: Cursor, uid: boolean): SearchCommand | undefined {
  if (!cursor.space('criteria')) return undefined;
  const returns = parseReturn(cursor);
  if (returns === undefined) return undefined;
  if (!cursor.takeLeft()) return cursor.fail('SORT takes a list of criteria');
  const criteria = cursor.listToRight('the criteria', () => parseCriterion(cursor));
  if (criteria === undefined) return undefined;
  if (criteria.length > CRITERIA_MAX) return cursor.fail(`SORT takes ${CRITERIA_MAX} criteria at most`);
  const key = parseCriteria(cursor);
  return key && { verb: 'SORT', uid, ...returns, criteria, key };
}

export function parseThread(cursor: Cursor, uid: boolean): SearchCommand | undefined {
  if (!cursor.space('an algorithm')) return undefined;
  const algorithm = cursor.label('an algorithm');
  if (algorithm !== 'ORDEREDSUBJECT' && algorithm !== 'REFERENCES')
    return cursor.fail('Expected ORDEREDSUBJECT or REFERENCES');
  const key = parseCriteria(cursor);
  return key && { verb: 'THREAD', uid, algorithm, key };
}

export function parseCancelUpdate(cursor: Cursor): SearchCommand | undefined {
  const tags: string[] = [];
  if (!cursor.space('a tag')) return undefined;
  do {
    const tag = cursor.text('a tag');
    if (tag === undefined) return undefined;
    if (tags.length === CANCELLED_MAX) return cursor.fail(`CANCELUPDATE takes ${CANCELLED_MAX} tags at most`);
    tags.push(tag);
  } while (cursor.takeSpace());
  return { verb: 'CANCELUPDATE', tags };
}

/** RFC 5256 §5: SORT and THREAD must say the charset. */
function parseCriteria(cursor: Cursor): SearchKey | undefined {
  const charset = cursor.space('a charset') && parseCharset(cursor);
  if (charset === undefined || !cursor.space('a search key')) return undefined;
  return parseSearchKeys(cursor, charset);
}

function parseCriterion(cursor: Cursor): SortCriterion | undefined {
  const reverse = cursor.takeLabel('REVERSE');
  if (reverse && !cursor.space('a sort key')) return undefined;
  const name = cursor.label('a sort key');
  if (name === undefined) return undefined;
  const key = SORT_KEYS.get(name);
  return key === undefined ? cursor.fail(`Unknown sort key: ${name.slice(0, 40)}`) : { key, reverse };
}

function parseCharset(cursor: Cursor): string | undefined {
  const octets = cursor.peek() === 0x22 ? cursor.quoted() : Buffer.from(cursor.run(ATOM), 'latin1');
  if (octets === undefined || octets.length === 0) return cursor.fail('Expected a charset');
  const charset = octets.toString('latin1').toUpperCase();
  if (charset === 'UTF-8' || charset === 'UTF8') return 'UTF-8';
  if (charset === 'US-ASCII' || charset === 'ASCII') return 'US-ASCII';
  if (cursor.context.decodeCharset?.(charset, Buffer.alloc(0)) !== undefined) return charset;
  // RFC 9051 §6.4.4: an unknown charset is NO, not BAD.
  return cursor.refuse({
    status: 'NO',
    code: { kind: 'BADCHARSET', charsets: ['US-ASCII', 'UTF-8'] },
    text: 'Unknown charset',
  });
}

/** ` RETURN (…) `, or nothing. Undefined: a problem. */
function parseReturn(cursor: Cursor): { returns?: SearchReturn } | undefined {
  if (!cursor.takeLabel('RETURN')) return {};
  if (!cursor.takeSpaceLeft()) return cursor.fail('RETURN takes a list');
  let returns = NOTHING;
  if (!cursor.takeRight()) {
    do {
      const found = parseReturnOption(cursor, returns);
      if (found === undefined) return undefined;
      returns = found;
    } while (cursor.takeSpace());
    if (!cursor.right('the return options')) return undefined;
  }
  // RFC 9051 §6.4.4: an empty list, or none, means ALL; SAVE alone returns nothing.
  if (returns === NOTHING) returns = { ...NOTHING, all: true };
  // RFC 9394 §3.1: PARTIAL and ALL exclude one another.
  if (returns.all && returns.partial !== undefined) return cursor.fail('PARTIAL and ALL exclude one another');
  cursor.saves = returns.save;
  return cursor.space('a search key') && { returns };
}

/** RFC 5465 §8. */
function parseUpdate(cursor: Cursor, returns: SearchReturn): SearchReturn | undefined {
  const items = cursor.takeSpaceLeft() ? parseFetchItems(cursor) : [];
  return items && { ...returns, update: { items } };
}

function parseReturnOption(cursor: Cursor, returns: SearchReturn): SearchReturn | undefined {
  const name = cursor.label('a return option');
  switch (name) {
    case undefined:
      return undefined;
    case 'MIN':
      return { ...returns, min: true };
    case 'MAX':
      return { ...returns, max: true };
    case 'ALL':
      return { ...returns, all: true };
    case 'COUNT':
      return { ...returns, count: true };
    case 'SAVE':
      return { ...returns, save: true };
    case 'CONTEXT':
      // RFC 5267 §4.2: a hint.
      return returns;
    case 'UPDATE':
      return parseUpdate(cursor, returns);
    case 'RELEVANCY':
      return { ...returns, relevancy: true };
    case 'PARTIAL': {
      const partial = cursor.space('a range') && parsePartialRange(cursor);
      return partial && { ...returns, partial };
    }
    default:
      return cursor.fail(`Unknown return option: ${name.slice(0, 40)}`);
  }
}
