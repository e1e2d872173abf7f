/**
 * Which version the tables of a subject have, and the way to the newest: numbered from 1, forward only, each step in one
 * transaction with the row that says so. Two that migrate at once do it once: the row's key decides.
 */
import type { Postgres } from './postgres.ts';
import { SCHEMA } from './postgres.ts';
import { PostgresRefused } from './refused.ts';
import { sqlState } from './sql-state.ts';

/** A set of tables with a history of its own. */
export type TableKind = {
  /** 'mail', 'queue', 'directory' */
  readonly name: string;
  /** Number 1 first. Never changed once it was released. */
  readonly migrations: readonly string[];
};

const UNIQUE_VIOLATION = '23505';
/** What making a table says where another host makes it at the same moment. */
const MADE_MEANWHILE = new Set([UNIQUE_VIOLATION, '42P06', '42P07']);
const TRIES_MAX = 20;

/** Brings the tables to the newest version. Throws `PostgresRefused` for newer ones, and `Fault`. */
export async function migrate(postgres: Postgres, kind: TableKind, nowMs: number): Promise<void> {
  await makeHistory(postgres);
  for (let tries = 1; ; tries += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each step builds on the one before
    const version = await versionOf(postgres, kind);
    if (version === kind.migrations.length) return;
    try {
      // oxlint-disable-next-line no-await-in-loop -- the same
      await step(postgres, kind, version, nowMs);
    } catch (cause) {
      // Another host took this step: its row was there first, and ours is undone with all that came with it.
      if (sqlState(cause) !== UNIQUE_VIOLATION || tries >= TRIES_MAX) throw cause;
    }
  }
}

/** For a thread that does not migrate: throws `PostgresRefused` where somebody else has migrated further. */
export async function versionOf(postgres: Postgres, { name, migrations }: TableKind): Promise<number> {
  const sql = 'SELECT coalesce(max(version), 0) FROM migration WHERE kind = $1';
  const row = await postgres.row('Reading the version of the database', sql, name);
  const version = Number(row?.[0] ?? 0);
  if (version > migrations.length)
    throw new PostgresRefused(
      `The ${name} tables of the database have version ${version}, written by a newer Postrider;` +
        ` this one knows versions up to ${migrations.length}`,
    );
  return version;
}

async function makeHistory(postgres: Postgres): Promise<void> {
  const doing = 'Making tables in the database';
  const make = `
    CREATE SCHEMA IF NOT EXISTS ${SCHEMA};
    CREATE TABLE IF NOT EXISTS ${SCHEMA}.migration (
      kind TEXT NOT NULL,
      version INTEGER NOT NULL,
      applied_at_ms BIGINT NOT NULL,
      PRIMARY KEY (kind, version)
    )`;
  for (let tries = 1; ; tries += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one try after the other
    const found = await postgres.row(doing, `SELECT to_regclass('${SCHEMA}.migration')::text`);
    if (found?.[0] !== null) return;
    try {
      // oxlint-disable-next-line no-await-in-loop -- the same
      await postgres.transaction(doing, (transaction) => transaction.exec(make));
    } catch (cause) {
      if (!MADE_MEANWHILE.has(sqlState(cause) ?? '') || tries >= TRIES_MAX) throw cause;
    }
  }
}

async function step(postgres: Postgres, kind: TableKind, version: number, nowMs: number): Promise<void> {
  await postgres.transaction('Migrating the database', async (transaction) => {
    const insert = 'INSERT INTO migration (kind, version, applied_at_ms) VALUES ($1, $2, $3)';
    await transaction.run(insert, kind.name, version + 1, Math.trunc(nowMs));
    await transaction.exec(kind.migrations[version] ?? '');
  });
}
