/**
 * The port to domains, accounts, addresses and credentials. Its meaning is `directory.contract.ts`.
 *
 * Addresses are compared by their key: the domain in lower-case A-labels (IDNA), the local part NFC and case-folded
 * (RFC 5321 §2.4 lets only the owner of a domain decide; here upper and lower case are one), without `+detail`.
 */
import type { Result } from '../base/result.ts';
import type { AccountId } from '../store/ids.ts';
import type { AuthProblem, Principal, Scope } from './principal.ts';

export type Domain = { readonly name: string; /** U-label form */ readonly displayName: string; readonly createdAtMs: number };

export type Account = {
  readonly id: AccountId;
  /** The primary address. */
  readonly address: string;
  readonly displayName: string;
  readonly disabled: boolean;
  readonly quotaOctets: number | undefined;
  readonly createdAtMs: number;
};

/** An address that stands for others: one target is an alias, several a group; the address `@domain` is a catch-all. */
export type Alias = { readonly address: string; readonly targets: readonly string[]; readonly createdAtMs: number };

export type AppPassword = { readonly name: string; readonly scopes: readonly Scope[]; readonly createdAtMs: number };

export type DirectoryProblem =
  | { readonly kind: 'exists' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'bad-address' }
  | { readonly kind: 'no-such-domain' }
  | { readonly kind: 'in-use' }
  | { readonly kind: 'loop' };

/** What an address leads to. */
export type Resolution =
  /** The domain is not ours. `domain` is its A-label form, or an address literal. */
  | { readonly kind: 'remote'; readonly domain: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'disabled'; readonly account: AccountId }
  | {
      readonly kind: 'local';
      /** Each account once, however many ways lead to it. */
      readonly accounts: readonly { readonly account: AccountId; readonly address: string; readonly detail: string | undefined }[];
      /** Targets of aliases at other hosts. */
      readonly forwards: readonly string[];
    };

export type Directory = {
  /** Cached: the hot path of RCPT. `postmaster` without a domain (RFC 5321 §4.5.1) is resolved too. */
  resolve(address: string): Promise<Resolution>;
  isLocalDomain(domain: string): Promise<boolean>;
  /** True when the account may use the address as reverse-path or From: its own, or an alias that leads to it alone or among others. */
  maySendAs(account: AccountId, address: string): Promise<boolean>;

  /** Unknown, disabled and known accounts take the same time to refuse; hashing is off the event loop. */
  authenticate(name: string, password: string, scope: Scope): Promise<Result<Principal, AuthProblem>>;

  domains(): Promise<readonly Domain[]>;
  addDomain(name: string): Promise<Result<Domain, DirectoryProblem>>;
  /** Refused with `in-use` while it has accounts or aliases. */
  removeDomain(name: string): Promise<Result<void, DirectoryProblem>>;

  accounts(): Promise<readonly Account[]>;
  account(id: AccountId): Promise<Account | undefined>;
  accountByAddress(address: string): Promise<Account | undefined>;
  addAccount(request: {
    readonly address: string;
    readonly password: string | undefined;
    readonly displayName?: string;
    readonly quotaOctets?: number;
  }): Promise<Result<Account, DirectoryProblem>>;
  removeAccount(id: AccountId): Promise<Result<void, DirectoryProblem>>;
  setAccount(
    id: AccountId,
    change: {
      readonly password?: string;
      readonly displayName?: string;
      readonly disabled?: boolean;
      /** `null` takes the limit away. */
      readonly quotaOctets?: number | null;
    },
  ): Promise<Result<Account, DirectoryProblem>>;

  appPasswords(id: AccountId): Promise<readonly AppPassword[]>;
  /** Gives the secret once; only its hash is kept. */
  addAppPassword(
    id: AccountId,
    name: string,
    scopes: readonly Scope[],
  ): Promise<Result<{ readonly secret: string }, DirectoryProblem>>;
  removeAppPassword(id: AccountId, name: string): Promise<Result<void, DirectoryProblem>>;

  aliases(): Promise<readonly Alias[]>;
  setAlias(address: string, targets: readonly string[]): Promise<Result<Alias, DirectoryProblem>>;
  removeAlias(address: string): Promise<Result<void, DirectoryProblem>>;
};
