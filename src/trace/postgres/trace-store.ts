/**
 * Traces in PostgreSQL, as one thread appends and reads them. Appending waits for no disk. Each part of a day has its
 * partitions; who finds that they are missing, or full, makes the next, and drops those that are beyond the bounds. Those that
 * are being written stay.
 */
import type { Clock } from '../../base/clock.ts';
import type { Postgres } from '../../postgres/postgres.ts';
import { sqlState } from '../../postgres/sql-state.ts';
import { numberAt, textAt } from '../../sqlite/database.ts';
import { decodeEntries } from '../entry-form.ts';
import { AFTER_ALL_IDS, inOrder } from '../trace-store.ts';
import type { TraceBounds, TraceEntry, TraceBatch, TraceQuery, TraceStore } from '../trace-store.ts';
import { compareParts, dayOf, NEXT_PART, partitionsOf, partOf, TRACE_SQL } from './trace-tables.ts';

export type PostgresTraceOptions = {
  /** Migrated. */
  readonly postgres: Postgres;
  readonly bounds: TraceBounds;
  readonly clock: Clock;
};

const DAY_MS = 86_400_000;
/** Between two looks at the bounds. */
const LOOK_MS = 60_000;
/** What goes at once, where what is kept is too large. */
const PARTS_OF_ALL = 8;
const WRITING = 'Writing traces';
const READING = 'Reading traces';
/** Another made, or dropped, the same table at the same moment. */
const MEANWHILE = new Set(['42P07', '42P17', '23505', '42P01']);
/** The rows' partition is gone. */
const NO_PARTITION = '23514';

export class PostgresTraceStore implements TraceStore {
  readonly #options: PostgresTraceOptions;
  /** What is being written. */
  #part: number | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #lastNumber = 0;

  constructor(options: PostgresTraceOptions) {
    this.#options = options;
  }

  async append(batch: TraceBatch): Promise<void> {
    if (batch.parts.length === 0) return;
    try {
      await this.#write(batch);
    } catch (cause) {
      if (sqlState(cause) !== NO_PARTITION) throw cause;
      // Another thread had room made meanwhile.
      this.#part = undefined;
      await this.#write(batch);
    }
  }

  async #write({ parts, keys }: TraceBatch): Promise<void> {
    const { postgres, clock } = this.#options;
    const nowMs = clock.nowMs();
    const part = await this.#partOf(Math.floor(nowMs / DAY_MS));
    this.#lastNumber = Math.max(this.#lastNumber + 1, Math.trunc(nowMs) * 1000);
    const number = this.#lastNumber;
    const found = [...keys].flatMap(([key, ids]) => ids.split(' ').map((id) => [key, id] as const));
    await postgres.transaction(
      WRITING,
      async (transaction) => {
        transaction.write(
          TRACE_SQL.insertParts,
          part,
          number,
          parts.map(({ id }) => id),
          parts.map(({ entries }) => entries),
        );
        transaction.write(
          TRACE_SQL.insertKeys,
          part,
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

  /** Where to write today; now and then what is beyond the bounds goes. */
  async #partOf(today: number): Promise<number> {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#part;
    if (known !== undefined && dayOf(known) === today && nowMs - this.#lookedMs < LOOK_MS) return known;
    this.#lookedMs = nowMs;
    const sizes = await this.#sizes();
    const last = [...sizes.keys()]
      .filter((part) => dayOf(part) === today)
      .toSorted(compareParts)
      .at(-1);
    const isFull = (sizes.get(last ?? today) ?? 0) > this.#options.bounds.octetsMax / PARTS_OF_ALL;
    const part = isFull ? (last ?? today) + NEXT_PART : (last ?? today);
    if (!sizes.has(part))
      for (const { make } of partitionsOf(part))
        // oxlint-disable-next-line no-await-in-loop -- one table after the other, a few times a day
        await this.#alter(make);
    this.#part = part;
    await this.#expire(sizes, part);
    return part;
  }

  /** Of each part, with its indexes. */
  async #sizes(): Promise<ReadonlyMap<number, number>> {
    const sizes = new Map<number, number>();
    for (const row of await this.#options.postgres.rows(WRITING, TRACE_SQL.partitions)) {
      const part = partOf(textAt(row, 0));
      if (part !== undefined) sizes.set(part, (sizes.get(part) ?? 0) + numberAt(row, 1));
    }
    return sizes;
  }

  async #expire(sizes: ReadonlyMap<number, number>, written: number): Promise<void> {
    const { bounds } = this.#options;
    let octets = 0;
    for (const [part, size] of [...sizes].toSorted(([one], [other]) => compareParts(other, one))) {
      octets += size;
      const isOver = octets > bounds.octetsMax || (dayOf(written) - dayOf(part)) * DAY_MS > bounds.keptMs;
      if (!isOver || compareParts(part, written) >= 0) continue;
      for (const { name } of partitionsOf(part))
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
