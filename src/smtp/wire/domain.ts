/**
 * Domains and address literals as SMTP writes them. Units: code units of a decoded command line.
 * Source: RFC 5321 §4.1.2 and §4.1.3; RFC 6531 §3.3 adds U-labels; RFC 1035 §2.3.4 sets the lengths.
 */
import { parseIpv4, parseIpv6 } from '../../base/ip-network.ts';
import { LIMITS } from '../../base/limits.ts';

/** What stands after the @ or in EHLO: a name, or an address in brackets. */
export type DomainSyntax = 'name' | 'literal';

/** Undefined where the text is neither. A trailing dot, an empty label, an underscore or a port is neither. */
export function domainSyntax(text: string): DomainSyntax | undefined {
  if (text.length > LIMITS.smtpDomainOctetsMax) return undefined;
  if (text.startsWith('[')) return isAddressLiteral(text) ? 'literal' : undefined;
  return isDomainName(text) ? 'name' : undefined;
}

/** sub-domain *("." sub-domain), each 1 to 63 letters, digits and inner hyphens, or a U-label. */
export function isDomainName(text: string): boolean {
  let label = 0;
  let last = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (label === 0 || last === HYPHEN) return false;
      label = 0;
    } else {
      if (!isLetterOrDigit(code) && !isUnicodeLetterOctet(code)) {
        if (code !== HYPHEN || label === 0) return false;
      }
      label += 1;
      if (label > LABEL_OCTETS_MAX) return false;
    }
    last = code;
  }
  return label > 0 && last !== HYPHEN;
}

/** "[" IPv4 / "IPv6:" IPv6 / tag ":" content "]". Source: RFC 5321 §4.1.3. */
export function isAddressLiteral(text: string): boolean {
  if (!text.startsWith('[') || !text.endsWith(']') || text.length < 3) return false;
  const inner = text.slice(1, -1);
  if (inner.length >= 5 && inner.slice(0, 5).toUpperCase() === 'IPV6:') return isIpv6(inner.slice(5));
  const colon = inner.indexOf(':');
  return colon === -1 ? isIpv4(inner) : isGeneralLiteral(inner, colon);
}

/** Four decimal numbers up to 255, of at most three digits each (Snum). */
export function isIpv4(text: string): boolean {
  return parseIpv4(text) !== undefined;
}

/**
 * IPv6-full, -comp, v4-full and v4-comp of RFC 5321 §4.1.3. Departs from it where "::" stands for a single group: RFC 4291
 * allows that too.
 */
export function isIpv6(text: string): boolean {
  return parseIpv6(text) !== undefined;
}

/** Standardized-tag ":" 1*dcontent, dcontent being printable ASCII but "[", "\" and "]". */
function isGeneralLiteral(inner: string, colon: number): boolean {
  const tag = inner.slice(0, colon);
  if (!TAG.test(tag)) return false;
  return DCONTENT.test(inner.slice(colon + 1));
}

export function isLetterOrDigit(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39);
}

/** Beyond ASCII, without the C1 controls and without the full stops that IDNA maps to a dot (RFC 3490 §3.1). */
function isUnicodeLetterOctet(code: number): boolean {
  return code > 0x9f && code !== 0x3002 && code !== 0xff0e && code !== 0xff61 && code !== 0xfeff;
}

const DOT = 0x2e;
const HYPHEN = 0x2d;
const LABEL_OCTETS_MAX = 63;
const TAG = /^[0-9A-Za-z-]*[0-9A-Za-z]$/;
const DCONTENT = /^[!-Z^-~]+$/;

/** `[192.0.2.1]` or `[IPv6:2001:db8::1]`; an IPv4 address that came mapped into IPv6 is written as IPv4. */
export function addressLiteral(address: string): string {
  const [plain = ''] = address.split('%');
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(plain)?.[1];
  if (mapped !== undefined) return `[${mapped}]`;
  const literal = plain.includes(':') ? `[IPv6:${plain}]` : `[${plain}]`;
  return domainSyntax(literal) === 'literal' ? literal : '[0.0.0.0]';
}
