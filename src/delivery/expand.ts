/**
 * From the recipients of an envelope to those of the queue: aliases and groups are followed, each account gets the message
 * once however many ways lead there, and targets at other hosts become remote recipients that keep the address the sender
 * wrote (RFC 3461 §5.2.7: ORCPT, NOTIFY go along). Sources: RFC 5321 §3.9, §4.1.1.3.
 */
import type { Directory, Resolution } from '../auth/directory.ts';
import { originalRecipientOf } from '../smtp/wire/original-recipient.ts';
import type { NewRecipient, NotifyOn } from '../queue/queue.ts';

/** One accepted RCPT. */
export type EnvelopeRecipient = {
  /** `local@domain` as received, or `postmaster`. */
  readonly address: string;
  readonly notify: NotifyOn | undefined;
  /** As {@link NewRecipient.originalRecipient}. */
  readonly originalRecipient: string | undefined;
};

/** What one RCPT became: indexes into `recipients`. Several RCPTs may share one. */
export type Expansion = {
  readonly recipients: readonly NewRecipient[];
  /** For each envelope recipient, in order. `undefined`: it is nobody's any more. */
  readonly targets: readonly (readonly number[] | undefined)[];
  /** Those that stand for several and whose sender asked to hear of success: an "expanded" DSN tells of them. */
  readonly expanded: readonly EnvelopeRecipient[];
};

export async function expandRecipients(
  directory: Pick<Directory, 'resolve'>,
  envelope: readonly EnvelopeRecipient[],
  smtpUtf8: boolean,
): Promise<Expansion> {
  const recipients: NewRecipient[] = [];
  const numbers = new Map<string, number>();
  const add = (key: string, recipient: NewRecipient): number => {
    const known = numbers.get(key);
    const first = known === undefined ? undefined : recipients[known];
    if (known !== undefined && first !== undefined) {
      recipients[known] = { ...first, notify: eitherOf(first.notify, recipient.notify) };
      return known;
    }
    numbers.set(key, recipients.length);
    return recipients.push(recipient) - 1;
  };
  const resolutions = await Promise.all(envelope.map((recipient) => directory.resolve(recipient.address)));
  const targets: (readonly number[] | undefined)[] = [];
  const expanded: EnvelopeRecipient[] = [];
  for (const [index, resolution] of resolutions.entries()) {
    const recipient = envelope[index];
    if (recipient === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- earlier recipients decide what later ones share
    targets.push(await targetsOf(recipient, resolution));
  }
  return { recipients, targets, expanded };

  async function targetsOf(
    recipient: EnvelopeRecipient,
    resolution: Resolution,
  ): Promise<readonly number[] | undefined> {
    const { address, notify, originalRecipient } = recipient;
    switch (resolution.kind) {
      case 'unknown':
      case 'disabled':
        return undefined;
      case 'remote': {
        const forwardPath = onTheWire(address, resolution.domain, smtpUtf8);
        return [
          add(`remote ${forwardPath}`, {
            forwardPath,
            route: { kind: 'remote', domain: resolution.domain },
            notify,
            originalRecipient,
          }),
        ];
      }
      case 'local': {
        const reached = [resolution, ...(resolution.lists ?? [])];
        const accounts = reached.flatMap((one) => one.accounts);
        const forwards = reached.flatMap((one) => one.forwards);
        const several = accounts.length + forwards.length > 1;
        const original = originalRecipient ?? originalRecipientOf(address);
        // RFC 3461 §5.2.7.3 (c): who stands behind an alias of several is nobody's to learn from a report of success.
        const notifyEach = several ? notify?.filter((condition) => condition !== 'success') : notify;
        if (several && notify?.includes('success') === true) expanded.push(recipient);
        const found = accounts.map((target) =>
          add(`local ${target.account}`, {
            // RFC 5321 §4.1.1.3: `postmaster` comes without a domain, and goes on with one.
            forwardPath: several || !address.includes('@') ? target.address : address,
            route: { kind: 'local', account: target.account, detail: target.detail },
            notify: notifyEach,
            originalRecipient: several ? original : originalRecipient,
          }),
        );
        for (const forward of forwards) {
          // oxlint-disable-next-line no-await-in-loop -- forwards are few
          const next = await directory.resolve(forward);
          if (next.kind !== 'remote') continue;
          const forwardPath = onTheWire(forward, next.domain, smtpUtf8);
          const route = { kind: 'remote', domain: next.domain } as const;
          found.push(
            add(`remote ${forwardPath}`, {
              forwardPath,
              route,
              notify: notifyEach,
              originalRecipient: original,
            }),
          );
        }
        return found;
      }
    }
  }
}

/** What either of two RCPTs that come together asks to hear of. Unsaid means FAILURE, and DELAY as we choose (RFC 3461 §4.1). */
function eitherOf(one: NotifyOn | undefined, other: NotifyOn | undefined): NotifyOn | undefined {
  if (one === undefined && other === undefined) return undefined;
  return [...new Set([...(one ?? UNSAID), ...(other ?? UNSAID)])];
}

const UNSAID: NotifyOn = ['failure', 'delay'];

/** The local part is the next host's to read: kept as it is. The domain is in A-labels where UTF-8 was not agreed. */
function onTheWire(address: string, domain: string, smtpUtf8: boolean): string {
  const at = address.lastIndexOf('@');
  return smtpUtf8 || at === -1 ? address : `${address.slice(0, at)}@${domain}`;
}
