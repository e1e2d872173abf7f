/** What only PostgreSQL asks for: other hosts at work, the database away, tables of another version. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from '../../src/base/fault.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import { Postgres } from '../../src/postgres/postgres.ts';
import { PostgresRefused } from '../../src/postgres/refused.ts';
import { PostgresQueue } from '../../src/queue/postgres/queue.ts';
import { QUEUE } from '../../src/queue/postgres/queue-tables.ts';
import { testId, testMessage } from '../../src/queue/queue.contract.ts';
import { openHints } from '../../src/sqlite/hint.ts';
import { known, toModSeq } from '../../src/store/ids.ts';
import type { AccountId, EmailId, MailboxId } from '../../src/store/ids.ts';
import { must, newAccount, newMessage } from '../../src/store/mail-store.contract.ts';
import { PostgresMailStore } from '../../src/store/postgres/mail-store.ts';
import { MAIL } from '../../src/store/postgres/mail-tables.ts';
import { claimSegmentHome } from '../../src/store/postgres/segment-home.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { postgresSkip, startPostgres, type RunningPostgres } from '../support/postgres.ts';

const NOTHING_YET = known(toModSeq(0));

async function inboxOf(store: PostgresMailStore, account: AccountId): Promise<MailboxId> {
  const inbox = (await store.mailboxes(account)).find(({ role }) => role === 'inbox');
  return inbox?.id ?? assert.fail('no inbox');
}

suite('PostgreSQL', { skip: postgresSkip }, () => {
  let server: RunningPostgres;
  let scopes = 0;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  /** As a host of its own: no hint of one reaches the other. */
  const openHost = (url: string, clock = new FakeClock()) => {
    const postgres = new Postgres({ url, timeoutMs: 5000 });
    const hints = openHints(`host ${(scopes += 1)}`);
    const mail = new PostgresMailStore({ postgres, hints, clock });
    const queue = new PostgresQueue({ postgres, hints, clock });
    return {
      postgres,
      mail,
      queue,
      clock,
      close: async () => {
        mail.close();
        queue.close();
        hints.close();
        await postgres.close();
      },
    };
  };
  const makeTables = async (): Promise<string> => {
    const url = await server.makeDatabase();
    const postgres = new Postgres({ url });
    for (const kind of [MAIL, QUEUE]) await migrate(postgres, kind, 0);
    await postgres.close();
    return url;
  };

  test('many that migrate at once do it once, and tables of a newer version are refused by name', async () => {
    const url = await server.makeDatabase();
    const hosts = Array.from({ length: 4 }, () => new Postgres({ url }));
    await Promise.all(hosts.flatMap((host) => [MAIL, QUEUE].map((kind) => migrate(host, kind, 0))));
    const [host = assert.fail()] = hosts;
    const rows = await host.rows('Counting', 'SELECT kind, version FROM migration ORDER BY kind, version');
    assert.deepEqual(
      rows,
      [MAIL, QUEUE].flatMap(({ name, migrations }) => migrations.map((_, step) => [name, step + 1])),
    );
    await host.run('Making it newer', `INSERT INTO migration VALUES ('mail', 1000, 0)`);
    await assert.rejects(migrate(host, MAIL, 0), (cause: unknown) => {
      assert.ok(cause instanceof PostgresRefused);
      assert.match(cause.message, /mail tables .* version 1000, written by a newer Postrider/);
      return true;
    });
    await Promise.all(hosts.map((one) => one.close()));
  });

  test('a step that fails leaves the version and the tables as they were', async () => {
    const postgres = new Postgres({ url: await server.makeDatabase() });
    const broken = { name: 'broken', migrations: ['CREATE TABLE one (id BIGINT); SELECT nonsense'] };
    await assert.rejects(migrate(postgres, broken, 0), /nonsense/);
    await migrate(postgres, { name: 'broken', migrations: ['CREATE TABLE one (id BIGINT)'] }, 0);
    await postgres.close();
  });

  test('a database belongs to the data directory that claimed it', async () => {
    const url = await makeTables();
    const postgres = new Postgres({ url });
    const folders = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), 'postrider-home-'))));
    const [one = '', other = ''] = folders;
    await claimSegmentHome(postgres, one);
    await claimSegmentHome(postgres, one);
    await assert.rejects(claimSegmentHome(postgres, other), PostgresRefused);
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
    await postgres.close();
  });

  test('hosts that write to one account at once: each change has its modseq, and a reader misses none', async () => {
    const url = await makeTables();
    const hosts = [1, 2, 3].map(() => openHost(url));
    const [first = assert.fail()] = hosts;
    const account = newAccount();
    // Who opens it is not settled: all do.
    await Promise.all(hosts.map((host) => host.mail.openAccount(account)));
    const inbox = await inboxOf(first.mail, account);
    const seen = new Set<EmailId>();
    let isWriting = true;
    const reading = (async () => {
      for (let since = NOTHING_YET; ;) {
        const isLast = !isWriting;
        const page = await first.mail.changes(account, since, 7);
        for (const email of page.emails.created) seen.add(email);
        since = page.modSeq;
        if (isLast && page.complete) return;
      }
    })();
    const written = await Promise.all(
      hosts.map(async (host) => {
        const modSeqs: number[] = [];
        for (let round = 0; round < 40; round += 1) {
          const appended = must(await host.mail.append(account, inbox, [newMessage()]));
          modSeqs.push(appended.modSeq);
          await host.mail.setFlags(account, inbox, appended.uids, { mode: 'add', flags: 1, keywords: [] });
        }
        return modSeqs;
      }),
    );
    isWriting = false;
    await reading;
    const modSeqs = written.flat();
    assert.equal(new Set(modSeqs).size, 120);
    assert.equal(seen.size, 120);
    const box = (await first.mail.mailbox(account, inbox)) ?? assert.fail();
    assert.deepEqual([box.total, box.unseen, box.uidNext], [120, 0, 121]);
    assert.equal((await first.mail.quota(account)).messagesUsed, 120);
    await Promise.all(hosts.map((host) => host.close()));
  });

  test('hosts that copy back and forth between mailboxes get through', async () => {
    const url = await makeTables();
    const hosts = [1, 2].map(() => openHost(url));
    const [one = assert.fail(), other = assert.fail()] = hosts;
    const account = newAccount();
    const inbox = await inboxOf(one.mail, account);
    const { id: box } = must(await one.mail.createMailbox(account, { parent: undefined, name: 'Box' }));
    const { uids } = must(await one.mail.append(account, inbox, [newMessage(), newMessage()]));
    const back = must(await one.mail.copy(account, inbox, uids, box)).to;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        must(await one.mail.copy(account, inbox, uids, box));
        must(await other.mail.copy(account, box, back, inbox));
      }),
    );
    const boxes = await one.mail.mailboxes(account);
    assert.equal(
      boxes.reduce((sum, { total }) => sum + total, 0),
      4 + 20 * 4,
    );
    await Promise.all(hosts.map((host) => host.close()));
  });

  test('transactions that lock each other out are run again', async () => {
    const postgres = new Postgres({ url: await server.makeDatabase() });
    await postgres.run('Making a table', 'CREATE SCHEMA postrider');
    await postgres.run(
      'Making a table',
      'CREATE TABLE counted (id BIGINT PRIMARY KEY, times BIGINT NOT NULL)',
    );
    await postgres.run('Filling it', 'INSERT INTO counted VALUES (1, 0), (2, 0)');
    const count = 'UPDATE counted SET times = times + 1 WHERE id = $1';
    const both = (one: number, other: number): Promise<void> =>
      postgres.transaction('Counting', async (transaction) => {
        await transaction.run(count, one);
        await pause(20);
        await transaction.run(count, other);
      });
    await Promise.all([both(1, 2), both(2, 1), both(1, 2), both(2, 1)]);
    assert.deepEqual(await postgres.rows('Reading', 'SELECT times FROM counted ORDER BY id'), [[4], [4]]);
    await postgres.close();
  });

  test('who waits too long for a lock is told of a fault, and nothing has happened', async () => {
    const url = await makeTables();
    const [slow, quick] = [openHost(url), openHost(url)];
    const account = newAccount();
    const inbox = await inboxOf(slow.mail, account);
    const impatient = new Postgres({ url, timeoutMs: 200 });
    const store = new PostgresMailStore({
      postgres: impatient,
      hints: openHints('impatient'),
      clock: new FakeClock(),
    });
    await slow.postgres.transaction('Holding on', async (transaction) => {
      await transaction.rows('SELECT 1 FROM account WHERE account_id = $1 FOR UPDATE', account);
      await assert.rejects(store.append(account, inbox, [newMessage()]), Fault);
      // Whoever only reads does not wait.
      assert.equal((await quick.mail.entries(account, inbox, 0, 10)).length, 0);
    });
    must(await store.append(account, inbox, [newMessage()]));
    assert.deepEqual(
      (await quick.mail.entries(account, inbox, 0, 10)).map(({ uid }) => uid),
      [1],
    );
    store.close();
    await impatient.close();
    await Promise.all([slow.close(), quick.close()]);
  });

  test('what another host changed is found by asking, within a second or two', async () => {
    const url = await makeTables();
    const [here, there] = [openHost(url), openHost(url)];
    const account = newAccount();
    const inbox = await inboxOf(here.mail, account);
    const heard: number[] = [];
    const watching = here.mail.watch(account, (modSeq) => heard.push(modSeq));
    const { modSeq } = must(await there.mail.append(account, inbox, [newMessage()]));
    const due: number[] = [];
    const queueWatching = here.queue.watch(() => due.push(1));
    await there.queue.accept(testMessage(1));
    for (let tries = 0; tries < 200 && (!heard.includes(modSeq) || due.length === 0); tries += 1) {
      await here.clock.advance(1000);
      await pause(5);
    }
    assert.ok(heard.includes(modSeq) && due.length > 0);
    watching.close();
    queueWatching.close();
    await Promise.all([here.close(), there.close()]);
  });

  test('one message is leased to one host', async () => {
    const url = await makeTables();
    const hosts = [1, 2, 3].map(() => openHost(url));
    const [first = assert.fail()] = hosts;
    await Promise.all(Array.from({ length: 60 }, (_, index) => first.queue.accept(testMessage(index))));
    const leased = await Promise.all(
      hosts.flatMap((host, index) =>
        [1, 2, 3, 4].map(() => host.queue.lease(`host${index}`, 5000, 90_000, 10)),
      ),
    );
    const ids = leased.flat().map(({ id }) => id);
    assert.equal(ids.length, new Set(ids).size);
    const rest = await first.queue.lease('rest', 5000, 90_000, 100);
    assert.equal(ids.length + rest.length, 60);
    await Promise.all(hosts.map((host) => host.close()));
  });

  test('a database that is away is a fault, and what comes after its return is well', async () => {
    const url = await makeTables();
    const host = openHost(url);
    const account = newAccount();
    const inbox = await inboxOf(host.mail, account);
    must(await host.mail.append(account, inbox, [newMessage()]));
    await host.queue.accept(testMessage(1));
    await server.crash();
    await assert.rejects(host.mail.append(account, inbox, [newMessage()]), Fault);
    await assert.rejects(host.mail.entries(account, inbox, 0, 10), Fault);
    await assert.rejects(host.queue.accept(testMessage(2)), Fault);
    await server.start();
    assert.deepEqual(must(await host.mail.append(account, inbox, [newMessage()])).uids, [2]);
    await host.queue.accept(testMessage(3));
    assert.deepEqual(
      (await host.queue.list({}, undefined, 10)).map(({ id }) => id),
      [testId(1), testId(3)],
    );
    await host.close();
  });

  test('removing an account takes all of it, however much, and no other', async () => {
    const url = await makeTables();
    const host = openHost(url);
    const [account, other] = [newAccount(), newAccount()];
    for (const one of [account, other]) {
      const inbox = await inboxOf(host.mail, one);
      for (let round = 0; round < 3; round += 1)
        must(
          await host.mail.append(
            one,
            inbox,
            Array.from({ length: 1000 }, () => newMessage()),
          ),
        );
    }
    await host.mail.removeAccount(account);
    for (const table of ['account', 'mailbox', 'message', 'digest', 'place', 'vanished', 'thread_key']) {
      const count = `SELECT count(*) FROM ${table} WHERE account_id = $1`;
      assert.deepEqual(await host.postgres.row('Counting', count, account), [0], table);
    }
    assert.equal((await host.mail.quota(other)).messagesUsed, 3000);
    await host.close();
  });
});
