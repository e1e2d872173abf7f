/** A server that is killed while it takes mail for lists: all that one transaction became is in the queue, or nothing of it. */
import assert from 'node:assert/strict';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { postrider, startPostrider } from '../support/postrider.ts';
import type { RunningPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

const ROUNDS = 3;
const CLIENTS = 24;
/** Messages of a round that are acknowledged before it ends. */
const ACKNOWLEDGED = 150;

/** Many clients at once, until the server is killed in the middle of what they say. */
async function killUnderLoad(server: RunningPostrider, round: number): Promise<void> {
  let acknowledged = 0;
  let killed: Promise<void> | undefined;
  const client = async (name: number): Promise<void> => {
    using smtp = await RawClient.open(server.port('smtp'));
    for (let number = 0; killed === undefined; number += 1) {
      const words = [
        number === 0 ? 'EHLO client.test' : 'RSET',
        'MAIL FROM:<writer@far.test>',
        'RCPT TO:<news@example.test> NOTIFY=SUCCESS',
        'RCPT TO:<away@example.test>',
        'DATA',
      ];
      smtp.send(`${words.join('\r\n')}\r\n`);
      await smtp.hear(/354 .*\r\n/);
      smtp.send(`Subject: ${round} ${name} ${number}\r\n\r\n.\r\n`);
      await smtp.hear(/^250 2\.0\.0 Accepted.*\r\n/);
      acknowledged += 1;
      if (acknowledged === ACKNOWLEDGED) killed = server.kill();
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: CLIENTS }, (_, name) => client(name)));
  // The connections of the others break in the middle of something.
  assert.ok(killed, `${acknowledged} acknowledged; ${JSON.stringify(ended)}`);
  await killed;
}

/** Of each content that is in the queue: as how many messages, and how many reports are beside them. */
function queued(file: string): { readonly messages: readonly number[]; readonly reports: number } {
  const database = new DatabaseSync(file);
  const messages = database.prepare(
    "SELECT count(DISTINCT sender) AS parts FROM envelope WHERE sender <> '' GROUP BY blob_id",
  );
  const reports = database.prepare("SELECT 1 FROM envelope WHERE sender = ''");
  try {
    return { messages: messages.all().map(({ parts }) => Number(parts)), reports: reports.all().length };
  } finally {
    database.close();
  }
}

test(
  'of mail to a list and another, a crash leaves the copies, the message and the report, or nothing',
  { timeout: 180_000 },
  async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'postrider-test-'));
    const directory = folder.path;
    const config = `[queue]\nretryAfterSeconds = [3600]\n[[routes]]\nname = "away"\nhosts = ["127.0.0.1:${await freePort()}"]\n`;
    let server = await startPostrider({ config, directory });
    try {
      const { basePort } = server;
      const at = ['--config', join(directory, 'postrider.toml')];
      const members = Array.from({ length: 5 }, (_, number) => `member${number}@far.test`);
      const list = ['--owner', 'bob@example.test', '--verp'];
      await postrider(['alias', 'add', 'news@example.test', ...members, ...list, ...at]);
      await postrider(['alias', 'add', 'away@example.test', 'someone@elsewhere.test', ...at]);
      for (let round = 1; round <= ROUNDS; round += 1) {
        // oxlint-disable-next-line no-await-in-loop -- each round goes on where the one before was killed
        await killUnderLoad(server, round);
        const { messages, reports } = queued(join(directory, 'data', 'queue.sqlite'));
        assert.ok(messages.length >= round * ACKNOWLEDGED);
        assert.deepEqual(
          messages.filter((count) => count !== 2),
          [],
        );
        assert.equal(reports, messages.length);
        // oxlint-disable-next-line no-await-in-loop -- as above
        if (round < ROUNDS) server = await startPostrider({ config, directory, basePort });
      }
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
);
