/** SHA-256 (FIPS 180-4) of a text's UTF-8. */
import { createHash } from 'node:crypto';

export function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
