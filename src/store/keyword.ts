/**
 * Flags and keywords of messages: how they are spelled, sorted, changed. Sources: RFC 9051 §2.3.2 and §9 (flag-keyword is
 * an atom; keywords are not case-sensitive), RFC 8621 §4.1.1.
 */
import { LIMITS } from '../base/limits.ts';
import type { FlagChange } from './mail-store.ts';

/** RFC 9051 §9: ATOM-CHAR is any CHAR except atom-specials, and `]`, which is a resp-special. */
const ATOM = /^[\u0021\u0023\u0024\u0026\u0027\u002b-\u005b\u005e-\u007a\u007c\u007d\u007e]+$/;

/** RFC 9051 §2.3.2, RFC 8457 §3, RFC 5550 §5.9 and §5.10: keywords that programs agree on, as they are registered. */
const REGISTERED: ReadonlyMap<string, string> = new Map(
  [
    '$Forwarded',
    '$Important',
    '$Junk',
    '$MDNSent',
    '$NotJunk',
    '$Phishing',
    '$SubmitPending',
    '$Submitted',
  ].map((keyword) => [keywordKey(keyword), keyword]),
);
const JUNK: readonly string[] = ['$junk', '$notjunk'];

/** What keywords are compared by. */
export function keywordKey(keyword: string): string {
  return keyword.toLowerCase();
}

export type SpelledKeywords = { readonly spelled: readonly string[]; readonly added: readonly string[] };

/**
 * The keywords as the account spells them, sorted, each once; and those among them that are new to it, as they are
 * registered, or else as they came. `undefined`: the account would have too many, or one is too long. Throws for what is
 * no atom.
 *
 * @param known spellings by `keywordKey`
 */
export function spellKeywords(
  known: ReadonlyMap<string, string>,
  keywords: readonly string[],
): SpelledKeywords | undefined {
  const byKey = new Map<string, string>();
  const added: string[] = [];
  for (const keyword of keywords) {
    if (!ATOM.test(keyword)) throw new TypeError(`${JSON.stringify(keyword)} is no keyword`);
    if (keyword.length > LIMITS.keywordOctetsMax) return undefined;
    const key = keywordKey(keyword);
    if (byKey.has(key)) continue;
    const spelling = known.get(key) ?? REGISTERED.get(key) ?? keyword;
    if (!known.has(key)) added.push(spelling);
    byKey.set(key, spelling);
  }
  if (added.length > 0 && known.size + added.length > LIMITS.keywordsMax) return undefined;
  return { spelled: [...byKey.values()].toSorted(), added };
}

/** Whether it is one of two that exclude each other. */
export function isOfJunk(keyword: string): boolean {
  return JUNK.includes(keywordKey(keyword));
}

/** RFC 9051 §2.3.2: what is both `$Junk` and `$NotJunk` counts as neither, and is better neither. */
export function withoutContradiction(keywords: readonly string[]): readonly string[] {
  const ofJunk = new Set(keywords.filter(isOfJunk).map(keywordKey));
  return ofJunk.size < JUNK.length ? keywords : keywords.filter((keyword) => !isOfJunk(keyword));
}

/** Of the keywords before, those that may stay beside what is added. */
function besides(keywords: readonly string[], added: readonly string[]): readonly string[] {
  return added.some(isOfJunk) ? keywords.filter((keyword) => !isOfJunk(keyword)) : keywords;
}

export type Flags = { readonly flags: number; readonly keywords: readonly string[] };

const ALL_FLAGS = { flags: ~0, keywords: true };

/** @param change its keywords spelled as the account does; a `replace` replaces `\Deleted` too */
export function changeFlags(
  { flags, keywords }: Flags,
  change: Pick<FlagChange, 'mode' | 'flags' | 'keywords' | 'within'>,
): Flags {
  if (change.mode === 'replace') {
    const within = change.within ?? ALL_FLAGS;
    return {
      flags: (change.flags & within.flags) | (flags & ~within.flags),
      keywords: within.keywords ? withoutContradiction(change.keywords) : keywords,
    };
  }
  if (change.mode === 'add') {
    const kept = besides(keywords, change.keywords);
    const added = withoutContradiction(change.keywords).filter((keyword) => !kept.includes(keyword));
    return {
      flags: flags | change.flags,
      keywords: added.length === 0 ? kept : [...kept, ...added].toSorted(),
    };
  }
  return {
    flags: flags & ~change.flags,
    keywords: keywords.filter((keyword) => !change.keywords.includes(keyword)),
  };
}

export function sameFlags(a: Flags, b: Flags): boolean {
  return (
    a.flags === b.flags &&
    a.keywords.length === b.keywords.length &&
    a.keywords.every((keyword, index) => keyword === b.keywords[index])
  );
}
