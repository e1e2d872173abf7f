/** NOTIFY (RFC 5465) over real sockets: what one thread or another server changes is heard without asking. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { postgresSkip, startPostgres } from '../support/postgres.ts';
import { ALICE, BOB, startPostrider, type RunningPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

const SESSIONS = 4;
/** On a machine that does much besides. */
const PATIENCE_MS = 60_000;

async function signIn(server: RunningPostrider, who = ALICE): Promise<RawClient> {
  const client = await RawClient.openTls(server.port('imaps'));
  await client.imap(`LOGIN ${who.address} ${who.password}`);
  return client;
}

for (const backend of ['embedded', 'postgres'] as const)
  test(
    `${backend}: messages, names and subscriptions are heard at once in all threads`,
    { skip: backend === 'postgres' ? postgresSkip : undefined },
    async () => {
      await using database = backend === 'postgres' ? await startPostgres() : undefined;
      const store =
        database === undefined
          ? ''
          : `[store]\nbackend = "postgres"\nurl = ${JSON.stringify(await database.makeDatabase())}\n`;
      await using server = await startPostrider({ config: `${store}[threads]\nsessions = 3\n` });
      const clients = await Promise.all(Array.from({ length: SESSIONS }, () => signIn(server)));
      for (const client of clients) {
        await client.imap('SELECT INBOX');
        await client.imap(
          'NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge MailboxName SubscriptionChange))',
        );
      }
      const everybody = async (pattern: RegExp): Promise<void> => {
        await Promise.all(clients.map((client) => client.hear(pattern, PATIENCE_MS)));
      };
      using other = await signIn(server);
      await other.imap('APPEND INBOX (\\Flagged) {3+}\r\nx\r\n');
      await everybody(/\* 1 EXISTS\r\n\* 1 FETCH \(UID 1 FLAGS \(\\Flagged\)\)\r\n/);
      await other.imap('APPEND Sent {3+}\r\nx\r\n');
      await everybody(/\* STATUS Sent \(MESSAGES 1 UIDNEXT 2\)\r\n/);
      await other.imap('CREATE a/b');
      await everybody(/"\/" a\/b\r\n/);
      await other.imap('RENAME a/b c');
      await everybody(/\* LIST \(\\HasNoChildren\) "\/" c \("OLDNAME" \(a\/b\)\)\r\n/);
      await other.imap('UNSUBSCRIBE Trash');
      await everybody(/\* LIST \(\\HasNoChildren \\Trash\) "\/" Trash\r\n/);
      await other.imap('SELECT INBOX');
      await other.imap('STORE 1 +FLAGS.SILENT (\\Deleted)');
      await everybody(/FLAGS \(\\Flagged \\Deleted\)\)\r\n/);
      await other.imap('EXPUNGE');
      await everybody(/\* 1 EXPUNGE\r\n/);
      // Nothing was said twice, and nobody was told of what others asked for.
      for (const client of clients) {
        assert.equal(await client.imap('NOOP').then((said) => said.split('\r\n').length), 2);
        client[Symbol.dispose]();
      }
    },
  );

test('one account does not hear of another', async () => {
  await using server = await startPostrider();
  using alice = await signIn(server);
  using bob = await signIn(server, BOB);
  await alice.imap('NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))');
  await bob.imap('CREATE theirs');
  await bob.imap('APPEND INBOX {3+}\r\nx\r\n');
  assert.match(await alice.imap('NOOP'), /^a\d+ OK [^\n]*\n$/);
});
