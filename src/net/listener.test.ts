import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Connection } from '../base/connection.ts';
import type { Listener, ListenerOptions } from './listener.ts';
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

/** A listener that trusts the proxy 127.0.0.1, and says to each connection whose it is and what it said first. */
async function proxied(change: Partial<ListenerOptions> = {}): Promise<{
  listener: Listener;
  entered: string[];
  notes: string[];
  say: (octets: string) => Promise<string>;
}> {
  const entered: string[] = [];
  const notes: string[] = [];
  let inside = 0;
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    serverTls: undefined,
    implicitTls: false,
    handshakeMs: 1000,
    reusePort: false,
    proxies: {
      isTrusted: (remote) => remote === '127.0.0.1',
      onFailure: (remote, problem) => void notes.push(`${remote} ${problem}`),
    },
    enter: (remote) => {
      if (remote === '192.0.2.66') return 'too-many-from-address';
      entered.push(remote);
      inside += 1;
      return () => void notes.push(`left ${(inside -= 1)}`);
    },
    refusal: Buffer.from('421 no\r\n'),
    serve: async (connection: Connection) => {
      const read = await connection.read(10_000);
      const { remote, local } = connection;
      const said = typeof read === 'string' ? read : Buffer.from(read).toString('latin1');
      await connection.write(
        Buffer.from(`${remote.address} ${remote.port} ${local.address} ${local.port} ${said}`),
      );
      await connection.close();
    },
    onRefused: (remote, reason) => void notes.push(`${remote} ${reason}`),
    onTlsFailure: () => undefined,
    onBug: (cause) => void notes.push(String(cause)),
    ...change,
  });
  const say = async (octets: string): Promise<string> => {
    const socket = connect({ port: listener.port, host: '127.0.0.1', noDelay: true }).on(
      'error',
      () => undefined,
    );
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
    for (const octet of octets) await new Promise((resolve) => socket.write(octet, 'latin1', resolve));
    await once(socket, 'close');
    return heard;
  };
  return { listener, entered, notes, say };
}

const V2 = '\r\n\r\n\0\r\nQUIT\n';
const proxies = [
  ['version 1', 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\nE', '192.0.2.1 56324 198.51.100.2 25 E'],
  [
    'version 2',
    `${V2}\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19E`,
    '192.0.2.1 56324 198.51.100.2 25 E',
  ],
  ['a client over its limit', 'PROXY TCP4 192.0.2.66 198.51.100.2 1 25\r\n', '421 no\r\n'],
  ['no header', 'EHLO client.test\r\n', ''],
] as const;
for (const [name, said, want] of proxies)
  test(`a trusted proxy, octet by octet: ${name}`, async () => {
    const { listener, say, entered, notes } = await proxied();
    assert.equal(await say(said), want);
    listener.close();
    await listener.drained();
    // Let in twice at the most, as the proxy's and as the client's, and out as often.
    assert.equal(notes.filter((note) => note.startsWith('left')).length, entered.length);
    assert.ok(!notes.some((note) => note.startsWith('left -')));
    if (want === '') assert.ok(notes.includes('127.0.0.1 no-header'));
    else if (want.startsWith('421')) assert.ok(notes.includes('192.0.2.66 too-many-from-address'));
    else assert.deepEqual(entered, ['127.0.0.1', '192.0.2.1']);
  });

test('a check of the proxy itself is served as the proxy’s, and one that only connects is nothing', async () => {
  const { listener, say, notes } = await proxied();
  assert.match(await say(`${V2}\x20\0\0\0E`), /^127\.0\.0\.1 \d+ 127\.0\.0\.1 \d+ E$/);
  const socket = connect(listener.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.end();
  socket.resume();
  await once(socket, 'close');
  listener.close();
  await listener.drained();
  assert.ok(notes.every((note) => note.startsWith('left')));
});

test('of anybody else a header is only what they say', async () => {
  const { listener, say } = await proxied({
    proxies: { isTrusted: () => false, onFailure: () => assert.fail() },
  });
  assert.match(
    await say('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n'),
    /^127\.0\.0\.1 \d+ 127\.0\.0\.1 \d+ P/,
  );
  listener.close();
});
