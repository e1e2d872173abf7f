/**
 * Which language a text is in, by the small words that every text of it has, and what is one word to a fuzzy search in that
 * language: stems of Snowball. A guess: it decides what FUZZY finds (RFC 6203), and nothing else.
 */
import { newStemmer } from 'snowball-stemmers';

/** Without marks, in lower case. Of two languages with as many hits the first counts. */
const SMALL_WORDS = {
  english: 'the and of to in is that for you with this have are not be it on we your',
  german: 'der die und den das ist nicht ein eine mit sie ich zu auf von im dem wir fur',
  french: 'le la les des et est pas que une pour dans vous nous je sur du au ce qui',
  spanish: 'el los las que de por una con para no del se es como su lo al mas',
  italian: 'il che di non per una con sono della del gli le mi ti dei anche piu al',
  portuguese: 'os que nao uma para com do da em por se mais voce as dos ao sao um',
  dutch: 'de het een van en niet dat is voor met op ik je zijn wij ook aan bij',
  swedish: 'och att det som pa ar for inte med till en av jag du har den vi om',
  danish: 'og det er pa til ikke af med som jeg en for har du at vi den de',
  norwegian: 'og det er pa til ikke av med som jeg en for har du vi den fra etter',
  finnish: 'ja on ei se etta han oli mutta niin ovat myos kun ole tai mina sina',
  hungarian: 'az es hogy nem is egy van meg ez csak de mar ha vagy a volt',
  romanian: 'si nu de la cu este pentru din sa pe care mai un sunt ca am',
  catalan: 'els les amb per que una del no es mes dels aquest son pero',
  turkish: 've bir bu icin de da ile ne cok var daha gibi ama olarak',
  czech: 'je se na ze to jsem ale jak pro tak co by jsou nebo si ktery',
  slovene: 'je in da se na za ki pa so tudi ni bi sem kot ali',
  russian: 'и в не на что я с он как это по но мы вы для к из за',
} as const;

/** `none`: words stand for themselves alone. */
export type Language = keyof typeof SMALL_WORDS | 'none';

/** Fewer hits say nothing: names and numbers have a chance hit. */
const HITS_MIN = 3;
/** Of the beginning of a text; languages that come later are quoted. */
const WORDS_LOOKED_AT = 500;
/** Combining marks of Latin, Greek and Cyrillic letters. Those of other scripts are vowels. */
const ACCENTS = /[\u0300-\u036f]+/g;

function isLanguage(name: string): name is Language {
  return name === 'none' || name in SMALL_WORDS;
}

export function toLanguage(name: string): Language | undefined {
  return isLanguage(name) ? name : undefined;
}

function byWord(): ReadonlyMap<string, readonly Language[]> {
  const found = new Map<string, Language[]>();
  for (const [language, words] of Object.entries(SMALL_WORDS))
    for (const word of words.split(' ')) {
      const languages = found.get(bare(word)) ?? [];
      if (isLanguage(language)) languages.push(language);
      found.set(bare(word), languages);
    }
  return found;
}

/** A word as fuzzy searches see it first: in lower case, without accents. */
export function bare(word: string): string {
  const lower = word.toLowerCase();
  return /^[\x00-\x7f]*$/.test(lower) ? lower : lower.normalize('NFD').replace(ACCENTS, '');
}

/** @param words of a text, in its order */
export function guessLanguage(words: Iterable<string>): Language {
  const hits = new Map<Language, number>();
  let looked = 0;
  for (const word of words) {
    looked += 1;
    if (looked > WORDS_LOOKED_AT) break;
    for (const language of BY_WORD.get(bare(word)) ?? []) hits.set(language, (hits.get(language) ?? 0) + 1);
  }
  let best: Language = 'none';
  let most = HITS_MIN - 1;
  for (const language of LANGUAGES) {
    const count = hits.get(language) ?? 0;
    if (count > most) [best, most] = [language, count];
  }
  return best;
}

const LANGUAGES: readonly Language[] = Object.keys(SMALL_WORDS).filter(isLanguage);
const BY_WORD: ReadonlyMap<string, readonly Language[]> = byWord();

const stemmers = new Map<Language, { stem(word: string): string }>();

/** Words of one language with the same stem are one word to a fuzzy search. */
export function stemOf(language: Language, word: string): string {
  if (language === 'none') return bare(word);
  let stemmer = stemmers.get(language);
  if (stemmer === undefined) {
    stemmer = newStemmer(language);
    stemmers.set(language, stemmer);
  }
  return bare(stemmer.stem(word.toLowerCase().normalize('NFC')));
}
