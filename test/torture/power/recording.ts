/**
 * What a recorded server asked of its disk (`recorder.c`), and from it what a power cut at any moment may have left: of
 * what was not synced each sector of 512 octets is there or not, whatever the order it was written in; a name that its
 * folder was not synced for is as it was, as it became, or as it was in between.
 */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { Seeded } from '../seeded.ts';

const SECTOR_OCTETS = 512;
const HEAD_OCTETS = 24;
/** As `recorder.c` numbers them. */
const KIND = {
  open: 1,
  write: 2,
  truncate: 3,
  syncBegin: 4,
  syncEnd: 5,
  rename: 6,
  unlink: 7,
  mkdir: 8,
} as const;
const IS_FOLDER = 1;
const TRUNCATES = 2;

type Change =
  | { readonly kind: 'write'; readonly at: number; readonly octets: Buffer }
  | { readonly kind: 'truncate'; readonly octets: number };

/** Octets with room behind them. */
class Content {
  #octets: Buffer = Buffer.alloc(0);
  length = 0;

  apply(change: Change): void {
    if (change.kind === 'truncate') return this.#resize(change.octets);
    if (change.at + change.octets.length > this.length) this.#resize(change.at + change.octets.length);
    change.octets.copy(this.#octets, change.at);
  }

  #resize(length: number): void {
    if (length > this.#octets.length) {
      const larger = Buffer.alloc(Math.max(length, this.#octets.length * 2));
      this.#octets.copy(larger, 0, 0, this.length);
      this.#octets = larger;
    }
    // What is cut off must not come back when the file grows again.
    if (length < this.length) this.#octets.fill(0, length, this.length);
    this.length = length;
  }

  copy(): Content {
    const copy = new Content();
    copy.#octets = Buffer.from(this.octets());
    copy.length = this.length;
    return copy;
  }

  octets(): Buffer {
    return this.#octets.subarray(0, this.length);
  }
}

class File {
  readonly #synced = new Content();
  #unsynced: Change[] = [];
  #changes = 0;
  #durable = 0;

  change(change: Change): void {
    this.#unsynced.push(change);
    this.#changes += 1;
  }

  /** How many changes a sync that begins now is for. */
  get changes(): number {
    return this.#changes;
  }

  sync(changes: number): void {
    if (changes <= this.#durable) return;
    for (const change of this.#unsynced.splice(0, changes - this.#durable)) this.#synced.apply(change);
    this.#durable = changes;
  }

  /** @param random undefined: with everything that was done */
  after(random: Seeded | undefined): Buffer {
    if (this.#unsynced.length === 0) return this.#synced.octets();
    const content = this.#synced.copy();
    // The whole file, or each change, has one of three fates: there, gone, or there in part.
    const fate = random === undefined ? 0 : random.below(4);
    for (const change of this.#unsynced) {
      const own = random === undefined || fate < 2 ? fate : random.below(3);
      if (own === 1) continue;
      if (own === 0 || random === undefined) content.apply(change);
      else if (change.kind === 'truncate') {
        if (random.chance(0.5)) content.apply(change);
      } else for (const sector of sectorsOf(change)) if (random.chance(0.5)) content.apply(sector);
    }
    return content.octets();
  }
}

function* sectorsOf({ at, octets }: Extract<Change, { kind: 'write' }>): Generator<Change> {
  for (let from = 0; from < octets.length;) {
    const count = SECTOR_OCTETS - ((at + from) % SECTOR_OCTETS);
    yield { kind: 'write', at: at + from, octets: octets.subarray(from, from + count) };
    from += count;
  }
}

class Folder {
  readonly now: Map<string, Node> = new Map();
  /** What a name was and has been since the folder was last synced; the last is what it is now. */
  readonly #since = new Map<string, (Node | undefined)[]>();

  set(name: string, node: Node | undefined): void {
    const since = this.#since.get(name);
    if (since === undefined) this.#since.set(name, [this.now.get(name), node]);
    else since.push(node);
    if (node === undefined) this.now.delete(name);
    else this.now.set(name, node);
  }

  /** How many states each name has had, for a sync that begins now. */
  mark(): ReadonlyMap<string, number> {
    return new Map([...this.#since].map(([name, states]) => [name, states.length]));
  }

  sync(mark: ReadonlyMap<string, number>): void {
    for (const [name, count] of mark) {
      const states = this.#since.get(name);
      // Another sync may have made some of them durable already.
      if (states === undefined || states.length < count) continue;
      if (states.length === count) this.#since.delete(name);
      else states.splice(0, count - 1);
    }
  }

  after(random: Seeded | undefined): ReadonlyMap<string, Node> {
    const names = new Map(this.now);
    if (random === undefined) return names;
    for (const [name, states] of this.#since) {
      const node = random.pick(states);
      if (node === undefined) names.delete(name);
      else names.set(name, node);
    }
    return names;
  }
}

type Node = File | Folder;

export class Recording {
  readonly #log: Buffer;
  readonly #root: string;
  readonly #top = new Folder();
  readonly #nodes = new Map<bigint, Node>();
  readonly #names = new Map<bigint, string>();
  readonly #syncs = new Map<bigint, () => void>();
  readonly #isForgotten: (name: string) => boolean;
  #at = 0;

  /** @param isForgotten files and folders, by name, whose syncs do nothing: the negative control */
  constructor(log: string, root: string, isForgotten: (name: string) => boolean = () => false) {
    this.#log = readFileSync(log);
    this.#root = root;
    this.#isForgotten = isForgotten;
  }

  /** Goes on to what was written down below this octet of the log. */
  advance(position: number): void {
    while (this.#at + HEAD_OCTETS <= this.#log.length) {
      const end = this.#at + this.#log.readUInt32LE(this.#at);
      if (end > position) return;
      this.#take(this.#log.subarray(this.#at, end));
      this.#at = end;
    }
  }

  #take(record: Buffer): void {
    const kind = record.readUInt8(4);
    const flag = record.readUInt8(5);
    const pathEnd = HEAD_OCTETS + record.readUInt16LE(6);
    const inode = record.readBigUInt64LE(8);
    const number = record.readBigUInt64LE(16);
    const path = record.toString('utf8', HEAD_OCTETS, pathEnd);
    const rest = record.subarray(pathEnd);
    switch (kind) {
      case KIND.open:
        return this.#open(path, inode, flag);
      case KIND.write:
        return this.#file(inode).change({ kind: 'write', at: Number(number), octets: rest });
      case KIND.truncate:
        return this.#file(inode).change({ kind: 'truncate', octets: Number(number) });
      case KIND.syncBegin:
        return this.#beginSync(inode, number);
      case KIND.syncEnd:
        this.#syncs.get(number)?.();
        this.#syncs.delete(number);
        return;
      case KIND.rename: {
        const node = this.#lookUp(path);
        this.#folderOf(path).set(basename(path), undefined);
        const to = rest.toString();
        this.#folderOf(to).set(basename(to), node);
        return;
      }
      case KIND.unlink:
        return this.#folderOf(path).set(basename(path), undefined);
      case KIND.mkdir:
        // The folder itself, at a first start.
        if (path === this.#root) return;
        return this.#folderOf(path).set(basename(path), new Folder());
      default:
        throw new TypeError(`A record of kind ${kind}`);
    }
  }

  #open(path: string, inode: bigint, flag: number): void {
    let node = this.#lookUp(path);
    if (node === undefined) {
      if ((flag & IS_FOLDER) !== 0) throw new TypeError(`Nobody made ${path}`);
      node = new File();
      this.#folderOf(path).set(basename(path), node);
    }
    this.#nodes.set(inode, node);
    this.#names.set(inode, relative(this.#root, path));
    if ((flag & TRUNCATES) !== 0 && node instanceof File) node.change({ kind: 'truncate', octets: 0 });
  }

  #beginSync(inode: bigint, number: bigint): void {
    if (this.#isForgotten(this.#names.get(inode) ?? '')) return;
    const node = this.#nodes.get(inode);
    if (node instanceof File) {
      const { changes } = node;
      this.#syncs.set(number, () => node.sync(changes));
    } else if (node !== undefined) {
      const mark = node.mark();
      this.#syncs.set(number, () => node.sync(mark));
    }
  }

  #file(inode: bigint): File {
    const node = this.#nodes.get(inode);
    if (!(node instanceof File)) throw new TypeError(`Inode ${inode} is no file`);
    return node;
  }

  #lookUp(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    for (const name of relative(this.#root, path).split('/')) {
      if (name === '') continue;
      node = node instanceof Folder ? node.now.get(name) : undefined;
    }
    return node;
  }

  #folderOf(path: string): Folder {
    const folder = this.#lookUp(dirname(path));
    if (!(folder instanceof Folder)) throw new TypeError(`Nobody made the folder of ${path}`);
    return folder;
  }

  /**
   * Makes the folder as the cut may have left it; without `random`, as a kill would have. SQLite's index of its log
   * (`-shm`) is shared memory, and made anew.
   */
  async restore(directory: string, random: Seeded | undefined): Promise<void> {
    await write(this.#top, directory, random);
  }
}

async function write(folder: Folder, directory: string, random: Seeded | undefined): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  for (const [name, node] of folder.after(random)) {
    const path = join(directory, name);
    if (node instanceof Folder) await write(node, path, random);
    else if (!name.endsWith('-shm')) await writeFile(path, node.after(random), { mode: 0o600 });
  }
}
