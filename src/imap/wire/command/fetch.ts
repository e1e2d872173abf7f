/**
 * FETCH. Sources: RFC 9051 §6.4.5, RFC 3501 §6.4.5 (RFC822 items), RFC 7162 §3.1.4 and §3.2.6, RFC 8474 §5
 * (OBJECTID), RFC 8514 (SAVEDATE), RFC 8970 (PREVIEW), RFC 3516 (BINARY), RFC 9394 §3.3 (PARTIAL).
 */
import { Cursor, type ParseContext } from '../cursor.ts';
import { encodeAstring } from '../string.ts';
import type { SequenceSet } from '../sequence-set.ts';
import { parsePartialRange, type PartialRange } from './partial-range.ts';

export type PlainFetchItem =
  | 'UID'
  | 'FLAGS'
  | 'INTERNALDATE'
  | 'ENVELOPE'
  | 'BODYSTRUCTURE'
  | 'RFC822.SIZE'
  | 'MODSEQ'
  | 'EMAILID'
  | 'THREADID'
  | 'SAVEDATE';

/** What of a part is asked for. An empty `part` is the message itself. */
export type Section = {
  readonly part: readonly number[];
  readonly text:
    /** The whole message or the part's body. */
    | { readonly kind: 'whole' }
    | { readonly kind: 'header' }
    /** The named fields, or all but those. Names as given. */
    | { readonly kind: 'header-fields'; readonly not: boolean; readonly names: readonly string[] }
    | { readonly kind: 'text' }
    /** The MIME header of a part. */
    | { readonly kind: 'mime' };
};

/** From 0; `octets` at least 1. */
export type Partial = { readonly offset: number; readonly octets: number };

export type FetchItem =
  | { readonly kind: 'plain'; readonly item: PlainFetchItem }
  /** BODY without a section: BODYSTRUCTURE without the extension data. */
  | { readonly kind: 'body-structure-basic' }
  | {
      readonly kind: 'body';
      readonly section: Section;
      /** Without it the message becomes \Seen. */
      readonly peek: boolean;
      readonly partial?: Partial;
    }
  | { readonly kind: 'rfc822'; readonly item: 'RFC822' | 'RFC822.HEADER' | 'RFC822.TEXT' }
  | {
      readonly kind: 'binary';
      readonly part: readonly number[];
      readonly peek: boolean;
      readonly partial?: Partial;
    }
  | { readonly kind: 'binary-size'; readonly part: readonly number[] }
  | { readonly kind: 'preview'; readonly lazy: boolean };

export type FetchCommand = {
  readonly verb: 'FETCH';
  readonly uid: boolean;
  readonly set: SequenceSet;
  readonly items: readonly FetchItem[];
  /** RFC 7162 §3.1.4.1. */
  readonly changedSince?: number;
  /** RFC 7162 §3.2.6: only with UID and CHANGEDSINCE. */
  readonly vanished: boolean;
  /** RFC 9394 §3.3. */
  readonly partial?: PartialRange;
};

/** Deeper than any message that is parsed. */
const PART_LEVELS_MAX = 100;
const LESS = 0x3c;
const GREATER = 0x3e;
const DOT = 0x2e;
const OPEN = 0x5b;
const CLOSE = 0x5d;

const PLAIN: ReadonlyMap<string, FetchItem> = new Map(
  (
    [
      'UID',
      'FLAGS',
      'INTERNALDATE',
      'ENVELOPE',
      'BODYSTRUCTURE',
      'RFC822.SIZE',
      'MODSEQ',
      'EMAILID',
      'THREADID',
      'SAVEDATE',
    ] as const
  ).map((item) => [item, { kind: 'plain', item }] as const),
);
const RFC822: ReadonlyMap<string, FetchItem> = new Map(
  (['RFC822', 'RFC822.HEADER', 'RFC822.TEXT'] as const).map(
    (item) => [item, { kind: 'rfc822', item }] as const,
  ),
);

function plain(...items: readonly PlainFetchItem[]): readonly FetchItem[] {
  return items.map((item) => ({ kind: 'plain', item }));
}

/** RFC 9051 §6.4.5: a macro stands alone. */
const MACROS: ReadonlyMap<string, readonly FetchItem[]> = new Map([
  ['ALL', plain('FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE')],
  ['FAST', plain('FLAGS', 'INTERNALDATE', 'RFC822.SIZE')],
  [
    'FULL',
    [...plain('FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'), { kind: 'body-structure-basic' } as const],
  ],
]);

export function parseFetch(cursor: Cursor, uid: boolean): FetchCommand | undefined {
  const set = cursor.space('a sequence set') && cursor.sequenceSet();
  if (set === undefined || !cursor.space('data items')) return undefined;
  const items = parseItems(cursor);
  if (items === undefined) return undefined;
  const modifiers = cursor.takeSpaceLeft() ? parseModifiers(cursor) : { vanished: false };
  if (modifiers === undefined) return undefined;
  // RFC 7162 §3.2.6: VANISHED is BAD without UID FETCH or CHANGEDSINCE.
  if (modifiers.vanished && (!uid || modifiers.changedSince === undefined))
    return cursor.fail('VANISHED needs UID FETCH and CHANGEDSINCE');
  return { verb: 'FETCH', uid, set, items, ...modifiers };
}

function parseItems(cursor: Cursor): readonly FetchItem[] | undefined {
  if (!cursor.takeLeft()) {
    const name = cursor.label('a data item');
    if (name === undefined) return undefined;
    const macro = MACROS.get(name);
    if (macro !== undefined) return macro;
    const item = parseItem(cursor, name);
    return item && [item];
  }
  return parseFetchItems(cursor);
}

/** After `(`, up to and with `)`; also of NOTIFY (RFC 5465 §5.2). */
export function parseFetchItems(cursor: Cursor): readonly FetchItem[] | undefined {
  const items: FetchItem[] = [];
  do {
    const name = cursor.label('a data item');
    const item = name === undefined ? undefined : parseItem(cursor, name);
    if (item === undefined) return undefined;
    if (items.length === cursor.context.fetchItemsMax)
      return cursor.refuse({
        status: 'NO',
        code: 'LIMIT',
        text: `FETCH takes ${cursor.context.fetchItemsMax} data items at most`,
      });
    items.push(item);
  } while (cursor.takeSpace());
  return cursor.right('the data items') && items;
}

function parseItem(cursor: Cursor, name: string): FetchItem | undefined {
  const simple = PLAIN.get(name) ?? RFC822.get(name);
  if (simple !== undefined) return simple;
  const sectioned = cursor.peek() === OPEN;
  if (name === 'BODY' && !sectioned) return { kind: 'body-structure-basic' };
  if (name === 'PREVIEW') return parsePreview(cursor);
  if (!sectioned) return cursor.fail(`Unknown data item of FETCH: ${name.slice(0, 40)}`);
  cursor.take(OPEN);
  switch (name) {
    case 'BODY':
    case 'BODY.PEEK': {
      const section = parseSection(cursor);
      const partial = section && parsePartial(cursor);
      return section && partial && { kind: 'body', section, peek: name === 'BODY.PEEK', ...partial };
    }
    case 'BINARY':
    case 'BINARY.PEEK': {
      const part = parseBinaryPart(cursor);
      const partial = part && parsePartial(cursor);
      return part && partial && { kind: 'binary', part, peek: name === 'BINARY.PEEK', ...partial };
    }
    case 'BINARY.SIZE': {
      const part = parseBinaryPart(cursor);
      return part && { kind: 'binary-size', part };
    }
    default:
      return cursor.fail(`Unknown data item of FETCH: ${name.slice(0, 40)}`);
  }
}

function parsePreview(cursor: Cursor): FetchItem | undefined {
  if (!cursor.takeSpaceLeft()) return { kind: 'preview', lazy: false };
  do {
    if (cursor.label('a modifier') !== 'LAZY') return cursor.fail('Unknown modifier of PREVIEW');
  } while (cursor.takeSpace());
  return cursor.right('the modifiers') && { kind: 'preview', lazy: true };
}

/** `1.2.3` before `]` or a name. Undefined: a problem. Leaves the dot before a name taken. */
function parsePart(cursor: Cursor): { part: readonly number[]; dangling: boolean } | undefined {
  const part: number[] = [];
  let dangling = false;
  while (cursor.peek() >= 0x30 && cursor.peek() <= 0x39) {
    const number = cursor.nzNumber('a part number');
    if (number === undefined) return undefined;
    if (part.length === PART_LEVELS_MAX) return cursor.fail('Too many levels of parts');
    part.push(number);
    dangling = cursor.take(DOT);
    if (!dangling) break;
  }
  return { part, dangling };
}

function parseBinaryPart(cursor: Cursor): readonly number[] | undefined {
  const found = parsePart(cursor);
  if (found === undefined) return undefined;
  if (found.dangling || !cursor.take(CLOSE)) return cursor.fail('Expected part numbers and ]');
  return found.part;
}

function parseSection(cursor: Cursor): Section | undefined {
  const found = parsePart(cursor);
  if (found === undefined) return undefined;
  const { part, dangling } = found;
  if (cursor.take(CLOSE))
    return dangling ? cursor.fail('Expected a name after the dot') : { part, text: { kind: 'whole' } };
  if (part.length > 0 && !dangling) return cursor.fail('Expected . or ] after the part number');
  const name = cursor.label('a section');
  const text = name === undefined ? undefined : parseSectionText(cursor, name, part.length > 0);
  if (text === undefined) return undefined;
  return cursor.take(CLOSE) ? { part, text } : cursor.fail('Expected ] after the section');
}

/** A section has none of what the others limit. */
const SECTION_CONTEXT: ParseContext = {
  utf8: true,
  nestingMax: 0,
  searchKeysMax: 0,
  sequenceRangesMax: 0,
  fetchItemsMax: 0,
};

/** What would stand between the brackets, as IMAP URLs have it (RFC 5092 §11). */
export function parseSectionSpec(octets: Buffer): Section | undefined {
  const cursor = new Cursor(Buffer.concat([octets, Buffer.of(CLOSE)]), SECTION_CONTEXT);
  const section = parseSection(cursor);
  return section !== undefined && cursor.done() ? section : undefined;
}

function parseSectionText(cursor: Cursor, name: string, inPart: boolean): Section['text'] | undefined {
  switch (name) {
    case 'HEADER':
      return { kind: 'header' };
    case 'TEXT':
      return { kind: 'text' };
    case 'MIME':
      // RFC 9051 §6.4.5.1: MIME must follow part numbers.
      return inPart ? { kind: 'mime' } : cursor.fail('MIME needs a part number');
    case 'HEADER.FIELDS':
    case 'HEADER.FIELDS.NOT': {
      if (!cursor.takeSpaceLeft()) return cursor.fail(`${name} takes a list of names`);
      const names = cursor.listToRight('the names', () => parseFieldName(cursor));
      return names && { kind: 'header-fields', not: name === 'HEADER.FIELDS.NOT', names };
    }
    default:
      return cursor.fail(`Unknown section: ${name.slice(0, 40)}`);
  }
}

/** RFC 5322 §3.6.8: a field's name is printable US-ASCII without the colon. Anything else could break a response. */
function parseFieldName(cursor: Cursor): string | undefined {
  const octets = cursor.astring('the name of a field');
  if (octets === undefined) return undefined;
  return octets.length > 0 && octets.every((octet) => octet > 0x20 && octet < 0x7f && octet !== 0x3a)
    ? octets.toString('latin1')
    : cursor.fail('Expected the name of a header field');
}

function parsePartial(cursor: Cursor): { partial?: Partial } | undefined {
  if (!cursor.take(LESS)) return {};
  const offset = cursor.number64('an offset');
  if (offset === undefined) return undefined;
  if (!cursor.take(DOT)) return cursor.fail('Expected . after the offset');
  const octets = cursor.number64('a count of octets');
  if (octets === undefined) return undefined;
  if (octets === 0) return cursor.fail('Expected a count of octets above 0');
  return cursor.take(GREATER) ? { partial: { offset, octets } } : cursor.fail('Expected > after the count');
}

type Modifiers = {
  readonly vanished: boolean;
  readonly changedSince?: number;
  readonly partial?: PartialRange;
};

function parseModifiers(cursor: Cursor): Modifiers | undefined {
  let modifiers: Modifiers = { vanished: false };
  do {
    const name = cursor.label('a modifier');
    if (name === 'VANISHED') modifiers = { ...modifiers, vanished: true };
    else if (name === 'CHANGEDSINCE') {
      const changedSince = cursor.space('a mod-sequence') && cursor.number64('a mod-sequence');
      if (changedSince === undefined) return undefined;
      modifiers = { ...modifiers, changedSince };
    } else if (name === 'PARTIAL') {
      const partial = cursor.space('a range') && parsePartialRange(cursor);
      if (partial === undefined) return undefined;
      modifiers = { ...modifiers, partial };
    } else return cursor.fail('Unknown modifier of FETCH');
  } while (cursor.takeSpace());
  return cursor.right('the modifiers') && modifiers;
}

/** The section between the brackets, as the response repeats it. RFC 9051 §7.5.2. */
export function formatSection(section: Section): string {
  const part = section.part.join('.');
  const name = sectionName(section.text);
  return part === '' || name === '' ? part + name : `${part}.${name}`;
}

function sectionName(text: Section['text']): string {
  switch (text.kind) {
    case 'whole':
      return '';
    case 'header':
      return 'HEADER';
    case 'text':
      return 'TEXT';
    case 'mime':
      return 'MIME';
    case 'header-fields':
      return `HEADER.FIELDS${text.not ? '.NOT' : ''} (${text.names
        .map((name) => encodeAstring(name, false).toString('latin1'))
        .join(' ')})`;
  }
}

/** The name of a body or binary item in a response: `BODY[1.HEADER]<0>`. The origin stands alone (RFC 9051 §7.5.2). */
export function formatBodyLabel(
  item: Extract<FetchItem, { kind: 'body' | 'binary' | 'binary-size' }>,
): string {
  if (item.kind === 'binary-size') return `BINARY.SIZE[${item.part.join('.')}]`;
  const origin = item.partial === undefined ? '' : `<${item.partial.offset}>`;
  return item.kind === 'body'
    ? `BODY[${formatSection(item.section)}]${origin}`
    : `BINARY[${item.part.join('.')}]${origin}`;
}
