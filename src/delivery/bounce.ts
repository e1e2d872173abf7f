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
import type { LastAnswer, NewRecipient, QueuedMessage, QueuedRecipient } from '../queue/queue.ts';
import { decodeXtext } from '../smtp/wire/xtext.ts';

/** RFC 3464 §2.3.3. */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export type DsnRecipient = {
  readonly recipient: Pick<NewRecipient, 'forwardPath' | 'originalRecipient' | 'notify' | 'reversePath'>;
  readonly action: DsnAction;
  readonly answer: LastAnswer | undefined;
};

export type DsnRequest = {
  readonly message: Pick<
    QueuedMessage,
    'id' | 'reversePath' | 'smtpUtf8' | 'body' | 'dsn' | 'arrivedAtMs' | 'expiresAtMs'
  >;
  /** At least one. */
  readonly recipients: readonly DsnRecipient[];
  /** RFC 3464 §2.2.2: our name. */
  readonly hostname: string;
  /** Of the DSN itself. */
  readonly id: string;
  readonly nowMs: number;
  /** Letters and digits that the returned message cannot contain but by design. */
  readonly boundary: string;
  /** The original has octets beyond ASCII where it is returned. */
  readonly eightBit: boolean;
  /** What of the original follows {@link DsnFrame.head}. */
  readonly returned: 'message' | 'header';
};

/** The DSN without the original, which the caller puts between. */
export type DsnFrame = {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
};

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

export function buildDsn(request: DsnRequest): DsnFrame {
  const { message, recipients, hostname, boundary, nowMs } = request;
  const utf8 = isBeyondAscii([
    message.reversePath ?? '',
    ...recipients.map(({ recipient }) => recipient.forwardPath),
  ]);
  // RFC 6533 §4: the global types wherever the message or its envelope is internationalized.
  const global = utf8 || message.smtpUtf8;
  const text = utf8 ? textOf(request) : escaped(textOf(request));
  const status = statusFields(request, global);
  const statusEightBit = isBeyondAscii([status]);
  const eightBit = request.eightBit || utf8 || statusEightBit;
  const lines = [
    field('Date', formatDate(nowMs, 0)),
    field('From', `Mail Delivery System <MAILER-DAEMON@${hostname}>`),
    field('To', `<${message.reversePath ?? ''}>`),
    field('Subject', subjectOf(recipients)),
    field('Message-ID', `<${request.id}@${hostname}>`),
    field('Auto-Submitted', 'auto-replied'),
    'MIME-Version: 1.0\r\n',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"\r\n`,
    ...(eightBit ? ['Content-Transfer-Encoding: 8bit\r\n'] : []),
    part(boundary, `text/plain; charset=${utf8 ? 'utf-8' : 'us-ascii'}`, utf8, 'Notification'),
    text,
    part(
      boundary,
      global ? 'message/global-delivery-status' : 'message/delivery-status',
      statusEightBit,
      'Delivery report',
    ),
    status,
    returnedHead(request, global),
  ];
  return {
    head: fromUtf8(lines.join('')),
    tail: fromUtf8(`\r\n--${boundary}--\r\n`),
    eightBit,
    smtpUtf8: isBeyondAscii([message.reversePath ?? '']),
  };
}

function returnedHead({ returned, eightBit, boundary }: DsnRequest, global: boolean): string {
  if (returned === 'message')
    return part(boundary, global ? 'message/global' : 'message/rfc822', eightBit, 'Undelivered message');
  return part(
    boundary,
    global ? 'message/global-headers' : 'text/rfc822-headers',
    eightBit,
    'Message header',
  );
}

function part(boundary: string, type: string, eightBit: boolean, description: string): string {
  const encoding = eightBit ? 'Content-Transfer-Encoding: 8bit\r\n' : '';
  return `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Description: ${description}\r\n${encoding}\r\n`;
}

function subjectOf(recipients: readonly DsnRecipient[]): string {
  const actions = new Set(recipients.map(({ action }) => action));
  if (actions.has('failed')) return 'Your message could not be delivered';
  if (actions.has('delayed')) return 'Your message is delayed';
  return actions.has('delivered') ? 'Your message was delivered' : 'Your message was handed on';
}

const SAID: Record<DsnAction, string> = {
  failed: 'Your message could not be delivered to',
  delayed: 'Your message could not be delivered yet to',
  delivered: 'Your message was delivered to',
  relayed: 'Your message was handed on, to a host that does not report delivery, for',
  expanded: 'Your message was handed on to everybody behind',
};

function textOf({ message, recipients, hostname, nowMs }: DsnRequest): string {
  const lines = [`This is the mail system at ${hostname}.`, ''];
  for (const action of ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const) {
    const these = recipients.filter((one) => one.action === action);
    if (these.length === 0) continue;
    lines.push(`${SAID[action]}:`, '');
    for (const { recipient, answer } of these) {
      lines.push(`  ${plain(recipient.forwardPath)}`);
      if (answer === undefined || answer.text === '') continue;
      lines.push(answer.host === undefined ? '' : `    ${plain(answer.host)} said:`);
      for (const line of wrapped(withoutLongWords(plain(answer.text)))) lines.push(`    ${line}`);
      lines.push('');
    }
    if (action === 'delayed') {
      const hours = Math.max(1, Math.round((message.expiresAtMs - nowMs) / 3_600_000));
      lines.push(
        `We go on trying for ${hours} more hour${hours === 1 ? '' : 's'}. You need not send it again.`,
        '',
      );
    }
  }
  lines.push(`The message's id here is ${message.id}.`, '');
  return lines.filter((line, index) => line !== '' || lines[index - 1] !== '').join('\r\n');
}

/** RFC 3464 §2.2 and §2.3. */
function statusFields({ message, recipients, hostname, nowMs }: DsnRequest, global: boolean): string {
  const perMessage = [
    ...(message.dsn.envid === undefined
      ? []
      : [field('Original-Envelope-Id', statusText(message.dsn.envid, global))]),
    field('Reporting-MTA', `dns; ${hostname}`),
    field('Arrival-Date', formatDate(message.arrivedAtMs, 0)),
  ];
  const groups = recipients.map(({ recipient, action, answer }) => {
    const original = originalRecipient(recipient.originalRecipient, global);
    const lines = [
      ...(original === undefined ? [] : [field('Original-Recipient', original)]),
      field('Final-Recipient', typedAddress(recipient.forwardPath, global)),
      field('Action', action),
      field('Status', statusFor(action, answer)),
      ...(answer?.host === undefined ? [] : [field('Remote-MTA', `dns; ${statusText(answer.host, global)}`)]),
      ...(answer === undefined || answer.text === '' ? [] : [diagnostic(answer, global)]),
      field('Last-Attempt-Date', formatDate(answer?.atMs ?? nowMs, 0)),
      ...(action === 'delayed' ? [field('Will-Retry-Until', formatDate(message.expiresAtMs, 0))] : []),
    ];
    return `\r\n${lines.join('')}`;
  });
  return `${perMessage.join('')}${groups.join('')}`;
}

/** RFC 3464 §2.3.4: the class agrees with the action. */
function statusFor(action: DsnAction, answer: LastAnswer | undefined): string {
  const kind = { failed: '5', delayed: '4', delivered: '2', relayed: '2', expanded: '2' }[action];
  if (answer === undefined) return `${kind}.0.0`;
  return answer.status.startsWith(kind) ? answer.status : `${kind}${answer.status.slice(1)}`;
}

/** RFC 3464 §2.3.6: what a peer said is of type smtp; what we found out ourselves is not. */
function diagnostic(answer: LastAnswer, global: boolean): string {
  const type = answer.host === undefined ? 'X-Postrider' : 'smtp';
  return field('Diagnostic-Code', `${type}; ${statusText(withoutLongWords(plain(answer.text)), global)}`);
}

/** RFC 6533 §3: an address beyond ASCII has a type of its own; elsewhere than in a global report it is escaped. */
function typedAddress(address: string, global: boolean): string {
  if (!isBeyondAscii([address])) return `rfc822; ${plain(address)}`;
  return `utf-8; ${global ? plain(address) : escaped(address)}`;
}

/** RFC 3464 §2.3.1: as the sender gave it in ORCPT, decoded. */
function originalRecipient(value: string | undefined, global: boolean): string | undefined {
  if (value === undefined) return undefined;
  const semicolon = value.indexOf(';');
  const type = value.slice(0, semicolon).toLowerCase();
  const text = decodeXtext(value.slice(semicolon + 1)) ?? value.slice(semicolon + 1);
  return type === 'rfc822' ? typedAddress(text, global) : `${plain(type)}; ${statusText(text, global)}`;
}

function statusText(text: string, global: boolean): string {
  return global ? plain(text) : escaped(plain(text));
}

/** RFC 6533 §3: `\x{E4}` for what is not ASCII. */
function escaped(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\r\n]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0xfffd;
    return `\\x{${code.toString(16).toUpperCase()}}`;
  });
}

/** Controls, line ends among them, become spaces: nothing a peer said makes a line or a field of its own. */
function plain(text: string): string {
  return text.toWellFormed().replaceAll(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, ' ');
}

function isBeyondAscii(texts: readonly string[]): boolean {
  return texts.some((text) => /[^\x00-\x7f]/.test(text));
}

function field(name: string, value: string): string {
  return formatField(name, plain(value));
}

const TEXT_COLUMNS = 72;
/** RFC 5322 §2.1.1: no line above 998 octets, however a word of a peer is written in it. */
const WORD_OCTETS_MAX = 900;
/** Characters of which each piece stays below, at ten octets for an escaped one. */
const PIECE_CHARACTERS = 90;

/** A peer's words, those that would fill more than a line cut in pieces. */
function withoutLongWords(text: string): string {
  const words = text.split(' ').flatMap((word) => {
    if (Math.max(Buffer.byteLength(word), escaped(word).length) <= WORD_OCTETS_MAX) return [word];
    const characters = Array.from(word);
    const pieces: string[] = [];
    for (let at = 0; at < characters.length; at += PIECE_CHARACTERS)
      pieces.push(characters.slice(at, at + PIECE_CHARACTERS).join(''));
    return pieces;
  });
  return words.join(' ');
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > TEXT_COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}
