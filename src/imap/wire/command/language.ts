/** LANGUAGE: in which language people are spoken to. Source: RFC 5255 §3.2, §3.3, §3.5; RFC 4647 §2.1. */
import type { Cursor } from '../cursor.ts';
import type { Untagged } from '../response.ts';

export type LanguageCommand = {
  readonly verb: 'LANGUAGE';
  /** In lower case, the one that is liked best first; empty: which languages are there? */
  readonly ranges: readonly string[];
};

const RANGE = /^(?:\*|[a-z]{1,8})(?:-(?:\*|[a-z0-9]{1,8}))*$/;

export function parseLanguage(cursor: Cursor): LanguageCommand | undefined {
  const ranges: string[] = [];
  while (!cursor.done()) {
    const octets = cursor.space('a language') && cursor.astring('a language');
    if (octets === undefined) return undefined;
    const range = octets.toString('latin1').toLowerCase();
    if (!RANGE.test(range)) return cursor.fail('Languages are ranges such as en, de-AT or *');
    ranges.push(range);
  }
  return { verb: 'LANGUAGE', ranges };
}

export function languageResponse(tags: readonly string[]): Untagged {
  return { kind: 'extension', octets: Buffer.from(`LANGUAGE (${tags.join(' ')})`) };
}
