/**
 * How the index of one account is asked: in pieces, so that a thread's other sessions have their turn. What an answer means is
 * in `search-index.ts`.
 */
import type { Pace } from '../../base/pace.ts';
import { numberAt, octetsAt, textAt, type Database, type Row } from '../../sqlite/database.ts';
import { known, toEmailId, type EmailId } from '../../store/ids.ts';
import {
  fieldForm,
  formOf,
  fuzzyWords,
  OTHER_FORM,
  SAME_FORM,
  scoreOf,
  textWeight,
  toAsked,
  type AskedWord,
} from '../fuzzy.ts';
import { toLanguage, type Language } from '../language/language.ts';
import { contains } from '../message-text.ts';
import type { FuzzyAnswer, IndexedField, SearchAnswer, SearchQuestion } from '../search-index.ts';
import { piecesOf } from '../word.ts';
import { readState, toToken, unpackTexts } from './index-file.ts';

/** Words that contain a piece; for more of them the texts are looked through instead. */
const WORDS_ASKED_MAX = 20_000;
/** Numbers of words in one question to FTS5, whose parser holds all of them. */
const WORDS_AT_ONCE = 200;
/** Ids of messages and of words whose rows are looked through at a stretch. */
const IDS_AT_ONCE = 20_000;
const TEXTS_AT_ONCE = 32;
const DOCUMENTS_AT_ONCE = 1000;

/** Of the index of words. */
type Column = 'header' | 'body';

const COLUMNS: Readonly<Record<IndexedField, string>> = {
  from: 'from_text',
  to: 'to_text',
  cc: 'cc_text',
  bcc: 'bcc_text',
  subject: 'subject_text',
};

/** An index that was forgotten while it was asked has said nothing. */
async function steadily<Answer>(
  database: Database,
  ask: (through: number) => Promise<Answer>,
): Promise<Answer | undefined> {
  const before = readState(database);
  const answer = await ask(before.through);
  return readState(database).generation === before.generation ? answer : undefined;
}

export async function askIndex(
  database: Database,
  { where, needle }: SearchQuestion,
  pace: Pace,
): Promise<SearchAnswer | undefined> {
  return steadily(database, async (through) => {
    if (where !== 'body' && where !== 'text') {
      const sql = `SELECT email_id FROM document WHERE email_id > ? AND email_id <= ? AND instr(${COLUMNS[where]}, ?) > 0`;
      const matches = toIds(await byRange(database, sql, through, needle, pace));
      return { through, matches, candidates: unread(database, 2) };
    }
    const { pieces, isExact } = piecesOf(needle);
    let found: ReadonlySet<EmailId> | undefined;
    for (const piece of pieces) {
      // oxlint-disable-next-line no-await-in-loop -- piece after piece
      const sayers = await sayersOf(database, piece, where, pace);
      if (sayers !== undefined) found = found === undefined ? sayers : found.intersection(sayers);
      if (found?.size === 0) break;
      // oxlint-disable-next-line no-await-in-loop -- others have their turn
      await pace.give();
    }
    const rest = unread(database, 1);
    if (isExact && found !== undefined) return { through, matches: found, candidates: rest };
    found ??= toIds(
      await byRange(
        database,
        'SELECT email_id FROM document WHERE email_id > ? AND email_id <= ? AND unread = 0 AND ? <> 0',
        through,
        1,
        pace,
      ),
    );
    const { matches, missing } = await confirm(database, found, where, needle, pace);
    return { through, matches, candidates: missing.union(rest) };
  });
}

/** Rows whose id is in a range, range after range. The statement's last parameter is `value`. */
async function byRange(
  database: Database,
  sql: string,
  last: number,
  value: string | number,
  pace: Pace,
): Promise<Row[]> {
  const found: Row[] = [];
  for (let after = 0; after < last; after += IDS_AT_ONCE) {
    const rows = database.prepare(sql).rows(after, Math.min(last, after + IDS_AT_ONCE), value);
    for (const row of rows) found.push(row);
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    await pace.give();
  }
  return found;
}

/** Looks into the texts that are kept. `missing`: those that are not. */
async function confirm(
  database: Database,
  candidates: ReadonlySet<EmailId>,
  where: 'body' | 'text',
  needle: string,
  pace: Pace,
): Promise<{ readonly matches: Set<EmailId>; readonly missing: Set<EmailId> }> {
  const matches = new Set<EmailId>();
  const missing = new Set(candidates);
  const sql = `SELECT email_id, body${where === 'text' ? ', header' : ''} FROM text WHERE email_id IN (SELECT value FROM json_each(?))`;
  const all = [...candidates];
  for (let at = 0; at < all.length; at += TEXTS_AT_ONCE) {
    for (const row of database.prepare(sql).rows(JSON.stringify(all.slice(at, at + TEXTS_AT_ONCE)))) {
      const id = known(toEmailId(numberAt(row, 0)));
      missing.delete(id);
      const isThere =
        contains(unpackTexts(octetsAt(row, 1)), needle) ||
        (where === 'text' && contains(unpackTexts(octetsAt(row, 2)), needle));
      if (isThere) matches.add(id);
    }
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    await pace.give();
  }
  return { matches, missing };
}

function unread(database: Database, least: number): Set<EmailId> {
  return toIds(
    database.prepare('SELECT email_id FROM document WHERE unread > 0 AND unread >= ?').rows(least),
  );
}

/** The messages with a word that contains the piece; undefined: there are too many such words. */
async function sayersOf(
  database: Database,
  piece: string,
  where: 'body' | 'text',
  pace: Pace,
): Promise<Set<EmailId> | undefined> {
  const words = await wordsWith(database, piece, pace);
  if (words.length > WORDS_ASKED_MAX) return undefined;
  const tokens = words.map((row) => toToken(numberAt(row, 0)));
  return sayersOfTokens(database, tokens, where === 'body' ? ['body'] : ['header', 'body'], pace);
}

async function sayersOfTokens(
  database: Database,
  tokens: readonly string[],
  columns: readonly Column[],
  pace: Pace,
): Promise<Set<EmailId>> {
  const sayers = new Set<EmailId>();
  for (let at = 0; at < tokens.length; at += WORDS_AT_ONCE) {
    const any = tokens
      .slice(at, at + WORDS_AT_ONCE)
      .map((token) => `"${token}"`)
      .join(' OR ');
    const rows = database
      .prepare('SELECT rowid FROM said WHERE said MATCH ?')
      .rows(`{${columns.join(' ')}} : (${any})`);
    for (const row of rows) sayers.add(known(toEmailId(numberAt(row, 0))));
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    await pace.give();
  }
  return sayers;
}

/** One more than may be asked for tells that there are too many. */
async function wordsWith(database: Database, piece: string, pace: Pace): Promise<readonly Row[]> {
  const characters = Array.from(piece);
  if (characters.length < 3) {
    const last = numberAt(database.prepare('SELECT coalesce(max(word_id), 0) FROM word').row() ?? [0], 0);
    const sql = 'SELECT word_id FROM word WHERE word_id > ? AND word_id <= ? AND instr(word, ?) > 0';
    return byRange(database, sql, last, piece, pace);
  }
  const grams = characters.slice(2).map((_, at) => `"${characters.slice(at, at + 3).join('')}"`);
  return database
    .prepare(
      `SELECT word_id FROM word_gram JOIN word ON word_id = word_gram.rowid
       WHERE word_gram MATCH ? AND instr(word.word, ?) > 0 LIMIT ?`,
    )
    .rows(grams.join(' AND '), piece, WORDS_ASKED_MAX + 1);
}

function toIds(rows: readonly Row[]): Set<EmailId> {
  return new Set(rows.map((row) => known(toEmailId(numberAt(row, 0)))));
}

/** Who says a word of the question: the word itself, or another form of it. */
type Sayers = Readonly<
  Record<Column, { readonly same: ReadonlySet<EmailId>; readonly other: ReadonlySet<EmailId> }>
>;

/** A word of the question in each language that messages are in. */
type AskedEverywhere = ReadonlyMap<Language, { readonly asked: AskedWord; readonly sayers: Sayers }>;

async function askEverywhere(database: Database, word: string, pace: Pace): Promise<AskedEverywhere> {
  const everywhere = new Map<Language, { asked: AskedWord; sayers: Sayers }>();
  const held = new Map<string, ReadonlySet<EmailId>>();
  // The same words are asked about for many languages.
  const sayers = async (tokens: readonly string[], column: Column): Promise<ReadonlySet<EmailId>> => {
    const key = `${column} ${tokens.join(' ')}`;
    const found = held.get(key) ?? (await sayersOfTokens(database, tokens, [column], pace));
    held.set(key, found);
    return found;
  };
  for (const row of database.prepare('SELECT language FROM language').rows()) {
    const language = toLanguage(textAt(row, 0));
    if (language === undefined) continue;
    const asked = toAsked(word, language);
    const rows = database
      .prepare(
        `SELECT DISTINCT word.word_id, word.word FROM stem JOIN word ON word.word_id = stem.word_id
         WHERE stem.language = ? AND stem.stem IN (?, ?)`,
      )
      .rows(language, asked.stem, asked.bare);
    const same: string[] = [];
    const other: string[] = [];
    for (const found of rows) {
      const form = formOf(textAt(found, 1), asked, language);
      if (form > 0) (form === SAME_FORM ? same : other).push(toToken(numberAt(found, 0)));
    }
    everywhere.set(language, {
      asked,
      sayers: {
        // oxlint-disable-next-line no-await-in-loop -- language after language
        header: { same: await sayers(same, 'header'), other: await sayers(other, 'header') },
        // oxlint-disable-next-line no-await-in-loop -- language after language
        body: { same: await sayers(same, 'body'), other: await sayers(other, 'body') },
      },
    });
  }
  return everywhere;
}

export async function askIndexFuzzily(
  database: Database,
  { where, needle }: SearchQuestion,
  pace: Pace,
): Promise<FuzzyAnswer | undefined> {
  return steadily(database, async (through) => {
    const columns: readonly Column[] =
      where === 'body' ? ['body'] : where === 'text' ? ['header', 'body'] : ['header'];
    const words: AskedEverywhere[] = [];
    let found: ReadonlySet<EmailId> | undefined;
    for (const word of fuzzyWords(needle)) {
      // oxlint-disable-next-line no-await-in-loop -- word after word
      const everywhere = await askEverywhere(database, word, pace);
      words.push(everywhere);
      let sayers: ReadonlySet<EmailId> = new Set();
      for (const one of everywhere.values())
        for (const column of columns)
          sayers = sayers.union(one.sayers[column].same).union(one.sayers[column].other);
      found = found === undefined ? sayers : found.intersection(sayers);
    }
    const field = where === 'body' || where === 'text' ? COLUMNS.subject : COLUMNS[where];
    const scores = new Map<EmailId, number>();
    const all = [...(found ?? [])];
    for (let at = 0; at < all.length; at += DOCUMENTS_AT_ONCE) {
      const rows = database
        .prepare(
          `SELECT email_id, language, words, ${field} FROM document WHERE email_id IN (SELECT value FROM json_each(?))`,
        )
        .rows(JSON.stringify(all.slice(at, at + DOCUMENTS_AT_ONCE)));
      for (const row of rows) {
        const id = known(toEmailId(numberAt(row, 0)));
        const language = toLanguage(textAt(row, 1)) ?? 'none';
        const weights = words.map((one) => weigh(one, id, language, where, textAt(row, 3)));
        const score = scoreOf(weights, numberAt(row, 2));
        if (score > 0) scores.set(id, score);
      }
      // oxlint-disable-next-line no-await-in-loop -- others have their turn
      await pace.give();
    }
    return { through, scores, candidates: unread(database, where === 'body' || where === 'text' ? 1 : 2) };
  });
}

function weigh(
  everywhere: AskedEverywhere,
  id: EmailId,
  language: Language,
  where: SearchQuestion['where'],
  field: string,
): number {
  const one = everywhere.get(language);
  if (one === undefined) return 0;
  const formIn = (column: Column): number => {
    const { same, other } = one.sayers[column];
    return same.has(id) ? SAME_FORM : other.has(id) ? OTHER_FORM : 0;
  };
  if (where === 'body') return formIn('body');
  const inField = formIn('header') === 0 ? 0 : fieldForm(field, one.asked, language);
  return where === 'text' ? textWeight(inField, formIn('header'), formIn('body')) : inField;
}
