import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from './crc32c.ts';
import { fuzz, seeds } from './proxy-header.fuzz.ts';
import { scanProxyHeader } from './proxy-header.ts';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

function binary(
  versionAndCommand: number,
  family: number,
  rest: readonly number[],
  octets = rest.length,
): Buffer {
  return Buffer.from([...SIGNATURE, versionAndCommand, family, octets >> 8, octets & 255, ...rest]);
}

const V4 = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0, 25];
const V6 = [
  ...Array.from({ length: 15 }, () => 0),
  1,
  ...Array.from({ length: 15 }, () => 0),
  2,
  0,
  80,
  0,
  25,
];
const value = (type: number, octets: readonly number[]): number[] => [
  type,
  octets.length >> 8,
  octets.length & 255,
  ...octets,
];

/** With its checksum in place. */
function summed(
  versionAndCommand: number,
  family: number,
  before: readonly number[],
  after: readonly number[] = [],
): Buffer {
  const header = binary(versionAndCommand, family, [...before, ...value(3, [0, 0, 0, 0]), ...after]);
  header.writeUInt32BE(crc32c(header), 16 + before.length + 3);
  return header;
}

const short = (input: Buffer): string => {
  const scan = scanProxyHeader(input);
  if (scan.kind === 'malformed') return scan.problem;
  if (scan.kind === 'need-more') return scan.kind;
  const { header } = scan;
  const who =
    header.kind === 'local'
      ? 'local'
      : `${header.source.address} ${header.source.port} > ${header.destination.address} ${header.destination.port}`;
  return `${who}, ${scan.octets}`;
};

const text: readonly (readonly [string, string])[] = [
  ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\nEHLO', '192.0.2.1 56324 > 198.51.100.2 25, 44'],
  [
    'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    '255.255.255.255 65535 > 255.255.255.255 65535, 56',
  ],
  ['PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n', '2001:db8::1 0 > ::1 65535, 36'],
  ['PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n', '192.0.2.1 1 > 192.0.2.2 2, 50'],
  ['PROXY UNKNOWN\r\nEHLO', 'local, 15'],
  ['PROXY UNKNOWN ffff::1 what ever 1 2\r\n', 'local, 37'],
  ['', 'need-more'],
  ['P', 'need-more'],
  ['PROXY TCP4 192.0.2.1', 'need-more'],
  ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r', 'need-more'],
  ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\n', 'syntax'],
  ['PROXY TCP4 192.0.2.1  198.51.100.2 56324 25\r\n', 'syntax'],
  ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 25 \r\n', 'syntax'],
  ['PROXY TCP4 192.0.2.01 198.51.100.2 56324 25\r\n', 'syntax'],
  ['PROXY TCP4 192.0.2.1 198.51.100.2 056324 25\r\n', 'syntax'],
  ['PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n', 'syntax'],
  ['PROXY TCP4 192.0.2.256 198.51.100.2 1 25\r\n', 'syntax'],
  ['PROXY TCP4 ::1 ::2 1 25\r\n', 'syntax'],
  ['PROXY TCP6 192.0.2.1 192.0.2.2 1 25\r\n', 'syntax'],
  ['PROXY UDP4 192.0.2.1 192.0.2.2 1 25\r\n', 'syntax'],
  ['PROXY UNKNOWNX\r\n', 'syntax'],
  ['PROXY\r\n', 'no-header'],
  ['proxy TCP4 192.0.2.1 198.51.100.2 56324 25\r\n', 'no-header'],
  ['EHLO client.test\r\n', 'no-header'],
  [`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, 'local, 107'],
  [`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, 'too-long'],
  [`PROXY TCP4 ${'1'.repeat(96)}`, 'too-long'],
];
for (const [input, want] of text)
  test(`PROXY protocol 1: ${JSON.stringify(input.slice(0, 60))} is ${want}`, () =>
    assert.equal(short(Buffer.from(input, 'latin1')), want));

const binaries: readonly (readonly [string, Buffer, string])[] = [
  ['TCP over IPv4', binary(0x21, 0x11, V4), '192.0.2.1 56324 > 198.51.100.2 25, 28'],
  ['TCP over IPv6', binary(0x21, 0x21, V6), '::1 80 > ::2 25, 52'],
  [
    'what follows is not touched',
    Buffer.concat([binary(0x21, 0x11, V4), Buffer.from('EHLO')]),
    '192.0.2.1 56324 > 198.51.100.2 25, 28',
  ],
  [
    'values are skipped',
    binary(0x21, 0x11, [...V4, ...value(1, [104, 50]), ...value(0x20, [])]),
    '192.0.2.1 56324 > 198.51.100.2 25, 36',
  ],
  ['a right checksum', summed(0x21, 0x11, V4, value(4, [0])), '192.0.2.1 56324 > 198.51.100.2 25, 39'],
  ['a wrong checksum', binary(0x21, 0x11, [...V4, ...value(3, [0, 0, 0, 0])]), 'checksum'],
  ['a checksum of three octets', binary(0x21, 0x11, [...V4, ...value(3, [0, 0, 0])]), 'syntax'],
  [
    'two checksums',
    binary(0x21, 0x11, [...V4, ...value(3, [0, 0, 0, 0]), ...value(3, [0, 0, 0, 0])]),
    'syntax',
  ],
  ['a value beyond the end', binary(0x21, 0x11, [...V4, 1, 0, 9, 0]), 'syntax'],
  ['half a value', binary(0x21, 0x11, [...V4, 1, 0]), 'syntax'],
  ['LOCAL', binary(0x20, 0x00, []), 'local, 16'],
  ['LOCAL with whatever', binary(0x20, 0xff, [1, 2, 3]), 'local, 19'],
  ['unspecified', binary(0x21, 0x00, []), 'local, 16'],
  ['unspecified with values', binary(0x21, 0x00, value(1, [1])), 'local, 20'],
  [
    'UNIX',
    binary(
      0x21,
      0x31,
      Array.from({ length: 216 }, () => 0),
    ),
    'local, 232',
  ],
  ['UNIX, too short', binary(0x21, 0x31, [1]), 'syntax'],
  ['UDP over IPv4', binary(0x21, 0x12, V4), 'local, 28'],
  ['no transport', binary(0x21, 0x10, V4), 'local, 28'],
  ['IPv4, too short', binary(0x21, 0x11, V4.slice(1)), 'syntax'],
  ['IPv6 with addresses of IPv4', binary(0x21, 0x21, V4), 'syntax'],
  ['an unknown family', binary(0x21, 0x41, V4), 'family'],
  ['an unknown transport', binary(0x21, 0x13, V4), 'family'],
  ['an unknown command', binary(0x22, 0x11, V4), 'command'],
  ['version 1 in binary', binary(0x11, 0x11, V4), 'version'],
  ['version 3', binary(0x31, 0x11, V4), 'version'],
  ['cut in the addresses', binary(0x21, 0x11, V4.slice(0, 5), 12), 'need-more'],
  ['cut in the head', SIGNATURE, 'need-more'],
  [
    'at the limit',
    binary(
      0x21,
      0x00,
      value(
        0x20,
        Array.from({ length: 4077 }, () => 7),
      ),
    ),
    'local, 4096',
  ],
  ['over the limit, before it has come', binary(0x21, 0x00, [], 4081), 'too-long'],
  ['another signature', Buffer.from('\r\n\r\n\0\r\nQUIT\r', 'latin1'), 'no-header'],
];
for (const [name, input, want] of binaries)
  test(`PROXY protocol 2: ${name} is ${want}`, () => assert.equal(short(input), want));

test('CRC-32C', () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a91_36aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8_ab43);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
});

test('any octets, and any cut of a header: no throw, the same answer', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => fuzz(octets)));
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.nat(60), fc.nat(255), (seed, at, octet) => {
      const changed = Buffer.from(seed);
      if (at < changed.length) changed[at] = octet;
      fuzz(changed);
    }),
  );
});
