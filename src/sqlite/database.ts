/**
 * One connection to one SQLite file: statements prepared once, rows as arrays, transactions with callbacks.
 *
 * Throws SQLite's own errors: `isWorldError` tells a full or broken disk from a bug in a statement.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { Fault } from '../base/fault.ts';

export type Value = SQLInputValue;
export type Row = readonly SQLOutputValue[];

function isRow(value: unknown): value is Row {
  return Array.isArray(value);
}

function isRows(value: unknown): value is readonly Row[] {
  return Array.isArray(value) && (value.length === 0 || isRow(value[0]));
}

/** One prepared statement. Parameters are given by place. */
export class Statement {
  readonly #statement: StatementSync;
  #givesBigInts = false;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    statement.setReturnArrays(true);
  }

  /**
   * The rowid that was inserted last comes with whatever is run; full-text tables have rowids beyond 2^53 within, and one
   * that failed leaves such a one behind: as a number it would be refused, after the statement was done.
   */
  #gives(bigInts: boolean): StatementSync {
    if (this.#givesBigInts !== bigInts) this.#statement.setReadBigInts(bigInts);
    this.#givesBigInts = bigInts;
    return this.#statement;
  }

  rows(...values: readonly Value[]): readonly Row[] {
    const rows: unknown = this.#gives(false).all(...values);
    if (!isRows(rows)) throw new TypeError('SQLite gave rows that are no arrays');
    return rows;
  }

  row(...values: readonly Value[]): Row | undefined {
    const row: unknown = this.#gives(false).get(...values);
    return isRow(row) ? row : undefined;
  }

  /** Gives the number of rows changed. */
  run(...values: readonly Value[]): number {
    return Number(this.#gives(true).run(...values).changes);
  }

  /** As `run`, and gives the rowid of the row inserted. */
  insert(...values: readonly Value[]): number {
    return Number(this.#gives(true).run(...values).lastInsertRowid);
  }
}

export class Database {
  readonly file: string;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, Statement>();
  readonly #rollbackListeners: (() => void)[] = [];
  #afterCommit: (() => void)[] = [];

  constructor(file: string, connection: DatabaseSync) {
    this.file = file;
    this.#connection = connection;
  }

  /** The statement of this text, prepared at its first use. Texts are constants: the cache has no other bound. */
  prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = new Statement(this.#connection.prepare(sql));
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs statements without parameters and without rows. */
  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  get inTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /** Reads of one instant: everything `read` asks sees the same commit. Keep it short; a WAL cannot shrink under it. */
  snapshot<Answer>(read: () => Answer): Answer {
    if (this.inTransaction) return read();
    this.prepare('BEGIN').run();
    try {
      return read();
    } finally {
      // SQLite has rolled back by itself where the disk failed.
      if (this.inTransaction) this.prepare('COMMIT').run();
    }
  }

  begin(): void {
    this.prepare('BEGIN IMMEDIATE').run();
  }

  /** Resolves nothing by itself: when it returns, the transaction is on stable storage. A throw leaves it open. */
  commit(): void {
    this.prepare('COMMIT').run();
    const callbacks = this.#afterCommit;
    this.#afterCommit = [];
    for (const callback of callbacks) callback();
  }

  /** Safe to call when SQLite has rolled back by itself (a full disk). */
  rollback(): void {
    this.#afterCommit = [];
    if (this.inTransaction) this.prepare('ROLLBACK').run();
    for (const listener of this.#rollbackListeners) listener();
  }

  savepoint(): void {
    this.prepare('SAVEPOINT operation').run();
  }

  releaseSavepoint(): void {
    this.prepare('RELEASE operation').run();
  }

  /** Undoes what ran since the savepoint, callbacks for after the commit included. */
  undoSavepoint(afterCommitKept: number): void {
    this.#afterCommit.length = afterCommitKept;
    this.prepare('ROLLBACK TO operation').run();
    this.prepare('RELEASE operation').run();
    for (const listener of this.#rollbackListeners) listener();
  }

  /** Calls back once the running transaction is on stable storage; never if it is rolled back. */
  afterCommit(callback: () => void): void {
    this.#afterCommit.push(callback);
  }

  get afterCommitCount(): number {
    return this.#afterCommit.length;
  }

  /** For operations that keep rows in memory: forget them, the rows are as before the transaction. */
  onRollback(listener: () => void): void {
    this.#rollbackListeners.push(listener);
  }

  /** Commits without a sync of their own become durable with the next synced commit (the WAL is one file). */
  setSynced(synced: boolean): void {
    this.exec(synced ? 'PRAGMA synchronous = FULL' : 'PRAGMA synchronous = NORMAL');
  }

  close(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }
}

/** Primary result codes that come from the disk, its fullness, locks or damage, and not from a wrong statement. */
const WORLD_CODES = new Set([
  5, // SQLITE_BUSY
  7, // SQLITE_NOMEM
  8, // SQLITE_READONLY
  9, // SQLITE_INTERRUPT
  10, // SQLITE_IOERR
  11, // SQLITE_CORRUPT
  13, // SQLITE_FULL
  14, // SQLITE_CANTOPEN
  15, // SQLITE_PROTOCOL
  22, // SQLITE_NOLFS
  26, // SQLITE_NOTADB
]);

/** The primary result code of an error of SQLite; `undefined` for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}

export function isWorldError(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && WORLD_CODES.has(code);
}

/** Reads that meet a fault of the world throw `Fault`; bugs stay what they are. */
export function reading<Answer>(doing: string, read: () => Answer): Answer {
  try {
    return read();
  } catch (cause) {
    throw isWorldError(cause) ? new Fault(doing, cause) : cause;
  }
}

function wrongColumn(row: Row, column: number, want: string): TypeError {
  return new TypeError(
    `Column ${column} is ${row[column] === null ? 'NULL' : typeof row[column]}, not ${want}`,
  );
}

export function numberAt(row: Row, column: number): number {
  const value = row[column];
  if (typeof value !== 'number') throw wrongColumn(row, column, 'a number');
  return value;
}

/** NULL is `undefined`. */
export function optionalNumberAt(row: Row, column: number): number | undefined {
  return row[column] === null ? undefined : numberAt(row, column);
}

export function textAt(row: Row, column: number): string {
  const value = row[column];
  if (typeof value !== 'string') throw wrongColumn(row, column, 'text');
  return value;
}

/** NULL is `undefined`. */
export function optionalTextAt(row: Row, column: number): string | undefined {
  return row[column] === null ? undefined : textAt(row, column);
}

export function octetsAt(row: Row, column: number): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw wrongColumn(row, column, 'octets');
  return value;
}
