/**
 * Appends blobs to the segments of one thread: small ones in batches that share a write and a sync, large ones streamed,
 * each to a segment that it has for itself meanwhile. Order of writes and syncs, and what is done when the disk
 * refuses: docs/segments.md. Rejections are `Fault`s; the next blob is tried afresh.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { BlobPlace, BlobRef, BlobWriter } from '../blob-store.ts';
import { known, toBlobId } from '../ids.ts';
import { errorCode } from './segment-disk.ts';
import type { SegmentDisk, SegmentFile } from './segment-disk.ts';
import {
  ALIGNMENT,
  HEADER_OCTETS,
  SEGMENT_NUMBER_MAX,
  aligned,
  encodeFileHeader,
  encodeRecordHeader,
  formatMarkerName,
  formatSegmentName,
  parseMarkerName,
  parseSegmentName,
  recordOctets,
  toPlace,
} from './segment-format.ts';
import type { RecordHeader } from './segment-format.ts';
import { RecentBlobs } from './segment-recent.ts';

export type AppendLimits = {
  /** A segment that has reached this is sealed. At most 2^28. */
  readonly segmentOctets: number;
  /** Blobs above this are streamed. */
  readonly smallOctetsMax: number;
  /** Above this in memory, for all writers of the thread together, blobs are streamed from `pressedOctetsMax` on. */
  readonly bufferedOctetsMax: number;
  readonly pressedOctetsMax: number;
  /** A stream writes out when it holds this much. */
  readonly streamOctets: number;
  /** Octets of one batch; more waits for the next. */
  readonly batchOctetsMax: number;
  /** Segments left by streams that are kept open for the next ones. */
  readonly idleStreamsMax: number;
  /** Memory for the small blobs that were written last. */
  readonly recentOctetsMax: number;
  /** The largest of them. */
  readonly recentBlobOctetsMax: number;
};

export const APPEND_LIMITS: AppendLimits = {
  segmentOctets: 268_435_456,
  smallOctetsMax: 1_048_576,
  bufferedOctetsMax: 67_108_864,
  pressedOctetsMax: 65_536,
  streamOctets: 262_144,
  batchOctetsMax: 16_777_216,
  idleStreamsMax: 4,
  recentOctetsMax: 2_097_152,
  recentBlobOctetsMax: 32_768,
};

/** Growth of a writer's buffer: from the first slab to the largest. */
const SLAB_OCTETS_MIN = 4096;
const SLAB_OCTETS_MAX = 65_536;
/** Slabs kept for the next writers, so that a stream does not leave a slab to the garbage collector for every 64 KiB. */
const SPARE_SLABS_MAX = 64;
const PADDING = Buffer.alloc(ALIGNMENT);
const CREATE_ATTEMPTS_MAX = 64;

/** An open segment; `end` is where the next record begins, everything before it is whole. */
type Segment = { readonly number: number; readonly file: SegmentFile; end: number };

type BatchEntry = {
  readonly header: RecordHeader;
  /** The first begins with 64 octets of room for the header. */
  readonly pieces: readonly Buffer[];
  resolve(place: BlobPlace): void;
  reject(fault: Fault): void;
};

export class SegmentAppender {
  readonly #disk: SegmentDisk;
  readonly #clock: Clock;
  readonly #owner: string;
  readonly limits: AppendLimits;
  #active: Segment | undefined;
  #pending: BatchEntry[] = [];
  #batches: Promise<void> | undefined;
  #creation: Promise<unknown> = Promise.resolve();
  readonly #idleStreams: Segment[] = [];
  readonly #streaming = new Set<SegmentBlobWriter>();
  readonly #cleanUps = new Set<Promise<unknown>>();
  #closed = false;
  readonly #spareSlabs: Buffer[] = [];
  readonly recent: RecentBlobs;
  /** Octets that this thread's writers hold in memory. */
  bufferedOctets = 0;

  constructor(disk: SegmentDisk, clock: Clock, owner: string, limits: AppendLimits) {
    this.#disk = disk;
    this.#clock = clock;
    this.#owner = owner;
    this.limits = limits;
    this.recent = new RecentBlobs(limits.recentOctetsMax, limits.recentBlobOctetsMax);
  }

  create(octetsExpected: number | undefined): BlobWriter {
    return new SegmentBlobWriter(this, octetsExpected ?? 0);
  }

  /** At least `octets` of memory, at most one slab. */
  takeSlab(octets: number): Buffer {
    const spare = octets >= SLAB_OCTETS_MAX ? this.#spareSlabs.pop() : undefined;
    return spare ?? Buffer.allocUnsafeSlow(Math.min(octets, SLAB_OCTETS_MAX));
  }

  /** Takes back what nobody reads or writes any more. */
  giveSlabs(slabs: readonly Buffer[]): void {
    for (const slab of slabs)
      if (slab.length === SLAB_OCTETS_MAX && this.#spareSlabs.length < SPARE_SLABS_MAX)
        this.#spareSlabs.push(slab);
  }

  /** Resolves when the record is on stable storage; shares the sync with all that came meanwhile. */
  append(header: RecordHeader, pieces: readonly Buffer[]): Promise<BlobPlace> {
    if (this.#closed) return Promise.reject(new Fault('Appending to a segment store that was closed'));
    return new Promise((resolve, reject) => {
      this.#pending.push({ header, pieces, resolve, reject });
      this.#batches ??= this.#runBatches();
    });
  }

  async #runBatches(): Promise<void> {
    // Everything that this turn of the event loop brings shares the first sync.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    while (this.#pending.length > 0) {
      let batch: readonly BatchEntry[] = [];
      try {
        const segment = (this.#active ??= await this.#createSegment());
        batch = this.#takeBatch(segment);
        await this.#appendBatch(segment, batch);
      } catch (cause) {
        const fault = new Fault('Appending to a segment', cause);
        const failed = batch.length > 0 ? batch : this.#pending.splice(0);
        for (const entry of failed) entry.reject(fault);
      }
    }
    this.#batches = undefined;
  }

  #takeBatch(segment: Segment): readonly BatchEntry[] {
    let octets = 0;
    let count = 0;
    for (const { header } of this.#pending) {
      if (count > 0 && octets >= this.limits.batchOctetsMax) break;
      if (count > 0 && segment.end + octets >= this.limits.segmentOctets) break;
      octets += recordOctets(header.octets);
      count += 1;
    }
    return this.#pending.splice(0, count);
  }

  async #appendBatch(segment: Segment, batch: readonly BatchEntry[]): Promise<void> {
    const pieces: Buffer[] = [];
    const places: BlobPlace[] = [];
    let end = segment.end;
    for (const { header, pieces: own } of batch) {
      const [first] = own;
      if (first === undefined) throw new TypeError('A record has room for its header');
      encodeRecordHeader(first, header, segment.number, end);
      places.push(toPlace(segment.number, end));
      pieces.push(...own);
      const padding = aligned(header.octets) - header.octets;
      if (padding > 0) pieces.push(PADDING.subarray(0, padding));
      end += recordOctets(header.octets);
    }
    try {
      await segment.file.write(pieces, segment.end);
    } catch (cause) {
      if (!(await this.cutBack(segment))) this.#active = undefined;
      throw cause;
    }
    try {
      await segment.file.sync();
    } catch (cause) {
      this.#active = undefined;
      this.abandon(segment);
      throw cause;
    }
    segment.end = end;
    for (const [index, entry] of batch.entries()) {
      const place = places[index];
      if (place !== undefined) entry.resolve(place);
    }
    if (segment.end >= this.limits.segmentOctets) {
      this.#active = undefined;
      this.cleanUp(this.#seal(segment));
    }
  }

  /** Removes what stands behind the segment's end; false, and the segment is given up, when that cannot be done. */
  async cutBack(segment: Segment): Promise<boolean> {
    try {
      await segment.file.truncate(segment.end);
      return true;
    } catch {
      this.abandon(segment);
      return false;
    }
  }

  /** A segment that nobody else writes to, for one stream. */
  async takeStream(writer: SegmentBlobWriter): Promise<Segment> {
    if (this.#closed) throw new Fault('Appending to a segment store that was closed');
    this.#streaming.add(writer);
    return this.#idleStreams.pop() ?? this.#createSegment();
  }

  /** @param segment undefined: it was abandoned, or never came to be */
  releaseStream(writer: SegmentBlobWriter, segment: Segment | undefined): void {
    this.#streaming.delete(writer);
    if (segment === undefined) return;
    const full = segment.end >= this.limits.segmentOctets;
    if (full || this.#closed || this.#idleStreams.length >= this.limits.idleStreamsMax)
      this.cleanUp(this.#seal(segment));
    else this.#idleStreams.push(segment);
  }

  /** Nothing is appended to it again. Its marker stays: the next recovery looks at it. */
  abandon(segment: Segment): void {
    this.cleanUp(segment.file.close());
  }

  /** What nobody waits for but `close`: a failure of it leaves work for the next recovery, nothing else. */
  cleanUp(work: Promise<unknown>): void {
    const done: Promise<unknown> = work.catch(() => undefined).finally(() => this.#cleanUps.delete(done));
    this.#cleanUps.add(done);
  }

  async #seal(segment: Segment): Promise<void> {
    await segment.file.close();
    await this.#disk.remove(formatMarkerName(segment.number, this.#owner));
  }

  /** One at a time: threads may race for a number, the streams of one thread need not. */
  #createSegment(): Promise<Segment> {
    const created = this.#creation.then(() => this.#createNext());
    this.#creation = created.catch(() => undefined);
    return created;
  }

  /** One more than the highest number that the folder knows: a number is never used again. */
  async #createNext(): Promise<Segment> {
    for (let attempt = 0; attempt < CREATE_ATTEMPTS_MAX; attempt += 1) {
      let highest = 0;
      for (const name of await this.#disk.list())
        highest = Math.max(highest, parseSegmentName(name) ?? parseMarkerName(name)?.segment ?? 0);
      if (highest >= SEGMENT_NUMBER_MAX) break;
      try {
        const file = await this.#disk.open(formatSegmentName(highest + 1), 'create');
        return await this.#prepare(highest + 1, file);
      } catch (cause) {
        // Another thread was faster.
        if (errorCode(cause) !== 'EEXIST') throw cause;
      }
    }
    throw new Fault('Finding a number for a new segment');
  }

  async #prepare(number: number, file: SegmentFile): Promise<Segment> {
    const marker = formatMarkerName(number, this.#owner);
    try {
      await (await this.#disk.open(marker, 'create')).close();
      await file.write([encodeFileHeader(number, this.#clock.nowMs())], 0);
      await file.sync();
      await this.#disk.syncNames();
      return { number, file, end: HEADER_OCTETS };
    } catch (cause) {
      // No place in it was given to anybody, so it may go, and its number with it.
      await Promise.allSettled([
        file.close(),
        this.#disk.remove(formatSegmentName(number)),
        this.#disk.remove(marker),
      ]);
      throw cause;
    }
  }

  /** Waits for what is under way, gives up streams that were not finished, and seals all segments. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const writer of this.#streaming) writer.abort();
    while (this.#batches !== undefined) await this.#batches;
    while (this.#cleanUps.size > 0) await Promise.all(this.#cleanUps);
    const last = this.#active === undefined ? [] : [this.#active];
    this.#active = undefined;
    await Promise.allSettled([...last, ...this.#idleStreams.splice(0)].map((segment) => this.#seal(segment)));
  }
}

/** One blob on its way. `open` gathers in memory; with a `#target` it streams. */
class SegmentBlobWriter implements BlobWriter {
  readonly #appender: SegmentAppender;
  readonly #hash: Hash = createHash('sha256');
  readonly #spillAbove: number;
  #crc = 0;
  #octets = 0;
  #state: 'open' | 'finishing' | 'ended' = 'open';
  #slabs: Buffer[] = [];
  /** Octets used of the last slab. */
  #fill = 0;
  /** Octets in slabs, the header's room not counted. */
  #held = 0;
  #target: Promise<Segment> | undefined;
  /** Where the next octets of the stream go. */
  #position = 0;
  #pumping: Promise<void> | undefined;
  #failure: Fault | undefined;

  constructor(appender: SegmentAppender, octetsExpected: number) {
    this.#appender = appender;
    const { smallOctetsMax, streamOctets } = appender.limits;
    this.#spillAbove = octetsExpected > smallOctetsMax ? streamOctets : smallOctetsMax;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#state !== 'open') throw new TypeError('A blob writer was used after its end');
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#hash.update(chunk);
    this.#crc = crc32(chunk, this.#crc);
    this.#octets += chunk.length;
    this.#keep(chunk);
    if (this.#target === undefined && !this.#isTooLarge()) return undefined;
    if (this.#target !== undefined && this.#held < this.#appender.limits.streamOctets) return undefined;
    return this.#pump();
  }

  #isTooLarge(): boolean {
    const { bufferedOctetsMax, pressedOctetsMax } = this.#appender.limits;
    const pressed = this.#appender.bufferedOctets > bufferedOctetsMax;
    return this.#held > (pressed ? Math.min(pressedOctetsMax, this.#spillAbove) : this.#spillAbove);
  }

  /** Copies the chunk; the first slab begins with room for the header of a small record. */
  #keep(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length || this.#slabs.length === 0) {
      let slab = this.#slabs.at(-1);
      if (slab === undefined || this.#fill === slab.length) {
        const room = this.#slabs.length === 0 ? HEADER_OCTETS : 0;
        const wanted = Math.max(room + chunk.length - at, (slab?.length ?? 0) * 2, SLAB_OCTETS_MIN);
        slab = this.#appender.takeSlab(wanted);
        this.#slabs.push(slab);
        this.#fill = room;
      }
      const count = Math.min(slab.length - this.#fill, chunk.length - at);
      slab.set(chunk.subarray(at, at + count), this.#fill);
      this.#fill += count;
      at += count;
    }
    this.#held += chunk.length;
    this.#appender.bufferedOctets += chunk.length;
  }

  /** What is held, cut to what is used; the room for the header stays in front of the first. */
  #takePieces(): { readonly pieces: readonly Buffer[]; readonly slabs: readonly Buffer[] } {
    const slabs = this.#slabs;
    const last = slabs.length - 1;
    const fill = this.#fill;
    this.#slabs = [];
    this.#fill = 0;
    return { slabs, pieces: slabs.map((slab, index) => (index === last ? slab.subarray(0, fill) : slab)) };
  }

  #letGo(octets: number): void {
    this.#held -= octets;
    this.#appender.bufferedOctets -= octets;
  }

  /** Writes out until little is held. One at a time; rejects with the failure that `finish` will say too. */
  async #pump(): Promise<void> {
    this.#pumping ??= this.#writeOut().finally(() => {
      this.#pumping = undefined;
    });
    await this.#pumping;
    if (this.#failure !== undefined && this.#state !== 'ended') throw this.#failure;
  }

  async #writeOut(): Promise<void> {
    try {
      const first = this.#target === undefined;
      this.#target ??= this.#appender.takeStream(this);
      const segment = await this.#target;
      if (first) this.#position = segment.end;
      while (this.#state !== 'ended' && this.#held > 0 && this.#needsRoom()) {
        const held = this.#held;
        const { pieces, slabs } = this.#takePieces();
        this.#letGo(held);
        // The first slab of all brings the room for the header with it; later ones have the same room, but not on disk.
        const begin = this.#position === segment.end;
        const [head, ...rest] = pieces;
        const octets = begin ? held + HEADER_OCTETS : held;
        if (begin) head?.fill(0, 0, HEADER_OCTETS);
        const out = begin || head === undefined ? pieces : [head.subarray(HEADER_OCTETS), ...rest];
        await segment.file.write(out, this.#position);
        this.#position += octets;
        this.#appender.giveSlabs(slabs);
      }
    } catch (cause) {
      this.#failure ??= new Fault('Writing a large blob to a segment', cause);
    }
  }

  #needsRoom(): boolean {
    return this.#state === 'finishing' || this.#held >= this.#appender.limits.streamOctets;
  }

  async finish(): Promise<BlobRef> {
    if (this.#state !== 'open') throw new TypeError('A blob writer was used after its end');
    this.#state = 'finishing';
    const octets = this.#octets;
    const id = known(toBlobId(this.#hash.digest('hex')));
    const header: RecordHeader = { octets, id, crc: this.#crc };
    try {
      if (this.#target === undefined) return { id, octets, place: await this.#finishSmall(header) };
      const streamed = this.#finishStream(header);
      this.#appender.cleanUp(streamed);
      return { id, octets, place: await streamed };
    } finally {
      this.#state = 'ended';
      this.#slabs = [];
      this.#letGo(this.#held);
    }
  }

  async #finishSmall(header: RecordHeader): Promise<BlobPlace> {
    this.#keep(new Uint8Array());
    const { pieces, slabs } = this.#takePieces();
    const place = await this.#appender.append(header, pieces);
    const [head, ...others] = pieces;
    const { id, octets } = header;
    if (head !== undefined)
      this.#appender.recent.keep({ id, octets, place }, [head.subarray(HEADER_OCTETS), ...others]);
    this.#appender.giveSlabs(slabs);
    return place;
  }

  async #finishStream(header: RecordHeader): Promise<BlobPlace> {
    await this.#pump().catch(() => undefined);
    // A pump that was under way when `finish` came may have stopped before the last octets.
    if (this.#held > 0 && this.#failure === undefined) await this.#pump().catch(() => undefined);
    if (this.#failure !== undefined) {
      await this.#giveBack();
      throw this.#failure;
    }
    const segment = await this.#target;
    if (segment === undefined) throw new TypeError('A stream has a segment');
    const offset = segment.end;
    const head = Buffer.alloc(HEADER_OCTETS);
    encodeRecordHeader(head, header, segment.number, offset);
    try {
      const padding = aligned(header.octets) - header.octets;
      if (padding > 0) await segment.file.write([PADDING.subarray(0, padding)], this.#position);
      await segment.file.write([head], offset);
    } catch (cause) {
      await this.#giveBack();
      throw new Fault('Writing a large blob to a segment', cause);
    }
    try {
      await segment.file.sync();
    } catch (cause) {
      this.#appender.abandon(segment);
      this.#appender.releaseStream(this, undefined);
      throw new Fault('Syncing a segment', cause);
    }
    segment.end = offset + recordOctets(header.octets);
    this.#appender.releaseStream(this, segment);
    return toPlace(segment.number, offset);
  }

  /** The stream's octets go, its segment serves the next. */
  async #giveBack(): Promise<void> {
    await this.#pumping?.catch(() => undefined);
    const segment = await this.#target?.catch(() => undefined);
    const kept = segment !== undefined && (await this.#appender.cutBack(segment));
    this.#appender.releaseStream(this, kept ? segment : undefined);
  }

  abort(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#slabs = [];
    this.#letGo(this.#held);
    if (this.#target !== undefined) this.#appender.cleanUp(this.#giveBack());
  }
}
