import assert from 'node:assert/strict';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { openLocalWriter } from '../../sqlite/writer.ts';
import type { LocalWriter } from '../../sqlite/writer.ts';
import { known, toMailboxId, toUid } from '../ids.ts';
import type { AccountId, MailboxId } from '../ids.ts';
import { FLAG } from '../mail-store.ts';
import { must, newAccount, newMessage } from '../mail-store.contract.ts';
import { checkMail } from './mail-check.ts';
import type { MailCheckOptions, MailFinding } from './mail-check.ts';
import { mailShardFile } from './mail-files.ts';
import * as operations from './mail-operations.ts';
import type { MailOperations } from './mail-operations.ts';
import { openEmbeddedMailStore } from './mail-store.ts';
import type { EmbeddedMailStore } from './mail-store.ts';

const INBOX = known(toMailboxId(1));

type World = {
  readonly directory: string;
  readonly store: EmbeddedMailStore;
  readonly writer: LocalWriter<MailOperations>;
  readonly account: AccountId;
  /** A mailbox with three messages, the first of which is in the inbox too. */
  readonly mailbox: MailboxId;
};

async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-check-'));
  const hintScope = `mail-check.test ${directory}`;
  const writer = openLocalWriter(operations, mailShardFile(directory, 0), { hintScope });
  const options = {
    dataDirectory: directory,
    shards: 1,
    hintScope,
    clock: new FakeClock(),
    writer: () => writer,
  };
  const store = openEmbeddedMailStore(options);
  try {
    const account = newAccount();
    const mailbox = must(await store.createMailbox(account, { parent: undefined, name: 'Work' })).id;
    const drafts = [{ keywords: ['k'] }, { flags: FLAG.seen }, { flags: FLAG.deleted, prefix: 'A: b\r\n' }];
    must(await store.append(account, mailbox, drafts.map(newMessage)));
    must(await store.copy(account, mailbox, [known(toUid(1))], INBOX));
    await body({ directory, store, writer, account, mailbox });
  } finally {
    store.close();
    writer.close();
    await rm(directory, { recursive: true });
  }
}

async function check(
  { directory, account, writer }: World,
  isRepair: boolean,
): Promise<readonly MailFinding[]> {
  const repair: NonNullable<MailCheckOptions['repair']> = {
    writer: () => writer,
    clock: new FakeClock(),
    digest: () => Promise.resolve(newMessage({ subject: 'made again' }).digest),
  };
  const options: MailCheckOptions = {
    dataDirectory: directory,
    shards: 1,
    account,
    ...(isRepair ? { repair } : {}),
  };
  return gather(checkMail(options));
}

async function gather(findings: AsyncIterable<MailFinding>): Promise<MailFinding[]> {
  const found: MailFinding[] = [];
  for await (const finding of findings) found.push(finding);
  return found;
}

const damages: readonly {
  readonly what: string;
  readonly sql: (mailbox: MailboxId) => string;
  readonly kinds: readonly MailFinding['kind'][];
  /** Places in the inbox, and in the mailbox, after mending. */
  readonly left: readonly [inbox: number, mailbox: number];
}[] = [
  {
    what: 'a wrong total',
    sql: () => 'UPDATE mailbox SET total = total + 1',
    kinds: Array(7).fill('wrong-counters'),
    left: [1, 3],
  },
  {
    what: 'a wrong unseen',
    sql: (id) => `UPDATE mailbox SET unseen = 0 WHERE mailbox_id = ${id}`,
    kinds: ['wrong-counters'],
    left: [1, 3],
  },
  {
    what: 'a low uid_next',
    sql: (id) => `UPDATE mailbox SET uid_next = 2 WHERE mailbox_id = ${id}`,
    kinds: ['low-uid-next'],
    left: [1, 3],
  },
  {
    what: 'a low modseq of a mailbox',
    sql: (id) => `UPDATE mailbox SET modseq = 2 WHERE mailbox_id = ${id}`,
    kinds: ['low-mailbox-modseq'],
    left: [1, 3],
  },
  {
    what: 'a low modseq of the account',
    sql: () => 'UPDATE account SET modseq = 3',
    kinds: ['low-modseq'],
    left: [1, 3],
  },
  {
    what: 'wrong usage',
    sql: () => 'UPDATE account SET octets_used = 1',
    kinds: ['wrong-usage'],
    left: [1, 3],
  },
  {
    what: 'a lost message row',
    sql: () => 'DELETE FROM message WHERE email_id = (SELECT max(email_id) FROM message)',
    kinds: ['place-without-message', 'digest-without-message', 'wrong-usage'],
    left: [1, 2],
  },
  {
    what: 'lost places',
    sql: (id) => `DELETE FROM place WHERE mailbox_id = ${id}`,
    kinds: ['message-without-place', 'message-without-place', 'wrong-counters'],
    left: [3, 0],
  },
  {
    what: 'a lost digest',
    sql: () => 'DELETE FROM digest WHERE email_id = (SELECT max(email_id) FROM digest)',
    kinds: ['message-without-digest'],
    left: [1, 3],
  },
  {
    what: 'a damaged digest',
    sql: () => "UPDATE digest SET digest = x'0102' WHERE email_id = (SELECT max(email_id) FROM digest)",
    kinds: ['digest-damaged'],
    left: [1, 3],
  },
  {
    what: 'a wrong size',
    sql: (id) => `UPDATE place SET octets = 1 WHERE uid = 2 AND mailbox_id = ${id}`,
    kinds: ['wrong-size', 'wrong-counters'],
    left: [1, 3],
  },
  {
    what: 'flags that differ',
    sql: (id) => `UPDATE place SET flags = 4 WHERE uid = 1 AND mailbox_id = ${id}`,
    kinds: ['flags-differ'],
    left: [1, 3],
  },
  {
    what: 'a lost mailbox',
    sql: (id) => `DELETE FROM mailbox WHERE mailbox_id = ${id}`,
    kinds: ['place-without-mailbox'],
    left: [3, 0],
  },
  {
    what: 'a lost inbox',
    sql: () => 'DELETE FROM mailbox WHERE mailbox_id = 1',
    kinds: ['no-inbox', 'place-without-mailbox'],
    left: [1, 3],
  },
  {
    what: 'a lost parent',
    sql: (id) => `UPDATE mailbox SET parent_id = 5555 WHERE mailbox_id = ${id}`,
    kinds: ['mailbox-without-parent'],
    left: [1, 3],
  },
];

for (const { what, sql, kinds, left } of damages) {
  test(`${what} is found, mended, and then not found any more`, () =>
    withWorld(async (world) => {
      const { store, writer, account, mailbox } = world;
      assert.deepEqual(await check(world, false), []);
      writer.database.exec(sql(mailbox));
      const found = await check(world, false);
      assert.deepEqual(
        found.map(({ kind }) => kind),
        kinds,
      );
      assert.ok(found.every(({ isRepaired }) => !isRepaired));
      const mended = await check(world, true);
      assert.deepEqual(
        mended,
        found.map((finding) => ({ ...finding, isRepaired: true })),
      );
      assert.deepEqual(await check(world, false), []);
      const [inbox, others] = [
        await store.entries(account, INBOX, 0, 10),
        await store.entries(account, mailbox, 0, 10),
      ];
      assert.deepEqual([inbox.length, others.length], left);
      const appended = must(await store.append(account, INBOX, [newMessage()]));
      assert.ok((appended.uids[0] ?? 0) > (inbox.at(-1)?.uid ?? 0));
      assert.equal(
        (
          await store.messages(
            account,
            INBOX,
            inbox.map(({ uid }) => uid),
          )
        ).length,
        inbox.length,
      );
      assert.deepEqual(await check(world, false), []);
    }));
}

test('all accounts of all shards are looked at when none is named', () =>
  withWorld(async (world) => {
    const { store, writer, directory } = world;
    const accounts = Array.from({ length: 5 }, newAccount);
    for (const account of accounts) await store.openAccount(account);
    writer.database.exec('UPDATE account SET messages_used = 77');
    const found = await gather(checkMail({ dataDirectory: directory, shards: 1 }));
    assert.equal(found.length, 6);
    assert.ok(found.every(({ kind, shard }) => kind === 'wrong-usage' && shard === 0));
  }));

test('a damaged file is said to be one, and does not end the check', () =>
  withWorld(async ({ directory, store, writer, account }) => {
    for (let count = 0; count < 20; count += 1)
      must(
        await store.append(
          account,
          INBOX,
          Array.from({ length: 20 }, () => newMessage()),
        ),
      );
    writer.database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').row();
    store.close();
    writer.close();
    const file = mailShardFile(directory, 0);
    const handle = await open(file, 'r+');
    const { size } = await stat(file);
    for (let at = 4096 * 30; at < size; at += 4096 * 3)
      await handle.write(Buffer.alloc(512, 0x5a), 0, 512, at);
    await handle.close();
    const found = await gather(checkMail({ dataDirectory: directory, shards: 1 }));
    assert.ok(found.some(({ kind }) => kind === 'damaged-file'));
  }));
