/**
 * A `Connection` over a socket of Node. Octets are pulled: at most one chunk beyond what was asked for is taken from the
 * kernel, then the socket is paused. One timer per connection serves all its reads, and is seldom touched.
 */
import { finished } from 'node:stream';
import type { Socket } from 'node:net';
import { connect as connectTls, TLSSocket, type TLSSocketOptions } from 'node:tls';
import type { Connection, Endpoint, ReadStop, TlsInfo, TlsProblem, TlsRequest } from '../base/connection.ts';
import { err, ok, type Result } from '../base/result.ts';
import { channelBindings } from './channel-binding.ts';
import { checkPeer, presentedChain } from './peer-certificate.ts';

/** How long a peer may refuse to take what was written before the connection is cut. */
export const WRITE_STALL_MS = 300_000;
/** How long a peer may take to close its side after we closed ours. */
const CLOSE_MS = 2_000;

/** Gives the context of the server's side at the moment of a handshake, so that a new certificate serves at once. */
export type ServerTls = () => TLSSocketOptions;

/** CA certificates (PEM) that servers' certificates may lead to; undefined: those of Node. */
export type TrustStore = readonly string[] | undefined;

export class SocketConnection implements Connection {
  #remote: Endpoint;
  #local: Endpoint;
  readonly #serverTls: ServerTls | undefined;
  readonly #trustStore: TrustStore;
  #socket: Socket;
  #tls: TlsInfo | undefined;
  #gone: Connection['gone'];
  #ended = false;
  #chunks: Uint8Array[] = [];
  #paused = false;
  #woken = false;
  #waiting: ((answer: Uint8Array | ReadStop) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires, and until when the reader waits, by the clock that never goes back. */
  #firesMs = 0;
  #deadlineMs = 0;
  #drained: (() => void) | undefined;
  #detach: () => void = () => {};

  /** @param serverTls present where this side may be asked for `startTls` as a server */
  constructor(socket: Socket, serverTls?: ServerTls, remote?: Endpoint, trustStore?: TrustStore) {
    this.#remote = remote ?? { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.#local = { address: plainAddress(socket.localAddress), port: socket.localPort ?? 0 };
    this.#serverTls = serverTls;
    this.#trustStore = trustStore;
    this.#socket = socket;
    this.#attach(socket);
  }

  get remote(): Endpoint {
    return this.#remote;
  }

  get local(): Endpoint {
    return this.#local;
  }

  /** From here on the endpoints are those that a trusted proxy named. */
  appearAs(remote: Endpoint, local: Endpoint): void {
    this.#remote = remote;
    this.#local = local;
  }

  get tls(): TlsInfo | undefined {
    return this.#tls;
  }

  get gone(): Connection['gone'] {
    return this.#gone;
  }

  async read(idleMs: number): Promise<Uint8Array | ReadStop> {
    const chunk = this.tryRead();
    if (chunk !== undefined) return chunk;
    if (this.#woken) {
      this.#woken = false;
      return 'woken';
    }
    if (this.#gone !== undefined) return 'reset';
    if (this.#ended) return 'end';
    this.#resume();
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#startTimer(idleMs);
    });
  }

  tryRead(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined && this.#chunks.length === 0) this.#resume();
    return chunk;
  }

  /** Puts octets back that were read too far; they are read next. */
  unread(octets: Uint8Array): void {
    if (octets.length > 0) this.#chunks.unshift(octets);
  }

  wake(): void {
    if (this.#waiting === undefined) this.#woken = true;
    else this.#answer('woken');
  }

  write(octets: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined {
    if (this.#gone !== undefined) return undefined;
    const socket = this.#socket;
    let room = true;
    if (octets instanceof Uint8Array) {
      room = socket.write(octets);
    } else {
      socket.cork();
      for (const piece of octets) room = socket.write(piece);
      socket.uncork();
    }
    // A false answer while the kernel has taken all of it in the same call is no reason to wait.
    if (room || socket.writableLength === 0) return undefined;
    return new Promise((resolve) => {
      const stall = setTimeout(() => this.#lose('stalled'), WRITE_STALL_MS);
      this.#drained = () => {
        clearTimeout(stall);
        this.#drained = undefined;
        resolve();
      };
    });
  }

  async startTls(request: TlsRequest): Promise<Result<TlsInfo, TlsProblem>> {
    if (this.#gone !== undefined) return err({ kind: 'reset', text: 'The connection is gone' });
    this.#detach();
    const raw = this.#socket;
    raw.pause();
    for (const chunk of this.#chunks.toReversed()) raw.unshift(chunk);
    this.#chunks = [];
    this.#paused = false;
    const socket = this.#secure(raw, request);
    this.#socket = socket;
    const secured = await handshake(socket, request);
    const described = secured === undefined ? describe(socket, request) : err(secured);
    if (!described.ok) {
      this.#lose('reset');
      return described;
    }
    this.#tls = described.value;
    this.#attach(socket);
    return described;
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (this.#gone !== undefined || socket.destroyed) {
      this.destroy();
      return;
    }
    await new Promise<void>((resolve) => {
      const cut = setTimeout(() => socket.destroy(), CLOSE_MS);
      finished(socket, () => {
        clearTimeout(cut);
        resolve();
      });
      this.#ended = true;
      // What the peer still sends is read and dropped, so that our last reply is not lost in a reset (RFC 9293 §3.10.4).
      socket.removeAllListeners('data');
      socket.resume();
      socket.end();
    });
    this.destroy();
  }

  destroy(): void {
    this.#lose('destroyed');
  }

  #attach(socket: Socket): void {
    const onData = (chunk: Buffer): void => {
      if (this.#waiting !== undefined) {
        this.#answer(chunk);
        return;
      }
      this.#chunks.push(chunk);
      if (this.#paused) return;
      this.#paused = true;
      socket.pause();
    };
    const onEnd = (): void => {
      this.#ended = true;
      this.#answer('end');
    };
    const onLost = (): void => this.#lose('reset');
    const onDrain = (): void => this.#drained?.();
    socket.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost).on('drain', onDrain);
    this.#detach = () => {
      socket
        .off('data', onData)
        .off('end', onEnd)
        .off('error', onLost)
        .off('close', onLost)
        .off('drain', onDrain);
    };
  }

  #secure(raw: Socket, request: TlsRequest): TLSSocket {
    if (request.side === 'client') {
      return connectTls({
        socket: raw,
        servername: request.servername,
        // The certificate is looked at after the handshake, before anything is sent: `describe`.
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        minVersion: request.versionMin ?? 'TLSv1.2',
        ...(this.#trustStore === undefined ? {} : { ca: [...this.#trustStore] }),
        ...(request.identity === undefined
          ? {}
          : { cert: request.identity.chain, key: request.identity.key }),
      });
    }
    if (this.#serverTls === undefined)
      throw new TypeError('startTls as a server on a connection without certificates');
    return new TLSSocket(raw, { ...this.#serverTls(), isServer: true });
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #answer(answer: Uint8Array | ReadStop): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(answer);
  }

  #lose(how: Exclude<Connection['gone'], undefined>): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gone === undefined) {
      this.#gone = how;
      this.#socket.on('error', () => {});
      this.#socket.destroy();
    }
    this.#answer(this.#ended && how === 'reset' ? 'end' : 'reset');
    this.#drained?.();
  }

  /** A timer that stands and fires no later is left alone: it looks how long the reader waits when it fires. */
  #startTimer(idleMs: number): void {
    this.#deadlineMs = performance.now() + idleMs;
    if (this.#timer !== undefined && this.#firesMs <= this.#deadlineMs) return;
    clearTimeout(this.#timer);
    this.#setTimer(idleMs);
  }

  #setTimer(delayMs: number): void {
    this.#firesMs = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting === undefined) return;
      const leftMs = this.#deadlineMs - performance.now();
      if (leftMs > 0) this.#setTimer(leftMs);
      else this.#answer('timeout');
    }, delayMs).unref();
  }
}

/** `::ffff:192.0.2.1` is an IPv4 peer on a dual-stack socket. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

async function handshake(socket: TLSSocket, request: TlsRequest): Promise<TlsProblem | undefined> {
  return new Promise((resolve) => {
    const end = (problem: TlsProblem | undefined): void => {
      clearTimeout(timer);
      socket.off('error', onError).off('close', onClose).off('end', onClose).off(done, onSecure);
      resolve(problem);
    };
    const onError = (cause: Error): void => end({ kind: 'handshake', text: cause.message });
    const onClose = (): void => end({ kind: 'reset', text: 'The peer closed during the handshake' });
    const onSecure = (): void => end(undefined);
    const timer = setTimeout(
      () => end({ kind: 'timeout', text: `No handshake within ${request.timeoutMs} ms` }),
      request.timeoutMs,
    );
    const done = request.side === 'client' ? 'secureConnect' : 'secure';
    socket.on('error', onError).on('close', onClose).on('end', onClose).on(done, onSecure);
  });
}

/** What came of the handshake; a problem where the certificate is not what the client's side asked for. */
function describe(socket: TLSSocket, request: TlsRequest): Result<TlsInfo, TlsProblem> {
  if (request.side === 'server') return ok(information(socket, 'server'));
  const checked = checkPeer(request.certificate, {
    chain: presentedChain(socket),
    // A code, whatever the types say; null where the chain holds.
    trustProblem: socket.authorized ? undefined : String(socket.authorizationError),
    nowMs: Date.now(),
  });
  if (!checked.ok) return checked;
  return ok({ ...information(socket, 'client'), ...checked.value });
}

function information(socket: TLSSocket, side: TlsRequest['side']): TlsInfo {
  let bindings: ReturnType<TlsInfo['channelBindings']> | undefined;
  const cipher = socket.getCipher();
  const peer = socket.getPeerX509Certificate();
  const keyBits = /CHACHA|AES_?256/.test(cipher.name) ? 256 : /AES_?128/.test(cipher.name) ? 128 : undefined;
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: cipher.standardName ?? cipher.name,
    ...(keyBits === undefined ? {} : { keyBits }),
    servername:
      typeof socket.servername === 'string' && socket.servername !== '' ? socket.servername : undefined,
    ...(typeof socket.alpnProtocol === 'string' ? { alpn: socket.alpnProtocol } : {}),
    ...(peer === undefined ? {} : { peerCertificate: peer.raw }),
    peerVerified: side === 'client' ? socket.authorized : peer !== undefined && isClientVerified(socket),
    channelBindings: () => (bindings ??= channelBindings(socket, side)),
  };
}

/**
 * Whether the client's certificate leads to an authority of the context. Node sets `authorized` in its own `tls.Server`
 * only; of a socket that was turned to TLS the answer of OpenSSL is asked for. Where that cannot be had, it is no.
 */
function isClientVerified(socket: TLSSocket): boolean {
  const handle: unknown = Reflect.get(socket, 'ssl');
  if (typeof handle !== 'object' || handle === null) return false;
  const verifyError: unknown = Reflect.get(handle, 'verifyError');
  if (typeof verifyError !== 'function') return false;
  const problem: unknown = Reflect.apply(verifyError, handle, []);
  return problem === null || problem === undefined;
}
