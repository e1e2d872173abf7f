/**
 * Stops an account that looks as if somebody else had its password: its sending is suspended in the directory, what it has in
 * the queue is held, and one notice tells its owner and the postmaster. An operator resumes it.
 */
import type { Directory } from '../auth/directory.ts';
import type { Clock } from '../base/clock.ts';
import type { Notice } from '../delivery/notice.ts';
import type { AccountSign } from '../policy/account-guard.ts';
import type { PolicyEventSink } from '../policy/event.ts';
import { operate, type Tally } from '../queue/operate.ts';
import type { Queue } from '../queue/queue.ts';
import type { AccountId } from '../store/ids.ts';

/** Why the queue holds the mail of a suspended account. */
export const HELD_WITH_ACCOUNT = 'account-suspended';

export type SuspensionPorts = {
  readonly directory: Pick<Directory, 'account' | 'sending' | 'setSending'>;
  readonly queue: Pick<Queue, 'find' | 'act'>;
  readonly clock: Clock;
  readonly notify: (notice: Notice) => Promise<unknown>;
  readonly events: PolicyEventSink;
  readonly onFault: (cause: unknown) => void;
};

const SAID: Readonly<Record<AccountSign, string>> = {
  'guard.excess': 'It tried again and again to send more than it may.',
  'guard.refused-recipients': 'It sent to many recipients that were refused.',
  'guard.networks': 'It signed in from many different networks.',
};

export class AccountSuspension {
  readonly #ports: SuspensionPorts;
  /** Those that are being suspended: signs come in by the dozen. */
  readonly #running = new Set<AccountId>();

  constructor(ports: SuspensionPorts) {
    this.#ports = ports;
  }

  suspend(account: AccountId, sign: AccountSign): void {
    if (this.#running.has(account)) return;
    this.#running.add(account);
    this.#suspend(account, sign)
      .catch((cause: unknown) => this.#ports.onFault(cause))
      .finally(() => this.#running.delete(account));
  }

  async #suspend(account: AccountId, sign: AccountSign): Promise<void> {
    const { directory, queue, clock, notify, events } = this.#ports;
    if ((await directory.sending(account)).suspended !== undefined) return;
    const found = await directory.account(account);
    if (found === undefined || !(await directory.setSending(account, { suspended: sign })).ok) return;
    const held = await holdMail(queue, account, clock.nowMs());
    events({
      name: 'policy.account-suspended',
      accountId: account,
      reason: sign,
      heldRecipients: held.recipients,
    });
    await notify({
      to: [found.address, 'postmaster'],
      subject: 'Sending from an account was suspended',
      lines: [
        `The account ${found.address} may send no more mail for now.`,
        '',
        `${SAID[sign]} That looks as if`,
        'somebody else knew its password, so it was stopped. Mail to it comes in',
        'as before.',
        '',
        `Held in the queue: ${held.messages} messages to ${held.recipients} recipients.`,
        '',
        'The owner should set a new password. The postmaster looks at what is held',
        `('postrider queue list'), and then lets the account send again with`,
        `'postrider account resume ${found.address}'.`,
      ],
    });
  }
}

export function holdMail(
  queue: Pick<Queue, 'find' | 'act'>,
  account: AccountId,
  nowMs: number,
): Promise<Tally> {
  return operate(queue, { account, state: 'waiting' }, { kind: 'hold', reason: HELD_WITH_ACCOUNT }, nowMs);
}

/** Lets go what was held with the account. */
export function releaseMail(
  queue: Pick<Queue, 'find' | 'act'>,
  account: AccountId,
  nowMs: number,
): Promise<Tally> {
  return operate(queue, { account, hold: HELD_WITH_ACCOUNT }, { kind: 'release' }, nowMs);
}
