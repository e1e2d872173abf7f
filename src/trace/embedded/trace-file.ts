/**
 * The files of traces, one for each day (UTC) or for a part of one: `2026-01-31.1.sqlite`. What was appended on that day is in
 * it, whenever the message itself began. Files are deleted whole; see docs/trace.md.
 */
import { applicationId, type FileKind } from '../../sqlite/migrate.ts';

export const TRACE_FILE: FileKind = {
  name: 'trace',
  applicationId: applicationId('PRtr'),
  migrations: [
    `
    -- What one thread saw of one trace in a quarter of a second: a JSON list of [atMs, event, fields].
    CREATE TABLE part (
      id TEXT NOT NULL,
      number INTEGER NOT NULL,
      entries TEXT NOT NULL,
      PRIMARY KEY (id, number)
    ) STRICT, WITHOUT ROWID;
    -- By what traces are found: a row for each key of each batch, with the ids in it and spaces between. Keys come in any
    -- order: a chunk is so small that its pages stay in memory while it is filled, and is never written again. Whoever
    -- looks for a key looks into each chunk.
    CREATE TABLE lookup (
      chunk INTEGER NOT NULL,
      key TEXT NOT NULL,
      number INTEGER NOT NULL,
      ids TEXT NOT NULL,
      PRIMARY KEY (chunk, key, number)
    ) STRICT, WITHOUT ROWID;
    -- The highest id in it.
    CREATE TABLE chunk (
      number INTEGER PRIMARY KEY,
      highest TEXT NOT NULL
    ) STRICT;
    `,
  ],
};

/** One file of the folder, by its name. */
export type TraceFileName = {
  readonly name: string;
  /** The day's first millisecond, and the next day's. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly number: number;
};

const DAY_MS = 86_400_000;
const NAME = /^(\d{4}-\d\d-\d\d)\.(\d{1,9})\.sqlite$/;

export function toFileName(name: string): TraceFileName | undefined {
  const [, day, number] = NAME.exec(name) ?? [];
  const fromMs = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(fromMs)) return undefined;
  return { name, fromMs, untilMs: fromMs + DAY_MS, number: Number(number) };
}

export function fileNameAt(nowMs: number, number: number): TraceFileName {
  const fromMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  const day = new Date(fromMs).toISOString().slice(0, '2026-01-31'.length);
  return { name: `${day}.${number}.sqlite`, fromMs, untilMs: fromMs + DAY_MS, number };
}

/** The oldest first. */
export function sortFiles(names: readonly string[]): readonly TraceFileName[] {
  return names
    .map(toFileName)
    .filter((file) => file !== undefined)
    .toSorted((left, right) => left.fromMs - right.fromMs || left.number - right.number);
}
