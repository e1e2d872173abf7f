/**
 * What an account may send: whether it may at all, how much where that is not what all may, and in whose name. Pure: the
 * rules that every directory shares.
 */
import { LIMITS } from '../base/limits.ts';
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import type { AccountId } from '../store/ids.ts';
import { toAddressKey } from './address-key.ts';
import type {
  DirectoryProblem,
  Resolution,
  Sending,
  SendingChange,
  SendingLimits,
  SendingRight,
} from './directory.ts';
import { leadsTo } from './resolve-address.ts';

export const SENDING_LIMITS: readonly (keyof SendingLimits)[] = [
  'messagesPerHour',
  'messagesPerDay',
  'recipientsPerHour',
  'recipientsPerDay',
];

const UNCHANGED: Sending = { suspended: undefined, limits: {} };

export function changedSending(
  kept: Sending,
  { suspended, limits = {} }: SendingChange,
  nowMs: number,
): Sending {
  const merged: { -readonly [Limit in keyof SendingLimits]: number } = {};
  for (const limit of SENDING_LIMITS) {
    const wanted = limits[limit] === undefined ? kept.limits[limit] : (limits[limit] ?? undefined);
    if (wanted !== undefined) merged[limit] = wanted;
  }
  if (suspended === undefined) return { suspended: kept.suspended, limits: merged };
  if (suspended === null) return { suspended: undefined, limits: merged };
  return { suspended: kept.suspended ?? { atMs: nowMs, reason: suspended }, limits: merged };
}

/** As it is stored; undefined: nothing to store. */
export function encodeSending({ suspended, limits }: Sending): string | undefined {
  if (suspended === undefined && Object.keys(limits).length === 0) return undefined;
  return JSON.stringify({ suspended, limits });
}

export function decodeSending(text: string | undefined): Sending {
  if (text === undefined) return UNCHANGED;
  const { suspended, limits = {} }: Partial<Sending> = JSON.parse(text);
  return { suspended, limits };
}

/**
 * @param found what the address leads to
 * @param grants keys of addresses that the account was granted
 */
export function sendingRightOf(
  account: AccountId,
  address: string,
  found: Resolution,
  grants: readonly string[],
): SendingRight {
  if (leadsTo(found, account)) return 'own';
  if (grants.length === 0) return undefined;
  const key = toAddressKey(address);
  if (key !== undefined && (grants.includes(key.key) || grants.includes(key.baseKey))) return 'granted';
  // Who may write as an account may do so by any of its addresses; a group is nobody's in particular.
  if (found.kind !== 'local' || found.lists !== undefined) return undefined;
  const [only, ...others] = found.accounts;
  return only !== undefined && others.length === 0 && grants.includes(only.address) ? 'granted' : undefined;
}

/** The key of an address that is granted. */
export function checkGrant(address: string, kept: readonly string[]): Result<string, DirectoryProblem> {
  const key = toAddressKey(address)?.key;
  if (key === undefined) return err({ kind: 'bad-address' });
  if (kept.includes(key)) return err({ kind: 'exists' });
  return kept.length >= LIMITS.sendGrantsMax ? err({ kind: 'too-many' }) : ok(key);
}
