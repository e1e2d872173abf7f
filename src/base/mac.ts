/** Proofs that whoever has a key made a text: HMAC-SHA-256 (RFC 2104). */
import { createHmac, timingSafeEqual } from 'node:crypto';

export function macOf(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

/** In a time that does not tell how much of it is right. */
export function isSameMac(made: Uint8Array, shown: Uint8Array): boolean {
  return made.length === shown.length && timingSafeEqual(made, shown);
}
