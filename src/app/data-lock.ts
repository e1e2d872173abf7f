/**
 * One post office, one data directory. The lock is SQLite's own on the file `lock`: the kernel lets go of it when its
 * process ends, however it ends, so no lock is ever left behind and no process number is ever mistaken. Beside it,
 * `lock.json` says who holds it, for the message to whoever comes second.
 *
 * Never open `lock` by other means within the process: closing any handle of it would drop the lock (POSIX fcntl).
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../base/fault.ts';
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import { sqliteCode } from '../sqlite/database.ts';

const SQLITE_BUSY = 5;

export type DataLockHolder = {
  readonly pid: number;
  /** 'postrider serve', 'postrider account' … */
  readonly what: string;
  readonly sinceMs: number;
};

/** Somebody else has the data directory; `holder` is undefined where they have not said who they are yet. */
export type DataInUse = { readonly kind: 'in-use'; readonly holder: DataLockHolder | undefined };

export type DataLock = {
  /** Idempotent. */
  release(): Promise<void>;
};

/**
 * Throws `Fault` where the directory cannot be written.
 *
 * @param dataDirectory exists
 */
export async function takeDataLock(
  dataDirectory: string,
  holder: DataLockHolder,
): Promise<Result<DataLock, DataInUse>> {
  const holderFile = join(dataDirectory, 'lock.json');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(dataDirectory, 'lock'), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if (sqliteCode(cause) === SQLITE_BUSY)
      return err({ kind: 'in-use', holder: await readHolder(holderFile) });
    throw new Fault(`Locking the data directory ${dataDirectory}`, cause);
  }
  const held = database;
  const release = async (): Promise<void> => {
    if (!held.isOpen) return;
    await rm(holderFile, { force: true });
    if (held.isOpen) held.close();
  };
  try {
    await writeFile(holderFile, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  } catch (cause) {
    held.close();
    throw new Fault(`Locking the data directory ${dataDirectory}`, cause);
  }
  return ok({ release });
}

/** `The data directory "/srv/mail" is in use by postrider serve (process 4711, since 2026-01-01T00:00:00Z)` */
export function describeInUse(dataDirectory: string, { holder }: DataInUse): string {
  const who =
    holder === undefined
      ? 'another process'
      : `${holder.what} (process ${holder.pid}, since ${new Date(holder.sinceMs).toISOString()})`;
  return `The data directory ${JSON.stringify(dataDirectory)} is in use by ${who}`;
}

async function readHolder(file: string): Promise<DataLockHolder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return isHolder(value) ? value : undefined;
  } catch {
    // It is written after the lock is taken, and removed before it is released: there may be none, or half of one.
    return undefined;
  }
}

function isHolder(value: unknown): value is DataLockHolder {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'what' in value &&
    typeof value.what === 'string' &&
    'sinceMs' in value &&
    typeof value.sinceMs === 'number'
  );
}
