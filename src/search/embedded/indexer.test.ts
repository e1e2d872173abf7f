import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { digestMessage } from '../../message/digest.ts';
import { scanMessage } from '../../message/scan.ts';
import { openLocalWriter } from '../../sqlite/writer.ts';
import { known, toAccountId, toUid, type MailboxId } from '../../store/ids.ts';
import { FLAG, type MailStore } from '../../store/mail-store.ts';
import { newMessage } from '../../store/mail-store.contract.ts';
import { mailShardFile } from '../../store/embedded/mail-files.ts';
import * as operations from '../../store/embedded/mail-operations.ts';
import { openEmbeddedMailStore } from '../../store/embedded/mail-store.ts';
import { openMemoryBlobStore } from '../../store/memory/blob-store.ts';
import { searchFile } from './index-file.ts';
import { EmbeddedSearchIndex } from './index-reader.ts';
import { Indexer } from './indexer.ts';

const ACCOUNT = known(toAccountId(7));

type Office = {
  readonly store: MailStore;
  readonly indexer: Indexer;
  readonly inbox: MailboxId;
  readonly directory: string;
  readonly deliver: (body: string) => Promise<void>;
  readonly update: () => Promise<void>;
  /** Messages that say it for sure, and how far the index has come. */
  readonly asked: (
    needle: string,
  ) => Promise<{ readonly found: number; readonly through: number } | undefined>;
};

/** One account in one shard, its octets in memory. */
async function withOffice(body: (office: Office) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-search-'));
  const hintScope = directory;
  const writer = openLocalWriter(operations, mailShardFile(directory, 0), { hintScope });
  const clock = new FakeClock();
  const store = openEmbeddedMailStore({
    dataDirectory: directory,
    shards: 1,
    hintScope,
    clock,
    writer: () => writer,
  });
  const blobs = openMemoryBlobStore();
  const indexer = new Indexer({ dataDirectory: directory, shards: 1, blobs });
  const index = new EmbeddedSearchIndex(directory, new FakeClock(), (cause) => assert.fail(String(cause)));
  try {
    const [inbox] = await store.mailboxes(ACCOUNT);
    assert.ok(inbox);
    await body({
      store,
      indexer,
      inbox: inbox.id,
      directory,
      deliver: async (text) => {
        const octets = Buffer.from(`From: a@example.org\r\nSubject: s\r\n\r\n${text}\r\n`);
        const writing = blobs.create();
        await writing.write(octets);
        const blob = await writing.finish();
        const digest = digestMessage(scanMessage(octets));
        const message = { blob, prefix: Buffer.alloc(0), digest, flags: 0, keywords: [], receivedAtMs: 0 };
        assert.ok((await store.append(ACCOUNT, inbox.id, [message])).ok);
      },
      update: async () => indexer.update(ACCOUNT, async () => true),
      asked: async (needle) => {
        const answer = await index.ask(ACCOUNT, { where: 'body', needle });
        return answer && { found: answer.matches.size, through: answer.through };
      },
    });
  } finally {
    index.close();
    indexer.close();
    store.close();
    writer.close();
    await rm(directory, { recursive: true });
  }
}

test('what came is found after the next round, and before that the answer says how far it reaches', () =>
  withOffice(async ({ deliver, update, asked }) => {
    assert.equal(await asked('APPLE'), undefined);
    await deliver('an apple');
    await update();
    const first = await asked('APPLE');
    assert.equal(first?.found, 1);
    await deliver('another apple');
    assert.deepEqual(await asked('APPLE'), first);
    await update();
    assert.equal((await asked('APPLE'))?.found, 2);
    assert.ok(((await asked('APPLE'))?.through ?? 0) > first.through);
  }));

test('more than one batch is gone through, and a round that is stopped goes on in the next', () =>
  withOffice(async ({ deliver, update, asked, indexer }) => {
    for (let at = 0; at < 150; at += 1) await deliver(`apple ${at}`);
    await indexer.update(ACCOUNT, async () => false);
    assert.equal((await asked('APPLE'))?.found, 64);
    assert.deepEqual(indexer.status(ACCOUNT), { indexed: 64, pending: 86, unread: 0 });
    await update();
    assert.equal((await asked('APPLE'))?.found, 150);
  }));

test('what is expunged leaves the index', () =>
  withOffice(async ({ deliver, update, asked, store, inbox }) => {
    await deliver('apple');
    await deliver('apple pie');
    await update();
    const first = [known(toUid(1))];
    await store.setFlags(ACCOUNT, inbox, first, { mode: 'add', flags: FLAG.deleted, keywords: [] });
    await store.expunge(ACCOUNT, inbox, first);
    await update();
    assert.equal((await asked('APPLE'))?.found, 1);
  }));

test('a message whose octets are gone is one to be read', () =>
  withOffice(async ({ update, indexer, store, inbox }) => {
    assert.ok((await store.append(ACCOUNT, inbox, [newMessage()])).ok);
    await update();
    assert.deepEqual(indexer.status(ACCOUNT), { indexed: 1, pending: 0, unread: 1 });
  }));

test('an index that was set back is made again', () =>
  withOffice(async ({ deliver, update, asked, indexer }) => {
    await deliver('apple');
    await update();
    indexer.reset(ACCOUNT);
    assert.deepEqual(await asked('APPLE'), { found: 0, through: 0 });
    await update();
    assert.equal((await asked('APPLE'))?.found, 1);
  }));

test('the file goes with the account', () =>
  withOffice(async ({ deliver, update, store, indexer, directory }) => {
    await deliver('apple');
    await update();
    assert.ok(existsSync(searchFile(directory, ACCOUNT)));
    await store.removeAccount(ACCOUNT);
    indexer.sweep();
    assert.ok(!existsSync(searchFile(directory, ACCOUNT)));
  }));
