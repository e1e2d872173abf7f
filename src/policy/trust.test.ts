import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trust } from './trust.ts';

const trust = new Trust({
  proxies: ['192.0.2.0/28', '2001:db8:1::/48'],
  forwarders: ['198.51.100.7'],
  peers: ['203.0.113.0/24'],
  own: ['198.51.100.1', '2001:db8::25'],
});

const cases = [
  // address, proxy, forwarder, peer, exempt
  ['192.0.2.5', true, false, false, true],
  ['::ffff:192.0.2.5', true, false, false, true],
  ['192.0.2.16', false, false, false, false],
  ['2001:db8:1:2::3', true, false, false, true],
  ['198.51.100.7', false, true, false, true],
  ['198.51.100.8', false, false, false, false],
  ['203.0.113.9', false, false, true, false],
  ['198.51.100.1', false, false, false, true],
  ['2001:db8:0::25', false, false, false, true],
  ['127.0.0.1', false, false, false, true],
  ['127.255.0.9', false, false, false, true],
  ['::1', false, false, false, true],
  ['::ffff:127.0.0.1', false, false, false, true],
  ['', false, false, false, false],
  ['127.0.0.1.example.org', false, false, false, false],
] as const;
for (const [address, proxy, forwarder, peer, exempt] of cases)
  test(`${JSON.stringify(address)}: ${[proxy && 'proxy', forwarder && 'forwarder', peer && 'peer', exempt && 'exempt'].filter(Boolean).join(', ') || 'a stranger'}`, () =>
    assert.deepEqual(
      [trust.isProxy(address), trust.isForwarder(address), trust.isPeer(address), trust.isExempt(address)],
      [proxy, forwarder, peer, exempt],
    ));

test('this machine may be told to be no exception', () => {
  const strict = new Trust({
    loopback: false,
    proxies: ['192.0.2.1'],
    forwarders: [],
    peers: [],
    own: ['198.51.100.1'],
  });
  assert.deepEqual(
    ['127.0.0.1', '::1', '198.51.100.1', '192.0.2.1'].map((address) => strict.isExempt(address)),
    [false, false, false, true],
  );
});

test('what is no network is a bug', () => {
  assert.throws(
    () => new Trust({ proxies: ['proxy.example'], forwarders: [], peers: [], own: [] }),
    TypeError,
  );
});
