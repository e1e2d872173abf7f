/** Opens TCP connections for clients: next hops, and the tools that try a server. Never rejects for what the network does. */
import { connect as connectSocket } from 'node:net';
import type { Connect, ConnectProblem, ConnectTarget, SocksProxy } from '../base/connection.ts';
import { err, ok, type Result } from '../base/result.ts';
import { connectThrough } from './socks.ts';
import { SocketConnection, type TrustStore } from './socket-connection.ts';

/** Without a trust store that is its own, a server's certificate must lead to a CA that Node knows. */
export function connectWith(trustStore: TrustStore): Connect {
  return async (target, signal) => {
    const deadlineMs = performance.now() + target.timeoutMs;
    const opened = await openSocket(target, signal, trustStore);
    if (!opened.ok) return opened;
    const { proxy } = target;
    if (proxy !== undefined) {
      const failed = await throughProxy(opened.value, proxy, target, { deadlineMs, signal });
      if (failed !== undefined) return err(failed);
    }
    if (target.tls === undefined) return opened;
    const secured = await opened.value.startTls(target.tls);
    return secured.ok ? opened : err({ kind: 'tls', text: secured.error.text, problem: secured.error });
  };
}

export const connect: Connect = connectWith(undefined);

async function throughProxy(
  connection: SocketConnection,
  proxy: SocksProxy,
  target: ConnectTarget,
  { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal: AbortSignal | undefined },
): Promise<ConnectProblem | undefined> {
  const cut = (): void => connection.destroy();
  signal?.addEventListener('abort', cut, { once: true });
  if (signal?.aborted === true) cut();
  const { address: host, port } = target;
  const failed = await connectThrough(connection, proxy, { host, port, deadlineMs });
  signal?.removeEventListener('abort', cut);
  if (failed !== undefined) cut();
  return failed;
}

async function openSocket(
  target: ConnectTarget,
  signal: AbortSignal | undefined,
  trustStore: TrustStore,
): Promise<Result<SocketConnection, ConnectProblem>> {
  // What cannot be reached then is the proxy.
  const { address, port } = target.proxy ?? target;
  return new Promise((resolve) => {
    const socket = connectSocket({
      host: address,
      port,
      noDelay: true,
      allowHalfOpen: true,
      ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
    });
    const settle = (answer: Result<SocketConnection, ConnectProblem>): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('connect', onConnect);
      if (!answer.ok) socket.on('error', () => {}).destroy();
      resolve(answer);
    };
    const onConnect = (): void => settle(ok(new SocketConnection(socket, undefined, undefined, trustStore)));
    const onError = (cause: Error & { code?: string }): void => settle(err(problem(cause, target)));
    const onAbort = (): void => settle(err({ kind: 'reset', text: 'Given up' }));
    const timer = setTimeout(
      () => settle(err({ kind: 'timeout', text: `No connection within ${target.timeoutMs} ms` })),
      target.timeoutMs,
    );
    socket.on('error', onError).on('connect', onConnect);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  });
}

const KINDS: ReadonlyMap<string, ConnectProblem> = new Map([
  ['ECONNREFUSED', { kind: 'refused', text: 'Connection refused' }],
  ['ETIMEDOUT', { kind: 'timeout', text: 'Connection timed out' }],
  ['ECONNRESET', { kind: 'reset', text: 'Connection reset by peer' }],
  ['EPIPE', { kind: 'reset', text: 'Connection reset by peer' }],
]);

/** Of `bind`: not an address of this machine, of another family, not permitted. */
const SOURCE_CODES: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EINVAL', 'EAFNOSUPPORT', 'EACCES']);

function problem(
  { code = '', message }: Error & { code?: string },
  { localAddress, proxy }: ConnectTarget,
): ConnectProblem {
  if (localAddress !== undefined && SOURCE_CODES.has(code))
    return { kind: 'source', text: `${localAddress} cannot be used (${code})` };
  if (proxy !== undefined) return { kind: 'proxy', text: `The proxy cannot be reached (${code})` };
  return KINDS.get(code) ?? { kind: 'unreachable', text: code === '' ? message : code };
}
