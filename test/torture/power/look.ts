/** A post office that is not running, as its owners would see it: opened as at a start, and what was queued delivered. */
import { openBackends, openWriters, recoverStorage, type Backends } from '../../../src/app/backends.ts';
import { checkAll } from '../../../src/app/fsck.ts';
import { localConfig } from '../../../src/app/open-stores.ts';
import { systemClock, systemRandom } from '../../../src/app/system.ts';
import { LocalDelivery } from '../../../src/delivery/local.ts';
import { flagNames } from '../../../src/imap/server/flags.ts';
import type { QueueId } from '../../../src/queue/queue.ts';
import { BlobError } from '../../../src/store/blob-store.ts';
import type { AccountId } from '../../../src/store/ids.ts';
import type { Mailbox } from '../../../src/store/mail-store.ts';
import { pathOf } from '../../../src/store/mailbox-name.ts';
import { isLetter } from '../letter.ts';
import type { Seen, SeenMailbox, SeenMessage } from '../ledger.ts';

const PAGE = 500;

export type Look = { readonly seen: Seen; readonly findings: readonly string[] };

/** @param addresses by the name that the ledger has for the account */
export async function look(directory: string, addresses: ReadonlyMap<string, string>): Promise<Look> {
  const config = localConfig(directory);
  const writers = await openWriters(config);
  const options = {
    config,
    writers: writers.connect(),
    owner: 'look',
    clock: systemClock,
    random: systemRandom,
  };
  const backends = await openBackends(options);
  const findings: string[] = [];
  const seen = new Map<string, readonly SeenMailbox[]>();
  try {
    await recoverStorage(config, backends, undefined);
    await deliverQueue(backends, findings);
    for (const [name, address] of addresses) {
      const account = await backends.directory.accountByAddress(address);
      if (account === undefined) findings.push(`${address} is no account`);
      else seen.set(name, await seeAccount(backends, account.id, name, findings));
    }
  } finally {
    await backends.close();
    await writers.close();
  }
  for await (const { severity, kind, text } of checkAll(config, false))
    if (severity === 'damage') findings.push(`fsck: ${kind}: ${text}`);
  return { seen, findings };
}

/** As the runner would: once more does no harm where a delivery was done and not noted. */
async function deliverQueue({ queue, mail, blobs, directory }: Backends, findings: string[]): Promise<void> {
  const delivery = new LocalDelivery({ store: mail, blobs, directory, clock: systemClock });
  for (let after: QueueId | undefined; ;) {
    const messages = await queue.list({}, after, PAGE);
    for (const message of messages)
      for (const recipient of message.recipients) {
        if (recipient.state.kind === 'settled') continue;
        const { route } = recipient;
        if (route.kind !== 'local') throw new TypeError(`${recipient.forwardPath} is not ours`);
        const outcome = await delivery.deliver(message, { ...recipient, route });
        if (outcome.kind !== 'delivered')
          findings.push(`${message.id} to ${recipient.forwardPath}: ${JSON.stringify(outcome)}`);
      }
    if (messages.length < PAGE) return;
    after = messages.at(-1)?.id;
  }
}

async function seeAccount(
  backends: Backends,
  account: AccountId,
  name: string,
  findings: string[],
): Promise<readonly SeenMailbox[]> {
  const mailboxes = await backends.mail.mailboxes(account);
  const tree = new Map(mailboxes.map((mailbox) => [mailbox.id, mailbox]));
  const seen: SeenMailbox[] = [];
  for (const mailbox of mailboxes)
    seen.push({
      name: pathOf(tree, mailbox.id).join('/'),
      uidValidity: mailbox.uidValidity,
      uidNext: mailbox.uidNext,
      highestModSeq: mailbox.highestModSeq,
      messages: await seeMessages(backends, account, mailbox, name, findings),
    });
  return seen;
}

async function seeMessages(
  { mail, blobs }: Backends,
  account: AccountId,
  mailbox: Mailbox,
  name: string,
  findings: string[],
): Promise<readonly SeenMessage[]> {
  const seen: SeenMessage[] = [];
  for (let after = 0; ;) {
    const entries = await mail.entries(account, mailbox.id, after, PAGE);
    const uids = entries.map(({ uid }) => uid);
    for (const { uid, flags, keywords, digest, blob, prefix } of await mail.messages(
      account,
      mailbox.id,
      uids,
    )) {
      const token = digest.subject;
      const octets = await blobs.read(blob).catch((cause: unknown) => {
        if (!(cause instanceof BlobError)) throw cause;
        findings.push(`${name} ${token}: ${cause.message}`);
        return undefined;
      });
      if (octets !== undefined && !isLetter(Buffer.concat([prefix, octets]), token))
        findings.push(`${name} ${token}: other octets`);
      seen.push({ uid, token, flags: flagNames(flags, keywords) });
    }
    if (entries.length < PAGE) return seen;
    after = entries.at(-1)?.uid ?? 0;
  }
}
