/** Certificates for tests: CAs, intermediates and servers with whatever is to be wrong about them. */
// oxlint-disable-next-line import/no-unassigned-import -- the library's dependency injection wants it loaded first
import 'reflect-metadata';
import { createHash, webcrypto, X509Certificate } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { TlsaAssociation } from '../../src/base/connection.ts';

const DAY_MS = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export type TestCertificate = {
  readonly pem: string;
  readonly keyPem: string;
  readonly x509: X509Certificate;
  readonly keys: CryptoKeyPair;
  readonly name: string;
};

export type CertificateOptions = {
  readonly name: string;
  /** Left out: signed by itself. */
  readonly issuer?: TestCertificate;
  /** subjectAltName: hosts, IP addresses and mail addresses; left out there is none. */
  readonly names?: readonly string[];
  readonly ca?: boolean;
  readonly pathLengthMax?: number;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** OIDs of extended key usage. */
  readonly purposes?: readonly string[];
  /** A critical extension that nobody knows. */
  readonly strange?: boolean;
};

type CryptoKeyPair = webcrypto.CryptoKeyPair;

function makeKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

let serial = 1;

export async function makeCertificate(options: CertificateOptions): Promise<TestCertificate> {
  const { name, issuer, names, ca = false, pathLengthMax, purposes, strange = false } = options;
  const keys = await makeKeys();
  const nowMs = Date.now();
  serial += 1;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial.toString(16).padStart(8, '0'),
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(options.notBeforeMs ?? nowMs - DAY_MS),
    notAfter: new Date(options.notAfterMs ?? nowMs + DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [
      new BasicConstraintsExtension(ca, pathLengthMax, true),
      ...(ca ? [new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true)] : []),
      ...(purposes === undefined ? [] : [new ExtendedKeyUsageExtension([...purposes])]),
      ...(names === undefined
        ? []
        : [
            new SubjectAlternativeNameExtension(
              names.map((one) => ({
                type: one.includes('@') ? 'email' : /^[0-9.]+$|:/.test(one) ? 'ip' : 'dns',
                value: one,
              })),
            ),
          ]),
      ...(strange ? [new Extension('1.2.3.4.5', true, Buffer.from('0500', 'hex'))] : []),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const body = pkcs8.toString('base64').replaceAll(/(.{64})/g, '$1\n');
  return {
    pem: `${certificate.toString('pem')}\n`,
    keyPem: `-----BEGIN PRIVATE KEY-----\n${body.trimEnd()}\n-----END PRIVATE KEY-----\n`,
    x509: new X509Certificate(Buffer.from(certificate.rawData)),
    keys,
    name,
  };
}

/** The record that names a certificate: `tlsa(leaf, 3, 1, 1)`. */
export function tlsa(
  { x509 }: TestCertificate,
  usage: number,
  selector: number,
  matchingType: number,
): TlsaAssociation {
  const octets = selector === 0 ? x509.raw : x509.publicKey.export({ type: 'spki', format: 'der' });
  const sum = { 1: 'sha256', 2: 'sha512' }[matchingType];
  const data = sum === undefined ? octets : createHash(sum).update(octets).digest();
  return { usage, selector, matchingType, data };
}
