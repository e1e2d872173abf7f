/**
 * The value of Content-Type and Content-Disposition: a token and its parameters, with RFC 2231 continuations joined
 * and charsets converted. Values are raw (one octet, one code unit); those that RFC 2231 encoded are UTF-8 octets.
 *
 * Tolerant: comments, missing semicolons, values with blanks and without quotes. Source: RFC 2045 §5.1, RFC 2231.
 */
import { fromLatin1, fromUtf8, latin1 } from '../base/bytes.ts';
import { asciiLower, asciiTrim } from './ascii.ts';
import { decodeCharset } from './charset.ts';
import { decodeWords, hexValue } from './encoded-word.ts';
import { unfold } from './header.ts';

export type Parameter = {
  /** In lower case, without the marks of RFC 2231. */
  readonly name: string;
  readonly raw: string;
  /** RFC 2231 §4: the message named a charset for it; `raw` holds UTF-8. */
  readonly extended: boolean;
};

export type Parameterized = {
  /** What stands before the first semicolon, in lower case, without comments. */
  readonly token: string;
  readonly parameters: readonly Parameter[];
};

type Segment = { readonly index: number; readonly encoded: boolean; readonly raw: string };

const PARAMETERS_MAX = 1000;
const ATTRIBUTE = /[\w*-]+[\t ]*=/y;

/** Never throws. @param raw the field's raw value */
export function parseParameterized(raw: string): Parameterized {
  const text = unfold(raw);
  const semicolon = text.indexOf(';');
  const head = semicolon < 0 ? text : text.slice(0, semicolon);
  const token = asciiTrim(head.includes('(') ? withoutComments(text.slice(0, headEnd(text))) : head);
  const from = head.includes('(') ? headEnd(text) : head.length;
  if (from >= text.length) return { token: asciiLower(token), parameters: [] };
  return { token: asciiLower(token), parameters: join(cut(text, from)) };
}

/** The value of a parameter as text, encoded words included, which many write there against RFC 2047 §5. */
export function parameterText(parameters: readonly Parameter[], name: string): string | undefined {
  const found = parameters.find((parameter) => parameter.name === name);
  if (found === undefined) return undefined;
  return found.extended ? fromLatin1(found.raw).toString('utf8') : decodeWords(found.raw);
}

/** The value as received: for tokens such as boundary and charset. */
export function parameterRaw(parameters: readonly Parameter[], name: string): string | undefined {
  return parameters.find((parameter) => parameter.name === name)?.raw;
}

function headEnd(text: string): number {
  let at = 0;
  while (at < text.length && text[at] !== ';') at = text[at] === '(' ? commentEnd(text, at) : at + 1;
  return at;
}

/** Text with its comments taken out (RFC 5322 §3.2.2), for values that hold no quoted strings. */
export function withoutComments(text: string): string {
  if (!text.includes('(')) return text;
  let out = '';
  let at = 0;
  for (;;) {
    const open = text.indexOf('(', at);
    if (open < 0) return out + text.slice(at);
    out += text.slice(at, open);
    at = commentEnd(text, open);
  }
}

/** One past the comment that opens at `at`; comments nest. The end of the text closes all. */
export function commentEnd(text: string, at: number): number {
  let depth = 0;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at += 1;
    else if (code === 0x28) depth += 1;
    else if (code === 0x29 && --depth === 0) return at + 1;
  }
  return text.length;
}

function skipBlanks(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === 0x20 || code === 0x09 || code === 0x0d) at += 1;
    else if (code === 0x28) at = commentEnd(text, at);
    else return at;
  }
}

type Written = { readonly name: string; readonly raw: string };

/** Names and values as written, quotes taken off. */
function cut(text: string, from: number): Written[] {
  const out: Written[] = [];
  let at = from;
  while (at < text.length && out.length < PARAMETERS_MAX) {
    at = skipBlanks(text, at);
    if (text[at] === ';') {
      at += 1;
      continue;
    }
    const nameStart = at;
    while (at < text.length && text[at] !== '=' && text[at] !== ';') at += 1;
    const name = asciiLower(asciiTrim(withoutComments(text.slice(nameStart, at))));
    if (text[at] !== '=') continue;
    at = skipBlanks(text, at + 1);
    let raw = '';
    if (text[at] === '"') [raw, at] = quoted(text, at);
    else [raw, at] = bare(text, at);
    if (name !== '') out.push({ name, raw });
  }
  return out;
}

function quoted(text: string, open: number): [string, number] {
  const close = text.indexOf('"', open + 1);
  const plain = text.slice(open + 1, close < 0 ? text.length : close);
  if (!plain.includes('\\')) return [plain, close < 0 ? text.length : close + 1];
  let out = '';
  let at = open + 1;
  for (; at < text.length && text[at] !== '"'; at += 1) {
    if (text[at] === '\\' && at + 1 < text.length) at += 1;
    out += text[at] ?? '';
  }
  return [out, at + 1];
}

/** A token; if more words follow before the semicolon, they were meant to be inside of it. */
function bare(text: string, start: number): [string, number] {
  let at = start;
  while (at < text.length && !isBareEnd(text.charCodeAt(at))) at += 1;
  const after = skipBlanks(text, at);
  if (after >= text.length || text[after] === ';' || text[at] === '(') return [text.slice(start, at), after];
  // `a=b c=d`: a forgotten semicolon, not a blank in a value.
  ATTRIBUTE.lastIndex = after;
  if (ATTRIBUTE.test(text)) return [text.slice(start, at), after];
  const semicolon = text.indexOf(';', after);
  const end = semicolon < 0 ? text.length : semicolon;
  return [asciiTrim(text.slice(start, end)), end];
}

function isBareEnd(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x3b || code === 0x28 || code === 0x0d;
}

/** RFC 2231 §3, §4 and §4.1. The first of two equal names counts; an extended form beats a plain one. */
function join(written: readonly Written[]): readonly Parameter[] {
  const [only] = written;
  if (only === undefined) return [];
  if (written.length === 1 && !only.name.includes('*')) return [{ ...only, extended: false }];
  const out = new Map<string, Parameter>();
  const split = new Map<string, Segment[]>();
  for (const { name, raw } of written) {
    const star = name.indexOf('*');
    if (star <= 0) {
      if (!out.has(name)) out.set(name, { name, raw, extended: false });
      continue;
    }
    const base = name.slice(0, star);
    const mark = name.slice(star + 1);
    const encoded = mark === '' || mark.endsWith('*');
    const index = mark === '' ? 0 : Number.parseInt(mark, 10);
    if (!(index >= 0)) continue;
    const segments = split.get(base);
    if (segments === undefined) split.set(base, [{ index, encoded, raw }]);
    else segments.push({ index, encoded, raw });
  }
  for (const [name, segments] of split) {
    const joined = joinSegments(name, segments);
    if (joined !== undefined && (joined.extended || !out.has(name))) out.set(name, joined);
  }
  return [...out.values()];
}

function joinSegments(name: string, segments: readonly Segment[]): Parameter | undefined {
  const sorted = segments.toSorted((one, other) => one.index - other.index);
  const [first] = sorted;
  // RFC 2231 §3: sections count from 0; without the first there is no telling what is missing.
  if (first === undefined || first.index !== 0) return undefined;
  let charset: string | undefined;
  const pieces: Buffer[] = [];
  let next = 0;
  for (const { index, encoded, raw } of sorted) {
    if (index < next) continue;
    if (index > next) break;
    next += 1;
    let text = raw;
    if (index === 0 && encoded) {
      const quote = raw.indexOf("'");
      const second = raw.indexOf("'", quote + 1);
      if (quote >= 0 && second >= 0) {
        charset = raw.slice(0, quote);
        text = raw.slice(second + 1);
      }
    }
    pieces.push(encoded ? percentDecode(text) : fromLatin1(text));
  }
  const octets = Buffer.concat(pieces);
  if (!first.encoded) return { name, raw: latin1(octets), extended: false };
  return { name, raw: latin1(fromUtf8(decodeCharset(octets, charset))), extended: true };
}

function percentDecode(text: string): Buffer {
  const out = Buffer.allocUnsafe(text.length);
  let size = 0;
  for (let at = 0; at < text.length; at += 1) {
    const high = hexValue(text.charCodeAt(at + 1));
    const low = hexValue(text.charCodeAt(at + 2));
    if (text.charCodeAt(at) === 0x25 && high >= 0 && low >= 0) {
      out[size++] = high * 16 + low;
      at += 2;
    } else {
      out[size++] = text.charCodeAt(at);
    }
  }
  return out.subarray(0, size);
}
