/**
 * One question to a recursive resolver, and the rules of names in it. Pure: the id and the spelling come in.
 *
 * Names are A-labels without the final dot; a label has 1 to 63 octets, a name at most 253 characters (RFC 1035 §2.3.4).
 */
import packet from 'dns-packet';

/** The types that are asked for, and their numbers (RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 6698 §7.1). */
export const RECORD_TYPES = { A: 1, CNAME: 5, PTR: 12, MX: 15, TXT: 16, AAAA: 28, TLSA: 52 } as const;
export type RecordType = keyof typeof RECORD_TYPES;

export type Question = {
  readonly id: number;
  /** As asked, upper and lower case as they are; see {@link mixCase}. */
  readonly name: string;
  readonly type: RecordType;
};

/** What a resolver may send in one datagram without fragments (RFC 9715 §3.2, the value of the DNS flag day 2020). */
export const UDP_PAYLOAD_OCTETS = 1232;

const LABEL = /^[0-9A-Za-z_-]{1,63}$/;

/** Lower case, without the final dot; undefined for what no name in the DNS of hosts can be. */
export function toDnsName(text: string): string | undefined {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name.length === 0 || name.length > 253) return undefined;
  return name.split('.').every((label) => LABEL.test(label)) ? name.toLowerCase() : undefined;
}

export type QuestionOptions = {
  /** EDNS0 (RFC 6891), unless the resolver said that it cannot. */
  readonly edns: boolean;
  /** DO: ask for DNSSEC, where AD in the answer will be believed (RFC 6840 §5.8). */
  readonly dnssec: boolean;
  /** CD: give the data although it is bogus, to tell that from a failure (RFC 4035 §3.2.2). */
  readonly unchecked: boolean;
};

/** The query as sent: recursion desired, AD set to say that we understand it (RFC 6840 §5.7). */
export function encodeQuestion(question: Question, { edns, dnssec, unchecked }: QuestionOptions): Buffer {
  const flags = dnssec ? packet.DNSSEC_OK : 0;
  return packet.encode({
    id: question.id,
    type: 'query',
    flags: packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA | (unchecked ? packet.CHECKING_DISABLED : 0),
    questions: [{ type: question.type, name: question.name, class: 'IN' }],
    ...(edns ? { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: UDP_PAYLOAD_OCTETS, flags }] } : {}),
  });
}

/**
 * Spells the name in upper and lower case by the bits given, one per letter: what a forger off the path must guess too
 * (draft-vixie-dnsext-dns0x20).
 */
export function mixCase(name: string, bits: Uint8Array): string {
  let letter = 0;
  return name.replaceAll(/[a-z]/gi, (character) => {
    const upper = ((bits[(letter >> 3) % Math.max(1, bits.length)] ?? 0) >> (letter & 7)) & 1;
    letter += 1;
    return upper === 1 ? character.toUpperCase() : character.toLowerCase();
  });
}

/** The name under which PTR records of an address stand: in-addr.arpa (RFC 1035 §3.5), ip6.arpa (RFC 3596 §2.5). */
export function toReverseName(address: string): string | undefined {
  const v4 = toIpv4Octets(address);
  if (v4 !== undefined) return `${v4.toReversed().join('.')}.in-addr.arpa`;
  const groups = toIpv6Groups(address);
  if (groups === undefined) return undefined;
  const nibbles = groups.map((group) => group.toString(16).padStart(4, '0')).join('');
  return `${nibbles.split('').toReversed().join('.')}.ip6.arpa`;
}

/** The four octets of `192.0.2.1`; nothing else is an IPv4 address here: no leading zeros, no short forms. */
export function toIpv4Octets(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const octets = parts.map((part) => (/^(0|[1-9][0-9]{0,2})$/.test(part) ? Number(part) : 256));
  return octets.every((octet) => octet < 256) ? octets : undefined;
}

/** The eight groups of an IPv6 address in any of the forms of RFC 4291 §2.2; no zone. */
export function toIpv6Groups(text: string): readonly number[] | undefined {
  if (text.length > 45 || !text.includes(':')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(toGroups);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

function toGroups(text: string): readonly number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const v4 = index === parts.length - 1 && part.includes('.') ? toIpv4Octets(part) : undefined;
    if (v4 !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = v4;
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
