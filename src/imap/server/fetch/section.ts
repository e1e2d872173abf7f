/** BODY[…], RFC822… and BINARY[…] of one message. Source: RFC 9051 §6.4.5, §6.4.5.1, §6.4.5.2. */
import { toBuffer } from '../../../base/bytes.ts';
import { findPart, findSection, selectFields, type OctetRange } from '../../../message/part.ts';
import type { ScannedMessage } from '../../../message/scan.ts';
import { createDecoder } from '../../../message/transfer.ts';
import type { BlobStore } from '../../../store/blob-store.ts';
import type { BlobId } from '../../../store/ids.ts';
import { BUFFERED_OCTETS_MAX, readHeader, scanBlob } from '../../../store/placed-octets.ts';
import type { PlacedMessage } from '../../../store/mail-store.ts';
import type { FetchItem, Partial, Section } from '../../wire/command/fetch.ts';
import type { OctetSource } from '../../wire/response.ts';
import { readOctets } from './message-octets.ts';

/** NIL where the message has no such part. */
export type SectionValue = Buffer | OctetSource | null;

/** One message being fetched; its part tree is made when first asked for. */
export type OpenMessage = {
  readonly message: PlacedMessage;
  /** Octets of the blob's header section. */
  readonly headerOctets: () => Promise<number>;
  readonly scanned: () => Promise<ScannedMessage>;
  readonly blobs: BlobStore;
  /** What the answer for this message may still hold in memory: one FETCH may ask a thousand times for the same body. */
  readonly room: { octets: number };
};

/** Octets in memory for one FETCH response; whatever more is asked for is read while it is sent. */
const RESPONSE_OCTETS_MAX = 4_194_304;

/** Largest value that may be made in memory now. */
function roomFor({ room }: OpenMessage): number {
  return Math.min(BUFFERED_OCTETS_MAX, room.octets);
}

function taken(open: OpenMessage, value: Buffer): Buffer {
  open.room.octets -= value.length;
  return value;
}

/** The part tree made last: clients fetch a large attachment in many pieces, each by its own command. */
export type ScanCache = { last?: { readonly blob: BlobId; readonly scanned: Promise<ScannedMessage> } };

export function openMessage(
  message: PlacedMessage,
  headerOctets: number | undefined,
  blobs: BlobStore,
  cache: ScanCache,
): OpenMessage {
  const scan = async (): Promise<ScannedMessage> => {
    if (cache.last?.blob === message.blob.id) return cache.last.scanned;
    const scanned = scanBlob(message, blobs);
    cache.last = { blob: message.blob.id, scanned };
    // A blob that could not be read may be readable the next time.
    scanned.catch(() => delete cache.last);
    return scanned;
  };
  return {
    message,
    blobs,
    room: { octets: RESPONSE_OCTETS_MAX },
    scanned: scan,
    headerOctets: async () => headerOctets ?? (await scan()).root.headerEnd,
  };
}

const WHOLE: Partial = { offset: 0, octets: Number.MAX_SAFE_INTEGER };

export async function readSection(
  open: OpenMessage,
  section: Section,
  partial: Partial = WHOLE,
): Promise<SectionValue> {
  const { message, blobs } = open;
  if (section.text.kind === 'header-fields') {
    const { text } = section;
    const read = (): Promise<Buffer | null> => readFields(open, section.part, text, partial);
    const fields = await read();
    if (fields === null || fields.length <= roomFor(open)) return fields && taken(open, fields);
    return { octets: fields.length, open: () => once(read) };
  }
  const range = await rangeOf(open, section);
  if (range === undefined) return null;
  const start = range.start + partial.offset;
  const value = await readOctets(
    message,
    blobs,
    start,
    Math.min(range.end, start + partial.octets),
    roomFor(open),
  );
  return Buffer.isBuffer(value) ? taken(open, value) : value;
}

async function readFields(
  open: OpenMessage,
  part: readonly number[],
  { names, not }: Extract<Section['text'], { kind: 'header-fields' }>,
  { offset, octets }: Partial,
): Promise<Buffer | null> {
  const header = await headerOf(open, part);
  return header && selectFields(header, names, not ? 'others' : 'named').subarray(offset, offset + octets);
}

async function* once(read: () => Promise<Buffer | null>): AsyncGenerator<Uint8Array, void, void> {
  const octets = await read();
  if (octets !== null && octets.length > 0) yield octets;
}

/** In octets of the whole message, prefix included. */
async function rangeOf(open: OpenMessage, { part, text }: Section): Promise<OctetRange | undefined> {
  const prefix = open.message.prefix.length;
  if (part.length === 0) {
    const all = open.message.octets;
    if (text.kind === 'whole') return { start: 0, end: all };
    const headerEnd = prefix + (await open.headerOctets());
    return text.kind === 'header' ? { start: 0, end: headerEnd } : { start: headerEnd, end: all };
  }
  const { root } = await open.scanned();
  const range = findSection(root, part, SECTION_TEXTS[text.kind === 'header-fields' ? 'header' : text.kind]);
  return range && { start: prefix + range.start, end: prefix + range.end };
}

const SECTION_TEXTS = { whole: 'BODY', header: 'HEADER', text: 'TEXT', mime: 'MIME' } as const;

async function headerOf(open: OpenMessage, part: readonly number[]): Promise<Buffer | null> {
  if (part.length === 0) return readHeader(open.message, await open.headerOctets(), open.blobs);
  const range = findSection((await open.scanned()).root, part, 'HEADER');
  return range === undefined ? null : open.blobs.read(open.message.blob, range.start, range.end);
}

const RFC822: Readonly<Record<Extract<FetchItem, { kind: 'rfc822' }>['item'], Section>> = {
  RFC822: { part: [], text: { kind: 'whole' } },
  'RFC822.HEADER': { part: [], text: { kind: 'header' } },
  'RFC822.TEXT': { part: [], text: { kind: 'text' } },
};

export function sectionOfRfc822(item: keyof typeof RFC822): Section {
  return RFC822[item];
}

export type Binary =
  | { readonly kind: 'decoded'; readonly value: SectionValue }
  | { readonly kind: 'unknown-encoding' };

/**
 * The part's octets without their transfer encoding. An empty part is the message as it is. What is large is decoded as
 * it is sent, after a first pass that counts.
 */
export async function readBinary(
  open: OpenMessage,
  part: readonly number[],
  partial: Partial = WHOLE,
): Promise<Binary> {
  if (part.length === 0)
    return { kind: 'decoded', value: await readSection(open, { part, text: { kind: 'whole' } }, partial) };
  const { root } = await open.scanned();
  const found = findPart(root, part);
  const range = findSection(root, part, 'BODY');
  if (found === undefined || range === undefined) return { kind: 'decoded', value: null };
  // RFC 2045 §6.4: of a multipart no encoding can be undone.
  const encoding = found.kind === 'leaf' ? found.encoding : '7bit';
  if (createDecoder(encoding) === undefined) return { kind: 'unknown-encoding' };
  const decoded = (): AsyncGenerator<Uint8Array, void, void> => decode(open, range, encoding, partial);
  if (range.end - range.start <= roomFor(open)) {
    const pieces: Uint8Array[] = [];
    for await (const piece of decoded()) pieces.push(piece);
    return { kind: 'decoded', value: taken(open, Buffer.concat(pieces)) };
  }
  let octets = 0;
  for await (const piece of decoded()) octets += piece.length;
  return { kind: 'decoded', value: { octets, open: decoded } };
}

async function* decode(
  { message, blobs }: OpenMessage,
  range: OctetRange,
  encoding: string,
  partial: Partial,
): AsyncGenerator<Uint8Array, void, void> {
  const decoder = createDecoder(encoding);
  if (decoder === undefined) return;
  let skip = partial.offset;
  let left = partial.octets;
  const clip = (piece: Uint8Array): Uint8Array => {
    const from = Math.min(skip, piece.length);
    skip -= from;
    const kept = piece.subarray(from, from + left);
    left -= kept.length;
    return kept;
  };
  for await (const chunk of blobs.stream(message.blob, range.start, range.end)) {
    const piece = clip(decoder.push(chunk));
    if (piece.length > 0) yield toBuffer(piece);
    if (left === 0) return;
  }
  const tail = clip(decoder.end());
  if (tail.length > 0) yield toBuffer(tail);
}
