import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzz } from './date.fuzz.ts';
import { formatDate, parseDate } from './date.ts';

const cases = [
  {
    name: 'the usual form',
    rfc: '5322 §3.3',
    input: 'Fri, 21 Nov 1997 09:55:06 -0600',
    want: '1997-11-21T15:55:06Z',
    zone: -360,
  },
  {
    name: 'no weekday, no seconds',
    rfc: '5322 §3.3',
    input: '21 Nov 1997 09:55 +0130',
    want: '1997-11-21T08:25:00Z',
    zone: 90,
  },
  {
    name: 'a comment',
    rfc: '5322 §A.5',
    input: 'Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)',
    want: '1969-02-14T03:02:00Z',
    zone: -210,
  },
  {
    name: 'two digits after 2000',
    rfc: '5322 §4.3',
    input: '1 Jan 49 00:00 GMT',
    want: '2049-01-01T00:00:00Z',
    zone: 0,
  },
  {
    name: 'two digits before 2000',
    rfc: '5322 §4.3',
    input: '1 Jan 50 00:00 GMT',
    want: '1950-01-01T00:00:00Z',
    zone: 0,
  },
  {
    name: 'three digits',
    rfc: '5322 §4.3',
    input: '1 Jan 103 00:00 GMT',
    want: '2003-01-01T00:00:00Z',
    zone: 0,
  },
  {
    name: 'EST',
    rfc: '5322 §4.3',
    input: '1 Jan 2003 00:00:00 EST',
    want: '2003-01-01T05:00:00Z',
    zone: -300,
  },
  {
    name: 'a military zone',
    rfc: '5322 §4.3',
    input: '1 Jan 2003 00:00:00 K',
    want: '2003-01-01T00:00:00Z',
    zone: 0,
  },
  { name: 'no zone', rfc: '5256 §2.2', input: '1 Jan 2003 01:02:03', want: '2003-01-01T01:02:03Z', zone: 0 },
  {
    name: 'an invalid zone',
    rfc: '5256 §2.2',
    input: '1 Jan 2003 01:02:03 +9999',
    want: '2003-01-01T01:02:03Z',
    zone: 0,
  },
  {
    name: 'an invalid time',
    rfc: '5256 §2.2',
    input: '1 Jan 2003 25:02:03 +0000',
    want: '2003-01-01T00:00:00Z',
    zone: 0,
  },
  {
    name: 'a leap second',
    rfc: '5322 §3.3',
    input: '31 Dec 1998 23:59:60 +0000',
    want: '1998-12-31T23:59:59Z',
    zone: 0,
  },
  {
    name: 'asctime',
    rfc: '5322 §4.3',
    input: 'Thu Nov 21 09:55:06 1997',
    want: '1997-11-21T09:55:06Z',
    zone: 0,
  },
  {
    name: 'dashes',
    rfc: '5322 §4.3',
    input: '1-Feb-2003 04:05:06 +0000',
    want: '2003-02-01T04:05:06Z',
    zone: 0,
  },
  {
    name: 'ISO 8601',
    rfc: '5322 §4.3',
    input: '2003-02-01 04:05:06 GMT+1',
    want: '2003-02-01T04:05:06Z',
    zone: 0,
  },
  {
    name: 'a full month name',
    rfc: '5322 §4.3',
    input: '1 February 2003 04:05:06 Z',
    want: '2003-02-01T04:05:06Z',
    zone: 0,
  },
  {
    name: 'a leap day',
    rfc: '5322 §3.3',
    input: '29 Feb 2000 00:00:00 +0000',
    want: '2000-02-29T00:00:00Z',
    zone: 0,
  },
  {
    name: 'the 31st of a short month',
    rfc: '5322 §3.3',
    input: '31 Feb 2001 00:00:00 +0000',
    want: '2001-03-03T00:00:00Z',
    zone: 0,
  },
] as const;
for (const { name, rfc, input, want, zone } of cases) {
  test(`${name} (RFC ${rfc})`, () => {
    assert.deepEqual(parseDate(input), { epochMs: Date.parse(want), zoneMinutes: zone });
  });
}

for (const input of [
  '',
  'yesterday',
  '10:00',
  'Nov 1997',
  '32 Nov 1997',
  '1 Foo 1997',
  '0 Jan 2000',
  '('.repeat(500),
]) {
  test(`${JSON.stringify(input.slice(0, 20))} is no date`, () => assert.equal(parseDate(input), undefined));
}

test('writes RFC 5322 §3.3', () => {
  assert.equal(formatDate(1_044_047_106_000, 420), 'Sat, 1 Feb 2003 04:05:06 +0700');
  assert.equal(formatDate(0, -90), 'Wed, 31 Dec 1969 22:30:00 -0130');
});

test('what is formatted reads back equal, and agrees with the platform', () => {
  const second = fc.integer({
    min: Date.parse('1000-01-02T00:00:00Z') / 1000,
    max: Date.parse('9999-12-30T00:00:00Z') / 1000,
  });
  fc.assert(
    fc.property(second, fc.integer({ min: -1439, max: 1439 }), (seconds, zoneMinutes) => {
      const epochMs = seconds * 1000;
      const text = formatDate(epochMs, zoneMinutes);
      assert.deepEqual(parseDate(text), { epochMs, zoneMinutes });
      const platform = new Date(epochMs + zoneMinutes * 60_000).toUTCString();
      assert.equal(text.replace(/^(\w+, )(\d )/, '$10$2').slice(0, 25), platform.slice(0, 25));
    }),
  );
});

test('any text gives a date or none', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fuzz));
  const piece = fc.constantFrom(
    '1',
    '31',
    '-',
    ':',
    '+',
    'Feb',
    'Z',
    ' ',
    '1999',
    '10:11',
    '(',
    ')',
    'EST',
    '99',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (all) => fuzz(Buffer.from(all.join('')))),
    { numRuns: 1000 },
  );
});
