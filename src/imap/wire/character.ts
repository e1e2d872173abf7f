/**
 * The character classes of IMAP's grammar as one table of bits, so that scanning costs one look-up an octet.
 * Source: RFC 9051 §9 (ATOM-CHAR, ASTRING-CHAR, list-char, tag, DIGIT, sequence-set).
 */
export const ATOM = 1;
/** ASTRING-CHAR, and octets above 127: clients send unquoted passwords in UTF-8, as Dovecot accepts too. */
export const ASTRING = 2;
export const LIST_CHAR = 4;
export const TAG = 8;
export const DIGIT = 16;
/** Letters, digits, `.`, `-`, `_`, `=`: names of commands, items and options; stops before `[` and `(`. */
export const LABEL = 32;
export const SEQUENCE = 64;
/** What stands in a quoted string as itself: any octet but NUL, CR, LF, `"` and `\`. */
export const QUOTED = 128;

function classOf(octet: number): number {
  if (octet === 0 || octet === 0x0a || octet === 0x0d) return 0;
  const character = String.fromCharCode(octet);
  let bits = character === '"' || character === '\\' ? 0 : QUOTED;
  if (octet > 0x7f) return bits | ASTRING | LIST_CHAR;
  if (octet > 0x20 && octet < 0x7f && !'(){%*"\\]'.includes(character))
    bits |= ATOM | ASTRING | LIST_CHAR | TAG;
  if (character === ']') bits |= ASTRING | LIST_CHAR | TAG;
  if (character === '%' || character === '*') bits |= LIST_CHAR;
  if (character === '+') bits &= ~TAG;
  if (character >= '0' && character <= '9') bits |= DIGIT | SEQUENCE | LABEL;
  if (',:*$'.includes(character)) bits |= SEQUENCE;
  if (/[A-Za-z.\-_=]/.test(character)) bits |= LABEL;
  return bits;
}

export const CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) => classOf(octet));

export function isAll(octets: Uint8Array, bits: number): boolean {
  for (const octet of octets) if (((CLASS[octet] ?? 0) & bits) === 0) return false;
  return true;
}

/** Text that is only characters of the class. Code units above 255 belong to none. */
export function isAllText(text: string, bits: number): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0xff || ((CLASS[code] ?? 0) & bits) === 0) return false;
  }
  return true;
}
