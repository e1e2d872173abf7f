import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { openLocalWriter } from '../../sqlite/writer.ts';
import { known, toAccountId, toMailboxId } from '../ids.ts';
import { must, newMessage } from '../mail-store.contract.ts';
import { checkMail } from './mail-check.ts';
import { mailShardFile } from './mail-files.ts';
import * as operations from './mail-operations.ts';
import { openEmbeddedMailStore } from './mail-store.ts';

const CHILD = fileURLToPath(new URL('../../../test/support/mail-crash-child.ts', import.meta.url));
const REPLACER = fileURLToPath(new URL('../../../test/support/mail-replace-child.ts', import.meta.url));
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 3);
const INBOX = known(toMailboxId(1));

/** Runs the child, kills it this long after its first line, gives the lines that it had written whole. */
async function killedAfter(
  program: string,
  directory: string,
  round: number,
  delayMs: number,
): Promise<readonly string[]> {
  const child = spawn(process.execPath, [program, directory, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), delayMs);
    output += text;
  });
  await once(child, 'close');
  return output.split('\n').slice(0, -1);
}

test('whatever was acknowledged before a kill is there, once, and all rows agree', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-crash-'));
  const acknowledged = new Map<string, { readonly account: number; readonly uid: number }>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const line of await killedAfter(CHILD, directory, round, 20 + ((round * 67) % 230))) {
      const [account, queueId = '', uid] = line.split(' ');
      acknowledged.set(queueId, { account: Number(account), uid: Number(uid) });
    }
    const hintScope = `mail-crash.test ${round}`;
    const writers = [0, 1].map((shard) =>
      openLocalWriter(operations, mailShardFile(directory, shard), { hintScope }),
    );
    const store = openEmbeddedMailStore({
      dataDirectory: directory,
      shards: 2,
      hintScope,
      clock: new FakeClock(),
      writer: (shard) => writers[shard] ?? assert.fail('no such shard'),
    });
    for await (const finding of checkMail({ dataDirectory: directory, shards: 2 })) assert.fail(finding.kind);
    const found = new Map<string, number>();
    for (let number = 1; number <= 5; number += 1) {
      const account = known(toAccountId(number));
      for (let after = 0; ;) {
        const entries = await store.entries(account, INBOX, after, 1000);
        const messages = await store.messages(
          account,
          INBOX,
          entries.map(({ uid }) => uid),
        );
        assert.equal(messages.length, entries.length);
        for (const { digest, uid } of messages) {
          const queueId = digest.messageId?.split('@')[0] ?? '';
          assert.ok(!found.has(queueId), `${queueId} is there twice`);
          found.set(queueId, uid);
        }
        if (entries.length < 1000) break;
        after = entries.at(-1)?.uid ?? 0;
      }
    }
    for (const [queueId, { uid }] of acknowledged)
      assert.equal(found.get(queueId), uid, `${queueId} is lost`);
    const [last] = [...acknowledged].slice(-1);
    if (last !== undefined) {
      const [queueId, { account }] = last;
      const again = await store.deliver(
        known(toAccountId(account)),
        undefined,
        { queueId, recipient: 0 },
        newMessage(),
      );
      assert.equal(must(again).duplicate, true);
    }
    store.close();
    for (const writer of writers) writer.close();
  }
  assert.ok(acknowledged.size > 0);
  await rm(directory, { recursive: true });
});

test('of a draft that is replaced there is always one, the last that was acknowledged or the next (RFC 8508 §3.4)', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-replace-'));
  const account = known(toAccountId(1));
  for (let round = 0; round < ROUNDS; round += 1) {
    const lines = await killedAfter(REPLACER, directory, round, 20 + ((round * 67) % 230));
    const acknowledged = Number(lines.at(-1));
    assert.ok(acknowledged > 1);
    const hintScope = `replace.test ${round}`;
    const writer = openLocalWriter(operations, mailShardFile(directory, 0), { hintScope });
    const clock = new FakeClock();
    const store = openEmbeddedMailStore({
      dataDirectory: directory,
      shards: 1,
      hintScope,
      clock,
      writer: () => writer,
    });
    for await (const finding of checkMail({ dataDirectory: directory, shards: 1 })) assert.fail(finding.kind);
    const uids = (await store.entries(account, INBOX, 0, 10)).map(({ uid }) => uid);
    assert.equal(uids.length, 1);
    assert.ok(uids[0] === acknowledged || uids[0] === acknowledged + 1, `${uids[0]} after ${acknowledged}`);
    assert.equal((await store.quota(account)).messagesUsed, 1);
    store.close();
    writer.close();
  }
  await rm(directory, { recursive: true });
});
