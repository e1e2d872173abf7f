import { createHash } from 'node:crypto';

/** A short key for a text that is too long to be one. */
export function resultKey(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
