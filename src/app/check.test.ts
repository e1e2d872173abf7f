import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCheck } from './check.ts';

test('a data directory that is a file is a problem that is told', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-check-'));
  const config = join(folder, 'postrider.toml');
  await writeFile(
    config,
    `hostname = "mail.example.test"\ndataDirectory = ${JSON.stringify(config)}\n[tls]\nselfSigned = true\n[resolver]\nservers = ["127.0.0.1"]\n`,
  );
  const said: string[] = [];
  context.mock.method(console, 'log', (text: string) => void said.push(text));
  assert.equal(await runCheck({ config, json: false }), 4);
  assert.ok(said.some((text) => text.startsWith(`problem: ${config} cannot be read: ENOTDIR`)));
  await rm(folder, { recursive: true });
});
