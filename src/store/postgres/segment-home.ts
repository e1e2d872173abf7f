/**
 * Ties a database to the one data directory whose segment files its rows speak of: a place in another host's segments
 * would be a place of other octets. The directory's name is in the file `postgres.json` and in the table `segment_home`.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { replaceFile } from '../../disk/replace-file.ts';
import type { Postgres } from '../../postgres/postgres.ts';
import { PostgresRefused } from '../../postgres/refused.ts';
import { textAt } from '../../sqlite/database.ts';

/** The tables are there. Throws `PostgresRefused` where they belong to another data directory, and `Fault`. */
export async function claimSegmentHome(postgres: Postgres, dataDirectory: string): Promise<void> {
  const file = join(dataDirectory, 'postgres.json');
  const kept = await readName(file);
  const owner = await ownerOf(postgres);
  if (owner !== undefined) {
    if (owner !== kept) throw refused(dataDirectory);
    return;
  }
  // The file first: a database that is claimed by a name nobody has could never be opened again.
  const name = kept ?? (await writeName(file));
  const insert = 'INSERT INTO segment_home (id, data_directory) VALUES (1, $1) ON CONFLICT DO NOTHING';
  await postgres.run('Claiming the database', insert, name);
  if ((await ownerOf(postgres)) !== name) throw refused(dataDirectory);
}

function refused(dataDirectory: string): PostgresRefused {
  return new PostgresRefused(
    `The database belongs to another data directory than ${JSON.stringify(dataDirectory)}:` +
      ' the octets of its messages are in the segment files there',
  );
}

async function ownerOf(postgres: Postgres): Promise<string | undefined> {
  const row = await postgres.row('Reading whose the database is', 'SELECT data_directory FROM segment_home');
  return row === undefined ? undefined : textAt(row, 0);
}

async function readName(file: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new Fault(`Reading ${file}`, cause);
  }
  const name = parseName(text);
  if (name === undefined) throw new PostgresRefused(`The file ${file} is not one of ours`);
  return name;
}

function parseName(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isOurs = typeof value === 'object' && value !== null && 'id' in value;
    return isOurs && typeof value.id === 'string' ? value.id : undefined;
  } catch {
    return undefined;
  }
}

async function writeName(file: string): Promise<string> {
  const name = randomUUID();
  try {
    await replaceFile(file, `${JSON.stringify({ version: 1, id: name })}\n`);
    return name;
  } catch (cause) {
    throw new Fault(`Writing ${file}`, cause);
  }
}
