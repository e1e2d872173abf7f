import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { listen } from './listener.ts';

test('a session that throws ends its own connection, and the listener goes on', async () => {
  const bugs: unknown[] = [];
  let served = 0;
  let left = 0;
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    serverTls: undefined,
    implicitTls: false,
    handshakeMs: 1000,
    reusePort: false,
    enter: () => () => (left += 1),
    refusal: new Uint8Array(0),
    serve: async () => {
      served += 1;
      if (served === 1) throw new TypeError('thrown');
    },
    onRefused: () => undefined,
    onTlsFailure: () => undefined,
    onBug: (cause) => bugs.push(cause),
  });
  for (let n = 1; n <= 2; n += 1) {
    const socket = connect(listener.port, '127.0.0.1').on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
  }
  assert.deepEqual([served, left, bugs.length, listener.connections], [2, 2, 1, 0]);
  listener.close();
});
