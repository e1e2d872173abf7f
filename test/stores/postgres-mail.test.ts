import { suite } from 'node:test';
import { FakeClock } from '../support/fake-clock.ts';
import { postgresSkip, startPostgres } from '../support/postgres.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import { Postgres } from '../../src/postgres/postgres.ts';
import { openHints } from '../../src/sqlite/hint.ts';
import { mailStoreContract } from '../../src/store/mail-store.contract.ts';
import { PostgresMailStore } from '../../src/store/postgres/mail-store.ts';
import { MAIL } from '../../src/store/postgres/mail-tables.ts';

suite('mail in PostgreSQL', { skip: postgresSkip }, () => {
  mailStoreContract('postgres', async () => {
    const server = await startPostgres();
    const url = await server.makeDatabase();
    const clock = new FakeClock();
    const open = async () => {
      const postgres = new Postgres({ url });
      await migrate(postgres, MAIL, clock.nowMs());
      const hints = openHints(url);
      const store = new PostgresMailStore({ postgres, hints, clock });
      return {
        store,
        close: async () => {
          store.close();
          hints.close();
          await postgres.close();
        },
      };
    };
    let opened = await open();
    return {
      store: opened.store,
      reopen: async () => {
        await opened.close();
        opened = await open();
        return opened.store;
      },
      close: async () => {
        await opened.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
});
