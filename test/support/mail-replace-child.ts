/**
 * The process that is killed: replaces one draft by the next as fast as it can, and writes the number of each that was
 * acknowledged. `node mail-replace-child.ts DIRECTORY`
 */
import { writeSync } from 'node:fs';
import { connectWriter, startWriterThread } from '../../src/sqlite/writer.ts';
import { mailShardName, mailWriterFiles } from '../../src/store/embedded/mail-files.ts';
import type { MailOperations } from '../../src/store/embedded/mail-operations.ts';
import { openEmbeddedMailStore } from '../../src/store/embedded/mail-store.ts';
import { known, toAccountId, toMailboxId } from '../../src/store/ids.ts';
import { must, newMessage } from '../../src/store/mail-store.contract.ts';
import { FakeClock } from './fake-clock.ts';

const [directory = ''] = process.argv.slice(2);
const hintScope = 'replace';
const thread = await startWriterThread(mailWriterFiles(directory, 1, { hintScope }));
const port = thread.connect();
const store = openEmbeddedMailStore({
  dataDirectory: directory,
  shards: 1,
  hintScope,
  clock: new FakeClock(),
  writer: (shard) => connectWriter<MailOperations>(port, mailShardName(shard)),
});

const account = known(toAccountId(1));
const mailbox = known(toMailboxId(1));
const [left] = await store.entries(account, mailbox, 0, 1);
let uid =
  left?.uid ??
  must(await store.append(account, mailbox, [newMessage({ messageId: '0@example.test' })])).uids[0];
for (let number = (uid ?? 0) + 1; uid !== undefined; number += 1) {
  const message = newMessage({ messageId: `${number}@example.test` });
  uid = must(await store.replace(account, { mailbox, uid }, mailbox, message)).uids[0];
  writeSync(1, `${uid}\n`);
}
