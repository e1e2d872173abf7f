/** The directory in memory: for tests, and the second opinion on what the contract means. */
import { domainToUnicode } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Random } from '../../base/random.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { known, toAccountId } from '../../store/ids.ts';
import type { AccountId } from '../../store/ids.ts';
import { toAddressKey, toDomainKey, toDomainName } from '../address-key.ts';
import { hashAppPassword, makeAppPassword } from '../credential/app-password.ts';
import type { KeptAppPassword } from '../credential/app-password.ts';
import { Authenticator } from '../credential/authenticator.ts';
import type { Credential } from '../credential/authenticator.ts';
import { Argon2Hasher, preparePassword } from '../credential/password-hash.ts';
import type { PasswordHasher } from '../credential/password-hash.ts';
import { VerifiedPasswords } from '../credential/verified-passwords.ts';
import {
  checkAlias,
  checkName,
  checkNewAccount,
  checkNewDomain,
  checkReason,
  checkSecret,
  makeSecret,
  toAliasKey,
} from '../directory-rules.ts';
import type {
  Account,
  Alias,
  AliasChange,
  AppPassword,
  Directory,
  DirectoryPage,
  DirectoryProblem,
  Domain,
  Resolution,
  Secret,
  SecretPurpose,
  Sending,
  SendingChange,
  SendingRight,
} from '../directory.ts';
import { UNTHROTTLED } from '../login-throttle.ts';
import type { LoginThrottle } from '../login-throttle.ts';
import type { AuthProblem, Principal, Scope } from '../principal.ts';
import { isBarePostmaster, resolveAddress, toAliasRow, walk } from '../resolve-address.ts';
import type { DirectoryRow, DirectorySettings } from '../resolve-address.ts';
import { changedSending, checkGrant, decodeSending, encodeSending, sendingRightOf } from '../sending.ts';

export type MemoryDirectoryOptions = DirectorySettings & {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher?: PasswordHasher;
  readonly throttle?: LoginThrottle;
};

type KeptAccount = Account & {
  readonly passwordHash: string | undefined;
  readonly appPasswords: readonly KeptAppPassword[];
};

/** Weak on purpose: nothing in memory is worth 19 MiB a login. */
const FAST = { memory: 64, passes: 1, parallelism: 1 };

export class MemoryDirectory implements Directory {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hasher: PasswordHasher;
  readonly #settings: DirectorySettings;
  readonly #authenticator: Authenticator;
  readonly #domains = new Map<string, Domain>();
  readonly #accounts = new Map<string, KeptAccount>();
  readonly #aliases = new Map<string, Alias>();
  readonly #secrets = new Map<SecretPurpose, readonly Secret[]>();
  readonly #sendings = new Map<AccountId, string | undefined>();
  readonly #grants = new Map<AccountId, readonly string[]>();
  #lastId = 0;

  constructor(options: MemoryDirectoryOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#settings = options;
    this.#hasher = options.hasher ?? new Argon2Hasher(FAST);
    this.#authenticator = new Authenticator(
      {
        credential: (key): Credential | undefined => {
          const account = this.#accounts.get(key);
          return account === undefined ? undefined : { ...account, account: account.id };
        },
        replaceHash: (id, kept, fresh) => {
          const account = this.#byId(id);
          if (account?.passwordHash === kept) this.#keep({ ...account, passwordHash: fresh });
        },
      },
      this.#hasher,
      new VerifiedPasswords(options.clock),
      options.throttle ?? UNTHROTTLED,
    );
  }

  async resolve(address: string): Promise<Resolution> {
    const resolve = (one: string): Resolution => walk(resolveAddress(one, this.#settings), this.#row);
    const found = resolve(address);
    if (found.kind !== 'unknown' || !isBarePostmaster(address)) return found;
    for (const { name } of await this.domains()) {
      const next = resolve(`postmaster@${name}`);
      if (next.kind === 'local') return next;
    }
    return found;
  }

  async isLocalDomain(domain: string): Promise<boolean> {
    return this.#domains.has(toDomainKey(domain) ?? '');
  }

  async sendingRight(account: AccountId, address: string): Promise<SendingRight> {
    return sendingRightOf(account, address, await this.resolve(address), await this.sendGrants(account));
  }

  async sending(id: AccountId): Promise<Sending> {
    return decodeSending(this.#sendings.get(id));
  }

  async setSending(id: AccountId, change: SendingChange): Promise<Result<Sending, DirectoryProblem>> {
    const badReason = checkReason(change);
    if (badReason !== undefined) return err(badReason);
    if (this.#byId(id) === undefined) return err({ kind: 'not-found' });
    const changed = changedSending(decodeSending(this.#sendings.get(id)), change, this.#clock.nowMs());
    this.#sendings.set(id, encodeSending(changed));
    return ok(changed);
  }

  async sendGrants(id: AccountId): Promise<readonly string[]> {
    return this.#grants.get(id) ?? [];
  }

  async addSendGrant(id: AccountId, address: string): Promise<Result<readonly string[], DirectoryProblem>> {
    if (this.#byId(id) === undefined) return err({ kind: 'not-found' });
    const kept = this.#grants.get(id) ?? [];
    const checked = checkGrant(address, kept);
    if (!checked.ok) return checked;
    return ok(this.#keepGrants(id, [...kept, checked.value]));
  }

  async removeSendGrant(
    id: AccountId,
    address: string,
  ): Promise<Result<readonly string[], DirectoryProblem>> {
    const key = toAddressKey(address)?.key;
    const kept = this.#grants.get(id) ?? [];
    const rest = kept.filter((one) => one !== key);
    return rest.length === kept.length ? err({ kind: 'not-found' }) : ok(this.#keepGrants(id, rest));
  }

  #keepGrants(id: AccountId, grants: readonly string[]): readonly string[] {
    const sortedGrants = grants.toSorted((one, other) => Buffer.from(one).compare(Buffer.from(other)));
    this.#grants.set(id, sortedGrants);
    return sortedGrants;
  }

  async authenticate(
    name: string,
    password: string,
    scope: Scope,
    source?: string,
  ): Promise<Result<Principal, AuthProblem>> {
    return this.#authenticator.authenticate(name, password, scope, source);
  }

  async domains(): Promise<readonly Domain[]> {
    return sorted(this.#domains).map(([, domain]) => domain);
  }

  async addDomain(name: string): Promise<Result<Domain, DirectoryProblem>> {
    const checked = checkNewDomain(name, this.#row);
    if (!checked.ok) return checked;
    const domain = {
      name: checked.value,
      displayName: domainToUnicode(checked.value),
      createdAtMs: this.#clock.nowMs(),
    };
    this.#domains.set(domain.name, domain);
    return ok(domain);
  }

  async removeDomain(name: string): Promise<Result<void, DirectoryProblem>> {
    const domain = toDomainName(name) ?? '';
    if (!this.#domains.has(domain)) return err({ kind: 'not-found' });
    const keys = [...this.#accounts.keys(), ...this.#aliases.keys()];
    if (keys.some((key) => key.endsWith(`@${domain}`))) return err({ kind: 'in-use' });
    this.#domains.delete(domain);
    return ok(undefined);
  }

  async accounts(page?: DirectoryPage): Promise<readonly Account[]> {
    return paged(sorted(this.#accounts), page).map(toAccount);
  }

  async account(id: AccountId): Promise<Account | undefined> {
    const account = this.#byId(id);
    return account === undefined ? undefined : toAccount(account);
  }

  async accountByAddress(address: string): Promise<Account | undefined> {
    const account = this.#accounts.get(toAddressKey(address)?.key ?? '');
    return account === undefined ? undefined : toAccount(account);
  }

  async addAccount(
    request: Parameters<Directory['addAccount']>[0],
  ): Promise<Result<Account, DirectoryProblem>> {
    const { address, password, displayName = '', quotaOctets } = request;
    const badName = checkName(displayName);
    if (badName !== undefined) return err(badName);
    const hashed = await this.#hash(password);
    if (!hashed.ok) return hashed;
    const checked = checkNewAccount(address, this.#row);
    if (!checked.ok) return checked;
    this.#lastId += 1;
    const account: KeptAccount = {
      id: known(toAccountId(this.#lastId)),
      address: checked.value,
      displayName,
      disabled: false,
      quotaOctets,
      createdAtMs: this.#clock.nowMs(),
      passwordHash: hashed.value,
      appPasswords: [],
    };
    this.#keep(account);
    return ok(toAccount(account));
  }

  async removeAccount(id: AccountId): Promise<Result<void, DirectoryProblem>> {
    const account = this.#byId(id);
    if (account === undefined) return err({ kind: 'not-found' });
    this.#accounts.delete(account.address);
    this.#sendings.delete(id);
    this.#grants.delete(id);
    return ok(undefined);
  }

  async setAccount(
    id: AccountId,
    change: Parameters<Directory['setAccount']>[1],
  ): Promise<Result<Account, DirectoryProblem>> {
    const badName = checkName(change.displayName ?? '');
    if (badName !== undefined) return err(badName);
    const hashed = await this.#hash(change.password);
    if (!hashed.ok) return hashed;
    const account = this.#byId(id);
    if (account === undefined) return err({ kind: 'not-found' });
    const changed: KeptAccount = {
      ...account,
      displayName: change.displayName ?? account.displayName,
      disabled: change.disabled ?? account.disabled,
      quotaOctets: change.quotaOctets === undefined ? account.quotaOctets : (change.quotaOctets ?? undefined),
      passwordHash: hashed.value ?? account.passwordHash,
    };
    this.#keep(changed);
    return ok(toAccount(changed));
  }

  async appPasswords(id: AccountId): Promise<readonly AppPassword[]> {
    const kept = this.#byId(id)?.appPasswords ?? [];
    return kept.map(({ name, scopes, createdAtMs }) => ({ name, scopes, createdAtMs }));
  }

  async addAppPassword(
    id: AccountId,
    name: string,
    scopes: readonly Scope[],
  ): Promise<Result<{ readonly secret: string }, DirectoryProblem>> {
    const badName = name === '' ? { kind: 'bad-name' as const } : checkName(name);
    if (badName !== undefined) return err(badName);
    const account = this.#byId(id);
    if (account === undefined) return err({ kind: 'not-found' });
    if (account.appPasswords.some((one) => one.name === name)) return err({ kind: 'exists' });
    if (account.appPasswords.length >= LIMITS.appPasswordsMax) return err({ kind: 'too-many' });
    const secret = makeAppPassword(this.#random);
    const secretHash = hashAppPassword(secret) ?? '';
    const made = { name, scopes: [...new Set(scopes)], createdAtMs: this.#clock.nowMs(), secretHash };
    this.#keep({ ...account, appPasswords: [...account.appPasswords, made] });
    return ok({ secret });
  }

  async removeAppPassword(id: AccountId, name: string): Promise<Result<void, DirectoryProblem>> {
    const account = this.#byId(id);
    const rest = account?.appPasswords.filter((one) => one.name !== name);
    if (account === undefined || rest?.length === account.appPasswords.length)
      return err({ kind: 'not-found' });
    this.#keep({ ...account, appPasswords: rest ?? [] });
    return ok(undefined);
  }

  async aliases(page?: DirectoryPage): Promise<readonly Alias[]> {
    return paged(sorted(this.#aliases), page);
  }

  async alias(address: string): Promise<Alias | undefined> {
    return this.#aliases.get(toAliasKey(address)?.key ?? '');
  }

  async setAlias(
    address: string,
    targets: readonly string[],
    change: AliasChange = {},
  ): Promise<Result<Alias, DirectoryProblem>> {
    const checked = checkAlias(address, targets, change, this.#settings, this.#row);
    if (!checked.ok) return checked;
    const { key, domain: _domain, ...kept } = checked.value;
    const createdAtMs = this.#aliases.get(key)?.createdAtMs ?? this.#clock.nowMs();
    const alias = { address: key, ...kept, createdAtMs };
    this.#aliases.set(key, alias);
    return ok(alias);
  }

  async removeAlias(address: string): Promise<Result<void, DirectoryProblem>> {
    return this.#aliases.delete(toAliasKey(address)?.key ?? '') ? ok(undefined) : err({ kind: 'not-found' });
  }

  async secrets(purpose: SecretPurpose): Promise<readonly Secret[]> {
    if (!this.#secrets.has(purpose)) await this.addSecret(purpose);
    return this.#secrets.get(purpose) ?? [];
  }

  async addSecret(
    purpose: SecretPurpose,
    text: string = makeSecret(this.#random),
    only = false,
  ): Promise<Result<Secret, DirectoryProblem>> {
    const checked = checkSecret(text);
    if (!checked.ok) return checked;
    const secret = { text: checked.value, createdAtMs: this.#clock.nowMs() };
    const others = only ? [] : (this.#secrets.get(purpose) ?? []);
    this.#secrets.set(purpose, [secret, ...others].slice(0, LIMITS.secretsMax));
    return ok(secret);
  }

  readonly #row = (key: string): DirectoryRow | undefined => {
    if (this.#domains.has(key)) return { kind: 'domain', catchAll: this.#aliases.get(`@${key}`)?.targets };
    const account = this.#accounts.get(key);
    if (account !== undefined)
      return { kind: 'account', account: account.id, address: account.address, disabled: account.disabled };
    const alias = this.#aliases.get(key);
    return alias === undefined ? undefined : toAliasRow(alias);
  };

  async #hash(password: string | undefined): Promise<Result<string | undefined, DirectoryProblem>> {
    if (password === undefined) return ok(undefined);
    const prepared = preparePassword(password);
    return prepared === undefined ? err({ kind: 'bad-password' }) : ok(await this.#hasher.hash(prepared));
  }

  #byId(id: AccountId): KeptAccount | undefined {
    return this.#accounts.values().find((account) => account.id === id);
  }

  #keep(account: KeptAccount): void {
    this.#accounts.set(account.address, account);
  }
}

function toAccount({ passwordHash: _hash, appPasswords: _secrets, ...account }: KeptAccount): Account {
  return account;
}

function sorted<Value>(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].toSorted(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}

function paged<Value>(entries: readonly [string, Value][], page: DirectoryPage | undefined): Value[] {
  const after = page?.after ?? '';
  const rest =
    page?.after === undefined
      ? entries
      : entries.filter(([key]) => Buffer.from(key).compare(Buffer.from(after)) > 0);
  return rest.slice(0, page?.limit ?? rest.length).map(([, value]) => value);
}
