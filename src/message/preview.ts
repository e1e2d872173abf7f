/**
 * A few words of a message for lists: from its plain text, else from its HTML; quoted lines left out where others
 * remain, white space folded. At most `previewCharactersMax` characters. Source: RFC 8970 §3.3.
 */
import { LIMITS } from '../base/limits.ts';
import type { Excerpt, ScannedMessage } from './scan.ts';
import { decodePartText, stripHtml } from './text.ts';

/** '' if the message has no text that is shown. */
export function toPreview(
  message: ScannedMessage,
  charactersMax: number = LIMITS.previewCharactersMax,
): string {
  const plain = message.plain === undefined ? '' : fromExcerpt(message.plain, charactersMax);
  if (plain !== '' || message.html === undefined) return plain;
  return fromExcerpt(message.html, charactersMax);
}

/** Most texts say enough at once; marketing begins with kilobytes of styles. */
const FIRST_OCTETS = 384;

function fromExcerpt(excerpt: Excerpt, charactersMax: number): string {
  const { part, octets } = excerpt;
  const html = part.subtype === 'html';
  for (let size = FIRST_OCTETS; ; size *= 4) {
    const whole = size >= octets.length;
    let text = decodePartText(part, whole ? octets : octets.subarray(0, size));
    // What was cut in the middle of a character ends in a replacement.
    if (!whole || !excerpt.complete) text = text.replace(/\ufffd+$/, '');
    const preview = fold(
      html ? stripHtml(text, charactersMax * 4) : withoutQuotes(text, charactersMax),
      charactersMax,
    );
    if (whole || preview.length >= charactersMax) return preview;
  }
}

/** Lines that answer, not those answered. */
function withoutQuotes(text: string, charactersMax: number): string {
  if (!text.includes('\n>') && !text.startsWith('>')) return text;
  let out = '';
  for (const line of text.split('\n')) {
    if (!line.startsWith('>')) out += `${line}\n`;
    if (out.length > charactersMax * 8) break;
  }
  return out.trim() === '' ? text : out;
}

/** Control and invisible characters go, white space becomes single spaces. Reads no further than it must. */
function fold(text: string, charactersMax: number): string {
  let out = '';
  let count = 0;
  let from = 0;
  let blank = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const kind = code < 0x7f && code > 0x20 ? 'shown' : kindOf(code);
    if (kind !== 'shown') {
      out += text.slice(from, at);
      from = at + 1;
      if (kind === 'blank') blank = true;
      continue;
    }
    // The second half of a pair is no character of its own.
    const follows = code >= 0xdc00 && code <= 0xdfff;
    if (count >= charactersMax && !follows) return `${out}${text.slice(from, at)}`.trimEnd().toWellFormed();
    if (blank) {
      if (count + 1 >= charactersMax) return out.toWellFormed();
      if (count > 0) {
        out += ' ';
        count += 1;
      }
      blank = false;
    }
    if (!follows) count += 1;
  }
  return (out + text.slice(from)).toWellFormed();
}

function kindOf(code: number): 'blank' | 'hidden' | 'shown' {
  if (code <= 0x20 || (code >= 0x7f && code <= 0xa0)) return 'blank';
  if (code < 0xad) return 'shown';
  if (code === 0xad || code === 0x34f || code === 0x61c || code === 0xfeff) return 'hidden';
  if (code < 0x1680) return 'shown';
  if (code >= 0x200b && code <= 0x200f) return 'hidden';
  if (code >= 0x2060 && code <= 0x2064) return 'hidden';
  if (code >= 0x2000 && code <= 0x200a) return 'blank';
  return code === 0x1680 ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
    ? 'blank'
    : 'shown';
}
