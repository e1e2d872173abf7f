/**
 * One connection with a peer, plain or under TLS, as sessions and clients see it. The driver (net, or a pair in memory)
 * owns the socket; whoever holds the connection pulls octets and pushes batches. One reader and one writer at a time.
 *
 * Back-pressure both ways: the driver keeps at most about one received chunk that nobody has asked for, and a write that
 * the peer does not take is a promise that stays pending. Units: octets, milliseconds. Nothing here throws for what a
 * peer does: it ends, resets, stalls and stays silent, and each of these is an answer.
 */
import type { Result } from './result.ts';

/**
 * Why a read brought no octets. 'end': the peer closed its side in good order. 'reset': the connection is broken or was
 * destroyed. 'timeout': nothing came within the time given; the connection still stands. 'woken': {@link Connection.wake}
 * was called; nothing is lost, the next read goes on where this one stopped.
 */
export type ReadStop = 'end' | 'reset' | 'timeout' | 'woken';

export type Endpoint = { readonly address: string; readonly port: number };

/** What is known of the TLS layer after its handshake. */
export type TlsInfo = {
  /** As Node names it: 'TLSv1.3'. */
  readonly protocol: string;
  /** IANA's name of the suite: 'TLS_AES_256_GCM_SHA384'. */
  readonly cipher: string;
  /** Strength of the cipher's key in bits, where the driver knows it (for Received). */
  readonly keyBits?: number;
  /** The server name that the client asked for (SNI, RFC 6066 §3). */
  readonly servername: string | undefined;
  /** The protocol chosen by ALPN (RFC 7301). */
  readonly alpn?: string;
  /** The peer's certificate as DER, and whether it was verified against the trust store for the name asked. */
  readonly peerCertificate?: Uint8Array;
  readonly peerVerified: boolean;
  /** Keying material (RFC 5705, RFC 9266: label 'EXPORTER-Channel-Binding', no context, 32 octets). */
  exportKey(label: string, octetsCount: number): Uint8Array;
};

/** What is asked of {@link Connection.startTls}. A server's certificates are the driver's own business. */
export type TlsRequest =
  | { readonly side: 'server'; readonly timeoutMs: number }
  | {
      readonly side: 'client';
      readonly servername: string;
      /** 'opportunistic' takes any certificate (RFC 7435); 'verified' fails where the name or the chain does not hold. */
      readonly verify: 'opportunistic' | 'verified';
      readonly timeoutMs: number;
    };

/** Why a handshake failed; `text` is for logs, never for a peer. The connection is of no more use. */
export type TlsProblem = {
  readonly kind: 'handshake' | 'certificate' | 'timeout' | 'reset';
  readonly text: string;
};

export interface Connection {
  /** The peer; behind a trusted proxy the client that the proxy named. */
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** Set once a handshake is complete: from the start on implicit TLS, else after {@link startTls}. */
  readonly tls: TlsInfo | undefined;
  /** Set once the connection can carry nothing more towards the peer: reset, stalled beyond the write limit, destroyed. */
  readonly gone: 'reset' | 'stalled' | 'destroyed' | undefined;

  /**
   * The next octets as they came, never empty, in memory that is not used again. Never rejects. After 'end' or 'reset'
   * every further read says the same.
   *
   * @param idleMs how long to wait for the first octet
   */
  read(idleMs: number): Promise<Uint8Array | ReadStop>;

  /**
   * Octets that have come already, without a promise; undefined where there are none (which says nothing of the end).
   * Never while a read is pending.
   */
  tryRead(): Uint8Array | undefined;

  /** Makes the pending read resolve as 'woken', or the next one if none is pending. Octets that are there come first. */
  wake(): void;

  /**
   * Sends one batch; several pieces go out as one (`writev`). Gives undefined when the peer keeps up, else a promise that
   * resolves once enough was taken. It also resolves when the peer is lost: {@link gone} tells. The memory belongs to the
   * connection from now on: do not write to it.
   */
  write(octets: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined;

  /**
   * Puts TLS under the connection. Octets received in plain and not yet read never reach the reader afterwards: they go
   * to the handshake, which fails on them. The caller refuses such octets where it can see them (RFC 3207 §5).
   * Call with no read and no write pending, after the reply that invites the handshake was written.
   */
  startTls(request: TlsRequest): Promise<Result<TlsInfo, TlsProblem>>;

  /** Sends what was written, then closes in good order; resolves when done, or cuts after a short time. Idempotent. */
  close(): Promise<void>;

  /** Cuts at once; a pending read says 'reset'. Idempotent. */
  destroy(): void;
}

/** Where to connect. `host` is the name (for TLS and logs), `address` the IP literal to use. */
export type ConnectTarget = {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly timeoutMs: number;
  /** Present: TLS from the first octet (RFC 8314 §3). */
  readonly tls?: Extract<TlsRequest, { side: 'client' }>;
};

/** Why no connection came about; `text` is for logs and traces. */
export type ConnectProblem = {
  readonly kind: 'refused' | 'unreachable' | 'timeout' | 'reset' | 'tls';
  readonly text: string;
};

/** Opens a connection; never rejects for what the network does. */
export type Connect = (
  target: ConnectTarget,
  signal?: AbortSignal,
) => Promise<Result<Connection, ConnectProblem>>;
