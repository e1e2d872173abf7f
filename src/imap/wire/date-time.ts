/**
 * IMAP's two dates. `date` (`1-Feb-1994`, of SEARCH) is a day without a zone, kept as days since 1970-01-01;
 * `date-time` (`"17-Jul-1996 02:44:25 -0700"`, INTERNALDATE and APPEND) is an instant with the zone it was said in.
 *
 * Source: RFC 9051 §9 (date, date-time).
 */
export type ZonedTime = {
  /** Milliseconds since 1970-01-01T00:00:00Z; IMAP knows whole seconds. */
  readonly epochMs: number;
  /** Minutes east of Greenwich. */
  readonly zoneMinutes: number;
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const NAMES = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
export const DAY_MS = 86_400_000;
const DATE = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/;
/** Departs from RFC 9051 §9: a one-digit day without its space is accepted, as clients send it. */
const DATE_TIME = /^([ \d]?\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/;

/** Days from 1970-01-01 to a day of the Gregorian calendar; `month` 1 to 12. */
export function epochDay(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function civil(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

function checkedDay(day: string, monthName: string, yearText: string): number | undefined {
  const month = MONTHS.indexOf(monthName.toLowerCase()) + 1;
  const year = Number(yearText);
  const number = Number(day);
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 1 : 0;
  const longest = (DAYS[month - 1] ?? 0) + leap;
  return month === 0 || number < 1 || number > longest ? undefined : epochDay(year, month, number);
}

/** @returns days since 1970-01-01 */
export function parseDate(text: string): number | undefined {
  const [, day, month, year] = DATE.exec(text) ?? [];
  return day === undefined || month === undefined || year === undefined
    ? undefined
    : checkedDay(day, month, year);
}

export function formatDate(day: number): string {
  const date = civil(day);
  return `${date.day}-${NAMES[date.month - 1] ?? ''}-${String(date.year).padStart(4, '0')}`;
}

/** @param text the inside of the quotes */
export function parseDateTime(text: string): ZonedTime | undefined {
  const [, day, month, year, hour, minute, second, sign, zoneHour, zoneMinute] = DATE_TIME.exec(text) ?? [];
  if (day === undefined || month === undefined || year === undefined) return undefined;
  const days = checkedDay(day.trim(), month, year);
  if (days === undefined) return undefined;
  const [h, m, s, zh, zm] = [
    Number(hour),
    Number(minute),
    Number(second),
    Number(zoneHour),
    Number(zoneMinute),
  ];
  // A leap second is taken as the last second that the clock of this program knows.
  if (h > 23 || m > 59 || s > 60 || zm > 59) return undefined;
  const zoneMinutes = (sign === '-' ? -1 : 1) * (zh * 60 + zm);
  const seconds = h * 3600 + m * 60 + Math.min(s, 59) - zoneMinutes * 60;
  return { epochMs: days * DAY_MS + seconds * 1000, zoneMinutes: zoneMinutes === 0 ? 0 : zoneMinutes };
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/** The inside of the quotes: `17-Jul-1996 02:44:25 -0700`, the day padded by a space. */
export function formatDateTime(epochMs: number, zoneMinutes = 0): string {
  const local = Math.floor(epochMs / 1000) + zoneMinutes * 60;
  const day = Math.floor(local / 86_400);
  const second = local - day * 86_400;
  const date = civil(day);
  const time = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
  const zone = Math.abs(zoneMinutes);
  const year = String(date.year).padStart(4, '0');
  return (
    `${String(date.day).padStart(2, ' ')}-${NAMES[date.month - 1] ?? ''}-${year} ${time} ` +
    `${zoneMinutes < 0 ? '-' : '+'}${two(Math.floor(zone / 60))}${two(zone % 60)}`
  );
}
