/**
 * Messages that the server itself writes: a header and a text, or a report with its parts (multipart/report, RFC 6522).
 * Pure: dates, ids and boundaries come from the caller. All lines end in CRLF.
 *
 * Source: RFC 5322 §3.6, RFC 2045, RFC 3464 (delivery status), RFC 6533 (the same in UTF-8).
 */
import { fromLatin1, fromUtf8, toBuffer } from '../base/bytes.ts';
import type { Address } from './address.ts';
import { formatAddresses } from './address.ts';
import { formatDate } from './date.ts';
import { encodeWords } from './encoded-word.ts';
import { formatField } from './header.ts';
import { encodeQuotedPrintable } from './transfer.ts';

export type MessageHead = {
  readonly from: readonly Address[];
  readonly to: readonly Address[];
  readonly subject: string;
  /** Milliseconds since the epoch, and minutes east of Greenwich to write it in. */
  readonly dateMs: number;
  readonly zoneMinutes: number;
  /** Without brackets. */
  readonly messageId: string;
  /** Of the message that this one answers. */
  readonly inReplyTo?: string;
  readonly references?: readonly string[];
  /** Further fields in this order; values are text and may be non-ASCII. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
};

/** Fields of one group of a delivery status: per message, or per recipient. RFC 3464 §2.1. */
export type StatusGroup = readonly (readonly [name: string, value: string])[];

export type Report = {
  readonly head: MessageHead;
  /** 'delivery-status' or 'disposition-notification'. */
  readonly reportType: 'delivery-status' | 'disposition-notification';
  /** For people, LF or CRLF at line ends. */
  readonly text: string;
  /** The first for the message, the others for a recipient each. */
  readonly groups: readonly StatusGroup[];
  /** The message that is reported on, or its header. */
  readonly returned?: { readonly kind: 'message' | 'header'; readonly octets: Uint8Array };
  /** Must not occur in the parts; the caller makes it from chance. */
  readonly boundary: string;
};

/** A text/plain message. */
export function buildMessage(head: MessageHead, text: string): Buffer {
  return Buffer.concat([fromUtf8(formatHead(head)), fromUtf8(textPart(text))]);
}

export function buildReport(report: Report): Buffer {
  const { boundary, reportType, returned } = report;
  const returnedOctets = returned === undefined ? undefined : toBuffer(returned.octets);
  const eightBit = returnedOctets !== undefined && has8Bit(returnedOctets);
  const status = report.groups.map(formatGroup).join('\r\n');
  const global = /[^\x00-\x7f]/.test(status);
  // RFC 6533 §4.1: a status in UTF-8 has a type of its own.
  const statusType = global ? `message/global-${reportType}` : `message/${reportType}`;
  const contentType = `multipart/report; report-type=${global ? `global-${reportType}` : reportType}; boundary="${boundary}"`;
  const start =
    `${formatHead(report.head)}${formatField('Content-Type', contentType)}` +
    `${eightBit || global ? 'Content-Transfer-Encoding: 8bit\r\n' : ''}\r\n` +
    `--${boundary}\r\n${textPart(report.text, false)}\r\n` +
    `--${boundary}\r\nContent-Type: ${statusType}\r\n` +
    `${global ? 'Content-Transfer-Encoding: 8bit\r\n' : ''}\r\n${status}`;
  const end = `\r\n--${boundary}--\r\n`;
  if (returned === undefined || returnedOctets === undefined) return fromUtf8(start + end);
  const returnedType = typeOfReturned(returned.kind, returnedOctets);
  const head =
    `\r\n--${boundary}\r\nContent-Type: ${returnedType}\r\n` +
    `${eightBit ? 'Content-Transfer-Encoding: 8bit\r\n' : ''}\r\n`;
  return Buffer.concat([fromUtf8(start), fromLatin1(head), returnedOctets, fromLatin1(end)]);
}

/** The fields of a message up to those of its content, without the blank line. */
export function formatHead(head: MessageHead): string {
  let out = formatField('From', formatAddresses(head.from));
  if (head.to.length > 0) out += formatField('To', formatAddresses(head.to));
  out += formatField('Subject', encodeWords(head.subject));
  out += formatField('Date', formatDate(head.dateMs, head.zoneMinutes));
  out += formatField('Message-ID', `<${head.messageId}>`);
  if (head.inReplyTo !== undefined) out += formatField('In-Reply-To', `<${head.inReplyTo}>`);
  if (head.references !== undefined && head.references.length > 0) {
    out += formatField('References', head.references.map((id) => `<${id}>`).join(' '));
  }
  for (const [name, value] of head.fields ?? []) out += formatField(name, encodeWords(value));
  return `${out}MIME-Version: 1.0\r\n`;
}

/** Fields and body of a text/plain part: as it is where it is short lines of ASCII, else quoted-printable. */
function textPart(text: string, isWhole = true): string {
  const octets = fromUtf8(text);
  const plain = /^[\t\r\n\x20-\x7e]*$/.test(text) && text.split('\n').every((line) => line.length <= 78);
  const body = plain ? text.replace(/\r\n|\r|\n/g, '\r\n') : encodeQuotedPrintable(octets);
  const ended = body === '' || body.endsWith('\r\n') || !isWhole ? body : `${body}\r\n`;
  const encoding = plain ? '7bit' : 'quoted-printable';
  return `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${ended}`;
}

function formatGroup(group: StatusGroup): string {
  return group.map(([name, value]) => formatField(name, value)).join('');
}

/** RFC 6533 §4.2 and §4.3: a header in UTF-8 asks for the types that allow it. */
function typeOfReturned(kind: 'message' | 'header', octets: Buffer): string {
  const blank = octets.indexOf('\n\r\n');
  const bare = octets.indexOf('\n\n');
  const end = blank >= 0 && (bare < 0 || blank < bare) ? blank : bare;
  const global = has8Bit(end < 0 ? octets : octets.subarray(0, end));
  if (kind === 'message') return global ? 'message/global' : 'message/rfc822';
  return global ? 'message/global-headers' : 'text/rfc822-headers';
}

function has8Bit(octets: Buffer): boolean {
  return octets.some((octet) => octet > 0x7f);
}
