/** Reads the header of a trusted proxy off a connection, and lets the connection appear as the client's. */
import { Buffer } from 'node:buffer';
import { unreachable } from '../base/unreachable.ts';
import type { SocketConnection } from './socket-connection.ts';
import type { ProxyProblem } from './wire/proxy-header.ts';
import { scanProxyHeader } from './wire/proxy-header.ts';

/**
 * Undefined where the connection may go on, as the client's or as the proxy's own. What came behind the header is left to
 * the next reader.
 *
 * @param withinMs for the whole of it: single octets buy no time
 */
export async function readProxyHeader(
  connection: SocketConnection,
  withinMs: number,
): Promise<ProxyProblem | 'end' | 'reset' | 'timeout' | undefined> {
  const deadlineMs = performance.now() + withinMs;
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    // oxlint-disable-next-line no-await-in-loop -- piece after piece, and mostly there is one
    const read = leftMs <= 0 ? 'timeout' : await connection.read(leftMs);
    if (read === 'woken') continue;
    if (typeof read === 'string') return read;
    held = Buffer.concat([held, read]);
    const scan = scanProxyHeader(held);
    switch (scan.kind) {
      case 'need-more':
        break;
      case 'malformed':
        return scan.problem;
      case 'header':
        connection.unread(held.subarray(scan.octets));
        if (scan.header.kind === 'client') connection.appearAs(scan.header.source, scan.header.destination);
        return undefined;
      default:
        return unreachable(scan);
    }
  }
}
