/** Any text gives a date or none; what is formatted reads back as the same instant. */
import assert from 'node:assert/strict';
import { latin1 } from '../base/bytes.ts';
import { formatDate, parseDate } from './date.ts';

export const covers: RegExp = /src\/message\/date\.ts/;

export const seeds: readonly Uint8Array[] = [
  'Fri, 21 Nov 1997 09:55:06 -0600',
  '21 Nov 97 09:55 (c) GMT',
  'Thu Nov 21 09:55:06 1997',
  '1-Feb-2003 04:05:06+0700',
  '2003-02-01 04:05:60 UTC+2',
  '31 Dec 049 23:59:59 EDT',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const date = parseDate(latin1(octets));
  if (date === undefined) return;
  assert.ok(Number.isSafeInteger(date.epochMs));
  assert.ok(Math.abs(date.zoneMinutes) < 24 * 60);
  const year = Number(/\d+ [A-Z][a-z]{2} (-?\d+)/.exec(formatDate(date.epochMs, date.zoneMinutes))?.[1]);
  if (year >= 1000 && year <= 99_999) {
    assert.deepEqual(parseDate(formatDate(date.epochMs, date.zoneMinutes)), date);
  }
}
