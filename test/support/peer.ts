/**
 * Another people's program that a test talks with. Where it is not installed the test is skipped and says so; under
 * `CI` its absence is a failure, so that nothing is skipped where it matters.
 */
import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type Peer = {
  readonly path: string | undefined;
  /** Goes into the options of `test`: the reason to skip, or undefined. */
  readonly skip: string | undefined;
};

/** @param name of the program, looked up on PATH and where daemons are kept */
export function peer(name: string): Peer {
  const path = find(name);
  if (path !== undefined) return { path, skip: undefined };
  const isCi = (process.env['CI'] ?? '') !== '';
  if (isCi) throw new Error(`${name} is not installed, and nothing is skipped under CI`);
  return { path, skip: `${name} is not installed` };
}

function find(name: string): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    // Debian keeps the programs of each version of PostgreSQL apart.
    ...globSync('/usr/lib/postgresql/*/bin'),
  ];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
