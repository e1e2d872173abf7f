/**
 * Whose file this is and of which version: SQLite's own `application_id` and `user_version`. Migrations are numbered
 * from 1, forward only; a newer file and a foreign file are refused by name and left as they are.
 */
import { unreachable } from '../base/unreachable.ts';
import type { Database } from './database.ts';

/** A kind of file: what it is called in messages, its mark, and the statements that lead from each version to the next. */
export type FileKind = {
  /** 'mail shard', 'queue', 'directory' */
  readonly name: string;
  /** 32 bits, unlike any other kind's: four ASCII letters read as a number. */
  readonly applicationId: number;
  /** Number 1 first. Each is run in one transaction. Never changed once it was released. */
  readonly migrations: readonly string[];
};

export type Refusal =
  | { readonly kind: 'foreign'; readonly applicationId: number }
  | { readonly kind: 'newer'; readonly version: number; readonly known: number }
  | { readonly kind: 'older'; readonly version: number; readonly known: number };

/** The file is not ours to open. Nothing was changed in it. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
  readonly file: string;
  readonly fileKind: string;
  readonly refusal: Refusal;

  constructor(file: string, fileKind: string, refusal: Refusal) {
    super(describe(file, fileKind, refusal));
    this.file = file;
    this.fileKind = fileKind;
    this.refusal = refusal;
  }
}

function describe(file: string, fileKind: string, refusal: Refusal): string {
  switch (refusal.kind) {
    case 'foreign':
      return `${JSON.stringify(file)} is not a ${fileKind} file of Postrider`;
    case 'newer':
      return (
        `${JSON.stringify(file)} is a ${fileKind} file of version ${refusal.version}, written by a newer Postrider;` +
        ` this one knows versions up to ${refusal.known}`
      );
    case 'older':
      return (
        `${JSON.stringify(file)} is a ${fileKind} file of version ${refusal.version} and must be migrated to` +
        ` ${refusal.known} before it can be read`
      );
    default:
      return unreachable(refusal);
  }
}

/** Four ASCII letters as an application id. */
export function applicationId(letters: string): number {
  return Buffer.from(letters.padEnd(4), 'latin1').readInt32BE(0);
}

function pragma(database: Database, name: string): number {
  const value = database.prepare(`PRAGMA ${name}`).row()?.[0];
  return typeof value === 'number' ? value : 0;
}

/** Refuses foreign and newer files; a file without anything in it is new. SQLITE_NOTADB counts as foreign. A reader
 * cannot migrate, so it refuses an older file too. */
export function readIdentity(database: Database, kind: FileKind, readOnly: boolean): void {
  const known = kind.migrations.length;
  let found: number;
  let version: number;
  let objects: number;
  try {
    found = pragma(database, 'application_id');
    version = pragma(database, 'user_version');
    objects = Number(database.prepare('SELECT count(*) FROM sqlite_schema').row()?.[0] ?? 0);
  } catch (cause) {
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === 26)
      throw new DatabaseRefused(database.file, kind.name, { kind: 'foreign', applicationId: 0 });
    throw cause;
  }
  const isEmpty = found === 0 && version === 0 && objects === 0;
  if (!isEmpty && found !== kind.applicationId)
    throw new DatabaseRefused(database.file, kind.name, { kind: 'foreign', applicationId: found });
  if (version > known) throw new DatabaseRefused(database.file, kind.name, { kind: 'newer', version, known });
  if (readOnly && version < known)
    throw new DatabaseRefused(database.file, kind.name, { kind: 'older', version, known });
}

/** The version of the file as it is. */
export function fileVersion(database: Database): number {
  return pragma(database, 'user_version');
}

/** Brings the file to the newest version, one durable transaction for each step. */
export function migrate(database: Database, kind: FileKind): void {
  for (let version = fileVersion(database); version < kind.migrations.length; version += 1) {
    database.begin();
    try {
      database.exec(kind.migrations[version] ?? '');
      database.exec(`PRAGMA user_version = ${version + 1}`);
      if (version === 0) database.exec(`PRAGMA application_id = ${kind.applicationId}`);
      database.commit();
    } catch (cause) {
      database.rollback();
      throw cause;
    }
  }
}
