/** The directory in memory: for tests, and the second opinion on what the contract means. */
import { domainToUnicode } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Random } from '../../base/random.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { known, toAccountId } from '../../store/ids.ts';
import type { AccountId, MailboxId } from '../../store/ids.ts';
import { toAddressKey, toDomainKey, toDomainName } from '../address-key.ts';
import { hashAppPassword, makeAppPassword } from '../credential/app-password.ts';
import type { KeptAppPassword } from '../credential/app-password.ts';
import { Authenticator } from '../credential/authenticator.ts';
import type { Credential, HomeNetwork } from '../credential/authenticator.ts';
import { Argon2Hasher } from '../credential/password-hash.ts';
import type { PasswordHasher } from '../credential/password-hash.ts';
import type { KeptSecrets } from '../credential/password-secrets.ts';
import { PasswordSecrets } from '../credential/password-secrets.ts';
import { ScramKeyMaker } from '../credential/scram-key-maker.ts';
import {
  checkAlias,
  checkName,
  checkNewAccount,
  checkNewDomain,
  checkReason,
  checkSecret,
  makeSecret,
  toAliasKey,
  toFingerprint,
  toQuota,
} from '../directory-rules.ts';
import type {
  Account,
  AccountCertificate,
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
  SignInMeans,
} from '../directory.ts';
import { UNTHROTTLED } from '../login-throttle.ts';
import type { LoginThrottle } from '../login-throttle.ts';
import type { AuthProblem, Principal, Scope } from '../principal.ts';
import type { Share } from '../rights.ts';
import { isBarePostmaster, resolveAddress, toAliasRow, walk } from '../resolve-address.ts';
import type { DirectoryRow, DirectorySettings } from '../resolve-address.ts';
import { ANYONE, formatIdentifier, inShareOrder, leadsTo, shareName, toIdentifier } from '../sharing.ts';
import { changedSending, checkGrant, decodeSending, encodeSending, sendingRightOf } from '../sending.ts';

export type MemoryDirectoryOptions = DirectorySettings & {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher?: PasswordHasher;
  readonly scramKeyMaker?: ScramKeyMaker;
  readonly throttle?: LoginThrottle;
};

type KeptAccount = Account & {
  readonly passwordHash: string | undefined;
  readonly scramKeys: string | undefined;
  readonly appPasswords: readonly KeptAppPassword[];
  readonly certificates: readonly AccountCertificate[];
  readonly networks: readonly HomeNetwork[];
};

/** Weak on purpose: nothing in memory is worth 19 MiB a login. */
const FAST = { memory: 64, passes: 1, parallelism: 1 };
/** RFC 5802 §5.1: what a client takes at least. */
const FAST_ITERATIONS = 4096;

export class MemoryDirectory implements Directory {
  readonly authentication: Authenticator;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #passwords: PasswordSecrets;
  readonly #settings: DirectorySettings;
  readonly #domains = new Map<string, Domain>();
  readonly #accounts = new Map<string, KeptAccount>();
  readonly #aliases = new Map<string, Alias>();
  readonly #secrets = new Map<SecretPurpose, readonly Secret[]>();
  readonly #sendings = new Map<AccountId, string | undefined>();
  readonly #grants = new Map<AccountId, readonly string[]>();
  readonly #shares = new Map<string, Omit<Share, 'ownerAddress'>>();
  #lastId = 0;

  constructor(options: MemoryDirectoryOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#settings = options;
    this.#passwords = new PasswordSecrets(
      options.hasher ?? new Argon2Hasher(FAST),
      {
        maker: options.scramKeyMaker ?? new ScramKeyMaker(FAST_ITERATIONS),
        makesKeys: options.makesScramKeys !== false,
      },
      async () => this.secrets('scram-salt'),
    );
    this.authentication = new Authenticator({
      source: {
        credential: (key) => toCredential(this.#accounts.get(key)),
        credentialByCertificate: (fingerprint) => toCredential(this.#byCertificate(fingerprint)),
        replaceSecrets: (id, kept, fresh) => {
          const account = this.#byId(id);
          if (account?.passwordHash === kept) this.#keep({ ...account, ...fresh });
        },
        keepNetwork: (id, seen) => {
          const account = this.#byId(id);
          const others = account?.networks.filter(({ network }) => network !== seen.network) ?? [];
          const networks = [seen, ...others].slice(0, LIMITS.homeNetworksMax);
          if (account !== undefined) this.#keep({ ...account, networks });
        },
        keepAppPasswordKeys: (id, secretHash, scramKeys) => {
          const account = this.#byId(id);
          const renewed = account?.appPasswords.map((one) =>
            one.secretHash === secretHash ? { ...one, scramKeys } : one,
          );
          if (account !== undefined && renewed !== undefined)
            this.#keep({ ...account, appPasswords: renewed });
        },
      },
      passwords: this.#passwords,
      throttle: options.throttle ?? UNTHROTTLED,
      clock: options.clock,
    });
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

  async shares(owner: AccountId): Promise<readonly Share[]> {
    return inShareOrder(this.#sharesWhere((share) => share.owner === owner));
  }

  async sharedWith(account: AccountId): Promise<readonly Share[]> {
    const address = this.#byId(account)?.address;
    const found: Share[] = [];
    for (const share of this.#sharesWhere(({ owner }) => owner !== account)) {
      const name = shareName(share);
      if (name === ANYONE || name === address || leadsTo(await this.resolve(name), account))
        found.push(share);
    }
    return address === undefined ? [] : found;
  }

  #sharesWhere(isWanted: (share: Omit<Share, 'ownerAddress'>) => boolean): Share[] {
    return [...this.#shares.values()].filter(isWanted).flatMap((share) => {
      const account = this.#byId(share.owner);
      return account === undefined ? [] : [{ ...share, ownerAddress: account.address }];
    });
  }

  async setShare({
    owner,
    mailbox,
    identifier,
    rights,
  }: Omit<Share, 'ownerAddress'>): Promise<Result<void, DirectoryProblem>> {
    const account = this.#byId(owner);
    const parsed = toIdentifier(identifier);
    if (account === undefined) return err({ kind: 'not-found' });
    if (parsed === undefined) return err({ kind: 'bad-address' });
    const formatted = formatIdentifier(parsed);
    const key = `${owner} ${mailbox ?? 0} ${formatted}`;
    if (rights === '') {
      this.#shares.delete(key);
      return ok(undefined);
    }
    const { name } = parsed;
    if (name === account.address) return err({ kind: 'in-use' });
    if (name !== ANYONE && !this.#accounts.has(name) && !this.#aliases.has(name))
      return err({ kind: 'not-found' });
    const kept = [...this.#shares.values()].filter((share) => share.owner === owner).length;
    if (!this.#shares.has(key) && kept >= LIMITS.sharesMax) return err({ kind: 'too-many' });
    this.#shares.set(key, { owner, mailbox, identifier: formatted, rights });
    return ok(undefined);
  }

  async removeShares(owner: AccountId, mailbox: MailboxId): Promise<void> {
    this.#forgetShares((share) => share.owner === owner && share.mailbox === mailbox);
  }

  #forgetShares(isGone: (share: Omit<Share, 'ownerAddress'>) => boolean): void {
    for (const [key, share] of this.#shares) if (isGone(share)) this.#shares.delete(key);
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
    return this.authentication.authenticate(name, password, scope, source);
  }

  async accountsWithoutScram(page?: DirectoryPage): Promise<readonly Account[]> {
    const without = ({ disabled, passwordHash, scramKeys, appPasswords }: KeptAccount): boolean =>
      !disabled &&
      ((passwordHash !== undefined && scramKeys === undefined) ||
        appPasswords.some((one) => one.scramKeys === undefined));
    return paged(
      sorted(this.#accounts).filter(([, one]) => without(one)),
      page,
    ).map(toAccount);
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
    const kept = await this.#keptPassword(toAddressKey(address)?.key ?? '', password);
    if (!kept.ok) return kept;
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
      passwordHash: kept.value?.passwordHash,
      scramKeys: kept.value?.scramKeys,
      appPasswords: [],
      certificates: [],
      networks: [],
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
    this.#forgetGrantsOf(account.address);
    this.#forgetShares(
      ({ owner, identifier }) => owner === id || toIdentifier(identifier)?.name === account.address,
    );
    return ok(undefined);
  }

  async setAccount(
    id: AccountId,
    change: Parameters<Directory['setAccount']>[1],
  ): Promise<Result<Account, DirectoryProblem>> {
    const badName = checkName(change.displayName ?? '');
    if (badName !== undefined) return err(badName);
    const kept = await this.#keptPassword(this.#byId(id)?.address ?? '', change.password);
    if (!kept.ok) return kept;
    const account = this.#byId(id);
    if (account === undefined) return err({ kind: 'not-found' });
    const changed: KeptAccount = {
      ...account,
      displayName: change.displayName ?? account.displayName,
      disabled: change.disabled ?? account.disabled,
      quotaOctets: change.quotaOctets === undefined ? account.quotaOctets : (change.quotaOctets ?? undefined),
      ...kept.value,
    };
    this.#keep(changed);
    return ok(toAccount(changed));
  }

  async signInMeans(id: AccountId): Promise<SignInMeans | undefined> {
    const account = this.#byId(id);
    if (account === undefined) return undefined;
    const { passwordHash, scramKeys, certificates } = account;
    return { hasPassword: passwordHash !== undefined, hasScramKeys: scramKeys !== undefined, certificates };
  }

  async addCertificate(
    id: AccountId,
    fingerprint: string,
  ): Promise<Result<AccountCertificate, DirectoryProblem>> {
    const kept = toFingerprint(fingerprint);
    if (kept === undefined) return err({ kind: 'bad-fingerprint' });
    const account = this.#byId(id);
    if (account === undefined) return err({ kind: 'not-found' });
    if (this.#byCertificate(kept) !== undefined) return err({ kind: 'exists' });
    if (account.certificates.length >= LIMITS.accountCertificatesMax) return err({ kind: 'too-many' });
    const certificate = { fingerprint: kept, createdAtMs: this.#clock.nowMs() };
    this.#keep({ ...account, certificates: [...account.certificates, certificate] });
    return ok(certificate);
  }

  async removeCertificate(id: AccountId, fingerprint: string): Promise<Result<void, DirectoryProblem>> {
    const account = this.#byId(id);
    const kept = toFingerprint(fingerprint);
    const rest = account?.certificates.filter((one) => one.fingerprint !== kept);
    if (account === undefined || rest?.length === account.certificates.length)
      return err({ kind: 'not-found' });
    this.#keep({ ...account, certificates: rest ?? [] });
    return ok(undefined);
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
    const scramKeys = await this.#passwords.scramKeys(account.address, secret);
    const made = {
      name,
      scopes: [...new Set(scopes)],
      createdAtMs: this.#clock.nowMs(),
      secretHash,
      scramKeys,
    };
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
    const key = toAliasKey(address)?.key ?? '';
    if (!this.#aliases.delete(key)) return err({ kind: 'not-found' });
    this.#forgetShares(({ identifier }) => toIdentifier(identifier)?.name === key);
    this.#forgetGrantsOf(key);
    return ok(undefined);
  }

  /** Whoever has the address next did not grant it. */
  #forgetGrantsOf(key: string): void {
    for (const [id, grants] of this.#grants)
      this.#grants.set(
        id,
        grants.filter((one) => one !== key),
      );
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
      return {
        kind: 'account',
        account: account.id,
        address: account.address,
        disabled: account.disabled,
        ...toQuota(account.quotaOctets),
      };
    const alias = this.#aliases.get(key);
    return alias === undefined ? undefined : toAliasRow(alias);
  };

  async #keptPassword(
    key: string,
    password: string | undefined,
  ): Promise<Result<KeptSecrets | undefined, DirectoryProblem>> {
    return password === undefined ? ok(undefined) : this.#passwords.of(key, password);
  }

  #byCertificate(fingerprint: string): KeptAccount | undefined {
    const has = ({ certificates }: KeptAccount): boolean =>
      certificates.some((one) => one.fingerprint === fingerprint);
    return this.#accounts.values().find(has);
  }

  #byId(id: AccountId): KeptAccount | undefined {
    return this.#accounts.values().find((account) => account.id === id);
  }

  #keep(account: KeptAccount): void {
    this.#accounts.set(account.address, account);
  }
}

function toAccount(kept: KeptAccount): Account {
  const { id, address, displayName, disabled, quotaOctets, createdAtMs } = kept;
  return { id, address, displayName, disabled, quotaOctets, createdAtMs };
}

function toCredential(account: KeptAccount | undefined): Credential | undefined {
  return account === undefined ? undefined : { ...account, account: account.id };
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
