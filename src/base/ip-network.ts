/**
 * IP addresses and networks as octets, and whether one is in the other. An IPv4 address that comes mapped into IPv6
 * (RFC 4291 §2.5.5.2) is the IPv4 address; a zone (RFC 4007 §11) names no other address and is dropped.
 * Texts: RFC 4291 §2.2 for IPv6, dotted decimal for IPv4, RFC 4632 §3.1 for the length of a prefix.
 */

/** 4 octets or 16. */
export type IpOctets = Uint8Array;

export type IpNetwork = { readonly octets: IpOctets; readonly prefixBits: number };

export function parseIp(text: string): IpOctets | undefined {
  const [bare = '', zone] = text.split('%');
  if (!bare.includes(':')) return zone === undefined ? parseIpv4(bare) : undefined;
  const octets = parseIpv6(bare);
  return octets !== undefined && isMapped(octets) ? octets.subarray(12) : octets;
}

/** Four decimal numbers up to 255, of at most three digits each. */
export function parseIpv4(text: string): IpOctets | undefined {
  // What ends like a name is looked at no further.
  if (text.length > 15 || !ENDS_IN_DIGIT.test(text)) return undefined;
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const octets = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    if (!DECIMAL.test(part) || Number(part) > 255) return undefined;
    octets[index] = Number(part);
  }
  return octets;
}

/** Eight groups, or fewer with one `::` among them that stands for one or more; the last two may be a dotted quad. */
export function parseIpv6(text: string): IpOctets | undefined {
  if (text.length > 45) return undefined;
  const gap = text.indexOf('::');
  if (gap !== -1 && text.includes('::', gap + 1)) return undefined;
  const before = groups(gap === -1 ? text : text.slice(0, gap), gap === -1);
  const after = gap === -1 ? [] : groups(text.slice(gap + 2), true);
  if (before === undefined || after === undefined) return undefined;
  const count = before.length + after.length;
  if (gap === -1 ? count !== 8 : count > 7) return undefined;
  const octets = new Uint8Array(16);
  for (const [index, group] of before.entries()) put(octets, index, group);
  for (const [index, group] of after.entries()) put(octets, 8 - after.length + index, group);
  return octets;
}

/** `192.0.2.0/24`, `2001:db8::/32`, or an address alone. Bits behind the prefix do not count. */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf('/');
  const octets = parseIp(slash === -1 ? text : text.slice(0, slash));
  if (octets === undefined) return undefined;
  const bits = octets.length * 8;
  if (slash === -1) return { octets, prefixBits: bits };
  const written = text.slice(slash + 1);
  if (!DECIMAL.test(written)) return undefined;
  // `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
  const prefixBits = Number(written) - (bits === 32 && text.includes(':') ? 96 : 0);
  return prefixBits >= 0 && prefixBits <= bits ? { octets, prefixBits } : undefined;
}

export function isInNetwork(address: IpOctets, { octets, prefixBits }: IpNetwork): boolean {
  if (address.length !== octets.length) return false;
  const whole = prefixBits >> 3;
  for (let at = 0; at < whole; at += 1) if (address[at] !== octets[at]) return false;
  const rest = prefixBits & 7;
  if (rest === 0) return true;
  const mask = 0xff << (8 - rest);
  return ((address[whole] ?? 0) & mask) === ((octets[whole] ?? 0) & mask);
}

/** Dotted decimal, or RFC 5952 §4: small letters, no zeros ahead, the longest run of two or more zero groups as `::`. */
export function formatIp(octets: IpOctets): string {
  if (octets.length === 4) return octets.join('.');
  const texts = Array.from({ length: 8 }, (_, index) =>
    (((octets[index * 2] ?? 0) << 8) | (octets[index * 2 + 1] ?? 0)).toString(16),
  );
  let best = { at: 0, length: 0 };
  for (let at = 0; at < 8; at += 1) {
    let length = 0;
    while (texts[at + length] === '0') length += 1;
    if (length > best.length) best = { at, length };
  }
  if (best.length < 2) return texts.join(':');
  return `${texts.slice(0, best.at).join(':')}::${texts.slice(best.at + best.length).join(':')}`;
}

function put(octets: Uint8Array, group: number, value: number): void {
  octets[group * 2] = value >> 8;
  octets[group * 2 + 1] = value & 0xff;
}

/** The 16-bit groups of one side of `::`; undefined if one is malformed. A dotted quad at the very end makes two. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const values: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (HEX_GROUP.test(part)) {
      values.push(Number.parseInt(part, 16));
      continue;
    }
    const quad = last && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (quad === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = quad;
    values.push((a << 8) | b, (c << 8) | d);
  }
  return values;
}

function isMapped(octets: IpOctets): boolean {
  return octets.every((octet, at) => at >= 12 || octet === (at < 10 ? 0 : 0xff));
}

const ENDS_IN_DIGIT = /[0-9]$/;
const DECIMAL = /^\d{1,3}$/;
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
