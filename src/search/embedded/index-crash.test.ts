import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { indexedLetter, INDEXED_MESSAGES, openIndexedBlobs } from '../../../test/support/indexed-mail.ts';
import { digestMessage } from '../../message/digest.ts';
import { scanMessage } from '../../message/scan.ts';
import { openLocalWriter } from '../../sqlite/writer.ts';
import { mailShardFile } from '../../store/embedded/mail-files.ts';
import * as operations from '../../store/embedded/mail-operations.ts';
import { openEmbeddedMailStore } from '../../store/embedded/mail-store.ts';
import { known, toAccountId } from '../../store/ids.ts';
import { must } from '../../store/mail-store.contract.ts';
import type { SearchQuestion } from '../search-index.ts';
import { checkIndexes } from './index-check.ts';
import { EmbeddedSearchIndex } from './index-reader.ts';

const CHILD = fileURLToPath(new URL('../../../test/support/index-crash-child.ts', import.meta.url));
const ACCOUNT = known(toAccountId(1));
const ROUNDS_MAX = 60;

/** Kills the child so long after its first batch; whether it was quicker. */
async function killed(directory: string, delayMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), delayMs);
    output += text;
  });
  await once(child, 'close');
  return output.endsWith('all\n');
}

test('an index whose maker is killed claims nothing wrong, and is whole in the end', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-index-crash-'));
  const writer = openLocalWriter(operations, mailShardFile(directory, 0), { hintScope: directory });
  const store = openEmbeddedMailStore({
    dataDirectory: directory,
    shards: 1,
    hintScope: directory,
    clock: new FakeClock(),
    writer: () => writer,
  });
  const { blobs, refs } = await openIndexedBlobs();
  const [inbox] = await store.mailboxes(ACCOUNT);
  assert.ok(inbox);
  const letters = refs.map((blob, at) => ({
    blob,
    prefix: Buffer.alloc(0),
    digest: digestMessage(scanMessage(Buffer.from(indexedLetter(at + 1)))),
    flags: 0,
    keywords: [],
    receivedAtMs: 0,
  }));
  must(await store.append(ACCOUNT, inbox.id, letters));
  const numberOf = new Map(
    (await store.entries(ACCOUNT, inbox.id, 0, 1000)).map(({ emailId, uid }) => [emailId, uid]),
  );
  const index = new EmbeddedSearchIndex(directory, new FakeClock(), (cause) => assert.fail(String(cause)));
  /** Gives how far the index has come. */
  const ask = async (question: SearchQuestion, holds: (number: number) => boolean): Promise<number> => {
    const answer = await index.ask(ACCOUNT, question);
    assert.ok(answer);
    assert.equal(answer.candidates.size, 0);
    for (const [id, number] of numberOf)
      if (id <= answer.through)
        assert.equal(answer.matches.has(id), holds(number), `${question.needle} in ${number}`);
    return answer.through;
  };
  try {
    let reached = 0;
    let isWhole = false;
    for (let round = 0; !isWhole && round < ROUNDS_MAX; round += 1) {
      isWhole = await killed(directory, (round * 7) % 40);
      const through = await ask({ where: 'body', needle: 'BY7BY' }, (number) => number % 7 === 0);
      assert.ok(through >= reached);
      reached = through;
      await ask({ where: 'body', needle: `ONLY${3 + round}ONLY` }, (number) => number === 3 + round);
      await ask({ where: 'text', needle: 'LETTER 1' }, (number) => String(number).startsWith('1'));
      await ask({ where: 'subject', needle: 'LETTER 4' }, (number) => String(number).startsWith('4'));
      for await (const { severity, text } of checkIndexes({
        dataDirectory: directory,
        shards: 1,
        blobs,
        repair: false,
      }))
        assert.equal(severity, 'note', text);
    }
    assert.ok(isWhole);
    assert.equal(
      numberOf.keys().reduce((most, id) => Math.max(most, id), 0),
      reached,
    );
    assert.equal(numberOf.size, INDEXED_MESSAGES);
  } finally {
    index.close();
    store.close();
    writer.close();
    await rm(directory, { recursive: true });
  }
});
