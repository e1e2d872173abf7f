/**
 * The directory in PostgreSQL. The tables are there and migrated before this is opened. Rows that were read are kept, and
 * are as good as the version of the directory: each question asks for that first, many questions at once only once.
 *
 * Errors: `Fault` when the database cannot be asked, with nothing changed.
 */
import { domainToUnicode } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Random } from '../../base/random.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Postgres, Transaction } from '../../postgres/postgres.ts';
import { numberAt, optionalNumberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import type { Row } from '../../sqlite/database.ts';
import { known, toAccountId } from '../../store/ids.ts';
import type { AccountId, MailboxId } from '../../store/ids.ts';
import { toAddressKey, toDomainKey, toDomainName } from '../address-key.ts';
import { hashAppPassword, makeAppPassword } from '../credential/app-password.ts';
import type { KeptAppPassword } from '../credential/app-password.ts';
import { Authenticator, parseHomeNetworks } from '../credential/authenticator.ts';
import type { Credential } from '../credential/authenticator.ts';
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
  isScope,
  makeSecret,
  toAliasKey,
  toFingerprint,
  toOwning,
  toQuota,
} from '../directory-rules.ts';
import type { RowLookup } from '../directory-rules.ts';
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
import { ANYONE, inShareOrder, leadsTo, toIdentifier } from '../sharing.ts';
import { changedSending, checkGrant, decodeSending, encodeSending, sendingRightOf } from '../sending.ts';
import { toShare } from '../embedded/share-rows.ts';
import { DIRECTORY_SQL } from './directory-tables.ts';

export type PostgresDirectoryOptions = DirectorySettings & {
  readonly postgres: Postgres;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher?: PasswordHasher;
  readonly scramKeyMaker?: ScramKeyMaker;
  readonly throttle?: LoginThrottle;
};

/** Rows known to be there or not to be there, and addresses whose way is known; beyond this all are forgotten. */
const CACHED_ROWS_MAX = 50_000;
const CACHED_RESOLUTIONS_MAX = 10_000;
const READING = 'Reading the directory';
/** What goes with an account. */
const OF_ACCOUNT = [
  'removeAppPasswords',
  'removeCertificates',
  'removeNetworks',
  'removeSending',
  'removeGrants',
] as const;
const RENEWING = 'Renewing what is kept of a password';

/** Rows by key; `null`: known not to be there. */
type Rows = Map<string, DirectoryRow | null>;

export class PostgresDirectory implements Directory {
  readonly authentication: Authenticator;
  readonly #postgres: Postgres;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #passwords: PasswordSecrets;
  readonly #settings: DirectorySettings;
  #rows: Rows = new Map();
  /** By the address as it was asked for. Only what is local: strangers may ask for anything. */
  #resolutions = new Map<string, Resolution>();
  #secrets = new Map<SecretPurpose, readonly Secret[]>();
  #version = -1;
  /** The question for the version that is on its way, and the one that will be asked after it. */
  #asking: Promise<void> | undefined;
  #askingNext: Promise<void> | undefined;

  constructor(options: PostgresDirectoryOptions) {
    this.#postgres = options.postgres;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#settings = options;
    this.#passwords = new PasswordSecrets(
      options.hasher ?? new Argon2Hasher(),
      {
        maker: options.scramKeyMaker ?? new ScramKeyMaker(),
        makesKeys: options.makesScramKeys !== false,
      },
      async () => this.secrets('scram-salt'),
    );
    this.authentication = new Authenticator({
      source: {
        credential: (key) => this.#credential(key),
        credentialByCertificate: (fingerprint) =>
          this.#credential(fingerprint, DIRECTORY_SQL.credentialByCertificate),
        replaceSecrets: async (account, kept, { passwordHash, scramKeys }) => {
          const values = [passwordHash, scramKeys ?? null, account, kept] as const;
          await this.#postgres.run(RENEWING, DIRECTORY_SQL.replaceSecrets, ...values);
        },
        keepNetwork: async (account, { network, seenAtMs }) => {
          await this.#postgres.transaction('Noting where an account signs in', async (transaction) => {
            transaction.write(DIRECTORY_SQL.keepNetwork, account, network, Math.trunc(seenAtMs));
            transaction.write(DIRECTORY_SQL.forgetNetworks, account, LIMITS.homeNetworksMax);
          });
        },
        keepAppPasswordKeys: async (account, secretHash, keys) => {
          await this.#postgres.run(RENEWING, DIRECTORY_SQL.keepAppPasswordKeys, keys, account, secretHash);
        },
      },
      passwords: this.#passwords,
      throttle: options.throttle ?? UNTHROTTLED,
      clock: options.clock,
    });
  }

  async resolve(address: string): Promise<Resolution> {
    await this.#refresh();
    const resolutions = this.#resolutions;
    const cached = resolutions.get(address);
    if (cached !== undefined) return cached;
    const found = await this.#walk(address);
    if (found.kind !== 'local') return found;
    // Those of a version that has passed meanwhile are nobody's any more.
    if (resolutions.size >= CACHED_RESOLUTIONS_MAX) resolutions.clear();
    resolutions.set(address, found);
    return found;
  }

  async isLocalDomain(domain: string): Promise<boolean> {
    const name = toDomainKey(domain);
    if (name === undefined) return false;
    await this.#refresh();
    return this.#withRows([name], (row) => row(name)?.kind === 'domain');
  }

  async sendingRight(account: AccountId, address: string): Promise<SendingRight> {
    const found = await this.resolve(address);
    // Nearly everybody writes in their own name: no trip for the grants.
    const own = sendingRightOf(account, address, found, []);
    return own ?? sendingRightOf(account, address, found, await this.sendGrants(account));
  }

  async sending(id: AccountId): Promise<Sending> {
    return toSending(await this.#postgres.row(READING, DIRECTORY_SQL.sending, id));
  }

  async setSending(id: AccountId, change: SendingChange): Promise<Result<Sending, DirectoryProblem>> {
    const badReason = checkReason(change);
    if (badReason !== undefined) return err(badReason);
    return this.#write('Changing what an account may send', async (transaction) => {
      if ((await transaction.row(DIRECTORY_SQL.account, id)) === undefined) return err({ kind: 'not-found' });
      const kept = toSending(await transaction.row(DIRECTORY_SQL.sending, id));
      const changed = changedSending(kept, change, this.#nowMs());
      const encoded = encodeSending(changed);
      if (encoded === undefined) transaction.write(DIRECTORY_SQL.removeSending, id);
      else transaction.write(DIRECTORY_SQL.setSending, id, encoded);
      return ok(changed);
    });
  }

  async sendGrants(id: AccountId): Promise<readonly string[]> {
    return toTexts(await this.#postgres.rows(READING, DIRECTORY_SQL.grants, id));
  }

  async addSendGrant(id: AccountId, address: string): Promise<Result<readonly string[], DirectoryProblem>> {
    return this.#write('Granting an address', async (transaction) => {
      if ((await transaction.row(DIRECTORY_SQL.account, id)) === undefined) return err({ kind: 'not-found' });
      const checked = checkGrant(address, toTexts(await transaction.rows(DIRECTORY_SQL.grants, id)));
      if (!checked.ok) return checked;
      transaction.write(DIRECTORY_SQL.addGrant, id, checked.value, this.#nowMs());
      return ok(toTexts(await transaction.rows(DIRECTORY_SQL.grants, id)));
    });
  }

  async shares(owner: AccountId): Promise<readonly Share[]> {
    return inShareOrder((await this.#postgres.rows(READING, DIRECTORY_SQL.shares, owner)).map(toShare));
  }

  async sharedWith(account: AccountId): Promise<readonly Share[]> {
    const address = (await this.account(account))?.address;
    if (address === undefined) return [];
    const names = [address, ANYONE];
    for (const row of await this.#postgres.rows(READING, DIRECTORY_SQL.sharedGroups)) {
      const name = textAt(row, 0);
      // oxlint-disable-next-line no-await-in-loop -- groups are few, and remembered
      if (leadsTo(await this.resolve(name), account)) names.push(name);
    }
    return (await this.#postgres.rows(READING, DIRECTORY_SQL.sharedWith, names, account)).map(toShare);
  }

  async setShare(share: Omit<Share, 'ownerAddress'>): Promise<Result<void, DirectoryProblem>> {
    const identifier = toIdentifier(share.identifier);
    if (identifier === undefined) return err({ kind: 'bad-address' });
    const { name, negative } = identifier;
    const key = [share.owner, share.mailbox ?? 0, name, Number(negative)] as const;
    return this.#write('Sharing', async (transaction) => {
      const owner = await transaction.row(DIRECTORY_SQL.account, share.owner);
      if (owner === undefined) return err({ kind: 'not-found' });
      transaction.write(DIRECTORY_SQL.removeShare, ...key);
      if (share.rights === '') return ok(undefined);
      if (name === textAt(owner, 1)) return err({ kind: 'in-use' });
      const isGroup = (await transaction.row(DIRECTORY_SQL.alias, name)) !== undefined;
      const isAccount = (await transaction.row(DIRECTORY_SQL.accountByAddress, name)) !== undefined;
      if (name !== ANYONE && !isGroup && !isAccount) return err({ kind: 'not-found' });
      const kept = await transaction.row(DIRECTORY_SQL.countShares, share.owner);
      if (kept !== undefined && numberAt(kept, 0) >= LIMITS.sharesMax) return err({ kind: 'too-many' });
      transaction.write(DIRECTORY_SQL.addShare, ...key, Number(isGroup), share.rights);
      return ok(undefined);
    });
  }

  async removeShares(owner: AccountId, mailbox: MailboxId): Promise<void> {
    await this.#postgres.run('Taking back what was shared', DIRECTORY_SQL.removeShares, owner, mailbox);
  }

  async removeSendGrant(
    id: AccountId,
    address: string,
  ): Promise<Result<readonly string[], DirectoryProblem>> {
    const key = toAddressKey(address)?.key ?? '';
    return this.#write('Taking back a grant', async (transaction) => {
      if ((await transaction.run(DIRECTORY_SQL.removeGrant, id, key)) === 0)
        return err({ kind: 'not-found' });
      return ok(toTexts(await transaction.rows(DIRECTORY_SQL.grants, id)));
    });
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
    const values = [page?.after ?? '', page?.limit ?? null] as const;
    return (await this.#postgres.rows(READING, DIRECTORY_SQL.withoutScram, ...values)).map(toAccount);
  }

  async domains(): Promise<readonly Domain[]> {
    return (await this.#postgres.rows(READING, DIRECTORY_SQL.domains)).map(toDomain);
  }

  async addDomain(name: string): Promise<Result<Domain, DirectoryProblem>> {
    return this.#write('Adding a domain', async (transaction) => {
      const checked = await withRows(new Map(), [], loaderOf(transaction), (row) =>
        checkNewDomain(name, row),
      );
      if (!checked.ok) return checked;
      const row = [checked.value, this.#nowMs()] as const;
      transaction.write(DIRECTORY_SQL.addDomain, ...row);
      return ok(toDomain(row));
    });
  }

  async removeDomain(name: string): Promise<Result<void, DirectoryProblem>> {
    const domain = toDomainName(name) ?? '';
    return this.#write('Removing a domain', async (transaction) => {
      if ((await transaction.row(DIRECTORY_SQL.domainInUse, domain)) !== undefined)
        return err({ kind: 'in-use' });
      const removed = await transaction.run(DIRECTORY_SQL.removeDomain, domain);
      return removed === 0 ? err({ kind: 'not-found' }) : ok(undefined);
    });
  }

  async accounts(page?: DirectoryPage): Promise<readonly Account[]> {
    const values = [page?.after ?? '', page?.limit ?? null] as const;
    return (await this.#postgres.rows(READING, DIRECTORY_SQL.accounts, ...values)).map(toAccount);
  }

  async account(id: AccountId): Promise<Account | undefined> {
    const row = await this.#postgres.row(READING, DIRECTORY_SQL.account, id);
    return row === undefined ? undefined : toAccount(row);
  }

  async accountByAddress(address: string): Promise<Account | undefined> {
    const key = toAddressKey(address)?.key;
    if (key === undefined) return undefined;
    const row = await this.#postgres.row(READING, DIRECTORY_SQL.accountByAddress, key);
    return row === undefined ? undefined : toAccount(row);
  }

  async addAccount(
    request: Parameters<Directory['addAccount']>[0],
  ): Promise<Result<Account, DirectoryProblem>> {
    const { address, password, displayName = '', quotaOctets } = request;
    const badName = checkName(displayName);
    if (badName !== undefined) return err(badName);
    const kept = await this.#keptPassword(toAddressKey(address)?.key ?? '', password);
    if (!kept.ok) return kept;
    return this.#write('Adding an account', async (transaction) => {
      const checked = await withRows(new Map(), [], loaderOf(transaction), (row) =>
        checkNewAccount(address, row),
      );
      if (!checked.ok) return checked;
      const key = checked.value;
      const domain = key.slice(key.lastIndexOf('@') + 1);
      const id = numberAt((await transaction.row(DIRECTORY_SQL.nextAccountId)) ?? [], 0);
      const { passwordHash = null, scramKeys = null } = kept.value ?? {};
      const quota = quotaOctets ?? null;
      const values = [id, key, domain, displayName, quota, passwordHash, scramKeys, this.#nowMs()];
      return ok(toAccount((await transaction.row(DIRECTORY_SQL.addAccount, ...values)) ?? []));
    });
  }

  async removeAccount(id: AccountId): Promise<Result<void, DirectoryProblem>> {
    return this.#write('Removing an account', async (transaction) => {
      transaction.write(DIRECTORY_SQL.removeSharesOf, id);
      transaction.write(DIRECTORY_SQL.removeGrantsOfAccount, id);
      for (const sql of OF_ACCOUNT) transaction.write(DIRECTORY_SQL[sql], id);
      const removed = await transaction.run(DIRECTORY_SQL.removeAccount, id);
      return removed === 0 ? err({ kind: 'not-found' }) : ok(undefined);
    });
  }

  async setAccount(
    id: AccountId,
    change: Parameters<Directory['setAccount']>[1],
  ): Promise<Result<Account, DirectoryProblem>> {
    const badName = checkName(change.displayName ?? '');
    if (badName !== undefined) return err(badName);
    const address = change.password === undefined ? undefined : (await this.account(id))?.address;
    const kept = await this.#keptPassword(address ?? '', change.password);
    if (!kept.ok) return kept;
    return this.#write('Changing an account', async (transaction) => {
      const row = await transaction.row(DIRECTORY_SQL.account, id);
      if (row === undefined) return err({ kind: 'not-found' });
      const account = toAccount(row);
      const values = [
        change.displayName ?? account.displayName,
        Number(change.disabled ?? account.disabled),
        change.quotaOctets === undefined ? (account.quotaOctets ?? null) : change.quotaOctets,
        kept.value?.passwordHash ?? null,
        kept.value?.scramKeys ?? null,
        id,
      ];
      return ok(toAccount((await transaction.row(DIRECTORY_SQL.setAccount, ...values)) ?? []));
    });
  }

  async signInMeans(id: AccountId): Promise<SignInMeans | undefined> {
    const row = await this.#postgres.row(READING, DIRECTORY_SQL.signInMeans, id);
    if (row === undefined) return undefined;
    const certificates = await this.#postgres.rows(READING, DIRECTORY_SQL.certificates, id);
    return {
      hasPassword: numberAt(row, 0) !== 0,
      hasScramKeys: numberAt(row, 1) !== 0,
      certificates: certificates.map((one) => ({
        fingerprint: textAt(one, 0),
        createdAtMs: numberAt(one, 1),
      })),
    };
  }

  async addCertificate(
    id: AccountId,
    fingerprint: string,
  ): Promise<Result<AccountCertificate, DirectoryProblem>> {
    const kept = toFingerprint(fingerprint);
    if (kept === undefined) return err({ kind: 'bad-fingerprint' });
    return this.#write('Adding a certificate', async (transaction) => {
      if ((await transaction.row(DIRECTORY_SQL.account, id)) === undefined) return err({ kind: 'not-found' });
      if ((await transaction.row(DIRECTORY_SQL.certificate, kept)) !== undefined)
        return err({ kind: 'exists' });
      const others = await transaction.rows(DIRECTORY_SQL.certificates, id);
      if (others.length >= LIMITS.accountCertificatesMax) return err({ kind: 'too-many' });
      const certificate = { fingerprint: kept, createdAtMs: this.#nowMs() };
      transaction.write(DIRECTORY_SQL.addCertificate, kept, id, certificate.createdAtMs);
      return ok(certificate);
    });
  }

  async removeCertificate(id: AccountId, fingerprint: string): Promise<Result<void, DirectoryProblem>> {
    const kept = toFingerprint(fingerprint) ?? '';
    return this.#write('Removing a certificate', async (transaction) => {
      const removed = await transaction.run(DIRECTORY_SQL.removeCertificate, id, kept);
      return removed === 0 ? err({ kind: 'not-found' }) : ok(undefined);
    });
  }

  async appPasswords(id: AccountId): Promise<readonly AppPassword[]> {
    const rows = await this.#postgres.rows(READING, DIRECTORY_SQL.appPasswords, id);
    return rows
      .map((row) => toAppPassword(row, 0))
      .map(({ name, scopes, createdAtMs }) => ({ name, scopes, createdAtMs }));
  }

  async addAppPassword(
    id: AccountId,
    name: string,
    scopes: readonly Scope[],
  ): Promise<Result<{ readonly secret: string }, DirectoryProblem>> {
    const badName = name === '' ? { kind: 'bad-name' as const } : checkName(name);
    if (badName !== undefined) return err(badName);
    const secret = makeAppPassword(this.#random);
    const address = (await this.account(id))?.address;
    const scramKeys = address === undefined ? undefined : await this.#passwords.scramKeys(address, secret);
    return this.#write('Adding an app password', async (transaction) => {
      if ((await transaction.row(DIRECTORY_SQL.account, id)) === undefined) return err({ kind: 'not-found' });
      const kept = await transaction.rows(DIRECTORY_SQL.appPasswords, id);
      if (kept.some((row) => textAt(row, 0) === name)) return err({ kind: 'exists' });
      if (kept.length >= LIMITS.appPasswordsMax) return err({ kind: 'too-many' });
      const scopeText = [...new Set(scopes)].join(' ');
      const secretHash = hashAppPassword(secret) ?? '';
      const values = [id, name, scopeText, secretHash, scramKeys ?? null, this.#nowMs()];
      transaction.write(DIRECTORY_SQL.addAppPassword, ...values);
      return ok({ secret });
    });
  }

  async removeAppPassword(id: AccountId, name: string): Promise<Result<void, DirectoryProblem>> {
    return this.#write('Removing an app password', async (transaction) => {
      const removed = await transaction.run(DIRECTORY_SQL.removeAppPassword, id, name);
      return removed === 0 ? err({ kind: 'not-found' }) : ok(undefined);
    });
  }

  async aliases(page?: DirectoryPage): Promise<readonly Alias[]> {
    const values = [page?.after ?? '', page?.limit ?? null] as const;
    return this.#postgres.snapshot(READING, async (transaction) =>
      toAliases(transaction, await transaction.rows(DIRECTORY_SQL.aliases, ...values)),
    );
  }

  async alias(address: string): Promise<Alias | undefined> {
    const key = toAliasKey(address)?.key;
    if (key === undefined) return undefined;
    const [alias] = await this.#postgres.snapshot(READING, async (transaction) =>
      toAliases(transaction, await transaction.rows(DIRECTORY_SQL.alias, key)),
    );
    return alias;
  }

  async setAlias(
    address: string,
    targets: readonly string[],
    change: AliasChange = {},
  ): Promise<Result<Alias, DirectoryProblem>> {
    return this.#write('Setting an alias', async (transaction) => {
      const checked = await withRows(new Map(), [], loaderOf(transaction), (row) =>
        checkAlias(address, targets, change, this.#settings, row),
      );
      if (!checked.ok) return checked;
      const { key, domain, ...kept } = checked.value;
      const old = await transaction.row(DIRECTORY_SQL.alias, key);
      const createdAtMs = old === undefined ? this.#nowMs() : numberAt(old, 1);
      const owning = [kept.owner ?? null, kept.verp === true ? 1 : 0] as const;
      transaction.write(DIRECTORY_SQL.setAlias, key, domain, createdAtMs, ...owning);
      transaction.write(DIRECTORY_SQL.removeTargets, key);
      transaction.write(DIRECTORY_SQL.addTargets, key, kept.targets);
      return ok({ address: key, ...kept, createdAtMs });
    });
  }

  async removeAlias(address: string): Promise<Result<void, DirectoryProblem>> {
    const key = toAliasKey(address)?.key ?? '';
    return this.#write('Removing an alias', async (transaction) => {
      transaction.write(DIRECTORY_SQL.removeTargets, key);
      transaction.write(DIRECTORY_SQL.removeSharesWith, key);
      transaction.write(DIRECTORY_SQL.removeGrantsOf, key);
      const removed = await transaction.run(DIRECTORY_SQL.removeAlias, key);
      return removed === 0 ? err({ kind: 'not-found' }) : ok(undefined);
    });
  }

  async secrets(purpose: SecretPurpose): Promise<readonly Secret[]> {
    await this.#refresh();
    const secrets = this.#secrets;
    const kept = secrets.get(purpose) ?? (await this.#keptSecrets(purpose));
    if (kept.length > 0) {
      secrets.set(purpose, kept);
      return kept;
    }
    await this.#write('Making a secret', async (transaction) => {
      // Another node's may have come first.
      const [first] = await transaction.rows(DIRECTORY_SQL.secrets, purpose);
      if (first === undefined)
        transaction.write(DIRECTORY_SQL.addSecret, purpose, makeSecret(this.#random), this.#nowMs());
      return ok(undefined);
    });
    return this.#keptSecrets(purpose);
  }

  async addSecret(
    purpose: SecretPurpose,
    text: string = makeSecret(this.#random),
    only = false,
  ): Promise<Result<Secret, DirectoryProblem>> {
    return this.#write('Adding a secret', async (transaction) => {
      const checked = checkSecret(text);
      if (!checked.ok) return checked;
      const secret = { text: checked.value, createdAtMs: this.#nowMs() };
      transaction.write(DIRECTORY_SQL.addSecret, purpose, secret.text, secret.createdAtMs);
      transaction.write(DIRECTORY_SQL.removeSecrets, purpose, only ? 1 : LIMITS.secretsMax);
      return ok(secret);
    });
  }

  async #keptSecrets(purpose: SecretPurpose): Promise<readonly Secret[]> {
    const rows = await this.#postgres.rows(READING, DIRECTORY_SQL.secrets, purpose);
    return rows.map((row) => ({ text: textAt(row, 0), createdAtMs: numberAt(row, 1) }));
  }

  #nowMs(): number {
    return Math.trunc(this.#clock.nowMs());
  }

  /** Resolves when what is kept is as good as the directory was at the call, or later. */
  async #refresh(): Promise<void> {
    // The one on its way may have been asked before somebody else's commit: it does not do.
    this.#askingNext ??= this.#askAfter(this.#asking);
    return this.#askingNext;
  }

  async #askAfter(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => undefined);
    this.#asking = this.#askingNext;
    this.#askingNext = undefined;
    const row = await this.#postgres.row(READING, DIRECTORY_SQL.version);
    const version = row === undefined ? -1 : numberAt(row, 0);
    if (version !== this.#version) this.#forget();
    this.#version = version;
  }

  /** New maps: whoever still fills the old ones does it for nobody. */
  #forget(): void {
    this.#rows = new Map();
    this.#resolutions = new Map();
    this.#secrets = new Map();
  }

  /** One durable transaction; writes follow each other, and a refusal leaves nothing behind. */
  async #write<Value>(
    doing: string,
    write: (transaction: Transaction) => Promise<Result<Value, DirectoryProblem>>,
  ): Promise<Result<Value, DirectoryProblem>> {
    try {
      return await this.#postgres.transaction(doing, async (transaction) => {
        transaction.write(DIRECTORY_SQL.lock);
        const answer = await write(transaction);
        if (!answer.ok) throw new Refusal(answer.error);
        transaction.write(DIRECTORY_SQL.written);
        return answer;
      });
    } catch (cause) {
      if (cause instanceof Refusal) return err(cause.problem);
      throw cause;
    } finally {
      this.#forget();
    }
  }

  async #walk(address: string): Promise<Resolution> {
    const resolve = (one: string): Promise<Resolution> => {
      const key = toAddressKey(one);
      const first = key === undefined ? [] : [key.domain, key.key, key.baseKey];
      return this.#withRows(first, (row) => walk(resolveAddress(one, this.#settings), row));
    };
    const found = await resolve(address);
    if (found.kind !== 'unknown' || !isBarePostmaster(address)) return found;
    for (const { name } of await this.domains()) {
      // oxlint-disable-next-line no-await-in-loop -- the first that exists
      const next = await resolve(`postmaster@${name}`);
      if (next.kind === 'local') return next;
    }
    return found;
  }

  /** @param first keys that will be asked for, so that they come in one trip */
  #withRows<Answer>(first: readonly string[], ask: (row: RowLookup) => Answer): Promise<Answer> {
    if (this.#rows.size >= CACHED_ROWS_MAX) this.#rows.clear();
    return withRows(
      this.#rows,
      first,
      (keys) => this.#postgres.rows(READING, DIRECTORY_SQL.rows, keys, catchAlls(keys)),
      ask,
    );
  }

  async #credential(value: string, sql: string = DIRECTORY_SQL.credential): Promise<Credential | undefined> {
    const rows = await this.#postgres.rows('Reading a credential', sql, value);
    const [row] = rows;
    if (row === undefined) return undefined;
    return {
      account: known(toAccountId(numberAt(row, 0))),
      address: textAt(row, 1),
      disabled: numberAt(row, 2) !== 0,
      passwordHash: optionalTextAt(row, 3),
      scramKeys: optionalTextAt(row, 4),
      networks: parseHomeNetworks(optionalTextAt(row, 5)),
      appPasswords: rows.filter((one) => one[6] !== null).map((one) => toAppPassword(one, 6)),
    };
  }

  async #keptPassword(
    key: string,
    password: string | undefined,
  ): Promise<Result<KeptSecrets | undefined, DirectoryProblem>> {
    return password === undefined ? ok(undefined) : this.#passwords.of(key, password);
  }
}

function toSending(row: Row | undefined): Sending {
  return decodeSending(row === undefined ? undefined : textAt(row, 0));
}

function toTexts(rows: readonly Row[]): readonly string[] {
  return rows.map((row) => textAt(row, 0));
}

/** Undoes a transaction on its way out. */
class Refusal extends Error {
  readonly problem: DirectoryProblem;

  constructor(problem: DirectoryProblem) {
    super(problem.kind);
    this.problem = problem;
  }
}

/** Rows of `DIRECTORY_SQL.rows` for these keys. */
type Loader = (keys: readonly string[]) => Promise<readonly Row[]>;

function loaderOf(transaction: Transaction): Loader {
  return (keys) => transaction.rows(DIRECTORY_SQL.rows, keys, catchAlls(keys));
}

function catchAlls(keys: readonly string[]): readonly string[] {
  return keys.filter((key) => !key.includes('@')).map((domain) => `@${domain}`);
}

/**
 * Asks with the rows that are at hand; while that asks for others, loads those, all at once, and asks again. `ask` is pure.
 *
 * @param rows are added to
 */
async function withRows<Answer>(
  rows: Rows,
  first: readonly string[],
  load: Loader,
  ask: (row: RowLookup) => Answer,
): Promise<Answer> {
  let missing = new Set(first.filter((key) => !rows.has(key)));
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- which rows are asked for depends on those before
    if (missing.size > 0) keep(rows, missing, await load([...missing]));
    missing = new Set();
    const wanted = missing;
    const answer = ask((key) => {
      const row = rows.get(key);
      if (row === undefined) wanted.add(key);
      return row ?? undefined;
    });
    if (missing.size === 0) return answer;
  }
}

/** @param found as `DIRECTORY_SQL.rows` gives them; targets in their order */
function keep(rows: Rows, keys: ReadonlySet<string>, found: readonly Row[]): void {
  const targets = new Map<string, string[]>();
  for (const key of keys) rows.set(key, null);
  for (const row of found) {
    if (textAt(row, 0) !== 'target') continue;
    const key = textAt(row, 1);
    const list = targets.get(key) ?? [];
    targets.set(key, list);
    list.push(textAt(row, 2));
  }
  const owning = new Map<string, Pick<Alias, 'owner' | 'verp'>>();
  for (const row of found)
    if (textAt(row, 0) === 'list')
      owning.set(textAt(row, 1), toOwning(optionalTextAt(row, 2), numberAt(row, 4) !== 0));
  for (const [key, list] of targets)
    if (keys.has(key)) rows.set(key, toAliasRow({ targets: list, ...owning.get(key) }));
  for (const row of found) {
    const key = textAt(row, 1);
    if (textAt(row, 0) === 'domain') rows.set(key, { kind: 'domain', catchAll: targets.get(`@${key}`) });
    if (textAt(row, 0) === 'account')
      rows.set(key, {
        kind: 'account',
        account: known(toAccountId(numberAt(row, 3))),
        address: key,
        disabled: numberAt(row, 4) !== 0,
        ...toQuota(optionalNumberAt(row, 5)),
      });
  }
}

async function toAliases(transaction: Transaction, rows: readonly Row[]): Promise<readonly Alias[]> {
  const addresses = rows.map((row) => textAt(row, 0));
  const targets = Map.groupBy(await transaction.rows(DIRECTORY_SQL.targets, addresses), (row) =>
    textAt(row, 0),
  );
  return rows.map((row) => {
    const address = textAt(row, 0);
    const list = (targets.get(address) ?? []).map((target) => textAt(target, 1));
    return {
      address,
      targets: list,
      ...toOwning(optionalTextAt(row, 2), numberAt(row, 3) !== 0),
      createdAtMs: numberAt(row, 1),
    };
  });
}

function toDomain(row: Row): Domain {
  const name = textAt(row, 0);
  return { name, displayName: domainToUnicode(name), createdAtMs: numberAt(row, 1) };
}

function toAccount(row: Row): Account {
  return {
    id: known(toAccountId(numberAt(row, 0))),
    address: textAt(row, 1),
    displayName: textAt(row, 2),
    disabled: numberAt(row, 3) !== 0,
    quotaOctets: optionalNumberAt(row, 4),
    createdAtMs: numberAt(row, 5),
  };
}

/** @param at where name, scopes, secret_hash, created_at_ms, scram_keys begin */
function toAppPassword(row: Row, at: number): KeptAppPassword {
  return {
    name: textAt(row, at),
    scopes: textAt(row, at + 1)
      .split(' ')
      .filter(isScope),
    secretHash: textAt(row, at + 2),
    createdAtMs: numberAt(row, at + 3),
    scramKeys: optionalTextAt(row, at + 4),
  };
}
