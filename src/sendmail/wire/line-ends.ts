/**
 * What programs write, as mail travels: every line ends in CRLF, whether it came with LF, CRLF or a CR alone (which ends
 * a line for who wrote it; nowhere in mail may it stand alone, RFC 5322 §2.3). A line with a dot alone ends the message
 * where that was asked for. The last line gets its end. Keeps one octet of state; any cut of the input gives the same.
 */
import { Buffer } from 'node:buffer';
import { CR, LF } from '../../base/bytes.ts';

const DOT = 0x2e;

export class LineEnds {
  readonly #dotEnds: boolean;
  /** A CR was the last octet. */
  #afterCr = false;
  /** Octets of the line so far: what matters is none, a dot alone, or more. */
  #line: 'empty' | 'dot' | 'some' = 'empty';
  #isOver = false;

  constructor(dotEnds: boolean) {
    this.#dotEnds = dotEnds;
  }

  /** The end was seen: what else comes is not part of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  push(input: Uint8Array): Uint8Array {
    const out = Buffer.allocUnsafe(input.length * 2 + 2);
    let size = 0;
    const endLine = (): void => {
      if (this.#line === 'dot') {
        if (this.#dotEnds) {
          this.#isOver = true;
          return;
        }
        out[size++] = DOT;
      }
      out[size++] = CR;
      out[size++] = LF;
      this.#line = 'empty';
    };
    for (const octet of input) {
      if (this.#isOver) break;
      if (octet === LF && this.#afterCr) {
        this.#afterCr = false;
        continue;
      }
      this.#afterCr = octet === CR;
      if (octet === CR || octet === LF) endLine();
      else if (octet === DOT && this.#line === 'empty') this.#line = 'dot';
      else {
        if (this.#line === 'dot') out[size++] = DOT;
        this.#line = 'some';
        out[size++] = octet;
      }
    }
    return out.subarray(0, size);
  }

  /** After the last octet. */
  end(): Uint8Array {
    const { isOver } = this;
    const line = this.#line;
    this.#isOver = true;
    if (isOver || line === 'empty' || (line === 'dot' && this.#dotEnds)) return Buffer.alloc(0);
    return Buffer.from(line === 'dot' ? '.\r\n' : '\r\n');
  }
}
