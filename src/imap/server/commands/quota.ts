/**
 * GETQUOTA, GETQUOTAROOT and SETQUOTA. All mailboxes of an account share one quota root, whose name is empty.
 * Source: RFC 9208 §4.1; the limits that there are: §5.1 (STORAGE) and §5.3 (MAILBOX).
 */
import { LIMITS } from '../../../base/limits.ts';
import type { AccountId } from '../../../store/ids.ts';
import type { Command } from '../../wire/command.ts';
import { quotaResponse, quotaRootResponse, type QuotaResource } from '../../wire/command/quota.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { normalPath } from '../mailbox-tree.ts';
import type { ImapDeps } from '../ports.ts';
import type { SignedIn } from '../state.ts';

type GetQuota = Extract<Command, { verb: 'GETQUOTA' }>;
type GetQuotaRoot = Extract<Command, { verb: 'GETQUOTAROOT' }>;

/** Of an account's own mailboxes. */
const OWN_ROOT = '';
/** RFC 9208 §5.1. */
const STORAGE_UNIT_OCTETS = 1024;

export async function* getQuota({ principal }: SignedIn, { root }: GetQuota, context: Context): Replies {
  if (root !== OWN_ROOT) return { status: 'NO', code: 'NONEXISTENT', text: 'No such quota root' };
  const { deps, enabled } = context;
  yield quotaResponse(OWN_ROOT, await resourcesOf(principal.account, deps), enabled.utf8);
  return done('This is the quota');
}

/** RFC 9208 §4.1.2: the mailbox need not exist. */
export async function* getQuotaRoot(
  { principal }: SignedIn,
  { mailbox }: GetQuotaRoot,
  { deps, enabled }: Context,
): Replies {
  yield quotaRootResponse(normalPath(mailbox), [OWN_ROOT], enabled.utf8);
  yield quotaResponse(OWN_ROOT, await resourcesOf(principal.account, deps), enabled.utf8);
  return done('This is the quota');
}

/** RFC 9208 §4.1.3: QUOTASET is not offered. Limits are the operator's, who sets them where accounts are made. */
export function setQuota(): Outcome {
  return { status: 'NO', code: 'NOPERM', text: 'Only the operator sets quotas' };
}

/** Those that have a limit: the others are not named (RFC 9208 §4.2.1). */
async function resourcesOf(account: AccountId, { store }: ImapDeps): Promise<readonly QuotaResource[]> {
  const { octetsUsed, octetsMax } = await store.quota(account);
  const mailboxes = await store.mailboxes(account);
  const storage: readonly QuotaResource[] =
    octetsMax === undefined
      ? []
      : [
          {
            name: 'STORAGE',
            // What is begun counts, and a unit that does not fit is no room.
            usage: Math.ceil(octetsUsed / STORAGE_UNIT_OCTETS),
            limit: Math.floor(octetsMax / STORAGE_UNIT_OCTETS),
          },
        ];
  return [...storage, { name: 'MAILBOX', usage: mailboxes.length, limit: LIMITS.mailboxesMax }];
}
