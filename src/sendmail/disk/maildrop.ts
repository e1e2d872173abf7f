/**
 * The server's side of the maildrop. What lies in the folder was put there by anybody: a link is not followed, a pipe not
 * waited for, a file with a second name not taken, and who owns a file is asked of the file that was opened.
 */
import { constants, watch as watchFolder } from 'node:fs';
import type { Dirent } from 'node:fs';
import { chmod, lstat, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { makeFolder } from '../../disk/folder.ts';
import type { Maildrop, OpenedDrop } from '../maildrop.ts';
import { decodeDropHead } from '../wire/drop-file.ts';
import {
  FINISHED_MODE,
  FOLDER_MODE,
  infoPath,
  isDropName,
  newDropName,
  type MaildropInfo,
} from './maildrop-folder.ts';

export type DiskMaildropOptions = MaildropInfo & {
  readonly folder: string;
  readonly nowMs: () => number;
};

const CHUNK_OCTETS = 65_536;
/** What was begun and not ended in this time never will be. */
const ABANDONED_MS = 86_400_000;
/** What was set aside is kept so long. */
const ASIDE_MS = 604_800_000;
const ASIDE = 'refused-';
/** Anybody may make files that look old: each is looked at once an hour, not each time that mail comes. */
const SWEEP_MS = 3_600_000;

/** Makes the folder where it is missing, and tells `sendmail` what it must know. Throws `Fault`. */
export async function openMaildrop(options: DiskMaildropOptions): Promise<Maildrop> {
  const { folder, domain, messageOctetsMax, dataDirectory } = options;
  try {
    await makeFolder(folder);
    await chmod(folder, FOLDER_MODE);
    const path = infoPath(folder);
    const written = `${path}.new`;
    await rm(written, { force: true });
    await writeFile(written, `${JSON.stringify({ domain, messageOctetsMax, dataDirectory })}\n`, {
      flag: 'wx',
    });
    await chmod(written, FINISHED_MODE);
    await rename(written, path);
  } catch (cause) {
    throw new Fault(`Opening the maildrop ${folder}`, cause);
  }
  return new DiskMaildrop(options);
}

class DiskMaildrop implements Maildrop {
  readonly #options: DiskMaildropOptions;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: DiskMaildropOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly string[]> {
    const entries = await onDisk('Looking into the maildrop', () =>
      readdir(this.#options.folder, { withFileTypes: true }),
    );
    await this.#sweep(entries);
    return entries
      .filter((entry) => entry.isFile() && isDropName(entry.name))
      .map(({ name }) => name)
      .toSorted();
  }

  async open(name: string): Promise<OpenedDrop> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    let file: FileHandle;
    try {
      file = await open(join(this.#options.folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (cause) {
      // Not readable: not finished. ELOOP: a link, which the sweep takes away.
      if (hasCode(cause, 'ENOENT', 'EACCES', 'ELOOP', 'ENXIO')) return { kind: 'unfinished' };
      throw new Fault('Opening what was dropped', cause);
    }
    try {
      const opened = await this.#look(file);
      if (opened.kind !== 'message') await file.close();
      return opened;
    } catch (cause) {
      await file.close();
      throw new Fault('Reading what was dropped', cause);
    }
  }

  async remove(name: string): Promise<void> {
    await onDisk('Taking mail out of the maildrop', () =>
      rm(join(this.#options.folder, name), { force: true }),
    );
  }

  async setAside(name: string): Promise<void> {
    const { folder, nowMs } = this.#options;
    // Under a name that nobody can foresee: whoever left the file may have put a folder in its way.
    const aside = `${ASIDE}${newDropName(nowMs())}`;
    await onDisk('Setting mail aside', () => rename(join(folder, name), join(folder, aside)));
  }

  watch(listener: () => void): { close(): void } {
    const watcher = watchFolder(this.#options.folder, { persistent: false }, listener);
    // Whoever watches looks by himself from time to time.
    watcher.on('error', () => watcher.close());
    return { close: () => watcher.close() };
  }

  async #look(file: FileHandle): Promise<OpenedDrop> {
    const stat = await file.stat();
    if (!stat.isFile() || (stat.mode & 0o777) !== FINISHED_MODE) return { kind: 'unfinished' };
    const refused = (text: string): OpenedDrop => ({ kind: 'refused', uid: stat.uid, text });
    if (stat.nlink !== 1) return refused('It has more than one name');
    if (stat.size > this.#options.messageOctetsMax + LIMITS.dropHeadOctetsMax)
      return refused('It is too large');
    const start = Buffer.alloc(Math.min(stat.size, LIMITS.dropHeadOctetsMax + 1));
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    const head = decodeDropHead(start.subarray(0, bytesRead));
    if (head.kind !== 'head') return refused('It has no envelope');
    const octets = stat.size - head.octets;
    if (octets > this.#options.messageOctetsMax) return refused('It is too large');
    return {
      kind: 'message',
      message: {
        envelope: head.envelope,
        uid: stat.uid,
        // Not of its last change (mtime), which its owner sets as he likes.
        droppedAtMs: stat.ctimeMs,
        octets,
        content: () => contentOf(file, head.octets, stat.size),
        close: () => file.close(),
      },
    };
  }

  /** Takes away what was begun and given up, what is no file, and what was set aside long ago. */
  async #sweep(entries: readonly Dirent[]): Promise<void> {
    const nowMs = this.#options.nowMs();
    if (nowMs - this.#sweptAtMs < SWEEP_MS) return;
    this.#sweptAtMs = nowMs;
    for (const entry of entries) {
      const { name } = entry;
      if (entry.isDirectory() || (!isDropName(name) && !name.startsWith(ASIDE))) continue;
      // A finished one is taken soon: only what is old is looked at.
      const droppedAtMs = Number(name.replace(ASIDE, '').slice(0, 14));
      const keptMs = name.startsWith(ASIDE) ? ASIDE_MS : ABANDONED_MS;
      if (nowMs - droppedAtMs < keptMs) continue;
      const path = join(this.#options.folder, name);
      const stat = await lstat(path).catch(() => undefined);
      const isFinished = stat?.isFile() === true && (stat.mode & 0o777) === FINISHED_MODE;
      if (stat === undefined || stat.isDirectory() || (isFinished && !name.startsWith(ASIDE))) continue;
      if (nowMs - stat.mtimeMs >= keptMs) await rm(path, { force: true });
    }
  }
}

/** No more than was there when it was looked at: who left it may still write, if it is the superuser. */
async function* contentOf(
  file: FileHandle,
  from: number,
  until: number,
): AsyncGenerator<Uint8Array, void, void> {
  for (let at = from; at < until;) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_OCTETS, until - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) throw new Fault('Reading what was dropped', new Error('It became shorter'));
    yield chunk.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function onDisk<Answer>(doing: string, run: () => Promise<Answer>): Promise<Answer> {
  try {
    return await run();
  } catch (cause) {
    throw new Fault(doing, cause);
  }
}

function hasCode(cause: unknown, ...codes: readonly string[]): boolean {
  return cause instanceof Error && 'code' in cause && codes.some((code) => code === cause.code);
}
