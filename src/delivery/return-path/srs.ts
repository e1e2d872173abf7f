/**
 * The Sender Rewriting Scheme: a reverse-path of another domain packed into an address of ours, so that what is said of
 * forwarded mail comes back here and finds its way on. Pure. There is no RFC; the form and the hash are those of libsrs2,
 * which PostSRSd and Exim share, so that addresses made there with the same secret are known here.
 *
 *     SRS0=HHHH=TT=domain=local@ours        for local@domain
 *     SRS1=HHHH=first==HHHH=TT=domain=local@ours   for an SRS0 address of `first`, whose own hash it proves itself
 *
 * HHHH: the first characters of the base64 of HMAC-SHA-1 over the rest in lower case. TT: the day modulo 1024, base32. Hosts
 * on the way may lower the case of a local part, so nothing here is told apart by case; what an attacker has to guess is
 * some 5 bits a character.
 */
import { createHmac } from 'node:crypto';
import { LIMITS } from '../../base/limits.ts';
import { domainSyntax } from '../../smtp/wire/domain.ts';
import { formatEnvelopeAddress, parseEnvelopeAddress } from '../../smtp/wire/path.ts';

export type SrsSettings = {
  /** The first makes; all prove. At least one. */
  readonly secrets: readonly string[];
  /** Characters of the hash, of those made and at least of those that are taken. */
  readonly hashCharacters: number;
  readonly ageDaysMax: number;
};

export type SrsOriginal =
  | { readonly kind: 'address'; readonly address: string }
  /** Not made with one of these secrets, or changed on the way. */
  | { readonly kind: 'bad-hash' }
  | { readonly kind: 'expired' };

/** What an SRS local part says, unproved. */
type Parsed =
  | {
      readonly scheme: 0;
      readonly hash: string;
      readonly day: string;
      readonly domain: string;
      readonly local: string;
    }
  | { readonly scheme: 1; readonly hash: string; readonly first: string; readonly rest: string };

const DAY_MS = 86_400_000;
/** Two base32 characters. */
const DAYS = 1024;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Whether the address has the form of one, whoever's it is. */
export function isSrs(address: string): boolean {
  if (!MAY_BE.test(address)) return false;
  const path = parseEnvelopeAddress(address);
  return path !== undefined && parseLocalPart(path.localPart) !== undefined;
}

/**
 * An address of `domain` that stands for the sender; undefined where it would be longer than a local part may be.
 *
 * @param sender `local@domain`
 */
export function encodeSrs(
  sender: string,
  domain: string,
  { secrets, hashCharacters }: SrsSettings,
  nowMs: number,
): string | undefined {
  const path = parseEnvelopeAddress(sender);
  const [secret] = secrets;
  if (path === undefined || secret === undefined) return undefined;
  const hash = (...parts: readonly string[]): string => hashOf(secret, parts).slice(0, hashCharacters);
  const known = parseLocalPart(path.localPart);
  let localPart: string;
  if (known?.scheme === 1) localPart = `SRS1=${hash(known.first, known.rest)}=${known.first}=${known.rest}`;
  else if (known?.scheme === 0) {
    // With its separator: `=HHHH=TT=domain=local`.
    const rest = path.localPart.slice(4);
    localPart = `SRS1=${hash(path.domain, rest)}=${path.domain}=${rest}`;
  } else {
    const day = formatDay(nowMs);
    localPart = `SRS0=${hash(day, path.domain, path.localPart)}=${day}=${path.domain}=${path.localPart}`;
  }
  const rewritten = formatEnvelopeAddress({ localPart, domain });
  const written = rewritten.slice(0, rewritten.lastIndexOf('@'));
  return Buffer.byteLength(written) > LIMITS.smtpLocalPartOctetsMax ? undefined : rewritten;
}

/** Whom an SRS address stands for; undefined where it has not the form of one. Whether its domain is ours is not asked here. */
export function decodeSrs(address: string, settings: SrsSettings, nowMs: number): SrsOriginal | undefined {
  const path = parseEnvelopeAddress(address);
  const parsed = path === undefined ? undefined : parseLocalPart(path.localPart);
  if (parsed === undefined) return undefined;
  if (!isProved(parsed, settings)) return { kind: 'bad-hash' };
  if (parsed.scheme === 0 && !isFresh(parsed.day, settings.ageDaysMax, nowMs)) return { kind: 'expired' };
  const original =
    parsed.scheme === 0
      ? formatEnvelopeAddress({ localPart: parsed.local, domain: parsed.domain })
      : formatEnvelopeAddress({ localPart: `SRS0${parsed.rest}`, domain: parsed.first });
  return parseEnvelopeAddress(original) === undefined
    ? { kind: 'bad-hash' }
    : { kind: 'address', address: original };
}

/** Spares everybody else the rest; a quoted string may hide anything. */
const MAY_BE = /^(?:"|SRS[01])/i;
/** After `SRS0` or `SRS1` comes one of `=+-`; between the others always `=`. The last of them may hold more. */
const SRS0 = /^SRS0[=+-]([^=]+)=([A-Z2-7]{2})=([^=]+)=(.*)$/is;
const SRS1 = /^SRS1[=+-]([^=]+)=([^=]+)=([=+-][^=]+=[A-Z2-7]{2}=[^=]+=.*)$/is;

function parseLocalPart(localPart: string): Parsed | undefined {
  const [, hash = '', day = '', domain = '', local = ''] = SRS0.exec(localPart) ?? [];
  if (domainSyntax(domain) !== undefined) return { scheme: 0, hash, day, domain, local };
  const [, guard = '', first = '', rest = ''] = SRS1.exec(localPart) ?? [];
  return domainSyntax(first) === undefined ? undefined : { scheme: 1, hash: guard, first, rest };
}

function isProved(parsed: Parsed, { secrets, hashCharacters }: SrsSettings): boolean {
  if (parsed.hash.length < hashCharacters) return false;
  const parts = parsed.scheme === 0 ? [parsed.day, parsed.domain, parsed.local] : [parsed.first, parsed.rest];
  const given = parsed.hash.toLowerCase();
  return secrets.some((secret) => hashOf(secret, parts).slice(0, given.length).toLowerCase() === given);
}

function hashOf(secret: string, parts: readonly string[]): string {
  const hmac = createHmac('sha1', secret);
  for (const part of parts) hmac.update(part.toLowerCase());
  return hmac.digest('base64');
}

function formatDay(nowMs: number): string {
  const day = Math.floor(nowMs / DAY_MS) % DAYS;
  return `${BASE32.charAt(day >> 5)}${BASE32.charAt(day & 31)}`;
}

function isFresh(text: string, ageDaysMax: number, nowMs: number): boolean {
  const [high = '', low = ''] = text.toUpperCase();
  const day = BASE32.indexOf(high) * 32 + BASE32.indexOf(low);
  const age = (Math.floor(nowMs / DAY_MS) - day + DAYS) % DAYS;
  // Of tomorrow: a node whose clock is ahead.
  return age <= ageDaysMax || age === DAYS - 1;
}
