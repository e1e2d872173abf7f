/** Queued messages for tests of delivery, with everything that a test does not care about filled in. */
import { firstState } from '../../src/queue/progress.ts';
import type { NewQueuedMessage, NewRecipient, QueuedMessage, QueueId } from '../../src/queue/queue.ts';
import { toQueueId } from '../../src/queue/queue.ts';
import type { BlobRef } from '../../src/store/blob-store.ts';
import type { AccountId } from '../../src/store/ids.ts';
import { known, toAccountId, toBlobId } from '../../src/store/ids.ts';

export const NO_BLOB: BlobRef = {
  id: known(toBlobId('0'.repeat(64))),
  octets: 0,
  place: 0 as BlobRef['place'],
};

export function queueId(text: string): QueueId {
  return known(toQueueId(text.padStart(8, '0')));
}

export function accountId(value: number): AccountId {
  return known(toAccountId(value));
}

export function remoteRecipient(forwardPath: string, more: Partial<NewRecipient> = {}): NewRecipient {
  const domain = forwardPath.slice(forwardPath.lastIndexOf('@') + 1);
  return {
    forwardPath,
    route: { kind: 'remote', domain },
    notify: undefined,
    originalRecipient: undefined,
    ...more,
  };
}

export function localRecipient(
  forwardPath: string,
  account: number,
  more: Partial<NewRecipient> & { readonly detail?: string } = {},
): NewRecipient {
  const { detail, ...rest } = more;
  return {
    forwardPath,
    route: { kind: 'local', account: accountId(account), detail },
    notify: undefined,
    originalRecipient: undefined,
    ...rest,
  };
}

export function newMessage(
  recipients: readonly NewRecipient[],
  more: Partial<NewQueuedMessage> = {},
): NewQueuedMessage {
  const arrivedAtMs = more.arrivedAtMs ?? Date.UTC(2026, 0, 2, 3, 4, 5);
  return {
    id: queueId('q1'),
    blob: NO_BLOB,
    prefix: new Uint8Array(0),
    reversePath: 'author@sender.example',
    body: '7bit',
    smtpUtf8: false,
    dsn: { ret: undefined, envid: undefined },
    priority: 0,
    requireTls: false,
    tlsOptional: false,
    deliverBy: undefined,
    arrivedAtMs,
    releaseAtMs: undefined,
    releaseRequest: undefined,
    expiresAtMs: arrivedAtMs + 5 * 86_400_000,
    source: { kind: 'submission', remote: undefined, helo: undefined, account: undefined },
    recipients,
    ...more,
  };
}

export function queued(message: NewQueuedMessage): QueuedMessage {
  const state = firstState(message);
  return {
    ...message,
    lease: undefined,
    recipients: message.recipients.map((recipient, number) => ({ ...recipient, number, state })),
  };
}
