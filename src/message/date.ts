/**
 * Dates of RFC 5322 §3.3 with the obsolete forms of §4.3: comments, two-digit years, named zones. Tolerant of missing
 * weekdays and seconds, of dashes between day, month and year, and of asctime's order.
 */
import { withoutComments } from './parameter.ts';

export type MessageDate = {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly epochMs: number;
  /** Minutes east of Greenwich, as written; 0 where the zone says nothing (RFC 5322 §4.3). */
  readonly zoneMinutes: number;
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const TEXT_OCTETS_MAX = 256;

/** RFC 5322 §4.3, in hours. Military letters other than Z are read as -0000. */
const ZONES: Readonly<Record<string, number>> = {
  ut: 0,
  utc: 0,
  gmt: 0,
  z: 0,
  edt: -4,
  est: -5,
  cdt: -5,
  cst: -6,
  mdt: -6,
  mst: -7,
  pdt: -7,
  pst: -8,
  bst: 1,
  cet: 1,
  cest: 2,
  met: 1,
  mest: 2,
  eet: 2,
  eest: 3,
  msk: 3,
  jst: 9,
};

/** Undefined if there is no day, month and year to be found. Never throws. @param raw a field's raw value */
export function parseDate(raw: string): MessageDate | undefined {
  const text = withoutComments(raw.slice(0, TEXT_OCTETS_MAX)).toLowerCase();
  let day: number | undefined;
  let month: number | undefined;
  let year: number | undefined;
  let time: { readonly seconds: number } | undefined;
  let zoneMinutes: number | undefined;
  for (const word of text.split(/[\t-\r ,]+/)) {
    if (word === '') continue;
    if (word.includes(':') && time === undefined) {
      const cut = word.search(/[+-]/);
      time = toTime(cut < 0 ? word : word.slice(0, cut));
      if (cut >= 0) zoneMinutes = toZone(word.slice(cut));
      continue;
    }
    const first = word.charCodeAt(0);
    if (first === 0x2b || first === 0x2d) {
      zoneMinutes ??= toZone(word);
    } else if (first >= 0x30 && first <= 0x39) {
      const [one = '', middle, last] = word.split('-', 3);
      if (middle !== undefined && last !== undefined) {
        // '1-Feb-2003', or '2003-02-01'.
        const isoYear = /^\d{4}$/.test(one);
        const named = MONTHS.indexOf(middle.slice(0, 3));
        day ??= toNumber(isoYear ? last.slice(0, 2) : one);
        month ??= named >= 0 ? named : toMonthNumber(middle);
        year ??= toYear(isoYear ? one : last);
      } else if (/^\d+$/.test(word)) {
        // RFC 5322 §3.3: the day comes first; asctime's year comes last.
        if (day === undefined && word.length <= 2) day = Number(word);
        else year ??= toYear(word);
      }
    } else {
      const found = word.length >= 3 ? MONTHS.indexOf(word.slice(0, 3)) : -1;
      if (found >= 0 && month === undefined) month = found;
      else if (time !== undefined) zoneMinutes ??= namedZone(word);
    }
  }
  if (day === undefined || month === undefined || year === undefined) return undefined;
  if (day < 1 || day > 31) return undefined;
  const zone = zoneMinutes ?? 0;
  const epochDays = daysBefore(year, month) + day - 1;
  return { epochMs: epochDays * DAY_MS + (time?.seconds ?? 0) * 1000 - zone * MINUTE_MS, zoneMinutes: zone };
}

/** Days of 400 Gregorian years, and from 0000-03-01 to 1970-01-01. */
const ERA_DAYS = 146_097;
const EPOCH_DAYS = 719_468;

/** Days from 1970-01-01 to the first of a month (0 is January). Years count from March, so leap days come last. */
export function daysBefore(year: number, month: number): number {
  const marchYear = month < 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5);
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * ERA_DAYS + yearOfEra * 365 + leapDays + dayOfYear - EPOCH_DAYS;
}

/** `month` is 0 for January. */
export type CivilDay = { readonly year: number; readonly month: number; readonly day: number };

export function toCivilDay(epochDays: number): CivilDay {
  const days = epochDays + EPOCH_DAYS;
  const era = Math.floor(days / ERA_DAYS);
  const dayOfEra = days - era * ERA_DAYS;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = (marchMonth + 2) % 12;
  const year = yearOfEra + era * 400 + (month < 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1 };
}

function toNumber(text: string): number | undefined {
  return /^\d{1,2}$/.test(text) ? Number(text) : undefined;
}

function toMonthNumber(text: string): number | undefined {
  const value = toNumber(text);
  return value !== undefined && value >= 1 && value <= 12 ? value - 1 : undefined;
}

/** RFC 5322 §4.3: 00 to 49 are of this century, 50 to 99 and all three-digit years count from 1900. */
function toYear(text: string): number | undefined {
  if (!/^\d{2,5}$/.test(text)) return undefined;
  const value = Number(text);
  if (text.length === 2) return value < 50 ? 2000 + value : 1900 + value;
  return text.length === 3 ? 1900 + value : value;
}

/** RFC 5256 §2.2: a time that is not valid is 00:00:00. A leap second is the one before it. */
function toTime(text: string): { readonly seconds: number } {
  const found = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d*)?)?$/.exec(text);
  if (found === null) return { seconds: 0 };
  const [hours, minutes, seconds] = [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)];
  const valid = hours <= 23 && minutes <= 59 && seconds <= 60;
  return { seconds: valid ? hours * 3600 + minutes * 60 + Math.min(seconds, 59) : 0 };
}

/** RFC 5256 §2.2: an invalid zone is UTC. */
function toZone(text: string): number {
  const digits = text.slice(1).replace(':', '');
  if (!/^\d{4}$/.test(digits)) return 0;
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  if (Number(digits.slice(2)) > 59 || minutes > 1439) return 0;
  return text.startsWith('-') && minutes > 0 ? -minutes : minutes;
}

function namedZone(word: string): number | undefined {
  const hours = Object.hasOwn(ZONES, word) ? ZONES[word] : undefined;
  if (hours !== undefined) return hours * 60;
  const offset = /^(?:gmt|utc?)([+-].*)$/.exec(word)?.[1];
  return offset === undefined ? undefined : toZone(offset);
}

/** 'Sat, 1 Feb 2003 04:05:06 +0700'. RFC 5322 §3.3. */
export function formatDate(epochMs: number, zoneMinutes: number): string {
  const localMs = epochMs + zoneMinutes * MINUTE_MS;
  const epochDays = Math.floor(localMs / DAY_MS);
  const { year, month, day } = toCivilDay(epochDays);
  const name = MONTHS[month] ?? '';
  const seconds = Math.floor((localMs - epochDays * DAY_MS) / 1000);
  const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const zone = Math.abs(zoneMinutes);
  const offset = `${zoneMinutes < 0 ? '-' : '+'}${two(Math.floor(zone / 60))}${two(zone % 60)}`;
  // 1970-01-01 was a Thursday.
  const weekday = DAYS[(((epochDays + 4) % 7) + 7) % 7] ?? '';
  const monthName = name.charAt(0).toUpperCase() + name.slice(1);
  return `${weekday}, ${day} ${monthName} ${String(year).padStart(4, '0')} ${time} ${offset}`;
}

/** At least two digits. */
export function two(value: number): string {
  return String(value).padStart(2, '0');
}
