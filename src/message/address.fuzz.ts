/** Any text gives addresses; what is formatted reads back as the same addresses. */
import assert from 'node:assert/strict';
import { latin1 } from '../base/bytes.ts';
import type { MailboxAddress } from './address.ts';
import { decodeAddresses, flattenAddresses, formatAddresses, parseAddresses } from './address.ts';

export const covers: RegExp = /src\/message\/(?:address|encoded-word)\.ts/;

export const seeds: readonly Uint8Array[] = [
  'a@b, "c, d" <e@f> (g), h: i@j, <k@l>;, m',
  'John Doe john@example.org, <@r,@s:t@u>, pete(w).smith @ a (x) . b',
  '=?utf-8?q?a,_b?= <c@[192.0.2.1]>, <a@b@c>, <a@b, c@d>, "q\\"\\\\"@x',
  'undisclosed-recipients:;, a.b. c@d, <>, (only), ;;,,',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const text = latin1(octets);
  const raw = parseAddresses(text);
  assert.ok(raw.length <= text.length + 1);
  const decoded = decodeAddresses(text);
  assert.equal(decoded.length, raw.length);
  assert.equal(decodeAddresses(text, 1).length, Math.min(1, decoded.length));
  const kept = flattenAddresses(decoded).filter(isAddress);
  const again = decodeAddresses(Buffer.from(formatAddresses(decoded)).toString('latin1'));
  assert.deepEqual(flattenAddresses(again).filter(isAddress).map(spec), kept.map(spec));
}

/** A name alone may decode to nothing. */
function isAddress({ localPart, domain }: MailboxAddress): boolean {
  return localPart !== '' || domain !== '';
}

/** What mail goes to. Control characters and blanks do not survive being formatted. */
function spec(address: MailboxAddress): string {
  return `${address.localPart}@${address.domain}`.replace(/[\s\0]+/g, ' ');
}
