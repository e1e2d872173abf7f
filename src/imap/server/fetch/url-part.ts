/** What an IMAP URL names in the mail that somebody may read. Source: RFC 5092 §6; RFC 4469 §3. */
import type { Principal } from '../../../auth/principal.ts';
import { toUid } from '../../../store/ids.ts';
import type { MessageUrl } from '../../wire/imap-url.ts';
import { allowed } from '../mailbox-access.ts';
import type { ImapDeps } from '../ports.ts';
import { openMessage, type OpenMessage, type ScanCache } from './section.ts';

/** Undefined where there is no such message, or no longer, or none that may be read. Whether the part is there shows when it is read. */
export async function openUrl(
  { mailbox, uidValidity, uid: number }: MessageUrl,
  principal: Principal,
  deps: Pick<ImapDeps, 'store' | 'blobs' | 'sharing'>,
  scans: ScanCache,
): Promise<OpenMessage | undefined> {
  const access = await allowed(principal, mailbox, 'r', deps);
  const uid = toUid(number);
  if (!access.ok || uid === undefined) return undefined;
  const { owner, node } = access.value;
  const found = node.mailbox;
  // RFC 5092 §5: a URL that is stale names nothing.
  if (uidValidity !== undefined && uidValidity !== found.uidValidity) return undefined;
  const [placed] = await deps.store.placed(owner, found.id, [uid]);
  return placed && openMessage(placed, undefined, deps.blobs, scans);
}
