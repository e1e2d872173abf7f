/**
 * Which domains have no postmaster that anybody reads. RFC 5321 §4.5.1 wants one at every domain that takes mail: it is where the world says
 * what is wrong with it.
 */
import type { Directory } from '../auth/directory.ts';
import type { AccountId } from '../store/ids.ts';

/** What is wrong with the postmaster of a domain, as one sentence; undefined: somebody reads it. */
export async function checkPostmaster(
  directory: Directory,
  domain: string,
  /** Accounts sign in by a service elsewhere. */
  hasOauth: boolean,
): Promise<string | undefined> {
  const address = `postmaster@${domain}`;
  const found = await directory.resolve(address);
  switch (found.kind) {
    case 'unknown':
      return `Nobody has the address ${address} (RFC 5321 §4.5.1): set 'postmaster', or add an account or an alias`;
    case 'disabled':
      return `The account behind ${address} is disabled, and nobody reads what is sent to it (RFC 5321 §4.5.1)`;
    case 'remote':
      return undefined;
    case 'local': {
      const { accounts, forwards, lists = [] } = found;
      if (forwards.length > 0 || lists.some((list) => list.forwards.length > 0)) return undefined;
      const all = [...accounts, ...lists.flatMap((list) => list.accounts)];
      for (const { account } of all)
        // oxlint-disable-next-line no-await-in-loop -- the first who can read it is enough
        if (hasOauth || (await canSignIn(directory, account))) return undefined;
      const who = all.map((one) => one.address).join(', ');
      return `Nobody reads ${address} (RFC 5321 §4.5.1): it goes to ${who}, and nobody can sign in there`;
    }
  }
}

async function canSignIn(directory: Directory, account: AccountId): Promise<boolean> {
  const means = await directory.signInMeans(account);
  if (means?.hasPassword === true || (means?.certificates.length ?? 0) > 0) return true;
  return (await directory.appPasswords(account)).length > 0;
}
