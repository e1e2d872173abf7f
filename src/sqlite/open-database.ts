/**
 * Opens SQLite files the one way all of ours are opened: WAL, every commit synced, identity checked, migrated.
 *
 * Errors: `DatabaseRefused` for a file that is not ours, newer than this program, or (read only) not yet migrated;
 * `Fault` when the disk refuses.
 */
import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../base/fault.ts';
import { syncFolderSync } from '../disk/folder.ts';
import { Database, isWorldError } from './database.ts';
import { migrate, readIdentity } from './migrate.ts';
import type { FileKind } from './migrate.ts';

export type DatabaseOptions = {
  /** Opens for reading only; the file must exist and be of the current version. */
  readonly readOnly?: boolean;
  /** Upper bound of the page cache in KiB; filled as pages are used. */
  readonly cacheKib?: number;
  /** Pages of 4 KiB the file may have; more gives SQLITE_FULL. For tests and small disks. */
  readonly pagesMax?: number;
};

/** Milliseconds to wait for another connection's lock; only opening, closing and recovery of a WAL ever hold one. */
const BUSY_TIMEOUT_MS = 5000;
/** Pages of WAL after which a commit also checkpoints: 16 MiB. */
const CHECKPOINT_PAGES = 4096;
/** A WAL that grew beyond this is cut back to it when it starts again. */
const WAL_OCTETS_KEPT = 33_554_432;
const MODE = 0o600;
const WRITER_CACHE_KIB = 4096;
const READER_CACHE_KIB = 512;

/**
 * Opens a file of a kind, making or migrating it first. Throws `DatabaseRefused` and `Fault`.
 *
 * @param file a path, or ':memory:'
 */
export function openDatabase(file: string, kind: FileKind, options: DatabaseOptions = {}): Database {
  const isNew = file !== ':memory:' && !existsSync(file);
  const readOnly = options.readOnly === true;
  let connection: DatabaseSync;
  try {
    if (file !== ':memory:' && !readOnly) makePrivate(file, isNew);
    connection = new DatabaseSync(file, {
      readOnly,
      timeout: BUSY_TIMEOUT_MS,
      enableForeignKeyConstraints: false,
    });
  } catch (cause) {
    throw new Fault(`Opening the database ${file}`, cause);
  }
  const database = new Database(file, connection);
  try {
    readIdentity(database, kind, readOnly);
    database.exec(
      `PRAGMA cache_size = -${options.cacheKib ?? (readOnly ? READER_CACHE_KIB : WRITER_CACHE_KIB)}`,
    );
    if (!readOnly) {
      // Before the first page is written, or it has no effect on a new file.
      database.prepare('PRAGMA journal_mode = WAL').row();
      database.setSynced(true);
      database.prepare(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`).row();
      database.prepare(`PRAGMA journal_size_limit = ${WAL_OCTETS_KEPT}`).row();
      migrate(database, kind);
      if (options.pagesMax !== undefined)
        database.prepare(`PRAGMA max_page_count = ${options.pagesMax}`).row();
      if (isNew) syncFolderSync(dirname(file));
    }
  } catch (cause) {
    database.close();
    throw isWorldError(cause) ? new Fault(`Opening the database ${file}`, cause) : cause;
  }
  return database;
}

/**
 * For its owner only: secrets and mail are in it. SQLite gives the files beside it the same mode. What exists is never opened
 * here: closing it would take away the locks that other connections of this process hold on it.
 */
function makePrivate(file: string, isNew: boolean): void {
  if (isNew) closeSync(openSync(file, 'a', MODE));
  else chmodSync(file, MODE);
}
