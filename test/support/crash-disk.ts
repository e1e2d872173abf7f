/**
 * A disk in memory that forgets: what was not synced when the power went may be there, in part, or not at all, by sectors
 * of 512 octets and in any order. It can also be full or broken on demand.
 */
import type { SegmentDisk, SegmentFile } from '../../src/store/embedded/segment-disk.ts';

const SECTOR_OCTETS = 512;

export type DiskOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'remove'
  | 'list'
  | 'syncNames';

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly octets: Buffer }
  | { readonly kind: 'truncate'; readonly octets: number };

type Inode = { content: Buffer; synced: Buffer; unsynced: Change[] };

export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function applied(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') {
    if (change.octets <= content.length) return Buffer.from(content.subarray(0, change.octets));
    return Buffer.concat([content, Buffer.alloc(change.octets - content.length)]);
  }
  const out = Buffer.alloc(Math.max(content.length, change.position + change.octets.length));
  content.copy(out);
  change.octets.copy(out, change.position);
  return out;
}

export class CrashDisk implements SegmentDisk {
  readonly #names = new Map<string, Inode>();
  /** What the folder is known to hold after a power cut. */
  #durableNames = new Map<string, Inode>();
  #isDead = false;
  readonly counts: Map<DiskOperation, number> = new Map();
  /** Gives the error that this operation meets, or how many octets of a write get through before ENOSPC. */
  trouble: (operation: DiskOperation, name: string) => Error | number | undefined = () => undefined;

  async #step(operation: DiskOperation, name: string): Promise<number | undefined> {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    if (this.#isDead) await new Promise<never>(() => undefined);
    const trouble = this.trouble(operation, name);
    if (trouble instanceof Error) throw trouble;
    return trouble;
  }

  async open(name: string, mode: 'read' | 'write' | 'create'): Promise<SegmentFile> {
    await this.#step(mode === 'create' ? 'create' : 'open', name);
    let inode = this.#names.get(name);
    if (mode === 'create') {
      if (inode !== undefined) throw systemError('EEXIST');
      inode = { content: Buffer.alloc(0), synced: Buffer.alloc(0), unsynced: [] };
      this.#names.set(name, inode);
    }
    if (inode === undefined) throw systemError('ENOENT');
    return this.#file(name, inode);
  }

  #file(name: string, inode: Inode): SegmentFile {
    const change = (one: Change): void => {
      inode.content = applied(inode.content, one);
      inode.unsynced.push(one);
    };
    return {
      read: async (into, position) => {
        await this.#step('read', name);
        return position >= inode.content.length ? 0 : inode.content.copy(into, 0, position);
      },
      write: async (pieces, position) => {
        const octets = Buffer.concat(pieces);
        const through = await this.#step('write', name);
        change({ kind: 'write', position, octets: octets.subarray(0, through) });
        if (through !== undefined && through < octets.length) throw systemError('ENOSPC');
      },
      sync: async () => {
        const { content } = inode;
        const count = inode.unsynced.length;
        await this.#step('sync', name);
        inode.synced = content;
        inode.unsynced.splice(0, count);
      },
      truncate: async (octets) => {
        await this.#step('truncate', name);
        change({ kind: 'truncate', octets });
      },
      size: async () => inode.content.length,
      close: async () => undefined,
    };
  }

  async list(): Promise<readonly string[]> {
    await this.#step('list', '');
    return [...this.#names.keys()];
  }

  async remove(name: string): Promise<void> {
    await this.#step('remove', name);
    if (!this.#names.delete(name)) throw systemError('ENOENT');
  }

  async syncNames(): Promise<void> {
    const names = new Map(this.#names);
    await this.#step('syncNames', '');
    this.#durableNames = names;
  }

  /** For tests that damage a file. */
  contentOf(name: string): Buffer {
    const inode = this.#names.get(name);
    if (inode === undefined) throw new TypeError(`No file ${name}`);
    return inode.content;
  }

  replace(name: string, content: Buffer): void {
    this.#names.set(name, { content, synced: content, unsynced: [] });
    this.#durableNames.set(name, { content, synced: content, unsynced: [] });
  }

  /** Cuts the power: nothing of this disk answers any more; gives the disk that the machine starts with. */
  crash(below: (limit: number) => number): CrashDisk {
    this.#isDead = true;
    const next = new CrashDisk();
    for (const name of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      const now = this.#names.get(name);
      const before = this.#durableNames.get(name);
      const inode = now === before || below(2) === 0 ? now : before;
      if (inode !== undefined) next.replace(name, afterPowerCut(inode, below));
    }
    return next;
  }
}

function afterPowerCut(inode: Inode, below: (limit: number) => number): Buffer {
  let content = inode.synced;
  for (const change of inode.unsynced) {
    if (change.kind === 'truncate') {
      if (below(2) === 0) content = applied(content, change);
      continue;
    }
    const fate = below(4);
    for (let at = 0; at < change.octets.length;) {
      const position = change.position + at;
      const count = Math.min(change.octets.length - at, SECTOR_OCTETS - (position % SECTOR_OCTETS));
      const octets = change.octets.subarray(at, at + count);
      // All of it, nothing of it, or some sectors.
      if (fate === 0 || (fate > 1 && below(2) === 0))
        content = applied(content, { kind: 'write', position, octets });
      at += count;
    }
  }
  return Buffer.from(content);
}
