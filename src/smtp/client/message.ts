/**
 * A message on its way out, and the command lines that its envelope makes. Sources: RFC 5321 §4.1.1, RFC 3461 §4, 1870,
 * 3030, 6152, 6531, 8689 §4.2, 2852 §4.1.4, 6710 §4.2.
 */
import type { OriginalRecipient } from '../wire/original-recipient.ts';
import { formatOriginalRecipient } from '../wire/original-recipient.ts';
import type { BodyType, DeliverByRequest, NotifyCondition } from '../wire/parameter.ts';
import { formatDeliverBy } from '../wire/parameter.ts';
import type { EnvelopeAddress, ReversePath } from '../wire/path.ts';
import { formatPath, scanPath } from '../wire/path.ts';
import { encodeXtext } from '../wire/xtext.ts';
import type { Features } from './features.ts';

export type OutgoingRecipient = {
  readonly forwardPath: EnvelopeAddress;
  readonly notify?: readonly NotifyCondition[] | undefined;
  readonly originalRecipient?: OriginalRecipient | undefined;
};

export type OutgoingMessage = {
  readonly reversePath: ReversePath;
  readonly recipients: readonly OutgoingRecipient[];
  /** '8BITMIME' where the content has octets above 127, 'BINARYMIME' where it is not lines of text (RFC 3030 §3). */
  readonly body: BodyType;
  /** A header field is beyond ASCII; addresses are looked at here. */
  readonly smtpUtf8: boolean;
  readonly ret?: 'FULL' | 'HDRS' | undefined;
  readonly envelopeId?: string | undefined;
  /** RFC 8689 §2: it goes only over a session that was verified, to a peer that keeps to that; the first is the caller's to see to. */
  readonly requireTls?: boolean;
  /** RFC 2852: as an instant; the peer is told the seconds that are left. */
  readonly deliverBy?: OutgoingDeliverBy | undefined;
  /** RFC 6710. */
  readonly priority?: number;
  /** Of the content, prefix included; line ends that are mended on the way do not count. */
  readonly octets: number;
  /** Prefix, then blob. Asked for once for each transaction; what it throws goes to the caller of `send`. */
  content(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
};

export type OutgoingDeliverBy = Omit<DeliverByRequest, 'seconds'> & { readonly byMs: number };

/** RFC 6531 §3.2: by what the caller says of the header, or by an address. */
export function needsSmtpUtf8({ smtpUtf8, reversePath, recipients }: OutgoingMessage): boolean {
  return smtpUtf8 || reversePath?.ascii === false || recipients.some(({ forwardPath }) => !forwardPath.ascii);
}

/** RFC 2852 §4.1.4: counted when MAIL is sent; negative where the time has passed. */
export function secondsLeft({ byMs }: OutgoingDeliverBy, nowMs: number): number {
  return Math.max(-SECONDS_MAX, Math.min(SECONDS_MAX, Math.floor((byMs - nowMs) / 1000)));
}

/** Undefined where the path cannot be written. */
export function mailLine(message: OutgoingMessage, features: Features, nowMs: number): string | undefined {
  const path = writable(message.reversePath);
  if (path === undefined) return undefined;
  let line = `MAIL FROM:${path}`;
  if (features.size) line += ` SIZE=${message.octets}`;
  if (features.eightBitMime && message.body === '8BITMIME') line += ' BODY=8BITMIME';
  if (features.binaryMime && message.body === 'BINARYMIME') line += ' BODY=BINARYMIME';
  if (features.smtpUtf8 && needsSmtpUtf8(message)) line += ' SMTPUTF8';
  // RFC 8689 §5: a report (null path) goes on without it rather than not at all.
  if (features.requireTls && message.requireTls === true) line += ' REQUIRETLS';
  const { deliverBy, priority } = message;
  if (features.deliverBy && deliverBy !== undefined)
    line += ` BY=${formatDeliverBy({ ...deliverBy, seconds: secondsLeft(deliverBy, nowMs) })}`;
  if (features.priority && priority !== undefined) line += ` MT-PRIORITY=${priority}`;
  // RFC 4954 §5: whom we have the message from is not for the next hop to rely on.
  if (features.isAuthenticated) line += ' AUTH=<>';
  if (features.dsn) {
    if (message.ret !== undefined) line += ` RET=${message.ret}`;
    if (message.envelopeId !== undefined) line += ` ENVID=${encodeXtext(message.envelopeId)}`;
  }
  return `${line}\r\n`;
}

/**
 * RFC 2852 §4.1.4.2: a peer that cannot be told of the time, which is still to come, is asked to tell of delays.
 */
export function asksForDelay({ deliverBy }: OutgoingMessage, features: Features, nowMs: number): boolean {
  return !features.deliverBy && deliverBy?.mode === 'notify' && nowMs < deliverBy.byMs;
}

export function rcptLine(
  recipient: OutgoingRecipient,
  features: Features,
  isDelayAsked: boolean,
): string | undefined {
  const path = writable(recipient.forwardPath);
  if (path === undefined) return undefined;
  let line = `RCPT TO:${path}`;
  const { originalRecipient } = recipient;
  if (features.dsn) {
    const notify = isDelayAsked ? withDelay(recipient.notify) : recipient.notify;
    if (notify !== undefined) line += ` NOTIFY=${notify.length === 0 ? 'NEVER' : notify.join(',')}`;
    const original =
      originalRecipient === undefined
        ? undefined
        : formatOriginalRecipient(originalRecipient, features.smtpUtf8);
    if (original !== undefined) line += ` ORCPT=${original}`;
  }
  return `${line}\r\n`;
}

function withDelay(notify: readonly NotifyCondition[] = ['FAILURE']): readonly NotifyCondition[] {
  return notify.length === 0 || notify.includes('DELAY') ? notify : [...notify, 'DELAY'];
}

/** Only what reads back as one path goes out: no address, wherever it came from, writes a command of its own. */
function writable(path: ReversePath): string | undefined {
  const text = formatPath(path);
  const scan = scanPath(text, 0);
  return (scan.kind === 'address' || scan.kind === 'null') && scan.end === text.length ? text : undefined;
}

/** RFC 2852 §4: nine digits. */
const SECONDS_MAX = 999_999_999;
