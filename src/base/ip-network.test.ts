import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, isInNetwork, parseIp, parseIpNetwork } from './ip-network.ts';

const written = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['::', '::'],
  ['::1', '::1'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['fe80::1%eth0', 'fe80::1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1::', '1::'],
] as const;
for (const [text, want] of written)
  test(`${text} is written ${want} (RFC 5952 §4)`, () => {
    const octets = parseIp(text) ?? assert.fail();
    assert.equal(formatIp(octets), want);
  });

const refused = [
  '',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '1.2.3.',
  '1.2.3.0x4',
  '192.0.2.1%1',
  ':',
  ':::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  '12345::',
  '::1.2.3',
  '1.2.3.4::',
  '::g',
  '[::1]',
  ' 1.2.3.4',
];
for (const text of refused)
  test(`${JSON.stringify(text)} is no address`, () => assert.equal(parseIp(text), undefined));

const inside = [
  ['192.0.2.0/24', '192.0.2.255', true],
  ['192.0.2.0/24', '192.0.3.0', false],
  ['192.0.2.7/24', '192.0.2.9', true],
  ['192.0.2.128/25', '192.0.2.127', false],
  ['192.0.2.128/25', '192.0.2.128', true],
  ['192.0.2.1', '192.0.2.1', true],
  ['192.0.2.1', '192.0.2.2', false],
  ['0.0.0.0/0', '203.0.113.9', true],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '192.0.2.1', false],
  ['::/0', '2001:db8::1', true],
  ['192.0.2.0/24', '::ffff:192.0.2.9', true],
  ['::ffff:192.0.2.0/120', '192.0.2.9', true],
  ['2001:db8::/33', '2001:db8:7fff::1', true],
  ['2001:db8::/33', '2001:db8:8000::1', false],
] as const;
for (const [network, address, want] of inside)
  test(`${address} is ${want ? '' : 'not '}in ${network}`, () =>
    assert.equal(
      isInNetwork(parseIp(address) ?? assert.fail(), parseIpNetwork(network) ?? assert.fail()),
      want,
    ));

for (const text of [
  '192.0.2.0/33',
  '192.0.2.0/',
  '192.0.2.0/-1',
  '192.0.2.0/24/24',
  '::/129',
  'host/24',
  '::ffff:1.2.3.4/95',
])
  test(`${text} is no network`, () => assert.equal(parseIpNetwork(text), undefined));

test('what is an address is so for Node too, and reads back equal', () => {
  const v4 = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }).map((octets) => Uint8Array.from(octets));
  const v6 = fc
    .array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 })
    .map((octets) => Uint8Array.from(octets));
  fc.assert(
    fc.property(fc.oneof(v4, v6), (octets) => {
      const text = formatIp(octets);
      assert.equal(isIP(text), octets.length === 4 ? 4 : 6);
      const again = parseIp(text);
      assert.ok(again !== undefined);
      assert.equal(formatIp(again), formatIp(parseIp(formatIp(again)) ?? assert.fail()));
    }),
  );
  const texts = fc.stringMatching(/^[0-9a-f:.]{0,20}$/);
  fc.assert(
    fc.property(texts, (text) =>
      assert.equal(parseIp(text) !== undefined, isIP(text) !== 0 || hasZeros(text)),
    ),
  );
});

/** Node takes no zeros ahead in a dotted quad; peers that write them mean the decimal number (RFC 5321 §4.1.3, Snum). */
function hasZeros(text: string): boolean {
  return /(?:^|[:.])0\d/.test(text) && parseIp(text) !== undefined;
}
