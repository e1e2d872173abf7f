/**
 * The directory in a SQLite file of its own. Each thread opens it for itself: reads are answered from a cache of rows
 * that is as good as the file was in this turn of the event loop, since SQLite's `data_version` tells whether anyone else
 * has written. Writes are few and small, and hold the thread for one disk sync.
 *
 * Errors: `DatabaseRefused` when opening what is not ours; `Fault` when the disk refuses, with nothing changed.
 */
import { domainToUnicode } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Random } from '../../base/random.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import {
  isWorldError,
  numberAt,
  optionalNumberAt,
  optionalTextAt,
  reading,
  textAt,
} from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { known, toAccountId } from '../../store/ids.ts';
import type { AccountId, MailboxId } from '../../store/ids.ts';
import { toAddressKey, toDomainKey, toDomainName } from '../address-key.ts';
import { hashAppPassword, makeAppPassword } from '../credential/app-password.ts';
import { Authenticator, parseHomeNetworks } from '../credential/authenticator.ts';
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
  isScope,
  makeSecret,
  toAliasKey,
  toFingerprint,
  toOwning,
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
import { ANYONE, inShareOrder, leadsTo, toIdentifier } from '../sharing.ts';
import { changedSending, checkGrant, decodeSending, encodeSending, sendingRightOf } from '../sending.ts';
import { toShare } from './share-rows.ts';
import { DIRECTORY_FILE } from './directory-file.ts';

export type EmbeddedDirectoryOptions = DirectorySettings & {
  /** A path, or ':memory:'. Made if it is missing, unless it is only read. */
  readonly file: string;
  /** Whatever changes something throws `Fault`; the file must be of this version. */
  readonly readOnly?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher?: PasswordHasher;
  readonly scramKeyMaker?: ScramKeyMaker;
  readonly throttle?: LoginThrottle;
};

/** Rows known to be there or not to be there, and addresses whose way is known; beyond this all are forgotten. */
const CACHED_ROWS_MAX = 50_000;
const CACHED_RESOLUTIONS_MAX = 10_000;
const LIMIT_NONE = -1;
/** Whoever has the address next did not grant it. */
const REMOVE_GRANTS_OF = 'DELETE FROM send_grant WHERE address = ?';

const SHARES = `SELECT s.owner_id, a.address, s.mailbox_id, s.name, s.negative, s.rights
  FROM share s JOIN account a ON a.id = s.owner_id`;
const ALIAS_COLUMNS = 'address, created_at_ms, owner, verp';
const ACCOUNT_COLUMNS = 'id, address, display_name, disabled, quota_octets, created_at_ms';

export function openEmbeddedDirectory(options: EmbeddedDirectoryOptions): EmbeddedDirectory {
  const readOnly = options.readOnly === true;
  return new EmbeddedDirectory(openDatabase(options.file, DIRECTORY_FILE, { readOnly }), options);
}

export class EmbeddedDirectory implements Directory {
  readonly authentication: Authenticator;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #passwords: PasswordSecrets;
  readonly #settings: DirectorySettings;
  /** `null`: known not to be there. */
  readonly #rows = new Map<string, DirectoryRow | null>();
  /** By the address as it was asked for. Only what is local: strangers may ask for anything. */
  readonly #resolutions = new Map<string, Resolution>();
  readonly #secrets = new Map<SecretPurpose, readonly Secret[]>();
  #version = -1;
  /** The version was looked at in this turn of the event loop. */
  #isFresh = false;

  constructor(database: Database, options: EmbeddedDirectoryOptions) {
    this.#database = database;
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
        credentialByCertificate: (fingerprint) => this.#credentialByCertificate(fingerprint),
        replaceSecrets: (account, kept, fresh) => this.#replaceSecrets(account, kept, fresh),
        keepNetwork: (account, seen) => this.#keepNetwork(account, seen),
        keepAppPasswordKeys: (account, secretHash, keys) =>
          this.#keepAppPasswordKeys(account, secretHash, keys),
      },
      passwords: this.#passwords,
      throttle: options.throttle ?? UNTHROTTLED,
      clock: options.clock,
    });
  }

  close(): void {
    this.#database.close();
  }

  async resolve(address: string): Promise<Resolution> {
    return this.#read(() => this.#resolve(address));
  }

  #resolve(address: string): Resolution {
    const cached = this.#resolutions.get(address);
    if (cached !== undefined) return cached;
    const found = this.#walk(address);
    if (found.kind !== 'local') return found;
    if (this.#resolutions.size >= CACHED_RESOLUTIONS_MAX) this.#resolutions.clear();
    this.#resolutions.set(address, found);
    return found;
  }

  async isLocalDomain(domain: string): Promise<boolean> {
    const name = toDomainKey(domain);
    return name !== undefined && this.#read(() => this.#cachedRow(name)?.kind === 'domain');
  }

  async sendingRight(account: AccountId, address: string): Promise<SendingRight> {
    const found = await this.resolve(address);
    return this.#read(() => sendingRightOf(account, address, found, this.#grants(account)));
  }

  async sending(id: AccountId): Promise<Sending> {
    return this.#read(() => this.#sending(id));
  }

  async setSending(id: AccountId, change: SendingChange): Promise<Result<Sending, DirectoryProblem>> {
    const badReason = checkReason(change);
    if (badReason !== undefined) return err(badReason);
    return this.#write('Changing what an account may send', () => {
      if (this.#accountById(id) === undefined) return err({ kind: 'not-found' });
      const changed = changedSending(this.#sending(id), change, this.#clock.nowMs());
      const encoded = encodeSending(changed);
      if (encoded === undefined) this.#database.prepare('DELETE FROM sending WHERE account_id = ?').run(id);
      else this.#database.prepare('INSERT OR REPLACE INTO sending VALUES (?, ?)').run(id, encoded);
      return ok(changed);
    });
  }

  async sendGrants(id: AccountId): Promise<readonly string[]> {
    return this.#read(() => this.#grants(id));
  }

  async addSendGrant(id: AccountId, address: string): Promise<Result<readonly string[], DirectoryProblem>> {
    return this.#write('Granting an address', () => {
      if (this.#accountById(id) === undefined) return err({ kind: 'not-found' });
      const checked = checkGrant(address, this.#grants(id));
      if (!checked.ok) return checked;
      const sql = 'INSERT INTO send_grant (account_id, address, created_at_ms) VALUES (?, ?, ?)';
      this.#database.prepare(sql).run(id, checked.value, this.#clock.nowMs());
      return ok(this.#grants(id));
    });
  }

  async removeSendGrant(
    id: AccountId,
    address: string,
  ): Promise<Result<readonly string[], DirectoryProblem>> {
    const key = toAddressKey(address)?.key ?? '';
    const sql = 'DELETE FROM send_grant WHERE account_id = ? AND address = ?';
    return this.#write('Taking back a grant', () =>
      this.#database.prepare(sql).run(id, key) === 0 ? err({ kind: 'not-found' }) : ok(this.#grants(id)),
    );
  }

  async shares(owner: AccountId): Promise<readonly Share[]> {
    const sql = `${SHARES} WHERE s.owner_id = ?`;
    return inShareOrder(this.#read(() => this.#database.prepare(sql).rows(owner).map(toShare)));
  }

  async sharedWith(account: AccountId): Promise<readonly Share[]> {
    return this.#read(() => {
      const address = this.#accountById(account)?.address;
      if (address === undefined) return [];
      const groups = this.#database.prepare('SELECT DISTINCT name FROM share WHERE is_group = 1').rows();
      const joined = groups
        .map((row) => textAt(row, 0))
        .filter((name) => leadsTo(this.#resolve(name), account));
      const named = `${SHARES} WHERE s.name IN (SELECT value FROM json_each(?)) AND s.owner_id <> ?`;
      const names = JSON.stringify([address, ANYONE, ...joined]);
      return this.#database.prepare(named).rows(names, account).map(toShare);
    });
  }

  async setShare(share: Omit<Share, 'ownerAddress'>): Promise<Result<void, DirectoryProblem>> {
    const identifier = toIdentifier(share.identifier);
    if (identifier === undefined) return err({ kind: 'bad-address' });
    const { name, negative } = identifier;
    const key = [share.owner, share.mailbox ?? 0, name, Number(negative)] as const;
    return this.#write('Sharing', () => {
      const owner = this.#accountById(share.owner);
      if (owner === undefined) return err({ kind: 'not-found' });
      const remove = 'DELETE FROM share WHERE owner_id = ? AND mailbox_id = ? AND name = ? AND negative = ?';
      this.#database.prepare(remove).run(...key);
      if (share.rights === '') return ok(undefined);
      if (name === owner.address) return err({ kind: 'in-use' });
      const has = (table: 'account' | 'alias'): boolean =>
        this.#database.prepare(`SELECT 1 FROM ${table} WHERE address = ?`).row(name) !== undefined;
      const isGroup = has('alias');
      if (name !== ANYONE && !isGroup && !has('account')) return err({ kind: 'not-found' });
      const kept = this.#database.prepare('SELECT count(*) FROM share WHERE owner_id = ?').row(share.owner);
      if (kept !== undefined && numberAt(kept, 0) >= LIMITS.sharesMax) return err({ kind: 'too-many' });
      const add = `INSERT INTO share (owner_id, mailbox_id, name, negative, is_group, rights)
        VALUES (?, ?, ?, ?, ?, ?)`;
      this.#database.prepare(add).run(...key, Number(isGroup), share.rights);
      return ok(undefined);
    });
  }

  async removeShares(owner: AccountId, mailbox: MailboxId): Promise<void> {
    const sql = 'DELETE FROM share WHERE owner_id = ? AND mailbox_id = ?';
    this.#write('Taking back what was shared', () => {
      this.#database.prepare(sql).run(owner, mailbox);
      return ok(undefined);
    });
  }

  #sending(id: AccountId): Sending {
    const row = this.#database.prepare('SELECT state FROM sending WHERE account_id = ?').row(id);
    return decodeSending(row === undefined ? undefined : textAt(row, 0));
  }

  #grants(id: AccountId): readonly string[] {
    const sql = 'SELECT address FROM send_grant WHERE account_id = ? ORDER BY address';
    return this.#database
      .prepare(sql)
      .rows(id)
      .map((row) => textAt(row, 0));
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
    const sql = `SELECT ${ACCOUNT_COLUMNS} FROM account a WHERE address > ? AND disabled = 0 AND (
      (password_hash IS NOT NULL AND scram_keys IS NULL) OR EXISTS (
        SELECT 1 FROM app_password p WHERE p.account_id = a.id AND p.scram_keys IS NULL))
      ORDER BY address LIMIT ?`;
    return this.#accountRows(sql, page);
  }

  async domains(): Promise<readonly Domain[]> {
    const sql = 'SELECT name, created_at_ms FROM domain ORDER BY name';
    return this.#read(() => this.#database.prepare(sql).rows().map(toDomain));
  }

  async addDomain(name: string): Promise<Result<Domain, DirectoryProblem>> {
    return this.#write('Adding a domain', () => {
      const checked = checkNewDomain(name, this.#row);
      if (!checked.ok) return checked;
      const row = [checked.value, this.#clock.nowMs()] as const;
      this.#database.prepare('INSERT INTO domain (name, created_at_ms) VALUES (?, ?)').run(...row);
      return ok(toDomain(row));
    });
  }

  async removeDomain(name: string): Promise<Result<void, DirectoryProblem>> {
    const domain = toDomainName(name) ?? '';
    return this.#write('Removing a domain', () => {
      if (this.#row(domain) === undefined) return err({ kind: 'not-found' });
      const inUse = `SELECT 1 WHERE EXISTS (SELECT 1 FROM account WHERE domain = ?)
        OR EXISTS (SELECT 1 FROM alias WHERE domain = ?)`;
      if (this.#database.prepare(inUse).row(domain, domain) !== undefined) return err({ kind: 'in-use' });
      this.#database.prepare('DELETE FROM domain WHERE name = ?').run(domain);
      return ok(undefined);
    });
  }

  async accounts(page?: DirectoryPage): Promise<readonly Account[]> {
    const sql = `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE address > ? ORDER BY address LIMIT ?`;
    return this.#accountRows(sql, page);
  }

  async account(id: AccountId): Promise<Account | undefined> {
    return this.#read(() => this.#accountById(id));
  }

  async accountByAddress(address: string): Promise<Account | undefined> {
    const key = toAddressKey(address)?.key ?? '';
    const sql = `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE address = ?`;
    const row = this.#read(() => this.#database.prepare(sql).row(key));
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
    return this.#write('Adding an account', () => {
      const checked = checkNewAccount(address, this.#row);
      if (!checked.ok) return checked;
      const sql = `INSERT INTO account
        (address, domain, display_name, disabled, quota_octets, password_hash, scram_keys, created_at_ms)
        VALUES (?, ?, ?, 0, ?, ?, ?, ?) RETURNING ${ACCOUNT_COLUMNS}`;
      const key = checked.value;
      const domain = key.slice(key.lastIndexOf('@') + 1);
      const { passwordHash = null, scramKeys = null } = kept.value ?? {};
      const nowMs = this.#clock.nowMs();
      const values = [key, domain, displayName, quotaOctets ?? null, passwordHash, scramKeys, nowMs];
      return ok(toAccount(this.#database.prepare(sql).row(...values) ?? []));
    });
  }

  async removeAccount(id: AccountId): Promise<Result<void, DirectoryProblem>> {
    return this.#write('Removing an account', () => {
      const address = this.#accountById(id)?.address;
      if (address === undefined) return err({ kind: 'not-found' });
      this.#database.prepare('DELETE FROM account WHERE id = ?').run(id);
      this.#database.prepare('DELETE FROM share WHERE owner_id = ? OR name = ?').run(id, address);
      for (const table of ['app_password', 'certificate', 'home_network', 'sending', 'send_grant'])
        this.#database.prepare(`DELETE FROM ${table} WHERE account_id = ?`).run(id);
      this.#database.prepare(REMOVE_GRANTS_OF).run(address);
      return ok(undefined);
    });
  }

  async setAccount(
    id: AccountId,
    change: Parameters<Directory['setAccount']>[1],
  ): Promise<Result<Account, DirectoryProblem>> {
    const badName = checkName(change.displayName ?? '');
    if (badName !== undefined) return err(badName);
    const address = this.#read(() => this.#accountById(id)?.address) ?? '';
    const kept = await this.#keptPassword(address, change.password);
    if (!kept.ok) return kept;
    return this.#write('Changing an account', () => {
      const account = this.#accountById(id);
      if (account === undefined) return err({ kind: 'not-found' });
      const sql = `UPDATE account SET display_name = ?, disabled = ?, quota_octets = ?,
        password_hash = coalesce(?, password_hash), scram_keys = iif(?, ?, scram_keys)
        WHERE id = ? RETURNING ${ACCOUNT_COLUMNS}`;
      const values = [
        change.displayName ?? account.displayName,
        Number(change.disabled ?? account.disabled),
        change.quotaOctets === undefined ? (account.quotaOctets ?? null) : change.quotaOctets,
        kept.value?.passwordHash ?? null,
        Number(kept.value !== undefined),
        kept.value?.scramKeys ?? null,
        id,
      ];
      return ok(toAccount(this.#database.prepare(sql).row(...values) ?? []));
    });
  }

  async signInMeans(id: AccountId): Promise<SignInMeans | undefined> {
    return this.#read(() => {
      const sql = 'SELECT password_hash IS NOT NULL, scram_keys IS NOT NULL FROM account WHERE id = ?';
      const row = this.#database.prepare(sql).row(id);
      if (row === undefined) return undefined;
      return {
        hasPassword: numberAt(row, 0) !== 0,
        hasScramKeys: numberAt(row, 1) !== 0,
        certificates: this.#certificates(id),
      };
    });
  }

  async addCertificate(
    id: AccountId,
    fingerprint: string,
  ): Promise<Result<AccountCertificate, DirectoryProblem>> {
    const kept = toFingerprint(fingerprint);
    if (kept === undefined) return err({ kind: 'bad-fingerprint' });
    return this.#write('Adding a certificate', () => {
      if (this.#accountById(id) === undefined) return err({ kind: 'not-found' });
      const found = 'SELECT 1 FROM certificate WHERE fingerprint = ?';
      if (this.#database.prepare(found).row(kept) !== undefined) return err({ kind: 'exists' });
      if (this.#certificates(id).length >= LIMITS.accountCertificatesMax) return err({ kind: 'too-many' });
      const certificate = { fingerprint: kept, createdAtMs: this.#clock.nowMs() };
      const sql = 'INSERT INTO certificate (fingerprint, account_id, created_at_ms) VALUES (?, ?, ?)';
      this.#database.prepare(sql).run(kept, id, certificate.createdAtMs);
      return ok(certificate);
    });
  }

  async removeCertificate(id: AccountId, fingerprint: string): Promise<Result<void, DirectoryProblem>> {
    const sql = 'DELETE FROM certificate WHERE account_id = ? AND fingerprint = ?';
    return this.#write('Removing a certificate', () =>
      this.#database.prepare(sql).run(id, toFingerprint(fingerprint) ?? '') === 0
        ? err({ kind: 'not-found' })
        : ok(undefined),
    );
  }

  async appPasswords(id: AccountId): Promise<readonly AppPassword[]> {
    return this.#read(() =>
      this.#keptAppPasswords(id).map(({ name, scopes, createdAtMs }) => ({ name, scopes, createdAtMs })),
    );
  }

  async addAppPassword(
    id: AccountId,
    name: string,
    scopes: readonly Scope[],
  ): Promise<Result<{ readonly secret: string }, DirectoryProblem>> {
    const badName = name === '' ? { kind: 'bad-name' as const } : checkName(name);
    if (badName !== undefined) return err(badName);
    const secret = makeAppPassword(this.#random);
    const address = this.#read(() => this.#accountById(id)?.address);
    const scramKeys = address === undefined ? undefined : await this.#passwords.scramKeys(address, secret);
    return this.#write('Adding an app password', () => {
      if (this.#accountById(id) === undefined) return err({ kind: 'not-found' });
      const kept = this.#keptAppPasswords(id);
      if (kept.some((one) => one.name === name)) return err({ kind: 'exists' });
      if (kept.length >= LIMITS.appPasswordsMax) return err({ kind: 'too-many' });
      const sql = `INSERT INTO app_password (account_id, name, scopes, secret_hash, scram_keys, created_at_ms)
        VALUES (?, ?, ?, ?, ?, ?)`;
      const scopeText = [...new Set(scopes)].join(' ');
      const secretHash = hashAppPassword(secret) ?? '';
      this.#database
        .prepare(sql)
        .run(id, name, scopeText, secretHash, scramKeys ?? null, this.#clock.nowMs());
      return ok({ secret });
    });
  }

  async removeAppPassword(id: AccountId, name: string): Promise<Result<void, DirectoryProblem>> {
    const sql = 'DELETE FROM app_password WHERE account_id = ? AND name = ?';
    return this.#write('Removing an app password', () =>
      this.#database.prepare(sql).run(id, name) === 0 ? err({ kind: 'not-found' }) : ok(undefined),
    );
  }

  async aliases(page?: DirectoryPage): Promise<readonly Alias[]> {
    const sql = `SELECT ${ALIAS_COLUMNS} FROM alias WHERE address > ? ORDER BY address LIMIT ?`;
    return this.#read(() =>
      this.#database
        .prepare(sql)
        .rows(page?.after ?? '', page?.limit ?? LIMIT_NONE)
        .map((row) => this.#toAlias(row)),
    );
  }

  async alias(address: string): Promise<Alias | undefined> {
    const key = toAliasKey(address)?.key ?? '';
    return this.#read(() => this.#aliasByKey(key));
  }

  async setAlias(
    address: string,
    targets: readonly string[],
    change: AliasChange = {},
  ): Promise<Result<Alias, DirectoryProblem>> {
    return this.#write('Setting an alias', () => {
      const checked = checkAlias(address, targets, change, this.#settings, this.#row);
      if (!checked.ok) return checked;
      const { key, domain, ...kept } = checked.value;
      const createdAtMs = this.#aliasByKey(key)?.createdAtMs ?? this.#clock.nowMs();
      const insert = `INSERT INTO alias (address, domain, created_at_ms, owner, verp) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (address) DO UPDATE SET owner = excluded.owner, verp = excluded.verp`;
      const values = [key, domain, createdAtMs, kept.owner ?? null, kept.verp === true ? 1 : 0];
      this.#database.prepare(insert).run(...values);
      this.#database.prepare('DELETE FROM alias_target WHERE address = ?').run(key);
      const target = this.#database.prepare(
        'INSERT INTO alias_target (address, position, target) VALUES (?, ?, ?)',
      );
      for (const [position, one] of kept.targets.entries()) target.run(key, position, one);
      return ok({ address: key, ...kept, createdAtMs });
    });
  }

  async removeAlias(address: string): Promise<Result<void, DirectoryProblem>> {
    const key = toAliasKey(address)?.key ?? '';
    return this.#write('Removing an alias', () => {
      this.#database.prepare('DELETE FROM alias_target WHERE address = ?').run(key);
      this.#database.prepare('DELETE FROM share WHERE name = ?').run(key);
      this.#database.prepare(REMOVE_GRANTS_OF).run(key);
      const removed = this.#database.prepare('DELETE FROM alias WHERE address = ?').run(key);
      return removed === 0 ? err({ kind: 'not-found' }) : ok(undefined);
    });
  }

  async secrets(purpose: SecretPurpose): Promise<readonly Secret[]> {
    const kept = this.#read(() => {
      const found = this.#secrets.get(purpose) ?? this.#keptSecrets(purpose);
      this.#secrets.set(purpose, found);
      return found;
    });
    if (kept.length > 0) return kept;
    this.#write('Making a secret', () => {
      // Another thread's may have come first.
      if (this.#keptSecrets(purpose).length === 0) this.#insertSecret(purpose, makeSecret(this.#random));
      return ok(undefined);
    });
    return this.#read(() => this.#keptSecrets(purpose));
  }

  async addSecret(
    purpose: SecretPurpose,
    text: string = makeSecret(this.#random),
    only = false,
  ): Promise<Result<Secret, DirectoryProblem>> {
    return this.#write('Adding a secret', () => {
      const checked = checkSecret(text);
      return checked.ok
        ? ok(this.#insertSecret(purpose, checked.value, only ? 1 : LIMITS.secretsMax))
        : checked;
    });
  }

  #keptSecrets(purpose: SecretPurpose): readonly Secret[] {
    const sql = 'SELECT secret, created_at_ms FROM secret WHERE purpose = ? ORDER BY position DESC';
    const rows = this.#database.prepare(sql).rows(purpose);
    return rows.map((row) => ({ text: textAt(row, 0), createdAtMs: numberAt(row, 1) }));
  }

  /** @param keptMax how many stay, the new one with them */
  #insertSecret(purpose: SecretPurpose, text: string, keptMax: number = LIMITS.secretsMax): Secret {
    const nowMs = this.#clock.nowMs();
    const insert = `INSERT INTO secret (purpose, position, secret, created_at_ms)
      SELECT ?1, coalesce(max(position), 0) + 1, ?2, ?3 FROM secret WHERE purpose = ?1`;
    this.#database.prepare(insert).run(purpose, text, nowMs);
    const forget = `DELETE FROM secret WHERE purpose = ?1
      AND position <= (SELECT max(position) FROM secret WHERE purpose = ?1) - ?2`;
    this.#database.prepare(forget).run(purpose, keptMax);
    return { text, createdAtMs: nowMs };
  }

  #read<Answer>(read: () => Answer): Answer {
    return reading('Reading the directory', () => {
      if (!this.#isFresh) this.#refresh();
      return read();
    });
  }

  /** Four system calls: for a busy thread, once for everything that came in one turn of its loop. */
  #refresh(): void {
    const row = this.#database.prepare('PRAGMA data_version').row();
    const version = row === undefined ? -1 : numberAt(row, 0);
    if (version !== this.#version) this.#forget();
    this.#version = version;
    this.#isFresh = true;
    setImmediate(() => {
      this.#isFresh = false;
    });
  }

  /** One durable transaction; a refusal leaves nothing behind either. */
  #write<Value>(
    doing: string,
    write: () => Result<Value, DirectoryProblem>,
  ): Result<Value, DirectoryProblem> {
    try {
      this.#database.begin();
      const answer = write();
      if (answer.ok) this.#database.commit();
      else this.#database.rollback();
      return answer;
    } catch (cause) {
      this.#database.rollback();
      throw isWorldError(cause) ? new Fault(doing, cause) : cause;
    } finally {
      // `data_version` tells of others' commits only.
      this.#forget();
    }
  }

  #forget(): void {
    this.#rows.clear();
    this.#resolutions.clear();
    this.#secrets.clear();
  }

  #walk(address: string): Resolution {
    const resolve = (one: string): Resolution => walk(resolveAddress(one, this.#settings), this.#cachedRow);
    const found = resolve(address);
    if (found.kind !== 'unknown' || !isBarePostmaster(address)) return found;
    for (const row of this.#database.prepare('SELECT name FROM domain ORDER BY name').rows()) {
      const next = resolve(`postmaster@${textAt(row, 0)}`);
      if (next.kind === 'local') return next;
    }
    return found;
  }

  readonly #cachedRow = (key: string): DirectoryRow | undefined => {
    const cached = this.#rows.get(key);
    if (cached !== undefined) return cached ?? undefined;
    const row = this.#row(key);
    if (this.#rows.size >= CACHED_ROWS_MAX) this.#rows.clear();
    this.#rows.set(key, row ?? null);
    return row;
  };

  readonly #row = (key: string): DirectoryRow | undefined => {
    if (!key.includes('@')) {
      const domain = this.#database.prepare('SELECT 1 FROM domain WHERE name = ?').row(key);
      return domain === undefined
        ? undefined
        : { kind: 'domain', catchAll: this.#aliasByKey(`@${key}`)?.targets };
    }
    const sql = 'SELECT id, disabled, quota_octets FROM account WHERE address = ?';
    const account = this.#database.prepare(sql).row(key);
    if (account !== undefined)
      return {
        kind: 'account',
        account: known(toAccountId(numberAt(account, 0))),
        address: key,
        disabled: numberAt(account, 1) !== 0,
        ...toQuota(optionalNumberAt(account, 2)),
      };
    const alias = this.#aliasByKey(key);
    return alias === undefined ? undefined : toAliasRow(alias);
  };

  #aliasByKey(key: string): Alias | undefined {
    const row = this.#database.prepare(`SELECT ${ALIAS_COLUMNS} FROM alias WHERE address = ?`).row(key);
    return row === undefined ? undefined : this.#toAlias(row);
  }

  #toAlias(row: Row): Alias {
    const address = textAt(row, 0);
    const sql = 'SELECT target FROM alias_target WHERE address = ? ORDER BY position';
    const targets = this.#database
      .prepare(sql)
      .rows(address)
      .map((target) => textAt(target, 0));
    const owning = toOwning(optionalTextAt(row, 2), numberAt(row, 3) !== 0);
    return { address, targets, ...owning, createdAtMs: numberAt(row, 1) };
  }

  /** @param sql takes an address to begin behind, and a limit */
  #accountRows(sql: string, page: DirectoryPage | undefined): readonly Account[] {
    const values = [page?.after ?? '', page?.limit ?? LIMIT_NONE] as const;
    return this.#read(() =>
      this.#database
        .prepare(sql)
        .rows(...values)
        .map(toAccount),
    );
  }

  #accountById(id: AccountId): Account | undefined {
    const row = this.#database.prepare(`SELECT ${ACCOUNT_COLUMNS} FROM account WHERE id = ?`).row(id);
    return row === undefined ? undefined : toAccount(row);
  }

  #keptAppPasswords(id: number): Credential['appPasswords'] {
    const sql = `SELECT name, scopes, secret_hash, created_at_ms, scram_keys FROM app_password
      WHERE account_id = ? ORDER BY created_at_ms, name`;
    return this.#database
      .prepare(sql)
      .rows(id)
      .map((row) => ({
        name: textAt(row, 0),
        scopes: textAt(row, 1).split(' ').filter(isScope),
        secretHash: textAt(row, 2),
        createdAtMs: numberAt(row, 3),
        scramKeys: optionalTextAt(row, 4),
      }));
  }

  #certificates(id: AccountId): readonly AccountCertificate[] {
    const sql = `SELECT fingerprint, created_at_ms FROM certificate
      WHERE account_id = ? ORDER BY created_at_ms, fingerprint`;
    return this.#database
      .prepare(sql)
      .rows(id)
      .map((row) => ({ fingerprint: textAt(row, 0), createdAtMs: numberAt(row, 1) }));
  }

  #credential(key: string): Credential | undefined {
    return this.#credentialWhere('address = ?', key);
  }

  #credentialByCertificate(fingerprint: string): Credential | undefined {
    return this.#credentialWhere(
      'id = (SELECT account_id FROM certificate WHERE fingerprint = ?)',
      fingerprint,
    );
  }

  #credentialWhere(condition: string, value: string): Credential | undefined {
    return reading('Reading a credential', () => {
      const sql = `SELECT id, address, disabled, password_hash, scram_keys,
        (SELECT group_concat(network || ' ' || seen_at_ms) FROM home_network WHERE account_id = account.id)
        FROM account WHERE ${condition}`;
      const row = this.#database.prepare(sql).row(value);
      // Asked for in any case: whether there is an account must not be heard in the time.
      const appPasswords = this.#keptAppPasswords(row === undefined ? 0 : numberAt(row, 0));
      if (row === undefined) return undefined;
      return {
        account: known(toAccountId(numberAt(row, 0))),
        address: textAt(row, 1),
        disabled: numberAt(row, 2) !== 0,
        passwordHash: optionalTextAt(row, 3),
        scramKeys: optionalTextAt(row, 4),
        networks: parseHomeNetworks(optionalTextAt(row, 5)),
        appPasswords,
      };
    });
  }

  #replaceSecrets(account: AccountId, kept: string, { passwordHash, scramKeys }: KeptSecrets): void {
    const sql = 'UPDATE account SET password_hash = ?, scram_keys = ? WHERE id = ? AND password_hash = ?';
    this.#write('Renewing what is kept of a password', () => {
      this.#database.prepare(sql).run(passwordHash, scramKeys ?? null, account, kept);
      return ok(undefined);
    });
  }

  #keepNetwork(account: AccountId, { network, seenAtMs }: HomeNetwork): void {
    this.#write('Noting where an account signs in', () => {
      if (this.#accountById(account) === undefined) return err({ kind: 'not-found' });
      const sql = `INSERT INTO home_network (account_id, network, seen_at_ms) VALUES (?, ?, ?)
        ON CONFLICT (account_id, network) DO UPDATE SET seen_at_ms = excluded.seen_at_ms`;
      this.#database.prepare(sql).run(account, network, seenAtMs);
      const forget = `DELETE FROM home_network WHERE account_id = ?1 AND network NOT IN (
        SELECT network FROM home_network WHERE account_id = ?1 ORDER BY seen_at_ms DESC LIMIT ?2)`;
      this.#database.prepare(forget).run(account, LIMITS.homeNetworksMax);
      return ok(undefined);
    });
  }

  #keepAppPasswordKeys(account: AccountId, secretHash: string, scramKeys: string): void {
    const sql = 'UPDATE app_password SET scram_keys = ? WHERE account_id = ? AND secret_hash = ?';
    this.#write('Keeping keys of an app password', () => {
      this.#database.prepare(sql).run(scramKeys, account, secretHash);
      return ok(undefined);
    });
  }

  async #keptPassword(
    key: string,
    password: string | undefined,
  ): Promise<Result<KeptSecrets | undefined, DirectoryProblem>> {
    return password === undefined ? ok(undefined) : this.#passwords.of(key, password);
  }
}

function toDomain(row: Row): Domain {
  const name = textAt(row, 0);
  return { name, displayName: domainToUnicode(name), createdAtMs: numberAt(row, 1) };
}

/** @param row {@link ACCOUNT_COLUMNS} */
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
