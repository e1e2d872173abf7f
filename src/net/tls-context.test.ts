import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { makeCertificate } from '../../test/support/certificates.ts';
import { secureContext, serverTls } from './tls-context.ts';

const { pem: chain, keyPem: key } = await makeCertificate({ name: 'mx.test' });
const { keyPem: other } = await makeCertificate({ name: 'mx.test' });
const rsa = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
}).privateKey;

for (const [what, wrong] of [
  ['another of its kind', other],
  ['one of another kind, which OpenSSL has another place for', rsa],
  ['none', chain],
] as const)
  test(`a key that is not the certificate's is refused: ${what}`, () => {
    assert.throws(() => secureContext({ chain, key: wrong }));
    const tls = serverTls({ chain, key });
    const before = tls.tls().secureContext;
    assert.throws(() => tls.replace({ chain, key: wrong }));
    assert.throws(() => tls.replace({ chain, key: wrong, clients: { authorities: undefined } }));
    assert.equal(tls.tls().secureContext, before, 'what there was goes on serving');
  });
