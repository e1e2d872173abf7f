/**
 * The words that an index keeps of a folded text: runs of letters, marks and digits of any script. A run that is longer
 * than `WORD_MAX` (a script without spaces, an encoded file) is kept as windows that overlap, so that every piece of up to
 * `PIECE_MAX` code units that occurs in a text is inside of one of its words.
 */
import type { Needle } from './message-text.ts';

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
