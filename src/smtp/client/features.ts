/** What a peer offers in its answer to EHLO or LHLO. Source: RFC 5321 §4.1.1.1. */
import type { PeerReply } from '../wire/reply.ts';

export type Features = {
  /** Keyword in capitals, with its parameters as they came. */
  readonly keywords: ReadonlyMap<string, string>;
  readonly pipelining: boolean;
  readonly chunking: boolean;
  readonly dsn: boolean;
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
  readonly startTls: boolean;
  readonly requireTls: boolean;
  /** SIZE is offered; its number, where it is one and not 0 (RFC 1870 §4: 0 means no fixed limit). */
  readonly size: boolean;
  readonly sizeOctetsMax: number | undefined;
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
    smtpUtf8: keywords.has('SMTPUTF8'),
    startTls: keywords.has('STARTTLS'),
    requireTls: keywords.has('REQUIRETLS'),
    size: size !== undefined,
    sizeOctetsMax: octets > 0 ? octets : undefined,
    mechanisms: (keywords.get('AUTH') ?? '')
      .toUpperCase()
      .split(' ')
      .filter((word) => word !== ''),
  };
}

/** After HELO nothing is offered. */
export const NO_FEATURES: Features = parseFeatures({ code: 250, lines: [] });

const KEYWORD = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =](.*))?$/;
