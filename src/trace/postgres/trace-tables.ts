/**
 * The tables of traces in PostgreSQL: one partition for each day on which something was appended, or several where there is
 * much, dropped whole. The column `day` is the number of days since 1970, and for each later part of a day
 * {@link NEXT_PART} more.
 */
import type { TableKind } from '../../postgres/migrate.ts';

export const TRACE: TableKind = {
  name: 'trace',
  migrations: [
    `
    CREATE TABLE trace_part (
      day INTEGER NOT NULL,
      id TEXT COLLATE "C" NOT NULL,
      number BIGINT NOT NULL,
      entries TEXT COLLATE "C" NOT NULL
    ) PARTITION BY LIST (day);
    CREATE INDEX trace_part_id ON trace_part (id, number);
    CREATE TABLE trace_lookup (
      day INTEGER NOT NULL,
      key TEXT COLLATE "C" NOT NULL,
      id TEXT COLLATE "C" NOT NULL,
      PRIMARY KEY (key, id, day)
    ) PARTITION BY LIST (day);
    `,
  ],
};

export const TRACE_SQL = {
  insertParts: `
    INSERT INTO trace_part (day, id, number, entries)
    SELECT $1::integer, p.id, $2::bigint, p.entries FROM unnest($3::text[], $4::text[]) AS p (id, entries)`,
  insertKeys: `
    INSERT INTO trace_lookup (day, key, id)
    SELECT $1::integer, k.key, k.id FROM unnest($2::text[], $3::text[]) AS k (key, id)
    ON CONFLICT DO NOTHING`,
  parts: 'SELECT id, entries FROM trace_part WHERE id = ANY ($1::text[]) ORDER BY id, number',
  ids: `
    SELECT DISTINCT id FROM trace_part WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
  idsOfKey: `
    SELECT DISTINCT id FROM trace_lookup WHERE key = $1 AND id >= $2 AND id < $3 ORDER BY id DESC LIMIT $4`,
  partitions: `
    SELECT c.relname::text, pg_total_relation_size(c.oid)
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('trace_part'::regclass, 'trace_lookup'::regclass)`,
} as const;

export const NEXT_PART = 100_000;

/** The tables of one part of a day. */
export function partitionsOf(part: number): readonly { readonly name: string; readonly make: string }[] {
  return ['trace_part', 'trace_lookup'].map((table) => ({
    name: `${table}_${part}`,
    make: `CREATE TABLE IF NOT EXISTS ${table}_${part} PARTITION OF ${table} FOR VALUES IN (${part})`,
  }));
}

/** Undefined for a table that is none of these. */
export function partOf(partition: string): number | undefined {
  const [, part] = /^trace_(?:part|lookup)_(\d{1,10})$/.exec(partition) ?? [];
  return part === undefined ? undefined : Number(part);
}

export function dayOf(part: number): number {
  return part % NEXT_PART;
}

/** Earlier ones first. */
export function compareParts(one: number, other: number): number {
  return dayOf(one) - dayOf(other) || one - other;
}
