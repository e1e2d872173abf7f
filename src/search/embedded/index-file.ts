/**
 * The index of one account in its own SQLite file: what is in it, how it grows, how it is asked. docs/search.md.
 *
 * A message's words are known by numbers: FTS5 keeps which messages have which number, a second index the trigrams of
 * every word, so that words that contain a piece are found without going through all of them.
 */
import { join } from 'node:path';
import type { MessageDigest } from '../../message/digest.ts';
import { numberAt, type Database, type Row } from '../../sqlite/database.ts';
import { applicationId, type FileKind } from '../../sqlite/migrate.ts';
import { known, toEmailId, type AccountId, type EmailId } from '../../store/ids.ts';
import { toNeedle, type TextEvidence } from '../message-text.ts';
import type { IndexedField, SearchAnswer, SearchQuestion } from '../search-index.ts';
import { addWords, piecesOf } from '../word.ts';

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

export const kind: FileKind = {
  name: 'search index',
  applicationId: applicationId('PRse'),
  migrations: [FIRST],
};

export function searchFolder(dataDirectory: string): string {
  return join(dataDirectory, 'search');
}

export function searchFile(dataDirectory: string, account: AccountId): string {
  return join(searchFolder(dataDirectory), `${account}.sqlite`);
}

export type IndexState = { readonly through: number; readonly vanishedThrough: number };

/** A message to be added; without texts where its octets cannot be read. */
export type NewDocument = {
  readonly emailId: EmailId;
  readonly said: { readonly texts: TextEvidence; readonly subject: MessageDigest['subject'] } | undefined;
};

/** Code units of one message whose words are kept; a longer one must be read for the rest. */
const TEXT_MAX = 2_097_152;
/** Words that contain a piece; for more of them a scan of the mailbox is no dearer. */
const WORDS_ASKED_MAX = 20_000;
/** Numbers of words in one question to FTS5, whose parser holds all of them. */
const WORDS_AT_ONCE = 200;
const WORDS_REMEMBERED = 100_000;

const COLUMNS: Readonly<Record<IndexedField, string>> = {
  from: 'from_text',
  to: 'to_text',
  cc: 'cc_text',
  bcc: 'bcc_text',
  subject: 'subject_text',
};

export function readState(database: Database): IndexState {
  const row = database.prepare('SELECT through, vanished_through FROM state').row();
  return row === undefined
    ? { through: 0, vanishedThrough: 0 }
    : { through: numberAt(row, 0), vanishedThrough: numberAt(row, 1) };
}

/** Inside a transaction. */
export function writeState(database: Database, { through, vanishedThrough }: IndexState): void {
  database.prepare('UPDATE state SET through = ?, vanished_through = ?').run(through, vanishedThrough);
}

/** Forgets everything; inside a transaction. */
export function clearIndex(database: Database): void {
  database.exec(`DELETE FROM document; DELETE FROM word;
    INSERT INTO word_gram (word_gram) VALUES ('delete-all'); INSERT INTO said (said) VALUES ('delete-all')`);
  writeState(database, { through: 0, vanishedThrough: 0 });
}

/** Adds to one file and remembers numbers of its words. */
export class IndexGrowth {
  readonly #database: Database;
  #words = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
    database.onRollback(() => this.#words.clear());
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
    database
      .prepare(
        `INSERT INTO document (email_id, unread, from_text, to_text, cc_text, bcc_text, subject_text)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        emailId,
        said === undefined ? 2 : isWhole ? 0 : 1,
        fieldOf('from'),
        fieldOf('to'),
        fieldOf('cc'),
        fieldOf('bcc'),
        toNeedle(said?.subject ?? ''),
      );
    database
      .prepare('INSERT INTO said (rowid, header, body) VALUES (?, ?, ?)')
      .run(emailId, this.#numbers(header), this.#numbers(body));
  }

  /** Inside a transaction. Its words stay known: others say them, or will. */
  remove(emailId: EmailId): void {
    if (this.#database.prepare('DELETE FROM document WHERE email_id = ?').run(emailId) > 0)
      this.#database.prepare('DELETE FROM said WHERE rowid = ?').run(emailId);
  }

  #numbers(words: ReadonlySet<string>): string {
    return [...words].map((word) => toToken(this.#number(word))).join(' ');
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

function wordsOf(texts: TextEvidence | undefined): {
  readonly header: ReadonlySet<string>;
  readonly body: ReadonlySet<string>;
  readonly isWhole: boolean;
} {
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

/** A token of FTS5's tokenizer for ASCII, and none of its operators, which are in capitals. */
function toToken(number: number): string {
  return number.toString(36);
}

/** Undefined: too many words, or none, to be of help. */
export function askIndex(database: Database, { where, needle }: SearchQuestion): SearchAnswer | undefined {
  return database.snapshot(() => {
    const { through } = readState(database);
    if (where !== 'body' && where !== 'text') {
      const matches = toIds(
        database.prepare(`SELECT email_id FROM document WHERE instr(${COLUMNS[where]}, ?) > 0`).rows(needle),
      );
      return { through, matches, candidates: unread(database, 2) };
    }
    const { pieces, isExact } = piecesOf(needle);
    let found: ReadonlySet<EmailId> | undefined;
    for (const piece of pieces) {
      const sayers = sayersOf(database, piece, where);
      if (sayers !== undefined) found = found === undefined ? sayers : found.intersection(sayers);
    }
    if (found === undefined) return undefined;
    const rest = unread(database, 1);
    return isExact
      ? { through, matches: found, candidates: rest }
      : { through, matches: new Set(), candidates: found.union(rest) };
  });
}

function unread(database: Database, least: number): Set<EmailId> {
  return toIds(
    database.prepare('SELECT email_id FROM document WHERE unread > 0 AND unread >= ?').rows(least),
  );
}

/** The messages with a word that contains the piece. */
function sayersOf(database: Database, piece: string, where: 'body' | 'text'): Set<EmailId> | undefined {
  const words = wordsWith(database, piece);
  if (words.length > WORDS_ASKED_MAX) return undefined;
  const sayers = new Set<EmailId>();
  for (let at = 0; at < words.length; at += WORDS_AT_ONCE) {
    const tokens = words.slice(at, at + WORDS_AT_ONCE).map((row) => toToken(numberAt(row, 0)));
    const any = tokens.map((token) => `"${token}"`).join(' OR ');
    const rows = database
      .prepare('SELECT rowid FROM said WHERE said MATCH ?')
      .rows(where === 'body' ? `{body} : (${any})` : any);
    for (const row of rows) sayers.add(known(toEmailId(numberAt(row, 0))));
  }
  return sayers;
}

/** One more than may be asked for tells that there are too many. */
function wordsWith(database: Database, piece: string): readonly Row[] {
  const characters = Array.from(piece);
  if (characters.length < 3)
    return database
      .prepare('SELECT word_id FROM word WHERE instr(word, ?) > 0 LIMIT ?')
      .rows(piece, WORDS_ASKED_MAX + 1);
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
