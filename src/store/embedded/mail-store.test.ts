import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Fault } from '../../base/fault.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { openLocalWriter } from '../../sqlite/writer.ts';
import type { LocalWriter } from '../../sqlite/writer.ts';
import { toBlobPlace } from '../blob-store.ts';
import { known, toAccountId, toModSeq, toUid } from '../ids.ts';
import type { AccountId, MailboxId } from '../ids.ts';
import { FLAG } from '../mail-store.ts';
import type { OpenedMailStore } from '../mail-store.contract.ts';
import { mailStoreContract, must, newAccount, newMessage } from '../mail-store.contract.ts';
import { fixShardCount, mailShardFile, ShardCountRefused } from './mail-files.ts';
import * as operations from './mail-operations.ts';
import type { MailOperations } from './mail-operations.ts';
import { kind, SQL } from './mail-schema.ts';
import { openEmbeddedMailStore } from './mail-store.ts';
import type { EmbeddedMailStore } from './mail-store.ts';

const SHARDS = 3;
let scopes = 0;

/** Every shard's writer in this thread. */
function openHere(
  dataDirectory: string,
  clock: FakeClock,
  shards = SHARDS,
): { store: EmbeddedMailStore; writers: LocalWriter<MailOperations>[]; close: () => void } {
  scopes += 1;
  const hintScope = `mail-store.test ${scopes}`;
  const writers = Array.from({ length: shards }, (_, shard) =>
    openLocalWriter(operations, mailShardFile(dataDirectory, shard), { hintScope }),
  );
  const store = openEmbeddedMailStore({
    dataDirectory,
    shards,
    hintScope,
    clock,
    writer: (shard) => writers[shard] ?? assert.fail('no such shard'),
  });
  const close = (): void => {
    store.close();
    for (const writer of writers) writer.close();
  };
  return { store, writers, close };
}

async function withDirectory<Answer>(body: (directory: string) => Promise<Answer>): Promise<Answer> {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-mail-'));
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

mailStoreContract('embedded, writers in this thread', async (): Promise<OpenedMailStore> => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-mail-'));
  const clock = new FakeClock();
  let opened = openHere(directory, clock);
  return {
    store: opened.store,
    reopen: () => {
      opened.close();
      opened = openHere(directory, clock);
      return Promise.resolve(opened.store);
    },
    close: async () => {
      opened.close();
      await rm(directory, { recursive: true });
    },
  };
});

async function inboxOf(store: EmbeddedMailStore, account: AccountId): Promise<MailboxId> {
  return (await store.mailboxes(account)).find(({ role }) => role === 'inbox')?.id ?? assert.fail('no inbox');
}

suite('embedded mail store', () => {
  test('the number of shards is fixed by the first who asks', () =>
    withDirectory(async (directory) => {
      assert.equal(fixShardCount(directory, 4), 4);
      assert.equal(fixShardCount(directory, 8), 4);
      for (const text of ['', '{}', '{"version":2,"shards":4}', '{"version":1,"shards":0}', '[1]', 'null']) {
        await writeFile(join(directory, 'mail-shards.json'), text);
        assert.throws(() => fixShardCount(directory, 4), ShardCountRefused);
      }
    }));

  test('a file of the first version opens, and what was in it can be annotated', () =>
    withDirectory(async (directory) => {
      const file = mailShardFile(directory, 0);
      await mkdir(dirname(file), { recursive: true });
      const old = openDatabase(file, { ...kind, migrations: kind.migrations.slice(0, 1) });
      old.close();
      const { store, close } = openHere(directory, new FakeClock(), 1);
      const account = newAccount();
      const inbox = await inboxOf(store, account);
      must(
        await store.setMetadata(account, account, inbox, [{ name: '/shared/a', value: Buffer.from('x') }]),
      );
      assert.equal((await store.metadata(account, account, inbox)).length, 1);
      close();
    }));

  test('what is asked for often is found by an index', () =>
    withDirectory((directory) => {
      const database = openDatabase(join(directory, 'a.sqlite'), kind);
      for (const [name, sql] of Object.entries(SQL)) {
        const plan = database
          .prepare(`EXPLAIN QUERY PLAN ${sql}`)
          .rows(...Array.from({ length: sql.split('?').length - 1 }, () => 1))
          .map((row) => String(row[3]));
        for (const step of plan) {
          assert.doesNotMatch(step, /^SCAN/, `${name}: ${step}`);
          if (
            /^SEARCH (place|message|digest|vanished|thread_key|p|m|d) /.test(step) &&
            !/blob_place/.test(step)
          )
            assert.match(
              step,
              /\(account_id=\? AND (email_id|modseq|mailbox_id=\? AND uid|thread_key)/,
              `${name}: ${step}`,
            );
        }
      }
      database.close();
      return Promise.resolve();
    }));

  test('a full disk is a Fault for those who write; reading goes on; and writing, when there is room again', () =>
    withDirectory(async (directory) => {
      const { store, writers, close } = openHere(directory, new FakeClock(), 1);
      const [writer] = writers;
      assert.ok(writer !== undefined);
      const account = newAccount();
      const inbox = await inboxOf(store, account);
      must(await store.append(account, inbox, [newMessage()]));
      const pages = Number(writer.database.prepare('PRAGMA page_count').row()?.[0]);
      writer.database.prepare(`PRAGMA max_page_count = ${pages + 2}`).row();
      const huge = newMessage({ prefix: 'x'.repeat(100_000) });
      await assert.rejects(store.append(account, inbox, [huge]), Fault);
      await assert.rejects(store.deliver(account, inbox, { queueId: 'full', recipient: 0 }, huge), Fault);
      assert.equal((await store.entries(account, inbox, 0, 10)).length, 1);
      writer.database.prepare('PRAGMA max_page_count = 1000000').row();
      assert.deepEqual(must(await store.append(account, inbox, [huge])).uids, [2]);
      const delivered = must(await store.deliver(account, inbox, { queueId: 'full', recipient: 0 }, huge));
      assert.deepEqual([delivered.uids, delivered.duplicate], [[3], false]);
      close();
    }));

  test('deliveries are forgotten after 30 days, not before', () =>
    withDirectory(async (directory) => {
      const clock = new FakeClock();
      const { store, close } = openHere(directory, clock);
      const accounts = Array.from({ length: 7 }, newAccount);
      const deliver = async (account: AccountId): Promise<boolean> =>
        must(await store.deliver(account, undefined, { queueId: 'once', recipient: 0 }, newMessage()))
          .duplicate;
      for (const account of accounts) assert.equal(await deliver(account), false);
      await clock.advance(29 * 86_400_000);
      await store.maintain();
      for (const account of accounts) assert.equal(await deliver(account), true);
      await clock.advance(2 * 86_400_000);
      await store.maintain();
      for (const account of accounts) assert.equal(await deliver(account), false);
      close();
    }));

  test('the compaction sees the places in use and may move them', () =>
    withDirectory(async (directory) => {
      const { store, close } = openHere(directory, new FakeClock(), 1);
      const place = (at: number): ReturnType<typeof toBlobPlace> & {} => known(toBlobPlace(at));
      const [user] = store.blobUsers;
      assert.ok(user !== undefined);
      const [one, two] = [newAccount(), newAccount()];
      const message = newMessage();
      const at = (where: number): typeof message => ({
        ...message,
        blob: { ...message.blob, place: place(where) },
      });
      const inbox = await inboxOf(store, one);
      must(await store.append(one, inbox, [at(100), at(200), at(300)]));
      must(await store.append(two, await inboxOf(store, two), [at(200), at(2 ** 52)]));
      assert.deepEqual(await user.placesBetween(place(0), place(2 ** 53 - 1)), [100, 200, 300, 2 ** 52]);
      assert.deepEqual(await user.placesBetween(place(100), place(300)), [100, 200]);
      await user.relocate([
        { from: place(200), to: place(7000) },
        { from: place(201), to: place(7001) },
      ]);
      await user.relocate([]);
      assert.deepEqual(await user.placesBetween(place(0), place(10_000)), [100, 300, 7000]);
      const uids = [1, 2, 3].map((uid) => known(toUid(uid)));
      assert.deepEqual(
        (await store.placed(one, inbox, uids)).map(({ blob }) => blob.place),
        [100, 7000, 300],
      );
      must(await store.setFlags(one, inbox, uids, { mode: 'add', flags: FLAG.deleted, keywords: [] }));
      must(await store.expunge(one, inbox, undefined));
      assert.deepEqual(await user.placesBetween(place(0), place(10_000)), [7000]);
      close();
    }));

  test('many changes come whole, though they are read in pages, and no stretch of work is long', () =>
    withDirectory(async (directory) => {
      const { store, close } = openHere(directory, new FakeClock(), 1);
      const account = newAccount();
      const inbox = await inboxOf(store, account);
      const message = newMessage();
      for (let count = 0; count < 6; count += 1)
        must(await store.append(account, inbox, Array(1000).fill(message)));
      const all = await store.entries(account, inbox, 0, 10_000);
      assert.deepEqual(
        all.map(({ uid }) => uid),
        Array.from({ length: 6000 }, (_, index) => index + 1),
      );
      const since = known(toModSeq(1));
      const uids = all.map(({ uid }) => uid);
      const flagged = must(
        await store.setFlags(account, inbox, uids.slice(0, 5500), {
          mode: 'add',
          flags: FLAG.deleted,
          keywords: [],
        }),
      );
      assert.equal(flagged.entries.length, 5500);
      const gone = must(await store.expunge(account, inbox, undefined));
      const changes = must(await store.mailboxChanges(account, inbox, since));
      assert.deepEqual(changes.vanished, gone);
      assert.deepEqual(
        changes.changed.map(({ uid }) => uid),
        uids.slice(5500),
      );
      assert.equal(must(await store.mailboxChanges(account, inbox, known(toModSeq(0)))).changed.length, 500);
      close();
    }));

  test('a watcher hears of changes that another store of the same server made', () =>
    withDirectory(async (directory) => {
      const { store, writers, close } = openHere(directory, new FakeClock(), 1);
      const other = openEmbeddedMailStore({
        dataDirectory: directory,
        shards: 1,
        hintScope: `mail-store.test ${scopes}`,
        clock: new FakeClock(),
        writer: () => writers[0] ?? assert.fail('no writer'),
      });
      const account = known(toAccountId(1));
      const heard: number[] = [];
      other.watch(account, (modSeq) => heard.push(modSeq));
      must(await store.append(account, await inboxOf(store, account), [newMessage()]));
      await wait(50);
      assert.equal(heard.at(-1), (await store.changes(account, known(toModSeq(0)), 100)).modSeq);
      other.close();
      close();
    }));
});

test('messages of a version that kept no sort keys are sorted by their digests', () =>
  withDirectory(async (directory) => {
    const { store, close } = openHere(directory, new FakeClock(), 1);
    const account = newAccount();
    const inbox = await inboxOf(store, account);
    const messages = [newMessage({ subject: 'Re: b', messageId: 'b@x', references: '<a@x>' }), newMessage()];
    must(await store.append(account, inbox, messages));
    const uids = [1, 2].map((uid) => known(toUid(uid)));
    const read = () =>
      Promise.all(
        ([undefined, 'addresses', 'thread'] as const).map((part) =>
          store.sortables(account, inbox, uids, part),
        ),
      );
    const before = await read();
    const shard = openDatabase(mailShardFile(directory, 0), kind);
    shard.exec(
      `UPDATE message SET sent_at_ms = NULL, sort_subject = NULL, sort_addresses = NULL, sort_thread = NULL
       WHERE email_id = (SELECT min(email_id) FROM message)`,
    );
    shard.close();
    const after = await read();
    assert.equal(after[2]?.[0]?.thread?.isReply, true);
    assert.deepEqual(
      after.map((list) => list.map(({ uid, subject, thread }) => ({ uid, subject, thread }))),
      before.map((list) => list.map(({ uid, subject, thread }) => ({ uid, subject, thread }))),
    );
    assert.equal(after[1]?.[0]?.addresses?.from, before[1]?.[0]?.addresses?.from);
    close();
  }));
