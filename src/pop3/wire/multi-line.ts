/**
 * A message as a multi-line response: every line ends with CRLF, and one that begins with a dot gets another
 * (RFC 1939 §3). Works on chunks as they come; octets that need nothing are passed on without a copy.
 */
import { Buffer } from 'node:buffer';
import { CR, LF, toBuffer } from '../../base/bytes.ts';

const DOT = 0x2e;
const END: Buffer = Buffer.from('.\r\n');
const END_WITH_CRLF: Buffer = Buffer.from('\r\n.\r\n');

export class MultiLine {
  #last = LF;
  #lastWasCr = false;

  /** What is to be sent of a chunk: itself where nothing is to be added, else one copy, however many dots there are. */
  push(chunk: Uint8Array): Buffer {
    const octets = toBuffer(chunk);
    if (octets.length === 0) return octets;
    const added: Addition[] = [];
    if (this.#last === LF && octets[0] === DOT) added.push({ before: 0, octet: DOT });
    for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) {
      const hasCr = at === 0 ? this.#lastWasCr : octets[at - 1] === CR;
      if (!hasCr) added.push({ before: at, octet: CR });
      if (octets[at + 1] === DOT) added.push({ before: at + 1, octet: DOT });
    }
    this.#last = octets[octets.length - 1] ?? LF;
    this.#lastWasCr = this.#last === CR;
    return added.length === 0 ? octets : withAdded(octets, added);
  }

  /** The end of the response; what does not end with a line end gets one. */
  end(): Buffer {
    return this.#last === LF ? END : END_WITH_CRLF;
  }
}

type Addition = { readonly before: number; readonly octet: number };

function withAdded(octets: Buffer, added: readonly Addition[]): Buffer {
  const out = Buffer.allocUnsafe(octets.length + added.length);
  let written = 0;
  let from = 0;
  for (const { before, octet } of added) {
    written += octets.copy(out, written, from, before);
    written = out.writeUInt8(octet, written);
    from = before;
  }
  octets.copy(out, written, from);
  return out;
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
