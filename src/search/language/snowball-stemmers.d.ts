/** The one function of `snowball-stemmers` that is used; the package brings no types. */
declare module 'snowball-stemmers' {
  /** @param language as the algorithms of Snowball are named */
  export function newStemmer(language: string): { stem(word: string): string };
}
