/**
 * Cuts lines off what comes, however the network cut it. A line ends with CRLF; LF alone is taken too, as people type it.
 * A line over the limit is told once and skipped; one that goes on and on is `endless`.
 */
import { Buffer } from 'node:buffer';
import { CR, LF, toBuffer } from '../../base/bytes.ts';

export type Line =
  | { readonly kind: 'line'; readonly octets: Buffer }
  | { readonly kind: 'need-more' }
  | { readonly kind: 'too-long' }
  | { readonly kind: 'endless' };

export type LineLimits = {
  /** Its end included. */
  readonly lineOctetsMax: number;
  /** Of one line beyond that, before it is endless. */
  readonly skipOctetsMax: number;
};

export class LineReader {
  #octets: Buffer = EMPTY;
  #at = 0;
  /** Octets skipped of a line that was refused. */
  #skipped: number | undefined;

  /** Octets that wait to be read. */
  get pending(): number {
    return this.#octets.length - this.#at;
  }

  push(chunk: Uint8Array): void {
    this.#octets =
      this.pending === 0 ? toBuffer(chunk) : Buffer.concat([this.#octets.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  discard(): void {
    this.#octets = EMPTY;
    this.#at = 0;
  }

  next({ lineOctetsMax, skipOctetsMax }: LineLimits): Line {
    if (this.#skipped !== undefined) {
      const end = this.#octets.indexOf(LF, this.#at);
      const until = end === -1 ? this.#octets.length : end + 1;
      this.#skipped += until - this.#at;
      this.#at = until;
      if (this.#skipped > skipOctetsMax) return ENDLESS;
      if (end === -1) return NEED_MORE;
      this.#skipped = undefined;
    }
    const end = this.#octets.indexOf(LF, this.#at);
    const length = (end === -1 ? this.#octets.length : end + 1) - this.#at;
    if (length > lineOctetsMax) {
      this.#skipped = 0;
      return TOO_LONG;
    }
    if (end === -1) return NEED_MORE;
    const octets = this.#octets.subarray(
      this.#at,
      this.#octets[end - 1] === CR && end > this.#at ? end - 1 : end,
    );
    this.#at = end + 1;
    return { kind: 'line', octets };
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
const NEED_MORE = { kind: 'need-more' } as const;
const TOO_LONG = { kind: 'too-long' } as const;
const ENDLESS = { kind: 'endless' } as const;
