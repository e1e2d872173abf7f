import assert from 'node:assert/strict';
import { readCertificateParts } from './certificate-parts.ts';

export const covers: RegExp = /src\/tls-policy\/wire\/certificate-parts/;

/** No octets make it throw, and what it gives is part of what it was given. */
export function fuzz(octets: Uint8Array): void {
  const parts = readCertificateParts(octets);
  if (parts === undefined) return;
  assert.ok(parts.publicKey.length >= 2 && parts.publicKey.length < octets.length);
  assert.ok(Buffer.from(octets).includes(parts.publicKey));
  for (const oid of parts.critical) assert.match(oid, /^[0-9.]*$/);
}

/** A P-256 certificate with basicConstraints (CA, path length 1) and keyUsage, both critical. */
export const CA_CERTIFICATE: Uint8Array = Buffer.from(
  'MIIBMjCB2aADAgECAgECMAoGCCqGSM49BAMCMA8xDTALBgNVBAMTBFJvb3QwHhcNMjYwMTAxMDAwMDAwWhcN' +
    'NDYwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDEwRSb290MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEma/FrqfL' +
    'dPmKv1LQ+GiJmjsfWlFG6aqFQIiFrsVsCtzlI8czgJmVGvHNwmUoe47GIYHTvMviMAcL6XoFGT5QUKMmMCQw' +
    'EgYDVR0TAQH/BAgwBgEB/wIBATAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSAAwRQIhALXoXrqeOZ3L' +
    'lpkKcOlBlv9eTrGeQsJatUy/nQtSMo8KAiAHPibO7SQGXGEhovyaiE6aUiafynwl5khrBTL2Di+zXw==',
  'base64',
);

export const seeds: readonly Uint8Array[] = [CA_CERTIFICATE];
