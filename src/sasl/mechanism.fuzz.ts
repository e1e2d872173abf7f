/**
 * Responses of any kind, cut into messages at line ends: a mechanism answers each, and ends in a claim without NUL or in a
 * refusal. Keys and server messages are read too.
 */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { MECHANISMS } from './registry.ts';
import { formatScramKeys, parseScramKeys } from './scram-key.ts';
import { parseServerFinal, parseServerFirst } from './scram-message.ts';

export const covers: RegExp = /src\/sasl\/.*\.ts$/;

export const seeds: readonly Uint8Array[] = [
  '\0alice\0secret',
  'a\0b\0c',
  'alice\nsecret',
  'AGEAYg==',
  '\xff\0a\0b',
  'n,,n=user,r=abc\nc=biws,r=abcnonce,p=AAAA',
  'p=tls-exporter,a=x=2Cy,n=user,r=abc,x=y\nc=cD10bHMtZXhwb3J0ZXIsYT14PTJDeSxi,r=abcnonce,x=y,p=AAAA',
  'n,a=x,\u0001host=h\u0001auth=Bearer abc==\u0001\u0001\n\u0001',
  'user=x\u0001auth=Bearer abc\u0001\u0001\n',
  'r=abcnonce,s=QQ==,i=4096\nv=AAAA',
  'SCRAM-SHA-1$4096:QQ==$AAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAA=',
].map((text) => Buffer.from(text, 'latin1'));

const CONTEXT = {
  channel: {
    isPrivate: true,
    bindings: new Map([['tls-exporter', Buffer.from('b')]]),
    peerCertificate: { der: Buffer.from('certificate'), isVerified: true },
  },
  nonce: () => 'nonce',
  tokenHints: {},
};

export function fuzz(octets: Uint8Array): void {
  const messages = Buffer.from(octets).toString('latin1').split('\n');
  const [first = '', ...rest] = messages.map((message) => Buffer.from(message, 'latin1'));
  for (const mechanism of MECHANISMS) {
    let step = mechanism.server(CONTEXT, Buffer.from(first));
    const left = [...rest];
    for (let steps = 0; step.kind === 'challenge' || step.kind === 'salt-wanted'; steps += 1) {
      assert.ok(steps < 6, 'an exchange without end');
      step =
        step.kind === 'challenge'
          ? step.next(left.shift() ?? new Uint8Array())
          : step.next({ salt: Buffer.from('salt'), iterations: 4096 });
    }
    if (step.kind === 'claim' && step.claim.kind === 'password')
      assert.ok(!step.claim.password.includes('\0'));
  }
  parseServerFirst(octets);
  parseServerFinal(octets);
  const text = Buffer.from(octets).toString('latin1');
  const decoded = decodeBase64(text);
  if (decoded !== undefined) assert.equal(encodeBase64(decoded), text);
  const keys = parseScramKeys(text);
  if (keys !== undefined) assert.equal(formatScramKeys(keys), text);
}
