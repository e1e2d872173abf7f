/** What directories decide alike about shares. Pure. */
import type { AccountId } from '../store/ids.ts';
import { toAddressKey } from './address-key.ts';
import type { Resolution } from './directory.ts';
import type { Share } from './rights.ts';

/** RFC 4314 §2: all who sign in. */
export const ANYONE = 'anyone';

/** A row's identifier, its dash apart. */
export type Identifier = { readonly name: string; readonly negative: boolean };

/** In the form that addresses are compared by; undefined for what is neither an address nor `anyone`. */
export function toIdentifier(text: string): Identifier | undefined {
  const negative = text.startsWith('-');
  const body = negative ? text.slice(1) : text;
  const name = body.toLowerCase() === ANYONE ? ANYONE : toAddressKey(body)?.key;
  return name === undefined ? undefined : { name, negative };
}

export function formatIdentifier({ name, negative }: Identifier): string {
  return negative ? `-${name}` : name;
}

/** Of a share as it is kept. */
export function shareName({ identifier }: Share): string {
  return identifier.startsWith('-') ? identifier.slice(1) : identifier;
}

export function inShareOrder(shares: readonly Share[]): readonly Share[] {
  return shares.toSorted(
    (a, b) => (a.mailbox ?? 0) - (b.mailbox ?? 0) || (a.identifier < b.identifier ? -1 : 1),
  );
}

/** Whether an address leads to the account, alone or among others, through lists too. */
export function leadsTo(found: Resolution, account: AccountId): boolean {
  if (found.kind !== 'local') return false;
  const { accounts, lists = [] } = found;
  return [...accounts, ...lists.flatMap((list) => list.accounts)].some((one) => one.account === account);
}
