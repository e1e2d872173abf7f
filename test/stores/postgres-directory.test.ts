import { after, before, suite } from 'node:test';
import { postgresSkip, startPostgres, type RunningPostgres } from '../support/postgres.ts';
import { directoryContract } from '../../src/auth/directory.contract.ts';
import { PostgresDirectory } from '../../src/auth/postgres/directory.ts';
import { DIRECTORY } from '../../src/auth/postgres/directory-tables.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import { Postgres } from '../../src/postgres/postgres.ts';

suite('the directory in PostgreSQL', { skip: postgresSkip }, () => {
  let server: RunningPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  directoryContract('postgres', async (options) => {
    const url = await server.makeDatabase();
    const opened: Postgres[] = [];
    const open = (change: Partial<typeof options> = {}): PostgresDirectory => {
      const postgres = new Postgres({ url });
      opened.push(postgres);
      return new PostgresDirectory({ ...options, ...change, postgres });
    };
    const directory = open();
    for (const postgres of opened) await migrate(postgres, DIRECTORY, options.clock.nowMs());
    return {
      directory,
      other: open,
      close: async () => {
        for (const postgres of opened) await postgres.close();
      },
    };
  });
});
