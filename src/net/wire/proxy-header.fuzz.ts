/** PROXY headers: never throw, never read beyond the end, and a header is the same however the network cut it. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { isIP } from 'node:net';
import { scanProxyHeader } from './proxy-header.ts';

export const covers: RegExp = /src\/net\/wire\/(?:proxy-header|crc32c)\.ts$/;

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

export const seeds: readonly Uint8Array[] = [
  'PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\nEHLO x\r\n',
  'PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n',
  'PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n',
  `${SIGNATURE}\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19`,
  `${SIGNATURE}\x20\0\0\0`,
  `${SIGNATURE}\x21\x00\0\x07\x03\0\x04\0\0\0\0`,
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const input = Buffer.from(octets);
  const scan = scanProxyHeader(input);
  if (scan.kind !== 'header') return;
  assert.ok(scan.octets > 0 && scan.octets <= input.length);
  if (scan.header.kind === 'client')
    for (const { address, port } of [scan.header.source, scan.header.destination]) {
      assert.notEqual(isIP(address), 0);
      assert.ok(port >= 0 && port <= 65_535);
    }
  assert.deepEqual(scanProxyHeader(input.subarray(0, scan.octets)), scan);
  for (let cut = 0; cut < scan.octets; cut += 1)
    assert.equal(scanProxyHeader(input.subarray(0, cut)).kind, 'need-more');
}
