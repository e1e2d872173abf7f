import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { directoryContract } from '../directory.contract.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { DIRECTORY_FILE } from './directory-file.ts';
import { openEmbeddedDirectory } from './directory.ts';
import type { EmbeddedDirectory } from './directory.ts';

directoryContract('embedded', async (options) => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-directory-'));
  const opened: EmbeddedDirectory[] = [];
  const open = (change: Partial<typeof options> = {}): EmbeddedDirectory => {
    const directory = openEmbeddedDirectory({
      ...options,
      ...change,
      file: join(folder, 'directory.sqlite'),
    });
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

test('a directory of before lists and secrets opens, its aliases as they were, for its owner only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-directory-'));
  const file = join(folder, 'directory.sqlite');
  const old = openDatabase(file, { ...DIRECTORY_FILE, migrations: DIRECTORY_FILE.migrations.slice(0, 1) });
  old.exec(`INSERT INTO domain VALUES ('a.test', 1);
    INSERT INTO alias VALUES ('x@a.test', 'a.test', 7);
    INSERT INTO alias_target VALUES ('x@a.test', 0, 'y@b.test')`);
  old.close();
  const directory = openEmbeddedDirectory({ file, clock: new FakeClock(), random: seededRandom() });
  try {
    assert.deepEqual(await directory.aliases(), [
      { address: 'x@a.test', targets: ['y@b.test'], createdAtMs: 7 },
    ]);
    assert.equal((await directory.secrets('srs')).length, 1);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await stat(`${file}-wal`)).mode & 0o777, 0o600);
  } finally {
    directory.close();
    await rm(folder, { recursive: true });
  }
});
