import { after, before, suite } from 'node:test';
import { postgresSkip, startPostgres, type RunningPostgres } from '../support/postgres.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import { Postgres } from '../../src/postgres/postgres.ts';
import { PostgresTlsRecords } from '../../src/tls-policy/postgres/tls-records.ts';
import { TLS } from '../../src/tls-policy/postgres/tls-tables.ts';
import { tlsRecordsContract } from '../../src/tls-policy/tls-records.contract.ts';

suite('TLS records in PostgreSQL', { skip: postgresSkip }, () => {
  let server: RunningPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  tlsRecordsContract('postgres', async () => {
    const url = await server.makeDatabase();
    const opened: Postgres[] = [];
    const open = (): Postgres => {
      const postgres = new Postgres({ url });
      opened.push(postgres);
      return postgres;
    };
    const first = open();
    await migrate(first, TLS, Date.now());
    return {
      records: new PostgresTlsRecords(first),
      other: () => new PostgresTlsRecords(open()),
      close: async () => {
        for (const postgres of opened) await postgres.close();
      },
    };
  });
});
