/** Any octets from a proxy are a reply, no reply, or not whole; and what is whole was so at no octet less. */
import assert from 'node:assert/strict';
import { scanLogin, scanMethod, scanReply } from './socks.ts';

export const covers: RegExp = /src\/net\/wire\/socks\.ts/;

export const seeds: readonly Uint8Array[] = [
  '0500',
  '05ff',
  '0100',
  '05000001c00002010019323230',
  '0500000301610019',
  '0505',
].map((hex) => Buffer.from(hex, 'hex'));

export function fuzz(octets: Uint8Array): void {
  for (const scan of [scanMethod, scanLogin, scanReply]) {
    const found = scan(octets);
    if (found.kind !== 'reply') {
      if (found.kind === 'need-more') assert.ok(octets.length < 262);
      continue;
    }
    const used = octets.length - found.rest.length;
    assert.equal(scan(octets.subarray(0, used)).kind, 'reply');
    if (found.value === 'succeeded' || scan !== scanReply)
      assert.equal(scan(octets.subarray(0, used - 1)).kind, 'need-more');
  }
}
