/**
 * `directory.sqlite`: domains, accounts, aliases, app passwords and certificates. Small, and read far more often than written.
 *
 * `address` and `domain.name` are keys as `address-key.ts` makes them. No two of account and alias have one address: the
 * writer sees to it, since both live in one transaction at a time.
 */
import { applicationId } from '../../sqlite/migrate.ts';
import type { FileKind } from '../../sqlite/migrate.ts';

export const DIRECTORY_FILE: FileKind = {
  name: 'directory',
  applicationId: applicationId('PRdi'),
  migrations: [
    `
    CREATE TABLE domain (
      name TEXT NOT NULL PRIMARY KEY,
      created_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- AUTOINCREMENT: an account's number is never given again, since its mail is found by it.
    CREATE TABLE account (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      address TEXT NOT NULL UNIQUE,
      domain TEXT NOT NULL,
      display_name TEXT NOT NULL,
      disabled INTEGER NOT NULL,
      quota_octets INTEGER,
      password_hash TEXT,
      created_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX account_by_domain ON account (domain);

    -- scopes: names with a space between them. secret_hash: SHA-256, hexadecimal.
    CREATE TABLE app_password (
      account_id INTEGER NOT NULL,
      name TEXT NOT NULL,
      scopes TEXT NOT NULL,
      secret_hash TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      PRIMARY KEY (account_id, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE alias (
      address TEXT NOT NULL PRIMARY KEY,
      domain TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX alias_by_domain ON alias (domain);

    CREATE TABLE alias_target (
      address TEXT NOT NULL,
      position INTEGER NOT NULL,
      target TEXT NOT NULL,
      PRIMARY KEY (address, position)
    ) STRICT, WITHOUT ROWID;
    `,
    `
    -- Set: a list, and where its bounces go. verp: each copy's reverse-path is tagged with its recipient.
    ALTER TABLE alias ADD COLUMN owner TEXT;
    ALTER TABLE alias ADD COLUMN verp INTEGER NOT NULL DEFAULT 0;

    -- What tagged addresses are made and proved with; the highest position of a purpose is the newest.
    CREATE TABLE secret (
      purpose TEXT NOT NULL,
      position INTEGER NOT NULL,
      secret TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      PRIMARY KEY (purpose, position)
    ) STRICT, WITHOUT ROWID;
    `,
    `
    -- What an account may send, where it is not what all may: JSON, see sending.ts.
    CREATE TABLE sending (
      account_id INTEGER PRIMARY KEY,
      state TEXT NOT NULL
    ) STRICT;

    -- address: a key, in whose name the account may write.
    CREATE TABLE send_grant (
      account_id INTEGER NOT NULL,
      address TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      PRIMARY KEY (account_id, address)
    ) STRICT, WITHOUT ROWID;
    `,
    `
    -- scram_keys: as scram-key.ts writes them; NULL for a password that was set before there were any.
    ALTER TABLE account ADD COLUMN scram_keys TEXT;
    ALTER TABLE app_password ADD COLUMN scram_keys TEXT;

    -- fingerprint: SHA-256, hexadecimal. One certificate is one account's.
    CREATE TABLE certificate (
      fingerprint TEXT NOT NULL PRIMARY KEY,
      account_id INTEGER NOT NULL,
      created_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX certificate_by_account ON certificate (account_id);

    -- network: an IPv4 address or an IPv6 /64 that the account signed in from.
    CREATE TABLE home_network (
      account_id INTEGER NOT NULL,
      network TEXT NOT NULL,
      seen_at_ms INTEGER NOT NULL,
      PRIMARY KEY (account_id, network)
    ) STRICT, WITHOUT ROWID;
    `,
    `
    -- What an owner lets others do. mailbox_id 0: all mail. name: a key, or 'anyone'; is_group: an alias has it.
    CREATE TABLE share (
      owner_id INTEGER NOT NULL,
      mailbox_id INTEGER NOT NULL,
      name TEXT NOT NULL,
      negative INTEGER NOT NULL,
      is_group INTEGER NOT NULL,
      rights TEXT NOT NULL,
      PRIMARY KEY (owner_id, mailbox_id, name, negative)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX share_by_name ON share (name);
    CREATE INDEX share_of_group ON share (is_group);
    `,
  ],
};
