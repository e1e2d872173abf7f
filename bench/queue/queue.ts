/**
 * The embedded queue by itself: accept with a lease and settle, through a writer thread, and a queue of 100,000 messages.
 * `node bench/queue/queue.ts [directory]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { known, toBlobId } from '../../src/store/ids.ts';
import { toBlobPlace } from '../../src/store/blob-store.ts';
import { EmbeddedQueue, QUEUE_WRITER_URL } from '../../src/queue/embedded/queue.ts';
import type { QueueOperations } from '../../src/queue/embedded/queue-writer.ts';
import type { NewQueuedMessage } from '../../src/queue/queue.ts';
import { toQueueId } from '../../src/queue/queue.ts';
import { openHints } from '../../src/sqlite/hint.ts';
import { connectWriter, startWriterThread } from '../../src/sqlite/writer.ts';

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: () => ({ cancel: () => undefined }),
};
const prefix = Buffer.alloc(400, 'Received: from mail.example.org ');

let made = 0;
function message(): NewQueuedMessage {
  made += 1;
  return {
    id: known(toQueueId(made.toString(36).toUpperCase().padStart(20, '0'))),
    blob: { id: known(toBlobId('ab'.repeat(32))), octets: 4096, place: known(toBlobPlace(made * 300)) },
    prefix,
    reversePath: 'alice@example.org',
    body: '8bitmime',
    smtpUtf8: false,
    dsn: { ret: undefined, envid: undefined },
    priority: 0,
    requireTls: false,
    tlsOptional: false,
    deliverBy: undefined,
    arrivedAtMs: Date.now(),
    releaseAtMs: undefined,
    releaseRequest: undefined,
    expiresAtMs: Date.now() + 432_000_000,
    source: { kind: 'mx', remote: '192.0.2.1', helo: 'mail.example.org', account: undefined },
    recipients: [
      {
        forwardPath: `bob@d${made % 1000}.example`,
        route: { kind: 'remote', domain: `d${made % 1000}.example` },
        notify: undefined,
        originalRecipient: undefined,
      },
    ],
  };
}

async function timed(name: string, act: () => Promise<unknown>): Promise<void> {
  const begin = performance.now();
  await act();
  console.log(`${name.padEnd(50)} ${(performance.now() - begin).toFixed(1).padStart(9)} ms`);
}

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'postrider-bench-'));
const file = join(directory, 'queue.sqlite');
const hints = openHints('bench');
const thread = await startWriterThread([{ name: 'queue', file, moduleUrl: QUEUE_WRITER_URL }]);
const writer = connectWriter<QueueOperations>(thread.connect(), 'queue');
const queue = new EmbeddedQueue({ file, writer, hints, clock });
try {
  for (const sessions of [1, 10, 50, 200]) {
    const begin = performance.now();
    let count = 0;
    await Promise.all(
      Array.from({ length: sessions }, async () => {
        while (performance.now() - begin < 2000) {
          const one = message();
          await queue.accept(one, { owner: 'bench', untilMs: Date.now() + 60_000 });
          await queue.settle(one.id, 'bench', [{ recipient: 0, kind: 'relayed', answer: undefined }], []);
          count += 1;
        }
      }),
    );
    const rate = Math.round((count * 1000) / (performance.now() - begin));
    console.log(`${`${sessions} sessions: accept and settle`.padEnd(50)} ${String(rate).padStart(9)}/s`);
  }
  await timed('accept 100,000 messages, 1,000 at once', async () => {
    for (let round = 0; round < 100; round += 1)
      await Promise.all(Array.from({ length: 1000 }, () => queue.accept(message())));
  });
  await timed('first page of 100', () => queue.list({}, undefined, 100));
  await timed('a page of 100 in the middle', () =>
    queue.list({}, toQueueId((made - 50_000).toString(36).toUpperCase().padStart(20, '0')), 100),
  );
  await timed('a search that finds nothing', () => queue.list({ domain: 'no.example' }, undefined, 100));
  await timed('summary', () => queue.summary({}, 1000));
  await timed('summary of what matches a filter', () => queue.summary({ priorityMin: 0 }, 1000));
  await timed('count', () => queue.count());
  await timed('next due', () => queue.nextDueMs());
  await timed('lease 100', () => queue.lease('bench', Date.now(), Date.now() + 60_000, 100));
  await timed('end leases', () => queue.endLeases([]));
} finally {
  queue.close();
  await thread.close();
  hints.close();
  rmSync(directory, { recursive: true });
}
