/**
 * ENVELOPE, BODY and BODYSTRUCTURE as the octets that IMAP sends, made once and kept. Raw text in and out: one octet,
 * one code unit. 8-bit text travels in literals, which both IMAP4rev1 and IMAP4rev2 allow; NUL cannot (RFC 9051 §4.3)
 * and is sent as a question mark.
 *
 * A multipart or message that was not looked into is shown as application/octet-stream, as Dovecot does.
 * Source: RFC 9051 §7.5.2 and §9 (body, envelope).
 */
import { asciiUpper } from './ascii.ts';
import type { Address, MailboxAddress } from './address.ts';
import type { Description, Part } from './entity.ts';
import type { Envelope } from './envelope.ts';
import { toEnvelope } from './envelope.ts';
import type { Parameter } from './parameter.ts';

const PLAIN = /^[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]*$/;
const NEEDS_LITERAL = /[\0\r\n\x80-\xff]/;

/** A quoted string or a literal. */
export function imapString(raw: string): string {
  if (PLAIN.test(raw)) return `"${raw}"`;
  if (NEEDS_LITERAL.test(raw)) {
    return `{${raw.length}}\r\n${raw.includes('\0') ? raw.replaceAll('\0', '?') : raw}`;
  }
  return `"${raw.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

export function imapNstring(raw: string | undefined): string {
  return raw === undefined ? 'NIL' : imapString(raw);
}

export function formatEnvelope(envelope: Envelope): string {
  const from = addressList(envelope.from);
  const sender = envelope.sender === envelope.from ? from : addressList(envelope.sender);
  const replyTo = envelope.replyTo === envelope.from ? from : addressList(envelope.replyTo);
  return (
    `(${imapNstring(envelope.date)} ${imapNstring(envelope.subject)} ${from} ${sender} ${replyTo}` +
    ` ${addressList(envelope.to)} ${addressList(envelope.cc)} ${addressList(envelope.bcc)}` +
    ` ${imapNstring(envelope.inReplyTo)} ${imapNstring(envelope.messageId)})`
  );
}

function addressList(addresses: readonly Address[]): string {
  if (addresses.length === 0) return 'NIL';
  let out = '(';
  for (const address of addresses) {
    if (address.kind === 'mailbox') {
      out += mailbox(address);
    } else {
      out += `(NIL NIL ${imapString(address.name)} NIL)`;
      for (const member of address.members) out += mailbox(member);
      out += '(NIL NIL NIL NIL)';
    }
  }
  return `${out})`;
}

/** NIL as a host would mean a group, so a missing domain is the empty string. */
function mailbox({ name, route, localPart, domain }: MailboxAddress): string {
  return `(${name === '' ? 'NIL' : imapString(name)} ${imapNstring(route)} ${imapString(localPart)} ${imapString(domain)})`;
}

/** The two forms of one structure: BODY, and BODYSTRUCTURE with its extension data. */
export type BodyForms = { readonly body: string; readonly bodyStructure: string };

export function formatBody(part: Part): BodyForms {
  const [root] = part.children;
  if (part.kind === 'multipart') return multipart(part);
  if (part.kind === 'leaf' || root === undefined) {
    return forms(part.type === 'text' ? `(${basics(part)} ${part.bodyLines}` : `(${basics(part)}`, part);
  }
  const start = `(${basics(part)} ${formatEnvelope(toEnvelope(root.fields))}`;
  const inner = formatBody(root);
  return {
    body: `${start} ${inner.body} ${part.bodyLines})`,
    bodyStructure: `${start} ${inner.bodyStructure} ${part.bodyLines} ${imapNstring(part.md5)}${extension(part)})`,
  };
}

function multipart(part: Part): BodyForms {
  let body = '(';
  let bodyStructure = '(';
  for (const child of part.children) {
    const inner = formatBody(child);
    body += inner.body;
    bodyStructure += inner.bodyStructure;
  }
  const subtype = imapString(asciiUpper(part.subtype));
  return {
    body: `${body} ${subtype})`,
    bodyStructure: `${bodyStructure} ${subtype} ${parameterList(part.parameters)}${extension(part)})`,
  };
}

function forms(start: string, part: Part): BodyForms {
  return { body: `${start})`, bodyStructure: `${start} ${imapNstring(part.md5)}${extension(part)})` };
}

function basics(part: Part): string {
  const closed = part.kind === 'leaf' && isContainer(part);
  const type = closed ? '"APPLICATION" "OCTET-STREAM"' : mediaType(part);
  const parameters = part.type === 'text' ? withCharset(part.parameters) : part.parameters;
  return (
    `${type} ${parameterList(parameters)} ${imapNstring(part.id)} ${imapNstring(part.description)}` +
    ` ${imapString(asciiUpper(part.encoding))} ${part.bodyEnd - part.headerEnd}`
  );
}

function isContainer({ type, subtype }: Description): boolean {
  return type === 'multipart' || (type === 'message' && (subtype === 'rfc822' || subtype === 'global'));
}

function mediaType({ type, subtype }: Description): string {
  if (type === 'text' && subtype === 'plain') return '"TEXT" "PLAIN"';
  return `${imapString(asciiUpper(type))} ${imapString(asciiUpper(subtype))}`;
}

const US_ASCII: readonly Parameter[] = [{ name: 'charset', raw: 'us-ascii', extended: false }];

/** RFC 2046 §4.1.2: text that names no charset is us-ascii. */
function withCharset(parameters: readonly Parameter[]): readonly Parameter[] {
  if (parameters.length === 0) return US_ASCII;
  return parameters.some(({ name }) => name === 'charset') ? parameters : [...US_ASCII, ...parameters];
}

function parameterList(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return 'NIL';
  let out = '';
  for (const { name, raw, extended } of parameters) {
    out += out === '' ? '(' : ' ';
    // RFC 9051 §7.5.2: a value that RFC 2231 encoded is given as UTF-8 under the name with its star.
    out += extended
      ? `${imapString(`${asciiUpper(name)}*`)} ${imapString(`utf-8''${percentEncode(raw)}`)}`
      : `${imapString(asciiUpper(name))} ${imapString(raw)}`;
  }
  return `${out})`;
}

function percentEncode(raw: string): string {
  return raw.replace(
    /[^\w!#$&+\-.^`|~]/g,
    (octet) => `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function extension({ disposition, languages, location }: Description): string {
  const dsp =
    disposition === undefined
      ? 'NIL'
      : `(${imapString(asciiUpper(disposition.type))} ${parameterList(disposition.parameters)})`;
  const [only] = languages;
  const lang =
    only === undefined
      ? 'NIL'
      : languages.length === 1
        ? imapString(only)
        : `(${languages.map(imapString).join(' ')})`;
  return ` ${dsp} ${lang} ${imapNstring(location)}`;
}
