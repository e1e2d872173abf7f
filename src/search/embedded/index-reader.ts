/** The indexes as one thread asks them. One that is missing, damaged or of another version is of no help, and no error. */
import { statSync } from 'node:fs';
import { isWorldError, type Database } from '../../sqlite/database.ts';
import { DatabaseRefused } from '../../sqlite/migrate.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import { Fault } from '../../base/fault.ts';
import type { AccountId } from '../../store/ids.ts';
import type { SearchAnswer, SearchIndex, SearchQuestion } from '../search-index.ts';
import { askIndex, kind, searchFile } from './index-file.ts';

/** Files that are kept open; the one that was asked longest ago is closed for another. */
const OPEN_MAX = 16;

type Opened = { readonly database: Database; readonly inode: number };

export class EmbeddedSearchIndex implements SearchIndex {
  readonly #dataDirectory: string;
  readonly #onFault: (cause: unknown) => void;
  readonly #opened = new Map<AccountId, Opened>();

  /** @param onFault is told what made an index useless */
  constructor(dataDirectory: string, onFault: (cause: unknown) => void) {
    this.#dataDirectory = dataDirectory;
    this.#onFault = onFault;
  }

  ask(account: AccountId, question: SearchQuestion): SearchAnswer | undefined {
    try {
      const database = this.#open(account);
      return database && askIndex(database, question);
    } catch (cause) {
      if (!(cause instanceof Fault) && !(cause instanceof DatabaseRefused) && !isWorldError(cause))
        throw cause;
      this.#forget(account);
      this.#onFault(cause);
      return undefined;
    }
  }

  close(): void {
    for (const account of this.#opened.keys()) this.#forget(account);
  }

  /** A file that was replaced is another one, though the old one can still be read. */
  #open(account: AccountId): Database | undefined {
    const file = searchFile(this.#dataDirectory, account);
    const inode = statSync(file, { throwIfNoEntry: false })?.ino;
    const held = this.#opened.get(account);
    if (held !== undefined && held.inode === inode) {
      this.#opened.delete(account);
      this.#opened.set(account, held);
      return held.database;
    }
    this.#forget(account);
    if (inode === undefined) return undefined;
    const database = openDatabase(file, kind, { readOnly: true });
    this.#opened.set(account, { database, inode });
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > OPEN_MAX && oldest !== undefined) this.#forget(oldest);
    return database;
  }

  #forget(account: AccountId): void {
    this.#opened.get(account)?.database.close();
    this.#opened.delete(account);
  }
}
