/**
 * Keeps the counts of accounts and of failures to sign in over a restart, in a small file beside the data. It is written in
 * the background, at most once a minute and only where something was counted: after a crash the last minute is forgotten.
 * What strangers do is counted by the hour at most, and is not kept.
 */
import { readFile, stat } from 'node:fs/promises';
import type { Clock, Timer } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { LIMITS } from '../base/limits.ts';
import { replaceFile } from '../disk/replace-file.ts';
import { bucketsOf, createRateMemory, restoreBuckets, type RateMemory } from './rate-table.ts';
import { decodeRateSnapshot, encodeRateSnapshot, snapshotOctetsMax } from './wire/rate-snapshot.ts';

/** In their order in the file. */
const KEPT = ['account', 'sign-in'] as const;

export type OpenedRates = {
  readonly memory: RateMemory;
  /** What was wrong with the file, where there is one: then all buckets are full. */
  readonly lost: Fault | undefined;
};

/** Never throws: a server must start without it. */
export async function openRates(
  path: string,
  create: (secret?: string) => RateMemory = (secret) =>
    createRateMemory(undefined, undefined, undefined, secret),
): Promise<OpenedRates> {
  const fresh = create();
  const words = KEPT.map((kind) => wordsOf(fresh[kind]));
  try {
    const { size } = await stat(path);
    const snapshot = size > snapshotOctetsMax(words) ? undefined : decodeRateSnapshot(await readFile(path));
    if (snapshot === undefined) throw new Error('It is torn, or of another version');
    const { secret, tables } = snapshot;
    if (tables.length !== words.length || tables.some((table, number) => table.words !== words[number]))
      throw new Error('Its tables are of another size');
    const memory = create(secret);
    for (const [number, kind] of KEPT.entries()) restoreBuckets(memory[kind], tables[number]?.buckets ?? []);
    return { memory, lost: undefined };
  } catch (cause) {
    const isThere = !(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT');
    return { memory: fresh, lost: isThere ? new Fault(`Reading ${path}`, cause) : undefined };
  }
}

export class RateKeeper {
  readonly #path: string;
  readonly #memory: RateMemory;
  readonly #clock: Clock;
  readonly #onFault: (cause: unknown) => void;
  #written: Buffer | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(path: string, memory: RateMemory, clock: Clock, onFault: (cause: unknown) => void) {
    this.#path = path;
    this.#memory = memory;
    this.#clock = clock;
    this.#onFault = onFault;
  }

  start(): void {
    this.#timer = this.#clock.after(LIMITS.ratesKeptMs, () => {
      this.#writing = this.#keep().finally(() => {
        if (!this.#isStopped) this.start();
      });
    });
  }

  /** When nobody counts any more: writes what there is. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#writing;
    await this.#keep();
  }

  /** Never rejects: the next minute tries again. */
  async #keep(): Promise<void> {
    const { secret } = this.#memory;
    const nowMs = this.#clock.nowMs();
    const tables = KEPT.map((kind) => ({
      words: wordsOf(this.#memory[kind]),
      buckets: bucketsOf(this.#memory[kind], nowMs),
    }));
    const octets = encodeRateSnapshot({ secret, tables });
    const isSame = this.#written?.equals(octets) ?? tables.every(({ buckets }) => buckets.length === 0);
    if (isSame) return;
    try {
      await replaceFile(this.#path, octets);
      this.#written = octets;
    } catch (cause) {
      this.#onFault(new Fault(`Writing ${this.#path}`, cause));
    }
  }
}

function wordsOf(memory: SharedArrayBuffer): number {
  return memory.byteLength / BigInt64Array.BYTES_PER_ELEMENT;
}
