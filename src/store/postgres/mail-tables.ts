/**
 * The tables of mail in PostgreSQL and the statements over them. Tables, keys and what each is for are those of the
 * embedded store (docs/store.md), and so are the statements that go through one row or one range; where SQLite runs a
 * statement for each message, here one statement takes them all as arrays.
 */
import type { TableKind } from '../../postgres/migrate.ts';
import { SQL } from '../embedded/mail-schema.ts';
import type { SortPart } from '../mail-store.ts';

/** Texts compare by code points, as SQLite compares them, whatever the database's language is. */
const FIRST = `
CREATE TABLE account (
  account_id BIGINT PRIMARY KEY,
  modseq BIGINT NOT NULL,
  last_uid_validity BIGINT NOT NULL,
  octets_used BIGINT NOT NULL,
  messages_used BIGINT NOT NULL,
  octets_max BIGINT
);

CREATE TABLE mailbox (
  account_id BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  parent_id BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  role TEXT COLLATE "C",
  uid_validity BIGINT NOT NULL,
  uid_next BIGINT NOT NULL,
  modseq BIGINT NOT NULL,
  total BIGINT NOT NULL,
  unseen BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  octets BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, mailbox_id)
);
CREATE UNIQUE INDEX mailbox_name ON mailbox (account_id, parent_id, name);

CREATE TABLE removed_mailbox (
  account_id BIGINT NOT NULL,
  modseq BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  PRIMARY KEY (account_id, modseq, mailbox_id)
);

CREATE TABLE subscription (
  account_id BIGINT NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account_id, path)
);

CREATE TABLE keyword (
  account_id BIGINT NOT NULL,
  keyword_key TEXT COLLATE "C" NOT NULL,
  spelling TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account_id, keyword_key)
);

CREATE TABLE message (
  account_id BIGINT NOT NULL,
  email_id BIGINT NOT NULL,
  thread_id BIGINT NOT NULL,
  received_at_ms BIGINT NOT NULL,
  octets BIGINT NOT NULL,
  blob_id BYTEA NOT NULL,
  blob_octets BIGINT NOT NULL,
  blob_place BIGINT NOT NULL,
  prefix BYTEA NOT NULL,
  PRIMARY KEY (account_id, email_id)
);
CREATE INDEX message_blob_place ON message (blob_place);

CREATE TABLE digest (
  account_id BIGINT NOT NULL,
  email_id BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  PRIMARY KEY (account_id, email_id)
);

CREATE TABLE place (
  account_id BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  uid BIGINT NOT NULL,
  email_id BIGINT NOT NULL,
  flags BIGINT NOT NULL,
  keywords TEXT COLLATE "C" NOT NULL,
  modseq BIGINT NOT NULL,
  octets BIGINT NOT NULL,
  saved_at_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, uid)
);
CREATE INDEX place_change ON place (account_id, modseq, mailbox_id, uid);
CREATE INDEX place_email ON place (account_id, email_id, mailbox_id);

CREATE TABLE vanished (
  account_id BIGINT NOT NULL,
  modseq BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  uid BIGINT NOT NULL,
  email_id BIGINT NOT NULL,
  PRIMARY KEY (account_id, modseq, mailbox_id, uid)
);

CREATE TABLE thread_key (
  account_id BIGINT NOT NULL,
  thread_key BIGINT NOT NULL,
  thread_id BIGINT NOT NULL,
  PRIMARY KEY (account_id, thread_key)
);

CREATE TABLE delivery (
  account_id BIGINT NOT NULL,
  queue_id TEXT COLLATE "C" NOT NULL,
  recipient BIGINT NOT NULL,
  uid_validity BIGINT NOT NULL,
  uid BIGINT NOT NULL,
  modseq BIGINT NOT NULL,
  delivered_at_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, queue_id, recipient)
);

-- Whose segment files the places of blobs are in: one row.
CREATE TABLE segment_home (
  id BIGINT PRIMARY KEY CHECK (id = 1),
  data_directory TEXT COLLATE "C" NOT NULL
);
`;

/** Annotations: see the embedded store. */
const METADATA = `
CREATE TABLE metadata (
  account_id BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  reader_id BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  value BYTEA,
  modseq BIGINT NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, reader_id, name)
);
CREATE INDEX metadata_change ON metadata (account_id, modseq);
`;

/** See the embedded store. */
const SORTING = `
ALTER TABLE message ADD COLUMN sent_at_ms BIGINT;
ALTER TABLE message ADD COLUMN sort_subject TEXT COLLATE "C";
ALTER TABLE message ADD COLUMN sort_addresses TEXT COLLATE "C";
ALTER TABLE message ADD COLUMN sort_thread TEXT COLLATE "C";
`;

/** See the embedded store. */
const URL_KEYS = `
CREATE TABLE url_key (
  account_id BIGINT NOT NULL,
  owner_id BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  url_key BYTEA NOT NULL,
  PRIMARY KEY (account_id, owner_id, mailbox_id)
);
`;

export const MAIL: TableKind = { name: 'mail', migrations: [FIRST, METADATA, SORTING, URL_KEYS] };

const numberedTexts = new Map<string, string>();

/** A statement shared with SQLite: its `?` are PostgreSQL's `$1`, `$2` …; none of ours has one inside a text. */
export function numbered(sql: string): string {
  const known = numberedTexts.get(sql);
  if (known !== undefined) return known;
  let number = 0;
  const text = sql.replaceAll('?', () => `$${(number += 1)}`);
  numberedTexts.set(sql, text);
  return text;
}

const PLACE_COLUMNS = 'uid, email_id, flags, keywords, modseq, octets';
const LISTED_COLUMNS =
  'p.uid, p.email_id, p.flags, p.keywords, p.modseq, p.saved_at_ms, m.thread_id, m.received_at_ms, m.octets';
const PLACED_COLUMNS = `${LISTED_COLUMNS}, m.blob_id, m.blob_octets, m.blob_place, m.prefix`;

const SORT_COLUMNS = 'sent_at_ms, sort_subject, sort_addresses, sort_thread';
const SORTABLE_COLUMNS = 'p.uid, m.received_at_ms, m.octets, m.sent_at_ms, m.sort_subject';
const PLACED_JOIN = 'FROM place p JOIN message m ON m.account_id = p.account_id AND m.email_id = p.email_id';
const DIGEST_JOIN = 'JOIN digest d ON d.account_id = p.account_id AND d.email_id = p.email_id';
const PLACED_UIDS =
  'WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.uid = ANY($3::bigint[]) ORDER BY p.uid';

export const SORTABLES_SQL: Readonly<Record<SortPart | 'none', string>> = {
  none: `SELECT ${SORTABLE_COLUMNS} ${PLACED_JOIN} ${PLACED_UIDS}`,
  addresses: `SELECT ${SORTABLE_COLUMNS}, m.sort_addresses ${PLACED_JOIN} ${PLACED_UIDS}`,
  thread: `SELECT ${SORTABLE_COLUMNS}, m.sort_thread ${PLACED_JOIN} ${PLACED_UIDS}`,
};

export const MAIL_SQL = {
  /** Held until the commit: an account's changes come one after the other, in the order of their modseqs. */
  lockAccount: `${numbered(SQL.account)} FOR UPDATE`,
  addAccount: `${numbered(SQL.addAccount)} ON CONFLICT DO NOTHING`,
  modSeqs: 'SELECT account_id, modseq FROM account WHERE account_id = ANY($1::bigint[])',

  mailboxWithUids:
    'SELECT uid_validity, uid_next, mailbox_id FROM mailbox WHERE account_id = $1 AND mailbox_id = $2',

  addKeywords: `INSERT INTO keyword (account_id, keyword_key, spelling)
     SELECT $1, * FROM unnest($2::text[], $3::text[])`,
  threads:
    'SELECT thread_key, thread_id FROM thread_key WHERE account_id = $1 AND thread_key = ANY($2::bigint[])',
  addThreadKeys: `INSERT INTO thread_key (account_id, thread_key, thread_id)
     SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])`,
  pruneDeliveries: 'DELETE FROM delivery WHERE account_id = ANY($1::bigint[]) AND delivered_at_ms < $2',

  addMessages: `INSERT INTO message (account_id, email_id, thread_id, received_at_ms, octets, blob_id, blob_octets, blob_place,
     prefix, ${SORT_COLUMNS}) SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[],
     $7::bigint[], $8::bigint[], $9::bytea[], $10::bigint[], $11::text[], $12::text[], $13::text[])`,
  addDigests:
    'INSERT INTO digest (account_id, email_id, digest) SELECT $1, * FROM unnest($2::bigint[], $3::bytea[])',
  copyMessages: `INSERT INTO message (account_id, email_id, thread_id, received_at_ms, octets, blob_id, blob_octets, blob_place,
     prefix, ${SORT_COLUMNS}) SELECT m.account_id, n.made, m.thread_id, m.received_at_ms, m.octets, m.blob_id, m.blob_octets,
     m.blob_place, m.prefix, ${SORT_COLUMNS} FROM unnest($2::bigint[], $3::bigint[]) AS n (email_id, made)
     JOIN message m ON m.account_id = $1 AND m.email_id = n.email_id`,
  copyDigests: `INSERT INTO digest (account_id, email_id, digest) SELECT d.account_id, n.made, d.digest
     FROM unnest($2::bigint[], $3::bigint[]) AS n (email_id, made)
     JOIN digest d ON d.account_id = $1 AND d.email_id = n.email_id`,
  /** Of these, those that have no place left. */
  dropUnplaced: `DELETE FROM message m WHERE m.account_id = $1 AND m.email_id = ANY($2::bigint[]) AND NOT EXISTS
     (SELECT 1 FROM place p WHERE p.account_id = m.account_id AND p.email_id = m.email_id)
     RETURNING m.email_id, m.octets`,
  removeDigests: 'DELETE FROM digest WHERE account_id = $1 AND email_id = ANY($2::bigint[])',
  existingEmails: 'SELECT email_id FROM message WHERE account_id = $1 AND email_id = ANY($2::bigint[])',

  addPlaces: `INSERT INTO place (account_id, mailbox_id, modseq, uid, email_id, flags, keywords, octets, saved_at_ms)
     SELECT $1, $2, n.modseq, n.uid, n.email_id, n.flags, n.keywords, n.octets, $3
     FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[])
     AS n (modseq, uid, email_id, flags, keywords, octets)`,
  places: `SELECT ${PLACE_COLUMNS} FROM place WHERE account_id = $1 AND mailbox_id = $2 ORDER BY uid`,
  placesByUid: `SELECT ${PLACE_COLUMNS} FROM place WHERE account_id = $1 AND mailbox_id = $2
     AND uid = ANY($3::bigint[]) ORDER BY uid`,
  /** 16: `\Deleted`. */
  deletedPlaces: `SELECT ${PLACE_COLUMNS} FROM place WHERE account_id = $1 AND mailbox_id = $2
     AND (flags & 16) <> 0 AND ($3::bigint[] IS NULL OR uid = ANY($3::bigint[])) ORDER BY uid`,
  /** Where else the messages of these places are. */
  otherPlaces: `SELECT o.email_id, o.mailbox_id, o.uid, o.flags FROM place p
     JOIN place o ON o.account_id = p.account_id AND o.email_id = p.email_id AND o.mailbox_id <> p.mailbox_id
     WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.uid = ANY($3::bigint[])`,
  /** Messages of these places that are in another mailbox, or in this one, as well. */
  emailsIn: `SELECT t.email_id FROM place p JOIN place t ON t.account_id = p.account_id AND t.email_id = p.email_id
     WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.uid = ANY($3::bigint[]) AND t.mailbox_id = $4`,
  setFlags: `UPDATE place p SET flags = n.flags, keywords = n.keywords, modseq = $2
     FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::text[]) AS n (mailbox_id, uid, flags, keywords)
     WHERE p.account_id = $1 AND p.mailbox_id = n.mailbox_id AND p.uid = n.uid`,
  removePlaces: 'DELETE FROM place WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY($3::bigint[])',
  addVanished: `INSERT INTO vanished (account_id, mailbox_id, modseq, uid, email_id)
     SELECT $1, $2, * FROM unnest($3::bigint[], $4::bigint[], $5::bigint[])`,

  placed: `SELECT ${PLACED_COLUMNS} ${PLACED_JOIN} ${PLACED_UIDS}`,
  listed: `SELECT ${LISTED_COLUMNS}, d.digest ${PLACED_JOIN} ${DIGEST_JOIN} ${PLACED_UIDS}`,
  messages: `SELECT ${PLACED_COLUMNS}, d.digest ${PLACED_JOIN} ${DIGEST_JOIN} ${PLACED_UIDS}`,

  relocate: `UPDATE message m SET blob_place = n.after FROM unnest($1::bigint[], $2::bigint[]) AS n (before, after)
     WHERE m.blob_place = n.before`,
};
