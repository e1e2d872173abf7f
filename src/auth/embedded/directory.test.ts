import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Directory } from '../directory.ts';
import { directoryContract } from '../directory.contract.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { DIRECTORY_FILE } from './directory-file.ts';
import { hashAppPassword } from '../credential/app-password.ts';
import { Argon2Hasher } from '../credential/password-hash.ts';
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

test('a password of before SCRAM opens, lets in by PLAIN, and has keys from then on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-directory-'));
  const file = join(folder, 'directory.sqlite');
  const old = openDatabase(file, { ...DIRECTORY_FILE, migrations: DIRECTORY_FILE.migrations.slice(0, 3) });
  const passwordHash = await new Argon2Hasher({ memory: 8, passes: 1, parallelism: 1 }).hash('right');
  old.exec(`INSERT INTO domain VALUES ('a.test', 1);
    INSERT INTO account VALUES (1, 'alice@a.test', 'a.test', '', 0, NULL, '${passwordHash}', 1);
    INSERT INTO app_password VALUES (1, 'Phone', 'imap', '${hashAppPassword('abcde-fghij-kmnpq-rstuv')}', 1)`);
  old.close();
  const clock = new FakeClock();
  const directory = openEmbeddedDirectory({ file, clock, random: seededRandom() });
  try {
    assert.deepEqual(await withoutScram(directory), ['alice@a.test']);
    for (const password of ['right', 'abcde-fghij-kmnpq-rstuv'])
      assert.equal((await directory.authenticate('alice@a.test', password, 'imap')).ok, true);
    assert.deepEqual(await withoutScram(directory), []);
  } finally {
    directory.close();
    await rm(folder, { recursive: true });
  }
});

async function withoutScram(directory: Directory): Promise<readonly string[]> {
  return (await directory.accountsWithoutScram()).map(({ address }) => address);
}
