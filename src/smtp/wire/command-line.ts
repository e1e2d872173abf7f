/**
 * Cuts command lines off the front of the octets in hand. Holds no state: the caller keeps the octets and the offset.
 * Units: octets. Source: RFC 5321 §2.3.8 (a CR or LF on its own is never a line end), §4.5.3.1.4.
 */
import type { Buffer } from 'node:buffer';
import { CR, LF } from '../../base/bytes.ts';

export type CommandLineScan =
  /** `end` is the offset of the CRLF. */
  | { readonly kind: 'line'; readonly end: number }
  | { readonly kind: 'need-more' }
  /** An LF without CR, met before any CRLF: the line is refused at once and skipped to its CRLF. */
  | { readonly kind: 'bare-newline' }
  | { readonly kind: 'too-long' };

/** @param lineOctetsMax limit for one line, its CRLF included */
export function scanCommandLine(input: Buffer, start: number, lineOctetsMax: number): CommandLineScan {
  const found = input.indexOf(LF, start);
  if (found === -1 || found - start >= lineOctetsMax)
    return input.length - start >= lineOctetsMax ? TOO_LONG : NEED_MORE;
  if (found === start || input[found - 1] !== CR) return BARE_NEWLINE;
  return { kind: 'line', end: found - 1 };
}

const NEED_MORE = { kind: 'need-more' } as const;
const TOO_LONG = { kind: 'too-long' } as const;
const BARE_NEWLINE = { kind: 'bare-newline' } as const;
