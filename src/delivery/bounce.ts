/**
 * Delivery status notifications: who is told what, and the message that tells it. Sources: RFC 3461 §5, §6 (when, and the
 * envelope), RFC 3464 (the report), RFC 6522 (multipart/report), RFC 6533 (beyond ASCII), RFC 3834 §3.1.8 (Auto-Submitted).
 *
 * A DSN goes to the reverse-path from the null reverse-path; a message from the null reverse-path never makes one.
 */
import { fromUtf8 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import { formatDate } from '../message/date.ts';
import { formatField } from '../message/header.ts';
import { encodeQuotedPrintable } from '../message/transfer.ts';
import type { QueuedMessage, QueuedRecipient } from '../queue/queue.ts';
import type { DsnAction, DsnOriginal, DsnRecipient, DsnRequest } from './dsn/request.ts';
import { statusPart } from './dsn/status.ts';
import { textPart } from './dsn/text.ts';
import { isBeyondAscii, plain } from './dsn/words.ts';

/** The DSN without the original, which the caller puts between, in quoted-printable where that is said. */
export type DsnFrame = {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly encoding: ReturnedEncoding;
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
};

export type ReturnedEncoding = '7bit' | '8bit' | 'quoted-printable';

/**
 * Whether the sender is to hear of it. RFC 3461 §4.1: no NOTIFY means FAILURE, and DELAY as we like (we do); NEVER is
 * an empty list.
 */
export function wantsDsn(
  message: Pick<QueuedMessage, 'reversePath'>,
  recipient: Pick<QueuedRecipient, 'notify'>,
  action: DsnAction,
): boolean {
  // RFC 5321 §6.1, RFC 3464 §2: never about a message that is such a report itself.
  if (message.reversePath === null) return false;
  const { notify } = recipient;
  switch (action) {
    case 'failed':
      return notify === undefined || notify.includes('failure');
    case 'delayed':
      return notify === undefined || notify.includes('delay');
    case 'delivered':
    case 'relayed':
    case 'expanded':
      return notify !== undefined && notify.includes('success');
  }
}

/**
 * How much of the original goes back. RFC 3461 §4.3: RET rules failures only, everything else takes the header; without
 * RET we choose. A binary message cannot stand in a part of ours (RFC 3030 §3).
 */
export function returnedPart(
  message: Pick<QueuedMessage, 'body' | 'dsn' | 'requireTls'>,
  octets: number,
  actions: readonly DsnAction[],
): 'message' | 'header' {
  if (!actions.includes('failed') || message.dsn.ret === 'hdrs' || message.body === 'binarymime')
    return 'header';
  // RFC 8689 §5: whatever RET says.
  if (message.requireTls) return 'header';
  const octetsMax = message.dsn.ret === 'full' ? LIMITS.dsnReturnedOctetsMax : LIMITS.dsnReturnedOctets;
  return octets <= octetsMax ? 'message' : 'header';
}

/**
 * RFC 6533 §4.5: an internationalized message goes back as it is only where the way back is internationalized itself;
 * elsewhere in seven bits, which its type allows, unlike message/rfc822. So does a header with eight bits, which no host
 * on the way could convert (RFC 6522 §3).
 */
export function returnedEncoding(
  { reversePath, smtpUtf8 }: Pick<QueuedMessage, 'reversePath' | 'smtpUtf8'>,
  returned: 'message' | 'header',
  eightBit: boolean,
): ReturnedEncoding {
  if (!eightBit) return '7bit';
  const isEncoded = (smtpUtf8 || returned === 'header') && !isBeyondAscii(reversePath ?? '');
  return isEncoded ? 'quoted-printable' : '8bit';
}

export function buildDsn(request: DsnRequest): DsnFrame {
  const { message, original, recipients, hostname, boundary, nowMs } = request;
  const global = isBeyondAscii(message.reversePath ?? '');
  const encoding = returnedEncoding(message, request.returned, request.eightBit);
  const text = textPart(request);
  const textEncoding: ReturnedEncoding = !isBeyondAscii(text) ? '7bit' : global ? '8bit' : 'quoted-printable';
  const status = statusPart(request, global);
  const statusIsGlobal = isBeyondAscii(status);
  const eightBit = [encoding, textEncoding, statusIsGlobal ? '8bit' : '7bit'].includes('8bit');
  const lines = [
    field('Date', formatDate(nowMs, 0)),
    field('From', `Mail Delivery System <MAILER-DAEMON@${hostname}>`),
    field('To', `<${message.reversePath ?? ''}>`),
    field('Subject', subjectOf(recipients)),
    field('Message-ID', `<${request.id}@${hostname}>`),
    ...answering(original),
    // RFC 3834 §5.2: never auto-generated.
    field('Auto-Submitted', 'auto-replied'),
    'MIME-Version: 1.0\r\n',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"\r\n`,
    ...(eightBit ? ['Content-Transfer-Encoding: 8bit\r\n'] : []),
    part(
      boundary,
      `text/plain; charset=${textEncoding === '7bit' ? 'us-ascii' : 'utf-8'}`,
      textEncoding,
      'Notification',
    ),
    textEncoding === 'quoted-printable' ? encodeQuotedPrintable(fromUtf8(text)) : text,
    part(
      boundary,
      statusIsGlobal ? 'message/global-delivery-status' : 'message/delivery-status',
      statusIsGlobal ? '8bit' : '7bit',
      'Delivery report',
    ),
    status,
    part(
      boundary,
      // RFC 6533 §4.4: the traditional types where nothing needs the others.
      RETURNED_TYPES[request.returned][message.smtpUtf8 && encoding !== '7bit' ? 'global' : 'plain'],
      encoding,
      request.returned === 'message' ? 'Undelivered message' : 'Message header',
    ),
  ];
  return {
    head: fromUtf8(lines.join('')),
    tail: fromUtf8(`\r\n--${boundary}--\r\n`),
    encoding,
    eightBit,
    smtpUtf8: global,
  };
}

const RETURNED_TYPES = {
  message: { plain: 'message/rfc822', global: 'message/global' },
  header: { plain: 'text/rfc822-headers', global: 'message/global-headers' },
} as const;

function part(boundary: string, type: string, encoding: ReturnedEncoding, description: string): string {
  const said = encoding === '7bit' ? '' : `Content-Transfer-Encoding: ${encoding}\r\n`;
  return `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Description: ${description}\r\n${said}\r\n`;
}

function subjectOf(recipients: readonly DsnRecipient[]): string {
  const actions = new Set(recipients.map(({ action }) => action));
  if (actions.has('failed')) return 'Your message could not be delivered';
  if (actions.has('delayed')) return 'Your message is delayed';
  return actions.has('delivered') ? 'Your message was delivered' : 'Your message was handed on';
}

/** RFC 3834 §3.1.6, RFC 5322 §3.6.4: so that a reader shows the report beside what it is about. */
function answering({ messageId, references }: DsnOriginal): readonly string[] {
  if (messageId === undefined || !isQuotable(messageId)) return [];
  const known = references.filter((id) => isQuotable(id) && id !== messageId);
  const kept = [...known.slice(0, 1), ...known.slice(1).slice(1 - REFERENCES_MAX), messageId];
  return [field('In-Reply-To', `<${messageId}>`), field('References', kept.map((id) => `<${id}>`).join(' '))];
}

/** The first, which names the thread, and the latest. */
const REFERENCES_MAX = 10;
const MESSAGE_ID_OCTETS_MAX = 250;

function isQuotable(id: string): boolean {
  return id.length <= MESSAGE_ID_OCTETS_MAX && /^[\x21-\x3b=\x3f-\x7e]+$/.test(id);
}

function field(name: string, value: string): string {
  return formatField(name, plain(value));
}
