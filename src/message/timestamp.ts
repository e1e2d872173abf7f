/**
 * Timestamps of RFC 3339 §5.6 in UTC: `2026-01-02T03:04:05Z`. Fractions of a second are read and dropped; a leap second is
 * the one before it. Units: milliseconds since 1970-01-01T00:00:00Z.
 */
import { daysBefore, toCivilDay, two } from './date.ts';

const DAY_MS = 86_400_000;

/** Undefined for what is no such timestamp, for a day that its month does not have, and for other zones than Z. */
export function parseTimestamp(text: string): number | undefined {
  const found = TIMESTAMP.exec(text);
  if (found === null) return undefined;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = found.slice(1).map(Number);
  if (month < 1 || month > 12 || hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const epochDays = daysBefore(year, month - 1) + day - 1;
  const civil = toCivilDay(epochDays);
  if (civil.month !== month - 1 || civil.day !== day) return undefined;
  return epochDays * DAY_MS + (hours * 3600 + minutes * 60 + Math.min(seconds, 59)) * 1000;
}

/** Whole seconds, rounded down. */
export function formatTimestamp(epochMs: number): string {
  const epochDays = Math.floor(epochMs / DAY_MS);
  const { year, month, day } = toCivilDay(epochDays);
  const seconds = Math.floor((epochMs - epochDays * DAY_MS) / 1000);
  const date = `${String(year).padStart(4, '0')}-${two(month + 1)}-${two(day)}`;
  return `${date}T${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}Z`;
}

const TIMESTAMP = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?[Zz]$/;
