/**
 * Gives back the room of octets that no row names any more, while the server serves: looks at sealed segments one after
 * another, copies what is alive out of poor ones, and removes files that nobody has named for long enough. Every step
 * leaves at least one whole copy where rows name it: docs/segments.md.
 */
import type { Clock } from '../../base/clock.ts';
import { sleep } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { BlobError } from '../blob-store.ts';
import type { BlobPlace, BlobRef, BlobStore } from '../blob-store.ts';
import type { BlobUser } from '../blob-use.ts';
import { errorCode } from './segment-disk.ts';
import type { SegmentDisk, SegmentFile } from './segment-disk.ts';
import {
  HEADER_OCTETS,
  SEGMENT_OCTETS_MAX,
  decodeFileHeader,
  decodeRecordHeader,
  formatSegmentName,
  fromPlace,
  parseMarkerName,
  parseSegmentName,
  recordOctets,
  toPlace,
} from './segment-format.ts';

export type CompactionLimits = {
  /** How long a segment must have been seen sealed, and a copied one without a name. Above `PLACE_FRESH_MS`. */
  readonly settleMs: number;
  /** A segment that was found rich is not measured again before this. */
  readonly measureAgainMs: number;
  /** Copied when less than this part of the file is in use. */
  readonly liveMin: number;
  /** Files below this are small; when there are this many of them they are joined. */
  readonly smallOctets: number;
  readonly smallCount: number;
  /** One slice: octets copied and places moved before the pause. */
  readonly sliceOctets: number;
  readonly slicePlaces: number;
  readonly pauseMs: number;
};

export const COMPACTION_LIMITS: CompactionLimits = {
  settleMs: 3_600_000,
  measureAgainMs: 86_400_000,
  liveMin: 0.5,
  smallOctets: 67_108_864,
  smallCount: 8,
  sliceOctets: 1_048_576,
  slicePlaces: 256,
  pauseMs: 20,
};

export type CompactionOptions = {
  readonly disk: SegmentDisk;
  /** Where copies go: a store on the same folder, of an owner of its own. */
  readonly store: BlobStore;
  /** All who name places. One that is missing loses its blobs. */
  readonly users: readonly BlobUser[];
  readonly clock: Clock;
  readonly limits?: Partial<CompactionLimits>;
  /** A record that rows name and that cannot be copied; its segment stays. Said once for each place. */
  readonly onDamage?: (place: BlobPlace) => void;
};

export type CompactionReport = {
  readonly segmentsRemoved: number;
  readonly octetsFreed: number;
  readonly recordsMoved: number;
};

type Record = { readonly ref: BlobRef; readonly octets: number };

/** Users are asked for places in windows of this many octets of a segment, so that no answer is large. */
const WINDOW_OCTETS = 16_777_216;
/** Records looked at in one window to judge how much of it is in use. */
const SAMPLED_PLACES = 64;

export class SegmentCompaction {
  readonly #options: CompactionOptions;
  readonly #limits: CompactionLimits;
  /** Since when each sealed segment is known to be, by the monotonic clock. */
  readonly #sealedSinceMs = new Map<number, number>();
  /** Segments whose live records were copied, and since when. */
  readonly #drainingSinceMs = new Map<number, number>();
  /** When segments were found rich. */
  readonly #measuredAtMs = new Map<number, number>();
  readonly #damaged = new Set<BlobPlace>();
  #freed = 0;
  #removed = 0;
  #moved = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.#limits = { ...COMPACTION_LIMITS, ...options.limits };
  }

  /**
   * Looks at every segment that is due. Call it again and again, some minutes apart, never twice at once: what it
   * knows of ages it learns from pass to pass. Rejects with `Fault` when the disk or a user does; nothing is lost then.
   */
  async pass(signal?: AbortSignal): Promise<CompactionReport> {
    this.#freed = 0;
    this.#removed = 0;
    this.#moved = 0;
    try {
      const due = await this.#dueSegments();
      const small = await this.#smallSegments(due);
      for (const segment of due) {
        if (isAborted(signal)) break;
        await this.#look(segment, small.has(segment), signal);
        await this.#pause(signal);
      }
    } catch (cause) {
      throw cause instanceof Fault ? cause : new Fault('Compacting segments', cause);
    }
    return { segmentsRemoved: this.#removed, octetsFreed: this.#freed, recordsMoved: this.#moved };
  }

  /** Sealed for long enough, ascending. Never the highest number: it would be given again. */
  async #dueSegments(): Promise<readonly number[]> {
    const names = await this.#options.disk.list();
    const open = new Set(names.map((name) => parseMarkerName(name)?.segment));
    const all = names.flatMap((name) => parseSegmentName(name) ?? []).toSorted((a, b) => a - b);
    const sealed = all.slice(0, -1).filter((segment) => !open.has(segment));
    const now = this.#options.clock.monotonicMs();
    const known = new Set(sealed);
    for (const map of [this.#sealedSinceMs, this.#drainingSinceMs, this.#measuredAtMs])
      for (const segment of map.keys()) if (!known.has(segment)) map.delete(segment);
    return sealed.filter((segment) => {
      const since = this.#sealedSinceMs.get(segment);
      if (since === undefined) this.#sealedSinceMs.set(segment, now);
      return now - (since ?? now) >= this.#limits.settleMs;
    });
  }

  async #smallSegments(segments: readonly number[]): Promise<ReadonlySet<number>> {
    const small = new Set<number>();
    for (const segment of segments) {
      if (this.#drainingSinceMs.has(segment)) continue;
      const size = await this.#withFile(segment, (file) => file.size());
      if (size < this.#limits.smallOctets) small.add(segment);
    }
    return small.size >= this.#limits.smallCount ? small : new Set();
  }

  async #look(segment: number, joined: boolean, signal: AbortSignal | undefined): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    const draining = this.#drainingSinceMs.get(segment);
    if (draining !== undefined) {
      if (now - draining < this.#limits.settleMs) return;
      if ((await this.#copyLive(segment, signal)) > 0) this.#drainingSinceMs.set(segment, now);
      else if (!isAborted(signal)) await this.#remove(segment);
      return;
    }
    const measuredAtMs = this.#measuredAtMs.get(segment) ?? Number.NEGATIVE_INFINITY;
    if (!joined && now - measuredAtMs < this.#limits.measureAgainMs) return;
    const { size, live } = await this.#measure(segment, signal);
    if (isAborted(signal)) return;
    if (!joined && live > 0 && live >= size * this.#limits.liveMin) {
      this.#measuredAtMs.set(segment, now);
      return;
    }
    await this.#copyLive(segment, signal);
    if (!isAborted(signal)) this.#drainingSinceMs.set(segment, this.#options.clock.monotonicMs());
  }

  /** Of the records in use in each window, some are looked at and stand for the others: it is a decision, not a count. */
  async #measure(
    segment: number,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly size: number; readonly live: number }> {
    return this.#withFile(segment, async (file) => {
      const size = await file.size();
      let live = 0;
      for await (const places of this.#survey(segment, size)) {
        const stride = Math.ceil(places.length / SAMPLED_PLACES);
        for (let index = 0; index < places.length; index += stride) {
          const place = places[index];
          const record = place === undefined ? undefined : await this.#record(file, place);
          live += (record?.octets ?? 0) * Math.min(stride, places.length - index);
        }
        await this.#pause(signal);
        if (isAborted(signal)) break;
      }
      return { size, live };
    });
  }

  /** The places in use, ascending, window by window. Every user is asked twice, in turn: see docs/segments.md. */
  async *#survey(segment: number, size: number): AsyncGenerator<readonly BlobPlace[], void, void> {
    const end = Math.min(Math.max(size, 1), SEGMENT_OCTETS_MAX);
    for (let offset = 0; offset < end; offset += WINDOW_OCTETS) {
      const from = toPlace(segment, offset);
      const last = offset + WINDOW_OCTETS >= end;
      const before = last ? toPlace(segment + 1, 0) : toPlace(segment, offset + WINDOW_OCTETS);
      const found = new Set<BlobPlace>();
      for (const user of [...this.#options.users, ...this.#options.users])
        for (const place of await user.placesBetween(from, before)) found.add(place);
      if (found.size > 0) yield [...found].toSorted((a, b) => a - b);
    }
  }

  async #record(file: SegmentFile, place: BlobPlace): Promise<Record | undefined> {
    const { segment, offset } = fromPlace(place);
    const head = Buffer.allocUnsafe(HEADER_OCTETS);
    const got = await file.read(head, offset);
    const header = decodeRecordHeader(head.subarray(0, got), segment, offset);
    if (header === undefined) return undefined;
    return {
      ref: { id: header.id, octets: header.octets, place },
      octets: recordOctets(header.octets),
    };
  }

  /** Copies and relocates what is named, in slices; gives how many places were named, damaged ones included. */
  async #copyLive(segment: number, signal: AbortSignal | undefined): Promise<number> {
    return this.#withFile(segment, async (file) => {
      let named = 0;
      for await (const places of this.#survey(segment, await file.size())) {
        named += places.length;
        let slice: Record[] = [];
        let octets = 0;
        for (const place of places) {
          if (isAborted(signal)) return named;
          const record = await this.#record(file, place);
          if (record === undefined) {
            this.#reportDamage(place);
            continue;
          }
          slice.push(record);
          octets += record.octets;
          if (octets < this.#limits.sliceOctets && slice.length < this.#limits.slicePlaces) continue;
          await this.#move(slice);
          await this.#pause(signal);
          slice = [];
          octets = 0;
        }
        await this.#move(slice);
      }
      return named;
    });
  }

  /** The copies are on stable storage before any row names them. */
  async #move(slice: readonly Record[]): Promise<void> {
    const copied = await Promise.all(slice.map(({ ref }) => this.#copy(ref)));
    const moves = copied.flatMap((move) => move ?? []);
    if (moves.length === 0) return;
    for (const user of this.#options.users) await user.relocate(moves);
    this.#moved += moves.length;
  }

  async #copy(ref: BlobRef): Promise<{ readonly from: BlobPlace; readonly to: BlobPlace } | undefined> {
    const writer = this.#options.store.create(ref.octets);
    try {
      for await (const chunk of this.#options.store.stream(ref)) await writer.write(chunk);
      const copy = await writer.finish();
      if (copy.id === ref.id) return { from: ref.place, to: copy.place };
    } catch (cause) {
      writer.abort();
      if (!(cause instanceof BlobError)) throw cause;
    }
    this.#reportDamage(ref.place);
    return undefined;
  }

  #reportDamage(place: BlobPlace): void {
    if (this.#damaged.has(place)) return;
    this.#damaged.add(place);
    this.#options.onDamage?.(place);
  }

  async #remove(segment: number): Promise<void> {
    const size = await this.#withFile(segment, (file) => file.size());
    await this.#options.disk.remove(formatSegmentName(segment));
    await this.#options.disk.syncNames();
    this.#freed += size;
    this.#removed += 1;
    this.#drainingSinceMs.delete(segment);
    this.#sealedSinceMs.delete(segment);
  }

  async #withFile<Answer>(segment: number, body: (file: SegmentFile) => Promise<Answer>): Promise<Answer> {
    const name = formatSegmentName(segment);
    let file: SegmentFile;
    try {
      file = await this.#options.disk.open(name, 'read');
    } catch (cause) {
      throw new Fault(errorCode(cause) === 'ENOENT' ? `Finding ${name}` : `Opening ${name}`, cause);
    }
    try {
      const head = Buffer.alloc(HEADER_OCTETS);
      await file.read(head, 0);
      const header = decodeFileHeader(head);
      if (header.kind === 'newer')
        throw new Fault(
          `Compacting ${name}, which is of format ${header.version}, newer than this Postrider knows`,
        );
      return await body(file);
    } finally {
      await file.close();
    }
  }

  async #pause(signal: AbortSignal | undefined): Promise<void> {
    if (this.#limits.pauseMs > 0) await sleep(this.#options.clock, this.#limits.pauseMs, signal);
  }
}

/** A call, because what is asked twice may have changed between. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
