/**
 * The index of one account in its own SQLite file: what is in it, and how it grows. docs/search.md.
 *
 * A message's words are known by numbers: FTS5 keeps which messages have which number, a second index the trigrams of
 * every word, so that words that contain a piece are found without going through all of them.
 */
import { join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Fault } from '../../base/fault.ts';
import type { MessageDigest } from '../../message/digest.ts';
import { numberAt, type Database } from '../../sqlite/database.ts';
import { applicationId, type FileKind } from '../../sqlite/migrate.ts';
import type { AccountId, EmailId } from '../../store/ids.ts';
import { hasStem, languageOf } from '../fuzzy.ts';
import { bare, stemOf, type Language } from '../language/language.ts';
import { toNeedle, type TextEvidence } from '../message-text.ts';
import type { IndexedField } from '../search-index.ts';
import { wordsOf } from '../word.ts';

const FIRST = `
-- One row. Messages up to the id "through" are known; of those gone, the ones that went up to "vanished_through" are removed.
CREATE TABLE state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  through INTEGER NOT NULL,
  vanished_through INTEGER NOT NULL
) STRICT;
INSERT INTO state (one, through, vanished_through) VALUES (1, 0, 0);

-- Folded for comparing. unread: 0 all is known, 1 not all of its words are, 2 nothing is.
CREATE TABLE document (
  email_id INTEGER PRIMARY KEY,
  unread INTEGER NOT NULL,
  from_text TEXT NOT NULL,
  to_text TEXT NOT NULL,
  cc_text TEXT NOT NULL,
  bcc_text TEXT NOT NULL,
  subject_text TEXT NOT NULL
) STRICT;
CREATE INDEX document_unread ON document (unread) WHERE unread > 0;

CREATE TABLE word (
  word_id INTEGER PRIMARY KEY,
  word TEXT NOT NULL UNIQUE
) STRICT;
CREATE VIRTUAL TABLE word_gram USING fts5 (
  word, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE said USING fts5 (
  header, body, content = '', contentless_delete = 1, detail = column, tokenize = 'ascii'
);
`;

const FORGET = `DELETE FROM document; DELETE FROM word;
  INSERT INTO word_gram (word_gram) VALUES ('delete-all'); INSERT INTO said (said) VALUES ('delete-all')`;

/** What the first version knew has none of this: all is read again. */
const TEXTS = `
${FORGET};
UPDATE state SET through = 0, vanished_through = 0;
-- Changes when all is forgotten, so that who asks in pieces finds out.
ALTER TABLE state ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE document ADD COLUMN language TEXT NOT NULL DEFAULT 'none';
ALTER TABLE document ADD COLUMN words INTEGER NOT NULL DEFAULT 0;

-- The folded texts, compressed, where the words of all of them are kept. A line is a header field, a part's header, a part.
CREATE TABLE text (
  email_id INTEGER PRIMARY KEY,
  header BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

-- Which words are one word to a fuzzy search of messages in a language: those of one stem, and those that differ in accents.
CREATE TABLE language (language TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE stem (
  language TEXT NOT NULL,
  stem TEXT NOT NULL,
  word_id INTEGER NOT NULL,
  PRIMARY KEY (language, stem, word_id)
) STRICT, WITHOUT ROWID;
`;

export const kind: FileKind = {
  name: 'search index',
  applicationId: applicationId('PRse'),
  migrations: [FIRST, TEXTS],
};

export function searchFolder(dataDirectory: string): string {
  return join(dataDirectory, 'search');
}

export function searchFile(dataDirectory: string, account: AccountId): string {
  return join(searchFolder(dataDirectory), `${account}.sqlite`);
}

export type IndexState = {
  readonly through: number;
  readonly vanishedThrough: number;
  readonly generation: number;
};

/** A message to be added; without texts where its octets cannot be read. */
export type NewDocument = {
  readonly emailId: EmailId;
  readonly said: { readonly texts: TextEvidence; readonly subject: MessageDigest['subject'] } | undefined;
};

const WORDS_REMEMBERED = 100_000;

export function readState(database: Database): IndexState {
  const row = database.prepare('SELECT through, vanished_through, generation FROM state').row();
  return row === undefined
    ? { through: 0, vanishedThrough: 0, generation: 0 }
    : { through: numberAt(row, 0), vanishedThrough: numberAt(row, 1), generation: numberAt(row, 2) };
}

/** Inside a transaction. */
export function writeState(
  database: Database,
  { through, vanishedThrough }: Omit<IndexState, 'generation'>,
): void {
  database.prepare('UPDATE state SET through = ?, vanished_through = ?').run(through, vanishedThrough);
}

/** Forgets everything; inside a transaction. */
export function clearIndex(database: Database): void {
  database.exec(`${FORGET}; DELETE FROM text; DELETE FROM language; DELETE FROM stem`);
  database.exec('UPDATE state SET through = 0, vanished_through = 0, generation = generation + 1');
}

/** Adds to one file and remembers numbers of its words. */
export class IndexGrowth {
  readonly #database: Database;
  #words = new Map<string, number>();
  /** Words whose stems in a language are kept. */
  #stems = new Map<Language, Set<number>>();

  constructor(database: Database) {
    this.#database = database;
    database.onRollback(() => {
      this.#words.clear();
      this.#stems.clear();
    });
  }

  /** Inside a transaction. A message that is there already is replaced. */
  add({ emailId, said }: NewDocument): void {
    const database = this.#database;
    this.remove(emailId);
    const fieldOf = (name: IndexedField): string =>
      (said?.texts.fields ?? [])
        .filter(({ key }) => key === name)
        .map(({ value }) => value)
        .join('\n');
    const { header, body, isWhole } = wordsOf(said?.texts);
    const language = said === undefined ? 'none' : languageOf(said.texts);
    database
      .prepare(
        `INSERT INTO document (email_id, unread, from_text, to_text, cc_text, bcc_text, subject_text, language, words)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        emailId,
        said === undefined ? 2 : isWhole ? 0 : 1,
        fieldOf('from'),
        fieldOf('to'),
        fieldOf('cc'),
        fieldOf('bcc'),
        toNeedle(said?.subject ?? ''),
        language,
        header.size + body.size,
      );
    database
      .prepare('INSERT INTO said (rowid, header, body) VALUES (?, ?, ?)')
      .run(emailId, this.#numbers(header, language), this.#numbers(body, language));
    if (said === undefined || !isWhole) return;
    const { texts } = said;
    database
      .prepare('INSERT INTO text (email_id, header, body) VALUES (?, ?, ?)')
      .run(emailId, packTexts([texts.header, ...(texts.partHeaders ?? [])]), packTexts(texts.body ?? []));
  }

  /** Inside a transaction. Its words stay known: others say them, or will. */
  remove(emailId: EmailId): void {
    if (this.#database.prepare('DELETE FROM document WHERE email_id = ?').run(emailId) === 0) return;
    this.#database.prepare('DELETE FROM said WHERE rowid = ?').run(emailId);
    this.#database.prepare('DELETE FROM text WHERE email_id = ?').run(emailId);
  }

  #numbers(words: ReadonlySet<string>, language: Language): string {
    const tokens: string[] = [];
    for (const word of words) {
      const number = this.#number(word);
      if (hasStem(word)) this.#stem(language, word, number);
      tokens.push(toToken(number));
    }
    return tokens.join(' ');
  }

  #stem(language: Language, word: string, number: number): void {
    let known = this.#stems.get(language);
    if (known === undefined || known.size >= WORDS_REMEMBERED) {
      known = new Set();
      this.#stems.set(language, known);
      this.#database
        .prepare('INSERT INTO language (language) VALUES (?) ON CONFLICT DO NOTHING')
        .run(language);
    }
    if (known.has(number)) return;
    const insert = this.#database.prepare(
      'INSERT INTO stem (language, stem, word_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    for (const stem of new Set([stemOf(language, word), bare(word)])) insert.run(language, stem, number);
    known.add(number);
  }

  #number(word: string): number {
    const remembered = this.#words.get(word);
    if (remembered !== undefined) return remembered;
    const database = this.#database;
    const row = database.prepare('SELECT word_id FROM word WHERE word = ?').row(word);
    let number: number;
    if (row === undefined) {
      number = database.prepare('INSERT INTO word (word) VALUES (?)').insert(word);
      database.prepare('INSERT INTO word_gram (rowid, word) VALUES (?, ?)').run(number, word);
    } else number = numberAt(row, 0);
    if (this.#words.size >= WORDS_REMEMBERED) this.#words = new Map();
    this.#words.set(word, number);
    return number;
  }
}

/** A token of FTS5's tokenizer for ASCII, and none of its operators, which are in capitals. */
export function toToken(number: number): string {
  return number.toString(36);
}

/** No text holds the character that parts them: blanks are folded to spaces. */
function packTexts(texts: readonly string[]): Buffer {
  return zstdCompressSync(texts.join('\n'), { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

export function unpackTexts(octets: Uint8Array): string {
  try {
    return zstdDecompressSync(octets).toString('utf8');
  } catch (cause) {
    throw new Fault('Reading a text of the search index', cause);
  }
}
