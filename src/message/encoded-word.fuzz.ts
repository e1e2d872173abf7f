/** Any text decodes to text, and any text that is encoded decodes to itself, in words within their limits. */
import assert from 'node:assert/strict';
import { latin1 } from '../base/bytes.ts';
import { decodeCharset } from './charset.ts';
import { decodeText, decodeWords, encodeWords } from './encoded-word.ts';

export const covers: RegExp = /src\/message\/(?:encoded-word|charset)\.ts/;

export const seeds: readonly Uint8Array[] = [
  '=?utf-8?q?a=C3=A4_b?= =?utf-8?b?4oKs?= c',
  '=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?utf-7?q?+AOQ-?=',
  '=?utf-8*de?q?=e2=82?=\r\n =?utf-8?q?=ac?= =?x?q?a?b?=',
  'caf\u00e9 =?unknown?q?=e9?= =?koi8-r?b?8PDw?=',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const raw = latin1(octets);
  assert.ok(decodeText(raw).isWellFormed());
  assert.ok(decodeWords(raw).length <= raw.length * 4);
  const text = decodeCharset(octets, undefined);
  const encoded = encodeWords(text);
  assert.match(encoded, /^[\x20-\x7e]*$/);
  if (encoded !== text) {
    for (const word of encoded.split(' '))
      assert.ok(word.length <= 75 && /^=\?utf-8\?[qb]\?[^? ]*\?=$/.test(word));
  }
  assert.equal(decodeWords(encoded), text.replace(/[\r\n]+/g, ' '));
  const [name = ''] = raw.split('\n', 1);
  assert.ok(decodeCharset(octets, name).length <= octets.length * 4);
}
