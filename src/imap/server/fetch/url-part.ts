/** What an IMAP URL names in the mail of an account. Source: RFC 5092 §6; RFC 4469 §3. */
import type { AccountId } from '../../../store/ids.ts';
import { toUid } from '../../../store/ids.ts';
import type { MessageUrl } from '../../wire/imap-url.ts';
import { mailboxTree } from '../mailbox-tree.ts';
import type { ImapDeps } from '../ports.ts';
import { openMessage, type OpenMessage, type ScanCache } from './section.ts';

/** Undefined where there is no such message, or no longer. Whether the part is there shows when it is read. */
export async function openUrl(
  { mailbox, uidValidity, uid: number }: MessageUrl,
  account: AccountId,
  { store, blobs }: Pick<ImapDeps, 'store' | 'blobs'>,
  scans: ScanCache,
): Promise<OpenMessage | undefined> {
  const found = mailboxTree(await store.mailboxes(account)).find(mailbox)?.mailbox;
  const uid = toUid(number);
  if (found === undefined || uid === undefined) return undefined;
  // RFC 5092 §5: a URL that is stale names nothing.
  if (uidValidity !== undefined && uidValidity !== found.uidValidity) return undefined;
  const [placed] = await store.placed(account, found.id, [uid]);
  return placed && openMessage(placed, undefined, blobs, scans);
}
