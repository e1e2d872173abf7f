/**
 * Replies: what a server says. `formatReply` writes one, {@link ReplyReader} reads a peer's, with limits.
 * Shape: three digits, "-" or " ", text; all lines of one reply carry the same code. An enhanced status stands at the head
 * of each line's text. Sources: RFC 5321 §4.2 and §4.2.1, RFC 2034 §4, RFC 3463.
 */
import { Buffer } from 'node:buffer';
import { CR, LF, toBuffer } from '../../base/bytes.ts';
import type { EnhancedStatus } from './enhanced-status.ts';

/** A reply of ours. `status` is undefined for 3xx, the greeting and EHLO (RFC 2034 §4). */
export type Reply = {
  readonly code: number;
  readonly status: EnhancedStatus | undefined;
  readonly lines: readonly string[];
};

export function reply(code: number, status: EnhancedStatus | undefined, ...lines: readonly string[]): Reply {
  return { code, status, lines };
}

/** With its CRLFs. Text that would break a line is made harmless, text that is too long for a line is wrapped. */
export function formatReply({ code, status, lines }: Reply): string {
  const head = status === undefined ? '' : `${status} `;
  const [only] = lines;
  if (lines.length === 1 && only !== undefined && isPlainText(only)) return `${code} ${head}${only}\r\n`;
  const texts = lines.flatMap((line) => wrapped(cleaned(line)));
  const last = texts.pop() ?? '';
  return `${texts.map((text) => `${code}-${head}${text}\r\n`).join('')}${code} ${head}${last}\r\n`;
}

function isPlainText(text: string): boolean {
  if (text.length > TEXT_CHARACTERS_MAX) return false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** Controls become spaces: no text, wherever it came from, starts a line of its own. */
function cleaned(text: string): string {
  let out = '';
  for (const char of text.toWellFormed()) {
    const code = char.codePointAt(0) ?? 0;
    out += code < 0x20 || (code >= 0x7f && code <= 0x9f) ? ' ' : char;
  }
  return out;
}

/** RFC 5321 §4.5.3.1.5: a reply line is at most 512 octets; beyond ASCII a character may take three. */
function wrapped(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > TEXT_CHARACTERS_MAX || Buffer.byteLength(rest) > TEXT_OCTETS_MAX) {
    const width = Math.min(WRAP_CHARACTERS, rest.length - 1);
    const space = rest.lastIndexOf(' ', width);
    let cut = space > 0 ? space : width;
    const code = rest.charCodeAt(cut);
    if (code >= 0xdc00 && code <= 0xdfff) cut -= 1;
    pieces.push(rest.slice(0, Math.max(cut, 1)));
    rest = rest.slice(space > 0 ? cut + 1 : Math.max(cut, 1));
  }
  pieces.push(rest);
  return pieces;
}

/** A reply of a peer, its text word for word: the lines without code and separator, octets beyond ASCII as UTF-8. */
export type PeerReply = {
  readonly code: number;
  readonly lines: readonly string[];
};

/** One line, for logs, traces and DSNs: `250 2.1.0 Ok`; several lines are joined by a space. */
export function formatPeerReply(peerReply: PeerReply): string {
  return `${peerReply.code} ${peerReply.lines.join(' ')}`;
}

export type ReplyScan =
  | { readonly kind: 'reply'; readonly reply: PeerReply }
  | { readonly kind: 'need-more' }
  /** What came is no SMTP reply; `line` is its beginning, for the trace. */
  | {
      readonly kind: 'garbage';
      readonly problem: 'line' | 'code-changed' | 'line-too-long' | 'too-many-lines';
      readonly line: string;
    };

/** Reads replies out of chunks. After 'garbage' it is of no more use. A bare LF is taken as a line end, as old servers send it. */
export class ReplyReader {
  readonly #lineOctetsMax: number;
  readonly #linesMax: number;
  #input: Buffer = Buffer.alloc(0);
  /** Octets of it that are read. */
  #at = 0;
  #lines: string[] = [];
  #code = 0;

  constructor(limits: { readonly lineOctetsMax: number; readonly linesMax: number }) {
    this.#lineOctetsMax = limits.lineOctetsMax;
    this.#linesMax = limits.linesMax;
  }

  /** Octets wait that no reply has used: a peer that says more than it was asked. */
  get pending(): boolean {
    return this.#at < this.#input.length || this.#lines.length > 0;
  }

  push(chunk: Uint8Array): void {
    this.#input =
      this.#at === this.#input.length
        ? toBuffer(chunk)
        : Buffer.concat([this.#input.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  next(): ReplyScan {
    for (;;) {
      const input = this.#input;
      const from = this.#at;
      const end = input.indexOf(LF, from);
      const octets = (end === -1 ? input.length : end + 1) - from;
      if (octets > this.#lineOctetsMax) return this.#garbage('line-too-long', from, input.length);
      if (end === -1) return { kind: 'need-more' };
      const to = end > from && input[end - 1] === CR ? end - 1 : end;
      this.#at = end + 1;
      const code = toReplyCode(input, from, to);
      const separator = from + 3 < to ? input[from + 3] : undefined;
      if (code === undefined || (separator !== undefined && separator !== SPACE && separator !== HYPHEN))
        return this.#garbage('line', from, to);
      // RFC 5321 §4.2.1: every line of one reply has the same code.
      if (this.#lines.length > 0 && code !== this.#code) return this.#garbage('code-changed', from, to);
      this.#code = code;
      this.#lines.push(input.toString('utf8', Math.min(from + 4, to), to));
      if (separator !== HYPHEN) {
        const lines = this.#lines;
        this.#lines = [];
        return { kind: 'reply', reply: { code, lines } };
      }
      if (this.#lines.length >= this.#linesMax) return this.#garbage('too-many-lines', from, to);
    }
  }

  #garbage(problem: Extract<ReplyScan, { kind: 'garbage' }>['problem'], from: number, to: number): ReplyScan {
    const line = this.#input.toString('utf8', from, Math.min(to, from + QUOTED_OCTETS));
    return { kind: 'garbage', problem, line };
  }
}

/** Reply-code: %x32-35 %x30-35 %x30-39. Source: RFC 5321 §4.2; a second digit up to 9 is read too. */
function toReplyCode(input: Uint8Array, from: number, to: number): number | undefined {
  if (to - from < 3) return undefined;
  const [first = 0, second = 0, third = 0] = [input[from], input[from + 1], input[from + 2]];
  if (first < 0x32 || first > 0x35 || !isDigit(second) || !isDigit(third)) return undefined;
  return (first - 0x30) * 100 + (second - 0x30) * 10 + (third - 0x30);
}

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

const SPACE = 0x20;
const HYPHEN = 0x2d;
const TEXT_CHARACTERS_MAX = 480;
const TEXT_OCTETS_MAX = 480;
const WRAP_CHARACTERS = 150;
const QUOTED_OCTETS = 200;
