import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTimestamp, parseTimestamp } from './timestamp.ts';

const read = [
  ['1970-01-01T00:00:00Z', 0],
  ['2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
  ['2026-01-02t03:04:05z', Date.UTC(2026, 0, 2, 3, 4, 5)],
  ['2026-01-02T03:04:05.999Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
  ['2024-02-29T23:59:60Z', Date.UTC(2024, 1, 29, 23, 59, 59)],
  ['2023-02-29T00:00:00Z', undefined],
  ['2026-04-31T00:00:00Z', undefined],
  ['2026-00-01T00:00:00Z', undefined],
  ['2026-13-01T00:00:00Z', undefined],
  ['2026-01-00T00:00:00Z', undefined],
  ['2026-01-01T24:00:00Z', undefined],
  ['2026-01-01T00:60:00Z', undefined],
  ['2026-01-01T00:00:61Z', undefined],
  ['2026-01-01T00:00:00+00:00', undefined],
  ['2026-01-01T00:00:00', undefined],
  ['2026-01-01 00:00:00Z', undefined],
  ['2026-1-1T0:0:0Z', undefined],
  ['', undefined],
] as const;
for (const [text, want] of read)
  test(`${JSON.stringify(text)} is ${want === undefined ? 'none' : 'read'} (RFC 3339 §5.6)`, () =>
    assert.equal(parseTimestamp(text), want));

test('what is formatted reads back equal, and is as Node writes it', () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1, 0, 1) / 1000, max: 253_402_300_799 }), (seconds) => {
      const text = formatTimestamp(seconds * 1000);
      assert.equal(parseTimestamp(text), seconds * 1000);
      assert.equal(text, new Date(seconds * 1000).toISOString().replace('.000', ''));
    }),
  );
});
