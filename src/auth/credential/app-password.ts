/**
 * App passwords: 20 random letters in four groups, `abcde-fghij-kmnpq-rstuv`, of 24 kinds (without l and o, which are
 * taken for digits): 91 bits. That much chance needs no slow hash: SHA-256 is kept, and checking costs nothing.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Random } from '../../base/random.ts';
import type { AppPassword } from '../directory.ts';

const LETTERS = 'abcdefghijkmnpqrstuvwxyz';
const GROUPS = 4;
const GROUP_LETTERS = 5;

export type KeptAppPassword = AppPassword & {
  /** SHA-256 of the letters alone, hexadecimal. */
  readonly secretHash: string;
  /** As `formatScramKeys` writes them, of the secret with its hyphens; undefined for one from before there were any. */
  readonly scramKeys: string | undefined;
};

export function makeAppPassword(random: Random): string {
  const letter = (): string => LETTERS.charAt(random.below(LETTERS.length));
  const group = (): string => Array.from({ length: GROUP_LETTERS }, letter).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}

/** As it was shown, whichever way it was typed; undefined for what is no app password. */
export function toAppPassword(secret: string): string | undefined {
  const letters = lettersOf(secret);
  return letters?.match(/.{5}/g)?.join('-');
}

function lettersOf(secret: string): string | undefined {
  if (secret.length > 64) return undefined;
  const letters = secret.replaceAll(/[\s-]/g, '').toLowerCase();
  return /^[a-z]{20}$/.test(letters) ? letters : undefined;
}

/** The hash of what looks like an app password, typed with or without its hyphens, in any case; undefined for the rest. */
export function hashAppPassword(secret: string): string | undefined {
  const letters = lettersOf(secret);
  return letters === undefined ? undefined : createHash('sha256').update(letters).digest('hex');
}

/** The one among `kept` that the secret is of. */
export function findAppPassword(
  kept: readonly KeptAppPassword[],
  secret: string,
): KeptAppPassword | undefined {
  const hash = hashAppPassword(secret);
  if (hash === undefined) return undefined;
  const octets = Buffer.from(hash);
  return kept.find(({ secretHash }) => {
    const other = Buffer.from(secretHash);
    return other.length === octets.length && timingSafeEqual(other, octets);
  });
}
