/** What a peer offers in its answer to EHLO or LHLO. Source: RFC 5321 §4.1.1.1. */
import type { PeerReply } from '../wire/reply.ts';

/** RFC 9422 §4; what the peer does not limit is infinite. */
export type PeerLimits = {
  /** Of one session. */
  readonly transactionsMax: number;
  /** Of one transaction. */
  readonly recipientsMax: number;
  /** Of one session. */
  readonly recipientDomainsMax: number;
};

export type Features = {
  /** Keyword in capitals, with its parameters as they came. */
  readonly keywords: ReadonlyMap<string, string>;
  readonly pipelining: boolean;
  readonly chunking: boolean;
  readonly dsn: boolean;
  readonly eightBitMime: boolean;
  readonly binaryMime: boolean;
  readonly smtpUtf8: boolean;
  readonly startTls: boolean;
  readonly requireTls: boolean;
  readonly priority: boolean;
  readonly deliverBy: boolean;
  /** RFC 2852 §3: the least time within which the peer takes it upon itself to deliver or return. */
  readonly deliverBySecondsMin: number;
  readonly limits: PeerLimits;
  /** SIZE is offered; its number, where it is one and not 0 (RFC 1870 §4: 0 means no fixed limit). */
  readonly size: boolean;
  readonly sizeOctetsMax: number | undefined;
  /** We have authenticated. */
  readonly isAuthenticated: boolean;
  /** Mechanisms in capitals. The old form "AUTH=…" is read too. */
  readonly mechanisms: readonly string[];
};

export function parseFeatures(hello: PeerReply): Features {
  const keywords = new Map<string, string>();
  for (const line of hello.lines.slice(1)) {
    const found = KEYWORD.exec(line.trim());
    const [, keyword = '', parameters = ''] = found ?? [];
    if (found !== null && !keywords.has(keyword.toUpperCase()))
      keywords.set(keyword.toUpperCase(), parameters);
  }
  const size = keywords.get('SIZE');
  const octets = size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : 0;
  return {
    keywords,
    pipelining: keywords.has('PIPELINING'),
    chunking: keywords.has('CHUNKING'),
    dsn: keywords.has('DSN'),
    eightBitMime: keywords.has('8BITMIME'),
    // RFC 3030 §3 (3): only together.
    binaryMime: keywords.has('BINARYMIME') && keywords.has('CHUNKING'),
    smtpUtf8: keywords.has('SMTPUTF8'),
    startTls: keywords.has('STARTTLS'),
    requireTls: keywords.has('REQUIRETLS'),
    priority: keywords.has('MT-PRIORITY'),
    deliverBy: keywords.has('DELIVERBY'),
    deliverBySecondsMin: Number(/^\d{1,9}(?=,|$)/.exec(keywords.get('DELIVERBY') ?? '')?.[0] ?? 0),
    limits: parseLimits(keywords.get('LIMITS') ?? ''),
    size: size !== undefined,
    sizeOctetsMax: octets > 0 ? octets : undefined,
    isAuthenticated: false,
    mechanisms: (keywords.get('AUTH') ?? '')
      .toUpperCase()
      .split(' ')
      .filter((word) => word !== ''),
  };
}

/** RFC 9422 §3: up to six digits. */
const LIMIT = /^([A-Z0-9][A-Z0-9_-]*)=([1-9]\d{0,5})$/;

/** RFC 9422 §3: pairs that are not known, or not well-formed, limit nothing. */
function parseLimits(parameters: string): PeerLimits {
  const found = new Map<string, number>();
  for (const pair of parameters.toUpperCase().split(' ')) {
    const [, name = '', digits] = LIMIT.exec(pair) ?? [];
    if (digits !== undefined && !found.has(name)) found.set(name, Number(digits));
  }
  const limit = (name: string): number => found.get(name) ?? Number.POSITIVE_INFINITY;
  return {
    transactionsMax: limit('MAILMAX'),
    recipientsMax: limit('RCPTMAX'),
    recipientDomainsMax: limit('RCPTDOMAINMAX'),
  };
}

/** After HELO nothing is offered. */
export const NO_FEATURES: Features = parseFeatures({ code: 250, lines: [] });

const KEYWORD = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =](.*))?$/;
