/** Says to `injector.c` in a server which of its calls to the disk fail, and how. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { constants } from 'node:os';
import { buildLibrary } from '../preload.ts';

/** Bits. */
export const CALL = { open: 1, read: 2, write: 4, sync: 8, cut: 16, name: 32, map: 64 } as const;
const ALL_CALLS = 127;

const { EIO, ENOSPC, EMFILE, ENOMEM } = constants.errno;
export type Fault = { readonly error: number; readonly calls: number };

/** What calls meet. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  EIO: { error: EIO, calls: ALL_CALLS },
  ENOSPC: { error: ENOSPC, calls: CALL.open | CALL.write | CALL.sync | CALL.cut | CALL.name },
  EMFILE: { error: EMFILE, calls: CALL.open },
  ENOMEM: { error: ENOMEM, calls: CALL.open | CALL.map | CALL.read | CALL.write },
  slow: { error: -1, calls: ALL_CALLS },
  short: { error: -2, calls: CALL.write },
};

/** A write that says it was done, and was not: a disk that does this is found out, not borne. */
export const LIE: Fault = { error: -3, calls: CALL.write };

const PAGE_OCTETS = 4096;
const PLACE = { calls: 0, from: 8, to: 16, hits: 24, kinds: 32, error: 36, last: 40 } as const;

export class Injector {
  readonly #page: number;
  /** For the server. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(page: number, env: Readonly<Record<string, string>>) {
    this.#page = page;
    this.env = env;
  }

  /** @param root a real path */
  static async make(folder: string, root: string): Promise<Injector> {
    const library = await buildLibrary(new URL('injector.c', import.meta.url), folder);
    const path = join(folder, 'page');
    const page = openSync(path, 'w+');
    writeSync(page, Buffer.alloc(PAGE_OCTETS));
    return new Injector(page, {
      LD_PRELOAD: library,
      FAULT_ROOT: root,
      FAULT_PAGE: path,
      UV_USE_IO_URING: '0',
    });
  }

  close(): void {
    closeSync(this.#page);
  }

  /** The calls from the one on that is the `from`th from now fail, `count` of them. */
  arm({ error, calls }: Fault, from: number, count: number): void {
    const octets = Buffer.alloc(PLACE.last + 4);
    octets.writeBigUInt64LE(BigInt(from), PLACE.from);
    octets.writeBigUInt64LE(BigInt(from + count - 1), PLACE.to);
    octets.writeUInt32LE(calls, PLACE.kinds);
    octets.writeInt32LE(error, PLACE.error);
    writeSync(this.#page, octets, 0, octets.length, 0);
  }

  /** No call fails any more; gives how many have, and the kind of the last. */
  disarm(): { readonly hits: number; readonly last: string } {
    const octets = Buffer.alloc(PLACE.last + 4);
    writeSync(this.#page, Buffer.alloc(4), 0, 4, PLACE.kinds);
    readSync(this.#page, octets, 0, octets.length, 0);
    const last = octets.readUInt32LE(PLACE.last);
    const name = Object.entries(CALL).find(([, bit]) => bit === last)?.[0] ?? 'none';
    return { hits: Number(octets.readBigUInt64LE(PLACE.hits)), last: name };
  }
}
