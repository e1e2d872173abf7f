/**
 * Plain text out of a part: transfer encoding and charset decoded, HTML reduced to what is read. For SEARCH, previews
 * and indexing; not for showing HTML. Linear; never throws.
 */
import { decodeCharset } from './charset.ts';
import type { Part } from './entity.ts';
import { parameterRaw } from './parameter.ts';
import { decodeTransfer } from './transfer.ts';

/** A part's text in Unicode, as written: HTML stays HTML. @param encoded its body, or the beginning of it */
export function decodePartText(part: Part, encoded: Uint8Array): string {
  return decodeCharset(decodeTransfer(encoded, part.encoding), parameterRaw(part.parameters, 'charset'));
}

/** The same with markup removed where there is any. */
export function toPlainText(part: Part, encoded: Uint8Array): string {
  const text = decodePartText(part, encoded);
  return part.subtype === 'html' || part.subtype === 'xhtml' ? stripHtml(text) : text;
}

/** Elements whose content nobody reads. */
const HIDDEN = new Set(['script', 'style', 'head', 'title', 'template', 'noscript', 'svg']);
/** Elements that do not part words. */
const INLINE = new Set(
  'a abbr b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strike strong sub sup tt u var wbr'.split(
    ' ',
  ),
);

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  ensp: ' ',
  emsp: ' ',
  thinsp: ' ',
  shy: '',
  zwnj: '',
  zwj: '',
  lrm: '',
  rlm: '',
  copy: '©',
  reg: '®',
  trade: '™',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  sbquo: '‚',
  bdquo: '„',
  laquo: '«',
  raquo: '»',
  bull: '•',
  middot: '·',
  euro: '€',
  pound: '£',
  yen: '¥',
  cent: '¢',
  sect: '§',
  para: '¶',
  deg: '°',
  plusmn: '±',
  times: '×',
  iexcl: '¡',
  iquest: '¿',
  auml: 'ä',
  ouml: 'ö',
  uuml: 'ü',
  Auml: 'Ä',
  Ouml: 'Ö',
  Uuml: 'Ü',
  szlig: 'ß',
  agrave: 'à',
  aacute: 'á',
  acirc: 'â',
  atilde: 'ã',
  aring: 'å',
  aelig: 'æ',
  ccedil: 'ç',
  egrave: 'è',
  eacute: 'é',
  ecirc: 'ê',
  euml: 'ë',
  igrave: 'ì',
  iacute: 'í',
  icirc: 'î',
  iuml: 'ï',
  ntilde: 'ñ',
  ograve: 'ò',
  oacute: 'ó',
  ocirc: 'ô',
  otilde: 'õ',
  oslash: 'ø',
  ugrave: 'ù',
  uacute: 'ú',
  ucirc: 'û',
  yacute: 'ý',
  yuml: 'ÿ',
  Agrave: 'À',
  Aacute: 'Á',
  Acirc: 'Â',
  Atilde: 'Ã',
  Aring: 'Å',
  AElig: 'Æ',
  Ccedil: 'Ç',
  Egrave: 'È',
  Eacute: 'É',
  Ecirc: 'Ê',
  Euml: 'Ë',
  Iacute: 'Í',
  Ntilde: 'Ñ',
  Oacute: 'Ó',
  Ocirc: 'Ô',
  Oslash: 'Ø',
  Uacute: 'Ú',
};

/** @param lettersMax enough of the text: stripping stops there */
export function stripHtml(html: string, lettersMax: number = Number.POSITIVE_INFINITY): string {
  let out = '';
  let at = 0;
  // After one quote that never closes, quotes in tags are no longer trusted: looking for each would not be linear.
  let trustsQuotes = true;
  while (at < html.length && out.length < lettersMax) {
    const open = html.indexOf('<', at);
    const textEnd = open < 0 ? html.length : open;
    if (textEnd > at) out += decodeEntities(html.slice(at, Math.min(textEnd, at + lettersMax * 8)));
    if (open < 0) break;
    const after = html.charCodeAt(open + 1) | 0x20;
    const closing = html[open + 1] === '/';
    if (html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open + 4);
      if (end < 0) break;
      at = end + 3;
      continue;
    }
    if (!closing && html[open + 1] !== '!' && html[open + 1] !== '?' && !(after >= 0x61 && after <= 0x7a)) {
      out += '<';
      at = open + 1;
      continue;
    }
    let end = trustsQuotes ? tagEnd(html, open + 1) : -1;
    if (end < 0) {
      trustsQuotes = false;
      end = html.indexOf('>', open + 1);
      if (end < 0) break;
    }
    at = end + 1;
    const name = tagName(html, open + (closing ? 2 : 1), end);
    if (!INLINE.has(name)) out += '\n';
    if (closing || !HIDDEN.has(name) || html[end - 1] === '/') continue;
    at = hiddenEnd(html, at, name);
  }
  return out;
}

/** The '>' of a tag, not one inside of quotes. */
function tagEnd(html: string, start: number): number {
  let quote = 0;
  for (let at = start; at < html.length; at += 1) {
    const code = html.charCodeAt(at);
    if (quote !== 0) {
      if (code === quote) quote = 0;
    } else if (code === 0x3e) {
      return at;
    } else if ((code === 0x22 || code === 0x27) && html.charCodeAt(at - 1) === 0x3d) {
      quote = code;
    }
  }
  return -1;
}

const TAG_NAME_MAX = 16;

function tagName(html: string, start: number, end: number): string {
  let at = start;
  while (at < end && at - start < TAG_NAME_MAX && /[a-z0-9]/i.test(html.charAt(at))) at += 1;
  return html.slice(start, at).toLowerCase();
}

/** Where the hidden element's end tag begins. Without one, everything after it is hidden. */
function hiddenEnd(html: string, start: number, name: string): number {
  const close = new RegExp(`</${name}`, 'gi');
  close.lastIndex = start;
  return close.exec(html)?.index ?? html.length;
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([A-Za-z]{2,8}));?/g,
    (whole, decimal, hex, name) => {
      if (typeof name === 'string') return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] ?? whole) : whole;
      const code = typeof decimal === 'string' ? Number(decimal) : Number.parseInt(String(hex), 16);
      return code > 0 && code <= 0x10_ffff && !(code >= 0xd800 && code <= 0xdfff)
        ? String.fromCodePoint(code)
        : ' ';
    },
  );
}
