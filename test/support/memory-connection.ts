/** Two ends of a connection in memory, for sessions and clients under test: no socket, no timer but the clock's. */
import type { Clock } from '../../src/base/clock.ts';
import type {
  Connection,
  Endpoint,
  ReadStop,
  TlsInfo,
  TlsProblem,
  TlsRequest,
} from '../../src/base/connection.ts';
import type { Result } from '../../src/base/result.ts';
import { err, ok } from '../../src/base/result.ts';

/** What the handshake "finds"; both ends must call startTls, or it fails by reset. */
export const MEMORY_TLS: TlsInfo = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  keyBits: 256,
  servername: 'mail.example.test',
  peerVerified: false,
  channelBindings: () => new Map([['tls-exporter', Buffer.alloc(32, 'binding')]]),
};

export type MemoryOptions = {
  readonly clock?: Clock;
  readonly clientAddress?: string;
  readonly serverPort?: number;
  /** Octets on the way that one side takes before a write waits. */
  readonly windowOctets?: number;
  /** Both ends start as if under TLS: {@link MEMORY_TLS}, or what is given. */
  readonly tls?: boolean | TlsInfo;
};

export class MemoryConnection implements Connection {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  tls: TlsInfo | undefined;
  gone: 'reset' | 'stalled' | 'destroyed' | undefined;
  /** Number of calls of write, so that a test can see batches. */
  writes = 0;
  peer: MemoryConnection | undefined;
  readonly #clock: Clock | undefined;
  readonly #window: number;
  readonly #chunks: Uint8Array[] = [];
  #queued = 0;
  #ended: 'end' | 'reset' | undefined;
  #woken = false;
  #closed = false;
  #reader: ((answer: Uint8Array | ReadStop) => void) | undefined;
  #drained: (() => void)[] = [];
  #handshake: ((done: boolean) => void) | undefined;

  constructor(local: Endpoint, remote: Endpoint, options: MemoryOptions) {
    this.local = local;
    this.remote = remote;
    this.#clock = options.clock;
    this.#window = options.windowOctets ?? 1_048_576;
    this.tls = options.tls === true ? MEMORY_TLS : options.tls === false ? undefined : options.tls;
  }

  tryRead(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#queued -= chunk.length;
    if (this.#queued < this.#window) for (const resolve of this.#drained.splice(0)) resolve();
    return chunk;
  }

  read(idleMs: number): Promise<Uint8Array | ReadStop> {
    if (this.#reader !== undefined) throw new TypeError('Two reads at once on one connection');
    const chunk = this.tryRead();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.gone !== undefined) return Promise.resolve('reset');
    if (this.#ended !== undefined) return Promise.resolve(this.#ended);
    if (this.#woken) {
      this.#woken = false;
      return Promise.resolve('woken');
    }
    return new Promise((resolve) => {
      const timer = this.#clock?.after(idleMs, () => this.#answer('timeout'));
      this.#reader = (answer) => {
        timer?.cancel();
        resolve(answer);
      };
    });
  }

  wake(): void {
    if (this.#reader === undefined) this.#woken = true;
    else this.#answer('woken');
  }

  write(octets: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined {
    this.writes += 1;
    const peer = this.peer;
    if (this.#closed || this.gone !== undefined || peer === undefined) return undefined;
    const pieces = octets instanceof Uint8Array ? [octets] : octets;
    for (const piece of pieces) if (piece.length > 0) peer.#receive(Buffer.from(piece));
    if (peer.#queued < peer.#window) return undefined;
    return new Promise((resolve) => peer.#drained.push(resolve));
  }

  async startTls(request: TlsRequest): Promise<Result<TlsInfo, TlsProblem>> {
    const peer = this.peer;
    if (this.#chunks.length > 0 || peer === undefined || peer.#closed || this.gone !== undefined) {
      this.destroy();
      return err({ kind: 'handshake', text: 'Octets in plain where a handshake was due' });
    }
    let late = false;
    const done = await new Promise<boolean>((resolve) => {
      if (peer.#handshake !== undefined) {
        peer.#handshake(true);
        resolve(true);
        return;
      }
      const timer = this.#clock?.after(request.timeoutMs, () => {
        late = true;
        resolve(false);
      });
      this.#handshake = (is) => {
        timer?.cancel();
        resolve(is);
      };
    });
    this.#handshake = undefined;
    if (late) {
      this.destroy();
      return err({ kind: 'timeout', text: 'No handshake in time' });
    }
    if (!done) return err({ kind: 'reset', text: 'The peer went away' });
    const info: TlsInfo =
      request.side === 'client' ? { ...MEMORY_TLS, servername: request.servername } : MEMORY_TLS;
    this.tls = info;
    return ok(info);
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      const peer = this.peer;
      if (peer !== undefined) peer.#end('end');
      this.#handshake?.(false);
    }
    return Promise.resolve();
  }

  destroy(): void {
    if (this.gone !== undefined) return;
    this.gone = 'destroyed';
    const peer = this.peer;
    this.#closed = true;
    this.#answer('reset');
    this.#handshake?.(false);
    for (const resolve of this.#drained.splice(0)) resolve();
    if (peer === undefined) return;
    peer.#end('reset');
    peer.gone ??= 'reset';
    peer.#handshake?.(false);
    for (const resolve of peer.#drained.splice(0)) resolve();
  }

  #receive(octets: Uint8Array): void {
    if (this.#closed && this.gone !== undefined) return;
    if (this.#handshake !== undefined) {
      this.#handshake(false);
      return;
    }
    if (this.#reader !== undefined) {
      this.#answer(octets);
      return;
    }
    this.#chunks.push(octets);
    this.#queued += octets.length;
  }

  #end(how: 'end' | 'reset'): void {
    this.#ended ??= how;
    if (this.#reader !== undefined) this.#answer(this.#ended);
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #answer(answer: Uint8Array | ReadStop): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(answer);
  }
}

export type MemoryPair = { readonly client: MemoryConnection; readonly server: MemoryConnection };

export function memoryPair(options: MemoryOptions = {}): MemoryPair {
  const client: Endpoint = { address: options.clientAddress ?? '192.0.2.1', port: 40_000 };
  const server: Endpoint = { address: '192.0.2.25', port: options.serverPort ?? 25 };
  const pair = {
    client: new MemoryConnection(client, server, options),
    server: new MemoryConnection(server, client, options),
  };
  pair.client.peer = pair.server;
  pair.server.peer = pair.client;
  return pair;
}
