/** Other people's words on their way into a report: nothing that is written here makes a line, a field or a part of its own. */

/** Controls, line ends among them, become spaces, and so does what turns text round or hides it. */
export function plain(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

/** RFC 6533 §3: `\x{E4}` for what is not ASCII. */
export function escaped(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\r\n]/gu, embedded);
}

/** RFC 6533 §3, utf-8-addr-xtext: the same for an address, of which no character may be taken for the escape. */
export function escapedAddress(address: string): string {
  return address.replaceAll(/[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]/gu, embedded);
}

/** RFC 6533 §3: the address behind a utf-8-addr-xtext or -unitext. */
export function unescapedAddress(text: string): string {
  return text.replaceAll(/\\x\{([0-9A-F]{2,6})\}/gi, (all, digits: string) => {
    const code = Number.parseInt(digits, 16);
    return code > 0x10_ffff ? all : String.fromCodePoint(code);
  });
}

function embedded(character: string): string {
  const code = character.codePointAt(0) ?? 0xfffd;
  return `\\x{${code.toString(16).toUpperCase().padStart(2, '0')}}`;
}

export function isBeyondAscii(text: string): boolean {
  return /[^\x00-\x7f]/.test(text);
}

/** RFC 5322 §2.1.1: no line above 998 octets, however a word of a peer is written in it. */
const WORD_OCTETS_MAX = 900;
/** Characters of which each piece stays below, at ten octets for an escaped one. */
const PIECE_CHARACTERS = 90;

/** A peer's words, those that would fill more than a line cut in pieces. */
export function withoutLongWords(text: string): string {
  const words = text.split(' ').flatMap((word) => {
    if (Math.max(Buffer.byteLength(word), escaped(word).length) <= WORD_OCTETS_MAX) return [word];
    const characters = Array.from(word);
    const pieces: string[] = [];
    for (let at = 0; at < characters.length; at += PIECE_CHARACTERS)
      pieces.push(characters.slice(at, at + PIECE_CHARACTERS).join(''));
    return pieces;
  });
  return words.join(' ');
}

const TEXT_COLUMNS = 72;

/** Lines of text; a word that is longer than one stays whole. */
export function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > TEXT_COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}
