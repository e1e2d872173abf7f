/**
 * Content-Transfer-Encodings as streaming encoders: chunks of any size in, encoded octets out; any cut of the input gives the
 * same octets. What is decoded again is the input, octet by octet. Never throws, linear, keeps three octets at most.
 *
 * Source: RFC 2045 §6.7 (quoted-printable), §6.8 (base64).
 */
import { CR, LF, SPACE, TAB, toBuffer } from '../base/bytes.ts';

export type TransferEncoder = {
  push(chunk: Uint8Array): Uint8Array;
  /** Once, after the last chunk. */
  end(): Uint8Array;
};

const EQUALS = 0x3d;
const DASH = 0x2d;
/** Stands for an octet that goes: in no boundary that RFC 2046 §5.1.1 allows, and nothing in base64. */
export const MASK = '#';
/** Characters of an encoded line, its CRLF not counted. */
const LINE_MAX = 76;
const BASE64_LINE_OCTETS = 57;
const HEX = Buffer.from('0123456789ABCDEF');
const EMPTY = Buffer.alloc(0);

/** Lines of 76 characters, each with its CRLF. */
export class Base64Encoder implements TransferEncoder {
  #carry: Buffer = EMPTY;

  push(chunk: Uint8Array): Uint8Array {
    const octets = this.#carry.length === 0 ? toBuffer(chunk) : Buffer.concat([this.#carry, chunk]);
    const whole = octets.length - (octets.length % BASE64_LINE_OCTETS);
    // The chunk may be reused by the caller afterwards.
    this.#carry = Buffer.from(octets.subarray(whole));
    return toLines(octets.subarray(0, whole));
  }

  end(): Uint8Array {
    return toLines(this.#carry);
  }
}

function toLines(octets: Buffer): Buffer {
  const text = octets.toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += LINE_MAX) lines.push(text.slice(at, at + LINE_MAX), '\r\n');
  return Buffer.from(lines.join(''), 'latin1');
}

/**
 * CRLF is a line end and stays one; every other octet that is not printable ASCII is escaped, a CR or LF alone too. No line
 * begins with a dash: it must not be taken for a boundary.
 */
export class QuotedPrintableEncoder implements TransferEncoder {
  #carry: Buffer = EMPTY;
  #column = 0;

  push(chunk: Uint8Array): Uint8Array {
    return this.#encode(
      this.#carry.length === 0 ? toBuffer(chunk) : Buffer.concat([this.#carry, chunk]),
      false,
    );
  }

  end(): Uint8Array {
    return this.#encode(this.#carry, true);
  }

  #encode(octets: Buffer, final: boolean): Buffer {
    const out = Buffer.allocUnsafe(octets.length * 4 + 16);
    // An octet is written as the two that follow it allow.
    const stop = final ? octets.length : octets.length - 2;
    let size = 0;
    let column = this.#column;
    let at = 0;
    for (; at < stop; at += 1) {
      const octet = octets[at] ?? 0;
      if (octet === CR && octets[at + 1] === LF) {
        at += 1;
        out[size] = CR;
        out[size + 1] = LF;
        size += 2;
        column = 0;
        continue;
      }
      const next = octets[at + 1];
      const endsLine = next === undefined || (next === CR && octets[at + 2] === LF);
      const mayBePlain =
        (octet > SPACE && octet < 0x7f && octet !== EQUALS) ||
        ((octet === SPACE || octet === TAB) && !endsLine);
      // A line that goes on ends in the equals sign of a soft break.
      if (column + (mayBePlain ? 1 : 3) > (endsLine ? LINE_MAX : LINE_MAX - 1)) {
        size = writeSoftBreak(out, size);
        column = 0;
      }
      const isPlain = mayBePlain && (octet !== DASH || column > 0);
      const width = isPlain ? 1 : 3;
      if (isPlain) out[size] = octet;
      else writeEscape(out, size, octet);
      size += width;
      column += width;
    }
    this.#column = column;
    this.#carry = Buffer.from(octets.subarray(Math.max(0, at)));
    return out.subarray(0, size);
  }
}

/**
 * Text that is quoted-printable already, but for octets beyond ASCII, which stand for themselves: those are escaped, and a
 * dash at the beginning of a line, as above.
 */
export class QuotedPrintableMender implements TransferEncoder {
  #column = 0;

  push(chunk: Uint8Array): Uint8Array {
    const out = Buffer.allocUnsafe(chunk.length * 6);
    let size = 0;
    for (const octet of chunk) {
      if (octet < 0x80 && (octet !== DASH || this.#column > 0)) {
        out[size] = octet;
        size += 1;
        this.#column = octet === LF ? 0 : this.#column + 1;
        continue;
      }
      if (this.#column + 3 > LINE_MAX - 1) {
        size = writeSoftBreak(out, size);
        this.#column = 0;
      }
      writeEscape(out, size, octet);
      size += 3;
      this.#column += 3;
    }
    return out.subarray(0, size);
  }

  end(): Uint8Array {
    return EMPTY;
  }
}

/** Octets beyond ASCII go: in base64, where they mean nothing (RFC 2045 §6.8), and in text that nobody is to read. */
export class AsciiMask implements TransferEncoder {
  push(chunk: Uint8Array): Uint8Array {
    return chunk.map((octet) => (octet < 0x80 ? octet : MASK.charCodeAt(0)));
  }

  end(): Uint8Array {
    return EMPTY;
  }
}

function writeEscape(out: Buffer, at: number, octet: number): void {
  out[at] = EQUALS;
  out[at + 1] = HEX[octet >> 4] ?? 0;
  out[at + 2] = HEX[octet & 15] ?? 0;
}

function writeSoftBreak(out: Buffer, at: number): number {
  out[at] = EQUALS;
  out[at + 1] = CR;
  out[at + 2] = LF;
  return at + 3;
}
