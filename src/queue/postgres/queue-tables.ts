/**
 * The tables of the queue in PostgreSQL and the statements over them. What each is for is as in the embedded queue
 * (docs/queue.md), but for the counters: one row would make every commit wait for the one before, so there are some, and
 * the queue's count is their sum.
 */
import type { TableKind } from '../../postgres/migrate.ts';
import { STATE } from '../embedded/queue-schema.ts';

export const COUNTER_SLOTS = 64;
/** Messages looked through in one statement. */
export const WINDOW_MESSAGES = 500;

const FIRST = `
CREATE TABLE queue_message (
  id TEXT COLLATE "C" PRIMARY KEY,
  due_at BIGINT,
  next_at BIGINT,
  lease_owner TEXT COLLATE "C",
  lease_until BIGINT
);
CREATE INDEX queue_message_next ON queue_message (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX queue_message_lease ON queue_message (lease_owner) WHERE lease_owner IS NOT NULL;

CREATE TABLE queue_envelope (
  id TEXT COLLATE "C" PRIMARY KEY,
  sender TEXT COLLATE "C" NOT NULL,
  place BIGINT NOT NULL,
  octets BIGINT NOT NULL,
  blob_id TEXT COLLATE "C" NOT NULL,
  envelope TEXT COLLATE "C" NOT NULL,
  prefix BYTEA NOT NULL
);
CREATE INDEX queue_envelope_place ON queue_envelope (place);

CREATE TABLE queue_recipient (
  id TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  state BIGINT NOT NULL,
  due_at BIGINT,
  address TEXT COLLATE "C" NOT NULL,
  domain TEXT COLLATE "C" NOT NULL,
  recipient TEXT COLLATE "C" NOT NULL,
  progress TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (id, number)
);

CREATE TABLE queue_counter (
  slot BIGINT PRIMARY KEY,
  messages BIGINT NOT NULL,
  recipients BIGINT NOT NULL,
  held BIGINT NOT NULL
);
INSERT INTO queue_counter SELECT slot, 0, 0, 0 FROM generate_series(0, ${COUNTER_SLOTS - 1}) AS slots (slot);
`;

export const QUEUE: TableKind = { name: 'queue', migrations: [FIRST] };

export const QUEUE_SQL = {
  /** All rows of a message, or none when its id is taken; gives whether it was added. */
  accept: `WITH added AS (
      INSERT INTO queue_message (id, due_at, next_at, lease_owner, lease_until) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (id) DO NOTHING RETURNING id
    ), enveloped AS (
      INSERT INTO queue_envelope (id, sender, place, octets, blob_id, envelope, prefix)
      SELECT id, $6::text, $7::bigint, $8::bigint, $9::text, $10::text, $11::bytea FROM added
    ), addressed AS (
      INSERT INTO queue_recipient (id, number, state, due_at, address, domain, recipient, progress)
      SELECT added.id, r.number - 1, $18::bigint, $2, r.address, r.domain, r.recipient, $12::text
      FROM added, unnest($13::text[], $14::text[], $15::text[])
        WITH ORDINALITY AS r (address, domain, recipient, number)
    ), counted AS (
      UPDATE queue_counter SET messages = messages + 1, recipients = recipients + $16, held = held + $19
      WHERE slot = $17 AND EXISTS (SELECT 1 FROM added)
    )
    SELECT count(*) FROM added`,
  blobOf: 'SELECT blob_id FROM queue_envelope WHERE id = $1',

  /** What another works on at this moment is passed over: it is no longer due. */
  lease: `WITH due AS (
      SELECT id, due_at, next_at FROM queue_message WHERE next_at <= $1 ORDER BY next_at, id LIMIT $2
      FOR UPDATE SKIP LOCKED
    )
    UPDATE queue_message m SET lease_owner = $3, lease_until = $4, next_at = greatest(due.due_at, $4)
    FROM due WHERE m.id = due.id RETURNING m.id, due.next_at`,
  renew: `UPDATE queue_message
    SET lease_until = $3, next_at = CASE WHEN due_at IS NULL THEN NULL ELSE greatest(due_at, $3) END
    WHERE id = ANY($2::text[]) AND lease_owner = $1 RETURNING id`,
  endLeases: `UPDATE queue_message SET lease_owner = NULL, lease_until = NULL, next_at = due_at
    WHERE lease_owner IS NOT NULL AND lease_owner <> ALL($1::text[])`,
  nextDue: 'SELECT min(next_at) FROM queue_message WHERE next_at IS NOT NULL',

  /** Held until the commit: of two who change a message, one comes after the other. */
  lockMessages: `SELECT id, lease_owner, lease_until FROM queue_message
    WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE`,
  recipientStates: `SELECT id, number, state, due_at, progress, address, domain FROM queue_recipient
    WHERE id = ANY($1::text[]) ORDER BY id, number`,
  senders: 'SELECT id, sender FROM queue_envelope WHERE id = ANY($1::text[])',
  setRecipients: `UPDATE queue_recipient r SET state = n.state, due_at = n.due_at, progress = n.progress
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
      AS n (id, number, state, due_at, progress)
    WHERE r.id = n.id AND r.number = n.number`,
  setMessages: `UPDATE queue_message m
    SET due_at = n.due_at, next_at = n.next_at, lease_owner = n.lease_owner, lease_until = n.lease_until
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
      AS n (id, due_at, next_at, lease_owner, lease_until)
    WHERE m.id = n.id`,
  removeMessages: 'DELETE FROM queue_message WHERE id = ANY($1::text[])',
  removeEnvelopes: 'DELETE FROM queue_envelope WHERE id = ANY($1::text[])',
  removeRecipients: 'DELETE FROM queue_recipient WHERE id = ANY($1::text[])',
  count: `UPDATE queue_counter SET messages = messages + $2, recipients = recipients + $3, held = held + $4
    WHERE slot = $1`,
  counters: `SELECT sum(messages)::bigint, sum(recipients)::bigint, sum(held)::bigint FROM queue_counter`,

  window: `SELECT m.id,
      (EXISTS (
        SELECT 1 FROM queue_recipient r
        WHERE r.id = m.id AND r.state < ${STATE.settled} AND ($3::bigint IS NULL OR r.state = $3::bigint)
          AND ($4::text IS NULL OR r.domain = $4::text) AND ($5::text IS NULL OR r.address = $5::text)
      ) AND ($6::text IS NULL OR EXISTS (
        SELECT 1 FROM queue_envelope e WHERE e.id = m.id AND e.sender = $6::text
      )))::int
    FROM (SELECT id FROM queue_message WHERE id > $1 AND id <= $2 ORDER BY id LIMIT ${WINDOW_MESSAGES}) m
    ORDER BY m.id`,
  /** The columns that `decodeMessage` and `decodeRecipient` take. */
  messages: `SELECT m.id, m.lease_owner, m.lease_until, e.place, e.octets, e.blob_id, e.envelope, e.prefix
    FROM queue_message m JOIN queue_envelope e ON e.id = m.id WHERE m.id = ANY($1::text[])`,
  recipients: `SELECT number, recipient, state, due_at, progress, id FROM queue_recipient
    WHERE id = ANY($1::text[]) ORDER BY id, number`,

  places: 'SELECT DISTINCT place FROM queue_envelope WHERE place >= $1 AND place < $2 ORDER BY place',
  relocate: `UPDATE queue_envelope e SET place = n.after FROM unnest($1::bigint[], $2::bigint[]) AS n (before, after)
    WHERE e.place = n.before`,
};
