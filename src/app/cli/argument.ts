/** Reads single arguments; what is wrong with one is a mistake of usage. */
import { InvalidArgumentError } from 'commander';

/** The services reach from 24 to 4190 above the base. */
const BASE_PORT_MAX = 65_535 - 4190;

export function readBasePort(text: string): number {
  const port = readWhole(text);
  if (port > BASE_PORT_MAX) throw new InvalidArgumentError(`It is at most ${BASE_PORT_MAX}.`);
  return port;
}

export function readWhole(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number.');
  return Number(text);
}

/** `ADDRESS:PASSWORD`, divided by the first colon behind the @; a password may hold more of both. */
export function readAccount(
  text: string,
  before: readonly { readonly address: string; readonly password: string }[],
): readonly { readonly address: string; readonly password: string }[] {
  const colon = text.indexOf(':', text.indexOf('@'));
  if (!text.includes('@') || colon === -1 || colon === text.length - 1)
    throw new InvalidArgumentError('It is written ADDRESS:PASSWORD.');
  return [...before, { address: text.slice(0, colon), password: text.slice(colon + 1) }];
}

/** A number of octets, or no limit. (Commander takes `null` from a reader for an option without a value.) */
export type Quota = number | 'none';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** `500M`, `2G`, a number of octets, or `none`. */
export function readQuota(text: string): Quota {
  const quota = text === 'none' ? text : octetsOf(text);
  if (quota === undefined) throw new InvalidArgumentError("It is written like 500M, 2G, or 'none'.");
  return quota;
}

/** `500M`, `2G`, or a number of octets. */
export function readOctets(text: string): number {
  const octets = octetsOf(text);
  if (octets === undefined) throw new InvalidArgumentError('It is written like 500K, 2M, or 4096.');
  return octets;
}

function octetsOf(text: string): number | undefined {
  const match = /^([0-9]{1,12})([KMGT]?)(?:i?B)?$/i.exec(text);
  const octets = Number(match?.[1]) * (UNITS[match?.[2]?.toUpperCase() ?? ''] ?? 1);
  return match !== null && Number.isSafeInteger(octets) ? octets : undefined;
}

const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90s`, `10m`, `2h`, `3d`, in milliseconds. */
export function readDuration(text: string): number {
  const match = /^([0-9]{1,6})([smhd])$/.exec(text);
  const unitMs = TIME_UNITS_MS[match?.[2] ?? ''];
  if (unitMs === undefined) throw new InvalidArgumentError('It is written like 90s, 10m, 2h or 3d.');
  return Number(match?.[1]) * unitMs;
}

export type PriorityRange = { readonly min: number; readonly max: number };

/** `3`, or `-9..-1`: from -9 to 9 (RFC 6710 §3.1). */
export function readPriority(text: string): PriorityRange {
  const match = /^([+-]?[0-9])(?:\.\.([+-]?[0-9]))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It is -9 to 9, or a range like -9..-1.');
  const min = Number(match[1]);
  return { min, max: match[2] === undefined ? min : Number(match[2]) };
}

export function readScopes(text: string): readonly ('imap' | 'pop3' | 'smtp' | 'managesieve' | 'http')[] {
  const known = ['imap', 'pop3', 'smtp', 'managesieve', 'http'] as const;
  const names = text.split(',').map((name) => name.trim());
  const scopes = known.filter((scope) => names.includes(scope));
  if (names.some((name) => !known.some((scope) => scope === name)))
    throw new InvalidArgumentError(`They are some of ${known.join(', ')}, with commas between.`);
  return scopes;
}
