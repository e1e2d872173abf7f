/**
 * What a resolver's message says to one question. Pure; never throws, whatever the octets; linear in their number.
 *
 * We cut the message into records ourselves and let the codec read only the data of the types we know, each checked
 * against its length: the codec alone believes counts and lengths. Sources: RFC 1035 §4, RFC 2181, RFC 2308, RFC 6604.
 */
import packet from 'dns-packet';
import { toBuffer } from '../../base/bytes.ts';
import type { Question } from './question.ts';
import { RECORD_TYPES } from './question.ts';

export type RecordData =
  | { readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR' | 'TXT'; readonly text: string }
  | { readonly type: 'MX'; readonly mx: { readonly preference: number; readonly exchange: string } }
  | {
      readonly type: 'TLSA';
      readonly tlsa: {
        readonly usage: number;
        readonly selector: number;
        readonly matchingType: number;
        readonly data: Uint8Array;
      };
    };

export type Interpretation =
  /** Not the answer to this question: someone else's, or a forger's. Go on waiting. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'malformed' }
  /** TC: ask again over TCP (RFC 7766 §5). */
  | { readonly kind: 'truncated' }
  | { readonly kind: 'failed'; readonly reason: 'servfail' | 'refused' | 'no-edns' }
  | {
      readonly kind: 'found';
      readonly records: readonly RecordData[];
      readonly ttlS: number;
      readonly authentic: boolean;
      readonly canonicalName: string;
    }
  | {
      readonly kind: 'none';
      readonly nameExists: boolean;
      readonly ttlS: number;
      readonly authentic: boolean;
    }
  /** CNAMEs without what stands at their end: it is to be asked for (RFC 7672 §2.1.3). */
  | {
      readonly kind: 'alias';
      readonly target: string;
      readonly ttlS: number;
      readonly authentic: boolean;
    };

/** Records of one message that are looked at; a message with more is refused as malformed. */
const RECORDS_MAX = 1000;
/** CNAMEs followed within one answer. */
const CNAMES_MAX = 16;
/** Pointers within one name (RFC 1035 §4.1.4): a name of 127 labels needs no more. */
const POINTERS_MAX = 127;
const HEADER_OCTETS = 12;
const CNAME = 5;
const SOA = 6;

type RawRecord = {
  readonly name: string;
  readonly type: number;
  readonly ttlS: number;
  /** Of the length field before the data, as the codec wants it. */
  readonly at: number;
  readonly octets: number;
};

/** @param octets one whole message, without the length that goes before it over TCP */
export function interpretAnswer(octets: Uint8Array, question: Question): Interpretation {
  const message = toBuffer(octets);
  if (message.length < HEADER_OCTETS || message.readUInt16BE(0) !== question.id) return { kind: 'foreign' };
  const flags = message.readUInt16BE(2);
  // QR set, OPCODE 0.
  if ((flags & 0xf800) !== 0x8000) return { kind: 'foreign' };
  const rcode = flags & 0x0f;
  const questions = message.readUInt16BE(4);
  // A server that could not read the question may answer without it (RFC 6891 §7): it does not speak EDNS.
  if (questions === 0 && (rcode === 1 || rcode === 4)) return { kind: 'failed', reason: 'no-edns' };
  if (questions !== 1) return { kind: 'foreign' };
  const asked = readName(message, HEADER_OCTETS);
  if (asked === undefined || asked.end + 4 > message.length) return { kind: 'foreign' };
  const sameQuestion =
    // The spelling too: see mixCase.
    asked.name === question.name &&
    message.readUInt16BE(asked.end) === RECORD_TYPES[question.type] &&
    message.readUInt16BE(asked.end + 2) === 1;
  if (!sameQuestion) return { kind: 'foreign' };
  if ((flags & 0x0200) !== 0) return { kind: 'truncated' };
  if (rcode === 1 || rcode === 4) return { kind: 'failed', reason: 'no-edns' };
  if (rcode === 5) return { kind: 'failed', reason: 'refused' };
  if (rcode !== 0 && rcode !== 3) return { kind: 'failed', reason: 'servfail' };
  return interpretSections(message, asked.end + 4, question, {
    nameExists: rcode === 0,
    authentic: (flags & 0x0020) !== 0,
  });
}

function interpretSections(
  message: Buffer,
  start: number,
  question: Question,
  said: { readonly nameExists: boolean; readonly authentic: boolean },
): Interpretation {
  const answerCount = message.readUInt16BE(6);
  const authorityCount = message.readUInt16BE(8);
  if (answerCount + authorityCount > RECORDS_MAX) return { kind: 'malformed' };
  const answers = readRecords(message, start, answerCount);
  if (answers === undefined) return { kind: 'malformed' };
  const authorities = readRecords(message, answers.end, authorityCount);
  if (authorities === undefined) return { kind: 'malformed' };

  const asked = question.name.toLowerCase();
  const chain =
    question.type === 'CNAME'
      ? { name: asked, ttlS: Number.MAX_SAFE_INTEGER }
      : followCnames(message, answers.records, asked);
  if (chain === undefined) return { kind: 'malformed' };
  const wanted = answers.records.filter(
    (record) => record.type === RECORD_TYPES[question.type] && record.name.toLowerCase() === chain.name,
  );
  if (wanted.length === 0) {
    const soa = authorities.records.find((record) => record.type === SOA);
    // RFC 2308 §2.2: with an SOA it is proof that there is nothing; without, the rest was left to us.
    if (soa === undefined && said.nameExists && chain.name !== asked)
      return { kind: 'alias', target: chain.name, ttlS: chain.ttlS, authentic: said.authentic };
    const ttlS = soa === undefined ? 0 : Math.min(chain.ttlS, negativeTtl(message, soa));
    return { kind: 'none', nameExists: said.nameExists, ttlS, authentic: said.authentic };
  }
  const records: RecordData[] = [];
  let ttlS = chain.ttlS;
  for (const record of wanted) {
    const data = readData(message, record, question.type);
    if (data === undefined) return { kind: 'malformed' };
    records.push(data);
    ttlS = Math.min(ttlS, record.ttlS);
  }
  return { kind: 'found', records, ttlS, authentic: said.authentic, canonicalName: chain.name };
}

type Cut = { readonly records: readonly RawRecord[]; readonly end: number };

function readRecords(message: Buffer, start: number, count: number): Cut | undefined {
  const records: RawRecord[] = [];
  let at = start;
  for (let index = 0; index < count; index += 1) {
    const owner = readName(message, at);
    if (owner === undefined || owner.end + 10 > message.length) return undefined;
    const octets = message.readUInt16BE(owner.end + 8);
    const end = owner.end + 10 + octets;
    if (end > message.length) return undefined;
    const ttl = message.readUInt32BE(owner.end + 4);
    // RFC 2181 §8: a TTL with the top bit set is 0. A class other than IN is nothing we asked for.
    if (message.readUInt16BE(owner.end + 2) === 1)
      records.push({
        name: owner.name,
        type: message.readUInt16BE(owner.end),
        ttlS: ttl > 0x7fff_ffff ? 0 : ttl,
        at: owner.end + 8,
        octets,
      });
    at = end;
  }
  return { records, end: at };
}

/** The name after all CNAMEs that the answer holds; undefined where they run in a circle or are too many. */
function followCnames(
  message: Buffer,
  records: readonly RawRecord[],
  asked: string,
): { readonly name: string; readonly ttlS: number } | undefined {
  const cnames = new Map<string, RawRecord>();
  for (const record of records) if (record.type === CNAME) cnames.set(record.name.toLowerCase(), record);
  let name = asked;
  let ttlS = Number.MAX_SAFE_INTEGER;
  for (let hops = 0; hops <= CNAMES_MAX; hops += 1) {
    const record = cnames.get(name);
    if (record === undefined) return { name, ttlS };
    const target = readName(message, record.at + 2);
    if (target === undefined || target.end !== record.at + 2 + record.octets) return undefined;
    name = target.name.toLowerCase();
    ttlS = Math.min(ttlS, record.ttlS);
  }
  return undefined;
}

/** RFC 2308 §5: the smaller of the SOA's own TTL and its minimum. */
function negativeTtl(message: Buffer, soa: RawRecord): number {
  const data = take(() => packet.soa.decode(message, soa.at));
  if (data === undefined || packet.soa.decode.bytes !== soa.octets + 2) return 0;
  return Math.min(soa.ttlS, data.minimum);
}

function readData(message: Buffer, record: RawRecord, type: Question['type']): RecordData | undefined {
  const whole = record.octets + 2;
  switch (type) {
    case 'A':
      return record.octets === 4 ? { type, text: packet.a.decode(message, record.at) } : undefined;
    case 'AAAA':
      return record.octets === 16 ? { type, text: packet.aaaa.decode(message, record.at) } : undefined;
    case 'CNAME':
    case 'PTR': {
      const target = readName(message, record.at + 2);
      return target === undefined || target.end !== record.at + whole
        ? undefined
        : { type, text: target.name.toLowerCase() };
    }
    case 'TXT': {
      const strings = take(() => packet.txt.decode(message, record.at));
      return strings === undefined || packet.txt.decode.bytes !== whole
        ? undefined
        : { type, text: Buffer.concat(strings).toString('utf8') };
    }
    case 'MX': {
      if (record.octets < 3) return undefined;
      const exchange = readName(message, record.at + 4);
      if (exchange === undefined || exchange.end !== record.at + whole) return undefined;
      const preference = message.readUInt16BE(record.at + 2);
      // RFC 7505 §3: the root as exchange says that the domain takes no mail.
      return { type, mx: { preference, exchange: exchange.name.toLowerCase() } };
    }
    case 'TLSA': {
      if (record.octets < 4) return undefined;
      const { usage, selector, matchingType, certificate } = packet.tlsa.decode(message, record.at);
      return { type, tlsa: { usage, selector, matchingType, data: Buffer.from(certificate) } };
    }
  }
}

/**
 * A name and where it ends in the place it was read from. Pointers only go back, so that no loop is possible, and are
 * counted, so that no chain of them costs more than its octets. Octets that no host's name has make it unreadable where
 * they matter: they come back as `?`, which equals nothing we ask for.
 */
function readName(
  message: Buffer,
  start: number,
): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  let lowest = start;
  let end = -1;
  let octets = 0;
  for (let pointers = 0; ;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return { name: labels.join('.'), end: end === -1 ? at + 1 : end };
    if (length < 0x40) {
      octets += length + 1;
      if (octets > 254 || at + 1 + length > message.length) return undefined;
      labels.push(message.toString('latin1', at + 1, at + 1 + length).replaceAll(/[^!-~]|[.]/g, '?'));
      at += 1 + length;
      continue;
    }
    const low = message[at + 1];
    if (length < 0xc0 || low === undefined) return undefined;
    if (end === -1) end = at + 2;
    at = (length & 0x3f) * 256 + low;
    pointers += 1;
    if (at >= lowest || pointers > POINTERS_MAX) return undefined;
    lowest = at;
  }
}

/** The codec throws on octets it does not like. */
function take<Value>(decode: () => Value): Value | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
