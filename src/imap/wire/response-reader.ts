/**
 * The client's side: cuts what a server sends into responses, as tokens. Tolerant, for tests, tools and measuring:
 * what is not understood becomes an atom. Holds one response in memory, its literals included, up to `octetsMax`.
 *
 * Source: RFC 9051 §7.
 */
import { CR, LF } from '../../base/bytes.ts';
import { announcementAtEnd } from './cursor.ts';

export type ResponseToken =
  | { readonly kind: 'atom'; readonly text: string }
  /** Quoted or literal. */
  | { readonly kind: 'string'; readonly octets: Buffer }
  | { readonly kind: 'nil' }
  | { readonly kind: 'list'; readonly items: readonly ResponseToken[] };

export type ServerResponse =
  | { readonly kind: 'continuation'; readonly text: string }
  /** Ends a command. `code` is the inside of the brackets. */
  | {
      readonly kind: 'tagged';
      readonly tag: string;
      readonly status: string;
      readonly code?: string;
      readonly text: string;
    }
  /** OK, NO, BAD, BYE or PREAUTH without a tag. */
  | { readonly kind: 'status'; readonly status: string; readonly code?: string; readonly text: string }
  /** `* 12 FETCH (…)`: name FETCH, number 12. */
  | {
      readonly kind: 'data';
      readonly name: string;
      readonly number?: number;
      readonly values: readonly ResponseToken[];
    };

const OCTETS_MAX = 256 * 1024 * 1024;
const STATUS = /^(OK|NO|BAD|BYE|PREAUTH)(?: |$)/i;
const FIRST_WORDS_OCTETS = 256;
const HELD_OCTETS_MIN = 4096;
const NIL: ResponseToken = { kind: 'nil' };

export class ResponseReader {
  readonly #octetsMax: number;
  #chunks: Buffer[] = [];
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #held: Buffer = Buffer.alloc(0);
  #heldOctets = 0;
  #segmentAt = 0;
  #literalLeft = 0;

  constructor(octetsMax: number = OCTETS_MAX) {
    this.#octetsMax = octetsMax;
  }

  push(octets: Buffer): void {
    if (octets.length > 0) this.#chunks.push(octets);
  }

  /** The next whole response, or undefined until more is pushed. */
  next(): ServerResponse | undefined {
    for (;;) {
      if (this.#at === this.#chunk.length) {
        const chunk = this.#chunks.shift();
        if (chunk === undefined) return undefined;
        this.#chunk = chunk;
        this.#at = 0;
      }
      const response = this.#literalLeft > 0 ? this.#literal() : this.#line();
      if (response !== undefined) return response;
    }
  }

  #literal(): undefined {
    const end = Math.min(this.#chunk.length, this.#at + this.#literalLeft);
    this.#hold(this.#chunk.subarray(this.#at, end));
    this.#literalLeft -= end - this.#at;
    this.#at = end;
    if (this.#literalLeft === 0) this.#segmentAt = this.#heldOctets;
  }

  #line(): ServerResponse | undefined {
    const found = this.#chunk.indexOf(LF, this.#at);
    const end = found === -1 ? this.#chunk.length : found + 1;
    this.#hold(this.#chunk.subarray(this.#at, end));
    this.#at = end;
    if (found === -1) return undefined;
    const text = this.#held.subarray(0, this.#heldOctets);
    const cut = text[text.length - 2] === CR ? text.length - 2 : text.length - 1;
    const literal = isFreeText(text) ? undefined : announcementAtEnd(text.subarray(this.#segmentAt, cut));
    if (literal !== undefined) {
      this.#literalLeft = literal.octets;
      this.#segmentAt = this.#heldOctets;
      return undefined;
    }
    this.#held = Buffer.alloc(0);
    this.#heldOctets = 0;
    this.#segmentAt = 0;
    return decodeResponse(text.subarray(0, cut));
  }

  #hold(octets: Buffer): void {
    const needed = this.#heldOctets + octets.length;
    if (needed > this.#octetsMax) throw new RangeError(`A response is larger than ${this.#octetsMax} octets`);
    if (needed > this.#held.length) {
      const expected = this.#heldOctets + this.#literalLeft;
      const size = Math.max(
        HELD_OCTETS_MIN,
        this.#held.length * 2,
        needed,
        Math.min(expected, this.#octetsMax),
      );
      const grown = Buffer.allocUnsafeSlow(size);
      this.#held.copy(grown, 0, 0, this.#heldOctets);
      this.#held = grown;
    }
    octets.copy(this.#held, this.#heldOctets);
    this.#heldOctets = needed;
  }
}

/** Text for people may end in `{5}`; nothing follows it. */
function isFreeText(text: Buffer): boolean {
  const start = text.toString('latin1', 0, FIRST_WORDS_OCTETS);
  return !start.startsWith('* ') || STATUS.test(start.slice(2));
}

/** One response without its last line end. */
export function decodeResponse(octets: Buffer): ServerResponse {
  const start = octets.toString('latin1', 0, FIRST_WORDS_OCTETS);
  if (start.startsWith('+'))
    return { kind: 'continuation', text: octets.toString('utf8', start[1] === ' ' ? 2 : 1) };
  const space = start.indexOf(' ');
  const tag = space === -1 ? start : start.slice(0, space);
  const status = STATUS.exec(start.slice(tag.length + 1))?.[1];
  if (status !== undefined || tag !== '*') {
    const rest = octets.toString('utf8', Math.min(octets.length, tag.length + 1 + (status ?? '').length + 1));
    const parts = { status: (status ?? '').toUpperCase(), ...splitCode(rest) };
    return tag === '*' ? { kind: 'status', ...parts } : { kind: 'tagged', tag, ...parts };
  }
  const [first, second, ...rest] = tokenize(octets.subarray(2));
  if (first?.kind === 'atom' && second?.kind === 'atom' && /^\d+$/.test(first.text))
    return { kind: 'data', name: second.text.toUpperCase(), number: Number(first.text), values: rest };
  return {
    kind: 'data',
    name: first?.kind === 'atom' ? first.text.toUpperCase() : '',
    values: second === undefined ? [] : [second, ...rest],
  };
}

function splitCode(text: string): { code?: string; text: string } {
  const end = text.startsWith('[') ? text.indexOf(']') : -1;
  return end === -1 ? { text } : { code: text.slice(1, end), text: text.slice(end + 1).trimStart() };
}

/** Not recursive: nesting costs no stack. */
function tokenize(octets: Buffer): readonly ResponseToken[] {
  const stack: ResponseToken[][] = [];
  let items: ResponseToken[] = [];
  let at = 0;
  while (at < octets.length) {
    const octet = octets[at];
    if (octet === 0x28) {
      stack.push(items);
      items = [];
      at += 1;
    } else if (octet === 0x29) {
      const outer = stack.pop();
      if (outer !== undefined) {
        outer.push({ kind: 'list', items });
        items = outer;
      }
      at += 1;
    } else if (octet === 0x20) at += 1;
    else {
      const { token, end } = tokenAt(octets, at);
      items.push(token);
      at = end;
    }
  }
  for (let outer = stack.pop(); outer !== undefined; outer = stack.pop()) {
    outer.push({ kind: 'list', items });
    items = outer;
  }
  return items;
}

function tokenAt(octets: Buffer, at: number): { token: ResponseToken; end: number } {
  if (octets[at] === 0x22) return quotedAt(octets, at);
  const literalAt = octets[at] === 0x7e ? at + 1 : at;
  if (octets[literalAt] === 0x7b) {
    const lineEnd = octets.indexOf(LF, literalAt);
    const count = Number.parseInt(octets.toString('latin1', literalAt + 1, literalAt + 20), 10);
    if (lineEnd !== -1 && count >= 0)
      return {
        token: { kind: 'string', octets: octets.subarray(lineEnd + 1, lineEnd + 1 + count) },
        end: lineEnd + 1 + count,
      };
  }
  let end = at;
  // The brackets of `BODY[HEADER.FIELDS (Date From)]<0>` hold spaces and parentheses of their own.
  for (let inBrackets = false; end < octets.length; end += 1) {
    const octet = octets[end];
    if (octet === 0x5b) inBrackets = true;
    else if (octet === 0x5d) inBrackets = false;
    else if (!inBrackets && (octet === 0x20 || octet === 0x28 || octet === 0x29)) break;
  }
  const text = octets.toString('utf8', at, end);
  return { token: text.toUpperCase() === 'NIL' ? NIL : { kind: 'atom', text }, end };
}

function quotedAt(octets: Buffer, at: number): { token: ResponseToken; end: number } {
  const out: number[] = [];
  let end = at + 1;
  for (; end < octets.length && octets[end] !== 0x22; end += 1) {
    if (octets[end] === 0x5c) end += 1;
    out.push(octets[end] ?? 0);
  }
  return { token: { kind: 'string', octets: Buffer.from(out) }, end: end + 1 };
}

/** The items of a FETCH response by their labels in capitals; empty for another response. */
export function fetchItems(response: ServerResponse): ReadonlyMap<string, ResponseToken> {
  const items = new Map<string, ResponseToken>();
  if (response.kind !== 'data' || response.name !== 'FETCH') return items;
  const [list] = response.values;
  if (list?.kind !== 'list') return items;
  for (let at = 0; at + 1 < list.items.length; at += 2) {
    const label = list.items[at];
    const value = list.items[at + 1];
    if (label?.kind === 'atom' && value !== undefined) items.set(label.text.toUpperCase(), value);
  }
  return items;
}

/** The text of an atom or string; undefined for NIL and lists. */
export function tokenText(token: ResponseToken | undefined): string | undefined {
  if (token?.kind === 'atom') return token.text;
  return token?.kind === 'string' ? token.octets.toString('utf8') : undefined;
}
