/**
 * The few things that segments need of a file system, so that tests can fill the disk, break a sync, or cut the power.
 * Everything rejects with the error of the system (`code` says which); callers make a `Fault` of it.
 */
import * as fs from 'node:fs';
import { readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { makeFolder, syncFolder } from '../../disk/folder.ts';

export type SegmentFile = {
  /** Fills as much of the buffer as the file has from `position`; gives how much. */
  read(into: Buffer, position: number): Promise<number>;
  /** All or a rejection, which may leave a part written. */
  write(pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** Octets and size on stable storage. */
  sync(): Promise<void>;
  truncate(octets: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
};

/** Names are relative to the folder of the segments. */
export type SegmentDisk = {
  /** 'create' fails with EEXIST when there is one; 'read' and 'write' with ENOENT when there is none. */
  open(name: string, mode: 'read' | 'write' | 'create'): Promise<SegmentFile>;
  list(): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
  /** Makes creations and removals of names durable. */
  syncNames(): Promise<void>;
};

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const;
/** For the owner alone: mail is private. */
const FILE_MODE = 0o600;

const readAt = promisify(fs.read);
const writeAt = promisify(fs.writev);
const datasync = promisify(fs.fdatasync);
const truncateTo = promisify(fs.ftruncate);
const statOf = promisify(fs.fstat);
const closeFile = promisify(fs.close);
const openFile = promisify(fs.open);

/** The code of a system's error: 'ENOENT', 'ENOSPC'. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

async function writeAll(fd: number, pieces: readonly Uint8Array[], position: number): Promise<void> {
  let rest = pieces;
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await writeAt(fd, [...rest], at);
    at += bytesWritten;
    let skip = bytesWritten;
    let index = 0;
    for (; index < rest.length; index += 1) {
      const length = rest[index]?.length ?? 0;
      if (length > skip) break;
      skip -= length;
    }
    const [first, ...others] = rest.slice(index);
    rest = first === undefined ? [] : [first.subarray(skip), ...others];
  }
}

async function readAll(fd: number, into: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await readAt(fd, into, done, into.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

function fileOf(fd: number): SegmentFile {
  return {
    read: (into, position) => readAll(fd, into, position),
    write: (pieces, position) => writeAll(fd, pieces, position),
    sync: () => datasync(fd),
    truncate: (octets) => truncateTo(fd, octets),
    size: async () => (await statOf(fd)).size,
    close: () => closeFile(fd),
  };
}

/** Creates the folder if there is none. */
export async function openSegmentDisk(directory: string): Promise<SegmentDisk> {
  await makeFolder(directory);
  return {
    async open(name, mode) {
      const path = join(directory, name);
      if (mode === 'create') await makeFolder(dirname(path));
      return fileOf(await openFile(path, FLAGS[mode], FILE_MODE));
    },
    list: () => readdir(directory),
    remove: (name) => unlink(join(directory, name)),
    syncNames: () => syncFolder(directory),
  };
}
