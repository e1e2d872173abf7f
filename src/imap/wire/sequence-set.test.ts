import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  countOf,
  decodeSequenceSet,
  formatRanges,
  formatSequenceSet,
  hasStar,
  largestNumber,
  mergeRanges,
  numbersOf,
  parseSequenceSet,
  rangesHave,
  rangesOf,
  resolveRanges,
  slicesOf,
} from './sequence-set.ts';

const good = [
  ['1', '1'],
  ['4294967295', '4294967295'],
  ['2,4:7,9,12:*', '2,4:7,9,12:*'],
  ['*:4,5:7', '*:4,5:7'],
  ['*', '*'],
  ['3:3', '3'],
  ['$', '$'],
] as const;
const refused = [
  '',
  '0',
  '01',
  '4294967296',
  '1:',
  ':1',
  ',',
  '1,',
  ',1',
  '1,,2',
  '1:2:3',
  '1-2',
  'a',
  '-1',
  '$,1',
  '1:$',
  '1 ',
  '**',
  '99999999999999999999',
] as const;

suite('sequence set (RFC 9051 §9)', () => {
  for (const [text, want] of good)
    test(`'${text}' reads`, () => {
      const set = parseSequenceSet(text, 100);
      assert.equal(set && formatSequenceSet(set), want);
    });
  for (const text of refused)
    test(`'${text}' is refused`, () => assert.equal(parseSequenceSet(text, 100), undefined));

  test('one element over the limit is refused', () => {
    assert.ok(parseSequenceSet('1,3,5', 3));
    assert.equal(parseSequenceSet('1,3,5,7', 3), undefined);
  });

  const resolved = [
    { text: '2,4:7,9,12:*', largest: 15, want: '2,4:7,9,12:15' },
    { text: '*:4,5:7', largest: 10, want: '4:10' },
    { text: '3291:*', largest: 100, want: '100:3291' },
    { text: '1:*', largest: 0, want: '' },
    { text: '5:1,3', largest: 9, want: '1:5' },
    { text: '1,2,3', largest: 9, want: '1:3' },
  ];
  for (const { text, largest, want } of resolved)
    test(`${text} of ${largest} is ${want || 'nothing'} (RFC 9051 §9)`, () => {
      const set = parseSequenceSet(text, 100);
      assert.ok(set?.kind === 'ranges');
      assert.equal(formatRanges(resolveRanges(set.ranges, largest)), want);
    });

  test('largest number and star', () => {
    const set = parseSequenceSet('7:3,*:5', 100);
    assert.ok(set?.kind === 'ranges');
    assert.equal(largestNumber(set.ranges), 7);
    assert.equal(hasStar(set.ranges), true);
  });

  test('COPYUID keeps the order of what it is given (RFC 4315 §3)', () => {
    assert.equal(formatRanges(rangesOf([304, 319, 320, 3956])), '304,319:320,3956');
    assert.equal(formatRanges(rangesOf([5, 4, 3])), '5,4,3');
  });

  const ranges = fc.array(
    fc
      .tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }))
      .map(([first, last]) => ({ first, last })),
    { minLength: 1, maxLength: 20 },
  );
  test('what is formatted reads back', () => {
    fc.assert(
      fc.property(ranges, (some) => {
        assert.deepEqual(decodeSequenceSet(Buffer.from(formatRanges(some)), 100), {
          kind: 'ranges',
          ranges: some,
        });
      }),
    );
  });
  test('merging, membership, counting and slicing agree with a plain set', () => {
    fc.assert(
      fc.property(ranges, fc.uniqueArray(fc.integer({ min: 1, max: 300 })), (some, list) => {
        const plain = new Set<number>();
        for (const { first, last } of some)
          for (let n = Math.min(first, last); n <= Math.max(first, last); n += 1) plain.add(n);
        const merged = resolveRanges(some, 300);
        assert.deepEqual(mergeRanges(merged), merged);
        assert.deepEqual(
          [...numbersOf(merged)],
          [...plain].toSorted((a, b) => a - b),
        );
        assert.equal(countOf(merged), plain.size);
        const ascending = list.toSorted((a, b) => a - b);
        assert.deepEqual(
          slicesOf(merged, ascending).flatMap(({ start, end }) => ascending.slice(start, end)),
          ascending.filter((n) => plain.has(n)),
        );
        for (const n of list) assert.equal(rangesHave(merged, n), plain.has(n));
      }),
    );
  });
});
