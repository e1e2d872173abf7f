/**
 * All that the store keeps of one message besides its octets: computed once, when it arrives, from one scan.
 * `envelope`, `body` and `bodyStructure` are the octets that IMAP will send.
 */
import { fromLatin1, utf8 } from '../base/bytes.ts';
import type { Address } from './address.ts';
import { decodeWords } from './encoded-word.ts';
import { parseDate } from './date.ts';
import type { Part } from './entity.ts';
import { toEnvelope } from './envelope.ts';
import type { Field } from './header.ts';
import { findField, unfold } from './header.ts';
import { formatBody, formatEnvelope } from './imap-form.ts';
import { parseMessageId, parseMessageIds } from './message-id.ts';
import { toPreview } from './preview.ts';
import type { ScannedMessage } from './scan.ts';
import { baseSubject, collationKey } from './subject.ts';

export type SortKeys = {
  /** RFC 5256: collation keys (i;unicode-casemap) of the base subject and of first addresses' local parts. */
  readonly subject: string;
  readonly from: string;
  readonly to: string;
  readonly cc: string;
  /** RFC 5957: of what is shown for the first address. */
  readonly displayFrom: string;
  readonly displayTo: string;
};

export type MessageDigest = {
  readonly octets: number;
  readonly headerOctets: number;
  readonly envelope: Buffer;
  /** BODYSTRUCTURE, with extension data. */
  readonly bodyStructure: Buffer;
  /** BODY, without. */
  readonly body: Buffer;
  readonly preview: string;
  /** The Date field; undefined if there is none that can be read. */
  readonly sentAtMs: number | undefined;
  /** Without brackets. */
  readonly messageId: string | undefined;
  /** Ancestors, the oldest first: References, else the first id of In-Reply-To (RFC 5256, REFERENCES step 1). */
  readonly references: readonly string[];
  /** Every id that ties the message to a thread: its own, In-Reply-To, References; each once. */
  readonly threadIds: readonly string[];
  /** Decoded. */
  readonly subject: string;
  /** RFC 5256 §2.1, case as written. */
  readonly baseSubject: string;
  readonly sortKeys: SortKeys;
  readonly hasAttachment: boolean;
};

export function digestMessage(scanned: ScannedMessage): MessageDigest {
  const { root } = scanned;
  const envelope = toEnvelope(root.fields);
  const subject = subjectOf(root.fields);
  const base = baseSubject(subject);
  const messageId = messageIdOf(root.fields);
  const replied = envelope.inReplyTo === undefined ? [] : parseMessageIds(envelope.inReplyTo);
  const { body, bodyStructure } = formatBody(root);
  const references = ancestors(root.fields, replied);
  return {
    octets: scanned.octets,
    headerOctets: root.headerEnd,
    envelope: fromLatin1(formatEnvelope(envelope)),
    bodyStructure: fromLatin1(bodyStructure),
    body: fromLatin1(body),
    preview: toPreview(scanned),
    sentAtMs: envelope.date === undefined ? undefined : parseDate(envelope.date)?.epochMs,
    messageId,
    references,
    threadIds: unique(messageId, replied, references),
    subject,
    baseSubject: base,
    sortKeys: {
      subject: collationKey(base),
      from: localKey(envelope.from),
      to: localKey(envelope.to),
      cc: localKey(envelope.cc),
      displayFrom: displayKey(envelope.from),
      displayTo: displayKey(envelope.to),
    },
    hasAttachment: hasAttachment(root),
  };
}

/** {@link MessageDigest.messageId}, for whoever needs no more of it. */
export function messageIdOf(fields: readonly Field[]): string | undefined {
  const field = findField(fields, 'message-id');
  return field === undefined ? undefined : parseMessageId(field.raw);
}

/** {@link MessageDigest.subject}, likewise. */
export function subjectOf(fields: readonly Field[]): string {
  const field = findField(fields, 'subject');
  return field === undefined ? '' : decodeWords(unfold(field.raw));
}

function ancestors(fields: readonly Field[], replied: readonly string[]): readonly string[] {
  const field = findField(fields, 'references');
  const found = field === undefined ? [] : parseMessageIds(field.raw);
  return found.length > 0 ? found : replied.slice(0, 1);
}

function unique(
  own: string | undefined,
  replied: readonly string[],
  references: readonly string[],
): readonly string[] {
  const ids = new Set(references);
  for (const id of replied) ids.add(id);
  if (own !== undefined) ids.add(own);
  return [...ids];
}

/** RFC 5256 §3: addr-mailbox of the first address; of a group that is its name (RFC 9051 §7.5.2). */
function localKey([first]: readonly Address[]): string {
  if (first === undefined) return '';
  return collationKey(toUnicode(first.kind === 'group' ? first.name : first.localPart));
}

/** RFC 5957 §3. */
function displayKey([first]: readonly Address[]): string {
  if (first === undefined) return '';
  if (first.kind === 'group') return collationKey(toUnicode(first.name));
  const name = decodeWords(first.name).trim();
  if (name !== '') return collationKey(name);
  return collationKey(
    toUnicode(first.domain === '' ? first.localPart : `${first.localPart}@${first.domain}`),
  );
}

function toUnicode(raw: string): string {
  return /[\x80-\xff]/.test(raw) ? utf8(fromLatin1(raw)) : raw;
}

/** Parts that belong to the message's form, not to what its author attached. */
const FORMAL = new Set([
  'application/pgp-signature',
  'application/pkcs7-signature',
  'application/x-pkcs7-signature',
  'application/pgp-encrypted',
  'message/delivery-status',
  'message/disposition-notification',
  'text/rfc822-headers',
]);

/**
 * Whether a person would say that something is attached: a part with that disposition or a file name, or one that is no
 * text; but not pictures that the text shows, nor signatures.
 */
export function hasAttachment(root: Part): boolean {
  const open: (readonly [part: Part, related: boolean])[] = [[root, false]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [part, related] = next;
    if (part.kind === 'multipart') {
      for (const child of part.children) open.push([child, related || part.subtype === 'related']);
    } else if (isAttachment(part, related)) {
      return true;
    }
  }
  return false;
}

function isAttachment(part: Part, related: boolean): boolean {
  if (FORMAL.has(`${part.type}/${part.subtype}`)) return false;
  if (part.disposition?.type === 'attachment') return true;
  const named =
    part.disposition?.parameters.some(({ name }) => name === 'filename') === true ||
    part.parameters.some(({ name }) => name === 'name');
  if (part.type === 'text') return named && part.disposition?.type !== 'inline';
  return (
    !(related && part.id !== undefined) || (part.disposition === undefined && named && part.type !== 'image')
  );
}
