/** "Did you mean": the known word nearest to a mistyped one. */

/** Edits by insertion, deletion, exchange and transposition of neighbours, letters' case and `-_` left aside. */
export function distance(left: string, right: string): number {
  const a = plain(left);
  const b = plain(right);
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

function plain(word: string): string {
  return word.replace(/[-_]/g, '').toLowerCase();
}

/** Words further away than a third of their letters are strangers. */
const WORD_LETTERS_MAX = 64;

export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > WORD_LETTERS_MAX) return undefined;
  let best: { readonly word: string; readonly edits: number } | undefined;
  for (const candidate of known) {
    const edits = distance(word, candidate);
    const isBeginning = plain(candidate).startsWith(plain(word)) && word.length >= 3;
    if (edits > Math.max(1, Math.floor(candidate.length / 3)) && !isBeginning) continue;
    if (best === undefined || edits < best.edits) best = { word: candidate, edits };
  }
  return best?.word;
}
