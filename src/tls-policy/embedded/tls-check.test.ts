import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { DatabaseRefused } from '../../sqlite/migrate.ts';
import { checkTls } from './tls-check.ts';
import { openEmbeddedTlsRecords } from './tls-records.ts';

const TEXT = 'version: STSv1\nmode: enforce\nmx: mx.far.test\nmax_age: 86400\n';
const FAILURE = {
  type: 'certificate-expired',
  sendingIp: '192.0.2.1',
  mxHost: 'mx.far.test',
  mxIp: '192.0.2.2',
  reason: 'x',
} as const;

async function withFile(run: (file: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'postrider-tls-check-'));
  const file = join(folder, 'tls.sqlite');
  const records = openEmbeddedTlsRecords(file);
  for (const domain of ['far.test', 'near.test'])
    await records.keepStsPolicy({ domain, id: '1', text: TEXT, fetchedAtMs: 1, expiresAtMs: 86_400_001 });
  const policy = { type: 'sts', strings: ['version: STSv1'], mxPatterns: ['mx.far.test'] } as const;
  for (let n = 0; n < 1200; n += 1)
    await records.addResults([
      {
        day: '2026-11-29',
        domain: `d${n}.test`,
        policy,
        failure: n % 2 === 0 ? FAILURE : undefined,
        sessions: 3,
      },
    ]);
  records.close();
  try {
    await run(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const damages = [
  { kind: 'tls.bad-policy', sql: "UPDATE sts_policy SET policy = 'x' WHERE domain = 'near.test'" },
  { kind: 'tls.bad-policy', sql: "UPDATE sts_policy SET expires_at_ms = 0 WHERE domain = 'far.test'" },
  { kind: 'tls.bad-result', sql: "UPDATE tls_result SET result = '[1]' WHERE domain = 'd700.test'" },
  { kind: 'tls.bad-result', sql: "UPDATE tls_result SET result = '{' WHERE domain = 'd1.test'" },
  { kind: 'tls.bad-result', sql: "UPDATE tls_result SET result_key = 'x' WHERE domain = 'd1.test'" },
  { kind: 'tls.bad-result', sql: "UPDATE tls_result SET sessions = 0 WHERE domain = 'd1.test'" },
  { kind: 'tls.bad-result', sql: "UPDATE tls_result SET day = 'today' WHERE domain = 'd1.test'" },
];
for (const { kind, sql } of damages)
  test(`the check of what is known of TLS finds ${kind} after ${sql}`, () =>
    withFile((file) => {
      const found = (repair: boolean): string[] =>
        checkTls({ file, repair })
          .map((one) => `${one.kind} ${one.mended}`)
          .toArray();
      assert.deepEqual(found(false), []);
      const raw = new DatabaseSync(file);
      raw.exec(sql);
      raw.close();
      assert.deepEqual(found(false), [`${kind} false`]);
      assert.deepEqual(found(true), [`${kind} true`]);
      assert.deepEqual(found(false), [], 'and takes out no other');
    }));

test('a file of something else is refused', () =>
  withFile((file) => {
    const raw = new DatabaseSync(file);
    raw.exec('PRAGMA application_id = 7');
    raw.close();
    assert.throws(() => checkTls({ file, repair: false }).toArray(), DatabaseRefused);
  }));
