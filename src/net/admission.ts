/**
 * How many connections stand: in all, and for each service from one address and from one network; and how many sessions an
 * account has. All threads count in the same shared memory, so that the limits hold for the whole process, and a flood of
 * one service cannot take the descriptors that others need.
 *
 * Where most of them are taken, each address and network may have a tenth of what it may otherwise: what a few have taken then
 * leaves room for many.
 *
 * Names are counted by a keyed hash: memory is fixed however many come. Two names in one slot share a limit; who that
 * is differs from start to start and cannot be chosen.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Gauge } from '../policy/rate.ts';

/** Plain data for `workerData`: the memory is shared, not copied. */
export type AdmissionTable = {
  readonly threads: number;
  /** One count for each thread. */
  readonly totals: SharedArrayBuffer;
  /** For each thread one count for each slot. */
  readonly slots: SharedArrayBuffer;
  readonly secret: string;
};

export type AdmissionLimits = {
  /** Of all services and threads. */
  readonly connectionsMax: number;
  /** Of one service, from one address. */
  readonly connectionsPerAddressMax: number;
  /** Of one service, from one network; 0: no limit. */
  readonly connectionsPerNetworkMax: number;
};

/** By which names a client is counted. */
export type Peer = { readonly address: string; readonly network: string };

export type AdmissionProblem = 'too-many' | 'too-many-from-address' | 'too-many-from-network';

const SLOTS = 65_536;
/** From this part of all connections on it is crowded, and then each may have this part of its own. */
const CROWDED = 0.75;
const CROWDED_SHARE = 0.1;

export function createAdmissionTable(threads: number): AdmissionTable {
  return {
    threads,
    totals: new SharedArrayBuffer(threads * Uint32Array.BYTES_PER_ELEMENT),
    slots: new SharedArrayBuffer(threads * SLOTS * Uint32Array.BYTES_PER_ELEMENT),
    secret: randomBytes(16).toString('base64'),
  };
}

/** The door of one thread. */
export class Admission implements Gauge {
  readonly #totals: Uint32Array;
  readonly #slots: Uint32Array;
  readonly #secret: string;
  readonly #threads: number;
  readonly #thread: number;
  readonly #limits: AdmissionLimits;

  /** @param thread from 0; a thread that took the place of a dead one begins with nothing */
  constructor(table: AdmissionTable, thread: number, limits: AdmissionLimits) {
    this.#totals = new Uint32Array(table.totals);
    this.#slots = new Uint32Array(table.slots);
    this.#secret = table.secret;
    this.#threads = table.threads;
    this.#thread = thread;
    this.#limits = limits;
    this.#totals[thread] = 0;
    this.#slots.fill(0, thread * SLOTS, (thread + 1) * SLOTS);
  }

  /**
   * Counts one connection in, until the function given back is called, once.
   *
   * @param peer undefined: counted in the sum alone (this machine itself)
   */
  connect(service: string, peer: Peer | undefined): (() => void) | AdmissionProblem {
    const { connectionsMax, connectionsPerAddressMax, connectionsPerNetworkMax } = this.#limits;
    const connections = this.#sum(this.#totals, 1, 0);
    if (connections >= connectionsMax) return 'too-many';
    const share = connections >= connectionsMax * CROWDED ? CROWDED_SHARE : 1;
    const leaves: (() => void)[] = [];
    if (peer !== undefined) {
      const leaveAddress = this.enter(`${service} ${peer.address}`, connectionsPerAddressMax * share);
      if (leaveAddress === undefined) return 'too-many-from-address';
      leaves.push(leaveAddress);
      if (connectionsPerNetworkMax > 0) {
        const leaveNetwork = this.enter(`${service} ${peer.network}`, connectionsPerNetworkMax * share);
        if (leaveNetwork === undefined) {
          leaveAddress();
          return 'too-many-from-network';
        }
        leaves.push(leaveNetwork);
      }
    }
    Atomics.add(this.#totals, this.#thread, 1);
    leaves.push(() => void Atomics.sub(this.#totals, this.#thread, 1));
    return () => {
      for (const leave of leaves) leave();
    };
  }

  enter(name: string, max: number): (() => void) | undefined {
    const slot = this.#slotOf(name);
    if (this.#sum(this.#slots, SLOTS, slot) >= max) return undefined;
    const own = this.#thread * SLOTS + slot;
    Atomics.add(this.#slots, own, 1);
    return () => void Atomics.sub(this.#slots, own, 1);
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
}
