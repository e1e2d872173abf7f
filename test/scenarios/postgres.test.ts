/** The whole post office on PostgreSQL: mail comes in, is read, and outlives both servers. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createTransport } from 'nodemailer';
import { run } from '../support/command.ts';
import { imapClient, waitForMessages } from '../support/mailbox.ts';
import { postgresSkip, startPostgres } from '../support/postgres.ts';
import { ALICE, BOB, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const ENTRY = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));

function storeOf(url: string): string {
  return ['[store]', 'backend = "postgres"', `url = "${url}"`, '[threads]', 'sessions = 2', ''].join('\n');
}

async function send(server: RunningPostrider, subject: string): Promise<string> {
  const transport = createTransport({
    host: '127.0.0.1',
    port: server.port('submission'),
    requireTLS: true,
    tls: { rejectUnauthorized: false },
    auth: { user: BOB.address, pass: BOB.password },
  });
  const sent = await transport.sendMail({ from: BOB.address, to: ALICE.address, subject, text: subject });
  return sent.response;
}

test('mail is sent, read, flagged, and there after a restart', { skip: postgresSkip }, async () => {
  await using database = await startPostgres();
  const url = await database.makeDatabase();
  await using first = await startPostrider({ config: storeOf(url) });
  assert.match(await send(first, 'before'), /^250 /);
  const [before] = await waitForMessages(first, ALICE, 1);
  assert.match(before ?? '', /\r\nSubject: before\r\n/);

  const file = join(first.directory, 'postrider.toml');
  const checked = await run(process.execPath, [ENTRY, 'check', '--config', file]);
  assert.match(checked.stdout, /Nobody has the address postmaster@example\.test/);

  const client = await imapClient(first, ALICE);
  await client.mailboxCreate('Kept');
  await client.mailboxOpen('INBOX');
  await client.messageFlagsAdd('1', ['\\Flagged', 'work']);
  await client.messageCopy('1', 'Kept');
  const exists = new Promise<number>((resolve) => client.once('exists', ({ count }) => resolve(count)));
  const idling = client.idle();
  await send(first, 'while it is open');
  assert.equal(await exists, 2);
  await client.noop();
  await idling;
  await client.logout();
  assert.equal(await first.stop(), 0);

  const { directory, basePort } = first;
  await using second = await startPostrider({ directory, basePort, config: storeOf(url), accounts: [] });
  assert.equal((await waitForMessages(second, ALICE, 2)).length, 2);
  const [kept] = await waitForMessages(second, ALICE, 1, 'Kept');
  assert.equal(kept, before);
  const again = await imapClient(second, ALICE);
  await again.mailboxOpen('INBOX');
  const message = await again.fetchOne('1', { flags: true });
  assert.ok(message);
  assert.deepEqual([...(message.flags ?? [])].filter((flag) => flag !== '\\Recent').toSorted(), [
    '\\Flagged',
    'work',
  ]);
  await again.logout();
});

test(
  'while the database is away mail is put off, and taken when it is back',
  { skip: postgresSkip },
  async () => {
    await using database = await startPostgres();
    const url = await database.makeDatabase();
    await using server = await startPostrider({ config: storeOf(url) });
    await send(server, 'one');
    await database.crash();
    await assert.rejects(send(server, 'lost'), /4\d\d|454|Temporary/i);
    await database.start();
    await send(server, 'two');
    const messages = await waitForMessages(server, ALICE, 2);
    assert.equal(messages.length, 2);
    assert.ok(messages.every((message) => !message.includes('lost')));
  },
);

test('a killed server loses nothing that it acknowledged', { skip: postgresSkip }, async () => {
  await using database = await startPostgres();
  const url = await database.makeDatabase();
  await using first = await startPostrider({ config: storeOf(url) });
  const acknowledged: string[] = [];
  const sending = Promise.allSettled(
    Array.from({ length: 40 }, async (_, index) => {
      await send(first, `number ${index}.`);
      acknowledged.push(`number ${index}.`);
    }),
  );
  while (acknowledged.length < 10) await pause(5);
  await first.kill();
  await sending;
  const { directory, basePort } = first;
  await using second = await startPostrider({ directory, basePort, config: storeOf(url), accounts: [] });
  const messages = await waitForMessages(second, ALICE, acknowledged.length);
  for (const subject of acknowledged) {
    const found = messages.filter((message) => message.includes(`\r\nSubject: ${subject}\r\n`));
    assert.equal(found.length, 1, subject);
  }
});

test(
  'a stopped post office is managed, and neither database nor directory is taken for another',
  { skip: postgresSkip },
  async () => {
    await using database = await startPostgres();
    const url = await database.makeDatabase();
    await using server = await startPostrider({ config: storeOf(url) });
    assert.equal(await server.stop(), 0);
    const config = join(server.directory, 'again.toml');
    const write = async (store: string, directory: string): Promise<void> =>
      writeFile(
        config,
        [
          'hostname = "mail.example.test"',
          `dataDirectory = ${JSON.stringify(directory)}`,
          '[tls]',
          'selfSigned = true',
          store,
        ].join('\n'),
      );
    const postrider = async (...args: readonly string[]): ReturnType<typeof run> =>
      run(process.execPath, [ENTRY, ...args, '--config', config]);
    const data = await dataDirectoryOf(server.directory);
    await write(storeOf(url), data);
    const listed = await postrider('account', 'list');
    assert.match(listed.stdout, /alice@example\.test/, listed.stderr);
    assert.equal((await postrider('queue', 'list', '--json')).code, 0);

    await write(storeOf(url), join(server.directory, 'elsewhere'));
    const elsewhere = await postrider('account', 'list');
    assert.equal(elsewhere.code, 6);
    assert.match(elsewhere.stderr, /belongs to another data directory/);

    await write('', data);
    const embedded = await postrider('account', 'list');
    assert.equal(embedded.code, 6);
    assert.match(embedded.stderr, /is one of store\.backend = "postgres"/);
  },
);

async function dataDirectoryOf(folder: string): Promise<string> {
  for (const candidate of [folder, join(folder, 'data')])
    if (await readFile(join(candidate, 'postgres.json')).catch(() => undefined)) return candidate;
  assert.fail('The post office left no data directory');
}
