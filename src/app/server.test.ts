import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { localConfig } from './open-stores.ts';
import { startServer } from './server.ts';

test('a data directory with a number of shards that is not understood is refused by name', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'postrider-test-'));
  try {
    await writeFile(join(dataDirectory, 'mail-shards.json'), '{"version":9,"shards":1}\n');
    const config = localConfig(dataDirectory);
    const { listeners } = config;
    const started = await startServer({
      config: {
        ...config,
        listeners: {
          smtp: { ...listeners.smtp, enabled: false },
          submission: { ...listeners.submission, enabled: false },
          submissions: { ...listeners.submissions, enabled: false },
          lmtp: { ...listeners.lmtp, enabled: false },
          imap: { ...listeners.imap, enabled: false },
          imaps: { ...listeners.imaps, enabled: false },
          pop3: { ...listeners.pop3, enabled: false },
          pop3s: { ...listeners.pop3s, enabled: false },
        },
      },
      what: 'a test',
      version: '0',
      loopbackAllowed: true,
      prepare: async () => {},
    });
    assert.ok(!started.ok);
    assert.equal(started.error.kind, 'refused');
    assert.match(started.error.text, /mail-shards\.json" is of version 9/);
  } finally {
    await rm(dataDirectory, { recursive: true, force: true });
  }
});
