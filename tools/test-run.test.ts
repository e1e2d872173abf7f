import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runTests } from './test-run.ts';

const OPTIONS = {
  isShown: false,
  concurrency: 2,
  isolation: 'file',
  timeoutMs: 10_000,
  deadlineMs: 20_000,
} as const;

test('no files are no tests', async () => {
  const { passed, failed, skipped } = await runTests([], OPTIONS);
  assert.deepEqual({ passed, failed, skipped }, { passed: 0, failed: 0, skipped: [] });
});

test('passes, failures, skips with their reason, and files that do not load are counted', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postrider-test-run-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const good = join(folder, 'good.test.mjs');
  const bad = join(folder, 'bad.test.mjs');
  const broken = join(folder, 'broken.test.mjs');
  writeFileSync(
    good,
    "import { test } from 'node:test'; test('a', () => {}); test('b', { skip: 'swaks is not installed' }, () => {});",
  );
  writeFileSync(bad, "import { test } from 'node:test'; test('c', () => { throw new Error('x'); });");
  writeFileSync(broken, "import './nowhere.mjs';");

  const one = await runTests([good], OPTIONS);
  assert.deepEqual([one.passed, one.failed, one.skipped], [1, 0, ['b: swaks is not installed']], one.output);
  const two = await runTests([good, bad], OPTIONS);
  assert.deepEqual([two.passed, two.failed], [1, 1], two.output);
  const together = await runTests([good, bad], { ...OPTIONS, isolation: 'none' });
  assert.deepEqual([together.passed, together.failed], [1, 1], together.output);
  const three = await runTests([broken], OPTIONS);
  assert.equal(three.failed, 1, three.output);
});

test('a file that leaves something open is ended and counts as failed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postrider-test-run-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const leaky = join(folder, 'leaky.test.mjs');
  writeFileSync(leaky, "import { test } from 'node:test'; test('a', () => {}); setInterval(() => {}, 1000);");
  const run = await runTests([leaky], { ...OPTIONS, deadlineMs: 1500 });
  assert.ok(run.failed >= 1, run.output);
});

test('a file that fails among others and passes alone is unsteady, one that fails twice has failed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postrider-test-run-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [steady, unsteady, bad] = ['steady', 'unsteady', 'bad'].map((name) =>
    join(folder, `${name}.test.mjs`),
  );
  const mark = JSON.stringify(join(folder, 'mark'));
  writeFileSync(steady ?? '', "import { test } from 'node:test'; test('a', () => {});");
  writeFileSync(
    unsteady ?? '',
    `import { existsSync, writeFileSync } from 'node:fs'; import { test } from 'node:test';
     test('b', () => { if (existsSync(${mark})) return; writeFileSync(${mark}, ''); throw new Error('x'); });`,
  );
  writeFileSync(bad ?? '', "import { test } from 'node:test'; test('c', () => { throw new Error('x'); });");
  const run = await runTests([steady ?? '', unsteady ?? '', bad ?? ''], OPTIONS);
  assert.deepEqual([run.passed, run.failed, run.unsteady], [2, 1, [unsteady]], run.output);
});
