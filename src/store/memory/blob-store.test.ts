import { blobStoreContract } from '../blob-store.contract.ts';
import { openMemoryBlobStore } from './blob-store.ts';

blobStoreContract('memory', () => {
  const store = openMemoryBlobStore();
  return Promise.resolve({
    store,
    reopen: () => Promise.resolve(store),
    close: () => Promise.resolve(),
  });
});
