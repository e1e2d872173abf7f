/**
 * An MTA-STS policy as `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` gives it. Pure; linear; never throws.
 *
 * More liberal than RFC 8461 §3.2 in one thing: empty lines are passed over. Names come back in lower case.
 */
import type { Result } from '../../base/result.ts';
import { err, ok } from '../../base/result.ts';
import { toDnsName } from '../../dns/wire/question.ts';

export type StsPolicy = {
  readonly mode: 'enforce' | 'testing' | 'none';
  /** Names, or `*.` before one. */
  readonly mx: readonly string[];
  readonly maxAgeS: number;
};

/** RFC 8461 §3.2: a year. */
const MAX_AGE_S = 31_557_600;
const MODES = ['enforce', 'testing', 'none'] as const;
const FIELD = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*)$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const VALUE = /^[^\0-\x20\x7f](?:[^\0-\x1f\x7f]*[^\0-\x20\x7f])?$/;

/** @returns what is wrong with it where it is no policy */
export function parseStsPolicy(text: string): Result<StsPolicy, string> {
  const single = new Map<string, string>();
  const mx: string[] = [];
  for (const line of text.split('\n')) {
    const content = trimEnd(line);
    if (content === '') continue;
    const [, key = '', value = ''] = FIELD.exec(content) ?? [];
    if (key === '' || !VALUE.test(value)) return err(`Not a field: ${JSON.stringify(content.slice(0, 60))}`);
    if (key === 'mx') {
      const pattern = toPattern(value);
      if (pattern === undefined) return err(`Not a pattern for mx: ${JSON.stringify(value.slice(0, 60))}`);
      mx.push(pattern);
      // Of a field that comes twice the first counts.
    } else if (!single.has(key)) single.set(key, value);
  }
  if (single.get('version') !== 'STSv1') return err('The version is not STSv1');
  const mode = MODES.find((one) => one === single.get('mode'));
  if (mode === undefined) return err('The mode is none of enforce, testing, none');
  const maxAge = single.get('max_age') ?? '';
  if (!/^\d{1,10}$/.test(maxAge)) return err('There is no max_age of up to ten digits');
  if (mx.length === 0 && mode !== 'none') return err('There is no mx');
  return ok({ mode, mx, maxAgeS: Math.min(Number(maxAge), MAX_AGE_S) });
}

/** RFC 8461 §4.1: `*` stands for the whole leftmost label, and for one. @param host lower case */
export function matchesStsPolicy({ mx }: StsPolicy, host: string): boolean {
  const dot = host.indexOf('.');
  const wildcard = dot < 1 ? undefined : `*${host.slice(dot)}`;
  return mx.some((pattern) => pattern === host || pattern === wildcard);
}

/** One line each, as reports have it (RFC 8460 §4.5). */
export function formatStsPolicy({ mode, mx, maxAgeS }: StsPolicy): readonly string[] {
  return ['version: STSv1', `mode: ${mode}`, ...mx.map((one) => `mx: ${one}`), `max_age: ${maxAgeS}`];
}

function toPattern(value: string): string | undefined {
  const isWildcard = value.startsWith('*.');
  const name = toDnsName(isWildcard ? value.slice(2) : value);
  return name === undefined ? undefined : `${isWildcard ? '*.' : ''}${name}`;
}

/** A regular expression for this looks again from every blank. */
function trimEnd(line: string): string {
  let end = line.length;
  while (end > 0 && ' \t\r'.includes(line.charAt(end - 1))) end -= 1;
  return line.slice(0, end);
}
