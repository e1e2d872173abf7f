/** A name that decodes encodes to the same octets, save INBOX and raw UTF-8; a pattern of any octets is answered. */
import assert from 'node:assert/strict';
import { toBuffer } from '../../base/bytes.ts';
import { compileListPattern, matchesListPattern } from './list-pattern.ts';
import {
  decodeListPattern,
  decodeMailboxName,
  decodeUtf7,
  encodeMailboxName,
  encodeUtf7,
} from './mailbox-name.ts';

export const covers: RegExp = /(?:mailbox-name|list-pattern)\.ts/;
export const seeds: readonly Uint8Array[] = [
  'INBOX',
  '~peter/mail/&U,BTFw-/&ZeVnLIqe-',
  'A&-B',
  '&2D3eAA-',
  'é/*%a',
].map((text) => Buffer.from(text));

export function fuzz(input: Uint8Array): void {
  const octets = toBuffer(input);
  const text = decodeUtf7(octets);
  if (text !== undefined) assert.equal(encodeUtf7(text), octets.toString('latin1'));
  for (const utf8 of [false, true]) {
    const name = decodeMailboxName(octets, utf8);
    if (name !== undefined) {
      assert.ok(name.isWellFormed());
      assert.equal(decodeMailboxName(encodeMailboxName(name, utf8), utf8), name);
    }
    const pattern = compileListPattern(utf8 ? octets.toString('utf8') : decodeListPattern(octets), '/');
    matchesListPattern(pattern, 'a/b/INBOX');
    if (name !== undefined && !/[*%]/.test(name)) assert.ok(matchesListPattern(pattern, name));
  }
}
