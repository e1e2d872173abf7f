/** The store's identifiers as RFC 8474 §3 wants them: letters and digits, one letter telling the kind. */
import { toEmailId, toThreadId, type EmailId, type MailboxId, type ThreadId } from '../../store/ids.ts';

export function formatMailboxId(id: MailboxId): string {
  return `M${id}`;
}
export function formatEmailId(id: EmailId): string {
  return `E${id}`;
}
export function formatThreadId(id: ThreadId): string {
  return `T${id}`;
}

export function parseEmailId(text: string): EmailId | undefined {
  return /^E\d{1,16}$/.test(text) ? toEmailId(Number(text.slice(1))) : undefined;
}
export function parseThreadId(text: string): ThreadId | undefined {
  return /^T\d{1,16}$/.test(text) ? toThreadId(Number(text.slice(1))) : undefined;
}
