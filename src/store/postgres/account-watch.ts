/**
 * Who wants to know when an account changes. What this process changed is hinted at once; what others changed is found by
 * asking for the modseqs of all watched accounts every second, in one statement, for as long as somebody watches.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Postgres } from '../../postgres/postgres.ts';
import { numberAt } from '../../sqlite/database.ts';
import type { Hints } from '../../sqlite/hint.ts';
import { MAIL_TOPIC } from '../account-state.ts';
import { known, toAccountId, toModSeq } from '../ids.ts';
import type { AccountId, ModSeq } from '../ids.ts';
import { MAIL_SQL } from './mail-tables.ts';

export type Listener = (modSeq: ModSeq) => void;

type Watched = { readonly listeners: Set<Listener>; toldModSeq: number };

const POLL_MS = 1000;

export class AccountWatch {
  readonly #postgres: Postgres;
  readonly #hints: Hints;
  readonly #clock: Clock;
  readonly #watched = new Map<AccountId, Watched>();
  readonly #subscription: { close(): void };
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(postgres: Postgres, hints: Hints, clock: Clock) {
    this.#postgres = postgres;
    this.#hints = hints;
    this.#clock = clock;
    this.#subscription = hints.subscribe(MAIL_TOPIC, (key, value) => this.#hear(key, value));
  }

  /** After the commit. */
  changed(account: AccountId, modSeq: number): void {
    this.#hints.publish(MAIL_TOPIC, account, modSeq);
  }

  watch(account: AccountId, listener: Listener): { close(): void } {
    const watched = this.#watched.get(account) ?? { listeners: new Set(), toldModSeq: -1 };
    this.#watched.set(account, watched);
    watched.listeners.add(listener);
    this.#pollSoon();
    return {
      close: () => {
        watched.listeners.delete(listener);
        if (watched.listeners.size === 0 && this.#watched.get(account) === watched)
          this.#watched.delete(account);
      },
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#subscription.close();
    this.#watched.clear();
  }

  #hear(key: number, value: number): void {
    const account = toAccountId(key);
    if (account !== undefined) this.#tell(account, value);
  }

  #tell(account: AccountId, modSeq: number): void {
    const watched = this.#watched.get(account);
    if (watched === undefined || modSeq <= watched.toldModSeq) return;
    watched.toldModSeq = modSeq;
    for (const listener of watched.listeners) listener(known(toModSeq(modSeq)));
  }

  #pollSoon(): void {
    if (this.#timer !== undefined || this.#isClosed || this.#watched.size === 0) return;
    this.#timer = this.#clock.after(POLL_MS, () => {
      void this.#poll();
    });
  }

  async #poll(): Promise<void> {
    try {
      const accounts = [...this.#watched.keys()];
      if (accounts.length === 0) return;
      const rows = await this.#postgres.rows('Looking for changes', MAIL_SQL.modSeqs, accounts);
      for (const row of rows) this.#tell(known(toAccountId(numberAt(row, 0))), numberAt(row, 1));
    } catch {
      // The database is away: whoever asks it for something is told so. The next poll catches up.
    } finally {
      this.#timer = undefined;
      this.#pollSoon();
    }
  }
}
