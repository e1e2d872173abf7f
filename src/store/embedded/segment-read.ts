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
  recordOctets,
} from './segment-format.ts';

const CHUNK_OCTETS = 65_536;
/** `read` goes in steps of this, so that a checksum never holds up the event loop. */
const STEP_OCTETS = 1_048_576;
/**
 * What is read at once where one small blob after the other is asked for: mail in the order in which it came. Of each open
 * file the last ones are kept: who is a little behind the others still finds his.
 */
const WINDOW_OCTETS = 65_536;
const WINDOWS_MAX = 2;
const WINDOW_BLOB_OCTETS_MAX = WINDOW_OCTETS / 4;
const OPEN_FILES_MAX = 64;
const IDLE_MS = 60_000;

/** A piece of a file, as it was when it was read. */
type Window = { readonly from: number; readonly octets: Promise<Buffer> };

type OpenFile = {
  readonly file: SegmentFile;
  users: number;
  usedAtMs: number;
  dropped: boolean;
  /** Where the last small blob that was asked for ends. */
  readTo: number;
  /** The newest first. */
  windows: readonly Window[];
};

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
      const small = from === 0 && to === ref.octets ? await readInOrder(opened, ref) : undefined;
      if (small !== undefined) {
        if (whole === undefined) yield small;
        else small.copy(whole, HEADER_OCTETS);
        return;
      }
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
    return {
      file,
      users: 0,
      usedAtMs: this.#clock.monotonicMs(),
      dropped: false,
      readTo: Number.NEGATIVE_INFINITY,
      windows: [],
    };
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

/** A whole small blob out of what was read with others; undefined: it is to be read, and judged, on its own. */
async function readInOrder(opened: OpenFile, ref: BlobRef): Promise<Buffer | undefined> {
  if (ref.octets === 0 || ref.octets > WINDOW_BLOB_OCTETS_MAX) return undefined;
  const { offset } = fromPlace(ref.place);
  const isNear = Math.abs(offset - opened.readTo) < WINDOW_OCTETS;
  opened.readTo = offset + recordOctets(ref.octets);
  const held = windowOf(opened, ref);
  const found = held && findIn(await held.octets, held.from, ref);
  if (found !== undefined) return found;
  // Who is behind those that the window follows does not take it from them.
  const behind = (opened.windows[0]?.from ?? 0) - offset;
  if (!isNear || (behind > 0 && behind < WINDOW_OCTETS)) return undefined;
  // What was appended since is in a new one; who has come to that meanwhile shares his.
  if (windowOf(opened, ref) === held) {
    const made: Window = { from: offset, octets: readWindow(opened.file, offset) };
    opened.windows = [made, ...opened.windows].slice(0, WINDOWS_MAX);
  }
  const next = windowOf(opened, ref);
  return next && findIn(await next.octets, next.from, ref);
}

/** The newest that the blob's record is in, if it was there then. */
function windowOf({ windows }: OpenFile, { place, octets }: BlobRef): Window | undefined {
  const { offset } = fromPlace(place);
  const end = offset + recordOctets(octets);
  return windows.find(({ from }) => from <= offset && end <= from + WINDOW_OCTETS);
}

/** Up to the end of the file. Empty where it could not be read: who reads on his own learns why. */
async function readWindow(file: SegmentFile, from: number): Promise<Buffer> {
  const octets = Buffer.allocUnsafeSlow(WINDOW_OCTETS);
  try {
    return octets.subarray(0, await file.read(octets, from));
  } catch {
    return octets.subarray(0, 0);
  }
}

/** The blob's octets, if its record stands whole and sound in these. */
function findIn(octets: Buffer, from: number, ref: BlobRef): Buffer | undefined {
  const { segment, offset } = fromPlace(ref.place);
  const at = offset - from;
  if (at < 0 || at + HEADER_OCTETS + ref.octets > octets.length) return undefined;
  const record = octets.subarray(at, at + HEADER_OCTETS + ref.octets);
  const header = decodeRecordHeader(record, segment, offset);
  if (header?.id !== ref.id || header.octets !== ref.octets) return undefined;
  const content = record.subarray(HEADER_OCTETS);
  return crc32(content) === header.crc ? content : undefined;
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
