/**
 * Looks through the whole directory for what does not hold, and mends what can be mended without losing anything that
 * anybody could still use. For `fsck`, with no server on the data directory.
 */
import { LIMITS } from '../../base/limits.ts';
import { numberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import type { Database } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { toAddressKey, toDomainName } from '../address-key.ts';
import { parsePasswordHash } from '../credential/password-hash.ts';
import { toAliasKey, toFingerprint } from '../directory-rules.ts';
import type { DirectoryFinding } from '../directory.ts';
import { parseRights } from '../rights.ts';
import { ANYONE } from '../sharing.ts';
import { expandAddress, walk } from '../resolve-address.ts';
import type { DirectoryRow } from '../resolve-address.ts';
import { parseScramKeys } from '../../sasl/scram-key.ts';
import { known, toAccountId } from '../../store/ids.ts';
import { DIRECTORY_FILE } from './directory-file.ts';

export type CheckDirectoryOptions = {
  readonly file: string;
  readonly repair: boolean;
  /** For domains that have to be added. */
  readonly nowMs: number;
};

type Report = (kind: DirectoryFinding['kind'], subject: string, text: string, mend?: () => void) => void;

/** Throws `DatabaseRefused` for a file that is not ours or is newer, and `Fault` when the disk refuses. */
export function checkDirectory(options: CheckDirectoryOptions): readonly DirectoryFinding[] {
  const database = openDatabase(options.file, DIRECTORY_FILE, { readOnly: !options.repair });
  const findings: DirectoryFinding[] = [];
  const report: Report = (kind, subject, text, mend) => {
    if (options.repair) mend?.();
    findings.push({ kind, subject, text, repaired: options.repair && mend !== undefined });
  };
  try {
    if (!isIntact(database, report)) return findings;
    if (options.repair) database.begin();
    checkNames(database, report);
    checkDomains(database, report, options.nowMs);
    checkCredentials(database, report);
    checkScramKeys(database, report);
    checkCertificates(database, report);
    checkAliases(database, report);
    checkShares(database, report);
    checkSending(database, report);
    if (options.repair) database.commit();
    return findings;
  } finally {
    if (database.inTransaction) database.rollback();
    database.close();
  }
}

function isIntact(database: Database, report: Report): boolean {
  const lines = database
    .prepare('PRAGMA integrity_check(20)')
    .rows()
    .map((row) => textAt(row, 0));
  if (lines.length === 1 && lines[0] === 'ok') return true;
  for (const line of lines) report('damaged-file', 'directory.sqlite', line);
  return false;
}

/** Every address is its own key and belongs to one thing only. */
function checkNames(database: Database, report: Report): void {
  for (const [name] of textRows(database, 'SELECT name FROM domain'))
    if (toDomainName(name) !== name) report('wrong-key', name, 'the domain is not in its normal form');
  for (const [address, domain] of textRows(database, 'SELECT address, domain FROM account'))
    checkName(database, report, 'account', address, domain, toAddressKey(address));
  for (const [address, domain] of textRows(database, 'SELECT address, domain FROM alias'))
    checkName(database, report, 'alias', address, domain, toAliasKey(address));
  const both = 'SELECT address FROM account WHERE address IN (SELECT address FROM alias)';
  for (const [address] of textRows(database, both))
    report('double-address', address, 'an account and an alias have this address; the account gets its mail');
}

function checkName(
  database: Database,
  report: Report,
  table: 'account' | 'alias',
  address: string,
  domain: string,
  want: { readonly key: string; readonly domain: string } | undefined,
): void {
  if (want === undefined || want.key !== address) {
    report('wrong-key', address, `the address of this ${table} is not in its normal form, and finds nothing`);
    return;
  }
  if (want.domain === domain) return;
  report('wrong-key', address, `the ${table} is kept under ${domain}, not under ${want.domain}`, () => {
    database.prepare(`UPDATE ${table} SET domain = ? WHERE address = ?`).run(want.domain, address);
  });
}

function checkDomains(database: Database, report: Report, nowMs: number): void {
  const sql = `SELECT domain FROM account WHERE domain NOT IN (SELECT name FROM domain)
    UNION SELECT domain FROM alias WHERE domain NOT IN (SELECT name FROM domain)`;
  for (const [domain] of textRows(database, sql)) {
    const text = 'accounts or aliases are at a domain that is not ours';
    const mend = (): void => {
      database.prepare('INSERT INTO domain (name, created_at_ms) VALUES (?, ?)').run(domain, nowMs);
    };
    report('missing-domain', domain, text, toDomainName(domain) === domain ? mend : undefined);
  }
}

function checkCredentials(database: Database, report: Report): void {
  const hashes = 'SELECT address, password_hash FROM account WHERE password_hash IS NOT NULL';
  for (const row of database.prepare(hashes).rows())
    if (parsePasswordHash(optionalTextAt(row, 1) ?? '') === undefined)
      report('bad-password-hash', textAt(row, 0), 'nobody can log in with a password: set a new one');
  const orphans = `SELECT account_id, name FROM app_password
    WHERE account_id NOT IN (SELECT id FROM account)`;
  for (const row of database.prepare(orphans).rows()) {
    const [id, name] = [numberAt(row, 0), textAt(row, 1)];
    report(
      'orphaned-app-password',
      `account ${id}`,
      `the app password ${JSON.stringify(name)} is of nobody`,
      () => {
        database.prepare('DELETE FROM app_password WHERE account_id = ? AND name = ?').run(id, name);
      },
    );
  }
}

/** Keys that are no keys let nobody in; without them the next PLAIN or LOGIN makes new ones. */
function checkScramKeys(database: Database, report: Report): void {
  const kept = `SELECT 'account', address, scram_keys, id, '' FROM account WHERE scram_keys IS NOT NULL
    UNION ALL SELECT 'app_password', name, scram_keys, account_id, name FROM app_password
    WHERE scram_keys IS NOT NULL`;
  for (const row of database.prepare(kept).rows()) {
    if (parseScramKeys(textAt(row, 2)) !== undefined) continue;
    const [table, id, name] = [textAt(row, 0), numberAt(row, 3), textAt(row, 4)];
    const text = 'nobody can log in by SCRAM: keys are made when the password is next shown';
    report('bad-scram-keys', textAt(row, 1), text, () => {
      if (table === 'account') database.prepare('UPDATE account SET scram_keys = NULL WHERE id = ?').run(id);
      else
        database
          .prepare('UPDATE app_password SET scram_keys = NULL WHERE account_id = ? AND name = ?')
          .run(id, name);
    });
  }
}

function checkCertificates(database: Database, report: Report): void {
  const sql = `SELECT fingerprint, account_id, account_id IN (SELECT id FROM account) FROM certificate`;
  for (const row of database.prepare(sql).rows()) {
    const fingerprint = textAt(row, 0);
    const isSound = toFingerprint(fingerprint) === fingerprint && numberAt(row, 2) !== 0;
    if (isSound) continue;
    report(
      'bad-certificate',
      `account ${numberAt(row, 1)}`,
      'a certificate of nobody, or no certificate',
      () => {
        database.prepare('DELETE FROM certificate WHERE fingerprint = ?').run(fingerprint);
      },
    );
  }
  const lost = `SELECT DISTINCT account_id FROM home_network WHERE account_id NOT IN (SELECT id FROM account)`;
  for (const row of database.prepare(lost).rows()) {
    const id = numberAt(row, 0);
    report('orphaned-home-network', `account ${id}`, 'networks that nobody signed in from', () => {
      database.prepare('DELETE FROM home_network WHERE account_id = ?').run(id);
    });
  }
}

function checkAliases(database: Database, report: Report): void {
  const lost = 'SELECT DISTINCT address FROM alias_target WHERE address NOT IN (SELECT address FROM alias)';
  for (const [address] of textRows(database, lost))
    report('bad-target', address, 'targets of an alias that is not there', () => {
      database.prepare('DELETE FROM alias_target WHERE address = ?').run(address);
    });
  const row = rowsOf(database);
  for (const [alias, owner] of textRows(database, 'SELECT address, owner FROM alias WHERE owner IS NOT NULL'))
    checkOwner(report, row, alias, owner);
  for (const [alias] of textRows(database, 'SELECT address FROM alias')) {
    const targets = textRows(database, 'SELECT target FROM alias_target WHERE address = ?', alias);
    if (targets.length === 0) report('bad-target', alias, 'the alias leads nowhere');
    for (const [target] of targets) checkTarget(report, row, alias, target);
  }
}

/** Rights of nobody, or none that there are, let nobody do anything: nothing is lost with them. */
function checkShares(database: Database, report: Report): void {
  const sql = `SELECT owner_id, mailbox_id, name, negative, rights, is_group,
    owner_id IN (SELECT id FROM account), name IN (SELECT address FROM account), name IN (SELECT address FROM alias)
    FROM share`;
  for (const row of database.prepare(sql).rows()) {
    const [owner, mailbox, name] = [numberAt(row, 0), numberAt(row, 1), textAt(row, 2)];
    const [negative, rights] = [numberAt(row, 3), textAt(row, 4)];
    const [hasOwner, isAccount, isGroup] = [6, 7, 8].map((at) => numberAt(row, at) !== 0);
    const isOne = name === ANYONE || isAccount === true || isGroup === true;
    const where = 'WHERE owner_id = ? AND mailbox_id = ? AND name = ? AND negative = ?';
    if (hasOwner !== true || !isOne || rights === '' || parseRights(rights) !== rights)
      report('bad-share', `account ${owner}`, `${name} has rights that mean nothing`, () => {
        database.prepare(`DELETE FROM share ${where}`).run(owner, mailbox, name, negative);
      });
    else if ((numberAt(row, 5) !== 0) !== isGroup)
      report('bad-share', `account ${owner}`, `${name} is not looked up as what it is`, () => {
        const fix = database.prepare(`UPDATE share SET is_group = ? ${where}`);
        fix.run(Number(isGroup), owner, mailbox, name, negative);
      });
  }
}

/** What somebody who is gone might send. An id is never given twice, so it is of no use to anybody. */
function checkSending(database: Database, report: Report): void {
  const grants =
    'SELECT account_id, address FROM send_grant WHERE account_id NOT IN (SELECT id FROM account)';
  for (const row of database.prepare(grants).rows()) {
    const [id, address] = [numberAt(row, 0), textAt(row, 1)];
    report('orphaned-grant', `account ${id}`, `the grant of ${address} is nobody's`, () => {
      database.prepare('DELETE FROM send_grant WHERE account_id = ? AND address = ?').run(id, address);
    });
  }
  const sending = 'SELECT account_id FROM sending WHERE account_id NOT IN (SELECT id FROM account)';
  for (const row of database.prepare(sending).rows()) {
    const id = numberAt(row, 0);
    report('orphaned-sending', `account ${id}`, "what it may send is nobody's", () => {
      database.prepare('DELETE FROM sending WHERE account_id = ?').run(id);
    });
  }
}

function checkTarget(
  report: Report,
  row: (key: string) => DirectoryRow | undefined,
  alias: string,
  target: string,
): void {
  if (toAddressKey(target) === undefined) {
    report('bad-target', alias, `the target ${JSON.stringify(target)} is no address`);
    return;
  }
  const found = walk(expandAddress(target, {}, alias), row);
  if (found.isLooped)
    report('alias-loop', alias, `the target ${target} leads back to this alias or to itself`);
  if (found.isTooDeep)
    report(
      'alias-too-deep',
      alias,
      `more than ${LIMITS.aliasDepthMax} aliases in a row: the rest is not followed`,
    );
  if (found.dangling.has(target)) report('dangling-target', alias, `nobody has the address ${target}`);
}

function checkOwner(
  report: Report,
  row: (key: string) => DirectoryRow | undefined,
  alias: string,
  owner: string,
): void {
  if (toAddressKey(owner) === undefined)
    report('bad-target', alias, `the owner ${JSON.stringify(owner)} is no address`);
  else if (walk(expandAddress(owner, {}), row).dangling.has(owner))
    report('dangling-target', alias, `nobody has the address ${owner}, the owner of this list`);
}

function rowsOf(database: Database): (key: string) => DirectoryRow | undefined {
  const targetsOf = (key: string): string[] | undefined => {
    const sql = 'SELECT target FROM alias_target WHERE address = ? ORDER BY position';
    const targets = textRows(database, sql, key).map(([target]) => target);
    return targets.length === 0 ? undefined : targets;
  };
  return (key) => {
    if (!key.includes('@')) {
      const domain = database.prepare('SELECT 1 FROM domain WHERE name = ?').row(key);
      return domain === undefined ? undefined : { kind: 'domain', catchAll: targetsOf(`@${key}`) };
    }
    const account = database.prepare('SELECT id FROM account WHERE address = ?').row(key);
    if (account !== undefined) {
      const id = known(toAccountId(numberAt(account, 0)));
      return { kind: 'account', account: id, address: key, disabled: false };
    }
    const targets = targetsOf(key);
    return targets === undefined ? undefined : { kind: 'alias', targets };
  };
}

/** Rows of two columns of text; a second column that is not asked for is ''. */
function textRows(database: Database, sql: string, ...values: readonly string[]): [string, string][] {
  return database
    .prepare(sql)
    .rows(...values)
    .map((row) => [textAt(row, 0), row.length > 1 ? textAt(row, 1) : '']);
}
