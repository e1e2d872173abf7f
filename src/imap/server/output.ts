/**
 * From responses to the connection: gathered, written in large batches, streamed where octets are not in memory. What the
 * client does not read is not made: a flush waits for it.
 */
import type { Connection } from '../../base/connection.ts';
import { ResponseWriter } from '../wire/response-writer.ts';

/** Gathered octets after which a flush waits for the client. */
const FLUSH_OCTETS = 65_536;

export class Output {
  readonly writer: ResponseWriter = new ResponseWriter();
  #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Where the next flush goes. */
  use(connection: Connection): void {
    this.#connection = connection;
  }

  /** Whether it is time to write before more is made. */
  get isFull(): boolean {
    return this.writer.octets >= FLUSH_OCTETS;
  }

  /** Writes all that was gathered. A stream that fails or is short cuts the connection: its size was announced. */
  async flush(): Promise<void> {
    let batch: Buffer[] = [];
    for (const chunk of this.writer.take()) {
      if (Buffer.isBuffer(chunk)) {
        batch.push(chunk);
        continue;
      }
      await this.#write(batch);
      batch = [];
      let left = chunk.octets;
      try {
        for await (const octets of chunk.open()) {
          if (this.#connection.gone !== undefined) return;
          left -= octets.length;
          await this.#connection.write(octets);
        }
      } finally {
        if (left !== 0) this.#connection.destroy();
      }
    }
    await this.#write(batch);
  }

  async #write(batch: readonly Buffer[]): Promise<void> {
    if (batch.length > 0) await this.#connection.write(batch);
  }
}
