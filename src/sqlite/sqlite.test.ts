import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as counting from '../../test/support/counting-writer.ts';
import type { CountingOperations } from '../../test/support/counting-writer.ts';
import { Fault } from '../base/fault.ts';
import { textAt } from './database.ts';
import { openHints } from './hint.ts';
import { DatabaseRefused, fileVersion } from './migrate.ts';
import { openDatabase } from './open-database.ts';
import { connectWriter, openLocalWriter, ownOctets, startWriterThread } from './writer.ts';

let directory = '';
let files = 0;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postrider-sqlite-'));
});
after(() => rm(directory, { recursive: true }));

function newFile(): string {
  files += 1;
  return join(directory, `${files}.sqlite`);
}

const moduleUrl = new URL('../../test/support/counting-writer.ts', import.meta.url).href;

function countIn(file: string): number {
  const database = openDatabase(file, counting.kind, { readOnly: true });
  try {
    return Number(database.prepare('SELECT count(*) FROM count').row()?.[0]);
  } finally {
    database.close();
  }
}

test('a new file gets WAL, full sync, its mark and its version', () => {
  const database = openDatabase(newFile(), counting.kind);
  assert.equal(database.prepare('PRAGMA journal_mode').row()?.[0], 'wal');
  assert.equal(database.prepare('PRAGMA synchronous').row()?.[0], 2);
  assert.equal(database.prepare('PRAGMA application_id').row()?.[0], counting.kind.applicationId);
  assert.equal(fileVersion(database), 1);
  database.close();
});

test('migrations run once each, in order, from the version that the file has', () => {
  const file = newFile();
  openDatabase(file, counting.kind).close();
  const newer = {
    ...counting.kind,
    migrations: [...counting.kind.migrations, 'CREATE TABLE note (text TEXT) STRICT'],
  };
  assert.throws(() => openDatabase(file, newer, { readOnly: true }), /version 1 and must be migrated to 2/);
  const database = openDatabase(file, newer);
  assert.equal(fileVersion(database), 2);
  database.prepare('INSERT INTO note VALUES (?)').run('kept');
  database.close();
  const again = openDatabase(file, newer);
  assert.equal(textAt(again.prepare('SELECT text FROM note').row() ?? [], 0), 'kept');
  again.close();
  assert.throws(
    () => openDatabase(file, counting.kind),
    (error) =>
      error instanceof DatabaseRefused && error.refusal.kind === 'newer' && error.refusal.version === 2,
  );
});

test('a migration that fails leaves the file as it was', () => {
  const file = newFile();
  openDatabase(file, counting.kind).close();
  const broken = {
    ...counting.kind,
    migrations: [...counting.kind.migrations, 'CREATE TABLE a (b); CREATE TABLE a (b)'],
  };
  assert.throws(() => openDatabase(file, broken));
  const database = openDatabase(file, counting.kind);
  assert.equal(fileVersion(database), 1);
  assert.equal(database.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'a'").row()?.[0], 0);
  database.close();
});

test('a foreign file is refused by name and left alone', async () => {
  const text = newFile();
  await writeFile(text, 'this is no database, but it is long enough to be looked at as one. '.repeat(50));
  const other = newFile();
  const foreign = new DatabaseSync(other);
  foreign.exec('CREATE TABLE theirs (a)');
  foreign.close();
  for (const file of [text, other])
    assert.throws(
      () => openDatabase(file, counting.kind),
      (error) =>
        error instanceof DatabaseRefused && error.refusal.kind === 'foreign' && error.message.includes(file),
    );
  const unchanged = new DatabaseSync(other);
  assert.equal(unchanged.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'delete');
  unchanged.close();
});

test('operations that arrive together share one commit; one that throws is undone alone', async (t) => {
  // A group is also bounded in time, which a busy machine may spend between two operations.
  t.mock.method(performance, 'now', () => 0);
  const writer = openLocalWriter<undefined, CountingOperations>(counting, newFile(), undefined);
  let commits = 0;
  const commit = writer.database.commit.bind(writer.database);
  writer.database.commit = (): void => {
    commits += 1;
    commit();
  };
  const results = await Promise.allSettled([
    writer.call('add', { value: 1 }),
    writer.call('addThenThrow', { value: 2 }),
    writer.call('add', { value: 3 }),
    writer.call('addThenThrow', { value: 4 }),
    writer.call('total', {}),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  assert.equal(results[4]?.status === 'fulfilled' && results[4].value, 2);
  assert.match(String(results[1]?.status === 'rejected' && results[1].reason), /TypeError: Refusing 2/);
  assert.equal(commits, 1);
  writer.close();
});

test('callbacks for after the commit run only when it was committed', async () => {
  const seen: string[] = [];
  const module = {
    kind: counting.kind,
    open: (database: Parameters<typeof counting.open>[0]) => ({
      note({ text, fails }: { text: string; fails: boolean }): void {
        database.afterCommit(() => seen.push(text));
        if (fails) throw new TypeError('no');
        seen.push(`${text} ran`);
      },
    }),
  };
  const writer = openLocalWriter(module, newFile(), undefined);
  await Promise.allSettled([
    writer.call('note', { text: 'a', fails: false }),
    writer.call('note', { text: 'b', fails: true }),
    writer.call('note', { text: 'c', fails: false }),
  ]);
  assert.deepEqual(seen, ['a ran', 'a ran', 'c ran', 'a', 'c']);
  writer.close();
});

test('a full disk answers the group with Fault and goes on when there is room again', async () => {
  const file = newFile();
  const writer = openLocalWriter<undefined, CountingOperations>(counting, file, undefined, { pagesMax: 20 });
  await writer.call('add', { value: 1 });
  const results = await Promise.allSettled([
    writer.call('add', { value: 2 }),
    writer.call('add', { value: 3, octets: 500_000 }),
    writer.call('add', { value: 4 }),
  ]);
  for (const result of results) assert.ok(result.status === 'rejected' && result.reason instanceof Fault);
  assert.equal(await writer.call('total', {}), 1);
  writer.database.prepare('PRAGMA max_page_count = 100000').row();
  await writer.call('add', { value: 3, octets: 500_000 });
  assert.equal(await writer.call('total', {}), 2);
  writer.close();
  assert.equal(countIn(file), 2);
});

test('a lazy operation is applied at once and synced by the next group or soon', async () => {
  const writer = openLocalWriter<undefined, CountingOperations>(counting, newFile(), undefined);
  const syncs: boolean[] = [];
  const setSynced = writer.database.setSynced.bind(writer.database);
  writer.database.setSynced = (synced): void => {
    syncs.push(synced);
    setSynced(synced);
  };
  await writer.lazy('add', { value: 1 });
  assert.equal(countIn(writer.database.file), 1);
  assert.deepEqual(syncs, [false]);
  await writer.call('add', { value: 2 });
  assert.deepEqual(syncs, [false, true]);
  await writer.lazy('add', { value: 3 });
  await wait(120);
  assert.deepEqual(syncs, [false, true, false, true]);
  writer.close();
});

test('lazy and synced operations take effect in their order', async () => {
  const writer = openLocalWriter<undefined, CountingOperations>(counting, newFile(), undefined);
  const totals = await Promise.all([
    writer.lazy('add', { value: 1 }),
    writer.call('total', {}),
    writer.lazy('add', { value: 1 }),
    writer.lazy('total', {}),
  ]);
  assert.deepEqual(totals, [1, 1, 2, 2]);
  writer.close();
});

test('a writer thread serves several files over several ports', async () => {
  const [first, second] = [newFile(), newFile()];
  const thread = await startWriterThread([
    { name: 'first', file: first, moduleUrl },
    { name: 'second', file: second, moduleUrl },
  ]);
  const [portA, portB] = [thread.connect(), thread.connect()];
  const a = connectWriter<CountingOperations>(portA, 'first');
  const b = connectWriter<CountingOperations>(portA, 'second');
  const c = connectWriter<CountingOperations>(portB, 'first');
  const results = await Promise.all(
    Array.from({ length: 300 }, async (_, value) => [a, b, c][value % 3]?.call('add', { value })),
  );
  assert.equal(results.length, 300);
  await assert.rejects(a.call('addThenThrow', { value: 9 }), { name: 'TypeError', message: 'Refusing 9' });
  await assert.rejects(
    connectWriter<CountingOperations>(portA, 'third').call('total', {}),
    /no writer "third"/,
  );
  const late = a.call('add', { value: 1 });
  await late;
  await thread.close();
  assert.equal(await thread.ended, undefined);
  assert.deepEqual([countIn(first), countIn(second)], [201, 100]);
  await assert.rejects(a.call('total', {}), Fault);
});

test('a call in a thread of its own goes through a port that was transferred to it', async () => {
  const thread = await startWriterThread([{ name: 'count', file: newFile(), moduleUrl }]);
  const port = thread.connect();
  const source = `
    import { workerData, parentPort } from 'node:worker_threads';
    import { connectWriter } from ${JSON.stringify(new URL('./writer.ts', import.meta.url).href)};
    parentPort.postMessage(await connectWriter(workerData, 'count').call('add', { value: 5 }));
    workerData.close();`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: port,
    transferList: [port],
  });
  const answer = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  assert.equal(answer, 1);
  await thread.close();
});

test('a writer thread that dies rejects what waits with Fault and tells its owner', async () => {
  const thread = await startWriterThread([{ name: 'count', file: newFile(), moduleUrl }]);
  const writer = connectWriter<CountingOperations>(thread.connect(), 'count');
  await assert.rejects(writer.call('exit', {}), Fault);
  assert.match(String(await thread.ended), /ended with code 7/);
  await assert.rejects(writer.call('total', {}), Fault);
});

test('a writer thread refuses a foreign file with the same error as this thread', async () => {
  const file = newFile();
  const foreign = new DatabaseSync(file);
  foreign.exec('CREATE TABLE theirs (a)');
  foreign.close();
  await assert.rejects(
    startWriterThread([{ name: 'count', file, moduleUrl }]),
    (error) => error instanceof DatabaseRefused && error.refusal.kind === 'foreign' && error.file === file,
  );
});

test('arguments that cannot cross threads reject their call', async () => {
  const thread = await startWriterThread([{ name: 'count', file: newFile(), moduleUrl }]);
  const writer = connectWriter<{ total(args: unknown): number }>(thread.connect(), 'count');
  await assert.rejects(
    writer.call('total', () => 1),
    /could not be cloned/,
  );
  assert.equal(await writer.call('total', {}), 0);
  await thread.close();
});

test('own octets have no more buffer than they need', () => {
  const view = Buffer.from('abc');
  const own = ownOctets(view);
  assert.equal(own.buffer.byteLength, 3);
  assert.deepEqual([...own], [...view]);
  assert.equal(ownOctets(own), own);
});

test('hints reach subscribers of the same scope only, gathered, the last value of a key', async () => {
  const [here, there, elsewhere] = [openHints('one'), openHints('one'), openHints('two')];
  const seen: string[] = [];
  here.subscribe('mail', (key, value) => seen.push(`here ${key} ${value}`));
  const subscription = there.subscribe('mail', (key, value) => seen.push(`there ${key} ${value}`));
  elsewhere.subscribe('mail', () => seen.push('elsewhere'));
  there.subscribe('queue', () => seen.push('queue'));
  here.publish('mail', 1, 10);
  here.publish('mail', 2, 5);
  here.publish('mail', 1, 11);
  await wait(50);
  assert.deepEqual(seen.toSorted(), ['here 1 11', 'here 2 5', 'there 1 11', 'there 2 5']);
  subscription.close();
  here.publish('mail', 3, 1);
  await wait(50);
  assert.equal(seen.length, 5);
  for (const hints of [here, there, elsewhere]) hints.close();
});

test('a rowid beyond 2^53 is no trouble to what is run after it', () => {
  const database = openDatabase(newFile(), counting.kind);
  database.exec('CREATE TABLE large (id INTEGER PRIMARY KEY, value TEXT)');
  database.exec("INSERT INTO large VALUES (9008436205322240, 'a')");
  assert.equal(database.prepare('UPDATE large SET value = ?').run('b'), 1);
  database.begin();
  database.rollback();
  assert.equal(database.prepare('SELECT value FROM large').row()?.[0], 'b');
  database.close();
});

test('what a read says is what is thrown, also where the transaction is gone', () => {
  const database = openDatabase(newFile(), counting.kind);
  const cause = new Error('disk I/O error');
  assert.throws(
    () =>
      database.snapshot(() => {
        // As SQLite does by itself where the disk fails.
        database.exec('ROLLBACK');
        throw cause;
      }),
    cause,
  );
  assert.equal(
    database.snapshot(() => 'read'),
    'read',
  );
  database.close();
});
