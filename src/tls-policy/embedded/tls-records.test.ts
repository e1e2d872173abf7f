import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { tlsRecordsContract } from '../tls-records.contract.ts';
import { openEmbeddedTlsRecords, type EmbeddedTlsRecords } from './tls-records.ts';

tlsRecordsContract('embedded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-tls-'));
  const opened: EmbeddedTlsRecords[] = [];
  const open = (): EmbeddedTlsRecords => {
    const records = openEmbeddedTlsRecords(join(folder, 'tls.sqlite'));
    opened.push(records);
    return records;
  };
  return {
    records: open(),
    other: open,
    close: async () => {
      for (const records of opened) records.close();
      await rm(folder, { recursive: true });
    },
  };
});

test('policies are there after a restart (RFC 8461 §3.3)', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-tls-'));
  const file = join(folder, 'tls.sqlite');
  const kept = { domain: 'far.example', id: '1', text: 'x', fetchedAtMs: 1, expiresAtMs: 2 };
  const first = openEmbeddedTlsRecords(file);
  await first.keepStsPolicy(kept);
  first.close();
  const second = openEmbeddedTlsRecords(file);
  assert.deepEqual(await second.stsPolicy('far.example'), kept);
  second.close();
  await rm(folder, { recursive: true });
});
