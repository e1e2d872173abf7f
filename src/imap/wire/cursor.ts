/**
 * Reads the elements of IMAP's grammar off one whole command, its literals in place. An element that is not there
 * gives undefined and leaves a {@link Problem}; the first problem stays. Linear: no octet is looked at twice but by
 * choice of the caller.
 *
 * Source: RFC 9051 §9, RFC 4466 §6.
 */
import type { ResponseCode } from './response-code.ts';
import type { SequenceSet } from './sequence-set.ts';
import { ASTRING, ATOM, CLASS, DIGIT, isAll, LABEL, LIST_CHAR, QUOTED, SEQUENCE } from './character.ts';
import { parseDate, parseDateTime, type ZonedTime } from './date-time.ts';
import { toSystemFlag } from './flag.ts';
import { decodeMailboxName, decodeUtf8 } from './mailbox-name.ts';
import { decodeSequenceSet } from './sequence-set.ts';

/** Why a command is refused before it is carried out. */
export type Problem = {
  readonly status: 'BAD' | 'NO';
  readonly code?: ResponseCode;
  readonly text: string;
  /** RFC 9051 §6.4.4.1: a search that was to be saved and is refused leaves nothing in `$`. */
  readonly emptiesSaved?: true;
};

/** What the reading of arguments depends on. */
export type ParseContext = {
  /** Mailbox names are UTF-8: after ENABLE IMAP4rev2 or UTF8=ACCEPT. */
  readonly utf8: boolean;
  /** Parentheses within one another. */
  readonly nestingMax: number;
  /** Keys of one SEARCH, SORT or THREAD, those within NOT and OR included. */
  readonly searchKeysMax: number;
  /** Elements of one sequence set. */
  readonly sequenceRangesMax: number;
  /** Data items of one FETCH. */
  readonly fetchItemsMax: number;
  /** Text of a SEARCH argument in a charset other than US-ASCII and UTF-8; undefined if the charset is not known. */
  decodeCharset?(charset: string, octets: Buffer): string | undefined;
};

export type Announcement = {
  /** Infinity when the number is larger than a number can be. */
  readonly octets: number;
  /** The client waits for a continuation request. False for `{n+}` (RFC 7888 §3). */
  readonly sync: boolean;
  /** `~{n}`: may hold NUL (RFC 3516 §4.4). */
  readonly binary: boolean;
};

const DQUOTE = 0x22;
const LEFT = 0x28;
const RIGHT = 0x29;
const BACKSLASH = 0x5c;
const NUMBER_MAX = 0xffff_ffff;
/** Digits of 2^63 - 1. */
const NUMBER64_DIGITS_MAX = 19;

/** Closed by more octets than this, an announcement is not one: no number of 63 bits is that long. */
export const ANNOUNCEMENT_OCTETS_MAX = 24;
const ANNOUNCEMENT = /(~?)\{(\d{1,19})(\+?)\}$/;

/** Does a line, its line end cut off, announce a literal? RFC 9051 §4.3. */
export function announcementAtEnd(line: Buffer): Announcement | undefined {
  if (line.length === 0 || line[line.length - 1] !== 0x7d) return undefined;
  const tail = line.toString('latin1', Math.max(0, line.length - ANNOUNCEMENT_OCTETS_MAX));
  const [, tilde, digits, plus] = ANNOUNCEMENT.exec(tail) ?? [];
  if (digits === undefined) return undefined;
  const octets = Number(digits);
  return {
    octets: Number.isSafeInteger(octets) ? octets : Infinity,
    sync: plus !== '+',
    binary: tilde === '~',
  };
}

export class Cursor {
  readonly octets: Buffer;
  readonly context: ParseContext;
  #at = 0;
  #problem: Problem | undefined;
  #starved = false;
  /** The command asks for its result to be saved. */
  saves = false;

  constructor(octets: Buffer, context: ParseContext) {
    this.octets = octets;
    this.context = context;
  }

  get at(): number {
    return this.#at;
  }

  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** The text ended where the octets of an announced literal must follow. */
  get starved(): boolean {
    return this.#starved;
  }

  fail(text: string): undefined {
    return this.refuse({ status: 'BAD', text });
  }

  refuse(problem: Problem): undefined {
    this.#problem ??= this.saves && problem.status === 'NO' ? { ...problem, emptiesSaved: true } : problem;
    return undefined;
  }

  done(): boolean {
    return this.#at >= this.octets.length;
  }

  /** Nothing but what {@link end} lets pass is left. */
  isOnlySpaces(): boolean {
    let at = this.#at;
    while (this.octets[at] === 0x20) at += 1;
    return at === this.octets.length;
  }

  /** The next octet, or -1 at the end. */
  peek(): number {
    return this.octets[this.#at] ?? -1;
  }

  take(octet: number): boolean {
    if (this.octets[this.#at] !== octet) return false;
    this.#at += 1;
    return true;
  }

  takeSpace(): boolean {
    return this.take(0x20);
  }

  takeLeft(): boolean {
    return this.take(LEFT);
  }

  takeRight(): boolean {
    return this.take(RIGHT);
  }

  /** Takes ` (` or neither. */
  takeSpaceLeft(): boolean {
    if (this.octets[this.#at] !== 0x20 || this.octets[this.#at + 1] !== LEFT) return false;
    this.#at += 2;
    return true;
  }

  /** Exactly one space (RFC 9051 §9, rule 2). */
  space(before: string): true | undefined {
    return this.takeSpace() ? true : this.fail(`Expected a space and ${before}${this.#found()}`);
  }

  /** Departs from RFC 9051 §9: spaces before the line end are let pass, as other servers do. */
  end(): true | undefined {
    while (this.takeSpace());
    return this.done() ? true : this.fail(`Expected the end of the command${this.#found()}`);
  }

  right(of: string): true | undefined {
    return this.takeRight() ? true : this.fail(`Expected ')' after ${of}${this.#found()}`);
  }

  #found(): string {
    if (this.done()) return '';
    const octet = this.peek();
    return octet > 0x20 && octet < 0x7f ? `, not '${String.fromCharCode(octet)}'` : ', not another octet';
  }

  /** The longest run of a class of characters; may be empty. */
  run(bits: number): string {
    const start = this.#at;
    let at = start;
    while (((CLASS[this.octets[at] ?? 0] ?? 0) & bits) !== 0) at += 1;
    this.#at = at;
    return this.octets.toString('latin1', start, at);
  }

  atom(what: string): string | undefined {
    return this.run(ATOM) || this.fail(`Expected ${what}${this.#found()}`);
  }

  /** The name of a command, item or option, in capitals. */
  label(what: string): string | undefined {
    const text = this.run(LABEL);
    return text === '' ? this.fail(`Expected ${what}${this.#found()}`) : text.toUpperCase();
  }

  /** Takes a label if it is this one and ends there. */
  takeLabel(name: string): boolean {
    const start = this.#at;
    if (this.run(LABEL).toUpperCase() === name) return true;
    this.#at = start;
    return false;
  }

  astring(what: string): Buffer | undefined {
    return this.#stringOf(ASTRING, what);
  }

  /** A pattern of LIST: wildcards need no quotes. */
  listMailbox(): Buffer | undefined {
    return this.#stringOf(LIST_CHAR, 'a mailbox pattern');
  }

  #stringOf(bits: number, what: string): Buffer | undefined {
    if (this.#atString()) return this.string(what);
    const start = this.#at;
    let at = start;
    while (((CLASS[this.octets[at] ?? 0] ?? 0) & bits) !== 0) at += 1;
    if (at === start) return this.fail(`Expected ${what}${this.#found()}`);
    this.#at = at;
    return this.octets.subarray(start, at);
  }

  #atString(): boolean {
    const octet = this.peek();
    return octet === DQUOTE || octet === 0x7b || (octet === 0x7e && this.octets[this.#at + 1] === 0x7b);
  }

  string(what: string): Buffer | undefined {
    if (this.peek() === DQUOTE) return this.quoted();
    if (this.#atString()) return this.literal();
    return this.fail(`Expected ${what} as a string${this.#found()}`);
  }

  /** `null` for NIL. */
  nstring(what: string): Buffer | null | undefined {
    if (this.#atString()) return this.string(what);
    return this.takeLabel('NIL') ? null : this.fail(`Expected ${what} as a string or NIL${this.#found()}`);
  }

  quoted(): Buffer | undefined {
    const { octets } = this;
    const start = this.#at + 1;
    let at = start;
    let escaped = false;
    for (;;) {
      while (((CLASS[octets[at] ?? 0] ?? 0) & QUOTED) !== 0) at += 1;
      const octet = octets[at];
      if (octet === DQUOTE) break;
      const next = octets[at + 1];
      // RFC 9051 §9: nothing but `"` and `\` may follow a backslash.
      if (octet !== BACKSLASH || (next !== DQUOTE && next !== BACKSLASH))
        return this.fail(
          octet === BACKSLASH ? 'Bad escape in a quoted string' : 'A quoted string is not closed',
        );
      escaped = true;
      at += 2;
    }
    this.#at = at + 1;
    return escaped ? unescape(octets.subarray(start, at)) : octets.subarray(start, at);
  }

  /** `{n}` and its line end, not the octets after it. */
  announcement(): Announcement | undefined {
    const lineEnd = this.octets.indexOf(0x0a, this.#at);
    if (lineEnd === -1) return this.fail('Bad literal');
    const cut = this.octets[lineEnd - 1] === 0x0d ? lineEnd - 1 : lineEnd;
    const head = this.octets.subarray(this.#at, cut);
    const found = head.length > ANNOUNCEMENT_OCTETS_MAX ? undefined : announcementAtEnd(head);
    const octet = head[0];
    const closesAt = head.indexOf(0x7d);
    if (found === undefined || (octet !== 0x7b && octet !== 0x7e) || closesAt !== head.length - 1)
      return this.fail('Bad literal');
    this.#at = lineEnd + 1;
    return found;
  }

  literal(): Buffer | undefined {
    const found = this.announcement();
    if (found === undefined) return undefined;
    const start = this.#at;
    if (start + found.octets > this.octets.length) {
      this.#starved = start === this.octets.length;
      return this.fail('A literal is cut short');
    }
    this.#at = start + found.octets;
    const value = this.octets.subarray(start, this.#at);
    // RFC 9051 §9: CHAR8 is any octet but NUL; only literal8 may hold it.
    return !found.binary && value.includes(0) ? this.fail('A literal holds NUL') : value;
  }

  /** An astring as Unicode text. */
  text(what: string): string | undefined {
    const octets = this.astring(what);
    return octets === undefined ? undefined : this.utf8(octets, what);
  }

  utf8(octets: Buffer, what: string): string | undefined {
    return decodeUtf8(octets) ?? this.fail(`Expected ${what} in UTF-8`);
  }

  mailbox(): string | undefined {
    const octets = this.astring('a mailbox name');
    if (octets === undefined) return undefined;
    // RFC 5530 §3: CANNOT is for names that can never be. The syntax is right, so NO rather than BAD.
    return (
      decodeMailboxName(octets, this.context.utf8) ??
      this.refuse({
        status: 'NO',
        code: 'CANNOT',
        text: this.context.utf8
          ? 'Mailbox names are UTF-8 without control characters'
          : 'Mailbox names are modified UTF-7 without control characters',
      })
    );
  }

  #digits(what: string): string | undefined {
    return this.run(DIGIT) || this.fail(`Expected ${what}${this.#found()}`);
  }

  /** 0 to 4294967295. */
  number(what: string): number | undefined {
    const digits = this.#digits(what);
    if (digits === undefined) return undefined;
    const value = Number(digits);
    return value <= NUMBER_MAX ? value : this.fail(`Expected ${what} of at most ${NUMBER_MAX}`);
  }

  nzNumber(what: string): number | undefined {
    const value = this.number(what);
    return value === 0 ? this.fail(`Expected ${what} above 0`) : value;
  }

  /**
   * 0 to 2^63 - 1. What is above 2^53 - 1 becomes that: no size, offset or mod-sequence of ours gets there, so each
   * comparison comes out the same.
   */
  number64(what: string): number | undefined {
    const digits = this.#digits(what);
    if (digits === undefined) return undefined;
    if (digits.length > NUMBER64_DIGITS_MAX || BigInt(digits) > 0x7fff_ffff_ffff_ffffn)
      return this.fail(`Expected ${what} of at most 63 bits`);
    return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
  }

  sequenceSet(): SequenceSet | undefined {
    const start = this.#at;
    this.run(SEQUENCE);
    const octets = this.octets.subarray(start, this.#at);
    const set = decodeSequenceSet(octets, this.context.sequenceRangesMax);
    return (
      set ?? this.fail(octets.length === 0 ? `Expected a sequence set${this.#found()}` : 'Bad sequence set')
    );
  }

  /** Does a sequence set begin here? */
  atSequenceSet(): boolean {
    return ((CLASS[this.peek() & 0xff] ?? 0) & SEQUENCE) !== 0 && !this.done() && this.peek() !== 0x2c;
  }

  /** A date with or without quotes, as days since 1970-01-01. */
  date(): number | undefined {
    const octets = this.astring('a date');
    if (octets === undefined) return undefined;
    return parseDate(octets.toString('latin1')) ?? this.fail('Expected a date such as 1-Feb-1994');
  }

  dateTime(): ZonedTime | undefined {
    const octets = this.quoted();
    if (octets === undefined) return undefined;
    return (
      parseDateTime(octets.toString('latin1')) ??
      this.fail('Expected a date and time such as "17-Jul-1996 02:44:25 -0700"')
    );
  }

  /**
   * A system flag in the standard's spelling, or a keyword as given. Departs from RFC 3501 §9 (flag): \Recent is read,
   * since clients that copy messages send what a FETCH said; nobody sets it.
   */
  flag(): string | undefined {
    if (!this.take(BACKSLASH)) return this.atom('a flag');
    const name = this.atom('the name of a flag');
    if (name === undefined) return undefined;
    if (name.toLowerCase() === 'recent') return '\\Recent';
    return toSystemFlag(`\\${name}`) ?? this.fail(`No such system flag: \\${name.slice(0, 40)}`);
  }

  /** After `(`, up to and with `)`. */
  flagsToRight(): readonly string[] | undefined {
    const flags: string[] = [];
    if (this.takeRight()) return flags;
    do {
      const flag = this.flag();
      if (flag === undefined) return undefined;
      flags.push(flag);
    } while (this.takeSpace());
    return this.right('the flags') && flags;
  }

  /** After `(`: one or more elements between single spaces, and `)`. */
  listToRight<Element>(what: string, element: () => Element | undefined): readonly Element[] | undefined {
    const elements: Element[] = [];
    do {
      const value = element();
      if (value === undefined) return undefined;
      elements.push(value);
    } while (this.takeSpace());
    return this.right(what) && elements;
  }

  /** Base64 to the end of a word; `=` alone is no octets (RFC 4959 §3). */
  base64(what: string): Buffer | undefined {
    const start = this.#at;
    this.run(ASTRING);
    return decodeBase64(this.octets.subarray(start, this.#at)) ?? this.fail(`Expected ${what} in base64`);
  }
}

/** Strict base64 (RFC 4648 §4): padded, and nothing beside its alphabet. Undefined for anything else. */
export function decodeBase64(octets: Buffer): Buffer | undefined {
  if (octets.length % 4 !== 0 || !isAll(octets, ASTRING)) return undefined;
  const text = octets.toString('latin1');
  const decoded = Buffer.from(text, 'base64');
  return decoded.toString('base64') === text ? decoded : undefined;
}

function unescape(octets: Buffer): Buffer {
  const out = Buffer.allocUnsafe(octets.length);
  let length = 0;
  for (let at = 0; at < octets.length; at += 1) {
    if (octets[at] === BACKSLASH) at += 1;
    out[length] = octets[at] ?? 0;
    length += 1;
  }
  return out.subarray(0, length);
}
