/**
 * Lets a few run at once and some wait. Those who go first go before all others; among equals the networks that they come
 * from take turns. Where all places to wait in are taken, the last one of the network that has most of them gives way: so a
 * network that floods us turns away its own.
 */
import type { Turn } from '../turn.ts';

const NOBODYS: Turn = { network: '', isFirst: false };

export class HashGate {
  readonly #atOnceMax: number;
  readonly #first: Lines;
  readonly #others: Lines;
  /** Of those who are never turned away. */
  readonly #patient: (() => void)[] = [];
  #running = 0;
  #isPatientsTurn = false;

  /** @param waitingMax of those who go first, and of the others */
  constructor(atOnceMax: number, waitingMax: number) {
    this.#atOnceMax = atOnceMax;
    this.#first = new Lines(waitingMax);
    this.#others = new Lines(waitingMax);
  }

  /** Undefined: too many wait already, and `work` was not begun. */
  async enter<Value>(work: () => Promise<Value>, turn: Turn = NOBODYS): Promise<Value | undefined> {
    const lines = turn.isFirst ? this.#first : this.#others;
    const isLetIn =
      this.#begins() || (await new Promise<boolean>((resolve) => lines.push(turn.network, resolve)));
    return isLetIn ? this.#run(work) : undefined;
  }

  /** Waits its turn, however many others there are. */
  async patiently<Value>(work: () => Promise<Value>): Promise<Value> {
    if (!this.#begins()) await new Promise<void>((resolve) => void this.#patient.push(resolve));
    return this.#run(work);
  }

  #begins(): boolean {
    if (this.#running >= this.#atOnceMax) return false;
    this.#running += 1;
    return true;
  }

  async #run<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } finally {
      // Whoever leaves hands its place on, so the count stays.
      if (!this.#letNextIn()) this.#running -= 1;
    }
  }

  /** The patient ones take turns with all who do not go first. */
  #letNextIn(): boolean {
    if (this.#first.letIn()) return true;
    this.#isPatientsTurn = !this.#isPatientsTurn;
    if (!this.#isPatientsTurn && this.#others.letIn()) return true;
    const patient = this.#patient.shift();
    patient?.();
    return patient !== undefined || this.#others.letIn();
  }
}

/** Told whether it is let in. */
type Waiting = (isLetIn: boolean) => void;

/** A line for each network that somebody waits of. */
class Lines {
  readonly #waitingMax: number;
  /** The one whose turn it is comes first. */
  readonly #lines = new Map<string, Waiting[]>();
  #waiting = 0;

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  push(network: string, waiting: Waiting): void {
    const line = this.#lines.get(network) ?? [];
    if (this.#waiting >= this.#waitingMax) {
      const longest = this.#longest();
      if (longest.length <= line.length + 1) return waiting(false);
      longest.pop()?.(false);
    } else this.#waiting += 1;
    line.push(waiting);
    if (line.length === 1) this.#lines.set(network, line);
  }

  /** False where nobody waits. */
  letIn(): boolean {
    const [turn] = this.#lines;
    if (turn === undefined) return false;
    const [network, line] = turn;
    const next = line.shift();
    this.#lines.delete(network);
    if (line.length > 0) this.#lines.set(network, line);
    this.#waiting -= 1;
    next?.(true);
    return true;
  }

  #longest(): Waiting[] {
    let longest: Waiting[] = [];
    for (const line of this.#lines.values()) if (line.length > longest.length) longest = line;
    return longest;
  }
}
