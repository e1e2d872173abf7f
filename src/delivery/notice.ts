/**
 * What the post office itself has to say to somebody here: a short message from the null reverse-path, queued durably.
 * Sources: RFC 5322 §3.6, RFC 3834 §5 (Auto-Submitted: nobody's vacation answers it).
 */
import type { Directory } from '../auth/directory.ts';
import { fromUtf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { formatDate } from '../message/date.ts';
import { formatField } from '../message/header.ts';
import type { Queue, QueueId } from '../queue/queue.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { expandRecipients } from './expand.ts';
import type { ReturnPaths } from './return-paths.ts';

export type NoticePorts = {
  readonly queue: Pick<Queue, 'accept'>;
  readonly blobs: Pick<BlobStore, 'create'>;
  readonly directory: Pick<Directory, 'resolve'>;
  readonly returnPaths: ReturnPaths;
  readonly clock: Clock;
  readonly newId: () => QueueId;
};

export type NoticeOptions = { readonly hostname: string; readonly lifetimeMs: number };

export type Notice = {
  /** Addresses; `postmaster` alone is that of this host. Those that lead nowhere are passed over. */
  readonly to: readonly string[];
  /** ASCII. */
  readonly subject: string;
  /** Lines without their ends, short enough to be read. */
  readonly lines: readonly string[];
};

/** Resolves when it is in the queue; to its id, or undefined where nobody can be told. Throws `Fault`. */
export async function sendNotice(
  ports: NoticePorts,
  { hostname, lifetimeMs }: NoticeOptions,
  { to, subject, lines }: Notice,
): Promise<QueueId | undefined> {
  const envelope = to.map((address) => ({ address, notify: [], originalRecipient: undefined }));
  const { recipients } = await expandRecipients(ports, { reversePath: null, smtpUtf8: true }, envelope);
  if (recipients.length === 0) return undefined;
  const nowMs = ports.clock.nowMs();
  const id = ports.newId();
  const mailboxes = to.map((address) => `<${address.includes('@') ? address : `${address}@${hostname}`}>`);
  const text = [
    formatField('Date', formatDate(nowMs, 0)),
    formatField('From', `Mail System <MAILER-DAEMON@${hostname}>`),
    formatField('To', mailboxes.join(', ')),
    formatField('Subject', subject),
    formatField('Message-ID', `<${id}@${hostname}>`),
    formatField('Auto-Submitted', 'auto-generated'),
    'MIME-Version: 1.0\r\n',
    'Content-Type: text/plain; charset=utf-8\r\n',
    'Content-Transfer-Encoding: 8bit\r\n',
    '\r\n',
    ...lines.map((line) => `${line}\r\n`),
  ].join('');
  const writer = ports.blobs.create();
  try {
    await writer.write(fromUtf8(text));
    const blob = await writer.finish();
    await ports.queue.accept({
      id,
      blob,
      prefix: new Uint8Array(0),
      reversePath: null,
      body: '8bitmime',
      smtpUtf8: /[^\x00-\x7f]/.test(mailboxes.join()),
      dsn: { ret: undefined, envid: undefined },
      priority: 0,
      requireTls: false,
      tlsOptional: false,
      deliverBy: undefined,
      arrivedAtMs: nowMs,
      releaseAtMs: undefined,
      releaseRequest: undefined,
      expiresAtMs: nowMs + lifetimeMs,
      source: { kind: 'local', remote: undefined, helo: undefined, account: undefined },
      recipients,
    });
    return id;
  } catch (cause) {
    writer.abort();
    throw cause;
  }
}
