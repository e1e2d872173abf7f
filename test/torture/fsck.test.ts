/** Damage of many kinds, done to the data of a stopped post office: found, contained, mended where that can be. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openBackends, openWriters, segmentDirectory, type Backends } from '../../src/app/backends.ts';
import { openDataDirectory } from '../../src/app/data-directory.ts';
import { takeDataLock } from '../../src/app/data-lock.ts';
import { checkAll } from '../../src/app/fsck.ts';
import { localConfig } from '../../src/app/open-stores.ts';
import { systemClock, systemRandom } from '../../src/app/system.ts';
import { digestMessage } from '../../src/message/digest.ts';
import { scanMessage } from '../../src/message/scan.ts';
import type { BlobRef } from '../../src/store/blob-store.ts';
import { fromPlace, HEADER_OCTETS, formatSegmentName } from '../../src/store/embedded/segment-format.ts';
import type { AccountId } from '../../src/store/ids.ts';
import { Indexer } from '../../src/search/embedded/indexer.ts';
import { local, testId, testMessage } from '../../src/queue/queue.contract.ts';
import { letterOf } from './letter.ts';

const MAIN = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));
const MESSAGES = 5;

/** What the damage is done with. */
type Data = {
  readonly directory: string;
  readonly blobs: readonly BlobRef[];
  readonly sql: (file: string, ...statements: readonly string[]) => void;
  /** Turns the bits of one octet over. */
  readonly flip: (file: string, offset: number) => Promise<void>;
};

type Case = {
  readonly name: string;
  readonly damage: (data: Data) => Promise<void> | void;
  /** Kinds that are found, notes left out. */
  readonly found: readonly string[];
  /** Of them, those that are still found after a repair. */
  readonly left?: readonly string[];
};

const MAIL = 'mail-0000.sqlite';
const QUEUE = 'queue.sqlite';
const DIRECTORY = 'directory.sqlite';
const INDEX = 'search/1.sqlite';

function segmentOf(blob: BlobRef): string {
  return join('segments', formatSegmentName(fromPlace(blob.place).segment));
}

function blobAt({ blobs }: Data, index: number): { readonly file: string; readonly offset: number } {
  const blob = blobs[index] ?? assert.fail('no such blob');
  return { file: segmentOf(blob), offset: fromPlace(blob.place).offset };
}

const CASES: readonly Case[] = [
  { name: 'nothing', damage: () => undefined, found: [] },
  {
    name: 'the search index: an octet of its first page',
    damage: async (data) => data.flip(INDEX, 3),
    found: ['search.damaged'],
  },
  {
    name: 'the search index: a page in the middle',
    damage: async ({ directory }) => {
      const file = await open(join(directory, INDEX), 'r+');
      await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, 4 * 4096);
      await file.close();
    },
    found: ['search.damaged'],
  },
  {
    name: 'the search index: a message that is not in it',
    damage: ({ sql }) =>
      sql(INDEX, 'DELETE FROM document WHERE email_id = (SELECT min(email_id) FROM document)'),
    found: ['search.damaged'],
  },
  {
    name: 'the search index: words of a message that are not in it',
    damage: ({ sql }) => sql(INDEX, 'DELETE FROM said WHERE rowid = (SELECT min(email_id) FROM document)'),
    found: ['search.damaged'],
  },
  {
    name: 'the search index: an octet of a text',
    damage: ({ sql }) =>
      sql(
        INDEX,
        `UPDATE text SET body = CAST(substr(body, 1, length(body) - 1) || X'00' AS BLOB)
         WHERE email_id = (SELECT min(email_id) FROM text)`,
      ),
    found: ['search.damaged'],
  },
  {
    name: 'the search index: it is of later mail',
    damage: ({ sql }) => sql(INDEX, 'UPDATE state SET through = 1000000'),
    found: ['search.damaged'],
  },
  {
    name: 'an octet of a message',
    damage: async (data) => {
      const { file, offset } = blobAt(data, 0);
      await data.flip(file, offset + HEADER_OCTETS + 20);
    },
    found: ['segment.damaged'],
    left: ['segment.damaged'],
  },
  {
    name: 'an octet of the size in the header of a record',
    damage: async (data) => {
      const { file, offset } = blobAt(data, 1);
      await data.flip(file, offset + 8);
    },
    found: ['segment.damaged'],
  },
  {
    name: 'the checksum of a record',
    damage: async (data) => {
      const { file, offset } = blobAt(data, 1);
      await data.flip(file, offset + 48);
    },
    found: ['segment.damaged'],
  },
  {
    name: 'the header of a segment file',
    damage: async (data) => data.flip(blobAt(data, 0).file, 3),
    found: ['segment.header'],
  },
  {
    name: 'a segment that is cut short',
    damage: async (data) => {
      const { file, offset } = blobAt(data, MESSAGES - 1);
      await truncate(join(data.directory, file), offset + HEADER_OCTETS + 10);
    },
    found: ['segment.damaged', 'segment.no-record'],
    left: ['segment.damaged', 'segment.no-record'],
  },
  {
    name: 'a segment that is gone',
    damage: async (data) => rm(join(data.directory, blobAt(data, 0).file)),
    found: Array.from({ length: MESSAGES + 1 }, () => 'segment.no-record'),
    left: Array.from({ length: MESSAGES + 1 }, () => 'segment.no-record'),
  },
  {
    name: 'a counter of a mailbox',
    damage: ({ sql }) => sql(MAIL, 'UPDATE mailbox SET total = total + 3 WHERE mailbox_id = 1'),
    found: ['mail.wrong-counters'],
  },
  {
    name: 'UIDNEXT',
    damage: ({ sql }) => sql(MAIL, 'UPDATE mailbox SET uid_next = 2 WHERE mailbox_id = 1'),
    found: ['mail.low-uid-next'],
  },
  {
    name: 'the modseq of an account',
    damage: ({ sql }) => sql(MAIL, 'UPDATE account SET modseq = 1'),
    // The index has come further than that.
    found: ['mail.low-modseq', 'search.damaged'],
  },
  {
    name: "a message's row",
    damage: ({ sql }) =>
      sql(MAIL, 'DELETE FROM message WHERE email_id = (SELECT min(email_id) FROM message)'),
    found: ['mail.digest-without-message', 'mail.place-without-message', 'mail.wrong-usage'],
  },
  {
    name: "a place's row",
    damage: ({ sql }) => sql(MAIL, 'DELETE FROM place WHERE uid = 2'),
    found: ['mail.message-without-place', 'mail.wrong-counters'],
  },
  {
    name: "a digest's row",
    damage: ({ sql }) => sql(MAIL, 'DELETE FROM digest WHERE email_id = (SELECT max(email_id) FROM digest)'),
    found: ['mail.message-without-digest'],
  },
  {
    name: "a digest's octets",
    damage: ({ sql }) =>
      sql(MAIL, "UPDATE digest SET digest = x'00' WHERE email_id = (SELECT max(email_id) FROM digest)"),
    found: ['mail.digest-damaged'],
  },
  {
    name: 'the inbox',
    damage: ({ sql }) => sql(MAIL, 'DELETE FROM mailbox WHERE mailbox_id = 1'),
    found: ['mail.no-inbox', 'mail.place-without-mailbox'],
  },
  {
    name: "an account's row",
    damage: ({ sql }) => sql(MAIL, 'DELETE FROM account'),
    found: ['mail.no-account'],
  },
  {
    name: 'mail-shards.json',
    damage: ({ directory }) => rm(join(directory, 'mail-shards.json')),
    found: ['mail.no-shard-count'],
  },
  {
    name: "a shard's pages",
    damage: ({ directory }) => writeFile(join(directory, MAIL), Buffer.alloc(8192, 'x')),
    found: ['mail.damaged-file'],
    left: ['mail.damaged-file'],
  },
  {
    name: "the queue's counter",
    damage: ({ sql }) => sql(QUEUE, 'UPDATE counter SET messages = 7'),
    found: ['queue.counter'],
  },
  {
    name: "a queued message's row",
    damage: ({ sql }) => sql(QUEUE, 'DELETE FROM message'),
    found: ['queue.counter', 'queue.no-message'],
  },
  {
    name: 'when the queue is to look again',
    damage: ({ sql }) => sql(QUEUE, 'UPDATE message SET next_at = 1, due_at = 1'),
    found: ['queue.due'],
  },
  {
    name: "the queue's file",
    damage: ({ directory }) => rm(join(directory, QUEUE)),
    found: ['queue.damaged'],
  },
  {
    name: "a shard's file",
    damage: ({ directory }) => rm(join(directory, MAIL)),
    found: ['mail.damaged-file'],
  },
  {
    name: "the queue's pages",
    damage: ({ directory }) => writeFile(join(directory, QUEUE), Buffer.alloc(8192, 'x')),
    found: ['queue.damaged'],
    left: ['queue.damaged'],
  },
  {
    name: 'a domain',
    damage: ({ sql }) => sql(DIRECTORY, 'DELETE FROM domain'),
    found: ['directory.missing-domain'],
  },
  {
    name: "the directory's pages",
    damage: ({ directory }) => writeFile(join(directory, DIRECTORY), Buffer.alloc(8192, 'x')),
    found: ['directory.failed'],
    left: ['directory.failed'],
  },
  {
    name: 'a grant of an account that is gone',
    damage: ({ sql }) => sql(DIRECTORY, "INSERT INTO send_grant VALUES (99, 'alice@example.test', 1)"),
    found: ['directory.orphaned-grant'],
  },
  {
    name: 'a policy of another domain that is none',
    damage: ({ sql }) => sql('tls.sqlite', "INSERT INTO sts_policy VALUES ('far.test', '1', 'x', 1, 2)"),
    found: ['tls.bad-policy'],
  },
  {
    name: 'the pages of what is known of TLS',
    damage: ({ directory }) => writeFile(join(directory, 'tls.sqlite'), Buffer.alloc(8192, 'x')),
    found: ['tls.failed'],
    left: ['tls.failed'],
  },
];

suite('fsck', () => {
  let original = '';
  let blobs: readonly BlobRef[] = [];

  before(async () => {
    original = await mkdtemp(join(tmpdir(), 'postrider-fsck-'));
    blobs = await fill(original);
  });
  after(() => rm(original, { recursive: true }));

  async function withCopy(body: (data: Data) => Promise<void>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'postrider-fsck-'));
    await cp(original, directory, { recursive: true });
    const sql = (file: string, ...statements: readonly string[]): void => {
      const database = new DatabaseSync(join(directory, file));
      for (const statement of statements) database.exec(statement);
      database.close();
    };
    const flip = async (file: string, offset: number): Promise<void> => {
      await using handle = await open(join(directory, file), 'r+');
      const octet = Buffer.alloc(1);
      await handle.read(octet, 0, 1, offset);
      octet[0] = ~(octet[0] ?? 0);
      await handle.write(octet, 0, 1, offset);
    };
    try {
      await body({ directory, blobs, sql, flip });
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  async function check(directory: string, repair: boolean): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const { kind, severity } of checkAll(localConfig(directory), repair))
      if (severity === 'damage') found.push(kind);
    return found.toSorted();
  }

  for (const { name, damage, found, left = [] } of CASES)
    test(`${name}: found, and mended where that can be`, async () => {
      await withCopy(async (data) => {
        await damage(data);
        assert.deepEqual(await check(data.directory, false), [...found], 'without repair');
        // What was mended may have hidden something else, so that the second look counts.
        await check(data.directory, true);
        assert.deepEqual(await check(data.directory, false), [...left], 'after the repair');
      });
    });

  test('without --repair nothing is changed', async () => {
    await withCopy(async (data) => {
      data.sql(MAIL, 'UPDATE mailbox SET total = total + 3 WHERE mailbox_id = 1');
      await check(data.directory, false);
      assert.deepEqual(await check(data.directory, false), ['mail.wrong-counters']);
    });
  });

  test('a search index that is behind, of an older form or left over is a note, and a repair sees to it', async () => {
    const notes = async (directory: string, repair: boolean): Promise<readonly string[]> => {
      const found: string[] = [];
      for await (const { kind, severity, mended } of checkAll(localConfig(directory), repair)) {
        assert.equal(severity, 'note');
        assert.equal(mended, repair);
        found.push(kind);
      }
      return found;
    };
    for (const [change, want] of [
      [({ directory }: Data) => rm(join(directory, INDEX)), 'search.behind'],
      [
        ({ sql }: Data) => sql(INDEX, 'UPDATE state SET through = 0; DELETE FROM document; DELETE FROM text'),
        'search.behind',
      ],
      [({ sql }: Data) => sql(INDEX, 'PRAGMA user_version = 1'), 'search.older'],
      [({ directory }: Data) => leaveHalfWritten(join(directory, INDEX)), 'search.unfinished'],
      [
        ({ directory }: Data) => cp(join(directory, INDEX), join(directory, 'search/99.sqlite')),
        'search.leftover',
      ],
    ] as const)
      await withCopy(async (data) => {
        await change(data);
        assert.deepEqual(await notes(data.directory, false), [want]);
        if (want === 'search.older') return;
        assert.deepEqual(await notes(data.directory, true), [want]);
        assert.deepEqual(await notes(data.directory, false), []);
      });
  });

  test('a tail that a crash left is nothing, and a repair cuts it off', async () => {
    await withCopy(async (data) => {
      const file = join(data.directory, blobAt(data, 0).file);
      await writeFile(file.replace('.segment', '.active-session1'), '');
      await writeFile(file, Buffer.alloc(300, 'torn'), { flag: 'a' });
      assert.deepEqual(await check(data.directory, false), []);
      assert.deepEqual(await check(data.directory, true), []);
      const names = await readdir(join(data.directory, 'segments'));
      assert.ok(!names.some((name) => name.includes('active')));
    });
  });

  test('a message without a place comes to the inbox, with its octets', async () => {
    await withCopy(async (data) => {
      data.sql(MAIL, 'DELETE FROM place WHERE uid = 2');
      await check(data.directory, true);
      const database = new DatabaseSync(join(data.directory, MAIL));
      assert.deepEqual(
        { ...database.prepare('SELECT count(*) AS count FROM place').get() },
        { count: MESSAGES },
      );
      database.close();
    });
  });

  test('the program says what it found by its exit code, and as JSON', async () => {
    await withCopy(async (data) => {
      const run = (...words: readonly string[]): Promise<Ended> => fsck('--dir', data.directory, ...words);
      assert.deepEqual(await run(), { code: 0, out: 'All is well\n', error: '' });
      assert.deepEqual(JSON.parse((await run('--json')).out), {
        found: [],
        ok: true,
        damage: 0,
        mended: 0,
        notes: 0,
      });
      data.sql(QUEUE, 'UPDATE counter SET messages = 7');
      const text = 'The queue counts 7, 1, 0, and holds 1, 1, 0';
      const damaged = await run('--json');
      assert.equal(damaged.code, 4);
      assert.deepEqual(JSON.parse(damaged.out), {
        found: [{ kind: 'queue.counter', severity: 'damage', text, mended: false }],
        ok: false,
        damage: 1,
        mended: 0,
        notes: 0,
      });
      assert.deepEqual(await run('--repair'), {
        code: 4,
        out: `mended: queue.counter: ${text}\n1 found damaged, 1 of them mended\n`,
        error: '',
      });
      assert.equal((await run()).code, 0);
      const holder = { pid: 4711, what: 'postrider serve', sinceMs: 0 };
      const lock = await takeDataLock(data.directory, holder);
      assert.ok(lock.ok);
      const refused = await run();
      await lock.value.release();
      assert.equal(refused.code, 6);
      assert.match(refused.error, /in use by postrider serve \(process 4711/);
      assert.equal((await fsck('--dir', join(data.directory, 'nowhere'))).code, 1);
      data.sql(MAIL, 'PRAGMA user_version = 99');
      const newer = await run('--repair');
      assert.equal(newer.code, 6);
      assert.match(newer.error, /version 99, written by a newer Postrider/);
    });
  });
});

type Ended = { readonly code: unknown; readonly out: string; readonly error: string };

async function fsck(...words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, 'fsck', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, error] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
  const [code]: unknown[] = await once(child, 'close');
  return { code, out, error };
}

/** A post office that was stopped in good order: an account with messages in its inbox, and one message in the queue. */
async function fill(directory: string): Promise<readonly BlobRef[]> {
  const defaults = localConfig(directory);
  const config = { ...defaults, store: { ...defaults.store, shards: 1 } };
  await openDataDirectory(directory, systemClock.nowMs());
  const writers = await openWriters(config);
  const backends = await openBackends({
    config,
    writers: writers.connect(),
    owner: 'test',
    clock: systemClock,
    random: systemRandom,
  });
  const { directory: accounts, mail, queue } = backends;
  await accounts.addDomain('example.test');
  await accounts.addAccount({ address: 'alice@example.test', password: 'a long enough secret' });
  const account = (await accounts.accountByAddress('alice@example.test'))?.id ?? assert.fail('no account');
  const blobs = await appendAll(backends, account);
  const queued = await store(backends, letterOf('queued', 2000));
  await queue.accept(testMessage(1, { id: testId(1), blob: queued, recipients: [local('alice')] }));
  assert.ok((await mail.mailboxes(account)).length > 1);
  const indexer = new Indexer({ dataDirectory: directory, shards: 1, blobs: backends.blobs });
  await indexer.update(account, async () => true);
  indexer.close();
  await backends.close();
  await writers.close();
  assert.ok((await readdir(segmentDirectory(config))).length === 1);
  return [...blobs, queued];
}

/** As a crash leaves a file that is being made: that there was nothing in it is in its journal. */
async function leaveHalfWritten(file: string): Promise<void> {
  await rm(`${file}-wal`, { force: true });
  await rm(file);
  const other = `${file}.other`;
  const database = new DatabaseSync(other);
  database.exec('PRAGMA cache_size = 1; BEGIN; CREATE TABLE page (octets BLOB)');
  const insert = database.prepare('INSERT INTO page VALUES (zeroblob(4000))');
  for (let page = 0; page < 50; page += 1) insert.run();
  await cp(other, file);
  await cp(`${other}-journal`, `${file}-journal`);
  database.close();
  await rm(other);
}

async function store({ blobs }: Backends, octets: Buffer): Promise<BlobRef> {
  const writer = blobs.create();
  await writer.write(octets);
  return writer.finish();
}

async function appendAll(backends: Backends, account: AccountId): Promise<readonly BlobRef[]> {
  const { mail } = backends;
  await mail.openAccount(account);
  const inbox =
    (await mail.mailboxes(account)).find(({ role }) => role === 'inbox') ?? assert.fail('no inbox');
  const refs: BlobRef[] = [];
  for (let index = 0; index < MESSAGES; index += 1) {
    const octets = letterOf(`m${index}`, 1000 + 700 * index);
    const blob = await store(backends, octets);
    refs.push(blob);
    const appended = await mail.append(account, inbox.id, [
      {
        blob,
        prefix: new Uint8Array(0),
        digest: digestMessage(scanMessage(octets)),
        flags: 0,
        keywords: [],
        receivedAtMs: 1_770_000_000_000,
      },
    ]);
    assert.ok(appended.ok);
  }
  return refs;
}
