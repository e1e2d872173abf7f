/** Mail for an index that is killed while it is made: who reads it can say what each message must be found by. */
import { openMemoryBlobStore } from '../../src/store/memory/blob-store.ts';
import type { BlobRef, BlobStore } from '../../src/store/blob-store.ts';

export const INDEXED_MESSAGES = 400;

/** Message `number` says `only<number>only` and every word of the numbers that divide it. */
export function indexedLetter(number: number): string {
  const divisors = Array.from({ length: 20 }, (_, at) => at + 1).filter((one) => number % one === 0);
  const filler = Array.from({ length: 200 }, (_, at) => `word${(number * 37 + at * 11) % 5000}`).join(' ');
  return (
    `From: a@example.test\r\nSubject: letter ${number}\r\n\r\n` +
    `only${number}only ${divisors.map((one) => `by${one}by`).join(' ')}\r\n${filler}\r\n`
  );
}

export async function openIndexedBlobs(): Promise<{
  readonly blobs: BlobStore;
  readonly refs: readonly BlobRef[];
}> {
  const blobs = openMemoryBlobStore();
  const refs: BlobRef[] = [];
  for (let number = 1; number <= INDEXED_MESSAGES; number += 1) {
    const writing = blobs.create();
    // oxlint-disable-next-line no-await-in-loop -- in order, so that places are the same everywhere
    await writing.write(Buffer.from(indexedLetter(number)));
    // oxlint-disable-next-line no-await-in-loop -- as above
    refs.push(await writing.finish());
  }
  return { blobs, refs };
}
