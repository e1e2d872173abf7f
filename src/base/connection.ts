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
  /** By what it was verified, where the {@link CertificateRule} asked for that. */
  readonly verifiedBy?: 'pkix' | 'dane-ee' | 'dane-ta' | 'fingerprint';
  /** What it lacks of what was `wanted` of it. */
  readonly shortfall?: { readonly problem: CertificateProblem; readonly text: string };
  /**
   * What an authentication can be bound to this channel by (RFC 5056), best first: only types that hold for it. Asked for
   * while the connection stands; later there are none.
   */
  channelBindings(): ReadonlyMap<ChannelBindingType, Uint8Array>;
};

/** RFC 9266 §2, RFC 5929 §3 and §4. */
export type ChannelBindingType = 'tls-exporter' | 'tls-unique' | 'tls-server-end-point';

/** One TLSA record (RFC 6698 §2.1): what the certificate, or the one that vouches for it, must be. */
export type TlsaAssociation = {
  /** Certificate usage: 2 DANE-TA, 3 DANE-EE. */
  readonly usage: number;
  /** 0: the whole certificate. 1: its public key. */
  readonly selector: number;
  /** 0: as it is. 1: SHA-256. 2: SHA-512. */
  readonly matchingType: number;
  readonly data: Uint8Array;
};

/** What must hold of the certificate that a server shows. Names are A-labels. */
export type CertificateRule =
  /** Any will do: encryption is all there is to have (RFC 7435 §3). What is `wanted` beyond is looked at and told. */
  | { readonly kind: 'any'; readonly wanted?: PkixRule | undefined }
  | PkixRule
  /** One of the records does, all of them usable (RFC 7672 §3.1); the names count for DANE-TA. */
  | {
      readonly kind: 'dane';
      readonly names: readonly string[];
      readonly records: readonly TlsaAssociation[];
    }
  /** It, or its public key, has one of these SHA-256 sums (hexadecimal, lower case). */
  | { readonly kind: 'fingerprint'; readonly sha256: readonly string[] };

/** The trust store vouches for it, for one of these names. */
export type PkixRule = { readonly kind: 'pkix'; readonly names: readonly string[] };

/** What is asked of {@link Connection.startTls}. A server's certificates are the driver's own business. */
export type TlsRequest = { readonly side: 'server'; readonly timeoutMs: number } | ClientTlsRequest;

export type ClientTlsRequest = {
  readonly side: 'client';
  /** The name to ask for (RFC 6066 §3); empty for a server that is known by its address alone. */
  readonly servername: string;
  readonly certificate: CertificateRule;
  /** TLS 1.2 where it is left out (RFC 8996, RFC 9325 §3.1.1). */
  readonly versionMin?: 'TLSv1.2' | 'TLSv1.3';
  /** What we show if we are asked for a certificate: PEM, the leaf first, and its key. */
  readonly identity?: { readonly chain: string; readonly key: string };
  readonly timeoutMs: number;
};

/** What is wrong with a certificate. 'other-than-tlsa': none of the records vouches for it. */
export type CertificateProblem =
  | 'host-mismatch'
  | 'expired'
  | 'not-trusted'
  | 'other-than-tlsa'
  | 'other-fingerprint';

/** Why a handshake failed; `text` is for logs, never for a peer. The connection is of no more use. */
export type TlsProblem =
  | { readonly kind: 'handshake' | 'timeout' | 'reset'; readonly text: string }
  | { readonly kind: 'certificate'; readonly problem: CertificateProblem; readonly text: string };

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

/** A SOCKS 5 proxy (RFC 1928) that connects on. */
export type SocksProxy = {
  /** An IP literal. */
  readonly address: string;
  readonly port: number;
  /** RFC 1929. */
  readonly login: { readonly username: string; readonly password: string } | undefined;
};

/**
 * Where to connect. `host` is the name (for TLS and logs), `address` the IP literal to use; with a proxy it may be a name, which
 * the proxy looks up.
 */
export type ConnectTarget = {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly proxy?: SocksProxy;
  readonly timeoutMs: number;
  /** Present: TLS from the first octet (RFC 8314 §3). */
  readonly tls?: ClientTlsRequest;
};

/** Why no connection came about; `text` is for logs and traces. */
export type ConnectProblem =
  /**
   * 'source': the local address asked for cannot be used; 'proxy': the proxy did not do its part. Of neither is anything learned
   * about the peer.
   */
  | {
      readonly kind: 'refused' | 'unreachable' | 'timeout' | 'reset' | 'source' | 'proxy';
      readonly text: string;
    }
  | { readonly kind: 'tls'; readonly text: string; readonly problem: TlsProblem };

/** Opens a connection; never rejects for what the network does. */
export type Connect = (
  target: ConnectTarget,
  signal?: AbortSignal,
) => Promise<Result<Connection, ConnectProblem>>;

/** Runs a session to its end: a server that goes down wakes it, and what it leaves behind is closed. */
export async function serveSession(
  connection: Connection,
  shutdown: AbortSignal,
  run: () => Promise<void>,
): Promise<void> {
  const wake = (): void => connection.wake();
  shutdown.addEventListener('abort', wake);
  try {
    await run();
  } finally {
    shutdown.removeEventListener('abort', wake);
    await connection.close();
  }
}
