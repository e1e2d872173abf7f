/**
 * GETMETADATA and SETMETADATA, the METADATA option of LIST, and their response. Source: RFC 5464 §4, §5; RFC 9590 §5.
 *
 * Departs from RFC 5464 §5: options may stand before the mailbox, as the grammar has it, or after it, as all examples do.
 */
import { LIMITS } from '../../../base/limits.ts';
import type { Cursor } from '../cursor.ts';
import type { Untagged } from '../response.ts';
import { encodeAstring, encodeMailbox, encodeOctets } from '../string.ts';

export type MetadataDepth = 0 | 1 | 'infinity';

export type MetadataCommand =
  | {
      readonly verb: 'GETMETADATA';
      /** Empty: of the server. */
      readonly mailbox: string;
      /** In lower case. */
      readonly entries: readonly string[];
      readonly maxSize: number | undefined;
      readonly depth: MetadataDepth;
    }
  | {
      readonly verb: 'SETMETADATA';
      readonly mailbox: string;
      readonly changes: readonly { readonly name: string; readonly value: Buffer | null }[];
    };

type Options = { readonly maxSize: number | undefined; readonly depth: MetadataDepth };

const LEFT = 0x28;

export function parseGetMetadata(cursor: Cursor): MetadataCommand | undefined {
  if (!cursor.space('a mailbox name')) return undefined;
  let options: Options = { maxSize: undefined, depth: 0 };
  const early = cursor.peek() === LEFT;
  if (early) {
    const found = parseOptions(cursor);
    if (found === undefined || !cursor.space('a mailbox name')) return undefined;
    options = found;
  }
  const mailbox = cursor.mailbox();
  if (mailbox === undefined || !cursor.space('an entry')) return undefined;
  if (!early && atOptions(cursor)) {
    const found = parseOptions(cursor);
    if (found === undefined || !cursor.space('an entry')) return undefined;
    options = found;
  }
  const entries = parseEntries(cursor);
  return entries && { verb: 'GETMETADATA', mailbox, entries, ...options };
}

/** A list whose first word is the name of an option: an entry begins with a slash, or as a string. */
function atOptions(cursor: Cursor): boolean {
  const next = String.fromCharCode(cursor.octets[cursor.at + 1] ?? 0);
  return cursor.peek() === LEFT && /[a-z]/i.test(next);
}

function parseOptions(cursor: Cursor): Options | undefined {
  let maxSize: number | undefined;
  let depth: MetadataDepth = 0;
  if (!cursor.takeLeft()) return cursor.fail('Expected the options as a list');
  do {
    const name = cursor.label('an option');
    if (name === undefined || !cursor.space('the value of an option')) return undefined;
    if (name === 'MAXSIZE') {
      maxSize = cursor.number('a size');
      if (maxSize === undefined) return undefined;
    } else if (name === 'DEPTH') {
      const value = cursor.label('a depth');
      if (value === '0' || value === '1') depth = value === '0' ? 0 : 1;
      else if (value === 'INFINITY') depth = 'infinity';
      else return cursor.fail('DEPTH is 0, 1 or infinity');
    } else return cursor.fail(`Unknown option of GETMETADATA: ${name.slice(0, 40)}`);
  } while (cursor.takeSpace());
  return cursor.right('the options') && { maxSize, depth };
}

function parseEntries(cursor: Cursor): readonly string[] | undefined {
  if (cursor.peek() === LEFT) return parseEntryList(cursor);
  // RFC 5464 §4.4.1 shows several entries without parentheses.
  const entries: string[] = [];
  do {
    const entry = parseEntry(cursor);
    if (entry === undefined) return undefined;
    entries.push(entry);
  } while (cursor.takeSpace());
  return entries;
}

/** `(entry …)`, also of LIST RETURN (METADATA (…)) (RFC 9590 §5). */
export function parseEntryList(cursor: Cursor): readonly string[] | undefined {
  if (!cursor.takeLeft()) return cursor.fail('Expected entries as a list');
  return cursor.listToRight('the entries', () => parseEntry(cursor));
}

/** RFC 5464 §3.2: what is no name is BAD wherever it stands. */
function parseEntry(cursor: Cursor): string | undefined {
  const octets = cursor.astring('an entry');
  if (octets === undefined) return undefined;
  const name = octets.toString('latin1').toLowerCase();
  if (name.length > LIMITS.metadataNameOctetsMax)
    return cursor.fail(`Names of entries have ${LIMITS.metadataNameOctetsMax} octets at most`);
  return isEntryName(name) ? name : cursor.fail('Entries begin with /shared/ or /private/, without * and %');
}

/** Levels of printable ASCII. An entry that is only looked below (DEPTH) may be shorter than one that can be set. */
function isEntryName(name: string): boolean {
  return /^\/(?:shared|private)(?:\/[\x20-\x24\x26-\x29\x2b-\x2e\x30-\x7e]+)*$/.test(name);
}

/** RFC 5464 §3.2: two levels at least; a vendor's have four. */
export function canBeSet(name: string): boolean {
  const levels = name.split('/').slice(1);
  return levels.length >= (levels[1] === 'vendor' ? 4 : 2);
}

export function parseSetMetadata(cursor: Cursor): MetadataCommand | undefined {
  const mailbox = cursor.space('a mailbox name') && cursor.mailbox();
  if (mailbox === undefined) return undefined;
  if (!cursor.takeSpaceLeft()) return cursor.fail('SETMETADATA takes a list of entries and values');
  const changes = cursor.listToRight('the entries', () => {
    const name = parseEntry(cursor);
    if (name === undefined || !cursor.space('a value')) return undefined;
    const value = cursor.nstring('a value');
    return value === undefined ? undefined : { name, value };
  });
  return changes && { verb: 'SETMETADATA', mailbox, changes };
}

export type MetadataValue = { readonly name: string; readonly value: Uint8Array | null };

/** RFC 5464 §4.4.1. */
export function metadataResponse(mailbox: string, values: readonly MetadataValue[], utf8: boolean): Untagged {
  const pieces: Buffer[] = [];
  for (const { name, value } of values) {
    pieces.push(Buffer.from(pieces.length === 0 ? '' : ' '), encodeAstring(name, utf8), Buffer.from(' '));
    pieces.push(encodeValue(value, utf8));
  }
  return response(mailbox, utf8, Buffer.from('('), ...pieces, Buffer.from(')'));
}

/** RFC 5464 §4.4.2: names alone, to a client that enabled METADATA. */
export function metadataNews(mailbox: string, names: readonly string[], utf8: boolean): Untagged {
  const pieces = names.flatMap((name, index) => [
    Buffer.from(index === 0 ? '' : ' '),
    encodeAstring(name, utf8),
  ]);
  return response(mailbox, utf8, ...pieces);
}

function response(mailbox: string, utf8: boolean, ...rest: readonly Buffer[]): Untagged {
  const name = mailbox === '' ? Buffer.from('""') : encodeMailbox(mailbox, utf8);
  return {
    kind: 'extension',
    octets: Buffer.concat([Buffer.from('METADATA '), name, Buffer.from(' '), ...rest]),
  };
}

/** RFC 5464 §5: `nstring / literal8`; NUL is only in the latter. */
function encodeValue(value: Uint8Array | null, utf8: boolean): Buffer {
  if (value === null) return Buffer.from('NIL');
  const octets = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (!octets.includes(0)) return encodeOctets(octets, utf8);
  return Buffer.concat([Buffer.from(`~{${octets.length}}\r\n`), octets]);
}
