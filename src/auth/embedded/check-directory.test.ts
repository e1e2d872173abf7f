import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Argon2Hasher } from '../credential/password-hash.ts';
import { checkDirectory } from './check-directory.ts';
import { openEmbeddedDirectory } from './directory.ts';

async function withFile(run: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-check-'));
  const file = join(folder, 'directory.sqlite');
  const directory = openEmbeddedDirectory({
    file,
    clock: { nowMs: () => 1, monotonicMs: () => 1, after: () => ({ cancel: () => undefined }) },
    random: { octets: (count) => new Uint8Array(count), below: () => 0 },
    hasher: new Argon2Hasher({ memory: 8, passes: 1, parallelism: 1 }),
  });
  await directory.addDomain('a.test');
  await directory.addAccount({ address: 'alice@a.test', password: 'x' });
  await directory.setAlias('sales@a.test', ['alice@a.test', 'far@b.test']);
  await directory.setAlias('team@a.test', ['sales@a.test']);
  const owner = (await directory.accountByAddress('alice@a.test'))?.id;
  assert.ok(owner);
  for (const identifier of ['team@a.test', '-anyone'])
    await directory.setShare({ owner, mailbox: undefined, identifier, rights: 'lr' });
  directory.close();
  try {
    await run(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const damages = [
  { want: 'missing-domain', repaired: true, sql: "DELETE FROM domain WHERE name = 'a.test'" },
  { want: 'wrong-key', repaired: true, sql: "UPDATE account SET domain = 'b.test'" },
  { want: 'wrong-key', repaired: false, sql: "UPDATE account SET address = 'Alice@a.test'" },
  {
    want: 'double-address',
    repaired: false,
    sql: "INSERT INTO alias VALUES ('alice@a.test', 'a.test', 1, NULL, 0); INSERT INTO alias_target VALUES ('alice@a.test', 0, 'x@b.test')",
  },
  { want: 'bad-target', repaired: false, sql: "UPDATE alias_target SET target = 'x' WHERE position = 1" },
  {
    want: 'bad-target',
    repaired: true,
    sql: "INSERT INTO alias_target VALUES ('none@a.test', 0, 'x@b.test')",
  },
  { want: 'bad-target', repaired: false, sql: "DELETE FROM alias_target WHERE address = 'team@a.test'" },
  { want: 'dangling-target', repaired: false, sql: 'DELETE FROM account' },
  {
    want: 'alias-loop',
    repaired: false,
    sql: "UPDATE alias_target SET target = 'team@a.test' WHERE address = 'sales@a.test' AND position = 0",
  },
  { want: 'bad-target', repaired: false, sql: "UPDATE alias SET owner = 'x' WHERE address = 'team@a.test'" },
  {
    want: 'dangling-target',
    repaired: false,
    sql: "UPDATE alias SET owner = 'nobody@a.test' WHERE address = 'team@a.test'",
  },
  { want: 'bad-password-hash', repaired: false, sql: "UPDATE account SET password_hash = '{PLAIN}x'" },
  {
    want: 'orphaned-app-password',
    repaired: true,
    sql: "INSERT INTO app_password VALUES (99, 'x', 'imap', '', 1, NULL)",
  },
  { want: 'bad-scram-keys', repaired: true, sql: "UPDATE account SET scram_keys = 'SCRAM-SHA-1$x'" },
  {
    want: 'bad-scram-keys',
    repaired: true,
    sql: "INSERT INTO app_password VALUES (1, 'x', 'imap', '', 1, '')",
  },
  { want: 'bad-certificate', repaired: true, sql: "INSERT INTO certificate VALUES ('xy', 1, 1)" },
  {
    want: 'bad-certificate',
    repaired: true,
    sql: `INSERT INTO certificate VALUES ('${'ab'.repeat(32)}', 99, 1)`,
  },
  { want: 'bad-share', repaired: true, sql: "INSERT INTO share VALUES (99, 0, 'alice@a.test', 0, 0, 'lr')" },
  { want: 'bad-share', repaired: true, sql: "INSERT INTO share VALUES (1, 0, 'none@a.test', 0, 0, 'lr')" },
  { want: 'bad-share', repaired: true, sql: "INSERT INTO share VALUES (1, 3, 'anyone', 1, 0, 'rl')" },
  { want: 'bad-share', repaired: true, sql: "INSERT INTO share VALUES (1, 0, 'anyone', 0, 0, '')" },
  { want: 'bad-share', repaired: true, sql: "UPDATE share SET is_group = 0 WHERE name = 'team@a.test'" },
  { want: 'orphaned-grant', repaired: true, sql: "INSERT INTO send_grant VALUES (99, 'alice@a.test', 1)" },
  { want: 'orphaned-sending', repaired: true, sql: "INSERT INTO sending VALUES (99, '{}')" },
  { want: 'orphaned-home-network', repaired: true, sql: "INSERT INTO home_network VALUES (99, '::/64', 1)" },
];
for (const { want, repaired, sql } of damages) {
  test(`the check of a directory finds ${want} after ${sql.slice(0, 60)}`, async () => {
    await withFile(async (file) => {
      assert.deepEqual(checkDirectory({ file, repair: false, nowMs: 1 }), []);
      const raw = new DatabaseSync(file);
      raw.exec(sql);
      raw.close();
      const kinds = (repair: boolean): string[] =>
        checkDirectory({ file, repair, nowMs: 1 }).map((one) => `${one.kind} ${one.repaired}`);
      assert.ok(kinds(false).includes(`${want} false`), String(kinds(false)));
      assert.ok(kinds(true).includes(`${want} ${repaired}`), String(kinds(true)));
      assert.equal(
        kinds(false).some((kind) => kind.startsWith(want)),
        !repaired,
      );
    });
  });
}
