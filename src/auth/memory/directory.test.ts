import { directoryContract } from '../directory.contract.ts';
import { MemoryDirectory } from './directory.ts';

directoryContract('memory', async (options) => ({
  directory: new MemoryDirectory(options),
  close: async () => undefined,
}));
