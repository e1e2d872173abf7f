/** Puts messages into the queue of a data directory that nobody uses. */
import { openBackends, openWriters } from '../../src/app/backends.ts';
import { openDataDirectory } from '../../src/app/data-directory.ts';
import { localConfig } from '../../src/app/open-stores.ts';
import { systemClock, systemRandom } from '../../src/app/system.ts';
import { createQueueIds } from '../../src/queue/queue-id.ts';
import { newMessage, remoteRecipient } from '../../test/support/queued.ts';

const BATCH = 2000;

export async function fillQueue(
  dataDirectory: string,
  count: number,
  describe: (number: number) => { readonly address: string; readonly releaseAtMs: number | undefined },
): Promise<void> {
  await openDataDirectory(dataDirectory, systemClock.nowMs());
  const config = localConfig(dataDirectory);
  const writers = await openWriters(config);
  const backends = await openBackends({
    config,
    writers: writers.connect(),
    owner: 'fill',
    clock: systemClock,
    random: systemRandom,
  });
  const newId = createQueueIds(systemClock, systemRandom);
  const writer = backends.blobs.create();
  await writer.write(Buffer.from(`Subject: waits\r\n\r\n${'All work and no play.\r\n'.repeat(180)}`));
  const blob = await writer.finish();
  const nowMs = systemClock.nowMs();
  for (let at = 0; at < count; at += BATCH)
    await Promise.all(
      Array.from({ length: Math.min(BATCH, count - at) }, (_, index) => {
        const { address, releaseAtMs } = describe(at + index);
        return backends.queue.accept(
          newMessage([remoteRecipient(address)], {
            id: newId(),
            blob,
            prefix: Buffer.from(`Received: from client.bench.test; ${'x'.repeat(360)}\r\n`),
            arrivedAtMs: nowMs - 3_600_000,
            releaseAtMs,
          }),
        );
      }),
    );
  await backends.close();
  await writers.close();
}
