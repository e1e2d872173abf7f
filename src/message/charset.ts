/**
 * Octets in a named charset to text. TextDecoder knows the charsets of the web, iconv-lite most others (utf-7 among
 * them). Never fails: an unknown or missing name is taken for UTF-8 where the octets are UTF-8, else windows-1252.
 *
 * Source: RFC 2045 §5.2 (default us-ascii), RFC 2046 §4.1.2, RFC 6532.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import { latin1, toBuffer } from '../base/bytes.ts';

type Decode = (octets: Uint8Array) => string;

/** Names that promise nothing: what is 8-bit in them is guessed (RFC 1428 §3 for unknown-8bit). */
const GUESSED = new Set([
  '',
  'us-ascii',
  'ascii',
  'ansi_x3.4-1968',
  'unknown-8bit',
  'x-unknown',
  'unknown',
  'default',
]);
/** Names in use that neither library knows. */
const ALIASES: Readonly<Record<string, string>> = {
  'unicode-1-1-utf-7': 'utf-7',
  utf7: 'utf-7',
  'utf-8-bom': 'utf-8',
  utf8mb4: 'utf-8',
  cp932: 'shift_jis',
  'iso-2022-jp-ms': 'iso-2022-jp',
  cp949: 'euc-kr',
  'x-gbk': 'gbk',
  'iso-8859-8-e': 'iso-8859-8',
};
/** iconv-lite builds its list of names at the first question, which takes long enough to be felt by a session. */
iconv.encodingExists('utf-7');

const NAME_OCTETS_MAX = 64;
const decoders = new Map<string, Decode>();

/** @param charset as the message names it; any case, quotes and blanks around it are forgiven */
export function decodeCharset(octets: Uint8Array, charset: string | undefined): string {
  const name = (charset ?? '').trim().toLowerCase();
  if (GUESSED.has(name)) return guess(octets);
  if (name === 'utf-8' || name === 'utf8') return decodeUtf8(octets);
  return decoderOf(name)(octets);
}

/** Whether the name is one that can be decoded without guessing; for SEARCH CHARSET. */
export function isKnownCharset(charset: string): boolean {
  const name = charset.trim().toLowerCase();
  return GUESSED.has(name) ? name.includes('ascii') : decoderOf(name) !== guess;
}

function decodeUtf8(octets: Uint8Array): string {
  const text = toBuffer(octets).toString('utf8');
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function guess(octets: Uint8Array): string {
  if (isAscii(octets)) return latin1(octets);
  if (isUtf8(octets)) return decodeUtf8(octets);
  return decoderOf('windows-1252')(octets);
}

function decoderOf(name: string): Decode {
  const known = decoders.get(name);
  if (known !== undefined) return known;
  const made = name.length > NAME_OCTETS_MAX ? guess : makeDecoder(name.replace(/^["']|["']$/g, ''));
  // A peer chooses the names, so only those that mean something are remembered.
  if (made !== guess) decoders.set(name, made);
  return made;
}

function makeDecoder(written: string): Decode {
  const name = ALIASES[written] ?? written;
  const label = /^cp125[0-8]$/.test(name) ? `windows-${name.slice(2)}` : name;
  try {
    const decoder = new TextDecoder(label);
    // The web gives these labels a decoder that answers one replacement character for everything.
    if (decoder.encoding !== 'replacement') return (octets) => decoder.decode(octets);
  } catch {
    // Not a label of the web.
  }
  if (!iconv.encodingExists(label)) return guess;
  return (octets) => {
    try {
      return iconv.decode(toBuffer(octets), label).toWellFormed();
    } catch {
      return guess(octets);
    }
  };
}
