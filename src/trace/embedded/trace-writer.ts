/**
 * The one who writes the folder of traces: appends to the file of the day, begins a new one when the day is over or the file
 * has grown to its share, and deletes the oldest ones beyond the bounds. Commits ask for no sync of their own: a power cut
 * may take the last seconds, never the file.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { isWorldError } from '../../sqlite/database.ts';
import type { Database, Statement } from '../../sqlite/database.ts';
import { DatabaseRefused } from '../../sqlite/migrate.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { TraceBatch, TraceBounds } from '../trace-store.ts';
import { fileNameAt, sortFiles, TRACE_FILE, type TraceFileName } from './trace-file.ts';

/** A {@link TraceBatch} as flat lists, which cross threads at the least cost: id, entries, id …, and key, ids, key … */
export type FlatBatch = { readonly parts: readonly string[]; readonly keys: readonly string[] };

export type TraceOperations = {
  append(batch: FlatBatch): void;
};

export function flatten({ parts, keys }: TraceBatch): FlatBatch {
  return { parts: parts.flatMap(({ id, entries }) => [id, entries]), keys: [...keys].flat() };
}

export type TraceWriterOptions = TraceBounds & {
  /** Made if it is missing. */
  readonly folder: string;
  readonly nowMs: () => number;
};

/** A file is as large as this part of the whole: so much goes at once when the room is over. */
const FILES = 8;
/** Appended between two looks at how large the file has become. */
const LOOK_OCTETS = 4_194_304;
/** Some four keys for each part: about 4 MiB of pages. */
const CHUNK_PARTS = 16_384;
const DATABASE = { cacheKib: 16_384 } as const;

type Current = {
  readonly file: TraceFileName;
  readonly database: Database;
  readonly insertPart: Statement;
  readonly insertKey: Statement;
  readonly setHighest: Statement;
  chunk: number;
  /** Parts in the chunk. */
  parts: number;
};

export class TraceWriter implements Disposable {
  readonly #options: TraceWriterOptions;
  #current: Current | undefined;
  #unseenOctets = 0;
  #lastNumber = 0;

  /** Throws `Fault`. */
  constructor(options: TraceWriterOptions) {
    this.#options = options;
    this.#onDisk('Opening the traces', () => mkdirSync(options.folder, { recursive: true, mode: 0o700 }));
    this.#recover();
    this.#expire();
  }

  /** One transaction. Throws `Fault`: then none of it is there, and the next call begins anew. */
  append({ parts, keys }: FlatBatch): void {
    if (parts.length === 0) return;
    const current = this.#ready();
    const { database, insertPart, insertKey, setHighest } = current;
    this.#lastNumber = Math.max(this.#lastNumber + 1, Math.trunc(this.#options.nowMs()) * 1000);
    if (current.parts >= CHUNK_PARTS) {
      current.chunk += 1;
      current.parts = 0;
    }
    let highest = '';
    try {
      database.begin();
      for (let at = 0; at + 1 < parts.length; at += 2) {
        const id = parts[at] ?? '';
        const entries = parts[at + 1] ?? '';
        insertPart.run(id, this.#lastNumber, entries);
        if (id > highest) highest = id;
        this.#unseenOctets += entries.length;
      }
      for (let at = 0; at + 1 < keys.length; at += 2)
        insertKey.run(current.chunk, keys[at] ?? '', this.#lastNumber, keys[at + 1] ?? '');
      setHighest.run(current.chunk, highest);
      database.commit();
      current.parts += parts.length / 2;
    } catch (cause) {
      this.#abandon();
      throw isWorldError(cause) ? new Fault('Writing traces', cause) : cause;
    }
  }

  [Symbol.dispose](): void {
    this.#current?.database.close();
    this.#current = undefined;
  }

  #ready(): Current {
    const nowMs = this.#options.nowMs();
    const { file } = this.#current ?? {};
    // A clock that goes back does not make files go back.
    if (
      file !== undefined &&
      nowMs < file.untilMs &&
      this.#unseenOctets < LOOK_OCTETS &&
      this.#current !== undefined
    )
      return this.#current;
    this.#unseenOctets = 0;
    const isOver = file === undefined || nowMs >= file.untilMs || this.#octetsOf(file) >= this.#fileOctetsMax;
    if (!isOver && this.#current !== undefined) return this.#current;
    this[Symbol.dispose]();
    this.#current = this.#open(nowMs);
    this.#expire();
    return this.#current;
  }

  get #fileOctetsMax(): number {
    return this.#options.octetsMax / FILES;
  }

  /** The last file goes on where it is of this day and has room. */
  #open(nowMs: number): Current {
    const today = fileNameAt(nowMs, 1);
    const last = this.#files().findLast(({ fromMs }) => fromMs >= today.fromMs);
    const next = last === undefined ? today : fileNameAt(last.fromMs, last.number + 1);
    const hasRoom = last !== undefined && this.#octetsOf(last) < this.#fileOctetsMax;
    const goesOn = hasRoom ? this.#openSound(last) : undefined;
    const file = goesOn === undefined || last === undefined ? next : last;
    const database = goesOn ?? openDatabase(join(this.#options.folder, next.name), TRACE_FILE, DATABASE);
    database.setSynced(false);
    return {
      file,
      database,
      insertPart: database.prepare('INSERT INTO part VALUES (?, ?, ?)'),
      insertKey: database.prepare('INSERT INTO lookup VALUES (?, ?, ?, ?)'),
      setHighest: database.prepare(
        'INSERT INTO chunk VALUES (?, ?) ON CONFLICT DO UPDATE SET highest = max(highest, excluded.highest)',
      ),
      chunk: Number(database.prepare('SELECT coalesce(max(number) + 1, 0) FROM chunk').row()?.[0] ?? 0),
      parts: 0,
    };
  }

  /** Undefined for a file that is damaged, or none of ours: the next one is begun, and whoever reads is told. */
  #openSound({ name }: TraceFileName): Database | undefined {
    try {
      return openDatabase(join(this.#options.folder, name), TRACE_FILE, DATABASE);
    } catch (cause) {
      if (cause instanceof DatabaseRefused || isWorldError(cause) || cause instanceof Fault) return undefined;
      throw cause;
    }
  }

  /** What a crash left in a WAL is put into its file, so that it can be read without writing. */
  #recover(): void {
    const names = new Set(this.#onDisk('Reading the traces', () => readdirSync(this.#options.folder)));
    for (const file of sortFiles([...names]))
      if (names.has(`${file.name}-wal`)) this.#openSound(file)?.close();
  }

  #expire(): void {
    const files = this.#files();
    const current = this.#current?.file.name;
    const beforeMs = this.#options.nowMs() - this.#options.keptMs;
    let octets = 0;
    for (const file of files.toReversed()) {
      octets += this.#octetsOf(file);
      const isOver = octets > this.#options.octetsMax || file.untilMs <= beforeMs;
      if (isOver && file.name !== current) this.#remove(file);
    }
  }

  #remove({ name }: TraceFileName): void {
    const path = join(this.#options.folder, name);
    this.#onDisk('Deleting old traces', () => {
      for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
    });
  }

  /** The transaction was not taken; the file is opened anew by the next. */
  #abandon(): void {
    try {
      this.#current?.database.rollback();
      this[Symbol.dispose]();
    } catch {
      // What cannot even be undone is closed all the same.
      this.#current = undefined;
    }
  }

  #files(): readonly TraceFileName[] {
    return this.#onDisk('Reading the traces', () => sortFiles(readdirSync(this.#options.folder)));
  }

  #octetsOf({ name }: TraceFileName): number {
    const path = join(this.#options.folder, name);
    const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    return this.#onDisk('Reading the traces', () => sizeOf(path) + sizeOf(`${path}-wal`));
  }

  #onDisk<Answer>(doing: string, run: () => Answer): Answer {
    try {
      return run();
    } catch (cause) {
      throw new Fault(`${doing} in ${this.#options.folder}`, cause);
    }
  }
}
