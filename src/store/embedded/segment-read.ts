/**
 * Reads blobs from segments at their places. Files are kept open in a bounded cache and closed when nobody has used them
 * for a while, so that the room of a removed segment comes back. What stands for `missing` and `damaged`: docs/segments.md.
 */
import { crc32 } from 'node:zlib';
import type { Clock, Timer } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { BlobError } from '../blob-store.ts';
import type { BlobRef } from '../blob-store.ts';
import { errorCode } from './segment-disk.ts';
import type { SegmentDisk, SegmentFile } from './segment-disk.ts';
import {
  HEADER_OCTETS,
  decodeFileHeader,
  decodeRecordHeader,
  formatSegmentName,
  fromPlace,
} from './segment-format.ts';

const CHUNK_OCTETS = 65_536;
/** `read` goes in steps of this, so that a checksum never holds up the event loop. */
const STEP_OCTETS = 1_048_576;
const OPEN_FILES_MAX = 64;
const IDLE_MS = 60_000;

type OpenFile = { readonly file: SegmentFile; users: number; usedAtMs: number; dropped: boolean };

/** Octets and where they stand in the file. */
type Span = { readonly from: number; readonly to: number };

export class SegmentReader {
  readonly #disk: SegmentDisk;
  readonly #clock: Clock;
  /** Least recently used first. */
  readonly #open = new Map<number, Promise<OpenFile | undefined>>();
  #sweep: Timer | undefined;

  constructor(disk: SegmentDisk, clock: Clock) {
    this.#disk = disk;
    this.#clock = clock;
  }

  async read(ref: BlobRef, start: number, end: number): Promise<Buffer> {
    const { from, to } = cut(ref, start, end);
    const out = Buffer.allocUnsafeSlow(HEADER_OCTETS + (to - from));
    const steps = this.#steps(ref, { from, to }, STEP_OCTETS, out);
    while ((await steps.next()).done !== true) continue;
    return out.subarray(HEADER_OCTETS);
  }

  async *stream(ref: BlobRef, start: number, end: number): AsyncGenerator<Buffer, void, void> {
    yield* this.#steps(ref, cut(ref, start, end), CHUNK_OCTETS, undefined);
  }

  /**
   * The octets of the span in steps, the header checked first, the checksum last when the span is the whole blob.
   *
   * @param whole room for the header and the entire span; undefined: each step gets memory of its own
   */
  async *#steps(
    ref: BlobRef,
    { from, to }: Span,
    stepOctets: number,
    whole: Buffer | undefined,
  ): AsyncGenerator<Buffer, void, void> {
    const { segment, offset } = fromPlace(ref.place);
    const opened = await this.#use(segment);
    if (opened === undefined) throw new BlobError({ kind: 'missing' }, ref.id);
    try {
      // A blob read from its beginning comes with its header in one read.
      const together = from === 0;
      const first = Math.min(to - from, stepOctets);
      const buffer =
        whole?.subarray(0, HEADER_OCTETS + first) ??
        Buffer.allocUnsafeSlow(HEADER_OCTETS + (together ? first : 0));
      const got = await readFrom(opened.file, together ? buffer : buffer.subarray(0, HEADER_OCTETS), offset);
      const want = this.#checkHeader(ref, buffer, got);
      let crc = 0;
      for (let at = from; at < to; at += stepOctets) {
        const count = Math.min(stepOctets, to - at);
        let step: Buffer;
        if (at === 0) {
          if (got < HEADER_OCTETS + count) throw new BlobError({ kind: 'damaged' }, ref.id);
          step = buffer.subarray(HEADER_OCTETS, HEADER_OCTETS + count);
        } else {
          const begin = HEADER_OCTETS + (at - from);
          step = whole?.subarray(begin, begin + count) ?? Buffer.allocUnsafeSlow(count);
          const read = await readFrom(opened.file, step, offset + HEADER_OCTETS + at);
          if (read < count) throw new BlobError({ kind: 'damaged' }, ref.id);
        }
        crc = crc32(step, crc);
        if (together && at + count === ref.octets && crc !== want)
          throw new BlobError({ kind: 'damaged' }, ref.id);
        yield step;
      }
    } finally {
      this.#release(opened);
    }
  }

  /** Gives the checksum that the octets must have. */
  #checkHeader(ref: BlobRef, buffer: Buffer, got: number): number {
    const { segment, offset } = fromPlace(ref.place);
    if (got === 0) throw new BlobError({ kind: 'missing' }, ref.id);
    const header = got < HEADER_OCTETS ? undefined : decodeRecordHeader(buffer, segment, offset);
    if (header === undefined) throw new BlobError({ kind: 'damaged' }, ref.id);
    if (header.id !== ref.id || header.octets !== ref.octets)
      throw new BlobError({ kind: 'missing' }, ref.id);
    return header.crc;
  }

  /** Undefined when there is no such segment. */
  async #use(segment: number): Promise<OpenFile | undefined> {
    const opening = this.#open.get(segment) ?? this.#openFile(segment);
    this.#open.delete(segment);
    this.#open.set(segment, opening);
    this.#evict();
    let opened: OpenFile | undefined;
    try {
      opened = await opening;
    } finally {
      // What is not there now may be there later: a segment is created, a disk comes back.
      if (opened === undefined && this.#open.get(segment) === opening) this.#open.delete(segment);
    }
    if (opened === undefined) return undefined;
    // Closed between the two awaits: open it again.
    if (opened.dropped && opened.users === 0) return this.#use(segment);
    opened.users += 1;
    return opened;
  }

  async #openFile(segment: number): Promise<OpenFile | undefined> {
    const name = formatSegmentName(segment);
    let file: SegmentFile;
    try {
      file = await this.#disk.open(name, 'read');
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return undefined;
      throw new Fault(`Opening ${name}`, cause);
    }
    const head = Buffer.alloc(HEADER_OCTETS);
    try {
      await file.read(head, 0);
    } catch (cause) {
      await file.close();
      throw new Fault(`Reading ${name}`, cause);
    }
    const header = decodeFileHeader(head);
    if (header.kind === 'newer') {
      await file.close();
      throw new Fault(
        `Reading ${name}, which is of format ${header.version}, newer than this Postrider knows`,
      );
    }
    return { file, users: 0, usedAtMs: this.#clock.monotonicMs(), dropped: false };
  }

  #release(opened: OpenFile): void {
    opened.users -= 1;
    opened.usedAtMs = this.#clock.monotonicMs();
    if (opened.dropped && opened.users === 0) void opened.file.close().catch(() => undefined);
    this.#sweep ??= this.#clock.after(IDLE_MS, () => this.#closeIdle());
  }

  #evict(): void {
    for (const [segment, opening] of this.#open) {
      if (this.#open.size <= OPEN_FILES_MAX) return;
      this.#drop(segment, opening);
    }
  }

  #drop(segment: number, opening: Promise<OpenFile | undefined>): void {
    this.#open.delete(segment);
    void opening.then(
      (opened) => (opened === undefined ? undefined : closeUnused(opened)),
      () => undefined,
    );
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const before = this.#clock.monotonicMs() - IDLE_MS;
    for (const [segment, opening] of this.#open)
      void opening.then(
        (opened) => {
          if (opened !== undefined && opened.users === 0 && opened.usedAtMs <= before)
            this.#drop(segment, opening);
        },
        () => undefined,
      );
    if (this.#open.size > 0) this.#sweep = this.#clock.after(IDLE_MS, () => this.#closeIdle());
  }

  /** Files that are being read are closed when that ends. */
  async close(): Promise<void> {
    this.#sweep?.cancel();
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const opened of await Promise.all(all.map((opening) => opening.catch(() => undefined))))
      if (opened !== undefined) await closeUnused(opened);
    this.#sweep?.cancel();
  }
}

async function closeUnused(opened: OpenFile): Promise<void> {
  if (opened.dropped) return;
  opened.dropped = true;
  if (opened.users === 0) await opened.file.close().catch(() => undefined);
}

async function readFrom(file: SegmentFile, into: Buffer, position: number): Promise<number> {
  try {
    return await file.read(into, position);
  } catch (cause) {
    throw new Fault('Reading a segment', cause);
  }
}

function cut(ref: BlobRef, start: number, end: number): Span {
  const from = Math.min(Math.max(0, start), ref.octets);
  return { from, to: Math.max(from, Math.min(end, ref.octets)) };
}
