import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { postgresSkip, startPostgres, type RunningPostgres } from '../support/postgres.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import { Postgres } from '../../src/postgres/postgres.ts';
import { PostgresTraceStore } from '../../src/trace/postgres/trace-store.ts';
import { TRACE } from '../../src/trace/postgres/trace-tables.ts';
import { NOON_MS, batchOf, traceKey, traceStoreContract } from '../../src/trace/trace-store.contract.ts';
import { FakeClock } from '../support/fake-clock.ts';

const DAY_MS = 86_400_000;
const BOUNDS = { keptMs: 30 * DAY_MS, octetsMax: 1e9 };
const KEY = traceKey('a:bob@example.org');

suite('traces in PostgreSQL', { skip: postgresSkip }, () => {
  let server: RunningPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  const prepared = async (): Promise<Postgres> => {
    const postgres = new Postgres({ url: await server.makeDatabase() });
    await migrate(postgres, TRACE, NOON_MS);
    return postgres;
  };

  traceStoreContract('postgres', async () => {
    const postgres = await prepared();
    const open = () => new PostgresTraceStore({ postgres, bounds: BOUNDS, clock: new FakeClock(NOON_MS) });
    return { store: open(), reopen: async () => open(), close: () => postgres.close() };
  });

  const partOf = (id: string) => ({
    id,
    entries: [{ atMs: NOON_MS, event: 'test.event', fields: { text: 'x'.repeat(1000) } }],
    keys: [KEY],
  });
  const all = { key: KEY, from: undefined, before: undefined, limit: 1000 };

  for (const [what, bounds, kept] of [
    ['time', { ...BOUNDS, keptMs: 2 * DAY_MS }, ['D5', 'D4', 'D3']],
    ['room', { ...BOUNDS, octetsMax: 1 }, ['D5']],
  ] as const) {
    test(`days go when their ${what} is over, the one that is written stays`, async () => {
      const postgres = await prepared();
      const clock = new FakeClock(NOON_MS);
      const store = new PostgresTraceStore({ postgres, bounds, clock });
      for (let day = 1; day <= 5; day += 1) {
        if (day > 1) await clock.advance(DAY_MS);
        await store.append(batchOf([partOf(`D${day}`)]));
      }
      assert.deepEqual(await store.find(all), kept);
      assert.deepEqual(await store.find({ ...all, key: undefined }), kept);
      await postgres.close();
    });
  }

  test('a day that grows too large loses what is oldest of it, whoever writes', async () => {
    const postgres = await prepared();
    const clock = new FakeClock(NOON_MS);
    const bounds = { ...BOUNDS, octetsMax: 300_000 };
    const [one, other] = [1, 2].map(() => new PostgresTraceStore({ postgres, bounds, clock }));
    assert.ok(one && other);
    await other.append(batchOf([partOf('B0')]));
    for (let minute = 1; minute <= 20; minute += 1) {
      await clock.advance(60_000);
      await one.append(batchOf([partOf(`A${String(minute).padStart(2, '0')}`)]));
      if (minute === 19) await other.append(batchOf([partOf('B1')]));
    }
    const kept = await one.find(all);
    assert.ok(kept.length > 2 && kept.length < 15, kept.join(' '));
    assert.deepEqual(kept.slice(0, 2), ['B1', 'A20']);
    assert.ok(!kept.includes('B0') && !kept.includes('A01'));
    // Its part went while it knew of none other.
    const late = new PostgresTraceStore({ postgres, bounds, clock });
    await late.append(batchOf([partOf('C0')]));
    for (const table of ['trace_part', 'trace_lookup'])
      for (const row of await postgres.rows(
        'Looking',
        `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '${table}'::regclass`,
      ))
        await postgres.transaction('Dropping', (transaction) =>
          transaction.exec(`DROP TABLE ${String(row[0])}`),
        );
    await late.append(batchOf([partOf('C1')]));
    assert.deepEqual(await late.find(all), ['C1']);
    await postgres.close();
  });

  test('several threads begin a day at once', async () => {
    const postgres = await prepared();
    const clock = new FakeClock(NOON_MS);
    const stores = Array.from(
      { length: 6 },
      () => new PostgresTraceStore({ postgres, bounds: BOUNDS, clock }),
    );
    await Promise.all(
      stores.map((store, index) => store.append(batchOf([partOf(`T${index}`), partOf('SAME')]))),
    );
    assert.equal((await stores[0]?.find(all))?.length, 7);
    assert.equal((await stores[0]?.read(['SAME']))?.get('SAME')?.length, 6);
    await postgres.close();
  });
});
