/**
 * The content of DATA. {@link DataDecoder} takes the stuffed octets apart, {@link DataEncoder} stuffs them. Both are fed
 * chunks as they come and keep at most three octets between them.
 *
 * Only CRLF "." CRLF ends the data. A CR or LF on its own never ends a line, so it never ends the data either; that one
 * was met is remembered, and the session refuses the message. Sources: RFC 5321 §2.3.8, §4.1.1.4, §4.5.2.
 */
import { Buffer } from 'node:buffer';
import { CR, CRLF, LF, toBuffer } from '../../base/bytes.ts';

export type DataStep =
  /** `octets` is content, perhaps empty; there is more to come. */
  | { readonly kind: 'more'; readonly octets: Uint8Array }
  /** The last content, and what followed the final dot: the next commands. */
  | { readonly kind: 'end'; readonly octets: Uint8Array; readonly rest: Uint8Array };

export class DataDecoder {
  /** A CR without LF or an LF without CR was among the content so far. */
  bareNewline = false;
  #atLineStart = true;
  #carry: Buffer = EMPTY;

  push(chunk: Uint8Array): DataStep {
    const input = this.#carry.length === 0 ? toBuffer(chunk) : Buffer.concat([this.#carry, chunk]);
    this.#carry = EMPTY;
    const stuffed: number[] = [];
    let limit = input.length;
    let end = -1;
    let dot = this.#atLineStart && input[0] === DOT ? 0 : nextDot(input, 0);
    while (dot !== -1) {
      const next = input[dot + 1];
      const afterNext = input[dot + 2];
      if (next === CR && afterNext === LF) {
        end = dot;
        limit = dot;
        break;
      }
      if (next === undefined || (next === CR && afterNext === undefined)) {
        // Not to be told yet from the final dot.
        this.#carry = input.subarray(dot);
        limit = dot;
        break;
      }
      stuffed.push(dot);
      dot = nextDot(input, dot + 1);
    }
    if (end === -1 && this.#carry.length === 0 && input[limit - 1] === CR) {
      limit -= 1;
      this.#carry = input.subarray(limit);
    }
    if (!this.bareNewline && BARE_NEWLINE.test(input.toString('latin1', 0, limit))) this.bareNewline = true;
    if (limit > 0) this.#atLineStart = input[limit - 1] === LF && input[limit - 2] === CR;
    const octets = stuffed.length === 0 ? input.subarray(0, limit) : without(input, stuffed, limit);
    return end === -1 ? { kind: 'more', octets } : { kind: 'end', octets, rest: input.subarray(end + 3) };
  }
}

/** The offset of the next dot at the head of a line. */
function nextDot(input: Buffer, from: number): number {
  const found = input.indexOf(CRLF_DOT, from);
  return found === -1 ? -1 : found + 2;
}

/** The octets before `limit` without those at the offsets; one copy, however many dots a peer stuffs. */
function without(input: Buffer, offsets: readonly number[], limit: number): Buffer {
  const out = Buffer.allocUnsafe(limit);
  let written = 0;
  let from = 0;
  for (const offset of offsets) {
    written += input.copy(out, written, from, offset);
    from = offset + 1;
  }
  written += input.copy(out, written, from, limit);
  return out.subarray(0, written);
}

/**
 * Whether a CR or LF stands alone, in octets that come in chunks (BDAT brings them as they are). A CR at the end of the
 * octets so far is still open; {@link NewlineCheck.finish} closes it.
 */
export class NewlineCheck {
  bare = false;
  #openCr = false;

  push(chunk: Uint8Array): void {
    if (this.bare || chunk.length === 0) return;
    if (this.#openCr !== (chunk[0] === LF)) {
      this.bare = true;
      return;
    }
    const from = this.#openCr ? 1 : 0;
    this.#openCr = chunk.at(-1) === CR;
    const until = this.#openCr ? chunk.length - 1 : chunk.length;
    this.bare = BARE_NEWLINE.test(toBuffer(chunk).toString('latin1', from, Math.max(from, until)));
  }

  finish(): boolean {
    return this.bare || this.#openCr;
  }
}

/**
 * Dot-stuffing for the way out. A bare CR or LF goes out as CRLF, so that no receiver that takes one for a line end can be
 * made to see a second message (RFC 5321 §2.3.8 forbids sending them); the octets kept are not touched. A last line
 * without its end gets one.
 */
export class DataEncoder {
  readonly #stuffing: boolean;
  #atLineStart = true;
  #openCr = false;

  /** @param how 'BDAT' mends line ends only: a chunk's end is counted, not marked (RFC 3030 §2) */
  constructor(how: 'DATA' | 'BDAT' = 'DATA') {
    this.#stuffing = how === 'DATA';
  }

  push(chunk: Uint8Array): Uint8Array {
    if (chunk.length === 0) return EMPTY;
    const input = toBuffer(chunk);
    if (this.#openCr || input[input.length - 1] === CR || BARE_NEWLINE.test(input.toString('latin1')))
      return this.#mended(input);
    const head = this.#stuffing && this.#atLineStart && input[0] === DOT;
    this.#atLineStart = input[input.length - 1] === LF;
    let found = this.#stuffing ? nextDot(input, 0) : -1;
    if (!head && found === -1) return input;
    const pieces: Uint8Array[] = head ? [ONE_DOT] : [];
    let from = 0;
    for (; found !== -1; found = nextDot(input, found + 1)) {
      pieces.push(input.subarray(from, found), ONE_DOT);
      from = found;
    }
    pieces.push(input.subarray(from));
    return Buffer.concat(pieces);
  }

  /** What ends the content: the missing line end if there is one, and in DATA the final dot. */
  finish(): Uint8Array {
    const complete = this.#atLineStart && !this.#openCr;
    if (!this.#stuffing) return complete ? EMPTY : CRLF;
    return complete ? FINAL_DOT : CRLF_FINAL_DOT;
  }

  /** The slow way, for chunks with line ends to mend or one cut in two. */
  #mended(input: Buffer): Uint8Array {
    const out = Buffer.allocUnsafe(input.length * 3 + 2);
    let written = 0;
    for (const octet of input) {
      if (this.#openCr || octet === LF) {
        written = out.writeUInt8(CR, written);
        written = out.writeUInt8(LF, written);
        this.#atLineStart = true;
        this.#openCr = false;
        if (octet === LF) continue;
      }
      if (octet === CR) {
        this.#openCr = true;
        continue;
      }
      if (this.#stuffing && this.#atLineStart && octet === DOT) written = out.writeUInt8(DOT, written);
      this.#atLineStart = false;
      written = out.writeUInt8(octet, written);
    }
    return out.subarray(0, written);
  }
}

const DOT = 0x2e;
const EMPTY: Buffer = Buffer.alloc(0);
const ONE_DOT: Buffer = Buffer.from('.');
const CRLF_DOT: Buffer = Buffer.from('\r\n.');
const FINAL_DOT: Buffer = Buffer.from('.\r\n');
const CRLF_FINAL_DOT: Buffer = Buffer.from('\r\n.\r\n');
/** Measured on mail of 77-octet lines: 2 GB/s, against 0.8 GB/s for two indexOf a line and 0.4 GB/s for a loop. */
const BARE_NEWLINE = /\r(?!\n)|(?<!\r)\n/;
