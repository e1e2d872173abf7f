/**
 * The embedded mail store: deliveries through a writer thread at several numbers of callers, and reading of a mailbox of
 * 10,000 messages. `node bench/store/mail-store.ts [seconds per row]`
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectWriter, startWriterThread } from '../../src/sqlite/writer.ts';
import { known, toAccountId, toModSeq } from '../../src/store/ids.ts';
import { mailShardFile, mailShardName, mailWriterFiles } from '../../src/store/embedded/mail-files.ts';
import type { MailOperations } from '../../src/store/embedded/mail-operations.ts';
import { openEmbeddedMailStore } from '../../src/store/embedded/mail-store.ts';
import { must, newMessage } from '../../src/store/mail-store.contract.ts';

const seconds = Number(process.argv[2] ?? 2);
const ACCOUNTS = 1000;
const MESSAGES = 10_000;
const directory = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'postrider-bench-'));
const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: () => ({ cancel: () => undefined }),
};

const thread = await startWriterThread(mailWriterFiles(directory, 1, { hintScope: 'bench' }));
const port = thread.connect();
const store = openEmbeddedMailStore({
  dataDirectory: directory,
  shards: 1,
  hintScope: 'bench',
  clock,
  writer: (shard) => connectWriter<MailOperations>(port, mailShardName(shard)),
});

const prefix =
  'Return-Path: <bob@example.test>\r\nReceived: from a.example.test by b.example.test with ESMTPS\r\n';
const message = newMessage({ prefix, subject: 'A subject of usual length' });
let delivered = 0;
let place = 0;

async function deliveries(callers: number): Promise<void> {
  const endsAt = performance.now() + seconds * 1000;
  const before = { delivered, cpu: process.cpuUsage() };
  const startedAt = performance.now();
  const one = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      delivered += 1;
      place += 300;
      const account = known(toAccountId(1 + (delivered % ACCOUNTS)));
      const blob = { ...message.blob, place: place as typeof message.blob.place };
      const digest = { ...message.digest, threadIds: [`${delivered}@example.test`] };
      must(
        await store.deliver(
          account,
          undefined,
          { queueId: `queue${delivered}`, recipient: 0 },
          { ...message, blob, digest },
        ),
      );
    }
  };
  await Promise.all(Array.from({ length: callers }, one));
  const count = delivered - before.delivered;
  const { user, system } = process.cpuUsage(before.cpu);
  console.log(
    JSON.stringify({
      callers,
      deliveriesPerSecond: Math.round((count * 1000) / (performance.now() - startedAt)),
      cpuMsPer1000: Math.round((user + system) / count),
    }),
  );
}

async function timed(what: string, work: () => Promise<number>): Promise<void> {
  await work();
  const startedAt = performance.now();
  const count = await work();
  console.log(JSON.stringify({ what, count, ms: Number((performance.now() - startedAt).toFixed(2)) }));
}

try {
  for (const callers of [1, 10, 50, 200, 512]) await deliveries(callers);
  console.log(
    `the shard has ${delivered} messages in ${(statSync(mailShardFile(directory, 0)).size / 1e6).toFixed(0)} MB`,
  );
  await deliveries(50);

  const account = known(toAccountId(999_999));
  const inbox = (await store.mailboxes(account)).find(({ role }) => role === 'inbox')?.id;
  if (inbox === undefined) throw new Error('no inbox');
  for (let count = 0; count < MESSAGES; count += 500)
    must(await store.append(account, inbox, Array(500).fill(message)));
  await timed('entries', async () => (await store.entries(account, inbox, 0, MESSAGES)).length);
  const uids = (await store.entries(account, inbox, 0, MESSAGES)).map(({ uid }) => uid);
  await timed('placed, 1,000', async () => (await store.placed(account, inbox, uids.slice(0, 1000))).length);
  await timed(
    'messages, 1,000',
    async () => (await store.messages(account, inbox, uids.slice(0, 1000))).length,
  );
  await timed('messages, 1', async () => (await store.messages(account, inbox, uids.slice(500, 501))).length);
  let flagTurn = 0;
  const flags = async (count: number): Promise<number> =>
    must(
      await store.setFlags(account, inbox, uids.slice(0, count), {
        mode: 'add',
        flags: 1 << (flagTurn++ % 4),
        keywords: [],
      }),
    ).entries.length;
  await timed('set flags, 1', () => flags(1));
  await timed('set flags, 1,000', () => flags(1000));
  const since = (await store.changes(account, known(toModSeq(0)), 1_000_000)).modSeq;
  await flags(10);
  await timed('changes after 10', async () => {
    const { changed } = must(await store.mailboxChanges(account, inbox, since));
    return changed.length;
  });
  const other = must(await store.createMailbox(account, { parent: undefined, name: 'Other' })).id;
  const startedAt = performance.now();
  must(await store.copy(account, inbox, uids, other));
  const copiedAt = performance.now();
  must(await store.setFlags(account, inbox, uids, { mode: 'add', flags: 16, keywords: [] }));
  const flaggedAt = performance.now();
  must(await store.expunge(account, inbox, undefined));
  const expungedAt = performance.now();
  must(await store.removeMailbox(account, other));
  console.log(
    JSON.stringify({
      count: uids.length,
      copyMs: Math.round(copiedAt - startedAt),
      flagMs: Math.round(flaggedAt - copiedAt),
      expungeMs: Math.round(expungedAt - flaggedAt),
      removeMailboxMs: Math.round(performance.now() - expungedAt),
    }),
  );
  await timed('mailboxes', async () => (await store.mailboxes(account)).length);
  console.log(`memory: ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);
} finally {
  store.close();
  port.close();
  await thread.close();
  rmSync(directory, { recursive: true });
}
