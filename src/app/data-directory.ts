/**
 * The data directory: which files are where. `postrider.json` names its format; a directory of a newer one is refused
 * by name.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';
import { err, ok, type Result } from '../base/result.ts';
import { makeFolder } from '../disk/folder.ts';
import { replaceFile } from '../disk/replace-file.ts';

const FORMAT = 1;

export type DataDirectory = {
  readonly path: string;
};

export type DataDirectoryProblem =
  | { readonly kind: 'newer'; readonly format: number }
  | { readonly kind: 'not-ours' };

export const files = {
  queue: (path: string): string => join(path, 'queue.sqlite'),
  directory: (path: string): string => join(path, 'directory.sqlite'),
  tls: (path: string): string => join(path, 'tls.sqlite'),
  rates: (path: string): string => join(path, 'rates.bin'),
  segments: (path: string): string => join(path, 'segments'),
  certificate: (path: string): string => join(path, 'tls', 'certificate.pem'),
  key: (path: string): string => join(path, 'tls', 'key.pem'),
};

/** Makes the directory where it is missing or empty. Throws `Fault` for the disk. */
export async function openDataDirectory(
  path: string,
  nowMs: number,
): Promise<Result<DataDirectory, DataDirectoryProblem>> {
  const file = join(path, 'postrider.json');
  try {
    await makeFolder(path);
    const text = await readFile(file, 'utf8').catch(ignoreMissing);
    if (text !== undefined) return read(path, text);
    await replaceFile(file, `${JSON.stringify({ format: FORMAT, createdAtMs: nowMs })}\n`);
    return ok({ path });
  } catch (cause) {
    throw new Fault(`Opening the data directory ${path}`, cause);
  }
}

/** The same, but nothing is made: `undefined` where there is no data directory. */
export async function findDataDirectory(
  path: string,
): Promise<Result<DataDirectory | undefined, DataDirectoryProblem>> {
  const text = await readFile(join(path, 'postrider.json'), 'utf8').catch(ignoreMissing);
  return text === undefined ? ok(undefined) : read(path, text);
}

export function describeDirectoryProblem(path: string, problem: DataDirectoryProblem): string {
  return problem.kind === 'newer'
    ? `The data directory "${path}" has format ${problem.format}; this version knows up to ${FORMAT}. Use a newer Postrider`
    : `The file postrider.json in "${path}" is not one of ours`;
}

function read(path: string, text: string): Result<DataDirectory, DataDirectoryProblem> {
  const format = parseFormat(text);
  if (format === undefined) return err({ kind: 'not-ours' });
  return format > FORMAT ? err({ kind: 'newer', format }) : ok({ path });
}

function parseFormat(text: string): number | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' &&
      value !== null &&
      'format' in value &&
      typeof value.format === 'number'
      ? value.format
      : undefined;
  } catch {
    return undefined;
  }
}

function ignoreMissing(cause: unknown): undefined {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
  throw cause;
}
