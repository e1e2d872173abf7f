/**
 * A few words of a message for lists: from its plain text, else from its HTML; quoted lines left out where others
 * remain, white space folded. At most `previewCharactersMax` characters. Source: RFC 8970 §3.3.
 */
import { LIMITS } from '../base/limits.ts';
import type { Excerpt, ScannedMessage } from './scan.ts';
import { decodePartText, stripHtml } from './text.ts';

/** '' if the message has no text that is shown. */
export function toPreview(message: ScannedMessage, charactersMax: number = LIMITS.previewCharactersMax): string {
  const plain = message.plain === undefined ? '' : fromExcerpt(message.plain, charactersMax);
  if (plain !== '' || message.html === undefined) return plain;
  return fromExcerpt(message.html, charactersMax);
}

/** Most texts say enough at once; marketing begins with kilobytes of styles. */
const FIRST_OCTETS = 1536;

function fromExcerpt(excerpt: Excerpt, charactersMax: number): string {
  const { part, octets } = excerpt;
  const html = part.subtype === 'html';
  for (let size = FIRST_OCTETS; ; size *= 4) {
    const whole = size >= octets.length;
    let text = decodePartText(part, whole ? octets : octets.subarray(0, size));
    // What was cut in the middle of a character ends in a replacement.
    if (!whole || !excerpt.complete) text = text.replace(/\ufffd+$/, '');
    const preview = fold(html ? stripHtml(text, charactersMax * 4) : withoutQuotes(text, charactersMax), charactersMax);
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

/** Control and invisible characters go, white space becomes single spaces. */
function fold(text: string, charactersMax: number): string {
  const near = text.length > charactersMax * 16 ? text.slice(0, charactersMax * 16) : text;
  const folded = near
    .replace(/[\u200b-\u200f\u2060\ufeff\u00ad\u034f\u061c]+/g, '')
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .toWellFormed();
  if (folded.length <= charactersMax) return folded;
  let size = 0;
  let count = 0;
  for (const character of folded) {
    if (count === charactersMax) break;
    count += 1;
    size += character.length;
  }
  return folded.slice(0, size).trimEnd();
}
