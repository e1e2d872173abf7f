/** The certificate that listeners show: the configured files, or one of our own in the data directory. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { X509Certificate } from 'node:crypto';
import type { Config } from '../config/config.ts';
import type { Certificate } from '../net/tls-context.ts';
import { files } from './data-directory.ts';

/** A certificate of our own is made anew when it has less than this left, or is for other names. */
const RENEW_MS = 30 * 86_400_000;

/** Rejects with the file system's error where a file cannot be read, and with OpenSSL's where it holds no certificate. */
export async function loadCertificate(config: Config, nowMs: number): Promise<Certificate> {
  const { certificateFile, keyFile, clientCertificates, clientCaFile } = config.tls;
  const pair =
    certificateFile !== undefined && keyFile !== undefined
      ? { chain: await readFile(certificateFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
      : await ownCertificate(config.dataDirectory, namesOf(config), nowMs);
  if (!clientCertificates) return pair;
  const authorities = clientCaFile === undefined ? undefined : await readFile(clientCaFile, 'utf8');
  // A file without a certificate would pass for one that names nobody.
  if (authorities !== undefined) void new X509Certificate(authorities);
  return { ...pair, clients: { authorities } };
}

function namesOf({ hostname }: Config): readonly string[] {
  return [hostname, 'localhost', '127.0.0.1', '::1'];
}

async function ownCertificate(
  dataDirectory: string,
  names: readonly string[],
  nowMs: number,
): Promise<Certificate> {
  const chainFile = files.certificate(dataDirectory);
  const keyFile = files.key(dataDirectory);
  try {
    const found = { chain: await readFile(chainFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
    if (isGood(found.chain, names, nowMs)) return found;
  } catch {
    // There is none yet, or half of one: made below.
  }
  // Loaded only when needed: the library takes long.
  const { selfSigned } = await import('../net/self-signed.ts');
  const made = await selfSigned(names, nowMs);
  await mkdir(dirname(chainFile), { recursive: true, mode: 0o700 });
  await writeFile(keyFile, made.key, { mode: 0o600 });
  await writeFile(chainFile, made.chain);
  return made;
}

function isGood(chain: string, names: readonly string[], nowMs: number): boolean {
  const certificate = new X509Certificate(chain);
  const isFor = (name: string): boolean =>
    (/^[0-9.]+$|:/.test(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
  return Date.parse(certificate.validTo) - nowMs > RENEW_MS && names.every(isFor);
}
