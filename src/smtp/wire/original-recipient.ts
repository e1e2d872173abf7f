/**
 * ORCPT: the address that the sender wrote, whatever became of it since. It is passed on as it came, to the letter
 * (RFC 3461 §5.2.1 (d)), but for UTF-8 where the next hop has no SMTPUTF8. Sources: RFC 3461 §4.2, RFC 6533 §3.
 */
import { encodeXtext, isXtext } from './xtext.ts';

export type OriginalRecipient = {
  /** `rfc822`, `utf-8`, `x400` …, in the case the peer wrote it. */
  readonly type: string;
  /** Still encoded: xtext, or for the type utf-8 one of the three forms of RFC 6533 §3. */
  readonly written: string;
};

/** addr-type ";" xtext. */
export function parseOriginalRecipient(value: string): OriginalRecipient | undefined {
  if (value.length > ORCPT_CHARACTERS_MAX) return undefined;
  const semicolon = value.indexOf(';');
  if (semicolon < 1) return undefined;
  const type = value.slice(0, semicolon);
  const written = value.slice(semicolon + 1);
  if (!ADDRESS_TYPE.test(type) || written === '') return undefined;
  return isUtf8Type(type) || isXtext(written) ? { type, written } : undefined;
}

/** The ORCPT of an address that came without one, should it go on under another address (RFC 3461 §5.2.1 (d)). */
export function originalRecipientOf(address: string): string {
  return ASCII.test(address) ? `rfc822;${encodeXtext(address)}` : `utf-8;${escapedSpecials(address)}`;
}

/**
 * The value for a peer; undefined where there is none that it may be given.
 *
 * @param smtpUtf8 whether the peer offers SMTPUTF8; without it, only ASCII may be sent (RFC 6533 §3)
 */
export function formatOriginalRecipient(
  { type, written }: OriginalRecipient,
  smtpUtf8: boolean,
): string | undefined {
  if (!ADDRESS_TYPE.test(type) || !VALUE.test(written)) return undefined;
  const value = smtpUtf8 ? `${type};${written}` : `${type};${escapedUtf8(written)}`;
  return value.length > ORCPT_CHARACTERS_MAX ? undefined : value;
}

function isUtf8Type(type: string): boolean {
  return type.toLowerCase() === 'utf-8';
}

function escapedUtf8(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]/gu, embedded);
}

/** RFC 6533 §3: what no ORCPT may hold as it is. */
function escapedSpecials(text: string): string {
  return text.replaceAll(/[\x00-\x20\\+=\x7f]/g, embedded);
}

/** EmbeddedUnicodeChar: `\x{FC}`. */
function embedded(character: string): string {
  const code = character.codePointAt(0) ?? 0xfffd;
  return `\\x{${code.toString(16).toUpperCase().padStart(2, '0')}}`;
}

/** RFC 3461 §4.2. */
const ORCPT_CHARACTERS_MAX = 500;
const ADDRESS_TYPE = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const ASCII = /^[\x00-\x7f]*$/;
/** What fits into an esmtp-value. */
const VALUE = /^[^\x00-\x20\x7f-\x9f=]+$/;
