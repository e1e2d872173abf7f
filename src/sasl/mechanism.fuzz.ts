/** Responses of any kind: a mechanism answers each, and ends in a claim without NUL or in a refusal. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { MECHANISMS } from './registry.ts';

export const covers: RegExp = /src\/sasl\/.*\.ts$/;

export const seeds: readonly Uint8Array[] = [
  '\0alice\0secret',
  'a\0b\0c',
  'alice',
  'AGEAYg==',
  '\xff\0a\0b',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  for (const mechanism of MECHANISMS) {
    const server = mechanism.server();
    let step = server.step(octets);
    for (let steps = 0; step.kind === 'challenge' && steps < 5; steps += 1) step = server.step(octets);
    assert.notEqual(step.kind, 'challenge');
    if (step.kind === 'claim') assert.ok(!step.claim.password.includes('\0'));
  }
  const decoded = decodeBase64(Buffer.from(octets).toString('latin1'));
  if (decoded !== undefined) assert.equal(encodeBase64(decoded), Buffer.from(octets).toString('latin1'));
}
