import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { addressFamilies, lookingAnew } from './address-families.ts';

const at = (...addresses: string[]) => ({
  eth0: addresses.map((address) => ({
    address,
    family: address.includes(':') ? ('IPv6' as const) : ('IPv4' as const),
  })),
});

const cases = [
  { wanted: 'auto', addresses: ['192.0.2.1', '2001:db8::1'], want: ['ipv6', 'ipv4'] },
  { wanted: 'auto', addresses: ['192.0.2.1'], want: ['ipv4', 'ipv6'] },
  { wanted: 'auto', addresses: ['192.0.2.1', '::1', 'fe80::1', 'fd00::1'], want: ['ipv4', 'ipv6'] },
  { wanted: 'ipv6-first', addresses: ['192.0.2.1'], want: ['ipv6', 'ipv4'] },
  { wanted: 'ipv4-first', addresses: ['2001:db8::1'], want: ['ipv4', 'ipv6'] },
  { wanted: 'ipv4-only', addresses: ['2001:db8::1'], want: ['ipv4'] },
  { wanted: 'ipv6-only', addresses: [], want: ['ipv6'] },
] as const;
for (const { wanted, addresses, want } of cases)
  test(`${wanted} on a host with ${addresses.join(', ') || 'no address'} (RFC 6724 §5)`, () => {
    assert.deepEqual(addressFamilies(wanted, at(...addresses)), want);
  });

test('interfaces are looked at anew after a minute, not each time', async () => {
  const clock = new FakeClock();
  let looks = 0;
  const look = lookingAnew(clock, () => (looks += 1));
  assert.deepEqual([look(), look()], [1, 1]);
  await clock.advance(60_000);
  assert.equal(look(), 2);
});
