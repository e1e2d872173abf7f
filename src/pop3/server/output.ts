/** From responses to the connection: gathered, written together. What the client does not read is not made. */
import { fromLatin1 } from '../../base/bytes.ts';
import type { Connection } from '../../base/connection.ts';

/** Gathered octets after which more is made only when these were taken. */
const FLUSH_OCTETS = 65_536;

export class Output {
  readonly #connection: Connection;
  #pieces: Buffer[] = [];
  #octets = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get isFull(): boolean {
    return this.#octets >= FLUSH_OCTETS;
  }

  say(text: string): void {
    this.add(fromLatin1(text));
  }

  add(octets: Buffer): void {
    if (octets.length === 0) return;
    this.#pieces.push(octets);
    this.#octets += octets.length;
  }

  async flush(): Promise<void> {
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#octets = 0;
    await this.#connection.write(pieces);
  }
}
