/** Between IMAP's names of flags and the store's bits and keywords. Source: RFC 9051 §2.3.2. */
import { LIMITS } from '../../base/limits.ts';
import type { AccountId } from '../../store/ids.ts';
import { FLAG } from '../../store/mail-store.ts';
import type { Completion } from '../wire/response.ts';
import { toSystemFlag, type SystemFlag } from '../wire/flag.ts';
import type { ImapDeps } from './ports.ts';

const BITS: Readonly<Record<SystemFlag, number>> = {
  '\\Answered': FLAG.answered,
  '\\Flagged': FLAG.flagged,
  '\\Deleted': FLAG.deleted,
  '\\Seen': FLAG.seen,
  '\\Draft': FLAG.draft,
};

export const SYSTEM_NAMES: readonly SystemFlag[] = [
  '\\Answered',
  '\\Flagged',
  '\\Deleted',
  '\\Seen',
  '\\Draft',
];

/** Every combination of system flags, spelled once. */
const SPELLED: readonly (readonly string[])[] = Array.from({ length: 32 }, (_, bits) =>
  SYSTEM_NAMES.filter((name) => (bits & BITS[name]) !== 0),
);

export type FlagNames = { readonly flags: number; readonly keywords: readonly string[] };

/** A keyword longer than any that is kept. */
export const TOO_LONG: Completion = {
  status: 'NO',
  code: 'LIMIT',
  text: `A keyword has ${LIMITS.keywordOctetsMax} octets at most`,
};

/** Whether the owner may have keywords that are not among those there (RFC 9051 §7.1: `\*`). */
export async function takesKeywords(owner: AccountId, { store }: Pick<ImapDeps, 'store'>): Promise<boolean> {
  return (await store.keywords(owner)).length < LIMITS.keywordsMax;
}

/** Undefined where a keyword is too long. */
export function flagsOf(names: readonly string[]): FlagNames | undefined {
  let flags = 0;
  const keywords: string[] = [];
  for (const name of names) {
    const system = toSystemFlag(name);
    if (system !== undefined) flags |= BITS[system];
    // RFC 3501 §2.3.2: \Recent cannot be set; a client that copies it from a FETCH is not refused for that.
    else if (name.toLowerCase() === '\\recent') continue;
    else if (name.length > LIMITS.keywordOctetsMax) return undefined;
    else keywords.push(name);
  }
  return { flags, keywords };
}

/** RFC 4314 §4: the right that setting and clearing a flag or keyword asks for. */
export function rightToSet(name: string): 's' | 't' | 'w' {
  if (name === '\\Seen') return 's';
  return name === '\\Deleted' ? 't' : 'w';
}

/** What of a message's flags may be set and cleared. */
export type Reach = { readonly flags: number; readonly keywords: boolean };

export function reachOf(rights: string): Reach {
  const names = SYSTEM_NAMES.filter((name) => rights.includes(rightToSet(name)));
  return { flags: names.reduce((bits, name) => bits | BITS[name], 0), keywords: rights.includes('w') };
}

export function within(reach: Reach, { flags, keywords }: FlagNames): FlagNames {
  return { flags: flags & reach.flags, keywords: reach.keywords ? keywords : [] };
}

/** RFC 4314 §4: of flags, those that somebody with these rights may set. */
export function permitted(names: FlagNames, rights: string): FlagNames {
  return within(reachOf(rights), names);
}

export function bitOf(name: string): number | undefined {
  const system = toSystemFlag(name);
  return system === undefined ? undefined : BITS[system];
}

/** System flags first, then keywords. */
export function flagNames(flags: number, keywords: readonly string[]): readonly string[] {
  const names = SPELLED[flags & 31] ?? [];
  return keywords.length === 0 ? names : [...names, ...keywords];
}
