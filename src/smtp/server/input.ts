/** The octets a session has in hand: lines are cut off the front, content is taken as it lies. One copy at most. */
import { Buffer } from 'node:buffer';
import { CR, toBuffer } from '../../base/bytes.ts';
import { scanCommandLine } from '../wire/command-line.ts';

export type InputLine =
  | { readonly kind: 'line'; readonly line: Buffer }
  | { readonly kind: 'need-more' }
  /** Said once for such a line; what is left of it, up to its CRLF, is skipped. */
  | { readonly kind: 'bare-newline' }
  | { readonly kind: 'too-long' }
  /** The skipped line goes on and on. */
  | { readonly kind: 'endless' };

export class Input {
  readonly #skipOctetsMax: number;
  #octets: Buffer = EMPTY;
  #at = 0;
  /** Octets skipped of a line that was refused; undefined while no line is. */
  #skipped: number | undefined;

  constructor(skipOctetsMax: number) {
    this.#skipOctetsMax = skipOctetsMax;
  }

  get empty(): boolean {
    return this.#at === this.#octets.length;
  }

  add(chunk: Uint8Array): void {
    this.#octets = this.empty ? toBuffer(chunk) : Buffer.concat([this.#octets.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** Whether the next line begins with these capitals, in either case; false where too little has come to say. */
  beginsWith(capitals: string): boolean {
    const head = this.#octets.toString('latin1', this.#at, this.#at + capitals.length);
    return head.length === capitals.length && head.toUpperCase() === capitals;
  }

  nextLine(lineOctetsMax: number): InputLine {
    if (this.#skipped !== undefined && !this.#skip(this.#skipped))
      return (this.#skipped ?? 0) > this.#skipOctetsMax ? ENDLESS : NEED_MORE;
    const scan = scanCommandLine(this.#octets, this.#at, lineOctetsMax);
    switch (scan.kind) {
      case 'line': {
        const line = this.#octets.subarray(this.#at, scan.end);
        this.#at = scan.end + 2;
        return { kind: 'line', line };
      }
      case 'need-more':
        return NEED_MORE;
      case 'bare-newline':
      case 'too-long':
        this.#skipped = 0;
        return scan;
    }
  }

  /** Up to `count` octets as they lie; empty where none are in hand. */
  take(count: number): Buffer {
    const taken = this.#octets.subarray(this.#at, this.#at + count);
    this.#at += taken.length;
    return taken;
  }

  takeAll(): Buffer {
    return this.take(this.#octets.length);
  }

  /** Puts back the end of what was taken last. */
  giveBack(rest: Uint8Array): void {
    this.#octets = toBuffer(rest);
    this.#at = 0;
  }

  /** True once the CRLF of the refused line is behind. */
  #skip(skipped: number): boolean {
    const end = this.#octets.indexOf('\r\n', this.#at, 'latin1');
    if (end !== -1) {
      this.#at = end + 2;
      this.#skipped = undefined;
      return true;
    }
    const keepCr = this.#octets.length > this.#at && this.#octets[this.#octets.length - 1] === CR;
    const until = keepCr ? this.#octets.length - 1 : this.#octets.length;
    this.#skipped = skipped + until - this.#at;
    this.#at = until;
    return false;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
const NEED_MORE = { kind: 'need-more' } as const;
const ENDLESS = { kind: 'endless' } as const;
