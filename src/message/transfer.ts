/**
 * Content-Transfer-Encodings: streaming decoders, and encoders. A decoder takes chunks of any size and gives what it
 * can; any cut of the input gives the same octets. Tolerant: what cannot be understood is skipped in base64 and stands
 * for itself in quoted-printable. Never throws, linear, keeps at most a line.
 *
 * Source: RFC 2045 §6.7 and §6.8; x-uuencode as POSIX writes it.
 */
import { CR, LF, SPACE, TAB, toBuffer } from '../base/bytes.ts';
import { hexValue } from './encoded-word.ts';

export type TransferDecoder = {
  push(chunk: Uint8Array): Uint8Array;
  /** Once, after the last chunk. */
  end(): Uint8Array;
};

const NOTHING: Uint8Array = new Uint8Array(0);

/** Undefined for an encoding that is not known: BINARY answers UNKNOWN-CTE then (RFC 9051 §7.5.2). */
export function createDecoder(encoding: string): TransferDecoder | undefined {
  switch (encoding.trim().toLowerCase()) {
    case '7bit':
    case '8bit':
    case 'binary':
    case '':
      return { push: (chunk) => chunk, end: () => NOTHING };
    case 'base64':
      return new Base64Decoder();
    case 'quoted-printable':
      return new QuotedPrintableDecoder();
    case 'x-uuencode':
    case 'x-uue':
    case 'uuencode':
      return new UuDecoder();
    default:
      return undefined;
  }
}

/** All at once; an unknown encoding is taken as identity. */
export function decodeTransfer(octets: Uint8Array, encoding: string): Uint8Array {
  const decoder = createDecoder(encoding);
  if (decoder === undefined) return octets;
  if (decoder instanceof QuotedPrintableDecoder) return decoder.whole(octets);
  const body = decoder.push(octets);
  const tail = decoder.end();
  return tail.length === 0 ? body : Buffer.concat([body, tail]);
}

const BASE64 = new Int8Array(256).fill(-1);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let value = 0; value < ALPHABET.length; value += 1) BASE64[ALPHABET.charCodeAt(value)] = value;
const PADDING = 0x3d;

/** Other characters are skipped (RFC 2045 §6.8); padding ends a group, and another may follow it. */
class Base64Decoder implements TransferDecoder {
  #bits = 0;
  #count = 0;

  push(chunk: Uint8Array): Uint8Array {
    const out = Buffer.allocUnsafe(Math.ceil(((chunk.length + 3) * 3) / 4));
    let size = 0;
    let bits = this.#bits;
    let count = this.#count;
    for (let at = 0; at < chunk.length; at += 1) {
      const octet = chunk[at] ?? 0;
      const value = BASE64[octet] ?? -1;
      if (value < 0) {
        if (octet === PADDING) {
          size = flushGroup(out, size, bits, count);
          bits = 0;
          count = 0;
        }
        continue;
      }
      bits = (bits << 6) | value;
      count += 1;
      if (count < 4) continue;
      out[size] = bits >> 16;
      out[size + 1] = bits >> 8;
      out[size + 2] = bits;
      size += 3;
      bits = 0;
      count = 0;
    }
    this.#bits = bits;
    this.#count = count;
    return out.subarray(0, size);
  }

  end(): Uint8Array {
    const out = Buffer.allocUnsafe(2);
    const size = flushGroup(out, 0, this.#bits, this.#count);
    this.#count = 0;
    return out.subarray(0, size);
  }
}

/** The whole octets of an unfinished group. */
function flushGroup(out: Buffer, size: number, bits: number, count: number): number {
  if (count === 2) {
    out[size] = bits >> 4;
    return size + 1;
  }
  if (count === 3) {
    out[size] = bits >> 10;
    out[size + 1] = bits >> 2;
    return size + 2;
  }
  return size;
}

const EQUALS = 0x3d;
/** White space before a line end longer than this is content: RFC 2045 §6.7 allows lines of 76. */
const BLANKS_MAX = 1000;
const EMPTY = Buffer.alloc(0);
/** Octets that stand for themselves wherever they are. */
const PLAIN = new Uint8Array(256).fill(1);
for (const octet of [EQUALS, SPACE, TAB]) PLAIN[octet] = 0;

class QuotedPrintableDecoder implements TransferDecoder {
  /** What waits for its end: an escape, or white space that may be at a line's end. Raw, not decoded. */
  #carry: Buffer = EMPTY;

  push(chunk: Uint8Array): Uint8Array {
    return this.#decode(
      this.#carry.length === 0 ? toBuffer(chunk) : Buffer.concat([this.#carry, chunk]),
      false,
    );
  }

  /** All at once, without keeping anything back. */
  whole(octets: Uint8Array): Uint8Array {
    return this.#decode(toBuffer(octets), true);
  }

  end(): Uint8Array {
    return this.#carry.length === 0 ? NOTHING : this.#decode(this.#carry, true);
  }

  #decode(octets: Buffer, final: boolean): Uint8Array {
    const size = octets.length;
    const out = Buffer.allocUnsafe(size);
    let used = 0;
    let at = 0;
    while (at < size) {
      const octet = octets[at] ?? 0;
      if (PLAIN[octet] === 1 || (octet === SPACE && at + 1 < size && PLAIN[octets[at + 1] ?? 0] === 1)) {
        out[used++] = octet;
        at += 1;
        continue;
      }
      if (octet === EQUALS) {
        const next = octets[at + 1] ?? 0;
        const high = hexValue(next);
        const low = high < 0 ? -1 : hexValue(octets[at + 2] ?? 0);
        if (low >= 0) {
          out[used++] = high * 16 + low;
          at += 3;
          continue;
        }
        if (at + 1 === size || (high >= 0 && at + 2 === size)) {
          if (!final) break;
        } else if (isBlank(next) || next === CR || next === LF) {
          // RFC 2045 §6.7 (5): a soft line break, with white space that something added.
          const end = lineEndAfter(octets, at + 1);
          if (end === 'more' && !final) break;
          if (end === 'more') {
            at = size;
            continue;
          }
          if (end !== 'none') {
            at = end;
            continue;
          }
        }
        out[used++] = EQUALS;
        at += 1;
      } else if (isBlank(octet)) {
        // RFC 2045 §6.7 (3): white space at the end of a line was added on the way.
        let blanksEnd = at + 1;
        while (blanksEnd < size && blanksEnd - at < BLANKS_MAX && isBlank(octets[blanksEnd] ?? 0))
          blanksEnd += 1;
        const long = blanksEnd - at >= BLANKS_MAX;
        const atEnd = blanksEnd === size || (octets[blanksEnd] === CR && blanksEnd + 1 === size);
        if (atEnd && !long && !final) break;
        const stops = octets[blanksEnd] === LF || (octets[blanksEnd] === CR && octets[blanksEnd + 1] === LF);
        if (long || !(stops || blanksEnd === size)) {
          for (let blank = at; blank < blanksEnd; blank += 1) out[used++] = octets[blank] ?? 0;
        }
        at = blanksEnd;
      } else {
        out[used++] = octet;
        at += 1;
      }
    }
    this.#carry = at >= size ? EMPTY : Buffer.from(octets.subarray(at));
    return out.subarray(0, used);
  }
}

/** One past the line end that follows white space, if one does. */
function lineEndAfter(octets: Buffer, start: number): number | 'more' | 'none' {
  let at = start;
  while (at < octets.length && at - start < BLANKS_MAX && isBlank(octets[at] ?? 0)) at += 1;
  if (at - start >= BLANKS_MAX) return 'none';
  if (at >= octets.length) return 'more';
  if (octets[at] === LF) return at + 1;
  if (octets[at] !== CR) return 'none';
  if (at + 1 >= octets.length) return 'more';
  return octets[at + 1] === LF ? at + 2 : 'none';
}

function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB;
}

const UU_LINE_OCTETS_MAX = 1000;

/** Lines between 'begin' and 'end'; what else there is, is not part of the file. */
class UuDecoder implements TransferDecoder {
  #carry: Buffer = EMPTY;
  #state: 'before' | 'inside' | 'after' = 'before';
  /** The line is too long to be one of ours: skipped to its end. */
  #skips = false;

  push(chunk: Uint8Array): Uint8Array {
    const octets = this.#carry.length === 0 ? toBuffer(chunk) : Buffer.concat([this.#carry, chunk]);
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const lf = octets.indexOf(LF, at);
      if (lf < 0) break;
      if (!this.#skips && lf - at <= UU_LINE_OCTETS_MAX) this.#line(octets.subarray(at, lf), pieces);
      this.#skips = false;
      at = lf + 1;
    }
    if (octets.length - at > UU_LINE_OCTETS_MAX) this.#skips = true;
    this.#carry = this.#skips ? EMPTY : Buffer.from(octets.subarray(at));
    return Buffer.concat(pieces);
  }

  end(): Uint8Array {
    const pieces: Uint8Array[] = [];
    if (!this.#skips) this.#line(this.#carry, pieces);
    this.#carry = EMPTY;
    return Buffer.concat(pieces);
  }

  #line(line: Buffer, pieces: Uint8Array[]): void {
    if (this.#state === 'before') {
      if (/^begin [0-7]{3,4} /.test(line.toString('latin1', 0, 12))) this.#state = 'inside';
    } else if (this.#state === 'inside') {
      if (/^end\s*$/.test(line.toString('latin1', 0, 8))) this.#state = 'after';
      else if (line.length > 0) pieces.push(decodeUuLine(line));
    }
  }
}

function decodeUuLine(line: Buffer): Buffer {
  const value = (at: number): number => ((line[at] ?? SPACE) - SPACE) & 0x3f;
  const size = value(0);
  const out = Buffer.alloc(Math.ceil(size / 3) * 3);
  for (let group = 0; group * 3 < size; group += 1) {
    const at = 1 + group * 4;
    const bits = (value(at) << 18) | (value(at + 1) << 12) | (value(at + 2) << 6) | value(at + 3);
    out[group * 3] = bits >> 16;
    out[group * 3 + 1] = bits >> 8;
    out[group * 3 + 2] = bits;
  }
  return out.subarray(0, size);
}

/** Base64 in lines of 76 characters, each with its CRLF. RFC 2045 §6.8. */
export function encodeBase64(octets: Uint8Array): string {
  const text = toBuffer(octets).toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += 76) lines.push(text.slice(at, at + 76), '\r\n');
  return lines.join('');
}

/**
 * Quoted-printable for text: CRLF and LF are line ends and written as CRLF, all else that is not printable ASCII is
 * escaped. Lines are at most 76 characters. RFC 2045 §6.7.
 */
export function encodeQuotedPrintable(octets: Uint8Array): string {
  let out = '';
  let column = 0;
  for (let at = 0; at < octets.length; at += 1) {
    const octet = octets[at] ?? 0;
    const next = octets[at + 1];
    if (octet === LF || (octet === CR && next === LF)) {
      if (octet === CR) at += 1;
      out += '\r\n';
      column = 0;
      continue;
    }
    const endsLine = next === undefined || next === LF || (next === CR && octets[at + 2] === LF);
    const plain = (octet > SPACE && octet < 0x7f && octet !== EQUALS) || (isBlank(octet) && !endsLine);
    const piece = plain
      ? String.fromCharCode(octet)
      : `=${octet.toString(16).toUpperCase().padStart(2, '0')}`;
    if (column + piece.length > (endsLine ? 76 : 75)) {
      out += '=\r\n';
      column = 0;
    }
    out += piece;
    column += piece.length;
  }
  return out;
}
