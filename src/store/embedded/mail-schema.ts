/**
 * The tables of a mail shard and all statements over them. What each table is for, and why, is in docs/store.md.
 *
 * The statements are in the SQL that SQLite and PostgreSQL share: `account_id` leads every key and WHERE, pages go by
 * key, nothing depends on rowids. Only the definitions below are SQLite's own.
 */
import { applicationId } from '../../sqlite/migrate.ts';
import type { FileKind } from '../../sqlite/migrate.ts';
import type { SortPart } from '../mail-store.ts';

const FIRST = `
CREATE TABLE account (
  account_id INTEGER PRIMARY KEY,
  modseq INTEGER NOT NULL,
  last_uid_validity INTEGER NOT NULL,
  octets_used INTEGER NOT NULL,
  messages_used INTEGER NOT NULL,
  octets_max INTEGER
) STRICT;

CREATE TABLE mailbox (
  account_id INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  parent_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  role TEXT,
  uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  total INTEGER NOT NULL,
  unseen INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  octets INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, mailbox_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mailbox_name ON mailbox (account_id, parent_id, name);

CREATE TABLE removed_mailbox (
  account_id INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, modseq, mailbox_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription (
  account_id INTEGER NOT NULL,
  path TEXT NOT NULL,
  PRIMARY KEY (account_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE keyword (
  account_id INTEGER NOT NULL,
  keyword_key TEXT NOT NULL,
  spelling TEXT NOT NULL,
  PRIMARY KEY (account_id, keyword_key)
) STRICT, WITHOUT ROWID;

-- With rowids: rows are appended in order of arrival, and only the narrow keys are spread by account.
CREATE TABLE message (
  account_id INTEGER NOT NULL,
  email_id INTEGER NOT NULL,
  thread_id INTEGER NOT NULL,
  received_at_ms INTEGER NOT NULL,
  octets INTEGER NOT NULL,
  blob_id BLOB NOT NULL,
  blob_octets INTEGER NOT NULL,
  blob_place INTEGER NOT NULL,
  prefix BLOB NOT NULL,
  PRIMARY KEY (account_id, email_id)
) STRICT;
CREATE INDEX message_blob_place ON message (blob_place);

CREATE TABLE digest (
  account_id INTEGER NOT NULL,
  email_id INTEGER NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (account_id, email_id)
) STRICT;

CREATE TABLE place (
  account_id INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  email_id INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  keywords TEXT NOT NULL,
  modseq INTEGER NOT NULL,
  octets INTEGER NOT NULL,
  saved_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX place_change ON place (account_id, modseq, mailbox_id, uid);
CREATE INDEX place_email ON place (account_id, email_id, mailbox_id);

CREATE TABLE vanished (
  account_id INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  email_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, modseq, mailbox_id, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE thread_key (
  account_id INTEGER NOT NULL,
  thread_key INTEGER NOT NULL,
  thread_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, thread_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
  account_id INTEGER NOT NULL,
  queue_id TEXT NOT NULL,
  recipient INTEGER NOT NULL,
  uid_validity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  delivered_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, queue_id, recipient)
) STRICT, WITHOUT ROWID;

-- What the planner may assume, said once: rows, then rows for each value of the first column, of the first two, and so on.
-- Without it a whole account may be searched where a longer key is at hand. Nothing ever counts for real.
ANALYZE;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('mailbox', 'mailbox', '100000 10 1'),
  ('mailbox', 'mailbox_name', '100000 10 5 1'),
  ('removed_mailbox', 'removed_mailbox', '10000 10 1 1'),
  ('subscription', 'subscription', '100000 10 1'),
  ('keyword', 'keyword', '100000 10 1'),
  ('message', 'sqlite_autoindex_message_1', '10000000 10000 1'),
  ('message', 'message_blob_place', '10000000 1'),
  ('digest', 'sqlite_autoindex_digest_1', '10000000 10000 1'),
  ('place', 'place', '10000000 10000 2000 1'),
  ('place', 'place_change', '10000000 10000 1 1 1'),
  ('place', 'place_email', '10000000 10000 1 1'),
  ('vanished', 'vanished', '10000000 10000 10 2 1'),
  ('thread_key', 'thread_key', '10000000 10000 1'),
  ('delivery', 'delivery', '10000000 1000 1 1');
-- Reads them in, for the connection that has just written them.
ANALYZE sqlite_schema;
`;

/** Annotations of mailboxes and, with mailbox 0, of accounts. Reader 0: shared. Without a value: removed, and not yet forgotten. */
const METADATA = `
CREATE TABLE metadata (
  account_id INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  reader_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  value BLOB,
  modseq INTEGER NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, reader_id, name)
) STRICT;
CREATE INDEX metadata_change ON metadata (account_id, modseq);
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('metadata', 'sqlite_autoindex_metadata_1', '100000 20 4 2 1'),
  ('metadata', 'metadata_change', '100000 20 1');
ANALYZE sqlite_schema;
`;

/** What SORT and THREAD read; null in rows of earlier versions, whose digests are read instead. */
const SORTING = `
ALTER TABLE message ADD COLUMN sent_at_ms INTEGER;
ALTER TABLE message ADD COLUMN sort_subject TEXT;
ALTER TABLE message ADD COLUMN sort_addresses TEXT;
ALTER TABLE message ADD COLUMN sort_thread TEXT;
`;

/** Secrets that authorize an account's URLs of mailboxes, its own and others'. */
const URL_KEYS = `
CREATE TABLE url_key (
  account_id INTEGER NOT NULL,
  owner_id INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  url_key BLOB NOT NULL,
  PRIMARY KEY (account_id, owner_id, mailbox_id)
) STRICT, WITHOUT ROWID;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('url_key', 'url_key', '1000 5 2 1');
ANALYZE sqlite_schema;
`;

export const kind: FileKind = {
  name: 'mail shard',
  applicationId: applicationId('PRml'),
  migrations: [FIRST, METADATA, SORTING, URL_KEYS],
};

/** Tables with rows of accounts, those that others refer to last. */
export const ACCOUNT_TABLES = [
  'place',
  'digest',
  'message',
  'vanished',
  'thread_key',
  'delivery',
  'keyword',
  'subscription',
  'metadata',
  'url_key',
  'removed_mailbox',
  'mailbox',
  'account',
] as const;

/** By what the rows of an account are removed piece by piece. */
export const REMOVAL_KEYS: Record<(typeof ACCOUNT_TABLES)[number], string> = {
  place: 'modseq',
  digest: 'email_id',
  message: 'email_id',
  vanished: 'modseq',
  thread_key: 'thread_key',
  delivery: 'queue_id',
  keyword: 'keyword_key',
  subscription: 'path',
  metadata: 'modseq',
  url_key: 'mailbox_id',
  removed_mailbox: 'modseq',
  mailbox: 'mailbox_id',
  account: 'account_id',
};

const MAILBOX_COLUMNS =
  'mailbox_id, parent_id, name, role, uid_validity, uid_next, modseq, total, unseen, deleted, octets, created_at_ms';
const ENTRY_COLUMNS = 'uid, email_id, flags, keywords, modseq';
const LISTED_COLUMNS =
  'p.uid, p.email_id, p.flags, p.keywords, p.modseq, p.saved_at_ms, m.thread_id, m.received_at_ms, m.octets';
const PLACED_COLUMNS = `${LISTED_COLUMNS}, m.blob_id, m.blob_octets, m.blob_place, m.prefix`;
const PLACED_JOIN = 'FROM place p JOIN message m ON m.account_id = p.account_id AND m.email_id = p.email_id';
const DIGEST_JOIN = 'JOIN digest d ON d.account_id = p.account_id AND d.email_id = p.email_id';
const PLACED_RANGE = 'WHERE p.account_id = ? AND p.mailbox_id = ? AND p.uid BETWEEN ? AND ? ORDER BY p.uid';

const SORT_COLUMNS = 'sent_at_ms, sort_subject, sort_addresses, sort_thread';
const SORTABLE_COLUMNS = 'p.uid, m.received_at_ms, m.octets, m.sent_at_ms, m.sort_subject';

export const SQL = {
  account:
    'SELECT modseq, last_uid_validity, octets_used, messages_used, octets_max FROM account WHERE account_id = ?',
  addAccount: `INSERT INTO account (account_id, modseq, last_uid_validity, octets_used, messages_used, octets_max)
     VALUES (?, 0, 0, 0, 0, NULL)`,
  saveAccount:
    'UPDATE account SET modseq = ?, last_uid_validity = ?, octets_used = ?, messages_used = ? WHERE account_id = ?',
  setQuota: 'UPDATE account SET octets_max = ? WHERE account_id = ?',
  accountsAfter: 'SELECT account_id FROM account WHERE account_id > ? ORDER BY account_id LIMIT ?',

  mailboxes: `SELECT ${MAILBOX_COLUMNS} FROM mailbox WHERE account_id = ? ORDER BY mailbox_id`,
  mailbox: `SELECT ${MAILBOX_COLUMNS} FROM mailbox WHERE account_id = ? AND mailbox_id = ?`,
  mailboxUids: 'SELECT uid_validity, uid_next FROM mailbox WHERE account_id = ? AND mailbox_id = ?',
  addMailbox: `INSERT INTO mailbox (account_id, ${MAILBOX_COLUMNS})
     VALUES (?, ?, ?, ?, ?, ?, 1, ?, 0, 0, 0, 0, ?)`,
  renameMailbox:
    'UPDATE mailbox SET parent_id = ?, name = ?, modseq = ? WHERE account_id = ? AND mailbox_id = ?',
  removeMailbox: 'DELETE FROM mailbox WHERE account_id = ? AND mailbox_id = ?',
  addRemovedMailbox: 'INSERT INTO removed_mailbox (account_id, modseq, mailbox_id) VALUES (?, ?, ?)',
  /** Counters and UIDs move by what the operation did. */
  countMailbox: `UPDATE mailbox SET total = total + ?, unseen = unseen + ?, deleted = deleted + ?, octets = octets + ?,
     uid_next = uid_next + ?, modseq = ? WHERE account_id = ? AND mailbox_id = ?`,
  changedMailboxes: 'SELECT mailbox_id, modseq FROM mailbox WHERE account_id = ? AND modseq > ?',
  removedMailboxes:
    'SELECT mailbox_id, modseq FROM removed_mailbox WHERE account_id = ? AND modseq > ? ORDER BY modseq LIMIT ?',

  subscriptions: 'SELECT path FROM subscription WHERE account_id = ?',
  countSubscriptions: 'SELECT count(*) FROM subscription WHERE account_id = ?',
  subscribe: 'INSERT INTO subscription (account_id, path) VALUES (?, ?) ON CONFLICT DO NOTHING',
  unsubscribe: 'DELETE FROM subscription WHERE account_id = ? AND path = ?',

  metadata: `SELECT mailbox_id, name, value FROM metadata WHERE account_id = ? AND mailbox_id = ? AND reader_id IN (0, ?)
     AND value IS NOT NULL ORDER BY name`,
  mailboxMetadata: `SELECT mailbox_id, name, value FROM metadata WHERE account_id = ? AND mailbox_id > 0 AND reader_id IN (0, ?)
     AND value IS NOT NULL ORDER BY mailbox_id, name`,
  metadataSizes: `SELECT name, length(value) FROM metadata WHERE account_id = ? AND mailbox_id = ? AND reader_id IN (0, ?)
     AND value IS NOT NULL`,
  metadataOctets:
    'SELECT coalesce(sum(length(value)), 0) FROM metadata WHERE account_id = ? AND reader_id IN (0, ?)',
  setMetadata: `INSERT INTO metadata (account_id, mailbox_id, reader_id, name, value, modseq) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (account_id, mailbox_id, reader_id, name) DO UPDATE SET value = excluded.value, modseq = excluded.modseq`,
  metadataNews: `SELECT mailbox_id, name, modseq FROM metadata WHERE account_id = ? AND modseq > ? AND modseq <= ?
     AND reader_id IN (0, ?) ORDER BY mailbox_id, name`,
  forgetMetadata: 'DELETE FROM metadata WHERE account_id = ? AND modseq < ? AND value IS NULL',
  removeMailboxMetadata: 'DELETE FROM metadata WHERE account_id = ? AND mailbox_id = ?',

  urlKey: 'SELECT url_key FROM url_key WHERE account_id = ? AND owner_id = ? AND mailbox_id = ?',
  setUrlKey: `INSERT INTO url_key (account_id, owner_id, mailbox_id, url_key) VALUES (?, ?, ?, ?)
     ON CONFLICT (account_id, owner_id, mailbox_id) DO UPDATE SET url_key = excluded.url_key`,
  countUrlKeys: 'SELECT count(*) FROM url_key WHERE account_id = ?',
  removeUrlKeys: 'DELETE FROM url_key WHERE account_id = ?',
  removeUrlKey: 'DELETE FROM url_key WHERE account_id = ? AND owner_id = ? AND mailbox_id = ?',

  keywords: 'SELECT keyword_key, spelling FROM keyword WHERE account_id = ?',
  addKeyword: 'INSERT INTO keyword (account_id, keyword_key, spelling) VALUES (?, ?, ?)',

  delivery:
    'SELECT uid_validity, uid, modseq FROM delivery WHERE account_id = ? AND queue_id = ? AND recipient = ?',
  addDelivery: `INSERT INTO delivery (account_id, queue_id, recipient, uid_validity, uid, modseq, delivered_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  pruneDeliveries: 'DELETE FROM delivery WHERE account_id = ? AND delivered_at_ms < ?',

  thread: 'SELECT thread_id FROM thread_key WHERE account_id = ? AND thread_key = ?',
  addThreadKey:
    'INSERT INTO thread_key (account_id, thread_key, thread_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',

  addMessage: `INSERT INTO message (account_id, email_id, thread_id, received_at_ms, octets, blob_id, blob_octets, blob_place,
     prefix, ${SORT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  copyMessage: `INSERT INTO message (account_id, email_id, thread_id, received_at_ms, octets, blob_id, blob_octets, blob_place,
     prefix, ${SORT_COLUMNS}) SELECT account_id, ?, thread_id, received_at_ms, octets, blob_id, blob_octets, blob_place, prefix,
     ${SORT_COLUMNS}
     FROM message WHERE account_id = ? AND email_id = ?`,
  removeMessage: 'DELETE FROM message WHERE account_id = ? AND email_id = ?',
  hasMessage: 'SELECT 1 FROM message WHERE account_id = ? AND email_id = ?',
  addDigest: 'INSERT INTO digest (account_id, email_id, digest) VALUES (?, ?, ?)',
  copyDigest: `INSERT INTO digest (account_id, email_id, digest) SELECT account_id, ?, digest FROM digest
     WHERE account_id = ? AND email_id = ?`,
  removeDigest: 'DELETE FROM digest WHERE account_id = ? AND email_id = ?',

  addPlace: `INSERT INTO place (account_id, mailbox_id, uid, email_id, flags, keywords, modseq, octets, saved_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  removePlace: 'DELETE FROM place WHERE account_id = ? AND mailbox_id = ? AND uid = ?',
  setFlags:
    'UPDATE place SET flags = ?, keywords = ?, modseq = ? WHERE account_id = ? AND mailbox_id = ? AND uid = ?',
  placesOfEmail: 'SELECT mailbox_id, uid, flags FROM place WHERE account_id = ? AND email_id = ?',
  isEmailPlaced: 'SELECT 1 FROM place WHERE account_id = ? AND email_id = ? LIMIT 1',
  isEmailIn: 'SELECT 1 FROM place WHERE account_id = ? AND email_id = ? AND mailbox_id = ?',
  places: `SELECT ${ENTRY_COLUMNS}, octets FROM place WHERE account_id = ? AND mailbox_id = ?
     AND uid BETWEEN ? AND ? ORDER BY uid`,
  entries: `SELECT ${ENTRY_COLUMNS} FROM place WHERE account_id = ? AND mailbox_id = ? AND uid > ? ORDER BY uid LIMIT ?`,
  /** Pages by (modseq, uid): after the one, up to the other. The plus keeps SQLite to the index by modseq. */
  changedEntries: `SELECT ${ENTRY_COLUMNS} FROM place WHERE account_id = ? AND modseq >= ? AND modseq <= ? AND +mailbox_id = ?
     AND (modseq > ? OR uid > ?) ORDER BY modseq, uid LIMIT ?`,
  vanishedUids: `SELECT modseq, uid FROM vanished WHERE account_id = ? AND modseq >= ? AND modseq <= ? AND mailbox_id = ?
     AND (modseq > ? OR uid > ?) ORDER BY modseq, uid LIMIT ?`,
  addVanished: 'INSERT INTO vanished (account_id, modseq, mailbox_id, uid, email_id) VALUES (?, ?, ?, ?, ?)',
  placed: `SELECT ${PLACED_COLUMNS} ${PLACED_JOIN} ${PLACED_RANGE}`,
  listed: `SELECT ${LISTED_COLUMNS}, d.digest ${PLACED_JOIN} ${DIGEST_JOIN} ${PLACED_RANGE}`,
  messages: `SELECT ${PLACED_COLUMNS}, d.digest ${PLACED_JOIN} ${DIGEST_JOIN} ${PLACED_RANGE}`,

  createdEmails:
    'SELECT email_id, email_id FROM message WHERE account_id = ? AND email_id > ? ORDER BY email_id LIMIT ?',
  changedEmails:
    'SELECT email_id, modseq FROM place WHERE account_id = ? AND modseq > ? ORDER BY modseq LIMIT ?',
  vanishedEmails:
    'SELECT email_id, modseq FROM vanished WHERE account_id = ? AND modseq > ? ORDER BY modseq LIMIT ?',
  changedEmailsAt: 'SELECT email_id, modseq FROM place WHERE account_id = ? AND modseq = ?',
  vanishedEmailsAt: 'SELECT email_id, modseq FROM vanished WHERE account_id = ? AND modseq = ?',

  // For the compaction: of the whole shard, whoever's the message is.
  blobPlaces:
    'SELECT DISTINCT blob_place FROM message WHERE blob_place >= ? AND blob_place < ? ORDER BY blob_place LIMIT ?',
  relocate: 'UPDATE message SET blob_place = ? WHERE blob_place = ?',
};

/** By the part that is read with the rest. */
export const SORTABLES_SQL: Readonly<Record<SortPart | 'none', string>> = {
  none: `SELECT ${SORTABLE_COLUMNS} ${PLACED_JOIN} ${PLACED_RANGE}`,
  addresses: `SELECT ${SORTABLE_COLUMNS}, m.sort_addresses ${PLACED_JOIN} ${PLACED_RANGE}`,
  thread: `SELECT ${SORTABLE_COLUMNS}, m.sort_thread ${PLACED_JOIN} ${PLACED_RANGE}`,
};

const SEEN_MISSING = 'CASE WHEN (flags & 1) = 0 THEN 1 ELSE 0 END';
const DELETED_SET = 'CASE WHEN (flags & 16) <> 0 THEN 1 ELSE 0 END';

/** For checking and mending: each goes through all rows of one account. */
export const CHECK_SQL = {
  integrity: 'PRAGMA integrity_check(100)',
  /** Whose rows there are, whether or not the account has its own. */
  owners: `SELECT account_id FROM account UNION SELECT account_id FROM mailbox UNION SELECT account_id FROM place
     UNION SELECT account_id FROM message ORDER BY account_id`,
  hasRows: `SELECT account_id FROM mailbox WHERE account_id = ?1 UNION SELECT account_id FROM place WHERE account_id = ?1
     UNION SELECT account_id FROM message WHERE account_id = ?1 LIMIT 1`,
  uidValidityMax: 'SELECT coalesce(max(uid_validity), 0) FROM mailbox WHERE account_id = ?',
  placesCounted: `SELECT mailbox_id, count(*), sum(${SEEN_MISSING}), sum(${DELETED_SET}), sum(octets), max(uid), max(modseq)
     FROM place WHERE account_id = ? GROUP BY mailbox_id`,
  vanishedCounted:
    'SELECT mailbox_id, max(uid), max(modseq) FROM vanished WHERE account_id = ? GROUP BY mailbox_id',
  messagesCounted:
    'SELECT count(*), coalesce(sum(octets), 0), coalesce(max(email_id), 0) FROM message WHERE account_id = ?',
  placesWithoutMessage: `SELECT p.mailbox_id, p.uid, p.email_id FROM place p LEFT JOIN message m ON m.account_id = p.account_id
     AND m.email_id = p.email_id WHERE p.account_id = ? AND m.email_id IS NULL`,
  messagesWithoutPlace: `SELECT m.email_id, m.octets FROM message m WHERE m.account_id = ?
     AND NOT EXISTS (SELECT 1 FROM place p WHERE p.account_id = m.account_id AND p.email_id = m.email_id)`,
  messagesWithoutDigest: `SELECT m.email_id FROM message m WHERE m.account_id = ?
     AND NOT EXISTS (SELECT 1 FROM digest d WHERE d.account_id = m.account_id AND d.email_id = m.email_id)`,
  digestsWithoutMessage: `SELECT d.email_id FROM digest d WHERE d.account_id = ?
     AND NOT EXISTS (SELECT 1 FROM message m WHERE m.account_id = d.account_id AND m.email_id = d.email_id)`,
  wrongSizes: `SELECT p.mailbox_id, p.uid, m.octets FROM place p JOIN message m ON m.account_id = p.account_id
     AND m.email_id = p.email_id WHERE p.account_id = ? AND p.octets <> m.octets`,
  flagsDiffer: `SELECT email_id FROM place WHERE account_id = ? GROUP BY email_id HAVING count(*) > 1 AND
     (min(flags & 15) <> max(flags & 15) OR min(keywords) <> max(keywords))`,
  digests:
    'SELECT email_id, digest FROM digest WHERE account_id = ? AND email_id > ? ORDER BY email_id LIMIT ?',
  placesOfEmail: 'SELECT mailbox_id, uid, flags, keywords FROM place WHERE account_id = ? AND email_id = ?',
  blob: 'SELECT blob_id, blob_octets, blob_place, prefix FROM message WHERE account_id = ? AND email_id = ?',

  setSize: 'UPDATE place SET octets = ? WHERE account_id = ? AND mailbox_id = ? AND uid = ?',
  setCounters: `UPDATE mailbox SET total = ?, unseen = ?, deleted = ?, octets = ?, uid_next = ?, modseq = ?
     WHERE account_id = ? AND mailbox_id = ?`,
  replaceDigest: 'UPDATE digest SET digest = ? WHERE account_id = ? AND email_id = ?',
};
