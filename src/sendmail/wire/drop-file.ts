/**
 * A message in the maildrop, as `sendmail` leaves it for the server: one line of JSON, the envelope, then the octets as they
 * travel. Whatever stands in it was written by any user of the machine: nothing of it is believed. Pure.
 */
import { Buffer } from 'node:buffer';
import { LF } from '../../base/bytes.ts';
import { LIMITS } from '../../base/limits.ts';
import { parseOriginalRecipient } from '../../smtp/wire/original-recipient.ts';
import { parseVerp, type VerpRequest } from '../../smtp/wire/parameter.ts';
import { parseEnvelopeAddress, type EnvelopeAddress } from '../../smtp/wire/path.ts';

export type DropNotify = readonly ('success' | 'failure' | 'delay')[];

/** What was asked for one recipient (RFC 3461 §4.1, §4.2). */
export type DropWish = {
  readonly notify: DropNotify | undefined;
  /** `type;address`, still encoded. */
  readonly originalRecipient: string | undefined;
};

export type DropEnvelope = {
  /** `null`: the null reverse-path. */
  readonly sender: string | null;
  readonly recipients: readonly string[];
  readonly notify: DropNotify | undefined;
  /** Where each recipient has wishes of its own: as many as there are recipients, in their place of {@link notify}. */
  readonly wishes?: readonly DropWish[] | undefined;
  readonly ret: 'full' | 'hdrs' | undefined;
  readonly envid: string | undefined;
  readonly verp?: VerpRequest | undefined;
  /** Known when all of the content was seen; its place in the line is the same for either. */
  readonly eightBit: boolean;
};

/** As it is known before the content. */
export type NewEnvelope = Omit<DropEnvelope, 'eightBit'>;

export type DropHead =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'malformed' }
  | {
      readonly kind: 'head';
      readonly envelope: DropEnvelope;
      /** Where the content begins. */
      readonly octets: number;
    };

export function encodeDropHead(envelope: DropEnvelope): Buffer {
  const { sender, recipients, notify, wishes, ret, envid, verp, eightBit } = envelope;
  const value = { eightBit: eightBit ? 1 : 0, sender, recipients, notify, wishes, ret, envid, verp };
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** @param octets from the file's first one on */
export function decodeDropHead(octets: Uint8Array): DropHead {
  const end = octets.indexOf(LF);
  if (end === -1) return octets.length > LIMITS.dropHeadOctetsMax ? MALFORMED : { kind: 'need-more' };
  if (end > LIMITS.dropHeadOctetsMax) return MALFORMED;
  const envelope = toEnvelope(parseJson(Buffer.from(octets.subarray(0, end)).toString('utf8')));
  return envelope === undefined ? MALFORMED : { kind: 'head', envelope, octets: end + 1 };
}

const MALFORMED = { kind: 'malformed' } as const;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toEnvelope(value: unknown): DropEnvelope | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const sender = fields.get('sender');
  const recipients = fields.get('recipients');
  const notify = fields.get('notify');
  const ret = fields.get('ret');
  const envid = fields.get('envid');
  if (sender !== null && !isAddress(sender)) return undefined;
  if (!Array.isArray(recipients) || recipients.length === 0 || !recipients.every(isAddress)) return undefined;
  if (notify !== undefined && !isNotify(notify)) return undefined;
  const wishes = fields.get('wishes');
  if (
    wishes !== undefined &&
    !(Array.isArray(wishes) && wishes.length === recipients.length && wishes.every(isWish))
  )
    return undefined;
  if (ret !== undefined && ret !== 'full' && ret !== 'hdrs') return undefined;
  if (envid !== undefined && !(typeof envid === 'string' && /^[\u0020-\u007e]{1,100}$/.test(envid)))
    return undefined;
  const verp = fields.get('verp');
  if (verp !== undefined && !isVerp(verp)) return undefined;
  return {
    sender,
    recipients,
    notify,
    ...(wishes === undefined ? {} : { wishes: wishes.map(toWish) }),
    ret,
    envid,
    ...(verp === undefined ? {} : { verp: toVerp(verp) }),
    eightBit: fields.get('eightBit') === 1,
  };
}

function isVerp(value: unknown): value is VerpRequest {
  if (typeof value !== 'object' || value === null) return false;
  const { tag, at }: { tag?: unknown; at?: unknown } = value;
  if (tag === undefined && at === undefined) return true;
  return typeof tag === 'string' && typeof at === 'string' && tag !== '' && parseVerp(tag + at) !== undefined;
}

function toVerp({ tag, at }: VerpRequest): VerpRequest {
  return tag === undefined || at === undefined ? {} : { tag, at };
}

function isAddress(value: unknown): value is string {
  return (
    typeof value === 'string' && (value.toLowerCase() === 'postmaster' || toDropAddress(value) !== undefined)
  );
}

/** An address as the envelope has it; undefined for what is none. */
export function toDropAddress(text: string): EnvelopeAddress | undefined {
  return parseEnvelopeAddress(text);
}

function isNotify(value: unknown): value is DropNotify {
  return Array.isArray(value) && value.every(isCondition);
}

function isWish(value: unknown): value is Partial<DropWish> {
  if (typeof value !== 'object' || value === null) return false;
  const { notify, originalRecipient }: { notify?: unknown; originalRecipient?: unknown } = value;
  if (notify !== undefined && !isNotify(notify)) return false;
  if (originalRecipient === undefined) return true;
  return typeof originalRecipient === 'string' && parseOriginalRecipient(originalRecipient) !== undefined;
}

function toWish({ notify, originalRecipient }: Partial<DropWish>): DropWish {
  return { notify, originalRecipient };
}

function isCondition(value: unknown): value is 'success' | 'failure' | 'delay' {
  return value === 'success' || value === 'failure' || value === 'delay';
}
