/**
 * The arithmetic of SCRAM, and the form in which a server keeps what it needs of a password. Kept are StoredKey and
 * ServerKey (RFC 5802 §3): who reads them can check proofs and try passwords, but not sign in.
 *
 * Text: `SCRAM-SHA-256$65536:salt$StoredKey:ServerKey`, base64; scheme, info and value of RFC 5803 §2. Keys of one
 * password, or of two spellings of it, stand side by side with a space between.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { decodeBase64, encodeBase64 } from './base64.ts';
import type { ScramHash, ScramSalt } from './mechanism.ts';

/** The stronger first. */
export const SCRAM_HASHES: readonly ScramHash[] = ['SHA-256', 'SHA-1'];

/** As node:crypto calls it. */
export type ScramDigest = 'sha1' | 'sha256';

const DIGEST: Readonly<Record<ScramHash, ScramDigest>> = { 'SHA-1': 'sha1', 'SHA-256': 'sha256' };

/** Of a key, a proof or a signature. */
export const SCRAM_OCTETS: Readonly<Record<ScramHash, number>> = { 'SHA-1': 20, 'SHA-256': 32 };

export type ScramKey = ScramSalt & {
  readonly hash: ScramHash;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
};

export function digestOf(hash: ScramHash): ScramDigest {
  return DIGEST[hash];
}

export function hmac(hash: ScramHash, key: Uint8Array, text: string | Uint8Array): Buffer {
  return createHmac(DIGEST[hash], key).update(text).digest();
}

/** @param saltedPassword Hi() of RFC 5802 §2.2, which is PBKDF2 with one block: slow, and so not done here */
export function toScramKey(hash: ScramHash, salt: ScramSalt, saltedPassword: Uint8Array): ScramKey {
  const clientKey = hmac(hash, saltedPassword, 'Client Key');
  return {
    hash,
    salt: salt.salt,
    iterations: salt.iterations,
    storedKey: createHash(DIGEST[hash]).update(clientKey).digest(),
    serverKey: hmac(hash, saltedPassword, 'Server Key'),
  };
}

/** RFC 5802 §3: whether the proof was made with the key that is kept. Takes as long for any proof. */
export function isProofOf(
  { hash, storedKey }: Pick<ScramKey, 'hash' | 'storedKey'>,
  authMessage: string,
  proof: Uint8Array,
): boolean {
  if (proof.length !== SCRAM_OCTETS[hash] || storedKey.length !== SCRAM_OCTETS[hash]) return false;
  const clientKey = xor(proof, hmac(hash, storedKey, authMessage));
  return timingSafeEqual(createHash(DIGEST[hash]).update(clientKey).digest(), storedKey);
}

export function serverSignature({ hash, serverKey }: ScramKey, authMessage: string): Uint8Array {
  return hmac(hash, serverKey, authMessage);
}

/** Of the same length. */
export function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((octet, at) => octet ^ (right[at] ?? 0));
}

const KEPT =
  /^SCRAM-(SHA-1|SHA-256)\$([1-9][0-9]{0,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/;

export function formatScramKeys(keys: readonly ScramKey[]): string {
  return keys
    .map(({ hash, iterations, salt, storedKey, serverKey }) => {
      const [salted, stored, server] = [salt, storedKey, serverKey].map((octets) => encodeBase64(octets));
      return `SCRAM-${hash}$${iterations}:${salted}$${stored}:${server}`;
    })
    .join(' ');
}

/** Undefined where the text is not keys of ours: nobody gets in by it. */
export function parseScramKeys(text: string): readonly ScramKey[] | undefined {
  const keys = text.split(' ').map(parseScramKey);
  return keys.every((key) => key !== undefined) ? keys : undefined;
}

function parseScramKey(text: string): ScramKey | undefined {
  const [, name, iterations, ...fields] = KEPT.exec(text) ?? [];
  const [salt, storedKey, serverKey] = fields.map((field) => decodeBase64(field ?? ''));
  if (salt === undefined || storedKey === undefined || serverKey === undefined) return undefined;
  const hash = name === 'SHA-1' ? 'SHA-1' : 'SHA-256';
  const octets = SCRAM_OCTETS[hash];
  return storedKey.length === octets && serverKey.length === octets && salt.length > 0
    ? { hash, iterations: Number(iterations), salt, storedKey, serverKey }
    : undefined;
}

/** Same salt, same iterations: what a client was told fits the key. */
export function isSaltOf(key: ScramSalt, told: ScramSalt): boolean {
  return key.iterations === told.iterations && Buffer.compare(key.salt, told.salt) === 0;
}
