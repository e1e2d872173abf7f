/** xtext: printable ASCII, with "+", "=" and all else as +HH of the octet. Source: RFC 3461 §4. */
import { isUtf8 } from 'node:buffer';
import { fromUtf8, utf8 } from '../../base/bytes.ts';

/** Undefined where the text is not xtext, or its octets are not UTF-8, or it hides a control character. */
export function decodeXtext(text: string): string | undefined {
  if (!XTEXT.test(text)) return undefined;
  if (!text.includes('+')) return text;
  const octets = Uint8Array.from(unescape(text));
  if (!isUtf8(octets)) return undefined;
  const decoded = utf8(octets);
  // A decoded CR or LF would end up in a DSN's header: none may come back out of here.
  for (let at = 0; at < decoded.length; at += 1) {
    const code = decoded.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) return undefined;
  }
  return decoded;
}

export function isXtext(text: string): boolean {
  return XTEXT.test(text);
}

export function encodeXtext(text: string): string {
  if (PLAIN.test(text)) return text;
  let out = '';
  for (const octet of fromUtf8(text)) {
    out +=
      octet > 0x20 && octet < 0x7f && octet !== PLUS && octet !== EQUALS
        ? String.fromCharCode(octet)
        : `+${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

function* unescape(text: string): Generator<number, void, void> {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === PLUS) {
      yield Number.parseInt(text.slice(at + 1, at + 3), 16);
      at += 2;
    } else yield code;
  }
}

const PLUS = 0x2b;
const EQUALS = 0x3d;
/** Stands for itself. */
const PLAIN = /^[!-*,-<>-~]*$/;
// RFC 3461 §4: hexchar has capitals; small letters are read too, as many senders write them.
const XTEXT = /^(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*$/;
