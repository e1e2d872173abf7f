/**
 * The blob store of one thread over a folder of segment files that it shares with the other threads. Nothing is read at
 * opening; recovery (`recoverSegments`) has been done before by whoever starts the threads. Format and order of syncs:
 * docs/segments.md.
 */
import type { Clock } from '../../base/clock.ts';
import type { BlobRef, BlobStore, BlobWriter } from '../blob-store.ts';
import { APPEND_LIMITS, SegmentAppender } from './segment-append.ts';
import type { AppendLimits } from './segment-append.ts';
import { openSegmentDisk } from './segment-disk.ts';
import type { SegmentDisk } from './segment-disk.ts';
import { SEGMENT_OCTETS_MAX, isOwnerName } from './segment-format.ts';
import { SegmentReader } from './segment-read.ts';

export type SegmentStoreOptions = {
  readonly directory: string;
  readonly clock: Clock;
  /** The thread's name, letters and digits: no two that write at the same time have the same. */
  readonly owner: string;
  readonly limits?: Partial<AppendLimits>;
  /** For tests: instead of the folder's file system. */
  readonly disk?: SegmentDisk;
};

export class SegmentStore implements BlobStore, AsyncDisposable {
  readonly #appender: SegmentAppender;
  readonly #reader: SegmentReader;

  constructor(appender: SegmentAppender, reader: SegmentReader) {
    this.#appender = appender;
    this.#reader = reader;
  }

  create(octetsExpected?: number): BlobWriter {
    return this.#appender.create(octetsExpected);
  }

  stream(ref: BlobRef, start = 0, end: number = ref.octets): AsyncIterable<Buffer> {
    const recent = start === 0 && end === ref.octets ? this.#appender.recent.find(ref) : undefined;
    return recent === undefined ? this.#reader.stream(ref, start, end) : once(recent);
  }

  async read(ref: BlobRef, start = 0, end: number = ref.octets): Promise<Buffer> {
    const recent = start === 0 && end === ref.octets ? this.#appender.recent.find(ref) : undefined;
    return recent ?? this.#reader.read(ref, start, end);
  }

  /** Waits for blobs that are being finished, gives up those that are not, seals the thread's segments. */
  async close(): Promise<void> {
    await this.#appender.close();
    await this.#reader.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function* once(octets: Buffer): AsyncGenerator<Buffer, void, void> {
  yield octets;
}

/** Creates the folder if there is none; no segment before the first blob. */
export async function openSegmentStore(options: SegmentStoreOptions): Promise<SegmentStore> {
  const { directory, clock, owner } = options;
  if (!isOwnerName(owner))
    throw new TypeError(`The owner ${JSON.stringify(owner)} is not 1 to 40 letters and digits`);
  const limits = { ...APPEND_LIMITS, ...options.limits };
  if (limits.segmentOctets > SEGMENT_OCTETS_MAX)
    throw new TypeError(`Segments of ${limits.segmentOctets} octets are more than places can name`);
  const disk = options.disk ?? (await openSegmentDisk(directory));
  return new SegmentStore(new SegmentAppender(disk, clock, owner, limits), new SegmentReader(disk, clock));
}
