/**
 * GETQUOTA, GETQUOTAROOT and SETQUOTA. All mailboxes of an account share one quota root, whose name is empty to the
 * account, and to others the level that they are below. Source: RFC 9208 §4.1, §6 (rights); the limits that there are:
 * §5.1 (STORAGE) and §5.3 (MAILBOX).
 */
import { LIMITS } from '../../../base/limits.ts';
import type { AccountId } from '../../../store/ids.ts';
import type { Command } from '../../wire/command.ts';
import type { Principal } from '../../../auth/principal.ts';
import { quotaResponse, quotaRootResponse, type QuotaResource } from '../../wire/command/quota.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { allowed, sharedMails } from '../mailbox-access.ts';
import type { ImapDeps } from '../ports.ts';
import { formatUpperLevel, normalName, parseSharedName } from '../shared-name.ts';
import type { SignedIn } from '../state.ts';

type GetQuota = Extract<Command, { verb: 'GETQUOTA' }>;
type GetQuotaRoot = Extract<Command, { verb: 'GETQUOTAROOT' }>;

/** Of an account's own mailboxes. */
const OWN_ROOT = '';
/** RFC 9208 §5.1. */
const STORAGE_UNIT_OCTETS = 1024;

export async function* getQuota({ principal }: SignedIn, { root }: GetQuota, context: Context): Replies {
  const { deps, enabled } = context;
  const owner = root === OWN_ROOT ? principal.account : await ownerOf(principal, root, deps);
  if (owner === undefined) return { status: 'NO', code: 'NONEXISTENT', text: 'No such quota root' };
  yield quotaResponse(root, await resourcesOf(owner, deps), enabled.utf8);
  return done('This is the quota');
}

/** RFC 9208 §6: `r`, as for what tells how much there is. */
async function ownerOf(principal: Principal, root: string, deps: ImapDeps): Promise<AccountId | undefined> {
  const mails = await sharedMails(principal, deps);
  return mails.find(
    ({ ownerAddress, tree, rightsOn }) =>
      formatUpperLevel(ownerAddress) === root &&
      tree.nodes.some(({ mailbox }) => rightsOn(mailbox.id).includes('r')),
  )?.owner;
}

export async function* getQuotaRoot(
  { principal }: SignedIn,
  { mailbox }: GetQuotaRoot,
  { deps, enabled }: Context,
): Replies {
  let root = OWN_ROOT;
  let owner = principal.account;
  // RFC 9208 §4.1.2: the mailbox need not exist, where that tells nothing of others.
  if (parseSharedName(mailbox).kind !== 'own') {
    const access = await allowed(principal, mailbox, 'r', deps);
    if (!access.ok) return access.error;
    ({ owner } = access.value);
    if (!access.value.isOwn) root = formatUpperLevel(access.value.ownerAddress);
  }
  yield quotaRootResponse(normalName(mailbox), [root], enabled.utf8);
  yield quotaResponse(root, await resourcesOf(owner, deps), enabled.utf8);
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
