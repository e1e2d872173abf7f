/** A certificate of our own, where none is configured. Apart from the rest: the library takes long to load. */
// oxlint-disable-next-line import/no-unassigned-import -- the library's dependency injection wants it loaded first
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Certificate } from './tls-context.ts';

const DAY_MS = 86_400_000;

/** A P-256 certificate for the names given, for a trial or until the real one comes. */
export async function selfSigned(names: readonly string[], nowMs: number): Promise<Certificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${names[0] ?? 'localhost'}`,
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + 3650 * DAY_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new SubjectAlternativeNameExtension(
        names.map((name) => ({ type: /^[0-9.]+$|:/.test(name) ? 'ip' : 'dns', value: name })),
      ),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const body = pkcs8.toString('base64').replaceAll(/(.{64})/g, '$1\n');
  return {
    chain: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${body.trimEnd()}\n-----END PRIVATE KEY-----\n`,
  };
}
