/**
 * Mailbox names on the wire and in the program. In the program a name is Unicode; on the wire it is UTF-8 once the
 * client enabled IMAP4rev2 or UTF8=ACCEPT, else modified UTF-7.
 *
 * Decisions: raw UTF-8 is taken in either mode (RFC 6855 §3); modified UTF-7 that is not the one right spelling of its
 * text, text that is no UTF-8, and control characters are refused (RFC 9051 §5.1, RFC 5198 §2).
 */
const AMPERSAND = 0x26;
const INBOX = 'INBOX';
const SEXTETS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,';
/** C0, DEL, C1, and the two separators that RFC 5198 §2 names. */
// oxlint-disable-next-line no-control-regex -- controls are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u;

/** `INBOX` in any case is one name (RFC 9051 §5.1); every other name is case-sensitive. */
export function toInbox(name: string): string {
  return name.length === 5 && name.toUpperCase() === INBOX ? INBOX : name;
}

/** What RFC 9051 §5.1 asks of a new name: Net-Unicode, so in form C and without controls. */
export function isNetUnicode(name: string): boolean {
  return name.isWellFormed() && !CONTROL.test(name) && name.normalize('NFC') === name;
}

/** @returns undefined when the octets name nothing: see the decisions above */
export function decodeMailboxName(octets: Buffer, utf8: boolean): string | undefined {
  const name = utf8 ? decodeUtf8(octets) : (decodeUtf7(octets) ?? decodeHighUtf8(octets));
  return name === undefined || CONTROL.test(name) ? undefined : toInbox(name);
}

/** Octets of the name before quoting. */
export function encodeMailboxName(name: string, utf8: boolean): Buffer {
  return utf8 ? Buffer.from(name, 'utf8') : Buffer.from(encodeUtf7(name), 'latin1');
}

/**
 * A LIST pattern: modified UTF-7 is decoded between the wildcards, and what is not modified UTF-7 is kept as given,
 * since a pattern that names nothing just matches nothing (RFC 9051 §6.3.9).
 */
export function decodeListPattern(octets: Buffer): string {
  return octets
    .toString('latin1')
    .split(/([%*])/)
    .map((piece) => {
      const raw = Buffer.from(piece, 'latin1');
      return decodeUtf7(raw) ?? raw.toString('utf8');
    })
    .join('');
}

/** Strict UTF-8 (RFC 3629): undefined for any other octets. */
export function decodeUtf8(octets: Buffer): string | undefined {
  const text = octets.toString('utf8');
  // The replacement character appears for ill-formed octets, or because it was sent; only then look closer.
  return !text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(octets) ? text : undefined;
}

function decodeHighUtf8(octets: Buffer): string | undefined {
  return octets.some((octet) => octet > 0x7f) ? decodeUtf8(octets) : undefined;
}

/** RFC 3501 §5.1.3. Each text has one spelling: whatever would not be encoded to the same octets again is refused. */
export function decodeUtf7(octets: Buffer): string | undefined {
  const source = octets.toString('latin1');
  if (octets.indexOf(AMPERSAND) === -1) return isPrintable(source) ? source : undefined;
  const pieces: string[] = [];
  let at = 0;
  while (at < source.length) {
    const shift = source.indexOf('&', at);
    if (shift === -1) break;
    const end = source.indexOf('-', shift);
    if (end === -1) return undefined;
    pieces.push(source.slice(at, shift));
    if (end === shift + 1) pieces.push('&');
    else {
      const coded = Buffer.from(source.slice(shift + 1, end).replaceAll(',', '/'), 'base64');
      if (coded.length < 2 || coded.length % 2 !== 0) return undefined;
      pieces.push(coded.swap16().toString('utf16le'));
    }
    at = end + 1;
  }
  pieces.push(source.slice(at));
  const text = pieces.join('');
  return text.isWellFormed() && encodeUtf7(text) === source ? text : undefined;
}

/** RFC 3501 §5.1.3: printable US-ASCII is itself, `&` is `&-`, the rest is UTF-16BE in base64 with `,` for `/`. */
export function encodeUtf7(text: string): string {
  if (isPrintable(text)) return text.includes('&') ? text.replaceAll('&', '&-') : text;
  return text.replace(/&|[^\x20-\x7e]+/g, (run) => (run === '&' ? '&-' : `&${sextets(run)}-`));
}

function isPrintable(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

function sextets(run: string): string {
  const octets = Buffer.from(run, 'utf16le').swap16();
  let out = '';
  let bits = 0;
  let held = 0;
  for (const octet of octets) {
    held = ((held << 8) | octet) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += SEXTETS.charAt((held >> bits) & 63);
    }
  }
  return bits === 0 ? out : out + SEXTETS.charAt((held << (6 - bits)) & 63);
}
