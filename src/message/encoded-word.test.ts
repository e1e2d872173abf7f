import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzz } from './encoded-word.fuzz.ts';
import { decodeText, encodeWords } from './encoded-word.ts';

const cases = [
  { name: 'Q', rfc: '2047 §4.2', input: '=?iso-8859-1?q?this_is=20=E4?=', want: 'this is ä' },
  { name: 'B', rfc: '2047 §4.1', input: '=?UTF-8?B?4oKs?=', want: '€' },
  { name: 'words and text', rfc: '2047 §8', input: 'a =?utf-8?q?b?= c', want: 'a b c' },
  { name: 'adjacent words', rfc: '2047 §8', input: '=?utf-8?q?a?= \r\n =?utf-8?q?b?=', want: 'ab' },
  {
    name: 'adjacent words of two charsets',
    rfc: '2047 §6.2',
    input: '=?utf-8?q?a?= =?iso-8859-1?q?=e4?=',
    want: 'aä',
  },
  {
    name: 'a character split between words',
    rfc: '2047 §5',
    input: '=?utf-8?b?4oI=?= =?utf-8?b?rA==?=',
    want: '€',
  },
  { name: 'words that touch', rfc: '2047 §5', input: '=?utf-8?q?a?==?utf-8?q?b?=', want: 'ab' },
  { name: 'a language', rfc: '2231 §5', input: '=?utf-8*en?q?a?=', want: 'a' },
  { name: 'a word inside of a word of text', rfc: '2047 §5', input: 'a=?utf-8?q?b?=c', want: 'abc' },
  { name: 'an unknown charset', rfc: '2047 §6.2', input: '=?x-none?q?=e4?=', want: 'ä' },
  { name: 'an unknown encoding', rfc: '2047 §6.2', input: '=?utf-8?x?a?=', want: '=?utf-8?x?a?=' },
  { name: 'blanks in Q', rfc: '2047 §4.2', input: '=?utf-8?q?a b?=', want: 'a b' },
  { name: 'a broken escape', rfc: '2047 §4.2', input: '=?utf-8?q?a=zz=?=', want: 'a=zz=' },
  { name: 'no end', rfc: '2047 §2', input: '=?utf-8?q?abc', want: '=?utf-8?q?abc' },
  { name: 'raw UTF-8', rfc: '6532 §3', input: '\xe2\x82\xac', want: '€' },
  { name: 'raw windows-1252', rfc: '6532 §3', input: '\x80', want: '€' },
  { name: 'utf-7', rfc: '2152', input: '=?utf-7?q?+AOQ-?=', want: 'ä' },
  { name: 'iso-2022-jp', rfc: '1468', input: '=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=', want: '日本' },
] as const;
for (const { name, rfc, input, want } of cases) {
  test(`${name} (RFC ${rfc})`, () => assert.equal(decodeText(input), want));
}

test('ASCII stays, all else becomes words of at most 75 octets with whole characters (RFC 2047 §2)', () => {
  assert.equal(encodeWords('plain text'), 'plain text');
  assert.equal(encodeWords('=?not'), '=?utf-8?q?=3D=3Fnot?=');
  for (const word of encodeWords(`${'ä€\u{1f4ee}'.repeat(40)} and more`).split(' ')) {
    assert.ok(word.length <= 75);
    assert.ok(!decodeText(word).includes('\ufffd'));
  }
});

test('what is encoded decodes to itself', () => {
  const text = fc.string({ unit: 'binary', maxLength: 200 }).map((one) => one.replace(/[\r\n]/g, ''));
  fc.assert(
    fc.property(text, (one) => assert.equal(decodeText(`x${encodeWords(`y ${one} z`)}`), `xy ${one} z`)),
  );
});

test('any text decodes', () => {
  const piece = fc.constantFrom(
    '=?',
    '?=',
    '?',
    'utf-8',
    'q',
    'b',
    '=C3',
    '=A4',
    ' ',
    '\r\n ',
    '4oKs',
    '\xe4',
    '_',
    'utf-7',
    '+2AA-',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (all) => fuzz(Buffer.from(all.join(''), 'latin1'))),
    {
      numRuns: 1000,
    },
  );
});

test('a long text of the worst kind is read in linear time', () => {
  for (const piece of ['=?', '=?a?q?', '=?a?q?x', '=?utf-8?q?a?= ', '?=']) decodeText(piece.repeat(40_000));
});
