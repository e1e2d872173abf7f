/**
 * The identifiers of the store: each a type of its own, with one door in. All numbers are whole, at least 1, and below
 * 2^53. Sources: RFC 9051 §2.3.1 (Uid, UidValidity), RFC 7162 §3.1 (ModSeq), RFC 8474 (EmailId, ThreadId, MailboxId).
 */
import type { Brand } from '../base/brand.ts';

/** Owns mailboxes (RFC 8620 §1.6.2). Given by the directory, never used again for another account. */
export type AccountId = Brand<number, 'AccountId'>;
/** One mailbox of one account; never used again within the account. */
export type MailboxId = Brand<number, 'MailboxId'>;
/** One stored message of one account, in one or more mailboxes; never used again within the account. */
export type EmailId = Brand<number, 'EmailId'>;
/** A conversation of one account. */
export type ThreadId = Brand<number, 'ThreadId'>;
/** 1 to 4294967295, ascending within one mailbox. RFC 9051 §2.3.1.1. */
export type Uid = Brand<number, 'Uid'>;
/** 1 to 4294967295. RFC 9051 §2.3.1.1. */
export type UidValidity = Brand<number, 'UidValidity'>;
/** 1 upwards, one counter per account. RFC 7162 §3.1 allows 63 bits; ours stays below 2^53, so a number. */
export type ModSeq = Brand<number, 'ModSeq'>;
/** Lower-case hexadecimal SHA-256 of the octets: 64 characters. */
export type BlobId = Brand<string, 'BlobId'>;

const UINT32_MAX = 4_294_967_295;

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function isAccountId(value: number): value is AccountId {
  return isWhole(value, Number.MAX_SAFE_INTEGER);
}
function isMailboxId(value: number): value is MailboxId {
  return isWhole(value, Number.MAX_SAFE_INTEGER);
}
function isEmailId(value: number): value is EmailId {
  return isWhole(value, Number.MAX_SAFE_INTEGER);
}
function isThreadId(value: number): value is ThreadId {
  return isWhole(value, Number.MAX_SAFE_INTEGER);
}
function isUid(value: number): value is Uid {
  return isWhole(value, UINT32_MAX);
}
function isUidValidity(value: number): value is UidValidity {
  return isWhole(value, UINT32_MAX);
}
/** 0 stands for "before every change" and is a value of the type. */
function isModSeq(value: number): value is ModSeq {
  return value === 0 || isWhole(value, Number.MAX_SAFE_INTEGER);
}
function isBlobId(value: string): value is BlobId {
  return /^[0-9a-f]{64}$/.test(value);
}

export function toAccountId(value: number): AccountId | undefined {
  return isAccountId(value) ? value : undefined;
}
export function toMailboxId(value: number): MailboxId | undefined {
  return isMailboxId(value) ? value : undefined;
}
export function toEmailId(value: number): EmailId | undefined {
  return isEmailId(value) ? value : undefined;
}
export function toThreadId(value: number): ThreadId | undefined {
  return isThreadId(value) ? value : undefined;
}
export function toUid(value: number): Uid | undefined {
  return isUid(value) ? value : undefined;
}
export function toUidValidity(value: number): UidValidity | undefined {
  return isUidValidity(value) ? value : undefined;
}
export function toModSeq(value: number): ModSeq | undefined {
  return isModSeq(value) ? value : undefined;
}
export function toBlobId(value: string): BlobId | undefined {
  return isBlobId(value) ? value : undefined;
}

/** For a value that our own store wrote: a wrong one is a bug or damage, not something a peer caused. */
export function known<Id>(id: Id | undefined): Id {
  if (id === undefined) throw new TypeError('A stored identifier is out of its range');
  return id;
}
