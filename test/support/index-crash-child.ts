/**
 * The process that is killed: makes the index of account 1, and writes a line for each batch that it has committed.
 * `node index-crash-child.ts DIRECTORY`
 */
import { writeSync } from 'node:fs';
import { Indexer } from '../../src/search/embedded/indexer.ts';
import { known, toAccountId } from '../../src/store/ids.ts';
import { openIndexedBlobs } from './indexed-mail.ts';

const [directory = ''] = process.argv.slice(2);
const { blobs } = await openIndexedBlobs();
const indexer = new Indexer({ dataDirectory: directory, shards: 1, blobs });
await indexer.update(known(toAccountId(1)), async () => {
  writeSync(1, 'batch\n');
  return true;
});
writeSync(1, 'all\n');
indexer.close();
