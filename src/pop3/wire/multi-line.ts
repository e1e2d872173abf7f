/**
 * A message as a multi-line response: every line ends with CRLF, and one that begins with a dot gets another
 * (RFC 1939 §3). Works on chunks as they come; octets that need nothing are passed on without a copy.
 */
import { Buffer } from 'node:buffer';
import { CR, LF, toBuffer } from '../../base/bytes.ts';

const DOT = 0x2e;
const DOT_OCTETS: Buffer = Buffer.from('.');
const CRLF_OCTETS: Buffer = Buffer.from('\r\n');
const END: Buffer = Buffer.from('.\r\n');
const END_WITH_CRLF: Buffer = Buffer.from('\r\n.\r\n');

export class MultiLine {
  #last = LF;
  #lastWasCr = false;

  /** Adds what is to be sent of a chunk. */
  push(chunk: Uint8Array, out: Buffer[]): void {
    const octets = toBuffer(chunk);
    if (octets.length === 0) return;
    // What lies before `from` is out already.
    let from = 0;
    if (this.#last === LF && octets[0] === DOT) out.push(DOT_OCTETS);
    for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) {
      const hasCr = at === 0 ? this.#lastWasCr : octets[at - 1] === CR;
      if (!hasCr) {
        if (at > from) out.push(octets.subarray(from, at));
        out.push(CRLF_OCTETS);
        from = at + 1;
      }
      if (octets[at + 1] === DOT) {
        if (at + 1 > from) out.push(octets.subarray(from, at + 1));
        out.push(DOT_OCTETS);
        from = at + 1;
      }
    }
    if (from < octets.length) out.push(octets.subarray(from));
    this.#last = octets[octets.length - 1] ?? LF;
    this.#lastWasCr = this.#last === CR;
  }

  /** The end of the response; what does not end with a line end gets one. */
  end(out: Buffer[]): void {
    out.push(this.#last === LF ? END : END_WITH_CRLF);
  }
}

/** Finds where TOP ends: behind the header, the empty line and so many lines of the body (RFC 1939 §7). */
export class TopCutter {
  #linesLeft: number;
  #inHeader = true;
  /** The line in hand has had nothing yet but perhaps one CR. */
  #isEmpty = true;
  #lineOctets = 0;

  constructor(lines: number) {
    this.#linesLeft = lines;
  }

  /** How much of the chunk belongs to it; less than all of it means the end. */
  take(chunk: Uint8Array): number {
    const octets = toBuffer(chunk);
    let start = 0;
    for (;;) {
      if (!this.#inHeader && this.#linesLeft === 0) return start;
      const end = octets.indexOf(LF, start);
      const content = end === -1 ? octets.length : end;
      this.#lineOctets += content - start;
      if (this.#lineOctets > 1 || (content > start && octets[start] !== CR)) this.#isEmpty = false;
      if (end === -1) return octets.length;
      if (!this.#inHeader) this.#linesLeft -= 1;
      else if (this.#isEmpty) this.#inHeader = false;
      this.#isEmpty = true;
      this.#lineOctets = 0;
      start = end + 1;
    }
  }

  /** Whether all was seen that is to be sent. */
  get isDone(): boolean {
    return !this.#inHeader && this.#linesLeft === 0;
  }
}
