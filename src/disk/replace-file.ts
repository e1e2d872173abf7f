/** A small file that is replaced whole: after a crash at any instant the old one is there or the new one. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, syncFolderSync } from './folder.ts';

/** For its owner only; throws the file system's errors. */
export async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const draft = draftOf(path);
  {
    await using file = await open(draft, 'w', OWNER_ONLY);
    await file.writeFile(content);
    await file.sync();
  }
  await rename(draft, path);
  await syncFolder(dirname(path));
}

/** The same where nothing else can go on before it is done: at a start. */
export function replaceFileSync(path: string, text: string): void {
  const draft = draftOf(path);
  const file = openSync(draft, 'w', OWNER_ONLY);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  syncFolderSync(dirname(path));
}

const OWNER_ONLY = 0o600;

function draftOf(path: string): string {
  return `${path}.new`;
}
