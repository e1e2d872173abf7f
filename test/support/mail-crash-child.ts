/**
 * The process that is killed: delivers and expunges as fast as it can, and writes a line for each delivery that was
 * acknowledged. `node mail-crash-child.ts DIRECTORY ROUND`
 */
import { writeSync } from 'node:fs';
import { connectWriter, startWriterThread } from '../../src/sqlite/writer.ts';
import { mailShardName, mailWriterFiles } from '../../src/store/embedded/mail-files.ts';
import type { MailOperations } from '../../src/store/embedded/mail-operations.ts';
import { openEmbeddedMailStore } from '../../src/store/embedded/mail-store.ts';
import { known, toAccountId } from '../../src/store/ids.ts';
import { must, newMessage } from '../../src/store/mail-store.contract.ts';
import { FakeClock } from './fake-clock.ts';

const [directory = '', round = ''] = process.argv.slice(2);
const hintScope = 'crash';
const thread = await startWriterThread(mailWriterFiles(directory, 2, { hintScope }));
const port = thread.connect();
const store = openEmbeddedMailStore({
  dataDirectory: directory,
  shards: 2,
  hintScope,
  clock: new FakeClock(),
  writer: (shard) => connectWriter<MailOperations>(port, mailShardName(shard)),
});

async function deliverForever(caller: number): Promise<void> {
  const account = known(toAccountId(1 + (caller % 5)));
  for (let count = 0; ; count += 1) {
    const queueId = `round${round}x${caller}x${count}`;
    const message = newMessage({ messageId: `${queueId}@example.test`, keywords: ['k'] });
    const { uids } = must(await store.deliver(account, undefined, { queueId, recipient: 0 }, message));
    writeSync(1, `${account} ${queueId} ${uids[0]}\n`);
  }
}

await Promise.all(Array.from({ length: 30 }, (_, caller) => deliverForever(caller)));
