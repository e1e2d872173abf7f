import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressName, networkName } from './peer-name.ts';

for (const [address, asAddress, asNetwork] of [
  ['192.0.2.77', '192.0.2.77', '192.0.2.0/24'],
  ['::ffff:192.0.2.77', '192.0.2.77', '192.0.2.0/24'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8::/44'],
  ['2001:DB8:1f:2::1', '2001:db8:1f:2::/64', '2001:db8:10::/44'],
  ['nonsense', 'nonsense', 'nonsense'],
] as const)
  test(`${address} is counted as ${asAddress} and as ${asNetwork}`, () => {
    assert.equal(addressName(address), asAddress);
    assert.equal(networkName(address, { ipv4: 24, ipv6: 44 }), asNetwork);
  });

test('a network may be all of an address', () => {
  assert.equal(networkName('192.0.2.77', { ipv4: 32, ipv6: 128 }), '192.0.2.77');
  assert.equal(networkName('2001:db8::1', { ipv4: 32, ipv6: 128 }), '2001:db8::1');
});
