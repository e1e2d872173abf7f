/**
 * What a client's certificate says of its holder: its fingerprint, and the addresses that it was issued for. Sources:
 * RFC 5280 §4.2.1.6 (rfc822Name), RFC 9598 §3 (SmtpUTF8Mailbox). The subject's own fields say nothing: they are free text.
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { CertificateNames } from '../auth/authentication.ts';
import type { ChannelCertificate } from '../sasl/mechanism.ts';

const ADDRESSES_MAX = 20;

/** One name as Node prints it: a kind, and a value that stands in quotes, as in JSON, where it could be taken for more. */
const NAME = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/g;
const MAILBOX = 'SmtpUTF8Mailbox:';

export function certificateNames({ der, isVerified }: ChannelCertificate): CertificateNames {
  const fingerprint = createHash('sha256').update(der).digest('hex');
  if (!isVerified) return { fingerprint, addresses: [] };
  try {
    return { fingerprint, addresses: addressesOf(new X509Certificate(der).subjectAltName ?? '') };
  } catch {
    // What OpenSSL took in the handshake it reads here too; if ever not, the certificate has no names.
    return { fingerprint, addresses: [] };
  }
}

export function addressesOf(names: string): readonly string[] {
  const found = new Set<string>();
  for (const [, kind = '', quoted = ''] of names.matchAll(NAME)) {
    const value = unquote(quoted);
    if (kind === 'email') found.add(value);
    if (kind === 'othername' && value.startsWith(MAILBOX)) found.add(value.slice(MAILBOX.length));
  }
  return [...found].slice(0, ADDRESSES_MAX);
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  const value: unknown = JSON.parse(text);
  return typeof value === 'string' ? value : '';
}
