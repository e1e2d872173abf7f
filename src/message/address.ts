/**
 * Address lists of RFC 5322 §3.4 with the obsolete syntax of §4.4: routes, comments, dots in phrases, empty elements.
 * What is broken degrades to the nearest thing that can be shown: a word without an at sign is a local part without a
 * domain, a missing bracket ends with the field. Never throws, linear, at most `addressesMax` addresses.
 *
 * `parseAddresses` works on raw text (one octet, one code unit) and leaves encoded words as they are, as ENVELOPE wants
 * them; `decodeAddresses` gives Unicode.
 */
import { fromLatin1 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import { asciiTrim } from './ascii.ts';
import { decodeCharset } from './charset.ts';
import { decodeWords, encodedWordEnd, encodeWords } from './encoded-word.ts';
import { unfold } from './header.ts';
import { commentEnd } from './parameter.ts';

export type MailboxAddress = {
  readonly kind: 'mailbox';
  /** Display name, or the comment that stood for one; '' if there is none. */
  readonly name: string;
  /** Without quotes. */
  readonly localPart: string;
  /** '' if it was missing. A domain literal keeps its brackets. */
  readonly domain: string;
  /** RFC 5322 §4.4 obs-route: '@a,@b'. */
  readonly route?: string;
};

export type GroupAddress = {
  readonly kind: 'group';
  readonly name: string;
  readonly members: readonly MailboxAddress[];
};

export type Address = MailboxAddress | GroupAddress;

/** @param raw the field's raw value */
export function parseAddresses(raw: string, addressesMax: number = LIMITS.addressesMax): readonly Address[] {
  return new AddressParser(unfold(raw), addressesMax).parse();
}

/** The same in Unicode: names decoded, UTF-8 in local parts and domains read (RFC 6532). */
export function decodeAddresses(raw: string, addressesMax?: number): readonly Address[] {
  return parseAddresses(raw, addressesMax).map(decodeAddress);
}

export function decodeAddress(address: Address): Address {
  return address.kind === 'mailbox'
    ? decodeMailbox(address)
    : { kind: 'group', name: decodeWords(address.name), members: address.members.map(decodeMailbox) };
}

function decodeMailbox(address: MailboxAddress): MailboxAddress {
  return {
    ...address,
    name: decodeWords(address.name),
    localPart: decodeCharset(fromLatin1(address.localPart), undefined),
    domain: decodeCharset(fromLatin1(address.domain), undefined),
  };
}

/** Groups opened: only those that can receive mail. */
export function flattenAddresses(addresses: readonly Address[]): readonly MailboxAddress[] {
  return addresses.flatMap((address) => (address.kind === 'group' ? address.members : [address]));
}

const BLANKS = /[\t-\r ]+/g;
/** RFC 5322 §3.4.1 domain-literal, in ASCII, of no more octets than a domain may have (RFC 5321 §4.5.3.1.2). */
const LITERAL = /\[[^\][<>,;"()\x80-\xff]{0,255}\]/y;

type Word = { readonly text: string; readonly spaced: boolean };

class AddressParser {
  readonly #text: string;
  readonly #addressesMax: number;
  readonly #out: Address[] = [];
  #at = 0;
  #count = 0;
  #group: { readonly name: string; readonly members: MailboxAddress[] } | undefined;

  #words: Word[] = [];
  #spaced = false;
  #comment = '';
  #address: { readonly localPart: string; readonly domain: string; readonly route: string } | undefined;
  #extra = '';
  /** The address as it was written, with what stood before it, if it had no brackets. */
  #bare = '';

  constructor(text: string, addressesMax: number) {
    this.#text = text;
    this.#addressesMax = addressesMax;
  }

  parse(): readonly Address[] {
    const text = this.#text;
    while (this.#at < text.length && this.#count < this.#addressesMax) {
      switch (text.charCodeAt(this.#at)) {
        case 0x20: // blanks
        case 0x09:
        case 0x0a:
        case 0x0b:
        case 0x0c:
        case 0x0d:
          this.#spaced = true;
          this.#at += 1;
          break;
        case 0x28: // (
          this.#readComment();
          break;
        case 0x22: // "
          this.#words.push({ text: this.#readQuoted(), spaced: this.#spaced });
          this.#spaced = false;
          break;
        case 0x3c: // <
          this.#readAngle();
          break;
        case 0x40: // @
          this.#readBareDomain();
          break;
        case 0x3a: // :
          this.#at += 1;
          this.#openGroup();
          break;
        case 0x3b: // ;
          this.#at += 1;
          this.#endAddress();
          this.#closeGroup();
          break;
        case 0x2c: // ,
          this.#at += 1;
          this.#endAddress();
          break;
        case 0x29: // stray closers
        case 0x3e:
        case 0x5b:
        case 0x5d:
          this.#at += 1;
          break;
        default:
          this.#words.push({ text: this.#readAtom(), spaced: this.#spaced });
          this.#spaced = false;
      }
    }
    this.#endAddress();
    this.#closeGroup();
    return this.#out;
  }

  #readComment(): void {
    const end = commentEnd(this.#text, this.#at);
    // The last comment is the one that used to hold the name: user@domain (Real Name).
    const inside = this.#text.slice(this.#at + 1, end).replace(/\)$/, '');
    this.#comment = asciiTrim(inside.replace(/\\(.)/g, '$1'));
    this.#at = end;
    this.#spaced = true;
  }

  #readQuoted(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let at = start;
    let out = '';
    let from = start;
    for (; at < text.length && text.charCodeAt(at) !== 0x22; at += 1) {
      if (text.charCodeAt(at) !== 0x5c || at + 1 >= text.length) continue;
      out += text.slice(from, at);
      at += 1;
      from = at;
    }
    this.#at = at + 1;
    return out + text.slice(from, at);
  }

  #readAtom(): string {
    const text = this.#text;
    const start = this.#at;
    // Some write commas and brackets into encoded words, against RFC 2047 §5 (3).
    if (text.charCodeAt(start) === 0x3d && text.charCodeAt(start + 1) === 0x3f) {
      const end = encodedWordEnd(text, start);
      if (end !== undefined) {
        this.#at = end;
        return text.slice(start, end);
      }
    }
    let at = start + 1;
    while (at < text.length && !isSpecial(text.charCodeAt(at))) at += 1;
    this.#at = at;
    return text.slice(start, at);
  }

  /** RFC 5322 §3.4 angle-addr and §4.4 obs-angle-addr. */
  #readAngle(): void {
    const text = this.#text;
    this.#at += 1;
    this.#skipBlanks();
    let route = '';
    if (text.charCodeAt(this.#at) === 0x40) route = this.#readRoute();
    const local: string[] = [];
    let domain = '';
    let spaced = false;
    for (;;) {
      spaced = this.#skipBlanks() || spaced;
      const code = text.charCodeAt(this.#at);
      // A second '<', or a comma after the domain, means that the bracket was never closed.
      if (Number.isNaN(code) || code === 0x3e || code === 0x3c) break;
      if (domain !== '' && (code === 0x2c || code === 0x3b)) break;
      if (code === 0x40) {
        this.#at += 1;
        // The last at sign counts: <a@b@c> is a broken local part rather than a broken domain.
        if (domain !== '') local.push('@', domain);
        domain = this.#readDomain();
        continue;
      }
      const word = code === 0x22 ? this.#readQuoted() : isSpecial(code) ? this.#skipOne() : this.#readAtom();
      if (domain === '') append(local, word, spaced);
      spaced = false;
    }
    if (text.charCodeAt(this.#at) === 0x3e) this.#at += 1;
    if (this.#bare !== '') {
      // 'a@b <c@d>': an address stands, without quotes, where the name belongs. The one in brackets counts.
      this.#words.unshift({ text: this.#bare, spaced: false });
      this.#bare = '';
    } else if (this.#address !== undefined) {
      this.#endAddress();
    }
    this.#address = { localPart: local.join(''), domain, route };
  }

  #skipOne(): string {
    this.#at += 1;
    return '';
  }

  #readRoute(): string {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code === 0x3a || code === 0x3e || code === 0x3c || code === 0x22) break;
      at += 1;
    }
    // '<@domain>' is no route but an address without a local part.
    if (text.charCodeAt(at) !== 0x3a) return '';
    this.#at = at + 1;
    return text.slice(start, at).replace(BLANKS, '');
  }

  /** An address without brackets: what was read so far is its local part, or ends in it. */
  #readBareDomain(): void {
    this.#at += 1;
    let local = '';
    const words = this.#words;
    const last = words.pop();
    if (last !== undefined) {
      const pieces = [last.text];
      let joined = last;
      // RFC 5322 §4.4 obs-local-part: words may stand apart, with a dot between them.
      for (let before = words.at(-1); before !== undefined; before = words.at(-1)) {
        if (joined.spaced && !joined.text.startsWith('.') && !before.text.endsWith('.')) break;
        words.pop();
        pieces.push(before.text);
        joined = before;
      }
      local = pieces.toReversed().join('');
    }
    const domain = this.#readDomain();
    if (this.#address === undefined) {
      this.#address = { localPart: local, domain, route: '' };
      // 'John Doe john@example.org': the brackets were forgotten.
      this.#extra = phrase(words);
      this.#bare = `${this.#extra} ${local}@${domain}`.trimStart();
      this.#words = [];
    }
    this.#spaced = true;
  }

  #readDomain(): string {
    const text = this.#text;
    this.#skipBlanks();
    while (text.charCodeAt(this.#at) === 0x5b) {
      const literal = this.#readLiteral();
      if (literal !== '') return literal;
      // A bracket that never closes means nothing.
      this.#at += 1;
      this.#skipBlanks();
    }
    let out = '';
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (Number.isNaN(code) || isSpecial(code)) return out;
      const start = this.#at;
      while (this.#at < text.length && !isSpecial(text.charCodeAt(this.#at))) this.#at += 1;
      const piece = text.slice(start, this.#at);
      out += piece;
      // RFC 5322 §4.4 obs-domain: blanks and comments around the dots.
      const after = this.#at;
      const commentBefore = this.#comment;
      if (this.#skipBlanks() && !piece.endsWith('.') && text.charCodeAt(this.#at) !== 0x2e) {
        this.#at = after;
        this.#comment = commentBefore;
        return out;
      }
    }
  }

  /** '' if no literal is here. */
  #readLiteral(): string {
    LITERAL.lastIndex = this.#at;
    const literal = LITERAL.exec(this.#text)?.[0] ?? '';
    this.#at += literal.length;
    return literal.replace(BLANKS, '');
  }

  #skipBlanks(): boolean {
    const start = this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x28) this.#readComment();
      else if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) this.#at += 1;
      else return this.#at > start;
    }
  }

  #openGroup(): void {
    // A colon inside of a group, or after an address, means nothing.
    if (this.#group !== undefined || this.#address !== undefined) return;
    this.#group = { name: phrase(this.#words), members: [] };
    this.#reset();
  }

  #closeGroup(): void {
    if (this.#group === undefined) return;
    this.#out.push({ kind: 'group', name: this.#group.name, members: this.#group.members });
    this.#count += 1;
    this.#group = undefined;
  }

  #endAddress(): void {
    const written = phrase(this.#words);
    const found = this.#address;
    if (found !== undefined) {
      const name = written !== '' ? written : this.#extra !== '' ? this.#extra : this.#comment;
      if (name !== '' || found.localPart !== '' || found.domain !== '') {
        this.#add({ name, localPart: found.localPart, domain: found.domain }, found.route);
      }
    } else if (written !== '') {
      this.#add({ name: this.#comment, localPart: written, domain: '' }, '');
    }
    this.#reset();
  }

  #add(address: Omit<MailboxAddress, 'kind' | 'route'>, route: string): void {
    if (this.#count >= this.#addressesMax) return;
    const mailbox: MailboxAddress = { kind: 'mailbox', ...address, ...(route === '' ? {} : { route }) };
    (this.#group?.members ?? this.#out).push(mailbox);
    this.#count += 1;
  }

  #reset(): void {
    if (this.#words.length > 0) this.#words = [];
    this.#spaced = false;
    this.#comment = '';
    this.#address = undefined;
    this.#extra = '';
    this.#bare = '';
  }
}

/** Words of a local part, with a blank where one stood that no dot explains. Pieces, since joining costs each time. */
function append(local: string[], word: string, spaced: boolean): void {
  const last = local.at(-1);
  if (last !== undefined && spaced && !last.endsWith('.') && !word.startsWith('.')) local.push(' ');
  local.push(word);
}

function phrase(words: readonly Word[]): string {
  const [only] = words;
  if (words.length === 1 && only !== undefined) return only.text;
  let out = '';
  for (const { text, spaced } of words) out += out !== '' && spaced ? ` ${text}` : text;
  return out;
}

const SPECIAL: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) =>
  ' \t\n\v\f\r()<>[]:;@,"'.includes(String.fromCharCode(code)) ? 1 : 0,
);

function isSpecial(code: number): boolean {
  return SPECIAL[code] === 1;
}

/** RFC 5322 §3.2.3 atext with dots, and UTF-8 (RFC 6532 §3.2). */
const DOT_ATOM =
  /^[\w!#$%&'*+\-/=?^`{|}~\u0080-\u{10ffff}]+(?:\.[\w!#$%&'*+\-/=?^`{|}~\u0080-\u{10ffff}]+)*$/u;
const PHRASE = /^[\w!#$%&'*+\-/=?^`{|}~ ]*$/;

/**
 * One address for a header field; names that are not ASCII become encoded words (RFC 2047 §5 (3)), local parts are
 * quoted where they must be.
 */
export function formatAddress(address: Address): string {
  if (address.kind === 'group') {
    return `${formatName(address.name)}: ${address.members.map(formatMailbox).join(', ')};`;
  }
  return formatMailbox(address);
}

/** A list for a header field; give it to `formatField`, which folds it. */
export function formatAddresses(addresses: readonly Address[]): string {
  return addresses.map(formatAddress).join(', ');
}

function formatMailbox({ name, localPart, domain }: MailboxAddress): string {
  const spec = formatAddrSpec(localPart, domain);
  return name === '' ? spec : `${formatName(name)} <${spec}>`;
}

/** RFC 5322 §3.4.1. */
export function formatAddrSpec(localPart: string, domain: string): string {
  // What looks like the beginning of an encoded word could swallow what follows.
  const local = DOT_ATOM.test(localPart) && !localPart.includes('=?') ? localPart : quote(localPart);
  return domain === '' ? local : `${local}@${domain}`;
}

function formatName(name: string): string {
  if (!/^[\x20-\x7e]*$/.test(name) || name.includes('=?')) return encodeWords(name);
  return PHRASE.test(name) && asciiTrim(name) === name && !name.includes('  ') && name !== ''
    ? name
    : quote(name);
}

function quote(text: string): string {
  return `"${text.replace(/[\r\n\0]+/g, ' ').replace(/["\\]/g, '\\$&')}"`;
}
