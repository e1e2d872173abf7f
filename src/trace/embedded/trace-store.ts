/** Traces in a folder of SQLite files: written by one thread for all, read by whoever asks. */
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { queueIdTimeMs, firstIdAt } from '../../queue/queue-id.ts';
import { toQueueId } from '../../queue/queue.ts';
import { numberAt, reading, textAt, type Database, type Row } from '../../sqlite/database.ts';
import { DatabaseRefused } from '../../sqlite/migrate.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { startThread, type Writer, type WriterThread } from '../../sqlite/writer.ts';
import { decodeEntries } from '../entry-form.ts';
import type { TraceKey } from '../trace-key.ts';
import { AFTER_ALL_IDS, inOrder } from '../trace-store.ts';
import type {
  TraceBounds,
  TraceEntry,
  TraceBatch,
  TraceQuery,
  TraceReader,
  TraceSink,
} from '../trace-store.ts';
import { sortFiles, TRACE_FILE, type TraceFileName } from './trace-file.ts';
import { flatten, type TraceOperations } from './trace-writer.ts';

/** The name by which the thread's writer is asked for. */
export const TRACE_WRITER = 'trace';

/** Throws `Fault`. */
export async function startTraceWriter(folder: string, bounds: TraceBounds): Promise<WriterThread> {
  // The published package has .js where the source has .ts.
  const entry = new URL(
    `./trace-writer-thread${extname(new URL(import.meta.url).pathname)}`,
    import.meta.url,
  );
  return startThread(entry, { folder, ...bounds }, 'writer trace');
}

export class EmbeddedTraceSink implements TraceSink {
  readonly #writer: Writer<TraceOperations>;

  constructor(writer: Writer<TraceOperations>) {
    this.#writer = writer;
  }

  async append(batch: TraceBatch): Promise<void> {
    if (batch.parts.length > 0) await this.#writer.call('append', flatten(batch));
  }
}

const SELECT_PARTS = `
  SELECT id, entries FROM part WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id, number`;
const SELECT_CHUNKS = 'SELECT number, highest FROM chunk ORDER BY number DESC';
const SELECT_IDS_OF_KEY = 'SELECT ids FROM lookup WHERE chunk = ? AND key = ?';
const SELECT_IDS = `
  SELECT DISTINCT id FROM part WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?`;
const CACHE_KIB = 2048;
/** Threads may see the hour of midnight a moment apart. */
const SLACK_MS = 3_600_000;

export class EmbeddedTraceReader implements TraceReader, Disposable {
  readonly #folder: string;
  readonly #open = new Map<string, Database>();

  /** @param folder need not be there yet */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(ids: readonly string[]): Promise<ReadonlyMap<string, readonly TraceEntry[]>> {
    const found = new Map<string, TraceEntry[]>();
    const firstMs = Math.min(...ids.map((id) => timeOf(id)));
    for (const file of this.#files()) {
      // What a message did stands in no file of a day before it came.
      if (file.untilMs + SLACK_MS < firstMs) continue;
      const rows = this.#in(file, (database) => database.prepare(SELECT_PARTS).rows(JSON.stringify(ids)));
      for (const row of rows ?? []) {
        const id = textAt(row, 0);
        const entries = found.get(id);
        const more = decodeEntries(textAt(row, 1));
        if (entries === undefined) found.set(id, [...more]);
        else entries.push(...more);
      }
    }
    return new Map([...found].map(([id, entries]) => [id, inOrder(entries)]));
  }

  async find(query: TraceQuery): Promise<readonly string[]> {
    const newest = new Newest(query);
    for (const file of this.#files().toReversed()) {
      if (newest.isSettled(firstIdAt(file.untilMs + SLACK_MS))) break;
      this.#in(file, (database) => {
        if (query.key === undefined) newest.take(textsOf(database.prepare(SELECT_IDS).rows(...newest.range)));
        else this.#findKey(database, query.key, newest);
      });
    }
    return newest.ids;
  }

  #findKey(database: Database, key: TraceKey, newest: Newest): void {
    for (const chunk of database.prepare(SELECT_CHUNKS).rows()) {
      if (newest.isSettled(textAt(chunk, 1))) continue;
      const lists = textsOf(database.prepare(SELECT_IDS_OF_KEY).rows(numberAt(chunk, 0), key));
      newest.take(lists.flatMap((ids) => ids.split(' ')));
    }
  }

  [Symbol.dispose](): void {
    for (const database of this.#open.values()) database.close();
    this.#open.clear();
  }

  /** The oldest first. Those that were deleted are let go of. */
  #files(): readonly TraceFileName[] {
    const files = sortFiles(this.#list());
    const names = new Set(files.map(({ name }) => name));
    for (const [name, database] of this.#open) {
      if (names.has(name)) continue;
      database.close();
      this.#open.delete(name);
    }
    return files;
  }

  #list(): readonly string[] {
    try {
      return readdirSync(this.#folder);
    } catch (cause) {
      if (isMissing(cause)) return [];
      throw new Fault(`Reading the traces in ${this.#folder}`, cause);
    }
  }

  /** Undefined where the file has just been deleted, or is just being made. */
  #in<Answer>({ name }: TraceFileName, read: (database: Database) => Answer): Answer | undefined {
    let database = this.#open.get(name);
    if (database === undefined) {
      try {
        database = openDatabase(join(this.#folder, name), TRACE_FILE, {
          readOnly: true,
          cacheKib: CACHE_KIB,
        });
      } catch (cause) {
        const isBegun = cause instanceof DatabaseRefused && cause.refusal.kind === 'older';
        if (isBegun || !this.#list().includes(name)) return undefined;
        throw new Fault(`Reading the traces of ${name}`, cause);
      }
      this.#open.set(name, database);
    }
    const opened = database;
    return reading(`Reading the traces of ${name}`, () => read(opened));
  }
}

/** The highest ids of a query, gathered from one place after the other. */
class Newest {
  readonly range: readonly [from: string, before: string, limit: number];
  #ids: readonly string[] = [];

  constructor({ from = '', before = AFTER_ALL_IDS, limit }: TraceQuery) {
    this.range = [from, before, limit];
  }

  get ids(): readonly string[] {
    return this.#ids;
  }

  /** Whether a place whose highest id this is has nothing to add. */
  isSettled(highest: string): boolean {
    const [from, , limit] = this.range;
    const least = this.#ids.at(limit - 1);
    return highest < from || (least !== undefined && highest <= least);
  }

  take(ids: readonly string[]): void {
    const [from, before, limit] = this.range;
    const wanted = ids.filter((id) => id >= from && id < before);
    if (wanted.length === 0) return;
    const all = [...new Set([...this.#ids, ...wanted])];
    this.#ids = all.toSorted((left, right) => (left < right ? 1 : -1)).slice(0, limit);
  }
}

function textsOf(rows: readonly Row[]): readonly string[] {
  return rows.map((row) => textAt(row, 0));
}

/** When a trace began; 0 where its id does not say. */
function timeOf(id: string): number {
  const queueId = toQueueId(id);
  return queueId === undefined ? 0 : (queueIdTimeMs(queueId) ?? 0);
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}
