/** What can be asked about what an account may send: suspension, limits of its own, and addresses it was granted. */
import type { Account, Sending, SendingChange } from '../../auth/directory.ts';
import { SENDING_LIMITS } from '../../auth/sending.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { holdMail, releaseMail } from '../account-suspension.ts';
import type { Fields } from './fields.ts';
import type { ControlProblem } from './problem.ts';
import { directoryProblem } from './problem.ts';
import type { QueueControlPorts } from './queue-methods.ts';

/** `null`: what all accounts may. 0: no limit. */
export type SendingLimitsView = {
  readonly messagesPerHour: number | null;
  readonly messagesPerDay: number | null;
  readonly recipientsPerHour: number | null;
  readonly recipientsPerDay: number | null;
};

export type SendingView = {
  /** `null`: it may send. */
  readonly suspended: { readonly reason: string; readonly atMs: number } | null;
  readonly limits: SendingLimitsView;
  /** Addresses in whose name it may write beside its own. */
  readonly grants: readonly string[];
};

type Named = { readonly address: string };
type Shown = { readonly sending: SendingView };

export type SendingMethods = {
  'sending.show': { params: Named; result: Shown };
  /** Those left out stay. */
  'sending.limit': { params: Named & Partial<SendingLimitsView>; result: Shown };
  /** Holds what it has in the queue, too. */
  'sending.suspend': {
    params: Named & { readonly reason?: string };
    result: Shown & { readonly messages: number; readonly recipients: number };
  };
  /** With `release` what was held with it goes on. */
  'sending.resume': {
    params: Named & { readonly release?: boolean };
    result: Shown & { readonly messages: number; readonly recipients: number };
  };
  'sending.grant': { params: Named & { readonly as: string }; result: Shown };
  'sending.revoke': { params: Named & { readonly as: string }; result: Shown };
};

type Ports = Pick<QueueControlPorts, 'directory' | 'queue' | 'clock'>;
type Run<Method extends keyof SendingMethods> = (
  fields: Fields,
  ports: Ports,
) => Promise<Result<SendingMethods[Method]['result'], ControlProblem>>;

export const SENDING_METHODS: { readonly [Method in keyof SendingMethods]: Run<Method> } = {
  'sending.show': async (fields, ports) => {
    const address = fields.text('address');
    fields.end();
    return withAccount(ports, address, async (account) => ok(await shown(ports, account)));
  },
  'sending.limit': async (fields, ports) => {
    const address = fields.text('address');
    const wanted = SENDING_LIMITS.map((limit) => [limit, fields.wholeOrNull(limit)] as const);
    fields.end();
    const limits = Object.fromEntries(wanted.filter(([, value]) => value !== undefined));
    return withAccount(ports, address, async (account) => change(ports, account, { limits }));
  },
  'sending.suspend': async (fields, ports) => {
    const address = fields.text('address');
    const reason = fields.optionalText('reason') ?? 'operator';
    fields.end();
    return withAccount(ports, address, async (account) => {
      const changed = await change(ports, account, { suspended: reason });
      if (!changed.ok) return changed;
      const held = await holdMail(await ports.queue(), account.id, ports.clock.nowMs());
      return ok({ ...changed.value, ...held });
    });
  },
  'sending.resume': async (fields, ports) => {
    const address = fields.text('address');
    const release = fields.flag('release') ?? false;
    fields.end();
    return withAccount(ports, address, async (account) => {
      const changed = await change(ports, account, { suspended: null });
      if (!changed.ok) return changed;
      const released = release
        ? await releaseMail(await ports.queue(), account.id, ports.clock.nowMs())
        : { messages: 0, recipients: 0 };
      return ok({ ...changed.value, ...released });
    });
  },
  'sending.grant': async (fields, ports) => {
    const address = fields.text('address');
    const as = fields.text('as');
    fields.end();
    return withAccount(ports, address, async (account) => {
      const granted = await ports.directory.addSendGrant(account.id, as);
      return granted.ok ? ok(await shown(ports, account)) : err(directoryProblem(granted.error, as));
    });
  },
  'sending.revoke': async (fields, ports) => {
    const address = fields.text('address');
    const as = fields.text('as');
    fields.end();
    return withAccount(ports, address, async (account) => {
      const revoked = await ports.directory.removeSendGrant(account.id, as);
      return revoked.ok ? ok(await shown(ports, account)) : err(directoryProblem(revoked.error, as));
    });
  },
};

async function withAccount<Value>(
  { directory }: Ports,
  address: string,
  run: (account: Account) => Promise<Result<Value, ControlProblem>>,
): Promise<Result<Value, ControlProblem>> {
  const account = await directory.accountByAddress(address);
  return account === undefined ? err(directoryProblem({ kind: 'not-found' }, address)) : run(account);
}

async function change(
  ports: Ports,
  account: Account,
  wanted: SendingChange,
): Promise<Result<Shown, ControlProblem>> {
  const changed = await ports.directory.setSending(account.id, wanted);
  return changed.ok ? ok(await shown(ports, account)) : err(directoryProblem(changed.error, account.address));
}

async function shown({ directory }: Ports, { id }: Account): Promise<Shown> {
  const [sending, grants] = await Promise.all([directory.sending(id), directory.sendGrants(id)]);
  return { sending: { suspended: sending.suspended ?? null, limits: viewLimits(sending), grants } };
}

function viewLimits({ limits }: Sending): SendingLimitsView {
  const { messagesPerHour, messagesPerDay, recipientsPerHour, recipientsPerDay } = limits;
  return {
    messagesPerHour: messagesPerHour ?? null,
    messagesPerDay: messagesPerDay ?? null,
    recipientsPerHour: recipientsPerHour ?? null,
    recipientsPerDay: recipientsPerDay ?? null,
  };
}
