/**
 * The trace fields of a message. Every value comes from checked syntax or is reduced to it, so that no peer can put a
 * field, a comment or a line of its own into them.
 * Sources: RFC 5321 §4.4, RFC 3848 (the protocol's names), RFC 6531 §4.3 (UTF8SMTP…), RFC 8314 §4.3 (tls clause), RFC 5322 §3.3.
 */
import type { TlsInfo } from '../../base/connection.ts';
import { formatDate } from '../../message/date.ts';
import { addressLiteral, domainSyntax } from '../wire/domain.ts';
import type { ForwardPath } from '../wire/path.ts';
import { formatPath } from '../wire/path.ts';
import type { SessionFacts } from './ports.ts';

export type ReceivedFacts = {
  readonly hostname: string;
  readonly traceId: string;
  readonly session: Pick<SessionFacts, 'hello' | 'remote' | 'tls' | 'principal' | 'role' | 'standsFor'>;
  readonly smtpUtf8: boolean;
  /** MT-PRIORITY as it was granted. */
  readonly priority: number | undefined;
  /** Given only where there is exactly one: others would tell recipients of each other (RFC 5321 §7.2). */
  readonly recipient: ForwardPath | undefined;
  readonly receivedAtMs: number;
};

/** One folded `Received` field with its CRLF. */
export function formatReceived(facts: ReceivedFacts): string {
  const { session } = facts;
  const literal = addressLiteral(session.remote.address);
  const said = session.hello?.domain ?? '';
  // RFC 5321 §4.4: what EHLO said, and beside it the address that the connection shows.
  // RFC 6531 §3.7.3: UTF-8 stands in a trace field only of a message that is carried with SMTPUTF8.
  const isSayable = domainSyntax(said) !== undefined && (facts.smtpUtf8 || ASCII.test(said));
  const from = isSayable ? said : literal;
  // RFC 5321 §4.1.3 (TCP-info): the name that the DNS has for the address, where we are told it.
  const known = session.standsFor?.name ?? '';
  const name = domainSyntax(known) === 'name' ? `${known} ` : '';
  const lines = [
    `Received: from ${from} (${name}${literal})`,
    `\tby ${facts.hostname} with ${protocolName(facts)} id ${facts.traceId}${tlsComment(session.tls)}`,
  ];
  const { recipient } = facts;
  // RFC 5321 §4.4: a path, which "<Postmaster>" alone is not.
  if (recipient !== undefined && recipient.domain !== '' && (recipient.ascii || facts.smtpUtf8))
    lines.push(`\tfor ${formatPath(recipient)}`);
  // RFC 6710 §7.
  if (facts.priority !== undefined) lines.push(`\tPRIORITY ${facts.priority}`);
  return `${lines.join('\r\n')};\r\n\t${formatDate(facts.receivedAtMs, 0)}\r\n`;
}

/** SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, the same with LMTP, and with UTF8 before. Source: RFC 3848, RFC 6531 §4.3. */
export function protocolName({ session, smtpUtf8 }: Pick<ReceivedFacts, 'session' | 'smtpUtf8'>): string {
  const suffix = `${session.tls === undefined ? '' : 'S'}${session.principal === undefined ? '' : 'A'}`;
  if (session.role.name === 'lmtp') return `${smtpUtf8 ? 'UTF8LMTP' : 'LMTP'}${suffix}`;
  if (smtpUtf8) return `UTF8SMTP${suffix}`;
  // RFC 3848 has no name for HELO under TLS or with AUTH; then ESMTP tells more truth than SMTP.
  return session.hello?.verb === 'HELO' && suffix === '' ? 'SMTP' : `ESMTP${suffix}`;
}

const ASCII = /^[\x20-\x7e]*$/;

function tlsComment(tls: TlsInfo | undefined): string {
  if (tls === undefined) return '';
  const bits = tls.keyBits === undefined ? '' : ` bits=${tls.keyBits}`;
  return `\r\n\t(version=${atom(tls.protocol)} cipher=${atom(tls.cipher)}${bits})`;
}

function atom(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]/g, '');
}
