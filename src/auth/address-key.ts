/**
 * The one form in which addresses and domains are compared. Pure.
 *
 * Domain: lower-case A-labels by IDNA (UTS #46, non-transitional), or an address literal in its canonical spelling. Local
 * part: unquoted where it needs no quotes, NFC, case-folded: RFC 5321 §2.4 leaves its meaning to the owner of the domain,
 * and no owner wants two people who differ in case.
 *
 * Limits, in octets of UTF-8, are those of the paths that SMTP takes: what was accepted there must lead somewhere here. For
 * names of our own RFC 5321 §4.5.3.1 holds (`isNameable`).
 */
import { Buffer } from 'node:buffer';
import { LIMITS } from '../base/limits.ts';

const LOCAL_PART_OCTETS_MAX = LIMITS.smtpLocalPartOctetsMax;
const DOMAIN_OCTETS_MAX = LIMITS.smtpDomainOctetsMax;
const PATH_OCTETS_MAX = LOCAL_PART_OCTETS_MAX + 1 + DOMAIN_OCTETS_MAX;
/** RFC 5321 §4.5.3.1.1. */
const OWN_LOCAL_PART_OCTETS_MAX = 64;
/** RFC 5321 §4.5.3.1.3 counts 256 with the angle brackets. */
const OWN_PATH_OCTETS_MAX = 254;
/** RFC 1035 §2.3.4. */
const LABEL_OCTETS_MAX = 63;

/** RFC 5233 leaves it to the site; most use this. */
export const DETAIL_SEPARATOR = '+';

/** RFC 5321 §4.1.2 Dot-string, with the non-ASCII of RFC 6531 §3.3. */
const DOT_STRING =
  /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u{80}-\u{10ffff}]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u{80}-\u{10ffff}]+)*$/u;
/** C0, DEL, C1 and lone surrogates: nothing that an address may hold, quoted or not. */
const NEVER = /[\p{Cc}\p{Cs}]/u;

export type AddressKey = {
  /** `local@domain`, folded, its detail with it: what accounts and aliases are found by. */
  readonly key: string;
  /** The same without `+detail` (RFC 5233); equal to `key` where there is none. */
  readonly baseKey: string;
  /** What stands behind the first separator, as written (NFC): undefined where there is none. */
  readonly detail: string | undefined;
  /** A-labels in lower case, or an address literal in its brackets. */
  readonly domain: string;
  /** The address as it goes to another host: local part as written, domain in A-labels. */
  readonly mailable: string;
};

/**
 * Undefined where the text is no address with a domain.
 *
 * @param separator one character between local part and detail, or '' where a site has no details
 */
export function toAddressKey(address: string, separator: string = DETAIL_SEPARATOR): AddressKey | undefined {
  const at = address.lastIndexOf('@');
  if (at < 1 || Buffer.byteLength(address) > 4 * PATH_OCTETS_MAX) return undefined;
  const domain = toDomainKey(address.slice(at + 1));
  const content = unquote(address.slice(0, at));
  if (domain === undefined || content === undefined) return undefined;
  const folded = foldCase(content);
  const local = requote(content.normalize('NFC'));
  const foldedLocal = requote(folded);
  // Folding may lengthen: both forms keep the limit, so that a key is an address.
  if (Math.max(Buffer.byteLength(local), Buffer.byteLength(foldedLocal)) > LOCAL_PART_OCTETS_MAX)
    return undefined;
  const mailable = `${local}@${domain}`;
  const key = `${foldedLocal}@${domain}`;
  if (Math.max(Buffer.byteLength(mailable), Buffer.byteLength(key)) > PATH_OCTETS_MAX) return undefined;
  const cut = separator === '' ? -1 : content.indexOf(separator);
  // `+detail@domain` names nobody without its detail: it stays whole.
  if (cut < 1) return { key, baseKey: key, detail: undefined, domain, mailable };
  return {
    key,
    baseKey: `${requote(folded.slice(0, folded.indexOf(separator)))}@${domain}`,
    detail: content.slice(cut + 1).normalize('NFC'),
    domain,
    mailable,
  };
}

/** Whether an address may be given to an account or an alias here: others must be able to write to it. */
export function isNameable({ key, mailable }: AddressKey): boolean {
  return [key, mailable].every(
    (address) =>
      Buffer.byteLength(address) <= OWN_PATH_OCTETS_MAX &&
      Buffer.byteLength(address.slice(0, address.lastIndexOf('@'))) <= OWN_LOCAL_PART_OCTETS_MAX,
  );
}

/** The domain of a catch-all address `@domain`; undefined for anything else. */
export function toCatchAllDomain(address: string): string | undefined {
  return address.startsWith('@') ? toDomainName(address.slice(1)) : undefined;
}

/** A domain or an address literal (RFC 5321 §4.1.3) in the form it is compared by. */
export function toDomainKey(domain: string): string | undefined {
  return domain.startsWith('[') ? toAddressLiteral(domain) : toDomainName(domain);
}

/**
 * Lower-case A-labels, or undefined. A trailing dot is refused (RFC 5321 §2.3.5 knows none), and so is a name that ends
 * in a number: it would be an IPv4 address without its brackets.
 */
export function toDomainName(domain: string): string | undefined {
  if (domain.length > DOMAIN_OCTETS_MAX) return undefined;
  const lower = domain.toLowerCase();
  // Only what IDNA maps or must check goes through the URL parser, and only what cannot be URL syntax reaches it.
  const ascii = /^[a-z0-9._-]+$/.test(lower) && !/(?:^|\.)xn--/.test(lower) ? lower : toAscii(domain);
  if (ascii === undefined || ascii.length > DOMAIN_OCTETS_MAX) return undefined;
  const labels = ascii.split('.');
  if (!labels.every(isLabel)) return undefined;
  return /^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') ? undefined : ascii;
}

function toAscii(domain: string): string | undefined {
  if (!/^[A-Za-z0-9._\-\u{80}-\u{10ffff}]+$/u.test(domain)) return undefined;
  return URL.parse(`http://${domain}/`)?.hostname;
}

/** Letters, digits and hyphens as RFC 5321 §4.1.2 says; the underscore is taken too, since hosts are named so. */
function isLabel(label: string): boolean {
  return label.length <= LABEL_OCTETS_MAX && /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(label);
}

function toAddressLiteral(literal: string): string | undefined {
  if (!literal.endsWith(']') || literal.length > LABEL_OCTETS_MAX) return undefined;
  const content = literal.slice(1, -1);
  if (/^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$/.test(content)) {
    const numbers = content.split('.').map(Number);
    return numbers.every((number) => number <= 255) ? `[${numbers.join('.')}]` : undefined;
  }
  if (!/^ipv6:[0-9a-f:.]+$/i.test(content)) return undefined;
  const hostname = URL.parse(`http://[${content.slice('IPv6:'.length)}]/`)?.hostname;
  return hostname === undefined ? undefined : `[IPv6:${hostname.slice(1, -1)}]`;
}

/** The content of a local part, whether it came as Dot-string or Quoted-string (RFC 5321 §4.1.2). */
function unquote(localPart: string): string | undefined {
  if (NEVER.test(localPart)) return undefined;
  if (!localPart.startsWith('"')) return DOT_STRING.test(localPart) ? localPart : undefined;
  const match = /^"((?:[^"\\]|\\.)+)"$/u.exec(localPart);
  return match?.[1]?.replaceAll(/\\(.)/gu, '$1');
}

function requote(content: string): string {
  return DOT_STRING.test(content) ? content : `"${content.replaceAll(/["\\]/g, '\\$&')}"`;
}

/**
 * Unicode's full case folding, as near as upper and lower case reach it: ẞ, ß and ss are one, and so are Σ, σ and ς.
 * The dotless ı stays itself, as in the folding that is not Turkish.
 */
export function foldCase(text: string): string {
  if (!/[^ -~]/.test(text)) return text.toLowerCase();
  return text.normalize('NFC').split('ı').map(foldPiece).join('ı').normalize('NFC');
}

function foldPiece(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}
