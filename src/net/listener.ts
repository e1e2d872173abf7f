/**
 * Listens on one address for one service and hands over connections. Several threads listen on the same port
 * (`reusePort`); the kernel shares the connections out.
 */
import { createServer, type Server } from 'node:net';
import type { Connection } from '../base/connection.ts';
import { Fault } from '../base/fault.ts';
import type { AdmissionProblem } from './admission.ts';
import { LIMITS } from '../base/limits.ts';
import { readProxyHeader } from './proxied.ts';
import { plainAddress, SocketConnection, type ServerTls } from './socket-connection.ts';

export type ListenerOptions = {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly serverTls: ServerTls | undefined;
  /** TLS from the first octet (RFC 8314 §3). */
  readonly implicitTls: boolean;
  readonly handshakeMs: number;
  readonly reusePort: boolean;
  /** Whose PROXY header is read before all else, and believed. Left out: nobody's. */
  readonly proxies?: {
    readonly isTrusted: (remote: string) => boolean;
    /** What it sent is no such header; it was cut. */
    readonly onFailure: (remote: string, problem: string) => void;
  };
  /** Lets a client in, until what it gives back is called; or says which limit forbids it. */
  readonly enter: (remote: string) => (() => void) | AdmissionProblem;
  /** What a client over a limit is told before it is cut, in the protocol's words. */
  readonly refusal: Uint8Array;
  /** Serves a connection to its end; must not throw. */
  readonly serve: (connection: Connection) => Promise<void>;
  readonly onRefused: (remote: string, reason: AdmissionProblem) => void;
  readonly onTlsFailure: (remote: string, text: string) => void;
  /** Something threw that must not; it ended its own connection only. */
  readonly onBug: (cause: unknown) => void;
};

export type Listener = {
  readonly port: number;
  /** No new connections from here on; those that stand go on. */
  close(): void;
  /** Resolves when the last connection has ended. */
  drained(): Promise<void>;
  /** Cuts all that stand. */
  destroy(): void;
  readonly connections: number;
};

export async function listen(options: ListenerOptions): Promise<Listener> {
  const open = new Set<Connection>();
  /** Nothing was said to these yet: they need no time to come to an end. */
  const shaking = new Set<Connection>();
  let onEmpty: (() => void) | undefined;

  const serve = async (connection: Connection): Promise<void> => {
    if (options.implicitTls) {
      shaking.add(connection);
      const secured = await connection.startTls({ side: 'server', timeoutMs: options.handshakeMs });
      shaking.delete(connection);
      if (!secured.ok) {
        options.onTlsFailure(connection.remote.address, secured.error.text);
        return;
      }
    }
    await options.serve(connection);
  };

  /** Whom a trusted proxy speaks for, let in; undefined: it has not said so, and the connection is of no use. */
  const clientOf = async (
    connection: SocketConnection,
    proxy: string,
  ): Promise<{ readonly leave: () => void; readonly isRefused: boolean } | undefined> => {
    shaking.add(connection);
    const problem = await readProxyHeader(connection, LIMITS.proxyHeaderMs);
    shaking.delete(connection);
    if (problem !== undefined) {
      // Who connects and goes away again only looks whether we are there.
      if (problem !== 'end' && problem !== 'reset') options.proxies?.onFailure(proxy, problem);
      return undefined;
    }
    const { address } = connection.remote;
    const entered = options.enter(address);
    if (typeof entered !== 'string') return { leave: entered, isRefused: false };
    options.onRefused(address, entered);
    if (!options.implicitTls) {
      await connection.write(options.refusal);
      await connection.close();
    }
    return { leave: () => {}, isRefused: true };
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const remote = plainAddress(socket.remoteAddress);
    // A peer that reset before we looked has no address any more.
    if (remote === '') {
      socket.on('error', () => {}).destroy();
      return;
    }
    const entered = options.enter(remote);
    if (typeof entered === 'string') {
      options.onRefused(remote, entered);
      socket.on('error', () => {});
      if (options.implicitTls) socket.destroy();
      else socket.end(options.refusal, () => socket.destroy());
      return;
    }
    let leave = entered;
    const connection = new SocketConnection(socket, options.serverTls);
    open.add(connection);
    const end = (): void => {
      connection.destroy();
      shaking.delete(connection);
      open.delete(connection);
      leave();
      if (open.size === 0) onEmpty?.();
    };
    const run = async (): Promise<void> => {
      if (options.proxies?.isTrusted(remote) === true) {
        const client = await clientOf(connection, remote);
        if (client === undefined) return;
        // The connection counts as its client's, not as the proxy's.
        leave();
        leave = client.leave;
        if (client.isRefused) return;
      }
      await serve(connection);
    };
    run().then(end, (cause: unknown) => {
      end();
      options.onBug(cause);
    });
  });

  await bind(server, options);
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === 'object' ? bound.port : options.port,
    close: () => {
      server.close();
      for (const connection of shaking) connection.destroy();
    },
    drained: async () => {
      if (open.size > 0) await new Promise<void>((resolve) => (onEmpty = resolve));
    },
    destroy: () => {
      for (const connection of open) connection.destroy();
    },
    get connections() {
      return open.size;
    },
  };
}

async function bind(server: Server, options: ListenerOptions): Promise<void> {
  const { address, port, reusePort } = options;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new Fault(`Listening on ${address} port ${port}`, cause)));
    server.listen({ host: address, port, reusePort, ipv6Only: address.includes(':'), backlog: 1024 }, () =>
      resolve(),
    );
  });
  // A fault while accepting (no descriptors left) passes; the listener stays.
  server.removeAllListeners('error').on('error', () => {});
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
