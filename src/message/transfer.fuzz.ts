/** Decoders give the same octets for every cut; what is encoded decodes to itself. */
import assert from 'node:assert/strict';
import { latin1, toBuffer } from '../base/bytes.ts';
import { createDecoder, decodeTransfer, encodeBase64, encodeQuotedPrintable } from './transfer.ts';

export const covers: RegExp = /src\/message\/transfer\.ts/;

export const seeds: readonly Uint8Array[] = [
  'YWJj\r\nZGVm\r\n=YQ==YWI=!',
  'a=C3=A4 \t\r\n=\r\nb= \r\n=4 =GG = \n\tc \r',
  'begin 644 a\r\n#0V%T\r\n`\r\nend\r\n',
  'x'.repeat(100),
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  for (const encoding of ['base64', 'quoted-printable', 'x-uuencode', '8bit']) {
    const whole = latin1(decodeTransfer(octets, encoding));
    for (const size of [1, 3, 64]) {
      const decoder = createDecoder(encoding);
      assert.ok(decoder !== undefined);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < octets.length; at += size) {
        pieces.push(Uint8Array.from(decoder.push(Uint8Array.from(octets.subarray(at, at + size)))));
      }
      pieces.push(decoder.end());
      assert.equal(latin1(Buffer.concat(pieces)), whole, `${encoding} cut at ${size}`);
    }
  }
  const base64 = encodeBase64(octets);
  assert.ok(base64.split('\r\n').every((line) => line.length <= 76));
  assert.equal(latin1(decodeTransfer(Buffer.from(base64), 'base64')), latin1(octets));
  const quoted = encodeQuotedPrintable(octets);
  assert.ok(quoted.split('\r\n').every((line) => line.length <= 76 && /^[\t\x20-\x7e]*$/.test(line)));
  const canonical = latin1(toBuffer(octets)).replace(/\r?\n/g, '\r\n');
  assert.equal(latin1(decodeTransfer(Buffer.from(quoted), 'quoted-printable')), canonical);
}
