/**
 * The part of a report that programs read. Sources: RFC 3464 §2 (the fields), RFC 3461 §6.3 (which of them, for mail that came
 * by SMTP), RFC 2852 §5 (Deliver-By-Date), RFC 4865 §5.1.2 (Future-Release-Request),
 * RFC 6533 §3 and §4.1 (beyond ASCII).
 */
import { formatDate } from '../../message/date.ts';
import { formatField } from '../../message/header.ts';
import type { LastAnswer } from '../../queue/queue.ts';
import { addressLiteral } from '../../smtp/wire/domain.ts';
import { decodeXtext } from '../../smtp/wire/xtext.ts';
import type { DsnAction, DsnRecipient, DsnRequest } from './request.ts';
import {
  escaped,
  escapedAddress,
  isBeyondAscii,
  plain,
  unescapedAddress,
  withoutLongWords,
} from './words.ts';

/** @param global what is not ASCII stays as it is: message/global-delivery-status */
export function statusPart(request: DsnRequest, global: boolean): string {
  const groups = request.recipients.map((recipient) => `\r\n${recipientFields(recipient, request, global)}`);
  return `${messageFields(request, global)}${groups.join('')}`;
}

/** RFC 3464 §2.2. */
function messageFields({ message, hostname }: DsnRequest, global: boolean): string {
  const { dsn, source, deliverBy, releaseRequest } = message;
  return [
    // RFC 3461 §6.3 (a): decoded, and only where there was one.
    ...(dsn.envid === undefined ? [] : [field('Original-Envelope-Id', said(dsn.envid, global))]),
    field('Reporting-MTA', `dns; ${hostname}`),
    ...(source.remote === undefined
      ? []
      : [field('Received-From-MTA', receivedFrom(source.helo, source.remote, global))]),
    field('Arrival-Date', formatDate(message.arrivedAtMs, 0)),
    ...(deliverBy === undefined ? [] : [field('Deliver-By-Date', formatDate(deliverBy.byMs, 0))]),
    ...(releaseRequest === undefined ? [] : [field('Future-Release-Request', releaseRequest)]),
    // RFC 3464 §2.4: so that whoever runs this host finds the message in its trace.
    field('X-Postrider-Queue-ID', message.id),
  ].join('');
}

/** RFC 3464 §2.2.4: the name that the client gave, and its address in a comment. */
function receivedFrom(helo: string | undefined, remote: string, global: boolean): string {
  const literal = addressLiteral(remote);
  const name = helo === undefined ? literal : said(helo, global);
  return `dns; ${name} (${literal})`;
}

/** RFC 3461 §9.3: a name, or an address in brackets. */
function hostName(host: string): string {
  return /^[0-9.]+$|:/.test(host) ? addressLiteral(host) : host;
}

/** RFC 3464 §2.3. */
function recipientFields(
  { recipient, action, answer }: DsnRecipient,
  { message, nowMs }: DsnRequest,
  global: boolean,
): string {
  const original = originalRecipient(recipient.originalRecipient, global);
  return [
    // Departs from RFC 3461 §6.3 (d), as Postfix does: an alias that came without ORCPT is named all the same, for the
    // address behind it may tell the sender nothing.
    ...(original === undefined ? [] : [field('Original-Recipient', original)]),
    field('Final-Recipient', typedAddress(recipient.forwardPath, global)),
    field('Action', action),
    field('Status', statusFor(action, answer)),
    ...(answer?.host === undefined
      ? []
      : [field('Remote-MTA', `dns; ${said(hostName(answer.host), global)}`)]),
    ...(answer === undefined || answer.text === '' ? [] : [diagnostic(answer, global)]),
    // RFC 3464 §2.3.7: not where nothing was tried.
    ...(action === 'expanded' ? [] : [field('Last-Attempt-Date', formatDate(answer?.atMs ?? nowMs, 0))]),
    ...(action === 'delayed' ? [field('Will-Retry-Until', formatDate(message.expiresAtMs, 0))] : []),
  ].join('');
}

/**
 * RFC 3464 §2.3.3: what failed because time ran out keeps its temporary status, which tells it from an address that is no
 * good. Otherwise the class is the action's.
 */
export function statusFor(action: DsnAction, answer: LastAnswer | undefined): string {
  const kind = { failed: '5', delayed: '4', delivered: '2', relayed: '2', expanded: '2' }[action];
  if (answer === undefined) return `${kind}.0.0`;
  const { status } = answer;
  return status.startsWith(kind) || (action === 'failed' && status.startsWith('4'))
    ? status
    : `${kind}${status.slice(1)}`;
}

/** RFC 3464 §2.3.6: what a peer said is of type smtp; what we found out ourselves is not. */
function diagnostic(answer: LastAnswer, global: boolean): string {
  const type = answer.host === undefined ? 'X-Postrider' : 'smtp';
  return field('Diagnostic-Code', `${type}; ${said(withoutLongWords(plain(answer.text)), global)}`);
}

/** RFC 6533 §3: an address beyond ASCII has a type of its own; elsewhere than in a global report it is escaped. */
function typedAddress(address: string, global: boolean): string {
  if (!isBeyondAscii(address)) return `rfc822; ${plain(address)}`;
  return `utf-8; ${global ? plain(address) : escapedAddress(plain(address))}`;
}

/** RFC 3464 §2.3.1: as the sender gave it in ORCPT, decoded. */
function originalRecipient(value: string | undefined, global: boolean): string | undefined {
  if (value === undefined) return undefined;
  const semicolon = value.indexOf(';');
  const type = value.slice(0, semicolon).toLowerCase();
  const written = value.slice(semicolon + 1);
  // RFC 6533 §3: the three forms of this type are one in a global report, and the first of them elsewhere.
  if (type === 'utf-8') {
    const address = plain(unescapedAddress(written));
    return `utf-8; ${global ? address : escapedAddress(address)}`;
  }
  const text = decodeXtext(written) ?? written;
  return type === 'rfc822' ? typedAddress(text, global) : `${plain(type)}; ${said(text, global)}`;
}

function said(text: string, global: boolean): string {
  return global ? plain(text) : escaped(plain(text));
}

function field(name: string, value: string): string {
  return formatField(name, plain(value));
}
