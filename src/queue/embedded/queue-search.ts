/**
 * How the queue's file is searched: one window of messages after the other, each recipient compared with a filter, and
 * recipients in groups. What a filter means is in `progress.ts`; the statements say the same.
 */
import { numberAt, optionalNumberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { known } from '../../store/ids.ts';
import { PRIORITY_MAX, PRIORITY_MIN, lowerAscii } from '../progress.ts';
import { toSuspensionScope } from '../queue.ts';
import type { QueueFilter, QueueGroup, Suspension } from '../queue.ts';
import { STATE, UNTRIED, decodeState } from './queue-schema.ts';

/** Messages looked through before the event loop has its turn. */
export const WINDOW_MESSAGES = 500;

/** The parameters ?3 to ?18 of every search. */
export function filterValues(filter: QueueFilter): readonly (string | number | null)[] {
  return [
    filter.state === undefined ? null : STATE[filter.state],
    filter.hold ?? null,
    filter.domain?.toLowerCase() ?? null,
    filter.recipient?.toLowerCase() ?? null,
    filter.reason ?? null,
    lowerAscii(filter.host) ?? null,
    lowerAscii(filter.text) ?? null,
    asksOfEnvelope(filter) ? 1 : 0,
    filter.sender?.toLowerCase() ?? null,
    filter.account ?? null,
    filter.source ?? null,
    filter.arrivedBeforeMs ?? null,
    filter.arrivedAfterMs ?? null,
    filter.octetsMin ?? null,
    filter.octetsMax ?? null,
    filter.priorityMin ?? PRIORITY_MIN,
    filter.priorityMax ?? PRIORITY_MAX,
  ];
}

function asksOfEnvelope(filter: QueueFilter): boolean {
  const { sender, account, source, arrivedBeforeMs, arrivedAfterMs, octetsMin, octetsMax } = filter;
  return [sender, account, source, arrivedBeforeMs, arrivedAfterMs, octetsMin, octetsMax].some(
    (one) => one !== undefined,
  );
}

const RECIPIENT_MEANT = `
  r.state < ${STATE.settled} AND (?3 IS NULL OR r.state = ?3) AND (?4 IS NULL OR r.hold = ?4)
  AND (?5 IS NULL OR r.domain = ?5) AND (?6 IS NULL OR r.address = ?6) AND (?7 IS NULL OR r.reason = ?7)
  AND (?8 IS NULL OR r.host = ?8) AND (?9 IS NULL OR instr(coalesce(r.answer, ''), ?9) > 0)`;
const ENVELOPE_MEANT = `
  (?10 = 0 OR EXISTS (
    SELECT 1 FROM envelope e WHERE e.id = m.id AND (?11 IS NULL OR e.sender = ?11)
      AND (?12 IS NULL OR e.account = ?12) AND (?13 IS NULL OR e.source = ?13)
      AND (?14 IS NULL OR e.arrived_at < ?14) AND (?15 IS NULL OR e.arrived_at > ?15)
      AND (?16 IS NULL OR e.octets >= ?16) AND (?17 IS NULL OR e.octets <= ?17)
  ))`;

export const SELECT_WINDOW: string = `
  SELECT m.id,
    m.priority >= ?18 AND m.priority <= ?19
    AND EXISTS (SELECT 1 FROM recipient r WHERE r.id = m.id AND ${RECIPIENT_MEANT}) AND ${ENVELOPE_MEANT}
  FROM (SELECT id, priority FROM message WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ${WINDOW_MESSAGES}) m`;

/** Ids after ?2 of one window, and whether each is of the backlog with the priority ?4: of a domain by its index, of all by their ids. */
export const SELECT_BACKLOG: { readonly domain: string; readonly all: string } = {
  domain: `
    SELECT w.id, w.due AND EXISTS (SELECT 1 FROM message m WHERE m.id = w.id AND m.priority = ?4)
    FROM (
      SELECT id, max(due_at > ?3 AND reason IS NOT NULL) AS due FROM recipient
      WHERE domain = ?1 AND id > ?2 AND state = ${STATE.waiting} AND progress <> '${UNTRIED}'
      GROUP BY id ORDER BY id LIMIT ${WINDOW_MESSAGES}
    ) w`,
  all: `
    SELECT m.id, ?1 IS NULL AND m.priority = ?4 AND EXISTS (
      SELECT 1 FROM recipient r
      WHERE r.id = m.id AND r.state = ${STATE.waiting} AND r.due_at > ?3 AND r.reason IS NOT NULL
    )
    FROM (SELECT id, priority FROM message WHERE id > ?2 ORDER BY id LIMIT ${WINDOW_MESSAGES}) m`,
};

const GROUP_COLUMNS = 'r.domain, r.state, r.hold, r.reason, r.status';
/**
 * Without a filter: those that were tried, or held, from their index, whose order is that of the groups; those that were not,
 * for which an index would cost every `accept` a page of its own, by reading through.
 */
const SELECT_ALL_GROUPS = groups(`
  SELECT ${GROUP_COLUMNS}, count(*) AS recipients, min(r.due_at) AS due_at, min(r.id) AS oldest
  FROM recipient r INDEXED BY recipient_group WHERE r.state < ${STATE.settled} AND r.progress <> '${UNTRIED}'
  GROUP BY ${GROUP_COLUMNS}
  UNION ALL
  SELECT r.domain, r.state, NULL, NULL, NULL, count(*), min(r.due_at), min(r.id)
  FROM recipient r NOT INDEXED WHERE r.state < ${STATE.settled} AND r.progress = '${UNTRIED}' GROUP BY r.domain`);
const SELECT_GROUPS = groups(`
  SELECT ${GROUP_COLUMNS}, count(*) AS recipients, min(r.due_at) AS due_at, min(r.id) AS oldest
  FROM recipient r JOIN message m ON m.id = r.id
  WHERE (?2 IS NULL OR m.id = ?2) AND m.priority >= ?18 AND m.priority <= ?19
    AND ${RECIPIENT_MEANT} AND ${ENVELOPE_MEANT}
  GROUP BY ${GROUP_COLUMNS}`);
/** One of a group that was tried, or held. */
const SELECT_EXAMPLE = `
  SELECT state, due_at, progress FROM recipient
  WHERE domain = ? AND state = ? AND hold IS ? AND reason IS ? AND status IS ? AND state < ${STATE.settled}
    AND progress <> '${UNTRIED}' LIMIT 1`;

function groups(select: string): string {
  return `
  SELECT g.domain, g.state, g.hold, g.reason, g.status, g.recipients, g.due_at,
    (SELECT e.arrived_at FROM envelope e WHERE e.id = g.oldest)
  FROM (SELECT * FROM (${select}) ORDER BY recipients DESC, domain LIMIT ?1) g`;
}

/** Those with the most recipients first. Reads only; call it within a snapshot. */
export function readGroups(database: Database, filter: QueueFilter, limit: number): readonly QueueGroup[] {
  const rows =
    Object.keys(filter).length === 0
      ? database.prepare(SELECT_ALL_GROUPS).rows(limit)
      : database.prepare(SELECT_GROUPS).rows(limit, filter.id ?? null, ...filterValues(filter));
  return rows.map((row) => {
    // Without a reason there is no answer to show.
    const example = row[3] === null ? undefined : database.prepare(SELECT_EXAMPLE).row(...row.slice(0, 5));
    return toGroup(row, example ?? []);
  });
}

/**
 * @param row domain, state, hold, reason, status, recipients, due_at, arrived_at
 * @param example state, due_at, progress of one of its recipients
 */
export function toGroup(row: Row, example: Row): QueueGroup {
  return {
    domain: textAt(row, 0),
    state: numberAt(row, 1) === STATE.held ? 'held' : 'waiting',
    hold: optionalTextAt(row, 2),
    recipients: numberAt(row, 5),
    dueAtMs: optionalNumberAt(row, 6),
    oldestAtMs: optionalNumberAt(row, 7) ?? 0,
    lastAnswer: example.length === 0 ? undefined : decodeState(example, 0).lastAnswer,
  };
}

/** @param row scope, since */
export function toSuspension(row: Row): Suspension {
  return { scope: known(toSuspensionScope(textAt(row, 0))), sinceMs: numberAt(row, 1) };
}
