/**
 * The tables of the directory in PostgreSQL. As in the embedded directory, `address` and `directory_domain.name` are keys
 * as `address-key.ts` makes them, and no two of account and alias have one address: whoever writes holds the one row of
 * `directory_state`, so that writes follow each other.
 */
import type { TableKind } from '../../postgres/migrate.ts';

const FIRST = `
-- version: how many writes there were; a cache is as good as its version. last_account_id: an account's number is never
-- given again, since its mail is found by it.
CREATE TABLE directory_state (
  id BIGINT PRIMARY KEY CHECK (id = 1),
  version BIGINT NOT NULL,
  last_account_id BIGINT NOT NULL
);
INSERT INTO directory_state (id, version, last_account_id) VALUES (1, 0, 0);

CREATE TABLE directory_domain (
  name TEXT COLLATE "C" PRIMARY KEY,
  created_at_ms BIGINT NOT NULL
);

CREATE TABLE directory_account (
  id BIGINT PRIMARY KEY,
  address TEXT COLLATE "C" NOT NULL UNIQUE,
  domain TEXT COLLATE "C" NOT NULL,
  display_name TEXT COLLATE "C" NOT NULL,
  disabled BIGINT NOT NULL,
  quota_octets BIGINT,
  password_hash TEXT COLLATE "C",
  created_at_ms BIGINT NOT NULL
);
CREATE INDEX directory_account_domain ON directory_account (domain);

-- scopes: names with a space between them. secret_hash: SHA-256, hexadecimal.
CREATE TABLE directory_app_password (
  account_id BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  scopes TEXT COLLATE "C" NOT NULL,
  secret_hash TEXT COLLATE "C" NOT NULL,
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, name)
);

CREATE TABLE directory_alias (
  address TEXT COLLATE "C" PRIMARY KEY,
  domain TEXT COLLATE "C" NOT NULL,
  created_at_ms BIGINT NOT NULL
);
CREATE INDEX directory_alias_domain ON directory_alias (domain);

CREATE TABLE directory_alias_target (
  address TEXT COLLATE "C" NOT NULL,
  position BIGINT NOT NULL,
  target TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (address, position)
);
`;

const LISTS_AND_SECRETS = `
-- Set: a list, and where its bounces go. verp: each copy's reverse-path is tagged with its recipient.
ALTER TABLE directory_alias ADD COLUMN owner TEXT COLLATE "C";
ALTER TABLE directory_alias ADD COLUMN verp BIGINT NOT NULL DEFAULT 0;

-- What tagged addresses are made and proved with; the highest position of a purpose is the newest.
CREATE TABLE directory_secret (
  purpose TEXT COLLATE "C" NOT NULL,
  position BIGINT NOT NULL,
  secret TEXT COLLATE "C" NOT NULL,
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (purpose, position)
);
`;

const SENDING = `
-- What an account may send, where it is not what all may: JSON, see sending.ts.
CREATE TABLE directory_sending (
  account_id BIGINT PRIMARY KEY,
  state TEXT COLLATE "C" NOT NULL
);

-- address: a key, in whose name the account may write.
CREATE TABLE directory_send_grant (
  account_id BIGINT NOT NULL,
  address TEXT COLLATE "C" NOT NULL,
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, address)
);
`;

const SCRAM_AND_CERTIFICATES = `
-- scram_keys: as scram-key.ts writes them; NULL for a password that was set before there were any.
ALTER TABLE directory_account ADD COLUMN scram_keys TEXT COLLATE "C";
ALTER TABLE directory_app_password ADD COLUMN scram_keys TEXT COLLATE "C";

-- fingerprint: SHA-256, hexadecimal. One certificate is one account's.
CREATE TABLE directory_certificate (
  fingerprint TEXT COLLATE "C" PRIMARY KEY,
  account_id BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL
);
CREATE INDEX directory_certificate_account ON directory_certificate (account_id);

-- network: an IPv4 address or an IPv6 /64 that the account signed in from.
CREATE TABLE directory_home_network (
  account_id BIGINT NOT NULL,
  network TEXT COLLATE "C" NOT NULL,
  seen_at_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, network)
);
`;

const SHARING = `
-- See the embedded directory.
CREATE TABLE directory_share (
  owner_id BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  negative BIGINT NOT NULL,
  is_group BIGINT NOT NULL,
  rights TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (owner_id, mailbox_id, name, negative)
);
CREATE INDEX directory_share_by_name ON directory_share (name);
CREATE INDEX directory_share_of_group ON directory_share (is_group);
`;

const SHARES = `SELECT s.owner_id, a.address, s.mailbox_id, s.name, s.negative, s.rights
  FROM directory_share s JOIN directory_account a ON a.id = s.owner_id`;

export const DIRECTORY: TableKind = {
  name: 'directory',
  migrations: [FIRST, LISTS_AND_SECRETS, SENDING, SCRAM_AND_CERTIFICATES, SHARING],
};

/** A row for each app password, or one with none. */
const CREDENTIAL = `SELECT a.id, a.address, a.disabled, a.password_hash, a.scram_keys,
    (SELECT string_agg(n.network || ' ' || n.seen_at_ms, ',') FROM directory_home_network n
      WHERE n.account_id = a.id),
    p.name, p.scopes, p.secret_hash, p.created_at_ms, p.scram_keys
  FROM directory_account a LEFT JOIN directory_app_password p ON p.account_id = a.id`;

const ALIAS_COLUMNS = 'address, created_at_ms, owner, verp';
const ACCOUNT_COLUMNS = 'id, address, display_name, disabled, quota_octets, created_at_ms';

export const DIRECTORY_SQL = {
  version: 'SELECT version FROM directory_state WHERE id = 1',
  /** Held until the commit. */
  lock: 'SELECT version FROM directory_state WHERE id = 1 FOR UPDATE',
  written: 'UPDATE directory_state SET version = version + 1 WHERE id = 1',
  nextAccountId:
    'UPDATE directory_state SET last_account_id = last_account_id + 1 WHERE id = 1 RETURNING last_account_id',

  /**
   * What is stored under each of these keys ($1), catch-alls ($2) among them: kind, key, then of a target its text, of a
   * list its owner and whether it tags, of an account its id, whether it is disabled, and its quota.
   */
  rows: `
    SELECT 'domain', name, NULL::text, NULL::bigint, 0::bigint, NULL::bigint, 0::bigint AS position
      FROM directory_domain WHERE name = ANY($1::text[])
    UNION ALL
    SELECT 'account', address, NULL, id, disabled, quota_octets, 0 FROM directory_account
      WHERE address = ANY($1::text[])
    UNION ALL
    SELECT 'list', address, owner, NULL, verp, NULL, 0 FROM directory_alias
      WHERE address = ANY($1::text[]) AND owner IS NOT NULL
    UNION ALL
    SELECT 'target', address, target, NULL, 0, NULL, position FROM directory_alias_target
      WHERE address = ANY($1::text[]) OR address = ANY($2::text[])
    ORDER BY position`,

  domains: 'SELECT name, created_at_ms FROM directory_domain ORDER BY name',
  addDomain: 'INSERT INTO directory_domain (name, created_at_ms) VALUES ($1, $2)',
  removeDomain: 'DELETE FROM directory_domain WHERE name = $1',
  domainInUse: `SELECT 1 WHERE EXISTS (SELECT 1 FROM directory_account WHERE domain = $1)
    OR EXISTS (SELECT 1 FROM directory_alias WHERE domain = $1)`,

  accounts: `SELECT ${ACCOUNT_COLUMNS} FROM directory_account WHERE address > $1 ORDER BY address LIMIT $2::bigint`,
  account: `SELECT ${ACCOUNT_COLUMNS} FROM directory_account WHERE id = $1`,
  accountByAddress: `SELECT ${ACCOUNT_COLUMNS} FROM directory_account WHERE address = $1`,
  addAccount: `INSERT INTO directory_account
    (id, address, domain, display_name, disabled, quota_octets, password_hash, scram_keys, created_at_ms)
    VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8) RETURNING ${ACCOUNT_COLUMNS}`,
  setAccount: `UPDATE directory_account SET display_name = $1, disabled = $2, quota_octets = $3,
    password_hash = coalesce($4, password_hash),
    scram_keys = CASE WHEN $4::text IS NULL THEN scram_keys ELSE $5 END WHERE id = $6 RETURNING ${ACCOUNT_COLUMNS}`,
  removeAccount: 'DELETE FROM directory_account WHERE id = $1',
  replaceSecrets: `UPDATE directory_account SET password_hash = $1, scram_keys = $2
    WHERE id = $3 AND password_hash = $4`,
  keepNetwork: `INSERT INTO directory_home_network (account_id, network, seen_at_ms) VALUES ($1, $2, $3)
    ON CONFLICT (account_id, network) DO UPDATE SET seen_at_ms = excluded.seen_at_ms`,
  forgetNetworks: `DELETE FROM directory_home_network WHERE account_id = $1 AND network NOT IN (
    SELECT network FROM directory_home_network WHERE account_id = $1 ORDER BY seen_at_ms DESC LIMIT $2::bigint)`,
  removeNetworks: 'DELETE FROM directory_home_network WHERE account_id = $1',
  keepAppPasswordKeys: `UPDATE directory_app_password SET scram_keys = $1
    WHERE account_id = $2 AND secret_hash = $3`,
  credential: `${CREDENTIAL} WHERE a.address = $1 ORDER BY p.created_at_ms, p.name`,
  credentialByCertificate: `${CREDENTIAL}
    WHERE a.id = (SELECT account_id FROM directory_certificate WHERE fingerprint = $1)
    ORDER BY p.created_at_ms, p.name`,
  withoutScram: `SELECT ${ACCOUNT_COLUMNS} FROM directory_account a
    WHERE address > $1 AND disabled = 0 AND (
      (password_hash IS NOT NULL AND scram_keys IS NULL) OR EXISTS (
        SELECT 1 FROM directory_app_password p WHERE p.account_id = a.id AND p.scram_keys IS NULL))
    ORDER BY address LIMIT $2::bigint`,
  /** Numbers, as everything that is true or not here. */
  signInMeans: `SELECT (password_hash IS NOT NULL)::int::bigint, (scram_keys IS NOT NULL)::int::bigint
    FROM directory_account WHERE id = $1`,
  certificates: `SELECT fingerprint, created_at_ms FROM directory_certificate
    WHERE account_id = $1 ORDER BY created_at_ms, fingerprint`,
  certificate: 'SELECT 1 FROM directory_certificate WHERE fingerprint = $1',
  addCertificate: `INSERT INTO directory_certificate (fingerprint, account_id, created_at_ms)
    VALUES ($1, $2, $3)`,
  removeCertificate: 'DELETE FROM directory_certificate WHERE account_id = $1 AND fingerprint = $2',
  removeCertificates: 'DELETE FROM directory_certificate WHERE account_id = $1',

  appPasswords: `SELECT name, scopes, secret_hash, created_at_ms, scram_keys FROM directory_app_password
    WHERE account_id = $1 ORDER BY created_at_ms, name`,
  addAppPassword: `INSERT INTO directory_app_password
    (account_id, name, scopes, secret_hash, scram_keys, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6)`,
  removeAppPassword: 'DELETE FROM directory_app_password WHERE account_id = $1 AND name = $2',
  removeAppPasswords: 'DELETE FROM directory_app_password WHERE account_id = $1',

  sending: 'SELECT state FROM directory_sending WHERE account_id = $1',
  setSending: `INSERT INTO directory_sending (account_id, state) VALUES ($1, $2)
    ON CONFLICT (account_id) DO UPDATE SET state = excluded.state`,
  removeSending: 'DELETE FROM directory_sending WHERE account_id = $1',
  grants: 'SELECT address FROM directory_send_grant WHERE account_id = $1 ORDER BY address',
  addGrant: 'INSERT INTO directory_send_grant (account_id, address, created_at_ms) VALUES ($1, $2, $3)',
  removeGrant: 'DELETE FROM directory_send_grant WHERE account_id = $1 AND address = $2',
  /** Whoever has the address next did not grant it. */
  removeGrantsOf: 'DELETE FROM directory_send_grant WHERE address = $1',
  removeGrantsOfAccount: `DELETE FROM directory_send_grant
    WHERE address = (SELECT address FROM directory_account WHERE id = $1)`,
  removeGrants: 'DELETE FROM directory_send_grant WHERE account_id = $1',

  shares: `${SHARES} WHERE s.owner_id = $1`,
  sharedGroups: 'SELECT DISTINCT name FROM directory_share WHERE is_group = 1',
  sharedWith: `${SHARES} WHERE s.name = ANY($1::text[]) AND s.owner_id <> $2`,
  countShares: 'SELECT count(*) FROM directory_share WHERE owner_id = $1',
  removeShare:
    'DELETE FROM directory_share WHERE owner_id = $1 AND mailbox_id = $2 AND name = $3 AND negative = $4',
  addShare: `INSERT INTO directory_share (owner_id, mailbox_id, name, negative, is_group, rights)
    VALUES ($1, $2, $3, $4, $5, $6)`,
  removeShares: 'DELETE FROM directory_share WHERE owner_id = $1 AND mailbox_id = $2',
  removeSharesOf: `DELETE FROM directory_share WHERE owner_id = $1
    OR name = (SELECT address FROM directory_account WHERE id = $1)`,
  removeSharesWith: 'DELETE FROM directory_share WHERE name = $1',

  aliases: `SELECT ${ALIAS_COLUMNS} FROM directory_alias WHERE address > $1 ORDER BY address LIMIT $2::bigint`,
  alias: `SELECT ${ALIAS_COLUMNS} FROM directory_alias WHERE address = $1`,
  targets: `SELECT address, target FROM directory_alias_target WHERE address = ANY($1::text[])
    ORDER BY address, position`,
  setAlias: `INSERT INTO directory_alias (address, domain, created_at_ms, owner, verp) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (address) DO UPDATE SET owner = excluded.owner, verp = excluded.verp`,
  removeAlias: 'DELETE FROM directory_alias WHERE address = $1',
  addTargets: `INSERT INTO directory_alias_target (address, position, target)
    SELECT $1, t.position - 1, t.target FROM unnest($2::text[]) WITH ORDINALITY AS t (target, position)`,
  removeTargets: 'DELETE FROM directory_alias_target WHERE address = $1',

  secrets: 'SELECT secret, created_at_ms FROM directory_secret WHERE purpose = $1 ORDER BY position DESC',
  addSecret: `INSERT INTO directory_secret (purpose, position, secret, created_at_ms)
    SELECT $1::text, coalesce(max(position), 0) + 1, $2::text, $3::bigint FROM directory_secret WHERE purpose = $1::text`,
  removeSecrets: `DELETE FROM directory_secret WHERE purpose = $1
    AND position <= (SELECT max(position) FROM directory_secret WHERE purpose = $1) - $2::bigint`,
};
