/**
 * The header of a message that a program wrote: cut off its content, read for recipients, and put right. Works on raw text
 * (one octet, one code unit), lines ending in CRLF. Pure.
 *
 * Sources: RFC 5322 §3.6 (the fields that must be), §3.6.3 (Bcc), §3.6.6 (Resent- fields); which fields are taken out, and
 * that recipients of `-t` are added to those of the command line, is as Postfix's sendmail(1) does it.
 */
import { flattenAddresses, formatAddrSpec, formatAddress, parseAddresses } from '../../message/address.ts';
import { formatDate } from '../../message/date.ts';
import { findField, formatField, parseHeader, type Field } from '../../message/header.ts';

/** `need-more`: the end of the header has not come. */
export type HeaderSplit =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'split'; readonly header: string; readonly body: string };

const FIELD_LINE = /^[\u0021-\u0039\u003b-\u007e]+[ \t]*:/;

/**
 * @param text from the first octet on
 * @param isAll nothing more comes
 * @returns the body begins with the empty line; one is made where the message has none
 */
export function splitHeader(text: string, isAll: boolean): HeaderSplit {
  let start = 0;
  let at = 0;
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end === -1) {
      if (!isAll) return { kind: 'need-more' };
      return { kind: 'split', header: text.slice(start), body: '\r\n' };
    }
    const line = text.slice(at, end);
    const isFirst = at === start;
    // The mark of a mailbox file, which programs that read from one leave there.
    if (isFirst && /^>?From /.test(line)) start = end + 2;
    else if (line === '') return { kind: 'split', header: text.slice(start, at), body: text.slice(at) };
    else if (!FIELD_LINE.test(line) && (isFirst || !/^[ \t]/.test(line)))
      return { kind: 'split', header: text.slice(start, at), body: `\r\n${text.slice(at)}` };
    at = end + 2;
  }
}

export type SubmittedFacts = {
  /** What is put behind an address without a domain. */
  readonly domain: string;
  /** The envelope's; null is the null reverse-path. */
  readonly sender: string | null;
  /** Of who submits it. */
  readonly address: string;
  readonly fullName: string;
  readonly nowMs: number;
  readonly zoneMinutes: number;
  /** Unique, for a Message-ID. */
  readonly id: string;
};

/** Recipients are taken from these, `Resent-` before each where there is one such field. */
const RECIPIENT_KEYS = ['to', 'cc', 'bcc'];
/** Ours to know, or nobody's to see. */
const REMOVED = new Set(['bcc', 'resent-bcc', 'return-path', 'content-length']);
/** What a bare name in them means is known here and nowhere else. */
const QUALIFIED = new Set(['from', 'sender', 'reply-to', 'to', 'cc']);
/** `root (Cron Daemon)` */
const BARE_NAME = /^([ \t]*)([A-Za-z0-9._+-]+)([ \t]*(?:\([^()\r\n]*\))?[ \t]*)$/;

/** Whom the header names, in order, each once; `domain` is put behind bare names. */
export function recipientsOf(header: string, domain: string): readonly string[] {
  const fields = parseHeader(header);
  const isResent = fields.some(({ key }) => key.startsWith('resent-'));
  const prefix = isResent ? 'resent-' : '';
  const wanted = new Set(RECIPIENT_KEYS.map((key) => `${prefix}${key}`));
  const addresses = fields
    .filter(({ key }) => wanted.has(key))
    .flatMap(({ raw }) => flattenAddresses(parseAddresses(raw)))
    .filter(({ localPart }) => localPart !== '')
    .map((one) => formatAddrSpec(one.localPart, one.domain === '' ? domain : one.domain));
  return [...new Set(addresses)];
}

/** The header as it travels: what is missing is added in front, what does not belong there is taken out. */
export function repairHeader(header: string, facts: SubmittedFacts): string {
  const fields = parseHeader(header);
  const kept = fields
    .filter(({ key }) => !REMOVED.has(key))
    .map((field) => qualified(field, header, facts.domain))
    .join('');
  const isResent = fields.some(({ key }) => key.startsWith('resent-'));
  return `${missing(fields, isResent ? 'Resent-' : '', facts)}${missingDate(fields, isResent, facts)}${kept}`;
}

/** RFC 5322 §3.6: a message has one Date and one From; §3.6.6: so has one that was sent again. */
function missing(fields: readonly Field[], prefix: string, facts: SubmittedFacts): string {
  const lacks = (name: string): boolean => findField(fields, `${prefix}${name}`.toLowerCase()) === undefined;
  // Its local part may have been written in quotes: they are the form's, not the name's.
  const [author] = flattenAddresses(parseAddresses(facts.sender ?? facts.address));
  const { localPart, domain } = author ?? { localPart: '', domain: '' };
  const from = formatAddress({ kind: 'mailbox', name: facts.fullName, localPart, domain });
  return [
    lacks('Message-ID') ? `${prefix}Message-ID: <${facts.id}@${facts.domain}>\r\n` : '',
    lacks('Date') ? `${prefix}Date: ${formatDate(facts.nowMs, facts.zoneMinutes)}\r\n` : '',
    lacks('From') ? formatField(`${prefix}From`, from) : '',
  ].join('');
}

/** Of a message that is sent again, the message itself must have had one. */
function missingDate(fields: readonly Field[], isResent: boolean, facts: SubmittedFacts): string {
  return isResent && findField(fields, 'date') === undefined
    ? `Date: ${formatDate(facts.nowMs, facts.zoneMinutes)}\r\n`
    : '';
}

function qualified({ key, name, raw, start, end }: Field, header: string, domain: string): string {
  const written = header.slice(start, end);
  const whole = written.endsWith('\r\n') ? written : `${written}\r\n`;
  const bare = QUALIFIED.has(key) ? BARE_NAME.exec(raw) : null;
  if (bare === null) return whole;
  const [, before = '', local = '', behind = ''] = bare;
  return `${name}:${before}${local}@${domain}${behind}\r\n`;
}
