import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directoryContract } from '../directory.contract.ts';
import { openEmbeddedDirectory } from './directory.ts';
import type { EmbeddedDirectory } from './directory.ts';

directoryContract('embedded', async (options) => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-directory-'));
  const opened: EmbeddedDirectory[] = [];
  const open = (hasher = options.hasher): EmbeddedDirectory => {
    const directory = openEmbeddedDirectory({ ...options, hasher, file: join(folder, 'directory.sqlite') });
    opened.push(directory);
    return directory;
  };
  return {
    directory: open(),
    other: open,
    close: async () => {
      for (const directory of opened) directory.close();
      await rm(folder, { recursive: true });
    },
  };
});
