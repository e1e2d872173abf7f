/**
 * APPEND and REPLACE, line by line: each ends with the announcement of a literal whose octets never come here, or with the
 * end of the command. Sources: RFC 9051 §6.3.12, RFC 3502 (MULTIAPPEND), RFC 3516 §4.4 (literal8), RFC 6855 §4 (UTF8),
 * RFC 4469 (CATENATE), RFC 8508 (REPLACE).
 */
import { latin1 } from '../../../base/bytes.ts';
import type { Announcement, Cursor } from '../cursor.ts';
import type { ZonedTime } from '../date-time.ts';

/** One message of an APPEND, known before its octets. */
export type AppendMessage = {
  readonly flags: readonly string[];
  /** The internal date; the time of the command if not given. */
  readonly internalDate?: ZonedTime;
  /** Undefined: it comes in parts (RFC 4469 §3). */
  readonly literal: Announcement | undefined;
};

/** A literal, and whether `)` follows its octets: `UTF8 (~{n}` may hold UTF-8 in a header. */
type Announced = { readonly literal: Announcement; readonly closing: boolean };

/** What a REPLACE takes the place of; `Infinity` for `*`. */
export type ReplacedMessage = { readonly number: number; readonly byUid: boolean };

/** What a line of an APPEND says, in order. */
export type AppendStep =
  | { readonly kind: 'message'; readonly message: AppendMessage }
  /** Parts of a message that is catenated; the URL as it was sent, one character an octet. */
  | { readonly kind: 'append-url'; readonly url: string }
  | { readonly kind: 'append-text'; readonly literal: Announcement }
  /** All its parts are said. */
  | { readonly kind: 'append-catenated' };

/** Where in the command a line begins. */
export type AppendPlace = {
  /** Before the first message or another, where a part must come, or behind one. */
  readonly at: 'first' | 'messages' | 'part' | 'parts';
  /** The octets of a `UTF8 (~{n}` came before: `)` must follow. */
  readonly closing: boolean;
};

export type AppendLine = {
  readonly steps: readonly AppendStep[];
  readonly next:
    /** The octets of the literal, then a line that begins here. */
    | { readonly kind: 'octets'; readonly place: AppendPlace }
    /** A URL is the literal: the text from here on is to be read again, with its octets. */
    | { readonly kind: 'url'; readonly from: number }
    | { readonly kind: 'end' };
};

/** ` number`, behind REPLACE or UID REPLACE. RFC 8508 §5. */
export function parseReplaced(cursor: Cursor, byUid: boolean): ReplacedMessage | undefined {
  const what = byUid ? 'a UID' : 'a message number';
  if (!cursor.space(what)) return undefined;
  if (!byUid && cursor.take(0x2a)) return { number: Infinity, byUid };
  const number = cursor.nzNumber(what);
  return number === undefined ? undefined : { number, byUid };
}

/** @param cursor over the rest of one line; behind the announcement of a literal stands its line end */
export function parseAppendLine(cursor: Cursor, { at, closing }: AppendPlace): AppendLine | undefined {
  const steps: AppendStep[] = [];
  if (closing && !cursor.right('the message')) return undefined;
  for (let place = at; ;) {
    if (place === 'part') {
      const from = cursor.at;
      const part = parsePart(cursor);
      // Of a URL that is an empty literal all is there already, but for the rest of the line.
      const isCut = part === undefined ? cursor.starved : part === '' && cursor.done();
      if (isCut) return { steps, next: { kind: 'url', from } };
      if (part === undefined) return undefined;
      if (typeof part !== 'string')
        return octets(cursor, [...steps, { kind: 'append-text', literal: part.literal }], 'parts', part);
      steps.push({ kind: 'append-url', url: part });
      place = 'parts';
    } else if (place === 'parts') {
      if (cursor.takeRight()) {
        steps.push({ kind: 'append-catenated' });
        place = 'messages';
      } else if (cursor.space('a part')) place = 'part';
      else return undefined;
    } else if (place === 'messages' && cursor.isOnlySpaces()) {
      return { steps, next: { kind: 'end' } };
    } else {
      const message = parseMessage(cursor);
      if (message === undefined) return undefined;
      const { announced, ...rest } = message;
      steps.push({ kind: 'message', message: { ...rest, literal: announced?.literal } });
      if (announced !== undefined) return octets(cursor, steps, 'messages', announced);
      place = 'part';
    }
  }
}

function octets(
  cursor: Cursor,
  steps: readonly AppendStep[],
  at: AppendPlace['at'],
  { closing }: Announced,
): AppendLine | undefined {
  return cursor.done()
    ? { steps, next: { kind: 'octets', place: { at, closing } } }
    : cursor.fail('Expected the octets of a literal');
}

/** ` [flags] [date] literal`, or ` [flags] [date] CATENATE (`. */
function parseMessage(
  cursor: Cursor,
): (Omit<AppendMessage, 'literal'> & { readonly announced: Announced | undefined }) | undefined {
  let flags: readonly string[] = [];
  let internalDate: ZonedTime | undefined;
  if (!cursor.space('a message')) return undefined;
  // IMAPClient, a library of Python, writes two blanks between messages.
  while (cursor.peek() === 0x20) cursor.takeSpace();
  if (cursor.takeLeft()) {
    const found = cursor.flagsToRight();
    if (found === undefined || !cursor.space('a message')) return undefined;
    flags = found;
  }
  if (cursor.peek() === 0x22) {
    internalDate = cursor.dateTime();
    if (internalDate === undefined || !cursor.space('a message')) return undefined;
  }
  const options = { flags, ...(internalDate === undefined ? {} : { internalDate }) };
  if (cursor.takeLabel('CATENATE'))
    return cursor.takeSpaceLeft()
      ? { ...options, announced: undefined }
      : cursor.fail('CATENATE takes parts in parentheses');
  const announced = cursor.takeLabel('UTF8') ? parseUtf8(cursor) : parseLiteral(cursor, 'the message');
  return announced && { ...options, announced };
}

/** `URL` with its text, or `TEXT` or `UTF8` with a literal. RFC 4469 §5, RFC 6855 §4. */
function parsePart(cursor: Cursor): string | Announced | undefined {
  if (cursor.takeLabel('TEXT')) return cursor.space('a literal') && parseLiteral(cursor, 'the text');
  if (cursor.takeLabel('UTF8')) return parseUtf8(cursor);
  if (!cursor.takeLabel('URL')) return cursor.fail('Expected URL, TEXT or UTF8');
  const url = cursor.space('a URL') && cursor.astring('a URL');
  return url && latin1(url);
}

function parseUtf8(cursor: Cursor): Announced | undefined {
  if (!cursor.takeSpaceLeft()) return cursor.fail('UTF8 takes a literal in parentheses');
  const announced = parseLiteral(cursor, 'the message');
  if (announced?.literal.binary === false) return cursor.fail('UTF8 takes a literal8');
  return announced && { ...announced, closing: true };
}

function parseLiteral(cursor: Cursor, what: string): Announced | undefined {
  if (cursor.peek() !== 0x7b && cursor.peek() !== 0x7e) return cursor.fail(`Expected ${what} as a literal`);
  const literal = cursor.announcement();
  return literal && { literal, closing: false };
}
