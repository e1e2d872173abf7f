/** POP3 on every backend that outlives a process: what a session sees, and what a crash in QUIT leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imapClient } from '../support/mailbox.ts';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../support/command.ts';
import { peer } from '../support/peer.ts';
import { postgresSkip, startPostgres } from '../support/postgres.ts';
import { ALICE, startPostrider, type RunningPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

/** Half of them are more than one commit of QUIT. */
const LETTERS = 2400;
/** On a machine that does much besides. */
const PATIENCE_MS = 60_000;
const LISTED = /\r\n\.\r\n$/;

function letter(n: number): string {
  return `From: carol@example.org\r\nSubject: letter ${n}\r\n\r\n.line ${n}\r\n`;
}

async function fill(server: RunningPostrider, count: number): Promise<void> {
  using client = await RawClient.openTls(server.port('imaps'));
  await client.imap(`LOGIN ${ALICE.address} ${ALICE.password}`);
  for (let made = 0; made < count;) {
    let command = 'APPEND INBOX';
    for (let some = 0; some < 100 && made < count; some += 1, made += 1)
      command += ` {${letter(made).length}+}\r\n${letter(made)}`;
    assert.match(await client.imap(command, PATIENCE_MS), /OK/);
  }
}

async function signIn(server: RunningPostrider): Promise<RawClient> {
  const client = await RawClient.openTls(server.port('pop3s'));
  await client.hear(/^\+OK [^\n]*\n/);
  assert.match(await ask(client, `USER ${ALICE.address}`), /^\+OK/);
  assert.match(await ask(client, `PASS ${ALICE.password}`), /^\+OK/);
  return client;
}

async function ask(client: RawClient, command: string, end = /^[^\n]*\r\n/): Promise<string> {
  client.send(`${command}\r\n`);
  return client.hear(end, PATIENCE_MS);
}

/** Subjects and flags of the inbox, in order. */
async function inbox(server: RunningPostrider): Promise<{ subjects: string[]; flags: string[] }> {
  const client = await imapClient(server, ALICE);
  await client.mailboxOpen('INBOX');
  const subjects: string[] = [];
  const flags = new Set<string>();
  for await (const message of client.fetch('1:*', { envelope: true, flags: true })) {
    subjects.push(message.envelope?.subject ?? '');
    for (const flag of message.flags ?? []) flags.add(flag);
  }
  await client.logout();
  return { subjects, flags: [...flags] };
}

/** Hears of the first messages that go. */
async function watcher(server: RunningPostrider): Promise<RawClient> {
  const client = await RawClient.openTls(server.port('imaps'));
  await client.imap(`LOGIN ${ALICE.address} ${ALICE.password}`);
  await client.imap('ENABLE QRESYNC');
  await client.imap('SELECT INBOX');
  client.send('i IDLE\r\n');
  await client.hear(/\+ [^\n]*\n/);
  return client;
}

const mpop = peer('mpop');

for (const [service, lines] of [
  ['pop3s', ['tls_starttls off', 'auth scram-sha-256']],
  ['pop3', ['tls_starttls on', 'auth user']],
] as const)
  test(
    `mpop fetches pipelined, once, and takes away what it has (${service})`,
    { skip: mpop.skip },
    async () => {
      await using server = await startPostrider();
      const { directory } = server;
      await fill(server, 50);
      const config = join(directory, 'mpoprc');
      const mailbox = join(directory, 'mbox');
      const lineOf = (keep: boolean): string =>
        [
          'account default',
          'host localhost',
          `port ${server.port(service)}`,
          `user ${ALICE.address}`,
          `password ${ALICE.password}`,
          'tls on',
          `tls_trust_file ${join(directory, 'tls', 'certificate.pem')}`,
          ...lines,
          'pipelining on',
          'received_header off',
          `keep ${keep ? 'on' : 'off'}`,
          `uidls_file ${join(directory, 'uidls')}`,
          `delivery mbox ${mailbox}`,
          '',
        ].join('\n');
      const fetch = async (keep: boolean): Promise<string> => {
        await writeFile(config, lineOf(keep));
        await chmod(config, 0o600);
        const ran = await run('mpop', [`--file=${config}`]);
        assert.equal(ran.code, 0, ran.stdout + ran.stderr);
        return ran.stdout;
      };
      await fetch(true);
      const text = await readFile(mailbox, 'latin1');
      for (let n = 0; n < 50; n += 1)
        assert(text.includes(letter(n).replaceAll('\r\n', '\n')), `letter ${n}`);
      // Known by their unique ids, they are not fetched again but removed.
      await fetch(false);
      assert.equal(await readFile(mailbox, 'latin1'), text);
      assert.deepEqual((await inbox(server)).subjects, []);
    },
  );

for (const backend of ['embedded', 'postgres'] as const) {
  const options = { skip: backend === 'postgres' ? postgresSkip : undefined };
  const start = async (): Promise<{
    server: RunningPostrider;
    restart: () => Promise<RunningPostrider>;
    [Symbol.asyncDispose]: () => Promise<void>;
  }> => {
    const database = backend === 'postgres' ? await startPostgres() : undefined;
    const store =
      database === undefined
        ? ''
        : `[store]\nbackend = "postgres"\nurl = ${JSON.stringify(await database.makeDatabase())}\n`;
    const config = `${store}[threads]\nsessions = 2\n`;
    const server = await startPostrider({ config });
    const { directory, basePort } = server;
    return {
      server,
      restart: async () => startPostrider({ directory, basePort, config, accounts: [] }),
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]();
        await database?.[Symbol.asyncDispose]();
      },
    };
  };

  test(
    `${backend}: a session sees what was there, and QUIT alone removes (RFC 1939 §4 to §6)`,
    options,
    async () => {
      await using office = await start();
      const { server } = office;
      await fill(server, 5);
      using first = await signIn(server);
      assert.match(await ask(first, 'STAT'), /^\+OK 5 \d+\r\n$/);
      using second = await RawClient.openTls(server.port('pop3s'));
      await second.hear(/^\+OK [^\n]*\n/);
      await ask(second, `USER ${ALICE.address}`);
      assert.match(await ask(second, `PASS ${ALICE.password}`), /^-ERR \[IN-USE\]/);
      const ids = await ask(first, 'UIDL', LISTED);
      assert.equal(
        await ask(first, 'RETR 3', LISTED),
        `+OK ${letter(2).length} octets\r\n${letter(2).replace('\n.', '\n..')}.\r\n`,
      );
      await fill(server, 1);
      using imap = await RawClient.openTls(server.port('imaps'));
      await imap.imap(`LOGIN ${ALICE.address} ${ALICE.password}`);
      await imap.imap('SELECT INBOX');
      await imap.imap('STORE 4 +FLAGS.SILENT (\\Deleted)');
      await imap.imap('EXPUNGE');
      assert.match(await ask(first, 'RETR 4'), /^-ERR \[SYS\/TEMP\]/);
      for (const number of [1, 4, 5]) assert.match(await ask(first, `DELE ${number}`), /^\+OK/);
      assert.match(await ask(first, 'STAT'), /^\+OK 2 /);
      assert.equal((await inbox(server)).subjects.length, 5);
      assert.match(await ask(first, 'QUIT'), /^\+OK/);
      assert.deepEqual(await inbox(server), { subjects: ['letter 1', 'letter 2', 'letter 0'], flags: [] });
      using third = await signIn(server);
      const left = await ask(third, 'UIDL', LISTED);
      const idOf = (list: string, number: number): string | undefined =>
        new RegExp(`^${number} (.*)\r$`, 'm').exec(list)?.[1];
      assert.deepEqual(
        [1, 2].map((number) => idOf(left, number)),
        [2, 3].map((number) => idOf(ids, number)),
      );
    },
  );

  for (const [moment, wait] of [
    ['as soon as it is asked', async () => undefined],
    [
      'when the first commit is seen',
      async (_quitting: RawClient, watching: RawClient) => watching.hear(/VANISHED/, PATIENCE_MS),
    ],
    ['when it is answered', async (quitting: RawClient) => quitting.hear(/^\+OK/, PATIENCE_MS)],
  ] as const)
    test(
      `${backend}: killed in QUIT, ${moment}: each message is there as it was, or is not`,
      options,
      async () => {
        await using office = await start();
        const { server } = office;
        await fill(server, LETTERS);
        using quitting = await signIn(server);
        using watching = await watcher(server);
        /** Every other one. */
        const marked = Array.from({ length: LETTERS / 2 }, (_, n) => 2 * n);
        quitting.send(marked.map((n) => `DELE ${n + 1}\r\n`).join(''));
        await quitting.hear(new RegExp(`^(?:\\+OK[^\n]*\n){${marked.length}}$`), PATIENCE_MS);
        quitting.send('QUIT\r\n');
        await wait(quitting, watching);
        await server.kill();
        await using again = await office.restart();
        const { subjects, flags } = await inbox(again);
        assert.deepEqual(flags, []);
        const left = new Set(subjects);
        assert.equal(left.size, subjects.length);
        for (let n = 1; n < LETTERS; n += 2) assert(left.has(`letter ${n}`), `letter ${n} is gone`);
        // Commits follow one another: what is left of those marked is the end of them.
        const kept = marked.filter((n) => left.has(`letter ${n}`));
        assert.deepEqual(kept, marked.slice(marked.length - kept.length));
        const removed = marked.length - kept.length;
        if (moment === 'when the first commit is seen') assert(removed > 0);
        if (moment === 'when it is answered') assert.equal(kept.length, 0);
      },
    );
}
