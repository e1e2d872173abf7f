/** LANGUAGE. Everything is said in English, which is what i-default means here too. Source: RFC 5255 §3.1, §3.2. */
import type { Command } from '../../wire/command.ts';
import { languageResponse } from '../../wire/command/language.ts';
import { done, type Replies } from '../command-context.ts';

type Language = Extract<Command, { verb: 'LANGUAGE' }>;

/** RFC 5255 §3.1: i-default is always among them. */
const DEFAULT = 'i-default';
const SPOKEN: readonly string[] = ['en', DEFAULT];

export async function* language({ ranges }: Language): Replies {
  if (ranges.length === 0) {
    yield languageResponse(SPOKEN);
    return done('These are spoken here');
  }
  for (const range of ranges) {
    const tag = spokenFor(range);
    if (tag === undefined) continue;
    yield languageResponse([tag]);
    return done('It is spoken from now on');
  }
  return { status: 'NO', text: 'None of these is spoken here' };
}

/** RFC 4647 §3.4: the range is made shorter, subtag by subtag, until there is such a language. */
function spokenFor(range: string): string | undefined {
  if (range === 'default' || range === '*') return DEFAULT;
  const subtags = range.split('-');
  for (let count = subtags.length; count > 0; count -= 1) {
    const tag = subtags.slice(0, count).join('-');
    if (SPOKEN.includes(tag)) return tag;
  }
  return undefined;
}
