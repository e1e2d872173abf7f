import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { CA_CERTIFICATE, fuzz } from './certificate-parts.fuzz.ts';
import { readCertificateParts } from './certificate-parts.ts';

test('the key in its own octets, the extensions that must be understood, the path length (RFC 5280 §4.1)', () => {
  const parts = readCertificateParts(CA_CERTIFICATE);
  const key = new X509Certificate(CA_CERTIFICATE).publicKey.export({ type: 'spki', format: 'der' });
  assert.deepEqual(Buffer.from(parts?.publicKey ?? []), key);
  assert.deepEqual(parts?.critical, ['2.5.29.19', '2.5.29.15']);
  assert.equal(parts?.pathLengthMax, 1);
});

for (const [name, hex] of [
  ['nothing', ''],
  ['a sequence of nothing (X.690 §8.9)', '3000'],
  ['no sequence', '0200'],
  ['an indefinite length (X.690 §10.1)', '30803080'],
  ['a length beyond the end', '30820100'],
  ['a length of five octets', '30850000000001'],
] as const)
  test(`${name} is no certificate`, () => {
    assert.equal(readCertificateParts(Buffer.from(hex, 'hex')), undefined);
  });

test('no octets make it throw, and no cut of a certificate is one', () => {
  for (let end = 0; end < CA_CERTIFICATE.length; end += 1)
    assert.equal(readCertificateParts(CA_CERTIFICATE.subarray(0, end)), undefined);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }), (changes) => {
      const octets = Buffer.from(CA_CERTIFICATE);
      for (const [at, value] of changes) octets[at % octets.length] = value;
      fuzz(octets);
    }),
    { numRuns: 3000 },
  );
});
