/** The indexes as one thread asks them. One that is missing, damaged or of another version is of no help, and no error. */
import { statSync } from 'node:fs';
import { isWorldError, type Database } from '../../sqlite/database.ts';
import { DatabaseRefused } from '../../sqlite/migrate.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { Pace } from '../../base/pace.ts';
import type { AccountId } from '../../store/ids.ts';
import type { FuzzyAnswer, SearchAnswer, SearchIndex, SearchQuestion } from '../search-index.ts';
import { kind, searchFile } from './index-file.ts';
import { askIndex, askIndexFuzzily } from './index-question.ts';

/** Files that are kept open; the one that was asked longest ago is closed for another. */
const OPEN_MAX = 16;

/** `questions`: those that are being answered; it is closed behind the last of them. */
type Opened = {
  readonly database: Database;
  readonly inode: number;
  questions: number;
  isForgotten: boolean;
};

export class EmbeddedSearchIndex implements SearchIndex {
  readonly #dataDirectory: string;
  readonly #clock: Clock;
  readonly #onFault: (cause: unknown) => void;
  readonly #opened = new Map<AccountId, Opened>();

  /** @param onFault is told what made an index useless */
  constructor(dataDirectory: string, clock: Clock, onFault: (cause: unknown) => void) {
    this.#dataDirectory = dataDirectory;
    this.#clock = clock;
    this.#onFault = onFault;
  }

  ask(account: AccountId, question: SearchQuestion): Promise<SearchAnswer | undefined> {
    return this.#asking(account, (database) => askIndex(database, question, new Pace(this.#clock)));
  }

  askFuzzily(account: AccountId, question: SearchQuestion): Promise<FuzzyAnswer | undefined> {
    return this.#asking(account, (database) => askIndexFuzzily(database, question, new Pace(this.#clock)));
  }

  close(): void {
    for (const account of this.#opened.keys()) this.#forget(account);
  }

  async #asking<Answer>(
    account: AccountId,
    ask: (database: Database) => Promise<Answer | undefined>,
  ): Promise<Answer | undefined> {
    let opened: Opened | undefined;
    try {
      opened = this.#open(account);
      if (opened === undefined) return undefined;
      opened.questions += 1;
      return await ask(opened.database);
    } catch (cause) {
      if (!(cause instanceof Fault) && !(cause instanceof DatabaseRefused) && !isWorldError(cause))
        throw cause;
      if (opened === undefined || this.#opened.get(account) === opened) this.#forget(account);
      this.#onFault(cause);
      return undefined;
    } finally {
      if (opened !== undefined) {
        opened.questions -= 1;
        closeUnused(opened);
      }
    }
  }

  /** A file that was replaced is another one, though the old one can still be read. */
  #open(account: AccountId): Opened | undefined {
    const file = searchFile(this.#dataDirectory, account);
    const inode = statSync(file, { throwIfNoEntry: false })?.ino;
    const held = this.#opened.get(account);
    if (held !== undefined && held.inode === inode) {
      this.#opened.delete(account);
      this.#opened.set(account, held);
      return held;
    }
    this.#forget(account);
    if (inode === undefined) return undefined;
    const opened = {
      database: openDatabase(file, kind, { readOnly: true }),
      inode,
      questions: 0,
      isForgotten: false,
    };
    this.#opened.set(account, opened);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > OPEN_MAX && oldest !== undefined) this.#forget(oldest);
    return opened;
  }

  #forget(account: AccountId): void {
    const opened = this.#opened.get(account);
    if (opened === undefined) return;
    this.#opened.delete(account);
    opened.isForgotten = true;
    closeUnused(opened);
  }
}

function closeUnused({ database, questions, isForgotten }: Opened): void {
  if (isForgotten && questions === 0) database.close();
}
