/**
 * The entry of the thread that keeps the search indexes: goes through all accounts at its start, then through those that a
 * hint names. It gives way to everything else, and what it has not come to is read by whoever searches.
 */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { sleep } from '../base/clock.ts';
import { Indexer } from '../search/embedded/indexer.ts';
import { openHints } from '../sqlite/hint.ts';
import { MAIL_TOPIC } from '../store/account-state.ts';
import { fixShardCount } from '../store/embedded/mail-files.ts';
import { openSegmentStore } from '../store/embedded/segment-store.ts';
import { known, toAccountId, type AccountId } from '../store/ids.ts';
import { segmentDirectory } from './backends.ts';
import { createObservers } from './observers.ts';
import type { SearchThreadData } from './search.ts';
import { systemClock } from './system.ts';

/** Mail that comes in a burst is indexed behind it. */
const QUIET_MS = 500;
const SWEEP_MS = 3_600_000;
const LOWEST_PRIORITY = 19;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `startSearch` gave it
const { config } = workerData as SearchThreadData;
const observers = createObservers({ ...config, thread: 'search', traces: undefined });
const stopped = new AbortController();
const waiting = new Set<AccountId>();
let wake = (): void => {};

const hints = openHints(config.dataDirectory);
hints.subscribe(MAIL_TOPIC, (key) => {
  waiting.add(known(toAccountId(key)));
  wake();
});
parentPort?.once('message', () => {
  stopped.abort();
  wake();
});

try {
  // On Linux the number of a thread is that of a process: only this one steps back.
  if (process.platform === 'linux') setPriority(0, LOWEST_PRIORITY);
} catch {
  // Somebody forbids it; it works as well.
}
const blobs = await openSegmentStore({
  directory: segmentDirectory(config),
  clock: systemClock,
  owner: 'search',
});
const indexer = new Indexer({
  dataDirectory: config.dataDirectory,
  shards: fixShardCount(config.dataDirectory, config.store.shards),
  blobs,
});
for (const account of indexer.accounts()) waiting.add(account);

let sweptMs = Number.NEGATIVE_INFINITY;
while (!stopped.signal.aborted) {
  try {
    if (systemClock.monotonicMs() - sweptMs >= SWEEP_MS) {
      sweptMs = systemClock.monotonicMs();
      indexer.sweep();
    }
    for (const account of waiting) {
      waiting.delete(account);
      await indexer.update(account, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return !stopped.signal.aborted;
      });
      if (stopped.signal.aborted) break;
    }
  } catch (cause) {
    // The account comes up again with its next change, or at the next start.
    observers.server({ name: 'server.fault', cause });
  }
  if (waiting.size === 0 && !stopped.signal.aborted)
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  await sleep(systemClock, QUIET_MS, stopped.signal);
}
hints.close();
indexer.close();
await blobs.close();
await observers.close();
