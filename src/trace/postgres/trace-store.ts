/**
 * Traces in PostgreSQL, as one thread appends and reads them. Appending waits for no disk. Each day has its partitions; who
 * finds that they are missing makes them, and drops those that are beyond the bounds. The day that is being written stays.
 */
import type { Clock } from '../../base/clock.ts';
import type { Postgres } from '../../postgres/postgres.ts';
import { sqlState } from '../../postgres/sql-state.ts';
import { numberAt, textAt } from '../../sqlite/database.ts';
import { decodeEntries } from '../entry-form.ts';
import { AFTER_ALL_IDS, inOrder } from '../trace-store.ts';
import type { TraceBounds, TraceEntry, TraceBatch, TraceQuery, TraceStore } from '../trace-store.ts';
import { dayOf, partitionsOf, TRACE_SQL } from './trace-tables.ts';

export type PostgresTraceOptions = {
  /** Migrated. */
  readonly postgres: Postgres;
  readonly bounds: TraceBounds;
  readonly clock: Clock;
};

const DAY_MS = 86_400_000;
/** Between two looks at the bounds. */
const EXPIRE_MS = 3_600_000;
const WRITING = 'Writing traces';
const READING = 'Reading traces';
/** Another made, or dropped, the same table at the same moment. */
const MEANWHILE = new Set(['42P07', '42P17', '23505', '42P01']);

export class PostgresTraceStore implements TraceStore {
  readonly #options: PostgresTraceOptions;
  #madeDay: number | undefined;
  #expiredMs = Number.NEGATIVE_INFINITY;
  #lastNumber = 0;

  constructor(options: PostgresTraceOptions) {
    this.#options = options;
  }

  async append({ parts, keys }: TraceBatch): Promise<void> {
    if (parts.length === 0) return;
    const { postgres, clock } = this.#options;
    const nowMs = clock.nowMs();
    const day = Math.floor(nowMs / DAY_MS);
    if (this.#madeDay !== day) await this.#makeDay(day);
    if (clock.monotonicMs() - this.#expiredMs >= EXPIRE_MS) {
      this.#expiredMs = clock.monotonicMs();
      await this.#expire(day);
    }
    this.#lastNumber = Math.max(this.#lastNumber + 1, Math.trunc(nowMs) * 1000);
    const number = this.#lastNumber;
    const found = [...keys].flatMap(([key, ids]) => ids.split(' ').map((id) => [key, id] as const));
    await postgres.transaction(
      WRITING,
      async (transaction) => {
        transaction.write(
          TRACE_SQL.insertParts,
          day,
          number,
          parts.map(({ id }) => id),
          parts.map(({ entries }) => entries),
        );
        transaction.write(
          TRACE_SQL.insertKeys,
          day,
          found.map(([key]) => key),
          found.map(([, id]) => id),
        );
      },
      { lazy: true },
    );
  }

  async read(ids: readonly string[]): Promise<ReadonlyMap<string, readonly TraceEntry[]>> {
    const found = new Map<string, TraceEntry[]>();
    if (ids.length === 0) return found;
    for (const row of await this.#options.postgres.rows(READING, TRACE_SQL.parts, ids)) {
      const id = textAt(row, 0);
      const more = decodeEntries(textAt(row, 1));
      const entries = found.get(id);
      if (entries === undefined) found.set(id, [...more]);
      else entries.push(...more);
    }
    return new Map([...found].map(([id, entries]) => [id, inOrder(entries)]));
  }

  async find({ key, from = '', before = AFTER_ALL_IDS, limit }: TraceQuery): Promise<readonly string[]> {
    const { postgres } = this.#options;
    const rows =
      key === undefined
        ? await postgres.rows(READING, TRACE_SQL.ids, from, before, limit)
        : await postgres.rows(READING, TRACE_SQL.idsOfKey, key, from, before, limit);
    return rows.map((row) => textAt(row, 0));
  }

  async #makeDay(day: number): Promise<void> {
    for (const { make } of partitionsOf(day))
      // oxlint-disable-next-line no-await-in-loop -- one table after the other, once a day
      await this.#alter(make);
    this.#madeDay = day;
  }

  async #expire(today: number): Promise<void> {
    const { postgres, bounds } = this.#options;
    const sizes = new Map<number, number>();
    for (const row of await postgres.rows(WRITING, TRACE_SQL.partitions)) {
      const day = dayOf(textAt(row, 0));
      if (day !== undefined) sizes.set(day, (sizes.get(day) ?? 0) + numberAt(row, 1));
    }
    let octets = 0;
    for (const [day, size] of [...sizes].toSorted(([left], [right]) => right - left)) {
      octets += size;
      const isOver = octets > bounds.octetsMax || (today - day) * DAY_MS > bounds.keptMs;
      if (!isOver || day >= today) continue;
      for (const { name } of partitionsOf(day))
        // oxlint-disable-next-line no-await-in-loop -- the same
        await this.#alter(`DROP TABLE IF EXISTS ${name}`);
    }
  }

  /** Another thread or host may do the same at the same moment: once is enough. */
  async #alter(statement: string): Promise<void> {
    try {
      await this.#options.postgres.transaction(WRITING, (transaction) => transaction.exec(statement));
    } catch (cause) {
      if (!MEANWHILE.has(sqlState(cause) ?? '')) throw cause;
    }
  }
}
