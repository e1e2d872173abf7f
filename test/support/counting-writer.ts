/** A kind of file for the tests and the bench of the SQLite engine: a table of numbers, and ways to fail. */
import type { Database } from '../../src/sqlite/database.ts';
import { applicationId } from '../../src/sqlite/migrate.ts';
import type { FileKind } from '../../src/sqlite/migrate.ts';

export const kind: FileKind = {
  name: 'count',
  applicationId: applicationId('PRct'),
  migrations: ['CREATE TABLE count (id INTEGER PRIMARY KEY, value INTEGER NOT NULL, body BLOB) STRICT'],
};

export type CountingOperations = {
  add(args: { readonly value: number; readonly octets?: number }): number;
  addThenThrow(args: { readonly value: number }): number;
  total(args: Record<string, never>): number;
  exit(args: Record<string, never>): number;
};

export function open(database: Database): CountingOperations {
  const add = (value: number, octets: number): number =>
    database
      .prepare('INSERT INTO count (value, body) VALUES (?, ?)')
      .insert(value, octets === 0 ? null : new Uint8Array(octets));
  return {
    add: ({ value, octets = 0 }) => add(value, octets),
    addThenThrow({ value }) {
      add(value, 0);
      throw new TypeError(`Refusing ${value}`);
    },
    total: () => Number(database.prepare('SELECT count(*) FROM count').row()?.[0]),
    exit: () => process.exit(7),
  };
}
