/**
 * Group commit: operations that have arrived run in one transaction, which is synced once, and then all are answered;
 * those that arrive meanwhile make the next group.
 *
 * An operation that throws is undone alone and answered with its error. A full or broken disk answers the whole group
 * with `Fault`, undoes it, and leaves the file usable: the next group tries again.
 * A lazy operation is answered when it is applied; its commit asks for no sync of its own and is on stable storage with
 * the next synced group, at most `LAZY_MS` later. Order of arrival is order of effect, lazy or not.
 */
import { Fault } from '../base/fault.ts';
import { isWorldError, sqliteCode } from './database.ts';
import type { Database } from './database.ts';

/** One operation waiting for its group. Exactly one of the two callbacks is called, once. */
export type Work = {
  readonly lazy: boolean;
  /** Runs inside the transaction; may run twice (after a rollback), so it touches nothing but the database. */
  run(): unknown;
  answer(value: unknown): void;
  refuse(error: unknown): void;
};

/** Longest time a lazy operation stays without a sync. */
const LAZY_MS = 50;
/** A group takes no further operation after this time; what is left makes the next one. */
const GROUP_MS = 10;
const GROUP_OPERATIONS_MAX = 2048;
const SQLITE_CORRUPT = 11;

type Ran = {
  readonly work: Work;
  readonly outcome: { readonly value: unknown } | { readonly error: unknown };
};

export class GroupCommit {
  readonly #database: Database;
  readonly #afterGroup: () => void;
  #waiting: Work[] = [];
  #scheduled = false;
  #isSynced = true;
  #lazyTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param afterGroup called when all operations of a group are answered: the place to send the answers off */
  constructor(database: Database, afterGroup: () => void = () => undefined) {
    this.#database = database;
    this.#afterGroup = afterGroup;
  }

  add(work: Work): void {
    if (this.#closed) {
      work.refuse(new Fault('Writing to a database that is closed'));
      return;
    }
    this.#waiting.push(work);
    this.#schedule();
  }

  /** Finishes what has arrived, makes it durable, and takes no more. The database stays open. */
  close(): void {
    while (this.#waiting.length > 0) this.#runGroup();
    this.#closed = true;
    this.#syncLazy();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After the poll phase: everything that arrived in this turn of the loop is in the group.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#waiting.length === 0) return;
      this.#runGroup();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #runGroup(): void {
    const arrived = this.#waiting;
    let ran: readonly Ran[];
    try {
      ran = this.#commit(arrived);
    } catch (cause) {
      this.#rollback();
      // The disk refused: whoever was in the group, or would have been, learns it. Nobody waits for a disk to be mended.
      const group = arrived.slice(0, GROUP_OPERATIONS_MAX);
      const error = isWorldError(cause) ? new Fault(`Committing to ${this.#database.file}`, cause) : cause;
      ran = group.map((work) => ({ work, outcome: { error } }));
    }
    this.#waiting = arrived.slice(ran.length);
    for (const { work, outcome } of ran) {
      if ('error' in outcome) work.refuse(outcome.error);
      else work.answer(outcome.value);
    }
    this.#afterGroup();
  }

  /** Runs a first part of the operations in one transaction; gives what came of each. Throws when the disk refuses. */
  #commit(arrived: readonly Work[]): readonly Ran[] {
    let ran = this.#apply(arrived, false);
    // Without savepoints a group costs half as many statements; so they are used only once an operation has thrown.
    ran ??= this.#apply(arrived, true) ?? [];
    this.#database.commit();
    if (this.#isSynced) this.#lazyIsDurable();
    else this.#lazyTimer ??= setTimeout(() => this.#syncLazy(), LAZY_MS);
    return ran;
  }

  #apply(arrived: readonly Work[], withSavepoints: boolean): readonly Ran[] | undefined {
    const isLazy = arrived.every(({ lazy }) => lazy);
    if (this.#isSynced === isLazy) {
      this.#database.setSynced(!isLazy);
      this.#isSynced = !isLazy;
    }
    this.#database.begin();
    const endsAt = performance.now() + GROUP_MS;
    const ran: Ran[] = [];
    for (const work of arrived) {
      if (ran.length >= GROUP_OPERATIONS_MAX) break;
      if (ran.length > 0 && performance.now() > endsAt) break;
      const kept = this.#database.afterCommitCount;
      if (withSavepoints) this.#database.savepoint();
      try {
        ran.push({ work, outcome: { value: work.run() } });
        if (withSavepoints) this.#database.releaseSavepoint();
      } catch (error) {
        const isDamage = sqliteCode(error) === SQLITE_CORRUPT;
        if (isWorldError(error) && !isDamage) throw error;
        if (!withSavepoints) {
          this.#rollback();
          return undefined;
        }
        this.#database.undoSavepoint(kept);
        // One damaged page is the trouble of those who need it, not of everybody in the group.
        const told = isDamage ? new Fault(`Using damaged pages of ${this.#database.file}`, error) : error;
        ran.push({ work, outcome: { error: told } });
      }
    }
    return ran;
  }

  #rollback(): void {
    try {
      this.#database.rollback();
    } catch (cause) {
      throw new Fault(`Rolling back in ${this.#database.file}`, cause);
    }
  }

  #lazyIsDurable(): void {
    clearTimeout(this.#lazyTimer);
    this.#lazyTimer = undefined;
  }

  /** A commit that writes nothing new but is synced, and with it all that was committed before. */
  #syncLazy(): void {
    if (this.#lazyTimer === undefined) return;
    this.#lazyIsDurable();
    try {
      const version = Number(this.#database.prepare('PRAGMA user_version').row()?.[0] ?? 0);
      this.#database.setSynced(true);
      this.#isSynced = true;
      this.#database.begin();
      this.#database.exec(`PRAGMA user_version = ${version}`);
      this.#database.commit();
    } catch (cause) {
      this.#database.rollback();
      if (!isWorldError(cause)) throw cause;
      // Nobody waits for this sync; the next group that somebody waits for meets the same disk and says so.
      this.#lazyTimer = setTimeout(() => this.#syncLazy(), LAZY_MS);
    }
  }
}
