/**
 * Checks `queue.sqlite` on a stopped server: the file itself, counters, due times, that each message has its rows, that
 * every row can be read. Repair mends what follows from other rows, and removes nothing that may still be delivered.
 * What each finding means: docs/queue.md.
 */
import { Fault } from '../../base/fault.ts';
import { isWorldError, numberAt, optionalNumberAt, textAt } from '../../sqlite/database.ts';
import type { Database, Value } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { Finding } from '../../store/finding.ts';
import { dueAtMs, nextLookMs } from '../progress.ts';
import { QUEUE_FILE, SELECT_MESSAGE, SELECT_RECIPIENTS, STATE, decodeMessage } from './queue-schema.ts';

export type QueueCheckOptions = { readonly file: string; readonly repair: boolean };

const PAGE_MESSAGES = 200;
const SELECT_IDS = `
  SELECT id FROM (SELECT id FROM message UNION SELECT id FROM envelope UNION SELECT id FROM recipient)
  WHERE id > ? ORDER BY id LIMIT ${PAGE_MESSAGES}`;
const REMOVALS = ['message', 'envelope', 'recipient'].map((table) => `DELETE FROM ${table} WHERE id = ?`);
const COUNTED = `
  SELECT (SELECT count(*) FROM message),
    (SELECT count(*) FROM recipient WHERE state < ${STATE.settled}),
    (SELECT count(*) FROM recipient WHERE state = ${STATE.held})`;

export async function* checkQueue({ file, repair }: QueueCheckOptions): AsyncGenerator<Finding, void, void> {
  const database = openDatabase(file, QUEUE_FILE, { readOnly: !repair });
  try {
    yield* checkFile(database);
    let last = '';
    for (;;) {
      const rows = database.prepare(SELECT_IDS).rows(last);
      for (const row of rows) {
        last = textAt(row, 0);
        yield* checkMessage(database, last, repair);
      }
      if (rows.length < PAGE_MESSAGES) break;
    }
    yield* checkCounter(database, repair);
  } catch (cause) {
    throw isWorldError(cause) ? new Fault('Checking the queue', cause) : cause;
  } finally {
    database.close();
  }
}

function damage(kind: string, text: string, mended = false): Finding {
  return { kind, severity: 'damage', text, mended };
}

function change(database: Database, sql: string, ...values: readonly Value[]): void {
  changeAll(database, [sql], ...values);
}

/** Each statement with the same values, in one commit. */
function changeAll(database: Database, statements: readonly string[], ...values: readonly Value[]): void {
  database.begin();
  try {
    for (const sql of statements) database.prepare(sql).run(...values);
    database.commit();
  } catch (cause) {
    database.rollback();
    throw cause;
  }
}

function* checkFile(database: Database): Generator<Finding, void, void> {
  for (const row of database.prepare('PRAGMA integrity_check(20)').rows()) {
    const text = textAt(row, 0);
    if (text !== 'ok') yield damage('queue.damaged', `SQLite finds the queue's file damaged: ${text}`);
  }
}

function has(database: Database, table: 'message' | 'envelope' | 'recipient', id: string): boolean {
  return database.prepare(`SELECT 1 FROM ${table} WHERE id = ? LIMIT 1`).row(id) !== undefined;
}

function* checkMessage(database: Database, id: string, repair: boolean): Generator<Finding, void, void> {
  if (!has(database, 'envelope', id)) {
    yield damage('queue.no-envelope', `Message ${id} has no envelope and cannot be delivered`);
    return;
  }
  if (!has(database, 'recipient', id)) {
    yield damage('queue.no-recipients', `Message ${id} has no recipients`);
    return;
  }
  if (!has(database, 'message', id)) {
    if (repair) change(database, 'INSERT INTO message (id) VALUES (?)', id);
    yield damage(
      'queue.no-message',
      `Message ${id} has an envelope and recipients, but no row to find it by`,
      repair,
    );
    if (!repair) return;
  }
  const row = database.prepare(SELECT_MESSAGE).row(id);
  if (row === undefined) return;
  let states;
  let leaseUntilMs: number | undefined;
  try {
    const message = decodeMessage(row, database.prepare(SELECT_RECIPIENTS).rows(id));
    states = message.recipients.map(({ state }) => state);
    leaseUntilMs = message.lease?.untilMs;
  } catch (cause) {
    if (isWorldError(cause)) throw cause;
    yield damage('queue.unreadable', `Message ${id} has a row that cannot be read`);
    return;
  }
  if (states.every(({ kind }) => kind === 'settled')) {
    if (repair) changeAll(database, REMOVALS, id);
    yield damage(
      'queue.all-settled',
      `Message ${id} is settled for all its recipients and still there`,
      repair,
    );
    return;
  }
  const due = dueAtMs(states);
  const next = nextLookMs(due, leaseUntilMs);
  if (optionalNumberAt(row, 8) === due && optionalNumberAt(row, 9) === next) return;
  if (repair)
    change(
      database,
      'UPDATE message SET due_at = ?, next_at = ? WHERE id = ?',
      due ?? null,
      next ?? null,
      id,
    );
  yield damage('queue.due', `Message ${id} would be looked at at the wrong time`, repair);
}

function* checkCounter(database: Database, repair: boolean): Generator<Finding, void, void> {
  const kept = database.prepare('SELECT messages, recipients, held FROM counter').row();
  const counted = database.prepare(COUNTED).row() ?? [];
  const values = [0, 1, 2].map((column) => numberAt(counted, column));
  if (kept !== undefined && values.every((value, column) => value === kept[column])) return;
  if (repair) change(database, 'INSERT OR REPLACE INTO counter VALUES (1, ?, ?, ?)', ...values);
  yield damage(
    'queue.counter',
    `The queue counts ${kept?.join(', ') ?? 'nothing'}, and holds ${values.join(', ')}`,
    repair,
  );
}
