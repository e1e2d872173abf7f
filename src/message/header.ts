/**
 * A header section cut into fields. Text here is "raw": one octet, one code unit (Latin-1), exactly as received, so
 * nothing is lost before somebody asks for a decoded value (`decodeText` of encoded-word.ts).
 *
 * Units: octets, relative to the section's start. A field ends where the next one begins; CRLF and LF both end
 * lines. Limits: `headerFieldsMax`. Source: RFC 5322 §2.2, §4.5 (white space before the colon).
 */
import { Buffer } from 'node:buffer';
import { LIMITS } from '../base/limits.ts';
import { CR, LF, latin1, toBuffer } from '../base/bytes.ts';
import { asciiLower, asciiTrim } from './ascii.ts';

export type Field = {
  /** As written, without white space before the colon; '' for a line that is no field. */
  readonly name: string;
  /** The name in lower case, for comparing. */
  readonly key: string;
  /** What follows the colon, still folded, without the final line end. */
  readonly raw: string;
  /** Octets from the start of the section: first octet of the name, and one past the line end. */
  readonly start: number;
  readonly end: number;
};

const TAB = 0x09;
const SPACE = 0x20;

/** The fields of a section given as raw text. Stops at the blank line. Never throws. */
export function parseHeader(section: string, fieldsMax: number = LIMITS.headerFieldsMax): readonly Field[] {
  const fields: Field[] = [];
  const size = section.length;
  let start = 0;
  // Searched for once, however many lines have none: a search for each line would look through all that follows it.
  let colon = -1;
  while (start < size && fields.length < fieldsMax) {
    const first = section.charCodeAt(start);
    if (first === LF || (first === CR && section.charCodeAt(start + 1) === LF)) break;
    let lf = section.indexOf('\n', start);
    while (lf >= 0) {
      const next = section.charCodeAt(lf + 1);
      if (next !== SPACE && next !== TAB) break;
      lf = section.indexOf('\n', lf + 1);
    }
    const end = lf < 0 ? size : lf + 1;
    if (colon < start) colon = section.indexOf(':', start);
    if (colon < 0) colon = size;
    fields.push(toField(section, start, end, lf < 0 ? size : lf, colon));
    start = end;
  }
  return fields;
}

/** The same for octets. */
export function parseHeaderOctets(section: Uint8Array): readonly Field[] {
  return parseHeader(latin1(section));
}

/** @param colon the first one from `start` on, wherever it is */
function toField(section: string, start: number, end: number, lineEnd: number, colon: number): Field {
  const valueEnd =
    lineEnd < end && section.charCodeAt(lineEnd - 1) === CR && lineEnd > start ? lineEnd - 1 : lineEnd;
  if (colon >= valueEnd) return { name: '', key: '', raw: section.slice(start, valueEnd), start, end };
  let nameEnd = colon;
  while (nameEnd > start && isBlank(section.charCodeAt(nameEnd - 1))) nameEnd -= 1;
  const name = section.slice(start, nameEnd);
  return { name, key: asciiLower(name), raw: section.slice(colon + 1, valueEnd), start, end };
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** RFC 5322 §2.2.3: a value on one line, without the white space around it. Raw in, raw out. */
export function unfold(raw: string): string {
  return asciiTrim(raw.includes('\n') ? raw.replace(/\r?\n/g, '') : raw);
}

/** The octets up to and with the first empty line (RFC 5322 §2.1); all of them where there is none. */
export function headerSectionOf(octets: Buffer): Buffer {
  if (octets[0] === CR && octets[1] === LF) return octets.subarray(0, 2);
  const end = octets.indexOf(EMPTY_LINE);
  return end === -1 ? octets : octets.subarray(0, end + EMPTY_LINE.length);
}

/**
 * Whether a header section that was kept is all of it, within what is looked into: else something may stand behind it
 * that nobody has seen.
 *
 * @param contentOctets of all of the content, the section included
 */
export function isHeaderWhole(section: Uint8Array, contentOctets: number): boolean {
  const { headerFieldsMax } = LIMITS;
  const isEnded =
    section.length === contentOctets ||
    section[0] === LF ||
    (section[0] === CR && section[1] === LF) ||
    EMPTY_LINES.some((line) => toBuffer(section).includes(line));
  // Most are so short that there is nothing to count.
  if (!isEnded || section.length <= headerFieldsMax) return isEnded;
  return parseHeader(latin1(section), headerFieldsMax + 1).length <= headerFieldsMax;
}

/** As {@link parseHeader} knows them. */
const EMPTY_LINES = ['\n\r\n', '\n\n'] as const;

/** The end of a line and an empty line behind it. */
export const EMPTY_LINE: Buffer = Buffer.from('\r\n\r\n');

/** The first field of that name. @param key in lower case */
export function findField(fields: readonly Field[], key: string): Field | undefined {
  return fields.find((field) => field.key === key);
}

/**
 * One field with its CRLF, folded at white space where a line would pass 78 characters (RFC 5322 §2.1.1). A word that
 * is longer stays whole. @param value text without line ends: ASCII, encoded words, or UTF-8 where RFC 6532 is agreed
 */
export function formatField(name: string, value: string): string {
  const words = value.replace(/[\r\n]+/g, ' ').split(' ');
  let line = `${name}:`;
  let out = '';
  let blank = true;
  for (const word of words) {
    // RFC 5322 §3.2.2: a folded line is never made of white space alone.
    if (!blank && word !== '' && line.length + 1 + word.length > 78) {
      out += `${line}\r\n`;
      line = ` ${word}`;
    } else {
      line += ` ${word}`;
    }
    if (word !== '') blank = false;
  }
  return `${out}${line}\r\n`;
}
