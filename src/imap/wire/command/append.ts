/**
 * APPEND up to a message's literal, whose octets never come here. Sources: RFC 9051 §6.3.12, RFC 3502 (MULTIAPPEND),
 * RFC 3516 §4.4 (literal8), RFC 6855 §4 (UTF8), RFC 8508 (REPLACE).
 */
import type { Announcement, Cursor } from '../cursor.ts';
import type { ZonedTime } from '../date-time.ts';

/** One message of an APPEND, known before its octets. */
export type AppendMessage = {
  readonly flags: readonly string[];
  /** The internal date; the time of the command if not given. */
  readonly internalDate?: ZonedTime;
  readonly literal: Announcement;
  /** `UTF8 (~{n}`: the message may hold UTF-8 in its header. A `)` follows the octets. */
  readonly utf8: boolean;
};

/** What a REPLACE takes the place of; `Infinity` for `*`. */
export type ReplacedMessage = { readonly number: number; readonly byUid: boolean };

/** ` number`, behind REPLACE or UID REPLACE. RFC 8508 §5. */
export function parseReplaced(cursor: Cursor, byUid: boolean): ReplacedMessage | undefined {
  const what = byUid ? 'a UID' : 'a message number';
  if (!cursor.space(what)) return undefined;
  if (!byUid && cursor.take(0x2a)) return { number: Infinity, byUid };
  const number = cursor.nzNumber(what);
  return number === undefined ? undefined : { number, byUid };
}

/** ` [flags] [date] literal`, of the first message or one after it. */
export function parseAppendMessage(cursor: Cursor): AppendMessage | undefined {
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
  const utf8 = cursor.takeLabel('UTF8');
  if (utf8 && !cursor.takeSpaceLeft()) return cursor.fail('UTF8 takes a literal in parentheses');
  if (cursor.peek() !== 0x7b && cursor.peek() !== 0x7e)
    return cursor.fail('Expected the message as a literal');
  const literal = cursor.announcement();
  if (literal === undefined) return undefined;
  if (!cursor.done()) return cursor.fail('Expected the message as a literal');
  if (utf8 && !literal.binary) return cursor.fail('UTF8 takes a literal8');
  return { flags, literal, utf8, ...(internalDate === undefined ? {} : { internalDate }) };
}
