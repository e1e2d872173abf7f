/**
 * What is done before anybody writes: segments that a crash left open lose their torn tails and are sealed. Costs one
 * listing and a look into the segments that were open, however many there are. Source: docs/segments.md.
 */
import { Fault } from '../../base/fault.ts';
import type { BlobUser } from '../blob-use.ts';
import { errorCode, openSegmentDisk } from './segment-disk.ts';
import type { SegmentDisk, SegmentFile } from './segment-disk.ts';
import {
  HEADER_OCTETS,
  aligned,
  decodeFileHeader,
  formatMarkerName,
  formatSegmentName,
  parseMarkerName,
  toPlace,
} from './segment-format.ts';
import { scanSegment } from './segment-scan.ts';

export type RecoveredSegment = {
  readonly segment: number;
  readonly records: number;
  /** Octets of the torn tail that were cut off. */
  readonly octetsCut: number;
};

export type RecoveryOptions = {
  readonly directory: string;
  /** Only segments of this owner: a thread that died while the others live. */
  readonly owner?: string;
  /** A tail in which one of them names a place is not cut: the record there was acknowledged, and damaged since. */
  readonly users: readonly BlobUser[];
  readonly disk?: SegmentDisk;
};

/** Rejects with `Fault` for the disk, and for a segment of a newer format. */
export async function recoverSegments({
  directory,
  owner,
  users,
  disk: given,
}: RecoveryOptions): Promise<readonly RecoveredSegment[]> {
  const recovered: RecoveredSegment[] = [];
  try {
    const disk = given ?? (await openSegmentDisk(directory));
    for (const name of (await disk.list()).toSorted()) {
      const marker = parseMarkerName(name);
      if (marker === undefined || (owner !== undefined && marker.owner !== owner)) continue;
      recovered.push(await recoverSegment(disk, marker.segment, users));
      await disk.remove(formatMarkerName(marker.segment, marker.owner));
    }
    return recovered;
  } catch (cause) {
    throw cause instanceof Fault ? cause : new Fault('Recovering segments', cause);
  }
}

async function recoverSegment(
  disk: SegmentDisk,
  segment: number,
  users: readonly BlobUser[],
): Promise<RecoveredSegment> {
  let file: SegmentFile;
  try {
    file = await disk.open(formatSegmentName(segment), 'write');
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return { segment, records: 0, octetsCut: 0 };
    throw cause;
  }
  try {
    await refuseNewer(file, segment);
    let records = 0;
    let end = HEADER_OCTETS;
    for await (const scanned of scanSegment(file, segment)) {
      if (scanned.kind === 'gap') continue;
      records += 1;
      ({ end } = scanned);
    }
    const octetsBehind = Math.max(0, (await file.size()) - end);
    const octetsCut = octetsBehind > 0 && !(await isNamed(users, segment, end)) ? octetsBehind : 0;
    if (octetsCut > 0) await file.truncate(end);
    await file.sync();
    return { segment, records, octetsCut };
  } finally {
    await file.close();
  }
}

async function isNamed(users: readonly BlobUser[], segment: number, from: number): Promise<boolean> {
  for (const user of users)
    if ((await user.placesBetween(toPlace(segment, aligned(from)), toPlace(segment + 1, 0))).length > 0)
      return true;
  return false;
}

async function refuseNewer(file: SegmentFile, segment: number): Promise<void> {
  const head = Buffer.alloc(HEADER_OCTETS);
  await file.read(head, 0);
  const header = decodeFileHeader(head);
  if (header.kind !== 'newer') return;
  throw new Fault(
    `Opening ${formatSegmentName(segment)}, which is of format ${header.version}, newer than this Postrider knows`,
  );
}
