import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzz, seeds } from './transfer.fuzz.ts';
import { createDecoder, decodeTransfer, encodeBase64, encodeQuotedPrintable } from './transfer.ts';

const cases = [
  { name: 'base64', rfc: '2045 §6.8', encoding: 'base64', input: 'YWJj\r\nZA==\r\n', want: 'abcd' },
  { name: 'base64 without padding', rfc: '2045 §6.8', encoding: 'BASE64', input: 'YWI', want: 'ab' },
  {
    name: 'base64 with other characters',
    rfc: '2045 §6.8',
    encoding: 'base64',
    input: '*Y W\0J-j',
    want: 'abc',
  },
  { name: 'base64 joined from two', rfc: '2045 §6.8', encoding: 'base64', input: 'YQ==YmM=', want: 'abc' },
  { name: 'a lone base64 character', rfc: '2045 §6.8', encoding: 'base64', input: 'Y', want: '' },
  {
    name: 'quoted-printable',
    rfc: '2045 §6.7',
    encoding: 'quoted-printable',
    input: 'a=3D=c3=A4',
    want: 'a=\xc3\xa4',
  },
  {
    name: 'a soft line break',
    rfc: '2045 §6.7 (5)',
    encoding: 'quoted-printable',
    input: 'a=\r\nb=\nc= \t\r\nd',
    want: 'abcd',
  },
  {
    name: 'white space at line ends',
    rfc: '2045 §6.7 (3)',
    encoding: 'quoted-printable',
    input: 'a \t\r\nb=20\r\nc ',
    want: 'a\r\nb \r\nc',
  },
  {
    name: 'a broken escape',
    rfc: '2045 §6.7',
    encoding: 'quoted-printable',
    input: '=zz=4=',
    want: '=zz=4=',
  },
  {
    name: 'uuencode',
    rfc: '2045 §6.3',
    encoding: 'x-uuencode',
    input: 'noise\nbegin 644 a.txt\n#0V%T\n`\nend\n',
    want: 'Cat',
  },
  { name: '8bit', rfc: '2045 §6.2', encoding: ' 8bit ', input: '\xe4\0', want: '\xe4\0' },
  { name: 'an unknown encoding', rfc: '2045 §6.2', encoding: 'x-none', input: 'a', want: 'a' },
] as const;
for (const { name, rfc, encoding, input, want } of cases) {
  test(`${name} (RFC ${rfc})`, () => {
    const decoded = decodeTransfer(Buffer.from(input, 'latin1'), encoding);
    assert.equal(Buffer.from(decoded).toString('latin1'), want);
  });
}

test('an unknown encoding has no decoder (RFC 9051 §7.5.2, UNKNOWN-CTE)', () => {
  assert.equal(createDecoder('x-none'), undefined);
});

test('base64 comes in lines of 76 (RFC 2045 §6.8)', () => {
  assert.equal(encodeBase64(Buffer.alloc(60)), `${'A'.repeat(76)}\r\nAAAA\r\n`);
  assert.equal(encodeBase64(Buffer.alloc(0)), '');
});

test('quoted-printable keeps line ends and escapes the rest (RFC 2045 §6.7)', () => {
  assert.equal(encodeQuotedPrintable(Buffer.from('a = ä \nb\t\r\n\r')), 'a =3D =C3=A4=20\r\nb=09\r\n=0D');
  assert.equal(encodeQuotedPrintable(Buffer.from('x'.repeat(77))), `${'x'.repeat(75)}=\r\nxx`);
  assert.equal(encodeQuotedPrintable(Buffer.from('x'.repeat(76))), 'x'.repeat(76));
});

test('any cut gives the same octets, and what is encoded decodes to itself', () => {
  for (const seed of seeds) fuzz(seed);
  const piece = fc.constantFrom(
    '=',
    '=4',
    '=41',
    ' ',
    '\t',
    '\r',
    '\n',
    'YWJj',
    'a',
    '=\r\n',
    'begin 644 x\n',
    'end\n',
    '\xe4',
    ' '.repeat(999),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (all) => fuzz(Buffer.from(all.join(''), 'latin1'))),
    { numRuns: 200 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fuzz));
});
