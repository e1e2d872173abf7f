import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzz } from './header.fuzz.ts';
import {
  findField,
  formatField,
  headerSectionOf,
  isHeaderWhole,
  parseHeader,
  parseHeaderOctets,
  unfold,
} from './header.ts';

const cases = [
  {
    name: 'plain fields',
    rfc: '5322 §2.2',
    input: 'A: b\r\nC:d\r\n\r\n',
    want: [
      ['A', ' b'],
      ['C', 'd'],
    ],
  },
  {
    name: 'folding',
    rfc: '5322 §2.2.3',
    input: 'A: b\r\n c\r\n\td\r\nE: f\r\n',
    want: [
      ['A', ' b\r\n c\r\n\td'],
      ['E', ' f'],
    ],
  },
  {
    name: 'LF alone',
    rfc: '5322 §4.5',
    input: 'A: b\n c\nD: e\n\nX: y',
    want: [
      ['A', ' b\n c'],
      ['D', ' e'],
    ],
  },
  { name: 'white space before the colon', rfc: '5322 §4.5', input: 'A \t: b\r\n', want: [['A', ' b']] },
  {
    name: 'an empty value',
    rfc: '5322 §2.2',
    input: 'A:\r\nB:',
    want: [
      ['A', ''],
      ['B', ''],
    ],
  },
  {
    name: 'a line without a colon',
    rfc: '5322 §2.2',
    input: 'From x\r\nA: b\r\n',
    want: [
      ['', 'From x'],
      ['A', ' b'],
    ],
  },
  {
    name: 'a bare CR is part of the value',
    rfc: '5322 §2.2',
    input: 'A: b\rc: d\r\n',
    want: [['A', ' b\rc: d']],
  },
  { name: '8-bit octets stay', rfc: '6532 §3', input: 'A: \xc3\xa4\r\n', want: [['A', ' \xc3\xa4']] },
  { name: 'nothing', rfc: '5322 §2.1', input: '', want: [] },
  { name: 'a blank line first', rfc: '5322 §2.1', input: '\r\nA: b', want: [] },
] as const;
for (const { name, rfc, input, want } of cases) {
  test(`${name} (RFC ${rfc})`, () => {
    const fields = parseHeaderOctets(Buffer.from(input, 'latin1'));
    assert.deepEqual(
      fields.map((field) => [field.name, field.raw]),
      want,
    );
  });
}

test('unfolds to one line without the blanks around it (RFC 5322 §2.2.3)', () => {
  assert.equal(unfold(' a\r\n b\n\tc '), 'a b\tc');
});

test('0xA0 is no blank: it ends characters of UTF-8 (RFC 6532 §3)', () => {
  assert.equal(unfold(' \xc3\xa0 '), '\xc3\xa0');
});

test('finds the first field of a name in any case', () => {
  assert.equal(findField(parseHeader('SUBJECT: a\r\nsubject: b\r\n'), 'subject')?.raw, ' a');
});

test('keeps no more fields than the limit', () => {
  assert.equal(parseHeader('A: b\r\n'.repeat(10), 4).length, 4);
});

test('many lines without a colon cost no more than their octets', () => {
  const startedMs = performance.now();
  assert.equal(parseHeader('x\n'.repeat(500_000), 500_000).length, 500_000);
  const tookMs = performance.now() - startedMs;
  // Looking for the colon anew from each line took over ten seconds.
  assert.ok(tookMs < 3000, `${tookMs} ms`);
});

test('folds at white space before 78 characters (RFC 5322 §2.1.1)', () => {
  const value = 'word '.repeat(40).trim();
  const field = formatField('Subject', value);
  for (const line of field.split('\r\n')) assert.ok(line.length <= 78);
  assert.equal(unfold(field.slice('Subject:'.length)), value);
  assert.equal(formatField('X', 'y'.repeat(200)), `X: ${'y'.repeat(200)}\r\n`);
  assert.equal(formatField('X', 'a\r\nEvil: b'), 'X: a Evil: b\r\n');
});

test('any octets are fields without gaps', () => {
  const text = fc.array(
    fc.constantFrom('\r\n', '\n', '\r', ' ', ':', 'a', 'Content-Type: ', '"', ';', '=', '(', "*0*=''"),
    { maxLength: 40 },
  );
  fc.assert(fc.property(text, (all) => fuzz(Buffer.from(all.join(''), 'latin1'))));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fuzz));
});

const SECTIONS: readonly {
  readonly name: string;
  readonly content: string;
  readonly kept: number;
  readonly want: boolean;
}[] = [
  { name: 'with its empty line', content: 'A: b\r\n\r\nx', kept: 100, want: true },
  { name: 'none', content: '\r\nA: b', kept: 2, want: true },
  { name: 'nothing but a header', content: 'A: b\r\nC: d\r\n', kept: 100, want: true },
  { name: 'with an empty line of LF', content: 'A: b\n\nx', kept: 7, want: true },
  { name: 'cut', content: 'A: b\r\nC: d\r\n\r\n', kept: 8, want: false },
  { name: 'cut before the empty line is whole', content: 'A: b\r\n\r\n', kept: 7, want: false },
  {
    name: 'with as many fields as are kept',
    content: `${'A:\n'.repeat(10_000)}\n`,
    kept: 40_000,
    want: true,
  },
  { name: 'with one field more', content: `${'A:\n'.repeat(10_001)}\n`, kept: 40_000, want: false },
];
for (const { name, content, kept, want } of SECTIONS)
  test(`whether all of a header was seen: ${name} (RFC 5322 §2.1)`, () => {
    const section = headerSectionOf(Buffer.from(content).subarray(0, kept));
    assert.equal(isHeaderWhole(section, content.length), want);
  });
