/**
 * Goes through a segment from record to record, and over what is no record: 16 octets at a time to the next valid
 * header. Reads headers only, through a window. Source: docs/segments.md.
 */
import type { SegmentFile } from './segment-disk.ts';
import {
  ALIGNMENT,
  HEADER_OCTETS,
  RECORD_MAGIC,
  decodeRecordHeader,
  recordOctets,
} from './segment-format.ts';
import type { RecordHeader } from './segment-format.ts';

export type Scanned =
  | {
      readonly kind: 'record';
      readonly offset: number;
      /** Where the next record begins, unless the file ends before. */
      readonly end: number;
      readonly header: RecordHeader;
      /** False: the file ends before the record does. */
      readonly complete: boolean;
    }
  | { readonly kind: 'gap'; readonly offset: number; readonly end: number };

const WINDOW_OCTETS = 65_536;

export async function* scanSegment(
  file: SegmentFile,
  segment: number,
  from: number = HEADER_OCTETS,
): AsyncGenerator<Scanned, void, void> {
  const size = await file.size();
  const window = new Window(file, size);
  let offset = from;
  while (offset < size) {
    const header = decodeRecordHeader(await window.at(offset, HEADER_OCTETS), segment, offset);
    if (header === undefined) {
      const end = await nextRecord(window, segment, offset + ALIGNMENT, size);
      yield { kind: 'gap', offset, end };
      offset = end;
      continue;
    }
    const end = offset + recordOctets(header.octets);
    const complete = offset + HEADER_OCTETS + header.octets <= size;
    yield { kind: 'record', offset, end: Math.min(end, size), header, complete };
    offset = end;
  }
}

/** The offset of the next valid header from `from` on, or the size. */
async function nextRecord(window: Window, segment: number, from: number, size: number): Promise<number> {
  let offset = from;
  while (offset + HEADER_OCTETS <= size) {
    const octets = await window.at(offset, WINDOW_OCTETS);
    let found = octets.indexOf(RECORD_MAGIC);
    while (found !== -1 && found + HEADER_OCTETS <= octets.length) {
      const at = offset + found;
      const isHeader = decodeRecordHeader(octets.subarray(found), segment, at) !== undefined;
      if (at % ALIGNMENT === 0 && isHeader) return at;
      found = octets.indexOf(RECORD_MAGIC, found + 1);
    }
    if (octets.length < WINDOW_OCTETS) break;
    // The last header of the window may be cut: look at it again at the beginning of the next.
    offset += octets.length - HEADER_OCTETS;
    offset -= offset % ALIGNMENT;
  }
  return size;
}

class Window {
  readonly #file: SegmentFile;
  readonly #size: number;
  readonly #buffer = Buffer.allocUnsafeSlow(WINDOW_OCTETS);
  #from = 0;
  #length = 0;

  constructor(file: SegmentFile, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Up to `count` octets (at most a window) from `offset`; fewer at the end of the file. Valid until the next call. */
  async at(offset: number, count: number): Promise<Buffer> {
    const end = Math.min(offset + count, this.#size);
    if (offset < this.#from || end > this.#from + this.#length) {
      this.#from = offset;
      this.#length = await this.#file.read(this.#buffer, offset);
    }
    return this.#buffer.subarray(offset - this.#from, Math.min(end - this.#from, this.#length));
  }
}
