import { queueContract } from '../queue.contract.ts';
import { MemoryQueue } from './queue.ts';

queueContract('memory', async () => {
  const queue = new MemoryQueue({
    nowMs: () => 0,
    monotonicMs: () => 0,
    after: () => ({ cancel: () => undefined }),
  });
  return { queue, reopen: async () => queue, close: async () => undefined };
});
