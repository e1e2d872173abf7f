/**
 * How many connections stand: in all, and for each service from one network. All threads count in the same shared memory, so
 * that the limits hold for the whole process, and a flood of one service cannot take the descriptors that others need.
 *
 * Networks are counted by a keyed hash: memory is fixed however many come. Two networks in one slot share a limit; who that
 * is differs from start to start and cannot be chosen.
 */
import { hash, randomBytes } from 'node:crypto';

/** Plain data for `workerData`: the memory is shared, not copied. */
export type AdmissionTable = {
  readonly threads: number;
  /** One count for each thread. */
  readonly totals: SharedArrayBuffer;
  /** For each thread one count for each slot. */
  readonly networks: SharedArrayBuffer;
  readonly secret: string;
};

export type AdmissionLimits = {
  /** Of all services and threads. */
  readonly connectionsMax: number;
  /** Of one service, from one network. */
  readonly connectionsPerNetworkMax: number;
};

export type AdmissionProblem = 'too-many' | 'too-many-from-address';

const SLOTS = 16_384;

export function createAdmissionTable(threads: number): AdmissionTable {
  return {
    threads,
    totals: new SharedArrayBuffer(threads * Uint32Array.BYTES_PER_ELEMENT),
    networks: new SharedArrayBuffer(threads * SLOTS * Uint32Array.BYTES_PER_ELEMENT),
    secret: randomBytes(16).toString('base64'),
  };
}

/** The door of one thread. */
export class Admission {
  readonly #totals: Uint32Array;
  readonly #networks: Uint32Array;
  readonly #secret: string;
  readonly #threads: number;
  readonly #thread: number;
  readonly #limits: AdmissionLimits;

  /** @param thread from 0; a thread that took the place of a dead one begins with nothing */
  constructor(table: AdmissionTable, thread: number, limits: AdmissionLimits) {
    this.#totals = new Uint32Array(table.totals);
    this.#networks = new Uint32Array(table.networks);
    this.#secret = table.secret;
    this.#threads = table.threads;
    this.#thread = thread;
    this.#limits = limits;
    this.#totals[thread] = 0;
    this.#networks.fill(0, thread * SLOTS, (thread + 1) * SLOTS);
  }

  /**
   * Counts one connection in, until the function given back is called, once.
   *
   * @param network undefined: not counted by network (this machine itself)
   */
  enter(service: string, network: string | undefined): (() => void) | AdmissionProblem {
    if (this.#sum(this.#totals, 1, 0) >= this.#limits.connectionsMax) return 'too-many';
    const slot = network === undefined ? undefined : this.#slotOf(`${service} ${network}`);
    if (slot !== undefined && this.#sum(this.#networks, SLOTS, slot) >= this.#limits.connectionsPerNetworkMax)
      return 'too-many-from-address';
    this.#add(slot, 1);
    return () => this.#add(slot, -1);
  }

  #slotOf(key: string): number {
    return hash('sha1', `${this.#secret} ${key}`, 'buffer').readUInt16BE(0) % SLOTS;
  }

  /** Counts of other threads may be a moment old: the limit may be passed by as many as there are threads. */
  #sum(counts: Uint32Array, stride: number, at: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.#threads; thread += 1)
      sum += Atomics.load(counts, thread * stride + at);
    return sum;
  }

  #add(slot: number | undefined, by: 1 | -1): void {
    Atomics.add(this.#totals, this.#thread, by);
    if (slot !== undefined) Atomics.add(this.#networks, this.#thread * SLOTS + slot, by);
  }
}
