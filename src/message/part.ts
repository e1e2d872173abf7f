/**
 * Parts of a message by their IMAP section, as ranges of its octets. Source: RFC 9051 §6.4.5 (section specification).
 */
import { fromLatin1, latin1 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import type { Part } from './entity.ts';
import { parseHeader } from './header.ts';

/** Octets [start, end) of the message. */
export type OctetRange = { readonly start: number; readonly end: number };

/**
 * What of the part: its body (BODY[1]), its own MIME header (BODY[1.MIME]), or, of an encapsulated message or the
 * message itself, the header or the body (BODY[1.HEADER], BODY[TEXT]).
 */
export type SectionText = 'BODY' | 'MIME' | 'HEADER' | 'TEXT';

/** The part of that number, [] for the root. Undefined if there is none. */
export function findPart(root: Part, path: readonly number[]): Part | undefined {
  let part = root;
  let numbered = numberedParts(root);
  for (const number of path) {
    const next = numbered[number - 1];
    if (next === undefined) return undefined;
    part = next;
    numbered = nestedParts(next);
  }
  return part;
}

/** A message that is no multipart has one part, number 1: itself. */
function numberedParts(root: Part): readonly Part[] {
  return root.kind === 'multipart' ? root.children : [root];
}

function nestedParts(part: Part): readonly Part[] {
  if (part.kind === 'multipart') return part.children;
  const [root] = part.children;
  return part.kind === 'message' && root !== undefined ? numberedParts(root) : [];
}

/** Undefined if the message has no such section; FETCH answers NIL then. */
export function findSection(root: Part, path: readonly number[], text: SectionText): OctetRange | undefined {
  const part = findPart(root, path);
  if (part === undefined) return undefined;
  switch (text) {
    case 'BODY':
      return path.length === 0 ? { start: root.headerStart, end: root.bodyEnd } : bodyRange(part);
    case 'MIME':
      return path.length === 0 ? undefined : headerRange(part);
    case 'HEADER':
    case 'TEXT': {
      // RFC 9051 §6.4.5: HEADER and TEXT are of a message, never of another part.
      const message = path.length === 0 ? root : part.kind === 'message' ? part.children[0] : undefined;
      if (message === undefined) return undefined;
      return text === 'HEADER' ? headerRange(message) : bodyRange(message);
    }
  }
}

export function headerRange(part: Part): OctetRange {
  return { start: part.headerStart, end: part.headerEnd };
}

export function bodyRange(part: Part): OctetRange {
  return { start: part.headerEnd, end: part.bodyEnd };
}

/**
 * The fields that HEADER.FIELDS or HEADER.FIELDS.NOT asks for, as received, with the blank line if the section has one.
 *
 * @param section octets of a header section; the first `headerOctetsMax` are looked into
 * @param names in any case
 * @param keeps 'named' for HEADER.FIELDS, 'others' for HEADER.FIELDS.NOT
 */
export function selectFields(
  section: Uint8Array,
  names: readonly string[],
  keeps: 'named' | 'others',
): Buffer {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const text = latin1(section.subarray(0, LIMITS.headerOctetsMax));
  let out = '';
  for (const { key, start, end } of parseHeader(text)) {
    if (wanted.has(key) === (keeps === 'named')) out += text.slice(start, end);
  }
  return fromLatin1(out + blankLine(section));
}

/** RFC 9051 §7.5.2: the blank line is always included, except where a message has none. */
function blankLine(section: Uint8Array): string {
  const tail = latin1(section.subarray(-4));
  if (tail.endsWith('\n\r\n') || tail === '\r\n') return '\r\n';
  return tail.endsWith('\n\n') || tail === '\n' ? '\n' : '';
}
