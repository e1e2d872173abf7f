/** A SEARCH of any octets is answered, and its tree is no deeper than the limit of nesting and keys. */
import assert from 'node:assert/strict';
import { COMMAND_LIMITS } from './command-reader.ts';
import { decodeCommand } from './command.ts';
import type { SearchKey } from './command/search-key.ts';

export const covers: RegExp = /src\/imap\/wire\//;
export const seeds: readonly Uint8Array[] = [
  'OR SEEN OR (DRAFT FLAGGED) NOT KEYWORD x',
  'RETURN (MIN MAX PARTIAL 1:5) CHARSET UTF-8 FROM "a" TO {1}\r\nb',
  'SINCE 1-Feb-1994 SENTON "2-Mar-2000" LARGER 5 OLDER 6',
  'MODSEQ "/flags/\\\\draft" all 62 UID 1:*,$ HEADER a b FUZZY TEXT x FILTER y EMAILID z',
].map((text) => Buffer.from(text));

function keysOf(key: SearchKey): number {
  if (key.kind === 'and' || key.kind === 'or') {
    assert.ok(key.keys.length > 1);
    return key.keys.reduce((sum, inner) => sum + keysOf(inner), 0);
  }
  if (key.kind === 'not') assert.notEqual(key.key.kind, 'not');
  return key.kind === 'not' || key.kind === 'fuzzy' ? keysOf(key.key) : 1;
}

export function fuzz(octets: Uint8Array): void {
  const context = { ...COMMAND_LIMITS, utf8: true };
  const result = decodeCommand(Buffer.concat([Buffer.from('a SEARCH '), octets]), context);
  if (!result.ok) return assert.match(result.error.text, /^[\x20-\x7e]+$/);
  const { command } = result.value;
  // NEW is one key as written and two in the tree.
  if (command.verb === 'SEARCH') assert.ok(keysOf(command.key) <= 2 * COMMAND_LIMITS.searchKeysMax);
}
