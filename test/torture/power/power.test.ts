/** The power goes, in many ways at many moments: what was acknowledged is there. Then the proof that a missing sync is seen. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ALICE, startPostrider } from '../../support/postrider.ts';
import { preloadSkip } from '../preload.ts';
import { SmtpLink } from '../smtp-link.ts';
import { buildRecorder, cutPower, recordedBy } from './cuts.ts';
import { Recording } from './recording.ts';

const CUTS = Number(process.env['POWER_CUTS'] ?? 1000);
const SEED = Number(process.env['POWER_SEED'] ?? Date.now() % 1_000_000);
const LANES = Math.min(2, availableParallelism());
const WAYS = 20;
const TEST_MS_MAX = 1_800_000;

suite('a power cut under load', { skip: preloadSkip }, () => {
  let folder = '';
  let recorder = '';
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'postrider-recorder-')));
    recorder = await buildRecorder(folder);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('what is recorded is all that is on the disk', async () => {
    const data = join(folder, 'data');
    const again = join(folder, 'again');
    const log = join(folder, 'log');
    await using server = await startPostrider({ directory: data, env: recordedBy(recorder, data, log) });
    const link = await SmtpLink.open(server.port('smtp'), 'EHLO');
    link.write(`MAIL FROM:<a@b.example>\r\nRCPT TO:<${ALICE.address}>\r\nDATA\r\n`);
    for (const code of [250, 250, 354]) await link.must(code);
    link.write('Subject: x\r\n\r\nx\r\n.\r\n');
    await link.must(250);
    await server.kill();
    const recording = new Recording(log, data);
    recording.advance(Infinity);
    await recording.restore(again, undefined);
    const names = (await readdir(data, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && !entry.name.endsWith('-shm'))
      .map((entry) => join(entry.parentPath, entry.name).slice(data.length + 1));
    assert.ok(names.length > 10);
    for (const name of names)
      assert.ok((await readFile(join(data, name))).equals(await readFile(join(again, name))), name);
  });

  test(
    `${CUTS} cuts from seed ${SEED} on: nothing lost, nothing twice`,
    { timeout: TEST_MS_MAX },
    async (t) => {
      const moments = Math.ceil(CUTS / WAYS / LANES);
      const lanes = Array.from({ length: LANES }, async (_, lane) =>
        cutPower({ seed: SEED + lane, moments, ways: WAYS, recorder }),
      );
      for (const report of await Promise.all(lanes)) {
        t.diagnostic(JSON.stringify(report));
        assert.deepEqual(report.findings, []);
        assert.ok(report.acknowledged > moments);
      }
    },
  );

  const forgotten = [
    { name: 'segments without syncs', files: /\.segment$/ },
    { name: 'the names of segments without syncs', files: /^segments$/ },
    { name: 'the log of a mail shard without syncs', files: /^mail-0000\.sqlite-wal$/ },
    // What is delivered at once is in the mailbox, and no more only in the queue.
    { name: 'the log of the queue without syncs', files: /^queue\.sqlite-wal$/, lag: 'deliver=300' },
    { name: 'names in the data directory without syncs', files: /^$/ },
  ];
  for (const { name, files, lag = '' } of forgotten)
    test(`${name} are noticed`, async () => {
      const isForgotten = (file: string): boolean => files.test(file);
      const { findings } = await cutPower({ seed: SEED, moments: 40, ways: 5, recorder, isForgotten, lag });
      assert.notDeepEqual(findings, []);
    });
});
