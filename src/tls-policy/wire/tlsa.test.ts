import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTlsa, usableTlsa } from './tlsa.ts';

const record = (usage: number, selector: number, matchingType: number, octets?: number) => ({
  usage,
  selector,
  matchingType,
  data: Buffer.alloc(octets ?? { 1: 32, 2: 64 }[matchingType] ?? 90, 0xab),
});
const numbers = (records: readonly ReturnType<typeof record>[]): string[] =>
  usableTlsa(records).map(({ usage, selector, matchingType }) => `${usage} ${selector} ${matchingType}`);

const cases = [
  {
    name: 'DANE-EE and DANE-TA (RFC 7672 §3.1)',
    records: [record(3, 1, 1), record(2, 0, 1)],
    want: ['3 1 1', '2 0 1'],
  },
  { name: 'no PKIX-TA, no PKIX-EE (RFC 7672 §3.1.3)', records: [record(0, 0, 1), record(1, 1, 1)], want: [] },
  {
    name: 'no unknown usage, selector or matching type (RFC 6698 §4.1)',
    records: [record(4, 0, 1), record(3, 2, 1), record(3, 1, 3), record(255, 255, 255)],
    want: [],
  },
  {
    name: 'no sum of a wrong length (RFC 7671 §9)',
    records: [record(3, 1, 1, 31), record(3, 1, 2, 32), record(3, 1, 0, 0)],
    want: [],
  },
  {
    name: 'the strongest sum alone, for each usage and selector (RFC 7671 §9)',
    records: [record(3, 1, 1), record(3, 1, 2), record(3, 1, 1), record(2, 0, 1)],
    want: ['3 1 2', '2 0 1'],
  },
  {
    name: 'a malformed stronger sum does not push out the weaker (RFC 7671 §9)',
    records: [record(3, 1, 1), record(3, 1, 2, 63)],
    want: ['3 1 1'],
  },
  {
    name: 'no sum at all beside the sums (RFC 7671 §9)',
    records: [record(3, 1, 0), record(3, 1, 1), record(3, 1, 2)],
    want: ['3 1 0', '3 1 2'],
  },
];
for (const { name, records, want } of cases)
  test(`usable: ${name}`, () => assert.deepEqual(numbers(records), want));

test('as it is written down (RFC 6698 §2.2)', () => {
  assert.equal(formatTlsa(record(3, 1, 1, 3)), '3 1 1 ABABAB');
});
