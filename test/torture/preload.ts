/** Libraries of ours that a server loads before the C library, to see or to spoil what it asks of the disk. */
import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { peer } from '../support/peer.ts';

const COMPILER = peer('cc');

/** Goes into the options of a suite: why such libraries cannot be used here. */
export const preloadSkip: string | undefined =
  process.platform === 'linux' ? COMPILER.skip : 'calls are met on Linux only';

/** Makes the library in the folder, and gives its path. Throws what the compiler says. */
export async function buildLibrary(source: URL, folder: string): Promise<string> {
  const library = join(folder, `${basename(source.pathname, '.c')}.so`);
  const args = ['-O2', '-shared', '-fPIC', '-o', library, fileURLToPath(source)];
  await promisify(execFile)(COMPILER.path ?? 'cc', args);
  return library;
}
