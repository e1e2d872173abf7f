/**
 * The port to domains, accounts, addresses and credentials. Its meaning is `directory.contract.ts`.
 *
 * Addresses are compared by their key: the domain in lower-case A-labels (IDNA), the local part NFC and case-folded
 * (RFC 5321 §2.4 lets only the owner of a domain decide; here upper and lower case are one), without `+detail`.
 */
import type { Result } from '../base/result.ts';
import type { AccountId, MailboxId } from '../store/ids.ts';
import type { Authentication } from './authentication.ts';
import type { AuthProblem, Principal, Scope } from './principal.ts';
import type { Share } from './rights.ts';

export type Domain = {
  /** Lower-case A-labels. */
  readonly name: string;
  /** U-labels, for people. */
  readonly displayName: string;
  readonly createdAtMs: number;
};

export type Account = {
  readonly id: AccountId;
  /** The primary address, in the form that addresses are compared by. */
  readonly address: string;
  readonly displayName: string;
  readonly disabled: boolean;
  readonly quotaOctets: number | undefined;
  readonly createdAtMs: number;
};

/** In the place of the figures that the configuration has for all accounts; 0: no limit. Left out: those. */
export type SendingLimits = {
  readonly messagesPerHour?: number;
  readonly messagesPerDay?: number;
  readonly recipientsPerHour?: number;
  readonly recipientsPerDay?: number;
};

export type Sending = {
  /** It may send nothing until somebody resumes it. `reason` is a stable code or an operator's words. */
  readonly suspended: { readonly atMs: number; readonly reason: string } | undefined;
  readonly limits: SendingLimits;
};

export type SendingChange = {
  /** The reason; `null` resumes. One that is suspended already keeps its time and reason. */
  readonly suspended?: string | null;
  /** `null`: what all may. Those left out stay. */
  readonly limits?: { readonly [Limit in keyof SendingLimits]: number | null };
};

/** `own`: an address that leads to the account. `granted`: one that somebody lets it use. */
export type SendingRight = 'own' | 'granted' | undefined;

/** An address that stands for others: one target is an alias, several a group; the address `@domain` is a catch-all. */
export type Alias = {
  /** In the form that addresses are compared by. */
  readonly address: string;
  /** At least one, in the order given; local parts as written, since other hosts may tell case apart. */
  readonly targets: readonly string[];
  /**
   * Set for a list: who hears what becomes of its copies, which leave with this as their reverse-path (RFC 5321 §3.9.2). An
   * alias `NAME` without one is a list all the same where `owner-NAME` exists.
   */
  readonly owner?: string;
  /** Each copy's reverse-path is tagged with its recipient. */
  readonly verp?: true;
  readonly createdAtMs: number;
};

export type AliasChange = {
  /** Left out: as it was; `null`: none. */
  readonly owner?: string | null;
  /** Left out: as it was. Needs an owner. */
  readonly verp?: boolean;
};

/** What a secret is for: its own kind of tagged address, or the salts of SCRAM. */
export type SecretPurpose = 'srs' | 'scram-salt';

export type Secret = { readonly text: string; readonly createdAtMs: number };

export type AppPassword = {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
};

/** A certificate whose holder is an account, whoever issued it. */
export type AccountCertificate = {
  /** SHA-256 of its DER, hexadecimal in lower case. */
  readonly fingerprint: string;
  readonly createdAtMs: number;
};

/** What an account can sign in with, beside its app passwords. */
export type SignInMeans = {
  readonly hasPassword: boolean;
  /** By SCRAM too: the password was set, or shown by PLAIN or LOGIN, since keys are made. */
  readonly hasScramKeys: boolean;
  readonly certificates: readonly AccountCertificate[];
};

export type DirectoryProblem =
  | { readonly kind: 'exists' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'bad-address' }
  | { readonly kind: 'no-such-domain' }
  | { readonly kind: 'in-use' }
  /** An alias that would lead back to itself. */
  | { readonly kind: 'loop' }
  /** Beyond a limit: targets of an alias, aliases that lead to aliases, app passwords of an account. */
  | { readonly kind: 'too-many' }
  /** A display name or the name of an app password that is empty, too long, or holds controls. */
  | { readonly kind: 'bad-name' }
  /** Empty, or longer than 1,024 octets. */
  | { readonly kind: 'bad-password' }
  /** A list's owner that is no address, an owner of a catch-all, or VERP without an owner. */
  | { readonly kind: 'bad-owner' }
  /** A secret of less than 16 or more than 256 octets, or with other than printable ASCII in it. */
  | { readonly kind: 'bad-secret' }
  /** Not the SHA-256 of a certificate. */
  | { readonly kind: 'bad-fingerprint' };

/** A part of a list that is ordered by address: what comes behind `after`, at most `limit`. Without it: all. */
export type DirectoryPage = { readonly after: string | undefined; readonly limit: number };

/** Something in the stored directory that does not hold. `repaired` says that it does now. */
export type DirectoryFinding = {
  readonly kind:
    | 'damaged-file'
    | 'wrong-key'
    | 'missing-domain'
    | 'double-address'
    | 'bad-target'
    | 'dangling-target'
    | 'alias-loop'
    | 'alias-too-deep'
    | 'bad-password-hash'
    | 'bad-scram-keys'
    | 'orphaned-app-password'
    | 'bad-certificate'
    | 'orphaned-home-network'
    | 'orphaned-grant'
    | 'orphaned-sending'
    | 'bad-share';
  /** The address, domain or account it is about. */
  readonly subject: string;
  readonly text: string;
  readonly repaired: boolean;
};

/** An account that an address leads to. */
export type ResolvedAccount = {
  readonly account: AccountId;
  readonly address: string;
  readonly detail: string | undefined;
  /** Set where it has a limit. */
  readonly quotaOctets?: number;
};

/** Those who are reached through a list only. */
export type ListTargets = {
  /** The list's. */
  readonly address: string;
  readonly owner: string;
  readonly verp: boolean;
  readonly accounts: readonly ResolvedAccount[];
  readonly forwards: readonly string[];
};

/** What an address leads to. */
export type Resolution =
  /** The domain is not ours. `domain` is its A-label form, or an address literal. */
  | { readonly kind: 'remote'; readonly domain: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'disabled'; readonly account: AccountId }
  | {
      readonly kind: 'local';
      /** Each account once, however many ways lead to it. */
      readonly accounts: readonly ResolvedAccount[];
      /** Targets of aliases at other hosts. */
      readonly forwards: readonly string[];
      /** Left out where there are none. Nobody is in it who is above, and nobody twice. */
      readonly lists?: readonly ListTargets[];
    };

export type Directory = {
  /**
   * Cached: the hot path of RCPT. The first that exists decides: account, alias, account without `+detail`, alias without
   * `+detail`, the operator's address for postmaster and abuse, catch-all. What is no address is `unknown`. `postmaster` without a domain (RFC 5321 §4.5.1) is resolved too.
   */
  resolve(address: string): Promise<Resolution>;
  isLocalDomain(domain: string): Promise<boolean>;
  /**
   * Whether the account may use the address as reverse-path or From: as its own (also an alias that leads to it alone or among
   * others), or because it was granted. Who was granted an account's address may use all that lead to that account alone.
   */
  sendingRight(account: AccountId, address: string): Promise<SendingRight>;

  /** What an account may send; of one that is not there, what all may. */
  sending(id: AccountId): Promise<Sending>;
  /** Refused with `bad-name` for a reason that is none. */
  setSending(id: AccountId, change: SendingChange): Promise<Result<Sending, DirectoryProblem>>;
  /** The addresses that an account was granted, ascending, in the form that addresses are compared by. */
  sendGrants(id: AccountId): Promise<readonly string[]>;
  /** Gives all of them. Any address may be granted, at a domain of ours or not. */
  addSendGrant(id: AccountId, address: string): Promise<Result<readonly string[], DirectoryProblem>>;
  removeSendGrant(id: AccountId, address: string): Promise<Result<readonly string[], DirectoryProblem>>;

  /** What an account lets others do, by mailbox (all mail first), then by identifier in code unit order. */
  shares(owner: AccountId): Promise<readonly Share[]>;
  /** What others let an account do: rows that name it, a group that leads to it, or `anyone`. In no order. */
  sharedWith(account: AccountId): Promise<readonly Share[]>;
  /**
   * Puts rights (as `parseRights` gives them) in the place of those that the identifier had; none at all take the row away.
   * Refused with `not-found` where there is no such owner, account or alias, with `in-use` for the owner itself.
   */
  setShare(share: Omit<Share, 'ownerAddress'>): Promise<Result<void, DirectoryProblem>>;
  /** Takes all rows of a mailbox away. */
  removeShares(owner: AccountId, mailbox: MailboxId): Promise<void>;

  /**
   * Unknown, disabled and known accounts take the same time to refuse; hashing is off the event loop.
   *
   * @param name the address of an account
   * @param source the peer's IP address: failures are counted by it. Without one nothing is throttled
   */
  authenticate(
    name: string,
    password: string,
    scope: Scope,
    source?: string,
  ): Promise<Result<Principal, AuthProblem>>;

  /** Ways to sign in beside {@link authenticate}. */
  readonly authentication: Authentication;
  /**
   * Accounts that are not disabled and have a password, or an app password, without keys for SCRAM; ordered as `accounts`.
   * Where there are none, nobody is worse off with SCRAM, and that stays so.
   */
  accountsWithoutScram(page?: DirectoryPage): Promise<readonly Account[]>;

  domains(): Promise<readonly Domain[]>;
  addDomain(name: string): Promise<Result<Domain, DirectoryProblem>>;
  /** Refused with `in-use` while it has accounts or aliases. */
  removeDomain(name: string): Promise<Result<void, DirectoryProblem>>;

  /** By address, ascending. */
  accounts(page?: DirectoryPage): Promise<readonly Account[]>;
  account(id: AccountId): Promise<Account | undefined>;
  accountByAddress(address: string): Promise<Account | undefined>;
  addAccount(request: {
    readonly address: string;
    readonly password: string | undefined;
    readonly displayName?: string;
    readonly quotaOctets?: number;
  }): Promise<Result<Account, DirectoryProblem>>;
  /** Aliases keep their targets: one that leads nowhere else is unknown from now on. The id is never given again. */
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

  signInMeans(id: AccountId): Promise<SignInMeans | undefined>;
  /** @param fingerprint SHA-256, hexadecimal, in any case, colons or none. Refused with `exists` where any account has it */
  addCertificate(id: AccountId, fingerprint: string): Promise<Result<AccountCertificate, DirectoryProblem>>;
  removeCertificate(id: AccountId, fingerprint: string): Promise<Result<void, DirectoryProblem>>;

  appPasswords(id: AccountId): Promise<readonly AppPassword[]>;
  /** Gives the secret once; only its hash is kept. */
  addAppPassword(
    id: AccountId,
    name: string,
    scopes: readonly Scope[],
  ): Promise<Result<{ readonly secret: string }, DirectoryProblem>>;
  removeAppPassword(id: AccountId, name: string): Promise<Result<void, DirectoryProblem>>;

  /** By address, ascending; a catch-all stands before the addresses of every domain. */
  aliases(page?: DirectoryPage): Promise<readonly Alias[]>;
  alias(address: string): Promise<Alias | undefined>;
  /** Adds or replaces. Refused with `exists` where an account has the address. */
  setAlias(
    address: string,
    targets: readonly string[],
    change?: AliasChange,
  ): Promise<Result<Alias, DirectoryProblem>>;
  removeAlias(address: string): Promise<Result<void, DirectoryProblem>>;

  /** The newest first: that one makes, all of them prove. Asked for the first time, one is made. Shared by all nodes. */
  secrets(purpose: SecretPurpose): Promise<readonly Secret[]>;
  /**
   * Puts a new one before the others, of which the oldest goes beyond a limit.
   *
   * @param text left out: a random one
   * @param only takes all others away: what was made with them proves nothing any more
   */
  addSecret(purpose: SecretPurpose, text?: string, only?: boolean): Promise<Result<Secret, DirectoryProblem>>;
};
