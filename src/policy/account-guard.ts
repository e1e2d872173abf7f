/**
 * The check that watches for accounts in strangers' hands: one that keeps running into its limits, sends to many recipients
 * that do not exist, or signs in from many networks. Beyond a figure, its sending is suspended. All is counted in the
 * table of rates: an hour's worth, over all threads.
 */
import type { AccountId } from '../store/ids.ts';
import type { Check } from './check.ts';
import { networkName } from './peer-name.ts';
import type { Rates } from './rate.ts';
import { ACCEPT } from './verdict.ts';

export type AccountGuardRules = {
  readonly excessesPerHour: number;
  readonly refusedRecipientsPerHour: number;
  readonly networksPerHour: number;
  readonly ipv4NetworkBits: number;
  readonly ipv6NetworkBits: number;
};

/** Why an account is suspended. */
export type AccountSign = 'guard.excess' | 'guard.refused-recipients' | 'guard.networks';

export type AccountGuardPorts = {
  readonly rates: Rates;
  readonly isExempt: (address: string) => boolean;
  /** Called again and again while it goes on. */
  readonly suspend: (account: AccountId, sign: AccountSign) => void;
};

const HOUR_MS = 3_600_000;

export type AccountGuard = Check & {
  /** It wanted to send more than it may. */
  exceeded(account: AccountId): void;
};

export function accountGuard(ports: AccountGuardPorts, rules: AccountGuardRules): AccountGuard {
  const { rates, isExempt, suspend } = ports;
  const count = (account: AccountId, what: keyof AccountGuardRules, sign: AccountSign): void => {
    const rate = { count: rules[what], intervalMs: HOUR_MS };
    if (!rates.subject('account', `account ${account}`).bucket(`guard.${what}`, rate).take())
      suspend(account, sign);
  };
  const bits = { ipv4: rules.ipv4NetworkBits, ipv6: rules.ipv6NetworkBits };
  return {
    name: 'account-guard',
    exceeded: (account) => count(account, 'excessesPerHour', 'guard.excess'),
    auth: ({ principal, remote: { address } }) => {
      if (principal === undefined || isExempt(address)) return ACCEPT;
      const { account } = principal;
      // Each network counts once while it is known.
      const seen = rates.subject('account', `account ${account} in ${networkName(address, bits)}`);
      if (seen.bucket('guard.network', { count: 1, intervalMs: HOUR_MS }).take())
        count(account, 'networksPerHour', 'guard.networks');
      return ACCEPT;
    },
    refused: ({ verb, code }, { principal }) => {
      if (principal !== undefined && verb === 'RCPT' && code >= 500)
        count(principal.account, 'refusedRecipientsPerHour', 'guard.refused-recipients');
      return 0;
    },
    afterDelivery: ({ account }, { kind }) => {
      if (account !== undefined && kind === 'failed')
        count(account, 'refusedRecipientsPerHour', 'guard.refused-recipients');
    },
  };
}
