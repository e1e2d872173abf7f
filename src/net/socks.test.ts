import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { peer } from '../../test/support/peer.ts';
import { freePort } from '../../test/support/free-port.ts';
import type { SocksServerOptions } from '../../test/support/socks-server.ts';
import { startSocksServer } from '../../test/support/socks-server.ts';
import type { SocksProxy } from '../base/connection.ts';
import { latin1 } from '../base/bytes.ts';
import { connect } from './connect.ts';

/** A server that speaks first. */
async function greeter(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined).write('220 there\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

async function through(
  proxy: SocksProxy,
  address: string,
  port: number,
  timeoutMs = 10_000,
): Promise<string> {
  const opened = await connect({ host: address, address, port, timeoutMs, proxy });
  if (!opened.ok) return `${opened.error.kind}: ${opened.error.text}`;
  const said = await opened.value.read(10_000);
  opened.value.destroy();
  return typeof said === 'string' ? said : latin1(said);
}

const LOGIN = { username: 'us', password: 'secret' };

const ways: readonly (readonly [
  name: string,
  server: SocksServerOptions,
  login: SocksProxy['login'],
  host: string,
  want: RegExp,
])[] = [
  ['by address (RFC 1928 §4)', {}, undefined, '127.0.0.1', /^220 there/],
  ['by name (RFC 1928 §5)', { names: { 'mx.inside': '127.0.0.1' } }, undefined, 'mx.inside', /^220 there/],
  ['with a login (RFC 1929 §2)', { login: LOGIN }, LOGIN, '127.0.0.1', /^220 there/],
  ['with a login that is not asked for', {}, LOGIN, '127.0.0.1', /^220 there/],
  ['octet by octet', { slowly: true }, undefined, '127.0.0.1', /^220 there/],
  ['without the login', { login: LOGIN }, undefined, '127.0.0.1', /^proxy: The proxy wants another login/],
  [
    'with a wrong login',
    { login: LOGIN },
    { ...LOGIN, password: 'x' },
    '127.0.0.1',
    /^proxy: The proxy refuses the login/,
  ],
  ['to who refuses', { reply: '05050001000000000000' }, undefined, '127.0.0.1', /^refused: /],
  ['to who is not there', { reply: '05040001000000000000' }, undefined, '127.0.0.1', /^unreachable: /],
  ['to who is too far', { reply: '05060001000000000000' }, undefined, '127.0.0.1', /^timeout: /],
  ['where it may not', { reply: '05020001000000000000' }, undefined, '127.0.0.1', /^proxy: .*not-allowed/],
  ['that speaks SMTP', { instead: '323230' }, undefined, '127.0.0.1', /^proxy: .*does not speak SOCKS 5/],
];
for (const [name, options, login, host, want] of ways)
  test(`through a proxy ${name}`, async () => {
    await using target = await greeter();
    await using proxy = await startSocksServer(options);
    const found = await through({ address: '127.0.0.1', port: proxy.port, login }, host, target.port);
    assert.match(found, want);
    if (want.source.startsWith('^220')) assert.deepEqual(proxy.asked, [`${host}:${target.port}`]);
  });

test('a proxy that is silent takes no longer than a connection may', async () => {
  await using proxy = await startSocksServer({ instead: '' });
  const found = await through(
    { address: '127.0.0.1', port: proxy.port, login: undefined },
    '127.0.0.1',
    25,
    50,
  );
  assert.match(found, /^proxy: The proxy does not answer in time/);
});

test('a proxy that is not there', async () => {
  const port = await freePort();
  const found = await through({ address: '127.0.0.1', port, login: undefined }, '127.0.0.1', 25);
  assert.match(found, /^proxy: The proxy cannot be reached \(ECONNREFUSED\)/);
});

test('given up while the proxy is silent', async () => {
  await using proxy = await startSocksServer({ instead: '' });
  const abort = new AbortController();
  const opening = connect(
    {
      host: 'x',
      address: '127.0.0.1',
      port: 25,
      timeoutMs: 60_000,
      proxy: { address: '127.0.0.1', port: proxy.port, login: undefined },
    },
    abort.signal,
  );
  abort.abort();
  const opened = await opening;
  assert.equal(opened.ok, false);
});

test('an address that is not of this machine is no source', async () => {
  const opened = await connect({
    host: 'x',
    address: '127.0.0.1',
    port: 25,
    timeoutMs: 1000,
    localAddress: '192.0.2.1',
  });
  assert.equal(!opened.ok && opened.error.kind, 'source');
});

const microsocks = peer('microsocks');
test('through microsocks, with its login', { skip: microsocks.skip }, async () => {
  const { path } = microsocks;
  assert.ok(path !== undefined);
  await using target = await greeter();
  const port = await freePort();
  const args = ['-i', '127.0.0.1', '-p', String(port), '-u', LOGIN.username, '-P', LOGIN.password];
  const child = spawn(path, args, { stdio: 'ignore' });
  try {
    const proxy = { address: '127.0.0.1', port, login: LOGIN };
    let found = '';
    // It says nothing of its own when it listens.
    do found = await through(proxy, '127.0.0.1', target.port);
    while (/ECONNREFUSED/.test(found) && child.exitCode === null);
    assert.match(found, /^220 there/);
    assert.match(
      await through({ ...proxy, login: { ...LOGIN, password: 'x' } }, '127.0.0.1', target.port),
      /^proxy: /,
    );
    assert.match(await through(proxy, '127.0.0.1', await freePort()), /^refused: /);
  } finally {
    child.kill();
  }
});
