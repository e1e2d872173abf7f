/**
 * Strings as IMAP sends them: atom where it may be one, else quoted, else a literal. Source: RFC 9051 §4.3, §9.
 */
import { ATOM, isAllText } from './character.ts';
import { encodeMailboxName } from './mailbox-name.ts';

/** Longer strings go as literals: some clients keep a quoted string in a line buffer. */
const QUOTED_OCTETS_MAX = 4096;
const NIL = Buffer.from('NIL');

/**
 * `string`: quoted or literal.
 * @param utf8 the client takes UTF-8 in quoted strings: after ENABLE IMAP4rev2 or UTF8=ACCEPT
 */
export function encodeString(value: string, utf8: boolean): Buffer {
  return encodeOctets(Buffer.from(value, 'utf8'), utf8);
}

/** `string` of octets that are text in some charset. */
export function encodeOctets(octets: Buffer, utf8: boolean): Buffer {
  if (octets.length > QUOTED_OCTETS_MAX || !isQuotable(octets, utf8)) return encodeLiteral(octets);
  const text = octets.toString('latin1');
  const escaped = /["\\]/.test(text) ? text.replaceAll(/["\\]/g, '\\$&') : text;
  return Buffer.from(`"${escaped}"`, 'latin1');
}

function isQuotable(octets: Buffer, utf8: boolean): boolean {
  let high = false;
  for (const octet of octets) {
    if (octet === 0 || octet === 0x0a || octet === 0x0d) return false;
    if (octet > 0x7f) high = true;
  }
  // RFC 9051 §9: above US-ASCII only well-formed UTF-8 may be quoted.
  return !high || (utf8 && Buffer.from(octets.toString('utf8'), 'utf8').equals(octets));
}

export function encodeLiteral(octets: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`{${octets.length}}\r\n`, 'latin1'), octets]);
}

export function encodeNstring(value: string | null, utf8: boolean): Buffer {
  return value === null ? NIL : encodeString(value, utf8);
}

/** `astring`: an atom if it may be one. `NIL` is quoted, lest it be read as no string. */
export function encodeAstring(value: string, utf8: boolean): Buffer {
  return value !== '' && isAllText(value, ATOM) && value.toUpperCase() !== 'NIL'
    ? Buffer.from(value, 'latin1')
    : encodeString(value, utf8);
}

/** A mailbox name: modified UTF-7 or UTF-8, then an astring. */
export function encodeMailbox(name: string, utf8: boolean): Buffer {
  return utf8
    ? encodeAstring(name, true)
    : encodeAstring(encodeMailboxName(name, false).toString('latin1'), false);
}
