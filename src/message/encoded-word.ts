/**
 * RFC 2047 encoded words, both ways. In: raw header text (one octet, one code unit). Out: Unicode.
 *
 * Adjacent words of one charset are joined as octets before they are decoded, so that a character split between two
 * words survives. Raw UTF-8 is taken as RFC 6532 says; other 8-bit octets degrade to windows-1252. Linear: a word ends
 * at the next question mark, never further.
 */
import { fromLatin1, fromUtf8 } from '../base/bytes.ts';
import { asciiTrim } from './ascii.ts';
import { decodeCharset } from './charset.ts';
import { unfold } from './header.ts';

/** RFC 2047 §2 allows 75; some write whole subjects into one word. */
const WORD_OCTETS_MAX = 4096;
const EIGHT_BIT = /[\x80-\xff]/;

type Word = {
  readonly charset: string;
  readonly octets: Buffer;
  /** One past the word in the text. */
  readonly end: number;
};

/** A field's raw value as text: unfolded, words decoded, 8-bit octets read as UTF-8 where they are. */
export function decodeText(raw: string): string {
  return decodeWords(unfold(raw));
}

/** The same without unfolding and trimming. */
export function decodeWords(raw: string): string {
  let open = raw.indexOf('=?');
  if (open < 0) return decodeRaw(raw);
  let out = '';
  let done = 0;
  let run: Buffer[] = [];
  let charset = '';
  const flush = (): void => {
    if (run.length === 0) return;
    const [first] = run;
    out += decodeCharset(run.length === 1 && first !== undefined ? first : Buffer.concat(run), charset);
    run = [];
  };
  while (open >= 0) {
    const word = toWord(raw, open);
    if (word === undefined) {
      open = raw.indexOf('=?', open + 1);
      continue;
    }
    const between = raw.slice(done, open);
    // RFC 2047 §6.2: white space between two words is not shown.
    const adjacent = run.length > 0 && asciiTrim(between) === '';
    if (!adjacent || word.charset !== charset) flush();
    if (!adjacent) out += decodeRaw(between);
    charset = word.charset;
    run.push(word.octets);
    done = word.end;
    open = raw.indexOf('=?', done);
  }
  flush();
  return out + decodeRaw(raw.slice(done));
}

/** One past an encoded word that begins at `at`, or undefined. For parsers that must not look into a word. */
export function encodedWordEnd(raw: string, at: number): number | undefined {
  const charsetEnd = raw.indexOf('?', at + 2);
  if (charsetEnd < at + 3 || charsetEnd - at > WORD_OCTETS_MAX) return undefined;
  const encoding = raw.charCodeAt(charsetEnd + 1) | 0x20;
  if ((encoding !== 0x62 && encoding !== 0x71) || raw[charsetEnd + 2] !== '?') return undefined;
  const end = raw.indexOf('?', charsetEnd + 3);
  if (end < 0 || raw[end + 1] !== '=' || end - at > WORD_OCTETS_MAX) return undefined;
  return end + 2;
}

function toWord(raw: string, at: number): Word | undefined {
  const end = encodedWordEnd(raw, at);
  if (end === undefined) return undefined;
  const charsetEnd = raw.indexOf('?', at + 2);
  const text = raw.slice(charsetEnd + 3, end - 2);
  const named = raw.slice(at + 2, charsetEnd);
  // RFC 2231 §5: the charset may carry a language.
  const star = named.indexOf('*');
  const charset = (star < 0 ? named : named.slice(0, star)).toLowerCase();
  const base64 = (raw.charCodeAt(charsetEnd + 1) | 0x20) === 0x62;
  return { charset, octets: base64 ? Buffer.from(text, 'base64') : decodeQ(text), end };
}

/** RFC 2047 §4.2. What is no valid escape stands for itself. */
function decodeQ(text: string): Buffer {
  const out = Buffer.allocUnsafe(text.length);
  let size = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x5f) {
      out[size++] = 0x20;
    } else if (
      code === 0x3d &&
      hexValue(text.charCodeAt(at + 1)) >= 0 &&
      hexValue(text.charCodeAt(at + 2)) >= 0
    ) {
      out[size++] = hexValue(text.charCodeAt(at + 1)) * 16 + hexValue(text.charCodeAt(at + 2));
      at += 2;
    } else {
      out[size++] = code;
    }
  }
  return out.subarray(0, size);
}

/** The value of a hexadecimal digit, or -1. */
export function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function decodeRaw(raw: string): string {
  return EIGHT_BIT.test(raw) ? decodeCharset(fromLatin1(raw), undefined) : raw;
}

/**
 * Text as encoded words of UTF-8 where it needs them, joined by single spaces so that a header can be folded between
 * them; ASCII text that cannot be mistaken for a word stays as it is. Source: RFC 2047 §2, §5 (each word whole
 * characters and at most 75 octets).
 */
export function encodeWords(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text) && !text.includes('=?')) return text;
  const base64 = needsBase64(text);
  const words: string[] = [];
  let piece = '';
  let size = 0;
  // '=?utf-8?q?' and '?=' take 12 of the 75 octets.
  for (const character of text.replace(/[\r\n]+/g, ' ').toWellFormed()) {
    const octets = base64 ? Buffer.byteLength(character) : encodeQ(character).length;
    if (size + octets > (base64 ? 45 : 63)) {
      words.push(toWordText(piece, base64));
      piece = '';
      size = 0;
    }
    piece += character;
    size += octets;
  }
  if (piece !== '') words.push(toWordText(piece, base64));
  return words.join(' ');
}

function needsBase64(text: string): boolean {
  let wide = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7e) wide += 1;
  return wide * 3 > text.length;
}

function toWordText(piece: string, base64: boolean): string {
  return base64 ? `=?utf-8?b?${fromUtf8(piece).toString('base64')}?=` : `=?utf-8?q?${encodeQ(piece)}?=`;
}

/** The strictest form, fit for a phrase (RFC 2047 §5 (3)). */
function encodeQ(piece: string): string {
  let out = '';
  for (const octet of fromUtf8(piece)) {
    const letter = (octet | 0x20) >= 0x61 && (octet | 0x20) <= 0x7a;
    if (letter || (octet >= 0x30 && octet <= 0x39)) out += String.fromCharCode(octet);
    else if (octet === 0x20) out += '_';
    else out += `=${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
