/**
 * What a fuzzy search finds (RFC 6203), and how well a message fits: a word of the question is there as it is or with another
 * ending, accents aside, in the language that the message is guessed to be in. All words must be there. What an index says of
 * it and what a scan finds are both made of this.
 */
import { bare, guessLanguage, stemOf, type Language } from './language/language.ts';
import { toNeedle, type Needle, type TextEvidence } from './message-text.ts';
import type { SearchQuestion } from './search-index.ts';
import { addWords, wordsInOrder, wordsOf, type WordSets } from './word.ts';

/** Further words of a question are not looked for. */
const WORDS_MAX = 16;
/** Longer runs are no words of a language. */
const STEMMED_MAX = 24;
/** How much a word tells by where it stands, and by its form. */
const SUBJECT = 1;
const HEADER = 0.7;
const BODY = 0.5;
export const SAME_FORM = 1;
export const OTHER_FORM = 0.7;
/** The question is a piece of what the message says, and no words of it. */
const PIECE_SCORE = 0.1;

/** The words of a question; none where it is made of something else, and only matches as a piece. */
export function fuzzyWords(needle: Needle): readonly string[] {
  return [...new Set(wordsInOrder(needle))].filter(hasStem).slice(0, WORDS_MAX);
}

export function hasStem(word: string): boolean {
  return word.length <= STEMMED_MAX;
}

export function languageOf({ body, header }: TextEvidence): Language {
  return guessLanguage(
    (function* words() {
      for (const text of [...(body ?? []), header]) yield* wordsInOrder(text);
    })(),
  );
}

/** A word of the question in one language. */
export type AskedWord = { readonly bare: string; readonly first: string; readonly stem: string };

export function toAsked(word: string, language: Language): AskedWord {
  const plain = bare(word);
  return { bare: plain, first: plain.slice(0, 1), stem: stemOf(language, word) };
}

/** 0: another word. A stem keeps its first letter. */
export function formOf(word: string, asked: AskedWord, language: Language): number {
  if (!hasStem(word)) return 0;
  const plain = bare(word);
  if (plain === asked.bare) return SAME_FORM;
  if (!plain.startsWith(asked.first)) return 0;
  return stemOf(language, word) === asked.stem ? OTHER_FORM : 0;
}

function bestForm(words: Iterable<string>, asked: AskedWord, language: Language): number {
  let best = 0;
  for (const word of words) {
    const form = formOf(word, asked, language);
    if (form === SAME_FORM) return form;
    if (form > best) best = form;
  }
  return best;
}

/** How well one word of the question is said, at the places of a text search. */
export function textWeight(subject: number, header: number, body: number): number {
  return Math.max(subject * SUBJECT, header * HEADER, body * BODY);
}

/**
 * @param weights of the words of the question, each 0 to 1
 * @param words different words of the message: what says less tells more
 * @returns 0 where one of the words is missing
 */
export function scoreOf(weights: readonly number[], words: number): number {
  if (weights.length === 0 || weights.includes(0)) return 0;
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  return mean / (1 + Math.log10(1 + words / 50));
}

export function fieldForm(field: Needle, asked: AskedWord, language: Language): number {
  const words = new Set<string>();
  addWords(words, field);
  return bestForm(words, asked, language);
}

/** What is found of one message for all questions of a search. */
export type FuzzyText = {
  readonly texts: TextEvidence;
  readonly sets: WordSets;
  readonly language: Language;
  /** Folded. */
  readonly subject: Needle;
};

/** @param subject decoded */
export function toFuzzyText(texts: TextEvidence, subject: string): FuzzyText {
  return { texts, sets: wordsOf(texts), language: languageOf(texts), subject: toNeedle(subject) };
}

/** The score of a message whose texts were read; 0: no match. */
export function fuzzyScan(
  { texts, sets, language, subject }: FuzzyText,
  { where, needle }: SearchQuestion,
): number {
  const field =
    where === 'subject' || where === 'text'
      ? subject
      : texts.fields
          .filter(({ key }) => key === where)
          .map(({ value }) => value)
          .join('\n');
  const weights = fuzzyWords(needle).map((word) => {
    const asked = toAsked(word, language);
    if (where === 'body') return bestForm(sets.body, asked, language);
    const inHeader = bestForm(sets.header, asked, language);
    const inField = inHeader === 0 ? 0 : fieldForm(field, asked, language);
    return where === 'text' ? textWeight(inField, inHeader, bestForm(sets.body, asked, language)) : inField;
  });
  return scoreOf(weights, sets.header.size + sets.body.size);
}

/** An exact match is a match, if the least (RFC 6203 §3). */
export function pieceScore(isThere: boolean): number {
  return isThere ? PIECE_SCORE : 0;
}
