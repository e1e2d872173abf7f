import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Fault } from '../../base/fault.ts';
import { connectWriter, startWriterThread } from '../../sqlite/writer.ts';
import { mailStoreContract, must, newAccount, newMessage } from '../mail-store.contract.ts';
import { mailShardName, mailWriterFiles } from './mail-files.ts';
import type { MailOperations } from './mail-operations.ts';
import { openEmbeddedMailStore } from './mail-store.ts';
import type { EmbeddedMailStore } from './mail-store.ts';

const SHARDS = 3;

type Opened = { readonly store: EmbeddedMailStore; readonly close: () => Promise<void> };

async function open(dataDirectory: string): Promise<Opened> {
  const hintScope = `mail-store-thread.test ${dataDirectory}`;
  const thread = await startWriterThread(mailWriterFiles(dataDirectory, SHARDS, { hintScope }));
  const port = thread.connect();
  const store = openEmbeddedMailStore({
    dataDirectory,
    shards: SHARDS,
    hintScope,
    clock: new FakeClock(),
    writer: (shard) => connectWriter<MailOperations>(port, mailShardName(shard)),
  });
  const close = async (): Promise<void> => {
    store.close();
    port.close();
    await thread.close();
  };
  return { store, close };
}

mailStoreContract('embedded, a writer thread', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-mail-'));
  const { store, close } = await open(directory);
  return { store, close: () => close().then(() => rm(directory, { recursive: true })) };
});

test('what a writer thread acknowledged is there when another one opens the files', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-mail-'));
  const accounts = Array.from({ length: 20 }, newAccount);
  const key = { queueId: 'thread', recipient: 0 };
  const first = await open(directory);
  const before = await Promise.all(
    accounts.map(async (account) => must(await first.store.deliver(account, undefined, key, newMessage()))),
  );
  await first.close();
  await assert.rejects(first.store.deliver(newAccount(), undefined, key, newMessage()), Fault);
  const second = await open(directory);
  const again = await Promise.all(
    accounts.map(async (account) => must(await second.store.deliver(account, undefined, key, newMessage()))),
  );
  assert.deepEqual(
    again,
    before.map((appended) => ({ ...appended, duplicate: true })),
  );
  await second.close();
  await rm(directory, { recursive: true });
});
