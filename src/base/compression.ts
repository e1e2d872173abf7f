/**
 * A connection whose octets are compressed both ways, over another one. Who asks for it holds both: the one beneath is used again
 * once the compressed one has ended. Closing and destroying it does that to the one beneath.
 */
import type { Connection } from './connection.ts';

export interface CompressedConnection extends Connection {
  /**
   * Ends what this side has compressed, behind what was written, and frees its memory. Gives what the peer sent behind the end of its
   * own stream: octets of the connection beneath. Call with no read and no write pending; nothing else may be called afterwards.
   */
  end(): Promise<Uint8Array>;

  /** Frees the memory of both directions, and leaves the connection beneath as it is. Idempotent. */
  release(): void;
}

export type Compress = (beneath: Connection) => CompressedConnection;
