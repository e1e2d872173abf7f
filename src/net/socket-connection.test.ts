import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { SocketConnection } from './socket-connection.ts';

/** A connection of ours, and the socket of its peer. */
async function pair(): Promise<{ readonly connection: SocketConnection; readonly peer: Socket }> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const accepted: Promise<Socket> = new Promise((resolve) => void server.once('connection', resolve));
  const socket = connect({ port: address.port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const peer = await accepted;
  server.close();
  return { connection: new SocketConnection(socket), peer };
}

/** How long a read took that nobody answered. */
async function unanswered(connection: SocketConnection, idleMs: number): Promise<number> {
  const from = performance.now();
  assert.equal(await connection.read(idleMs), 'timeout');
  return performance.now() - from;
}

test('each read has its own time, whatever the reads before it had', async () => {
  const { connection, peer } = await pair();
  // The process must not end while only our timers, which hold up nobody, are left.
  const stays = setInterval(() => undefined, 1000);
  try {
    for (const idleMs of [5, 60_000, 20]) {
      const read = connection.read(idleMs);
      if (idleMs === 60_000) {
        peer.write('x');
        assert.equal(Buffer.from(await read).toString(), 'x');
      } else assert.equal(await read, 'timeout');
    }
    // The timer of a short read that was answered fires within a longer one, and does not end it.
    peer.write('y');
    assert.equal(Buffer.from(await connection.read(1000)).toString(), 'y');
    assert.ok((await unanswered(connection, 1050)) >= 1049);
    assert.ok((await unanswered(connection, 10)) >= 9);
    peer.write('z');
    assert.equal(Buffer.from(await connection.read(60_000)).toString(), 'z');
    assert.ok((await unanswered(connection, 10)) >= 9);
  } finally {
    clearInterval(stays);
    connection.destroy();
    peer.destroy();
  }
});
