/**
 * The store's identifiers as RFC 8474 §3 wants them: letters and digits, one letter telling the kind. Accounts count each
 * for itself: what is another's has its owner behind it, so that a reader never sees one id twice (§4, §8.2).
 */
import {
  toEmailId,
  toThreadId,
  type AccountId,
  type EmailId,
  type MailboxId,
  type ThreadId,
} from '../../store/ids.ts';

/** Whose it is, where that is not the reader. */
export type OtherOwner = AccountId | undefined;

export function formatMailboxId(id: MailboxId, other: OtherOwner): string {
  return `M${id}${suffix(other)}`;
}
export function formatEmailId(id: EmailId, other: OtherOwner): string {
  return `E${id}${suffix(other)}`;
}
export function formatThreadId(id: ThreadId, other: OtherOwner): string {
  return `T${id}${suffix(other)}`;
}

export function parseEmailId(text: string, other: OtherOwner): EmailId | undefined {
  const digits = digitsOf(text, 'E', other);
  return digits === undefined ? undefined : toEmailId(digits);
}
export function parseThreadId(text: string, other: OtherOwner): ThreadId | undefined {
  const digits = digitsOf(text, 'T', other);
  return digits === undefined ? undefined : toThreadId(digits);
}

function suffix(other: OtherOwner): string {
  return other === undefined ? '' : `-${other}`;
}

function digitsOf(text: string, kind: string, other: OtherOwner): number | undefined {
  const end = suffix(other);
  const digits = text.slice(kind.length, text.length - end.length);
  return text === `${kind}${digits}${end}` && /^\d{1,16}$/.test(digits) ? Number(digits) : undefined;
}
