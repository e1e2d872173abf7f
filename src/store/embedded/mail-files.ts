/**
 * The files of the mail store: how many shards there are, what they are called, who writes them. The number is decided
 * once, when the data directory is made, because an account's shard follows from it.
 */
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { replaceFileSync } from '../../disk/replace-file.ts';
import type { WriterFile } from '../../sqlite/writer.ts';
import type { MailOptions } from './mail-operations.ts';

const META = 'mail-shards.json';
const META_VERSION = 1;
export const SHARDS_MAX = 1024;

/** What is written in the data directory makes no sense, or was written by a newer Postrider. Nothing was changed. */
export class ShardCountRefused extends Error {
  override readonly name = 'ShardCountRefused';
}

/** The shards of the data directory; `wanted` (1 to 1024) decides when it has none yet. Throws `Fault` too. */
export function fixShardCount(dataDirectory: string, wanted: number): number {
  const file = join(dataDirectory, META);
  const text = readIfThere(file);
  if (text !== undefined) return parseShards(file, text);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > SHARDS_MAX)
    throw new TypeError(`${wanted} is no number of shards`);
  try {
    replaceFileSync(file, `${JSON.stringify({ version: META_VERSION, shards: wanted })}\n`);
  } catch (cause) {
    throw new Fault(`Writing ${file}`, cause);
  }
  return wanted;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new Fault(`Reading ${file}`, cause);
  }
}

function parseShards(file: string, text: string): number {
  let meta: unknown;
  try {
    meta = JSON.parse(text);
  } catch {
    meta = undefined;
  }
  if (typeof meta !== 'object' || meta === null || !('version' in meta) || !('shards' in meta))
    throw new ShardCountRefused(`${JSON.stringify(file)} does not say how many shards there are`);
  const { version, shards } = meta;
  if (version !== META_VERSION)
    throw new ShardCountRefused(
      `${JSON.stringify(file)} is of version ${String(version)}; this Postrider knows version ${META_VERSION}`,
    );
  if (typeof shards !== 'number' || !Number.isInteger(shards) || shards < 1 || shards > SHARDS_MAX)
    throw new ShardCountRefused(`${JSON.stringify(file)} has no number of shards`);
  return shards;
}

export function mailShardName(shard: number): string {
  return `mail-${String(shard).padStart(4, '0')}`;
}

export function mailShardFile(dataDirectory: string, shard: number): string {
  return join(dataDirectory, `${mailShardName(shard)}.sqlite`);
}

/** What `startWriterThread` needs to own all shards. One thread may be given some of them only. */
export function mailWriterFiles(dataDirectory: string, shards: number, options: MailOptions): WriterFile[] {
  const moduleUrl = new URL(
    `./mail-operations${extname(new URL(import.meta.url).pathname)}`,
    import.meta.url,
  );
  return Array.from({ length: shards }, (_, shard) => ({
    name: mailShardName(shard),
    file: mailShardFile(dataDirectory, shard),
    moduleUrl: moduleUrl.href,
    options,
  }));
}
