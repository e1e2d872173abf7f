/**
 * DEFLATE (RFC 1951) over a connection, as RFC 4978 §4 uses it: raw, flushed behind each batch. The work is done in threads of Node.
 *
 * What is inflated and not asked for is bounded: inflating stops until it is read, so octets that grow a thousandfold fill no memory.
 * A stream that cannot be inflated, or that ends while it is in use, cuts the connection.
 */
import type { TransformOptions } from 'node:stream';
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  type InflateRaw,
  type ZlibOptions,
} from 'node:zlib';
import type { CompressedConnection } from '../base/compression.ts';
import type { Connection, Endpoint, ReadStop, TlsInfo, TlsProblem } from '../base/connection.ts';
import { LIMITS } from '../base/limits.ts';
import { err, type Result } from '../base/result.ts';

/** Deflated at once: what comes of it stays in bounds. */
const SLICE_OCTETS = 32_768;
const NOTHING = new Uint8Array(0);

type Options = ZlibOptions & Pick<TransformOptions, 'highWaterMark'>;
const DEFLATE: Options = {
  flush: constants.Z_SYNC_FLUSH,
  windowBits: LIMITS.imapDeflateWindowBits,
  memLevel: LIMITS.imapDeflateMemoryLevel,
  highWaterMark: 4 * SLICE_OCTETS,
};
const INFLATE: Options = { highWaterMark: LIMITS.imapInflatedOctetsMax };

export class DeflateConnection implements CompressedConnection {
  readonly #beneath: Connection;
  readonly #deflate: DeflateRaw;
  readonly #inflate: InflateRaw;
  /** Octets given to inflate so far. */
  #given = 0;
  /** What came behind the end of the peer's stream. */
  #behind: Uint8Array = NOTHING;
  #inflating = false;
  #broken = false;
  /** Whoever waits for inflate to have got on. */
  #progress: (() => void) | undefined;

  constructor(beneath: Connection) {
    this.#beneath = beneath;
    this.#deflate = createDeflateRaw(DEFLATE);
    this.#inflate = createInflateRaw(INFLATE);
    this.#inflate.on('readable', () => this.#progress?.());
    const broken = (): void => this.#break();
    this.#inflate.on('error', broken);
    this.#deflate.on('error', broken);
  }

  get remote(): Endpoint {
    return this.#beneath.remote;
  }

  get local(): Endpoint {
    return this.#beneath.local;
  }

  get tls(): TlsInfo | undefined {
    return this.#beneath.tls;
  }

  get gone(): Connection['gone'] {
    return this.#beneath.gone;
  }

  async read(idleMs: number): Promise<Uint8Array | ReadStop> {
    for (;;) {
      const octets = this.tryRead();
      if (octets !== undefined) return octets;
      if (this.#broken) return 'reset';
      if (this.#inflating) await this.#nextProgress();
      else if (this.#behind.length > 0) this.destroy();
      else {
        const got = await this.#beneath.read(idleMs);
        if (typeof got === 'string') return got;
        this.#give(got);
      }
    }
  }

  tryRead(): Uint8Array | undefined {
    const octets: unknown = this.#broken ? null : this.#inflate.read();
    return octets instanceof Uint8Array ? octets : undefined;
  }

  wake(): void {
    this.#beneath.wake();
  }

  async write(octets: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const batch = octets instanceof Uint8Array ? octets : Buffer.concat(octets);
    for (let at = 0; at < batch.length && !this.#broken; at += SLICE_OCTETS) {
      const slice = batch.subarray(at, at + SLICE_OCTETS);
      await new Promise<void>((resolve) => {
        this.#deflate.write(slice, () => resolve());
      });
      await this.#send();
    }
  }

  /** RFC 4978 §3: TLS is always beneath compression, so it begins there or not at all. */
  async startTls(): Promise<Result<TlsInfo, TlsProblem>> {
    return err({ kind: 'handshake', text: 'The connection is compressed' });
  }

  async end(): Promise<Uint8Array> {
    const last: Buffer[] = [];
    if (!this.#broken)
      await new Promise<void>((resolve) => {
        this.#deflate
          .on('data', (octets: Buffer) => last.push(octets))
          .once('close', resolve)
          .end();
      });
    await this.#beneath.write(last);
    while (this.#inflating && !this.#broken) {
      this.tryRead();
      if (this.#inflating) await this.#nextProgress();
    }
    this.release();
    return this.#behind;
  }

  release(): void {
    this.#broken = true;
    this.#deflate.destroy();
    this.#inflate.destroy();
    this.#progress?.();
  }

  async close(): Promise<void> {
    this.release();
    await this.#beneath.close();
  }

  destroy(): void {
    this.release();
    this.#beneath.destroy();
  }

  #give(octets: Uint8Array): void {
    this.#given += octets.length;
    this.#inflating = true;
    this.#inflate.write(octets, () => {
      this.#inflating = false;
      // What is left over was not of the stream: it has ended.
      const left = this.#given - this.#inflate.bytesWritten;
      if (left > 0) this.#behind = octets.subarray(octets.length - left);
      this.#progress?.();
    });
  }

  async #nextProgress(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#progress = resolve;
    });
    this.#progress = undefined;
  }

  async #send(): Promise<void> {
    while (!this.#broken) {
      const octets: unknown = this.#deflate.read();
      if (!(octets instanceof Uint8Array)) return;
      await this.#beneath.write(octets);
    }
  }

  #break(): void {
    if (!this.#broken) this.destroy();
  }
}
