import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { DAY_MS, epochDay, formatDate, formatDateTime, parseDate, parseDateTime } from './date-time.ts';

suite('dates (RFC 9051 §9)', () => {
  const dates = [
    ['1-Feb-1994', Date.UTC(1994, 1, 1)],
    ['01-feb-1994', Date.UTC(1994, 1, 1)],
    ['29-Feb-2000', Date.UTC(2000, 1, 29)],
    ['31-Dec-1969', Date.UTC(1969, 11, 31)],
  ] as const;
  for (const [text, want] of dates) test(text, () => assert.equal(parseDate(text), want / DAY_MS));
  for (const text of [
    '29-Feb-1900',
    '0-Jan-2000',
    '32-Jan-2000',
    '1-Foo-2000',
    '1-Jan-99',
    '1 Jan 2000',
    '',
    ' 1-Jan-2000',
  ])
    test(`'${text}' is refused`, () => assert.equal(parseDate(text), undefined));

  const times = [
    ['17-Jul-1996 02:44:25 -0700', Date.UTC(1996, 6, 17, 9, 44, 25), -420],
    [' 1-Jan-2000 00:00:00 +0000', Date.UTC(2000, 0, 1), 0],
    ['01-Jan-2000 23:59:60 +0530', Date.UTC(2000, 0, 1, 18, 29, 59), 330],
  ] as const;
  for (const [text, epochMs, zoneMinutes] of times)
    test(text, () => assert.deepEqual(parseDateTime(text), { epochMs, zoneMinutes }));
  for (const text of [
    '17-Jul-1996 24:00:00 +0000',
    '17-Jul-1996 02:44:25',
    '17-Jul-1996 02:44 +0000',
    '31-Jun-1996 00:00:00 +0000',
    '17-Jul-1996 02:44:25 +0061',
    '17-Jul-1996 02:44:25 UTC',
  ])
    test(`'${text}' is refused`, () => assert.equal(parseDateTime(text), undefined));

  test('days agree with the calendar of the runtime, and format back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -719_000, max: 2_900_000 }), (day) => {
        const date = new Date(day * DAY_MS);
        assert.equal(epochDay(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()), day);
        assert.equal(parseDate(formatDate(day)), day);
      }),
    );
  });
  test('a date and time reads back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e9 }),
        fc.integer({ min: -840, max: 840 }),
        (seconds, zoneMinutes) => {
          const text = formatDateTime(seconds * 1000, zoneMinutes);
          assert.deepEqual(parseDateTime(text), { epochMs: seconds * 1000, zoneMinutes });
          assert.equal(text.length, 26);
        },
      ),
    );
  });
});
