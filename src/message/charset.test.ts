import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeCharset, isKnownCharset } from './charset.ts';

const cases = [
  { charset: 'utf-8', octets: [0xef, 0xbb, 0xbf, 0xc3, 0xa4], want: 'ä' },
  { charset: ' UTF8 ', octets: [0xc3, 0xa4], want: 'ä' },
  { charset: 'utf-8', octets: [0xff], want: '\ufffd' },
  { charset: 'us-ascii', octets: [0x61, 0xc3, 0xa4], want: 'aä' },
  { charset: 'us-ascii', octets: [0x61, 0xe4], want: 'aä' },
  { charset: undefined, octets: [0xe4], want: 'ä' },
  { charset: 'iso-8859-15', octets: [0xa4], want: '€' },
  { charset: 'cp1252', octets: [0x80], want: '€' },
  { charset: 'koi8-r', octets: [0xc1], want: 'а' },
  { charset: 'cp437', octets: [0x84], want: 'ä' },
  { charset: 'utf-7', octets: [...Buffer.from('+AOQ-')], want: 'ä' },
  { charset: 'gb2312', octets: [0xc4, 0xe3], want: '你' },
  { charset: 'nonsense', octets: [0xc3, 0xa4], want: 'ä' },
  { charset: 'nonsense', octets: [0xe4], want: 'ä' },
  { charset: 'iso-2022-cn', octets: [0x61], want: 'a' },
  { charset: '__proto__', octets: [0x61], want: 'a' },
  { charset: 'x'.repeat(10_000), octets: [0x61], want: 'a' },
] as const;
for (const { charset, octets, want } of cases) {
  test(`${charset?.slice(0, 20)} of ${Buffer.from(octets).toString('hex')} (RFC 2046 §4.1.2)`, () => {
    assert.equal(decodeCharset(Uint8Array.from(octets), charset), want);
  });
}

test('says which names it knows', () => {
  assert.ok(
    isKnownCharset('US-ASCII') &&
      isKnownCharset('utf-8') &&
      isKnownCharset('utf-7') &&
      isKnownCharset('cp437'),
  );
  assert.ok(!isKnownCharset('nonsense') && !isKnownCharset('') && !isKnownCharset('unknown-8bit'));
});
