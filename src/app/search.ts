/** The search indexes: the thread that keeps them, and the way to ask them, for the backend that has them. */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import { Indexer } from '../search/embedded/indexer.ts';
import { openHints } from '../sqlite/hint.ts';
import { MAIL_TOPIC } from '../store/account-state.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { fixShardCount } from '../store/embedded/mail-files.ts';
import type { SearchControl } from './control/search-methods.ts';
import { EmbeddedSearchIndex } from '../search/embedded/index-reader.ts';

export type SearchThreadData = { readonly config: Config };

export type SearchThread = {
  /** Ends after the batch in hand. */
  close(): Promise<void>;
  /** With what it died of. */
  readonly ended: Promise<Error | undefined>;
};

export function hasSearchIndex({ search, store }: Config): boolean {
  return search.enabled && store.backend === 'embedded';
}

/** The writers are open. */
export function startSearch(config: Config): SearchThread | undefined {
  if (!hasSearchIndex(config)) return undefined;
  const entry = new URL(`./search-thread${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
  const workerData: SearchThreadData = { config };
  const worker = new Worker(entry, {
    name: 'search',
    workerData,
    // Nobody waits for it: small pages of the young generation keep the thread small.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const ended = once(worker, 'exit').then(
    () => undefined,
    (cause: unknown) => (cause instanceof Error ? cause : new Error(String(cause))),
  );
  return {
    ended,
    close: async () => {
      worker.postMessage('stop');
      await ended;
    },
  };
}

export function openSearchIndex(
  config: Config,
  clock: Clock,
  onFault: (cause: unknown) => void,
): EmbeddedSearchIndex | undefined {
  return hasSearchIndex(config) ? new EmbeddedSearchIndex(config.dataDirectory, clock, onFault) : undefined;
}

/**
 * What the control methods ask. Each opens the files for its own short time.
 * @param state a running server's thread makes the index again; of a stopped one it is done here
 */
export function openSearchControl(
  config: Config,
  blobs: BlobStore,
  state: 'running' | 'stopped',
): SearchControl | undefined {
  if (!hasSearchIndex(config)) return undefined;
  const { dataDirectory, store } = config;
  const open = (): Indexer =>
    new Indexer({ dataDirectory, shards: fixShardCount(dataDirectory, store.shards), blobs });
  return {
    status: (account) => {
      const indexer = open();
      try {
        return indexer.status(account);
      } finally {
        indexer.close();
      }
    },
    reindex: async (account) => {
      const indexer = open();
      try {
        indexer.reset(account);
        if (state === 'stopped') return await indexer.update(account, async () => true);
      } finally {
        indexer.close();
      }
      const hints = openHints(dataDirectory);
      hints.publish(MAIL_TOPIC, account, 0);
      // Hints leave at the end of the turn.
      await new Promise((resolve) => setImmediate(resolve));
      hints.close();
    },
  };
}
