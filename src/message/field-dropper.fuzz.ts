/** Whatever comes, in whatever pieces, no field of those names is left, and nothing else is lost. */
import assert from 'node:assert/strict';
import { latin1 } from '../base/bytes.ts';
import { FieldDropper } from './field-dropper.ts';
import { parseHeader } from './header.ts';

export const covers: RegExp = /src\/message\/field-dropper\.ts/;

export const seeds: readonly Uint8Array[] = [
  'To: a@b\r\nBcc: c@d,\r\n e@f\r\nX: 1\r\n\r\nBcc: body',
  'bcc \t:\r\nRESENT-BCC: x\r\n\r\n',
  'Bcc',
  '\r\nBcc: x\r\n',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const whole = dropped(octets, octets.length);
  assert.equal(dropped(octets, 1), whole);
  assert.equal(dropped(octets, 1 + ((octets[0] ?? 0) % 7)), whole);
  const keys = parseHeader(whole).map(({ key }) => key);
  assert.ok(!keys.includes('bcc') && !keys.includes('resent-bcc'));
  assert.ok(whole.length <= octets.length);
}

function dropped(octets: Uint8Array, pieceOctets: number): string {
  const dropper = new FieldDropper(['bcc', 'resent-bcc']);
  let out = '';
  for (let at = 0; at < octets.length; at += pieceOctets)
    out += latin1(dropper.push(octets.subarray(at, at + pieceOctets)));
  return out + latin1(dropper.end());
}
