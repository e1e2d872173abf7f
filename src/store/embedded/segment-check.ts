/**
 * Reads every record of every segment, checks CRC-32 and SHA-256, and compares with the places that rows name.
 * For a server that is stopped. With repair: damaged octets are copied to the quarantine, headers that can be proven are
 * written anew, and rows get another intact record of the same blob where there is one. Nothing is ever removed.
 * What each finding means: docs/segments.md.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Fault } from '../../base/fault.ts';
import type { BlobPlace } from '../blob-store.ts';
import type { BlobUser } from '../blob-use.ts';
import type { Finding } from '../finding.ts';
import type { BlobId } from '../ids.ts';
import { known, toBlobId } from '../ids.ts';
import { errorCode, openSegmentDisk } from './segment-disk.ts';
import type { SegmentDisk, SegmentFile } from './segment-disk.ts';
import {
  ALIGNMENT,
  HEADER_OCTETS,
  SEGMENT_NUMBER_MAX,
  SEGMENT_OCTETS_MAX,
  decodeFileHeader,
  encodeFileHeader,
  encodeRecordHeader,
  formatSegmentName,
  fromPlace,
  parseMarkerName,
  parseSegmentName,
  toPlace,
} from './segment-format.ts';
import type { RecordHeader } from './segment-format.ts';
import { scanSegment } from './segment-scan.ts';
import type { Scanned } from './segment-scan.ts';

export type CheckOptions = {
  readonly directory: string;
  readonly users: readonly BlobUser[];
  readonly repair: boolean;
  readonly disk?: SegmentDisk;
};

type Target = {
  readonly disk: SegmentDisk;
  readonly file: SegmentFile;
  readonly segment: number;
  readonly users: readonly BlobUser[];
  readonly repair: boolean;
  /** Records whose octets are wrong and which rows name: sought elsewhere in the end. */
  readonly lost: Map<BlobId, BlobPlace[]>;
};

type ScannedRecord = Extract<Scanned, { kind: 'record' }>;
type Gap = Extract<Scanned, { kind: 'gap' }>;
type Verdict = { readonly isIntact: boolean; readonly id: BlobId; readonly crc: number };

const STEP_OCTETS = 262_144;
const WINDOW_OCTETS = 16_777_216;

export async function* checkSegments(options: CheckOptions): AsyncGenerator<Finding, void, void> {
  try {
    const disk = options.disk ?? (await openSegmentDisk(options.directory));
    const names = await disk.list();
    const open = new Set(names.map((name) => parseMarkerName(name)?.segment));
    const segments = names.flatMap((name) => parseSegmentName(name) ?? []).toSorted((a, b) => a - b);
    const lost = new Map<BlobId, BlobPlace[]>();
    for (const segment of segments) {
      // Its tail may be torn; a repair comes after recovery, which cuts it off.
      if (open.has(segment) && options.repair) continue;
      yield* checkFile(disk, segment, options, lost);
    }
    yield* checkMissingFiles(segments, options.users);
    if (lost.size > 0 && options.repair) yield* findElsewhere(disk, segments, options.users, lost);
  } catch (cause) {
    throw cause instanceof Fault ? cause : new Fault('Checking segments', cause);
  }
}

function damage(kind: string, text: string, mended = false): Finding {
  return { kind, severity: 'damage', text, mended };
}

async function* checkFile(
  disk: SegmentDisk,
  segment: number,
  { users, repair }: CheckOptions,
  lost: Map<BlobId, BlobPlace[]>,
): AsyncGenerator<Finding, void, void> {
  const name = formatSegmentName(segment);
  const file = await disk.open(name, repair ? 'write' : 'read');
  const target: Target = { disk, file, segment, users, repair, lost };
  try {
    const head = Buffer.alloc(HEADER_OCTETS);
    await file.read(head, 0);
    const header = decodeFileHeader(head);
    if (header.kind === 'newer') {
      yield damage(
        'segment.newer-format',
        `${name} is of format ${header.version}, newer than this Postrider knows`,
      );
      return;
    }
    if (header.kind === 'damaged' || header.segment !== segment)
      yield (await file.size()) <= HEADER_OCTETS ? emptySegment(segment) : await mendFileHeader(target);
    yield* checkRecords(target);
    if (repair) await file.sync();
  } finally {
    await file.close();
  }
}

/** What a crash leaves that comes before the first header is durable. */
function emptySegment(segment: number): Finding {
  const text = `${formatSegmentName(segment)} holds nothing, not even a header`;
  return { kind: 'segment.empty', severity: 'note', text, mended: false };
}

async function mendFileHeader({ file, segment, repair }: Target): Promise<Finding> {
  if (repair) await file.write([encodeFileHeader(segment, 0)], 0);
  return damage('segment.header', `The header of ${formatSegmentName(segment)} is damaged`, repair);
}

async function* checkRecords(target: Target): AsyncGenerator<Finding, void, void> {
  const { file, segment, users } = target;
  const named = new NamedPlaces(users, segment);
  let unreferenced = 0;
  let records = 0;
  for await (const scanned of scanSegment(file, segment)) {
    if (scanned.kind === 'gap') {
      yield* checkGap(target, scanned, await named.before(scanned.end));
      continue;
    }
    const within = await named.before(scanned.end);
    const place = toPlace(segment, scanned.offset);
    const isNamed = within.includes(place);
    const verdict = await verify(file, scanned);
    if (!verdict.isIntact) yield await reportDamaged(target, scanned, verdict, isNamed);
    for (const other of within) if (other !== place) yield noRecord(other);
    if (isNamed || !verdict.isIntact) continue;
    records += 1;
    unreferenced += scanned.end - scanned.offset;
  }
  for (const beyond of await named.before(Number.POSITIVE_INFINITY)) yield noRecord(beyond);
  if (records > 0)
    yield {
      kind: 'segment.unreferenced',
      severity: 'note',
      text: `${formatSegmentName(segment)} holds ${records} records (${unreferenced} octets) that no row names`,
      mended: false,
    };
}

function noRecord(place: BlobPlace): Finding {
  const { segment, offset } = fromPlace(place);
  return damage(
    'segment.no-record',
    `A row names offset ${offset} of ${formatSegmentName(segment)}, where no record begins`,
  );
}

/** CRC-32 and SHA-256 of the octets that are there. */
async function verify(file: SegmentFile, { offset, header, complete }: ScannedRecord): Promise<Verdict> {
  const { id, crc } = await digest(file, offset + HEADER_OCTETS, header.octets);
  return { isIntact: complete && id === header.id && crc === header.crc, id, crc };
}

async function digest(
  file: SegmentFile,
  from: number,
  octets: number,
): Promise<{ readonly id: BlobId; readonly crc: number }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(STEP_OCTETS, Math.max(1, octets)));
  let crc = 0;
  for (let at = 0; at < octets;) {
    const got = await file.read(buffer.subarray(0, Math.min(buffer.length, octets - at)), from + at);
    if (got === 0) break;
    const step = buffer.subarray(0, got);
    hash.update(step);
    crc = crc32(step, crc);
    at += got;
  }
  return { id: known(toBlobId(hash.digest('hex'))), crc };
}

async function reportDamaged(
  target: Target,
  { offset, end, header, complete }: ScannedRecord,
  verdict: Verdict,
  isNamed: boolean,
): Promise<Finding> {
  const { file, segment, repair, lost } = target;
  const where = `The record at offset ${offset} of ${formatSegmentName(segment)}`;
  // The octets are those of the id: only the checksum beside it is wrong.
  if (complete && verdict.id === header.id) {
    if (repair) await writeHeader(file, { ...header, crc: verdict.crc }, segment, offset);
    return damage('segment.damaged', `${where} has a wrong CRC-32 over good octets`, repair);
  }
  if (repair) await quarantine(target, offset, end);
  const place = toPlace(segment, offset);
  if (isNamed) lost.set(header.id, [...(lost.get(header.id) ?? []), place]);
  const state = complete ? 'has octets that are not those of its id' : 'is cut short';
  if (isNamed) return damage('segment.damaged', `${where} ${state}; rows name it`);
  // A crash while a batch was being written leaves such a one; nobody misses it.
  return {
    kind: 'segment.damaged',
    severity: 'note',
    text: `${where} ${state}; no row names it`,
    mended: false,
  };
}

async function* checkGap(
  target: Target,
  gap: Gap,
  named: readonly BlobPlace[],
): AsyncGenerator<Finding, void, void> {
  const { segment, repair } = target;
  let mended = 0;
  for (const place of named) {
    const { offset } = fromPlace(place);
    const next = named.map((other) => fromPlace(other).offset).find((other) => other > offset) ?? gap.end;
    const isMended = await mendRecordHeader(target, offset, next);
    if (isMended) mended += 1;
    yield damage(
      'segment.damaged',
      `The header of the record at offset ${offset} of ${formatSegmentName(segment)} is damaged; rows name it`,
      isMended && repair,
    );
  }
  if (named.length > mended || named.length === 0) {
    if (repair && named.length > 0) await quarantine(target, gap.offset, gap.end);
    yield {
      kind: 'segment.unreadable',
      severity: named.length > 0 ? 'damage' : 'note',
      text: `Octets ${gap.offset} to ${gap.end} of ${formatSegmentName(segment)} are no records`,
      mended: false,
    };
  }
}

/**
 * Proves what a damaged header must have said: the octets up to the next record (less some padding) have the SHA-256
 * that stands in it, or the octets that it counts have the CRC-32 that stands in it. True when that holds.
 */
async function mendRecordHeader(
  { file, segment, repair }: Target,
  offset: number,
  end: number,
): Promise<boolean> {
  const head = Buffer.alloc(HEADER_OCTETS);
  if ((await file.read(head, offset)) < HEADER_OCTETS) return false;
  const id = known(toBlobId(head.toString('hex', 16, 48)));
  const crc = head.readUInt32LE(48);
  const said = head.readBigUInt64LE(8);
  const room = end - offset - HEADER_OCTETS;
  const sizes = new Set<number>();
  if (said <= BigInt(Math.max(0, room))) sizes.add(Number(said));
  for (let padding = 0; padding < ALIGNMENT && padding <= room; padding += 1) sizes.add(room - padding);
  for (const octets of sizes) {
    const found = await digest(file, offset + HEADER_OCTETS, octets);
    if (found.id !== id && !(octets === Number(said) && found.crc === crc)) continue;
    if (repair) await writeHeader(file, { octets, ...found }, segment, offset);
    return true;
  }
  return false;
}

async function writeHeader(
  file: SegmentFile,
  header: RecordHeader,
  segment: number,
  offset: number,
): Promise<void> {
  const head = Buffer.alloc(HEADER_OCTETS);
  encodeRecordHeader(head, header, segment, offset);
  await file.write([head], offset);
}

/** A copy of the raw octets under a name of their own; one that is there already stays. */
async function quarantine({ disk, file, segment }: Target, from: number, to: number): Promise<void> {
  const name = `quarantine/${String(segment).padStart(10, '0')}-${String(from).padStart(10, '0')}.record`;
  let copy: SegmentFile;
  try {
    copy = await disk.open(name, 'create');
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') return;
    throw cause;
  }
  try {
    const buffer = Buffer.allocUnsafe(STEP_OCTETS);
    for (let at = from; at < to;) {
      const got = await file.read(buffer.subarray(0, Math.min(STEP_OCTETS, to - at)), at);
      if (got === 0) break;
      await copy.write([buffer.subarray(0, got)], at - from);
      at += got;
    }
    await copy.sync();
  } finally {
    await copy.close();
  }
}

/** The places that rows name in one segment, asked for in windows, in rising order. */
class NamedPlaces {
  readonly #users: readonly BlobUser[];
  readonly #segment: number;
  #window: BlobPlace[] = [];
  #asked = 0;

  constructor(users: readonly BlobUser[], segment: number) {
    this.#users = users;
    this.#segment = segment;
  }

  /** Those before `end` that were not given yet; called with rising offsets. */
  async before(end: number): Promise<readonly BlobPlace[]> {
    while (this.#asked < Math.min(end, SEGMENT_OCTETS_MAX)) {
      const to = Math.min(this.#asked + WINDOW_OCTETS, SEGMENT_OCTETS_MAX);
      const found = new Set<BlobPlace>();
      for (const user of this.#users)
        for (const place of await user.placesBetween(
          toPlace(this.#segment, this.#asked),
          toPlace(this.#segment, to),
        ))
          found.add(place);
      for (const place of [...found].toSorted((a, b) => a - b)) this.#window.push(place);
      this.#asked = to;
    }
    const at = this.#window.findIndex((place) => fromPlace(place).offset >= end);
    const taken = this.#window.splice(0, at === -1 ? this.#window.length : at);
    return taken;
  }
}

/** Rows that name segments which are not there. */
async function* checkMissingFiles(
  segments: readonly number[],
  users: readonly BlobUser[],
): AsyncGenerator<Finding, void, void> {
  let from = 0;
  for (const segment of [...segments, undefined]) {
    // One question for each run of missing numbers.
    const before = segment ?? SEGMENT_NUMBER_MAX;
    if (before > from)
      for (const user of users)
        for (const place of await user.placesBetween(toPlace(from, 0), toPlace(before, 0)))
          yield noRecord(place);
    from = before + 1;
  }
}

/** Another intact record of the same blob (a copy of the compaction, the same message twice) takes the lost one's part. */
async function* findElsewhere(
  disk: SegmentDisk,
  segments: readonly number[],
  users: readonly BlobUser[],
  lost: Map<BlobId, BlobPlace[]>,
): AsyncGenerator<Finding, void, void> {
  for (const segment of segments) {
    const file = await disk.open(formatSegmentName(segment), 'read');
    try {
      for await (const scanned of scanSegment(file, segment)) {
        if (lost.size === 0) return;
        if (scanned.kind === 'gap') continue;
        const places = lost.get(scanned.header.id);
        const to = toPlace(segment, scanned.offset);
        if (places === undefined || places.includes(to) || !(await verify(file, scanned)).isIntact) continue;
        for (const user of users) await user.relocate(places.map((from) => ({ from, to })));
        lost.delete(scanned.header.id);
        yield damage(
          'segment.damaged',
          `Rows that named damaged octets now name the same blob at offset ${scanned.offset} of ${formatSegmentName(segment)}`,
          true,
        );
      }
    } finally {
      await file.close();
    }
  }
}
