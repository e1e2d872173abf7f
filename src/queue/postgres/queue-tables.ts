/**
 * The tables of the queue in PostgreSQL and the statements over them. What each is for is as in the embedded queue
 * (docs/queue.md), but for the counters: one row would make every commit wait for the one before, so there are some, and
 * the queue's count is their sum.
 */
import type { TableKind } from '../../postgres/migrate.ts';
import { REMOTE_PORT, STATE, UNTRIED } from '../embedded/queue-schema.ts';
import { PRIORITY_MAX, PRIORITY_MIN, PRIORITY_STEP_MS } from '../progress.ts';

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

/** A text within JSON that this program wrote: a quotation mark inside a text has a backslash before it. */
const TEXT = '((?:[^"\\\\]|\\\\.)*)';

/** Read out of the JSON beside them: what searches and groups compare. */
const SEARCH = `
ALTER TABLE queue_message ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
DROP INDEX queue_message_next;
ALTER TABLE queue_envelope
  ADD COLUMN account BIGINT GENERATED ALWAYS AS (substring(envelope from '"account":([0-9]+)')::bigint) STORED,
  ADD COLUMN source TEXT COLLATE "C" GENERATED ALWAYS AS (substring(envelope from '"remote":"${TEXT}"')) STORED,
  ADD COLUMN arrived_at DOUBLE PRECISION
    GENERATED ALWAYS AS (substring(envelope from '"arrivedAtMs":([0-9.]+)')::double precision) STORED;
UPDATE queue_message m SET priority = coalesce(
  (SELECT substring(e.envelope from '"priority":(-?[0-9]+)')::bigint FROM queue_envelope e WHERE e.id = m.id), 0);
CREATE INDEX queue_message_next ON queue_message (priority, next_at, id) WHERE next_at IS NOT NULL;
UPDATE queue_recipient SET progress = '{"hold":"operator",' || substr(progress, 2)
  WHERE state = ${STATE.held};
ALTER TABLE queue_recipient
  ADD COLUMN hold TEXT COLLATE "C" GENERATED ALWAYS AS (substring(progress from '"hold":"${TEXT}"')) STORED,
  ADD COLUMN reason TEXT COLLATE "C" GENERATED ALWAYS AS (substring(progress from '"reason":"${TEXT}"')) STORED,
  ADD COLUMN status TEXT COLLATE "C" GENERATED ALWAYS AS (substring(progress from '"status":"${TEXT}"')) STORED,
  ADD COLUMN host TEXT COLLATE "C" GENERATED ALWAYS AS (lower(substring(progress from '"host":"${TEXT}"') COLLATE "C")) STORED,
  ADD COLUMN answer TEXT COLLATE "C"
    GENERATED ALWAYS AS (lower(substring(progress from '"text":"${TEXT}"') COLLATE "C")) STORED;
CREATE TABLE queue_suspension (
  scope TEXT COLLATE "C" PRIMARY KEY,
  since BIGINT NOT NULL
);
`;

/** What is to be released later, of each account. */
const SCHEDULED = `
ALTER TABLE queue_envelope ADD COLUMN release_at BIGINT;
UPDATE queue_envelope SET release_at = substring(envelope from '"releaseAtMs":([0-9]+)')::bigint
  WHERE envelope LIKE '%"releaseAtMs":%';
CREATE INDEX queue_envelope_release ON queue_envelope (account, release_at, octets) WHERE release_at IS NOT NULL;
`;

/** Who waits for another try, by domain: of what was never tried, and of most mail that is all, it has nothing. */
const BACKLOG = `
CREATE INDEX queue_recipient_backlog ON queue_recipient (domain, id)
  WHERE state = ${STATE.waiting} AND progress <> '${UNTRIED}';
`;

export const QUEUE: TableKind = {
  name: 'queue',
  migrations: [FIRST, SEARCH, SCHEDULED, REMOTE_PORT, BACKLOG],
};

/** The parameters of `filterValues`. */
const RECIPIENT_MEANT = `r.state < ${STATE.settled} AND ($3::bigint IS NULL OR r.state = $3::bigint)
  AND ($4::text IS NULL OR r.hold = $4::text) AND ($5::text IS NULL OR r.domain = $5::text)
  AND ($6::text IS NULL OR r.address = $6::text) AND ($7::text IS NULL OR r.reason = $7::text)
  AND ($8::text IS NULL OR r.host = $8::text) AND ($9::text IS NULL OR position($9::text in r.answer) > 0)`;
const ENVELOPE_MEANT = `($10::bigint = 0 OR EXISTS (
    SELECT 1 FROM queue_envelope e WHERE e.id = m.id AND ($11::text IS NULL OR e.sender = $11::text)
      AND ($12::bigint IS NULL OR e.account = $12::bigint) AND ($13::text IS NULL OR e.source = $13::text)
      AND ($14::double precision IS NULL OR e.arrived_at < $14::double precision)
      AND ($15::double precision IS NULL OR e.arrived_at > $15::double precision)
      AND ($16::bigint IS NULL OR e.octets >= $16::bigint) AND ($17::bigint IS NULL OR e.octets <= $17::bigint)
  ))`;

export const QUEUE_SQL = {
  /** All rows of a message, or none when its id is taken; gives whether it was added. */
  accept: `WITH added AS (
      INSERT INTO queue_message (id, due_at, next_at, lease_owner, lease_until, priority)
      VALUES ($1, $2, $3, $4, $5, $18)
      ON CONFLICT (id) DO NOTHING RETURNING id
    ), enveloped AS (
      INSERT INTO queue_envelope (id, sender, place, octets, blob_id, envelope, prefix, release_at)
      SELECT id, $6::text, $7::bigint, $8::bigint, $9::text, $10::text, $11::bytea, $20::bigint FROM added
    ), addressed AS (
      INSERT INTO queue_recipient (id, number, state, due_at, address, domain, recipient, progress)
      SELECT added.id, r.number - 1, $19::bigint, $2, r.address, r.domain, r.recipient, $12::text
      FROM added, unnest($13::text[], $14::text[], $15::text[])
        WITH ORDINALITY AS r (address, domain, recipient, number)
    ), counted AS (
      UPDATE queue_counter SET messages = messages + 1, recipients = recipients + $16,
        held = held + CASE WHEN $19::bigint = ${STATE.held} THEN $16 ELSE 0 END
      WHERE slot = $17 AND EXISTS (SELECT 1 FROM added)
    )
    SELECT count(*) FROM added`,
  blobOf: 'SELECT blob_id FROM queue_envelope WHERE id = $1',

  /**
   * What another works on at this moment is passed over: it is no longer due. Of each priority the soonest due; among them
   * each step of priority is worth PRIORITY_STEP_MS.
   */
  lease: `WITH due AS (
      SELECT d.id, d.due_at, d.next_at, d.next_at - p.priority * ${PRIORITY_STEP_MS} AS rank
      FROM generate_series(${PRIORITY_MIN}, ${PRIORITY_MAX}) AS p (priority)
      CROSS JOIN LATERAL (
        SELECT id, due_at, next_at FROM queue_message WHERE priority = p.priority AND next_at <= $1
        ORDER BY next_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
      ) d
      ORDER BY rank, d.id LIMIT $2
    )
    UPDATE queue_message m SET lease_owner = $3, lease_until = $4, next_at = greatest(due.due_at, $4)
    FROM due WHERE m.id = due.id RETURNING m.id, due.rank`,
  renew: `UPDATE queue_message
    SET lease_until = $3, next_at = CASE WHEN due_at IS NULL THEN NULL ELSE greatest(due_at, $3) END
    WHERE id = ANY($2::text[]) AND lease_owner = $1 RETURNING id`,
  endLeases: `UPDATE queue_message SET lease_owner = NULL, lease_until = NULL, next_at = due_at
    WHERE lease_owner IS NOT NULL AND lease_owner <> ALL($1::text[])`,
  nextDue: `SELECT min(d.next_at) FROM generate_series(${PRIORITY_MIN}, ${PRIORITY_MAX}) AS p (priority)
    CROSS JOIN LATERAL (
      SELECT next_at FROM queue_message WHERE priority = p.priority AND next_at IS NOT NULL ORDER BY next_at LIMIT 1
    ) d`,

  /** Held until the commit: of two who change a message, one comes after the other. */
  lockMessages: `SELECT id, lease_owner, lease_until FROM queue_message
    WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE`,
  recipientStates: `SELECT id, number, state, due_at, progress FROM queue_recipient
    WHERE id = ANY($1::text[]) ORDER BY id, number`,
  addRecipients: `INSERT INTO queue_recipient (id, number, state, due_at, address, domain, recipient, progress)
    SELECT $1, r.number, $2::bigint, $3::bigint, r.address, r.domain, r.recipient, $4::text
    FROM unnest($5::bigint[], $6::text[], $7::text[], $8::text[]) AS r (number, address, domain, recipient)`,
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
  scheduled: `SELECT count(*), coalesce(sum(octets), 0)::bigint FROM queue_envelope
    WHERE account = $1 AND release_at > $2`,

  window: `SELECT m.id,
      (m.priority >= $18 AND m.priority <= $19
        AND EXISTS (SELECT 1 FROM queue_recipient r WHERE r.id = m.id AND ${RECIPIENT_MEANT})
        AND ${ENVELOPE_MEANT})::int
    FROM (
      SELECT id, priority FROM queue_message WHERE id > $1 AND id <= $2 ORDER BY id LIMIT ${WINDOW_MESSAGES}
    ) m
    ORDER BY m.id`,
  /** With the columns of a group the arrival of its oldest message, and how one of its recipients is. */
  groups: `SELECT g.domain, g.state, g.hold, g.reason, g.status, g.recipients, g.due_at,
      (SELECT e.arrived_at FROM queue_envelope e WHERE e.id = g.oldest), g.state, g.due_at, g.progress
    FROM (
      SELECT r.domain, r.state, r.hold, r.reason, r.status, count(*) AS recipients, min(r.due_at) AS due_at,
        min(r.id) AS oldest, min(r.progress) AS progress
      FROM queue_recipient r JOIN queue_message m ON m.id = r.id
      WHERE ($1::text IS NULL OR m.id = $1::text) AND m.priority >= $18 AND m.priority <= $19
        AND ${RECIPIENT_MEANT} AND ${ENVELOPE_MEANT}
      GROUP BY r.domain, r.state, r.hold, r.reason, r.status ORDER BY count(*) DESC, r.domain LIMIT $2
    ) g ORDER BY g.recipients DESC, g.domain`,
  backlog: `SELECT DISTINCT r.id, m.priority FROM queue_recipient r JOIN queue_message m ON m.id = r.id
    WHERE ($1::text IS NULL OR r.domain = $1::text) AND r.state = ${STATE.waiting} AND r.progress <> '${UNTRIED}'
      AND r.reason IS NOT NULL AND r.due_at > $2
      AND (m.priority < $3::bigint OR (m.priority = $3::bigint AND r.id > $4::text))
    ORDER BY m.priority DESC, r.id LIMIT $5`,
  suspend: 'INSERT INTO queue_suspension (scope, since) VALUES ($1, $2) ON CONFLICT (scope) DO NOTHING',
  resume: 'DELETE FROM queue_suspension WHERE scope = $1 RETURNING scope',
  suspensions: 'SELECT scope, since FROM queue_suspension ORDER BY scope',
  /** Kept from going until the commit that holds a recipient by one of them. */
  lockSuspensions:
    'SELECT scope FROM queue_suspension WHERE scope = ANY($1::text[]) ORDER BY scope FOR KEY SHARE',
  /** The columns that `decodeMessage` and `decodeRecipient` take. */
  messages: `SELECT m.id, m.lease_owner, m.lease_until, e.place, e.octets, e.blob_id, e.envelope, e.prefix
    FROM queue_message m JOIN queue_envelope e ON e.id = m.id WHERE m.id = ANY($1::text[])`,
  recipients: `SELECT number, recipient, state, due_at, progress, id FROM queue_recipient
    WHERE id = ANY($1::text[]) ORDER BY id, number`,

  places: 'SELECT DISTINCT place FROM queue_envelope WHERE place >= $1 AND place < $2 ORDER BY place',
  relocate: `UPDATE queue_envelope e SET place = n.after FROM unnest($1::bigint[], $2::bigint[]) AS n (before, after)
    WHERE e.place = n.before`,
};
