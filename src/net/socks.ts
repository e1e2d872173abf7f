/** Has a SOCKS 5 proxy connect on: the connection to it then is one to the target. Sources: RFC 1928, RFC 1929. */
import type { ConnectProblem, SocksProxy } from '../base/connection.ts';
import { unreachable } from '../base/unreachable.ts';
import type { SocketConnection } from './socket-connection.ts';
import type { SocksReply, SocksScan } from './wire/socks.ts';
import { encodeConnect, encodeLogin, encodeMethods, scanLogin, scanMethod, scanReply } from './wire/socks.ts';

/**
 * Undefined where the connection is the target's. What the target said behind the proxy's answer is left to the next reader.
 *
 * @param host an IP literal, or a name that the proxy looks up
 * @param deadlineMs of `performance.now`, for all of it
 */
export async function connectThrough(
  connection: SocketConnection,
  { login }: SocksProxy,
  { host, port, deadlineMs }: { readonly host: string; readonly port: number; readonly deadlineMs: number },
): Promise<ConnectProblem | undefined> {
  const request = encodeConnect(host, port);
  const credentials = login === undefined ? undefined : encodeLogin(login);
  if (request === undefined || (login !== undefined && credentials === undefined))
    return problem('cannot be told the target or the login');
  void connection.write(encodeMethods(credentials !== undefined));
  const method = await next(connection, deadlineMs, scanMethod);
  if ('kind' in method) return method;
  if (method.value === 'refused' || (method.value === 'password' && credentials === undefined))
    return problem('wants another login');
  if (method.value === 'password' && credentials !== undefined) {
    void connection.write(credentials);
    const answer = await next(connection, deadlineMs, scanLogin);
    if ('kind' in answer) return answer;
    if (answer.value === 'refused') return problem('refuses the login');
  }
  void connection.write(request);
  const reply = await next(connection, deadlineMs, scanReply);
  return 'kind' in reply ? reply : meaningOf(reply.value);
}

async function next<Value>(
  connection: SocketConnection,
  deadlineMs: number,
  scan: (octets: Uint8Array) => SocksScan<Value>,
): Promise<ConnectProblem | { readonly value: Value }> {
  let held: Uint8Array = new Uint8Array(0);
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    // oxlint-disable-next-line no-await-in-loop -- piece after piece, and mostly there is one
    const read = leftMs <= 0 ? 'timeout' : await connection.read(leftMs);
    if (read === 'woken') continue;
    if (read === 'timeout') return problem('does not answer in time');
    if (typeof read === 'string') return problem('closed the connection');
    held = held.length === 0 ? read : Buffer.concat([held, read]);
    const found = scan(held);
    switch (found.kind) {
      case 'need-more':
        break;
      case 'malformed':
        return problem('does not speak SOCKS 5');
      case 'reply':
        connection.unread(found.rest);
        return { value: found.value };
      default:
        return unreachable(found);
    }
  }
}

/** RFC 1928 §6: what is the target's, and what the proxy's own. */
function meaningOf(reply: SocksReply): ConnectProblem | undefined {
  switch (reply) {
    case 'succeeded':
      return undefined;
    case 'refused':
      return { kind: 'refused', text: 'Connection refused, says the proxy' };
    case 'network-unreachable':
    case 'host-unreachable':
      return { kind: 'unreachable', text: `${reply}, says the proxy` };
    case 'ttl-expired':
      return { kind: 'timeout', text: `${reply}, says the proxy` };
    case 'general-failure':
    case 'not-allowed':
    case 'command-not-supported':
    case 'address-type-not-supported':
      return problem(`does not connect: ${reply}`);
  }
}

function problem(text: string): ConnectProblem {
  return { kind: 'proxy', text: `The proxy ${text}` };
}
