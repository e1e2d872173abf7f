/**
 * The parameters of MAIL and RCPT, decoded. Units: octets for SIZE. Unknown, repeated and malformed ones are told apart,
 * as their replies differ (RFC 5321 §4.1.1.11: 555; §4.2.2: 501).
 *
 * Sources: RFC 1870 (SIZE), 6152 (BODY), 3030 (BINARYMIME), 6531 §3.4 (SMTPUTF8), 3461 (RET, ENVID, NOTIFY, ORCPT),
 * 4954 §5 (AUTH), 6533 §3 (utf-8 ORCPT), 8689 §2 (REQUIRETLS), 4865 §3 (HOLDFOR, HOLDUNTIL), 2852 §4 (BY), 6710 §7
 * (MT-PRIORITY). XVERP is Postfix's (https://www.postfix.org/VERP_README.html).
 */
import type { Result } from '../../base/result.ts';
import { err, ok } from '../../base/result.ts';
import { parseTimestamp } from '../../message/timestamp.ts';
import type { OriginalRecipient } from './original-recipient.ts';
import { parseOriginalRecipient } from './original-recipient.ts';
import { decodeXtext } from './xtext.ts';

export type BodyType = '7BIT' | '8BITMIME' | 'BINARYMIME';

export type MailParameters = {
  /** SIZE: what the client means to send; undefined where it did not say. */
  readonly declaredOctets: number | undefined;
  readonly body: BodyType | undefined;
  readonly smtpUtf8: boolean;
  readonly ret: 'FULL' | 'HDRS' | undefined;
  /** Decoded; encode it again as xtext on the way out. */
  readonly envelopeId: string | undefined;
  /** AUTH: who submitted the message first, decoded; null for "<>". Trusted only from trusted peers (RFC 4954 §5). */
  readonly submitter: string | null | undefined;
  readonly requireTls: boolean;
  /** FUTURERELEASE. */
  readonly hold: HoldRequest | undefined;
  /** DELIVERBY. */
  readonly deliverBy: DeliverByRequest | undefined;
  /** MT-PRIORITY: -9 to 9. */
  readonly priority: number | undefined;
  /** XVERP: each recipient's copy leaves from an address that names it. */
  readonly verp: VerpRequest | undefined;
};

/** What stands between sender and recipient, and for the recipient's `@`; without both as is usual here. */
export type VerpRequest = { readonly tag?: string; readonly at?: string };

/** RFC 4865 §3: for so many seconds, or until a date. */
export type HoldRequest =
  | { readonly kind: 'for'; readonly seconds: number }
  | { readonly kind: 'until'; readonly atMs: number };

/** RFC 2852 §4: seconds from MAIL on, negative where the time has passed, which only 'notify' allows. */
export type DeliverByRequest = {
  readonly seconds: number;
  readonly mode: 'return' | 'notify';
  readonly trace: boolean;
};

export type NotifyCondition = 'SUCCESS' | 'FAILURE' | 'DELAY';

export type RcptParameters = {
  /** Undefined: not asked, so FAILURE and perhaps DELAY (RFC 3461 §4.1). Empty: NEVER. */
  readonly notify: readonly NotifyCondition[] | undefined;
  readonly originalRecipient: OriginalRecipient | undefined;
};

export type ParameterProblem = {
  readonly kind: 'syntax' | 'unknown' | 'repeated' | 'bad-value';
  readonly keyword: string;
};

export const NO_MAIL_PARAMETERS: MailParameters = {
  declaredOctets: undefined,
  body: undefined,
  smtpUtf8: false,
  ret: undefined,
  envelopeId: undefined,
  submitter: undefined,
  requireTls: false,
  hold: undefined,
  deliverBy: undefined,
  priority: undefined,
  verp: undefined,
};

export const NO_RCPT_PARAMETERS: RcptParameters = { notify: undefined, originalRecipient: undefined };

/** @param text what follows the reverse-path, without the space before it */
export function parseMailParameters(text: string): Result<MailParameters, ParameterProblem> {
  if (text === '') return ok(NO_MAIL_PARAMETERS);
  const split = splitParameters(text);
  if (!split.ok) return split;
  let parameters = NO_MAIL_PARAMETERS;
  for (const [keyword, value] of split.value) {
    const part = mailParameter(keyword, value);
    if (part === undefined) return err({ kind: 'unknown', keyword });
    if (part === 'bad-value') return err({ kind: 'bad-value', keyword });
    // RFC 4865 §4.2 (9): one of HOLDFOR and HOLDUNTIL, not both.
    if (part.hold !== undefined && parameters.hold !== undefined) return err({ kind: 'repeated', keyword });
    parameters = { ...parameters, ...part };
  }
  return ok(parameters);
}

export function parseRcptParameters(text: string): Result<RcptParameters, ParameterProblem> {
  if (text === '') return ok(NO_RCPT_PARAMETERS);
  const split = splitParameters(text);
  if (!split.ok) return split;
  let parameters = NO_RCPT_PARAMETERS;
  for (const [keyword, value] of split.value) {
    const part = rcptParameter(keyword, value);
    if (part === undefined) return err({ kind: 'unknown', keyword });
    if (part === 'bad-value') return err({ kind: 'bad-value', keyword });
    parameters = { ...parameters, ...part };
  }
  return ok(parameters);
}

type Part<Parameters> = Partial<Parameters> | 'bad-value' | undefined;

function mailParameter(keyword: string, value: string | undefined): Part<MailParameters> {
  switch (keyword) {
    case 'SIZE':
      return value !== undefined && SIZE.test(value) ? { declaredOctets: Number(value) } : 'bad-value';
    case 'BODY': {
      const body = value?.toUpperCase();
      return body === '7BIT' || body === '8BITMIME' || body === 'BINARYMIME' ? { body } : 'bad-value';
    }
    case 'SMTPUTF8':
      return value === undefined ? { smtpUtf8: true } : 'bad-value';
    case 'RET': {
      const ret = value?.toUpperCase();
      return ret === 'FULL' || ret === 'HDRS' ? { ret } : 'bad-value';
    }
    case 'ENVID': {
      if (value === undefined || value.length > ENVID_OCTETS_MAX) return 'bad-value';
      const envelopeId = decodeXtext(value);
      return envelopeId === undefined || !ENVID.test(envelopeId) ? 'bad-value' : { envelopeId };
    }
    case 'AUTH': {
      if (value === '<>') return { submitter: null };
      const submitter = value === undefined ? undefined : decodeXtext(value);
      return submitter === undefined ? 'bad-value' : { submitter };
    }
    case 'REQUIRETLS':
      return value === undefined ? { requireTls: true } : 'bad-value';
    case 'HOLDFOR':
      return value !== undefined && HOLD_SECONDS.test(value)
        ? { hold: { kind: 'for', seconds: Number(value) } }
        : 'bad-value';
    case 'HOLDUNTIL': {
      const atMs = value === undefined ? undefined : parseTimestamp(value);
      return atMs === undefined ? 'bad-value' : { hold: { kind: 'until', atMs } };
    }
    case 'BY': {
      const deliverBy = value === undefined ? undefined : parseDeliverBy(value);
      return deliverBy === undefined ? 'bad-value' : { deliverBy };
    }
    case 'MT-PRIORITY':
      return value !== undefined && PRIORITY.test(value) ? { priority: Number(value) } : 'bad-value';
    case 'XVERP': {
      const verp = parseVerp(value ?? '');
      return verp === undefined || value === '' ? 'bad-value' : { verp };
    }
    default:
      return undefined;
  }
}

function rcptParameter(keyword: string, value: string | undefined): Part<RcptParameters> {
  switch (keyword) {
    case 'NOTIFY': {
      const notify = value === undefined ? undefined : parseNotify(value);
      return notify === undefined ? 'bad-value' : { notify };
    }
    case 'ORCPT': {
      const originalRecipient = value === undefined ? undefined : parseOriginalRecipient(value);
      return originalRecipient === undefined ? 'bad-value' : { originalRecipient };
    }
    default:
      return undefined;
  }
}

/** "NEVER" / 1#("SUCCESS" / "FAILURE" / "DELAY"); NEVER stands alone. Source: RFC 3461 §4.1. */
export function parseNotify(value: string): readonly NotifyCondition[] | undefined {
  if (value.toUpperCase() === 'NEVER') return [];
  const conditions: NotifyCondition[] = [];
  for (const word of value.toUpperCase().split(',')) {
    if (word !== 'SUCCESS' && word !== 'FAILURE' && word !== 'DELAY') return undefined;
    if (!conditions.includes(word)) conditions.push(word);
  }
  return conditions;
}

/** Nothing, or the two characters that are wanted; undefined for what they cannot be. */
export function parseVerp(delimiters: string): VerpRequest | undefined {
  if (delimiters === '') return {};
  const [tag = '', at = ''] = delimiters;
  return VERP.test(delimiters) ? { tag, at } : undefined;
}

/** by-time ";" by-mode [by-trace]. Source: RFC 2852 §4. */
function parseDeliverBy(value: string): DeliverByRequest | undefined {
  const found = DELIVER_BY.exec(value);
  if (found === null) return undefined;
  const seconds = Number(found[1]);
  const mode = found[2]?.toUpperCase() === 'R' ? 'return' : 'notify';
  // RFC 2852 §4: a time that is not ahead is a syntax error where the message would be returned.
  return mode === 'return' && seconds <= 0 ? undefined : { seconds, mode, trace: found[3] !== undefined };
}

/** As MAIL has it. */
export function formatDeliverBy({ seconds, mode, trace }: DeliverByRequest): string {
  return `${seconds};${mode === 'return' ? 'R' : 'N'}${trace ? 'T' : ''}`;
}

/** esmtp-keyword ["=" esmtp-value] *(SP …); keywords in capitals, each at most once. Source: RFC 5321 §4.1.2. */
function splitParameters(text: string): Result<Map<string, string | undefined>, ParameterProblem> {
  const found = new Map<string, string | undefined>();
  for (const word of text.split(' ')) {
    // Departs from RFC 5321 §4.1.2: runs of spaces between parameters are taken as one, as many clients send them.
    if (word === '') continue;
    const equals = word.indexOf('=');
    const keyword = (equals === -1 ? word : word.slice(0, equals)).toUpperCase();
    const value = equals === -1 ? undefined : word.slice(equals + 1);
    if (!KEYWORD.test(keyword)) return err({ kind: 'syntax', keyword: '' });
    if (value !== undefined && !isValue(value)) return err({ kind: 'syntax', keyword });
    if (found.has(keyword)) return err({ kind: 'repeated', keyword });
    found.set(keyword, value);
  }
  return ok(found);
}

/**
 * 1*(%d33-60 / %d62-126 / UTF8-non-ascii): anything but controls, space and "=". An "=" is read all the same inside ORCPT
 * and AUTH, where old senders do not encode it.
 */
function isValue(value: string): boolean {
  if (value === '') return false;
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at);
    if (code <= 0x20 || (code >= 0x7f && code <= 0x9f)) return false;
  }
  return true;
}

/** RFC 1870 §4: up to 20 digits. Beyond 2^53 the number is rounded, which is over every limit all the same. */
const SIZE = /^\d{1,20}$/;
const HOLD_SECONDS = /^[1-9]\d{0,8}$/;
const DELIVER_BY = /^([-+]?\d{1,9});([NR])(T)?$/i;
const PRIORITY = /^(?:-?[1-9]|0)$/;
/** Postfix's verp_delimiter_filter: two of these. */
const VERP = /^[-+=]{2}$/;
const KEYWORD = /^[A-Z0-9][A-Z0-9-]*$/;
/** RFC 3461 §4.4: printable US-ASCII once it is decoded. */
const ENVID_OCTETS_MAX = 100;
const ENVID = /^[\x20-\x7e]*$/;
