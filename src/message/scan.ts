/**
 * One pass over a message's octets gives its part tree with exact offsets. Octets come in chunks of any size; none are
 * kept but the header fields and the beginning of the first text parts, so a message of any size needs little memory.
 * Any cut of the input gives the same answer. Never throws; linear.
 *
 * Broken messages are read as Dovecot reads them: a header ends at the first empty line or at a boundary; lines end
 * in CRLF or LF, a bare CR is an octet like others; a boundary line needs only to begin with the boundary, the
 * innermost and then the longest match counts, also inside parts that were never closed; an unclosed multipart ends
 * with its parent; one without boundary, or beyond the limits of nesting, is a leaf.
 *
 * Source: RFC 2046 §5.1.1, RFC 5322 §2.1. Limits: mimeNestingMax, mimePartsMax, headerOctetsMax, headerOctetsTotalMax.
 */
import { CR, LF, latin1, toBuffer } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import { asciiTrim } from './ascii.ts';
import type { Description, Part } from './entity.ts';
import { describe, isIdentityEncoding } from './entity.ts';
import type { Field } from './header.ts';
import { parseHeader } from './header.ts';
import { parameterRaw } from './parameter.ts';

export type ScanLimits = {
  readonly nestingMax?: number;
  readonly partsMax?: number;
  readonly headerOctetsMax?: number;
  readonly headerOctetsTotalMax?: number;
  readonly previewOctetsMax?: number;
};

/** The beginning of a text part's body, still encoded. */
export type Excerpt = { readonly part: Part; readonly octets: Uint8Array; readonly complete: boolean };

export type ScannedMessage = {
  readonly root: Part;
  /** Size of the whole message. */
  readonly octets: number;
  /** The first text/plain and text/html parts that are shown, not attached; not those of an encapsulated message. */
  readonly plain: Excerpt | undefined;
  readonly html: Excerpt | undefined;
};

export type Scanner = {
  /** The chunk may be reused by the caller afterwards. */
  push(chunk: Uint8Array): void;
  /** Once, after the last chunk. */
  end(): ScannedMessage;
};

export function createScanner(limits: ScanLimits = {}): Scanner {
  return new MessageScanner(limits, true);
}

/** A message that is in memory already. The answer may refer to its octets: do not change them. */
export function scanMessage(octets: Uint8Array, limits: ScanLimits = {}): ScannedMessage {
  const scanner = new MessageScanner(limits, false);
  scanner.push(octets);
  return scanner.end();
}

const DASH = 0x2d;
const SPACE = 0x20;
const TAB = 0x09;
const DELIMITER = '\n--';
const NO_OCTETS = Buffer.alloc(0);
const NO_FIELDS: readonly Field[] = [];
const NO_PARTS: readonly Part[] = [];
/** Octets of a boundary line that decide: two dashes, the boundary, two dashes. */
const LINE_OCTETS_MAX = LIMITS.boundaryOctetsMax + 4;

/** With more open boundaries than this, comparing each with a line would cost too much: hashes are compared first. */
const FEW_BOUNDARIES = 4;
const HASHES = new Int32Array(LINE_OCTETS_MAX + 1);

/** Hashes of the text's beginnings, by their length. The answer is overwritten by the next call. */
function hashPrefixes(text: string): Int32Array {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
    HASHES[at + 1] = hash;
  }
  return HASHES;
}

/** A part whose end is not known yet. Becomes its {@link Part} in place when it is closed. */
type OpenPart = {
  kind: Part['kind'];
  readonly headerStart: number;
  headerEnd: number;
  bodyEnd: number;
  bodyLines: number;
  description: Description;
  fields: readonly Field[];
  readonly children: Part[];
  /** Whether it is the root of the message or of an encapsulated one. */
  readonly isRoot: boolean;
  readonly inDigest: boolean;
};

type Boundary = {
  readonly text: string;
  readonly depth: number;
  readonly hash: number;
  /** Length of the shortest of this one and those around it: a shorter line is none of them. */
  readonly shortest: number;
};

/** Pieces of a text part that is being read. */
type Capture = {
  readonly open: OpenPart;
  readonly pieces: Uint8Array[];
  size: number;
  part: Part | undefined;
};

const PLAIN_DESCRIPTION = describe([], false);

class MessageScanner implements Scanner {
  readonly #nestingMax: number;
  readonly #partsMax: number;
  readonly #headerOctetsMax: number;
  readonly #previewOctetsMax: number;
  readonly #copies: boolean;
  #headerOctetsLeft: number;

  /** Octets that could not be judged without those that follow; they start at `#base`. */
  #carry: Buffer = NO_OCTETS;
  /** Offset in the message of the first octet of the window being read. */
  #base = 0;
  /** header: inside a header section. body: anywhere else. skip: on the rest of a boundary's line. */
  #mode: 'header' | 'body' | 'skip' = 'header';
  #atLineStart = true;
  /** Octets of the line end right before the current line: they belong to a boundary that follows. */
  #lineEndOctets = 0;
  #lastOctet = 0;
  #needsMore = false;

  #headerText = '';
  #headerTextLeft = 0;
  #lines = 0;
  #countsLeaf = false;
  #messageDepth = 0;
  #parts = 0;

  /** From the root to the innermost; `#lineStarts` are the line counts where their bodies begin. */
  readonly #open: OpenPart[] = [];
  readonly #lineStarts: number[] = [];
  readonly #boundaries: Boundary[] = [];
  #root: Part | undefined;

  /** What the last boundary line was. */
  #foundIndex = 0;
  #foundClosing = false;

  #plain: Capture | undefined;
  #html: Capture | undefined;
  #capture: Capture | undefined;

  constructor(limits: ScanLimits, copies: boolean) {
    this.#nestingMax = limits.nestingMax ?? LIMITS.mimeNestingMax;
    this.#partsMax = limits.partsMax ?? LIMITS.mimePartsMax;
    this.#headerOctetsMax = limits.headerOctetsMax ?? LIMITS.headerOctetsMax;
    this.#headerOctetsLeft = limits.headerOctetsTotalMax ?? LIMITS.headerOctetsTotalMax;
    this.#previewOctetsMax = limits.previewOctetsMax ?? LIMITS.previewOctetsMax;
    this.#copies = copies;
    this.#beginPart(0, true, false);
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const octets = this.#carry.length === 0 ? toBuffer(chunk) : Buffer.concat([this.#carry, chunk]);
    const used = this.#read(octets, false);
    this.#carry =
      used === octets.length
        ? NO_OCTETS
        : this.#copies
          ? Buffer.from(octets.subarray(used))
          : octets.subarray(used);
    this.#base += used;
  }

  end(): ScannedMessage {
    this.#base += this.#read(this.#carry, true);
    this.#carry = NO_OCTETS;
    const size = this.#base;
    if (this.#mode === 'skip') this.#beginPart(size, false, this.#inDigest());
    // An encapsulated message may begin where the octets end: its header is empty, and ends here too.
    while (this.#mode === 'header') this.#finishHeader(size);
    this.#lineEndOctets = 0;
    this.#closeTo(0, size);
    return {
      root: this.#root ?? finish(newPart(0, true, false)),
      octets: size,
      plain: toExcerpt(this.#plain, this.#previewOctetsMax),
      html: toExcerpt(this.#html, this.#previewOctetsMax),
    };
  }

  /** Reads a window; answers how many of its octets were used. */
  #read(octets: Buffer, final: boolean): number {
    let at = 0;
    this.#needsMore = false;
    do {
      if (this.#mode === 'header') at = this.#readHeader(octets, at, final);
      else if (this.#mode === 'body') at = this.#readBody(octets, at, final);
      else at = this.#skipLine(octets, at);
    } while (!this.#needsMore);
    return at;
  }

  #readHeader(octets: Buffer, begin: number, final: boolean): number {
    const size = octets.length;
    let at = begin;
    for (;;) {
      if (at >= size) {
        this.#needsMore = true;
        break;
      }
      if (this.#atLineStart) {
        const first = octets[at];
        if (first === LF) return this.#blankLine(octets, begin, at + 1);
        if (first === CR) {
          if (at + 1 === size && !final) {
            this.#needsMore = true;
            break;
          }
          if (octets[at + 1] === LF) return this.#blankLine(octets, begin, at + 2);
        } else if (first === DASH && this.#boundaries.length > 0) {
          const match = this.#matchBoundary(octets, at, final);
          if (match === 'more') {
            this.#needsMore = true;
            break;
          }
          if (match === 'yes') {
            this.#keepHeader(octets, begin, at);
            this.#headerLeaf(this.#base + at);
            return this.#cross(at);
          }
        }
        this.#atLineStart = false;
      }
      const lf = octets.indexOf(LF, at);
      if (lf < 0) {
        at = size;
      } else {
        if (this.#messageDepth > 0) this.#lines += 1;
        this.#atLineStart = true;
        at = lf + 1;
      }
    }
    this.#keepHeader(octets, begin, at);
    return at;
  }

  #blankLine(octets: Buffer, begin: number, end: number): number {
    this.#keepHeader(octets, begin, end);
    if (this.#messageDepth > 0) this.#lines += 1;
    this.#finishHeader(this.#base + end);
    return end;
  }

  #keepHeader(octets: Buffer, from: number, to: number): void {
    const size = Math.min(to - from, this.#headerTextLeft);
    if (size <= 0) return;
    this.#headerText += octets.toString('latin1', from, from + size);
    this.#headerTextLeft -= size;
    this.#headerOctetsLeft -= size;
  }

  /** A boundary inside of a header: whatever the fields say, there is no body to look into. */
  #headerLeaf(end: number): void {
    this.#endHeader(end);
    this.#mode = 'body';
  }

  #endHeader(end: number): OpenPart {
    const part = this.#innermost();
    const fields = parseHeader(this.#headerText);
    this.#headerText = '';
    part.headerEnd = end;
    part.description = describe(fields, part.inDigest);
    if (part.isRoot) part.fields = fields;
    this.#atLineStart = true;
    this.#lineEndOctets = 0;
    this.#lineStarts.push(this.#lines);
    return part;
  }

  /** The fields decide what the body is. */
  #finishHeader(end: number): void {
    const part = this.#endHeader(end);
    const { type, subtype, encoding, parameters } = part.description;
    this.#mode = 'body';
    const depth = this.#open.length;
    if (type === 'multipart') {
      const text = boundaryText(parameterRaw(parameters, 'boundary'));
      if (text === '' || depth >= this.#nestingMax) return;
      part.kind = 'multipart';
      const shortest = Math.min(text.length, this.#boundaries.at(-1)?.shortest ?? text.length);
      this.#boundaries.push({ text, depth, shortest, hash: hashPrefixes(text)[text.length] ?? 0 });
    } else if (type === 'message' && (subtype === 'rfc822' || subtype === 'global')) {
      // RFC 2046 §5.2.1: no encoding but 7bit, 8bit and binary is allowed; inside of others nothing can be found.
      if (!isIdentityEncoding(encoding) || depth >= this.#nestingMax || this.#parts >= this.#partsMax) return;
      part.kind = 'message';
      this.#messageDepth += 1;
      this.#beginPart(end, true, false);
    } else if (type === 'text') {
      this.#countsLeaf = true;
      this.#beginCapture(part);
    }
  }

  #beginCapture(open: OpenPart): void {
    const { subtype, disposition } = open.description;
    if (this.#messageDepth > 0 || disposition?.type === 'attachment') return;
    const capture: Capture = { open, pieces: [], size: 0, part: undefined };
    if (subtype === 'plain' && this.#plain === undefined) this.#plain = capture;
    else if (subtype === 'html' && this.#html === undefined) this.#html = capture;
    else return;
    this.#capture = capture;
  }

  #readBody(octets: Buffer, begin: number, final: boolean): number {
    const size = octets.length;
    let at = begin;
    if (this.#boundaries.length === 0) {
      this.#useBody(octets, at, size);
      this.#needsMore = true;
      return size;
    }
    if (this.#atLineStart) {
      if (at >= size || (octets[at] === DASH && at + 1 === size && !final)) {
        this.#needsMore = true;
        return at;
      }
      if (octets[at] === DASH && octets[at + 1] === DASH) {
        const match = this.#matchBoundary(octets, at, final);
        if (match === 'yes') return this.#cross(at);
        if (match === 'more') {
          this.#needsMore = true;
          return at;
        }
      }
      this.#atLineStart = false;
    }
    let from = at;
    for (;;) {
      const hit = octets.indexOf(DELIMITER, from, 'latin1');
      if (hit < 0) break;
      const match = this.#matchBoundary(octets, hit + 1, final);
      from = hit + 3;
      if (match === 'no') continue;
      this.#useBody(octets, at, hit + 1);
      at = hit + 1;
      if (match === 'yes') return this.#cross(at);
      this.#atLineStart = true;
      this.#needsMore = true;
      return at;
    }
    // The window may end between the line end and the dashes.
    const end =
      !final && size - 2 >= at && octets[size - 1] === DASH && octets[size - 2] === LF ? size - 1 : size;
    if (end > at) this.#atLineStart = octets[end - 1] === LF;
    this.#useBody(octets, at, end);
    this.#needsMore = true;
    return end;
  }

  /** Octets that belong to the body of the innermost part for certain. */
  #useBody(octets: Buffer, from: number, to: number): void {
    if (to <= from) return;
    if (this.#countsLeaf || this.#messageDepth > 0) this.#lines += countLineEnds(octets, from, to);
    const capture = this.#capture;
    if (capture !== undefined) {
      const piece = octets.subarray(from, Math.min(to, from + this.#previewOctetsMax - capture.size));
      capture.pieces.push(this.#copies ? Buffer.from(piece) : piece);
      capture.size += piece.length;
      if (capture.size >= this.#previewOctetsMax) this.#capture = undefined;
    }
    const before = to - 2 >= from ? octets[to - 2] : this.#lastOctet;
    const last = octets[to - 1] ?? 0;
    this.#lineEndOctets = last !== LF ? 0 : before === CR && this.#hasBefore(from, to) ? 2 : 1;
    this.#lastOctet = last;
  }

  /** Whether the octet before the last of the range belongs to the same body. */
  #hasBefore(from: number, to: number): boolean {
    return to - 2 >= from || this.#base + to - 2 >= this.#innermost().headerEnd;
  }

  /**
   * Whether the line that begins at `start` is a boundary of an open multipart. RFC 2046 §5.1.1: the boundary need
   * only be its beginning. Innermost first; of several that match the longest, so that 'a' does not end 'ab'.
   */
  #matchBoundary(octets: Buffer, start: number, final: boolean): 'yes' | 'no' | 'more' {
    const size = octets.length;
    if (start + 1 < size && octets[start + 1] !== DASH) return 'no';
    const lf = octets.indexOf(LF, start);
    if (lf < 0 && !final && size - start < LINE_OCTETS_MAX) return 'more';
    let end = Math.min(lf < 0 ? size : lf, start + LINE_OCTETS_MAX);
    while (end > start + 2 && isLineBlank(octets[end - 1])) end -= 1;
    if (end - start - 2 < (this.#boundaries.at(-1)?.shortest ?? 1)) return 'no';
    const line = octets.toString('latin1', start + 2, end);
    let best = -1;
    let bestSize = 0;
    const boundaries = this.#boundaries;
    const hashes = boundaries.length > FEW_BOUNDARIES ? hashPrefixes(line) : undefined;
    for (let index = boundaries.length - 1; index >= 0; index -= 1) {
      const boundary = boundaries[index];
      if (boundary === undefined) continue;
      const { text, hash } = boundary;
      if (text.length <= bestSize || text.length > line.length) continue;
      if (hashes !== undefined && hashes[text.length] !== hash) continue;
      if (!line.startsWith(text)) continue;
      best = index;
      bestSize = text.length;
      // Exactly this one: 'foo--' is rather the end of 'foo' than the beginning of a 'foo--'.
      if (line.length === bestSize || (line.length === bestSize + 2 && line.endsWith('--'))) break;
    }
    if (best < 0) return 'no';
    this.#foundIndex = best;
    this.#foundClosing = line.startsWith('--', bestSize);
    return 'yes';
  }

  /** At the boundary line found last, which begins at `at`. */
  #cross(at: number): number {
    const boundary = this.#boundaries[this.#foundIndex];
    this.#atLineStart = false;
    this.#mode = 'body';
    if (boundary === undefined) return at;
    if (!this.#foundClosing && this.#parts >= this.#partsMax) {
      // What follows belongs to the last part.
      this.#boundaries.length = 0;
      return at;
    }
    this.#closeTo(boundary.depth, this.#base + at);
    if (this.#foundClosing) {
      this.#boundaries.length = this.#foundIndex;
    } else {
      this.#boundaries.length = this.#foundIndex + 1;
      this.#mode = 'skip';
    }
    return at;
  }

  #skipLine(octets: Buffer, at: number): number {
    const lf = octets.indexOf(LF, at);
    if (lf < 0) {
      this.#needsMore = true;
      return octets.length;
    }
    if (this.#messageDepth > 0) this.#lines += 1;
    this.#beginPart(this.#base + lf + 1, false, this.#inDigest());
    return lf + 1;
  }

  #inDigest(): boolean {
    const { type, subtype } = this.#innermost().description;
    return type === 'multipart' && subtype === 'digest';
  }

  #beginPart(start: number, isRoot: boolean, inDigest: boolean): void {
    this.#open.push(newPart(start, isRoot, inDigest));
    this.#parts += 1;
    this.#mode = 'header';
    this.#atLineStart = true;
    this.#headerTextLeft = Math.min(this.#headerOctetsMax, this.#headerOctetsLeft);
  }

  #innermost(): OpenPart {
    const part = this.#open.at(-1);
    if (part === undefined) throw new TypeError('A message scanner was used after its end');
    return part;
  }

  /** Closes all parts deeper than `depth`, whose bodies end before the line end that precedes `end`. */
  #closeTo(depth: number, end: number): void {
    let childEnd = 0;
    this.#countsLeaf = false;
    this.#capture = undefined;
    while (this.#open.length > depth) {
      const open = this.#open.pop();
      const lineStart = this.#lineStarts.pop() ?? 0;
      if (open === undefined) return;
      // RFC 2046 §5.1.1: the line end before a boundary belongs to it; but never the one that ended the header.
      open.bodyEnd = Math.max(open.headerEnd, end - this.#lineEndOctets, childEnd);
      childEnd = open.bodyEnd;
      const counted = open.kind === 'message' || this.#messageDepth > 0 || open.description.type === 'text';
      if (counted) open.bodyLines = this.#lines - lineStart - (open.bodyEnd < end ? 1 : 0);
      if (open.kind === 'message') this.#messageDepth -= 1;
      // RFC 9051 §9 (body-type-mpart) knows no multipart without parts: an empty one stands in, as with Dovecot.
      if (open.kind === 'multipart' && open.children.length === 0) {
        open.children.push(finish({ ...newPart(open.bodyEnd, false, false), bodyLines: 0 }));
      }
      const part = finish(open);
      if (this.#plain?.open === open) this.#plain.part = part;
      else if (this.#html?.open === open) this.#html.part = part;
      const parent = this.#open.at(-1);
      if (parent === undefined) this.#root = part;
      else parent.children.push(part);
    }
  }
}

function newPart(start: number, isRoot: boolean, inDigest: boolean): OpenPart {
  return {
    kind: 'leaf',
    headerStart: start,
    headerEnd: start,
    bodyEnd: start,
    bodyLines: 0,
    description: PLAIN_DESCRIPTION,
    fields: NO_FIELDS,
    children: [],
    isRoot,
    inDigest,
  };
}

function finish(open: OpenPart): Part {
  const { type, subtype, parameters, encoding, id, description, disposition, languages, location, md5 } =
    open.description;
  return {
    kind: open.kind,
    headerStart: open.headerStart,
    headerEnd: open.headerEnd,
    bodyEnd: open.bodyEnd,
    bodyLines: open.bodyLines,
    type,
    subtype,
    parameters,
    encoding,
    id,
    description,
    disposition,
    languages,
    location,
    md5,
    fields: open.fields,
    children: open.children.length === 0 ? NO_PARTS : open.children,
  };
}

function toExcerpt(capture: Capture | undefined, octetsMax: number): Excerpt | undefined {
  if (capture?.part === undefined) return undefined;
  const { pieces, part } = capture;
  const bodyOctets = part.bodyEnd - part.headerEnd;
  const [first] = pieces;
  const all = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
  // The line end before the boundary was taken along.
  const octets = all.length > bodyOctets ? all.subarray(0, bodyOctets) : all;
  return { part, octets, complete: bodyOctets <= octetsMax };
}

/** RFC 2046 §5.1.1: a boundary does not end in white space. Raw text. */
function boundaryText(raw: string | undefined): string {
  return asciiTrim(raw ?? '').slice(0, LIMITS.boundaryOctetsMax);
}

function isLineBlank(octet: number | undefined): boolean {
  return octet === CR || octet === SPACE || octet === TAB;
}

function countLineEnds(octets: Buffer, from: number, to: number): number {
  let count = 0;
  let at = octets.indexOf(LF, from);
  while (at >= 0 && at < to) {
    count += 1;
    at += 1;
    // A run of empty lines is not worth a search for each.
    while (at < to && octets[at] === LF) {
      count += 1;
      at += 1;
    }
    at = octets.indexOf(LF, at);
  }
  return count;
}

/** The octets of a header section as raw text, for those who have them at hand. */
export function headerText(message: Uint8Array, part: Part): string {
  return latin1(message.subarray(part.headerStart, part.headerEnd));
}
