/**
 * The words that an index keeps of a folded text: runs of letters, marks and digits of any script. A run that is longer
 * than `WORD_MAX` (a script without spaces, an encoded file) is kept as windows that overlap, so that every piece of up to
 * `PIECE_MAX` code units that occurs in a text is inside of one of its words.
 */
import type { Needle, TextEvidence } from './message-text.ts';

const RUN = /[\p{L}\p{M}\p{N}]+/gu;
const WORD_MAX = 32;
const STRIDE = 16;
/** A piece that begins anywhere before the next window begins ends in this one. */
export const PIECE_MAX: number = WORD_MAX - STRIDE + 1;

/** Adds the words of a text. */
export function addWords(words: Set<string>, text: Needle): void {
  for (const [run] of text.matchAll(RUN)) {
    if (run.length <= WORD_MAX) {
      words.add(run);
      continue;
    }
    // Half a surrogate pair at an edge is whole in the neighbour.
    for (let at = 0; ; at += STRIDE) {
      words.add(run.slice(at, at + WORD_MAX).toWellFormed());
      if (at + WORD_MAX >= run.length) break;
    }
  }
}

/** Code units of one message whose words are kept; a longer one must be read for the rest. */
const TEXT_MAX = 2_097_152;

export type WordSets = {
  readonly header: ReadonlySet<string>;
  readonly body: ReadonlySet<string>;
  /** All of its texts were gone through. */
  readonly isWhole: boolean;
};

export function wordsOf(texts: TextEvidence | undefined): WordSets {
  const header = new Set<string>();
  const body = new Set<string>();
  let left = TEXT_MAX;
  const take = (words: Set<string>, some: readonly string[]): void => {
    for (const text of some) {
      if (text.length <= left) addWords(words, text);
      left -= text.length;
    }
  };
  take(header, texts === undefined ? [] : [texts.header, ...(texts.partHeaders ?? [])]);
  take(body, texts?.body ?? []);
  return { header, body, isWhole: left >= 0 };
}

/** The runs of a text in their order, those that are words of some language: no windows, no numbers. */
export function* wordsInOrder(text: Needle): Generator<string, void, void> {
  for (const [run] of text.matchAll(RUN)) if (run.length <= WORD_MAX) yield run;
}

export type Pieces = {
  /** Each is inside of a word of every text that contains the needle. None: words say nothing of such a needle. */
  readonly pieces: readonly string[];
  /** And every text with such a word contains the needle. */
  readonly isExact: boolean;
};

export function piecesOf(needle: Needle): Pieces {
  const pieces: string[] = [];
  for (const [run] of needle.matchAll(RUN)) pieces.push(...cut(run));
  return { pieces, isExact: pieces.length === 1 && pieces[0] === needle };
}

/** Between whole characters. */
function cut(run: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const character of run) {
    if (piece.length + character.length > PIECE_MAX) {
      pieces.push(piece);
      piece = '';
    }
    piece += character;
  }
  return [...pieces, piece];
}
