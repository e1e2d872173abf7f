import { after, before, suite } from 'node:test';
import { postgresSkip, startPostgres, type RunningPostgres } from '../support/postgres.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import { Postgres } from '../../src/postgres/postgres.ts';
import { queueContract } from '../../src/queue/queue.contract.ts';
import { PostgresQueue } from '../../src/queue/postgres/queue.ts';
import { QUEUE } from '../../src/queue/postgres/queue-tables.ts';
import { openHints } from '../../src/sqlite/hint.ts';
import { FakeClock } from '../support/fake-clock.ts';

suite('the queue in PostgreSQL', { skip: postgresSkip }, () => {
  let server: RunningPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  queueContract(
    'postgres',
    async () => {
      const url = await server.makeDatabase();
      const clock = new FakeClock(0);
      const open = async () => {
        const postgres = new Postgres({ url });
        await migrate(postgres, QUEUE, clock.nowMs());
        const hints = openHints(url);
        const queue = new PostgresQueue({ postgres, hints, clock });
        return {
          queue,
          close: async () => {
            queue.close();
            hints.close();
            await postgres.close();
          },
        };
      };
      let opened = await open();
      return {
        queue: opened.queue,
        reopen: async () => {
          await opened.close();
          opened = await open();
          return opened.queue;
        },
        close: () => opened.close(),
      };
    },
    20,
  );
});
