/**
 * A connection whose client is a script: whenever the session has answered everything and waits for more, the script is told
 * what was said, and says what comes next.
 */
import type { Connection, Endpoint, ReadStop, TlsInfo, TlsProblem } from '../../base/connection.ts';
import { err, type Result } from '../../base/result.ts';

export type ScriptedClient = {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly tls: TlsInfo | undefined;
  /** @param heard all that the session has said since the last call; undefined: the client goes */
  readonly next: (heard: string) => string | undefined;
};

export class ScriptedConnection implements Connection {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly tls: TlsInfo | undefined;
  gone: Connection['gone'];
  readonly #next: ScriptedClient['next'];
  #heard = '';
  #isOver = false;

  constructor({ remote, local, tls, next }: ScriptedClient) {
    this.remote = remote;
    this.local = local;
    this.tls = tls;
    this.#next = next;
  }

  async read(): Promise<Uint8Array | ReadStop> {
    const said = this.#turn();
    return said === undefined ? 'end' : Buffer.from(said, 'latin1');
  }

  /** It speaks when it is asked. */
  tryRead(): undefined {
    return undefined;
  }

  wake(): void {
    this.#isOver = true;
  }

  write(octets: Uint8Array | readonly Uint8Array[]): undefined {
    const pieces = octets instanceof Uint8Array ? [octets] : octets;
    this.#heard += Buffer.concat(pieces).toString('utf8');
    return undefined;
  }

  async startTls(): Promise<Result<TlsInfo, TlsProblem>> {
    return err({ kind: 'handshake', text: 'A simulated client is under TLS from the start, or never' });
  }

  /** The session ends it: the script hears its last words. */
  async close(): Promise<void> {
    if (!this.#isOver) this.#turn();
    this.#isOver = true;
  }

  destroy(): void {
    this.#isOver = true;
    this.gone = 'destroyed';
  }

  #turn(): string | undefined {
    if (this.#isOver) return undefined;
    const heard = this.#heard;
    this.#heard = '';
    const said = this.#next(heard);
    this.#isOver = said === undefined;
    return said;
  }
}
