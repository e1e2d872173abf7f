/**
 * Envelope addresses and paths: the value of MAIL FROM and RCPT TO. Units: code units of a decoded command line; one pass.
 * Source: RFC 5321 §4.1.2 (grammar), §4.1.1.3 and Appendix C (source routes are read and dropped), RFC 6531 §3.3 (UTF-8).
 */
import { LIMITS } from '../../base/limits.ts';
import type { DomainSyntax } from './domain.ts';
import { domainSyntax, isDomainName } from './domain.ts';

/** One mailbox of the envelope, decoded: a quoted local part stands here without quotes and backslashes. */
export type EnvelopeAddress = {
  readonly localPart: string;
  /** As the peer wrote it: case kept, address literal in its brackets. Empty only for "<Postmaster>" (RFC 5321 §4.1.1.3). */
  readonly domain: string;
  readonly domainSyntax: DomainSyntax;
  /** Nothing beyond ASCII in either half; otherwise only SMTPUTF8 can carry it. */
  readonly ascii: boolean;
};

/** RFC 5321 §4.5.5: the null path is a value of its own. */
export type ReversePath = EnvelopeAddress | null;
export type ForwardPath = EnvelopeAddress;

/** Where a path ends in the line, or what is wrong with it. */
export type PathScan =
  | { readonly kind: 'address'; readonly address: EnvelopeAddress; readonly end: number }
  | { readonly kind: 'null'; readonly end: number }
  /** "<Postmaster>" without a domain (RFC 5321 §4.1.1.3), in the case the peer wrote it. */
  | { readonly kind: 'postmaster'; readonly localPart: string; readonly end: number }
  | { readonly kind: 'malformed'; readonly problem: PathProblem };

export type PathProblem =
  | 'no-brackets'
  | 'source-route'
  | 'local-part'
  | 'domain'
  | 'unclosed'
  | 'local-part-too-long'
  | 'domain-too-long';

/** @param start offset of the "<" in `line` */
export function scanPath(line: string, start: number): PathScan {
  if (line.charCodeAt(start) !== LESS_THAN) return malformed('no-brackets');
  let at = start + 1;
  if (line.charCodeAt(at) === GREATER_THAN) return { kind: 'null', end: at + 1 };
  if (line.charCodeAt(at) === AT) {
    const routed = skipSourceRoute(line, at);
    if (routed === undefined) return malformed('source-route');
    at = routed;
  }
  const quoted = line.charCodeAt(at) === QUOTE;
  const localEnd = quoted ? quotedStringEnd(line, at) : dotStringEnd(line, at);
  if (localEnd === undefined || localEnd === at) return malformed('local-part');
  if (localEnd - at > LIMITS.smtpLocalPartOctetsMax) return malformed('local-part-too-long');
  const written = line.slice(at, localEnd);
  const localPart = quoted ? unquote(written) : written;
  if (line.charCodeAt(localEnd) === GREATER_THAN && localPart.toLowerCase() === 'postmaster')
    return { kind: 'postmaster', localPart, end: localEnd + 1 };
  if (line.charCodeAt(localEnd) !== AT) return malformed('local-part');
  const close = domainEnd(line, localEnd + 1);
  const domain = line.slice(localEnd + 1, close);
  if (line.charCodeAt(close) !== GREATER_THAN)
    return malformed(close === line.length ? 'unclosed' : 'domain');
  if (domain.length > LIMITS.smtpDomainOctetsMax) return malformed('domain-too-long');
  const syntax = domainSyntax(domain);
  if (syntax === undefined) return malformed('domain');
  const ascii = isAsciiText(localPart) && isAsciiText(domain);
  return { kind: 'address', address: { localPart, domain, domainSyntax: syntax, ascii }, end: close + 1 };
}

/** RFC 5321 §4.1.1.3: `<Postmaster>`, of whatever host is spoken with. */
export const POSTMASTER_PATH: ForwardPath = {
  localPart: 'postmaster',
  domain: '',
  domainSyntax: 'name',
  ascii: true,
};

/** A bare mailbox (`local@domain`), as configuration, queues and ORCPT write it. */
export function parseEnvelopeAddress(text: string): EnvelopeAddress | undefined {
  const scan = scanPath(`<${text}>`, 0);
  return scan.kind === 'address' && scan.end === text.length + 2 && !text.startsWith('@')
    ? scan.address
    : undefined;
}

/** `local@domain`, the local part quoted where it must be; the postmaster without a domain stays so. Reads back equal. */
export function formatEnvelopeAddress(address: {
  readonly localPart: string;
  readonly domain: string;
}): string {
  const localPart = formatLocalPart(address.localPart);
  return address.domain === '' ? localPart : `${localPart}@${address.domain}`;
}

/** With its brackets; the null path is `<>`. */
export function formatPath(path: ReversePath): string {
  return path === null ? '<>' : `<${formatEnvelopeAddress(path)}>`;
}

export function formatLocalPart(localPart: string): string {
  if (localPart !== '' && dotStringEnd(localPart, 0) === localPart.length) return localPart;
  return `"${localPart.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Dot-string: atext atoms with single dots between. Gives where it stops; undefined for a stray dot. */
function dotStringEnd(line: string, start: number): number | undefined {
  let at = start;
  let afterDot = true;
  for (; at < line.length; at += 1) {
    const code = line.charCodeAt(at);
    if (code === DOT) {
      if (afterDot) return undefined;
      afterDot = true;
    } else if (code < 0x80 ? ATEXT[code] === 1 : isUtf8NonAscii(code)) afterDot = false;
    else break;
  }
  return afterDot ? undefined : at;
}

/** DQUOTE *QcontentSMTP DQUOTE: printable ASCII, UTF-8, backslash before any printable ASCII. Gives where it stops. */
function quotedStringEnd(line: string, start: number): number | undefined {
  for (let at = start + 1; at < line.length; at += 1) {
    const code = line.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) {
      at += 1;
      const next = line.charCodeAt(at);
      if (!(next >= 0x20 && next <= 0x7e)) return undefined;
    } else if (code < 0x80 ? code < 0x20 || code === 0x7f : !isUtf8NonAscii(code)) return undefined;
  }
  return undefined;
}

function unquote(written: string): string {
  const inner = written.slice(1, -1);
  if (!inner.includes('\\')) return inner;
  let text = '';
  for (let at = 0; at < inner.length; at += 1) {
    if (inner.charCodeAt(at) === BACKSLASH) at += 1;
    text += inner.charAt(at);
  }
  return text;
}

/** The offset of the first character that no domain or address literal has. */
function domainEnd(line: string, start: number): number {
  let at = start;
  while (at < line.length) {
    const code = line.charCodeAt(at);
    if (code === GREATER_THAN || code <= 0x20 || code === AT || code === LESS_THAN) break;
    at += 1;
  }
  return at;
}

/** At-domain *("," At-domain) ":"; gives the offset after the colon. Source: RFC 5321 §4.1.2 (A-d-l). */
function skipSourceRoute(line: string, start: number): number | undefined {
  const limit = line.indexOf('>', start);
  const colon = line.indexOf(':', start);
  if (colon === -1 || limit === -1 || colon > limit) return undefined;
  for (const hop of line.slice(start, colon).split(',')) {
    if (!hop.startsWith('@') || !isDomainName(hop.slice(1))) return undefined;
  }
  return colon + 1;
}

function isAsciiText(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7e) return false;
  return true;
}

/** UTF8-non-ascii without the C1 controls, which no address means. */
function isUtf8NonAscii(code: number): boolean {
  return code > 0x9f;
}

function malformed(problem: PathProblem): PathScan {
  return { kind: 'malformed', problem };
}

const DOT = 0x2e;
const AT = 0x40;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;

/** RFC 5322 §3.2.3. */
const ATEXT: Uint8Array = new Uint8Array(0x80);
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")
  ATEXT[char.charCodeAt(0)] = 1;
