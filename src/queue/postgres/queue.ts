/**
 * The queue in PostgreSQL. The tables are there and migrated before this is opened. What each step means and what is on
 * disk in each state: docs/queue.md.
 *
 * Errors: `Fault` when the database cannot be asked.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Postgres, Transaction, Value } from '../../postgres/postgres.ts';
import { numberAt, optionalNumberAt, textAt } from '../../sqlite/database.ts';
import type { Row } from '../../sqlite/database.ts';
import type { Hints } from '../../sqlite/hint.ts';
import { toBlobPlace } from '../../store/blob-store.ts';
import type { BlobPlace } from '../../store/blob-store.ts';
import type { BlobUser } from '../../store/blob-use.ts';
import { known } from '../../store/ids.ts';
import type { AccountId } from '../../store/ids.ts';
import { decodeMessage, encodeMessage, encodeRecipient, encodeState } from '../embedded/queue-schema.ts';
import type { EncodedMessage } from '../embedded/queue-schema.ts';
import { filterValues, toGroup, toSuspension } from '../embedded/queue-search.ts';
import {
  acted,
  PRIORITY_MAX,
  isRepeatable,
  matchesMessage,
  matchesRecipient,
  nextLookMs,
  readdressed,
  settled,
} from '../progress.ts';
import { toQueueId } from '../queue.ts';
import type {
  Acted,
  NewQueuedMessage,
  OperatorAct,
  Queue,
  QueueFilter,
  QueueGroup,
  QueueId,
  QueuedMessage,
  RecipientState,
  Replacement,
  Scheduled,
  Settlement,
  Suspension,
  SuspensionScope,
} from '../queue.ts';
import { QueueChanges, counterSlot, lockMessages } from './queue-changes.ts';
import type { Lease, LockedMessage, LockedRecipient } from './queue-changes.ts';
import { QUEUE_SQL, WINDOW_MESSAGES } from './queue-tables.ts';

export type PostgresQueueOptions = {
  readonly postgres: Postgres;
  /** Of all threads of this process. */
  readonly hints: Hints;
  readonly clock: Clock;
};

const HINT_TOPIC = 'queue';
const POLL_MS = 1000;
const LOAD_MESSAGES = 200;
/** Above every id: ids are letters and digits. */
const AFTER_ALL_IDS = '~';
const READING = 'Reading the queue';

export class PostgresQueue implements Queue, BlobUser {
  readonly #postgres: Postgres;
  readonly #hints: Hints;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  readonly #subscription: { close(): void };
  #timer: Timer | undefined;
  #polledDueMs: number | undefined;
  #isClosed = false;

  constructor({ postgres, hints, clock }: PostgresQueueOptions) {
    this.#postgres = postgres;
    this.#hints = hints;
    this.#clock = clock;
    this.#subscription = hints.subscribe(HINT_TOPIC, () => this.#hear());
  }

  async accept(message: NewQueuedMessage, lease?: Lease): Promise<void> {
    const encoded = encodeMessage(message);
    const values = acceptValues(encoded, lease, counterSlot(message.id));
    const [row] = await this.#postgres.rows('Queueing a message', QUEUE_SQL.accept, ...values);
    if (!isAdded(row)) {
      const kept = await this.#postgres.row(READING, QUEUE_SQL.blobOf, message.id);
      checkRepeated(encoded, kept);
    }
    if (lease === undefined) this.#tell();
  }

  async acceptAll(messages: readonly NewQueuedMessage[]): Promise<void> {
    const [first] = messages;
    if (first === undefined) return;
    const encoded = messages.map(encodeMessage);
    await this.#postgres.transaction('Queueing messages', (transaction) =>
      acceptAll(transaction, encoded, counterSlot(first.id)),
    );
    this.#tell();
  }

  async lease(
    owner: string,
    nowMs: number,
    untilMs: number,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    const values = [Math.floor(nowMs), limit, owner, Math.trunc(untilMs)] as const;
    const rows = await this.#postgres.transaction(
      'Leasing messages',
      (transaction) => transaction.rows(QUEUE_SQL.lease, ...values),
      { lazy: true },
    );
    const soonestFirst = rows
      .map((row) => ({ id: textAt(row, 0), rankMs: numberAt(row, 1) }))
      .toSorted((one, other) => one.rankMs - other.rankMs || (one.id < other.id ? -1 : 1));
    return this.#load(soonestFirst.map(({ id }) => id));
  }

  async renew(owner: string, ids: readonly QueueId[], untilMs: number): Promise<readonly QueueId[]> {
    const rows = await this.#postgres.transaction(
      'Renewing leases',
      (transaction) => transaction.rows(QUEUE_SQL.renew, owner, ids, Math.trunc(untilMs)),
      { lazy: true },
    );
    const renewed = new Set(rows.map((row) => textAt(row, 0)));
    return ids.filter((id) => !renewed.has(id));
  }

  async settle(
    id: QueueId,
    owner: string,
    settlements: readonly Settlement[],
    follow: readonly NewQueuedMessage[],
    lease: 'ended' | 'kept' = 'ended',
  ): Promise<'settled' | 'stale'> {
    const nowMs = this.#clock.nowMs();
    const encoded = follow.map(encodeMessage);
    const { outcome, waits } = await this.#postgres.transaction(
      'Settling a message',
      async (transaction) => {
        const [message] = await lockMessages(transaction, [id]);
        if (message?.lease?.owner !== owner) return { outcome: 'stale' as const, waits: false };
        const suspended = await lockSuspensions(transaction, settlements);
        const changes = settledStates(message, settlements, nowMs, suspended);
        const isStale = settlements.length > 0 && changes.size === 0;
        const slot = counterSlot(id);
        const kept = lease === 'kept' ? message.lease : undefined;
        const queueChanges = new QueueChanges();
        const stays = queueChanges.change(message, changes, kept);
        queueChanges.write(transaction, slot);
        if (!isStale) await acceptAll(transaction, encoded, slot);
        return {
          outcome: isStale ? ('stale' as const) : ('settled' as const),
          waits: (stays && kept === undefined) || (!isStale && encoded.length > 0),
        };
      },
      { lazy: isRepeatable(settlements, follow) },
    );
    if (waits) this.#tell();
    return outcome;
  }

  async endLeases(exceptOwners: readonly string[]): Promise<void> {
    await this.#postgres.run('Ending leases', QUEUE_SQL.endLeases, exceptOwners);
    this.#tell();
  }

  async nextDueMs(): Promise<number | undefined> {
    const row = await this.#postgres.row(READING, QUEUE_SQL.nextDue);
    return row === undefined ? undefined : optionalNumberAt(row, 0);
  }

  async list(
    filter: QueueFilter,
    after: QueueId | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    return this.#load(await this.find(filter, after, limit));
  }

  async backlog(
    domain: string | undefined,
    nowMs: number,
    after: Pick<QueuedMessage, 'id' | 'priority'> | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    const from = [after?.priority ?? PRIORITY_MAX + 1, after?.id ?? ''];
    const rows = await this.#postgres.rows(
      READING,
      QUEUE_SQL.backlog,
      domain ?? null,
      Math.trunc(nowMs),
      ...from,
      limit,
    );
    return this.#load(rows.map((row) => textAt(row, 0)));
  }

  async count(): Promise<{ readonly messages: number; readonly recipients: number; readonly held: number }> {
    const row = (await this.#postgres.row(READING, QUEUE_SQL.counters)) ?? [];
    return { messages: numberAt(row, 0), recipients: numberAt(row, 1), held: numberAt(row, 2) };
  }

  async scheduled(account: AccountId, nowMs: number): Promise<Scheduled> {
    const row = (await this.#postgres.row(READING, QUEUE_SQL.scheduled, account, Math.trunc(nowMs))) ?? [];
    return { messages: numberAt(row, 0), octets: numberAt(row, 1) };
  }

  async act(
    ids: readonly QueueId[],
    filter: QueueFilter,
    act: OperatorAct,
    nowMs: number,
  ): Promise<readonly Acted[]> {
    const touched = await this.#postgres.transaction('Changing the queue', async (transaction) => {
      const locked = await lockMessages(transaction, ids);
      const messages = await loadMessages(transaction, ids);
      const queueChanges = new QueueChanges();
      const acts: Acted[] = [];
      for (const one of locked) {
        const message = messages.get(one.id);
        if (message === undefined || !matchesMessage(filter, message)) continue;
        const changes = new Map<number, RecipientState>();
        for (const recipient of message.recipients) {
          if (!matchesRecipient(filter, recipient, recipient.state)) continue;
          const next = acted(recipient.state, act, Math.trunc(nowMs));
          if (next !== undefined) changes.set(recipient.number, next);
        }
        if (changes.size === 0) continue;
        queueChanges.change(one, changes, one.lease);
        acts.push({ id: message.id, recipients: [...changes.keys()] });
      }
      queueChanges.write(transaction, counterSlot(ids[0] ?? ''));
      return acts;
    });
    if (touched.length > 0) this.#tell();
    return touched;
  }

  async readdress(
    id: QueueId,
    replacements: readonly Replacement[],
    nowMs: number,
  ): Promise<'readdressed' | 'leased' | 'gone'> {
    const came = await this.#postgres.transaction('Readdressing a message', async (transaction) => {
      const [message] = await lockMessages(transaction, [id]);
      if (message === undefined) return 'gone';
      if ((message.lease?.untilMs ?? nowMs) > nowMs) return 'leased';
      const changes = new Map<number, RecipientState>();
      const added: (LockedRecipient & ReturnType<typeof encodeRecipient>)[] = [];
      for (const { recipient, by } of replacements) {
        const state = message.recipients[recipient]?.state;
        const next = state === undefined ? undefined : readdressed(state, Math.trunc(nowMs));
        if (next === undefined) continue;
        changes.set(recipient, next.replaced);
        for (const one of by)
          added.push({
            ...encodeRecipient(one),
            number: message.recipients.length + added.length,
            state: next.first,
          });
      }
      const [first] = added;
      if (first === undefined) return 'gone';
      const encoded = encodeState(first.state);
      transaction.write(
        QUEUE_SQL.addRecipients,
        id,
        encoded.state,
        encoded.dueAtMs,
        encoded.progress,
        added.map(({ number }) => number),
        added.map(({ address }) => address),
        added.map(({ domain }) => domain),
        added.map(({ recipient }) => recipient),
      );
      const queueChanges = new QueueChanges();
      queueChanges.open(added.length);
      queueChanges.change({ ...message, recipients: [...message.recipients, ...added] }, changes, undefined);
      queueChanges.write(transaction, counterSlot(id));
      return 'readdressed';
    });
    if (came === 'readdressed') this.#tell();
    return came;
  }

  async suspend(scope: SuspensionScope, nowMs: number): Promise<void> {
    await this.#postgres.run('Suspending a destination', QUEUE_SQL.suspend, scope, Math.trunc(nowMs));
    this.#tell();
  }

  async resume(scope: SuspensionScope): Promise<boolean> {
    const rows = await this.#postgres.rows('Resuming a destination', QUEUE_SQL.resume, scope);
    return rows.length > 0;
  }

  async suspensions(): Promise<readonly Suspension[]> {
    return (await this.#postgres.rows(READING, QUEUE_SQL.suspensions)).map(toSuspension);
  }

  async summary(filter: QueueFilter, limit: number): Promise<readonly QueueGroup[]> {
    const values = [filter.id ?? null, limit, ...filterValues(filter)];
    return (await this.#postgres.rows(READING, QUEUE_SQL.groups, ...values)).map((row) =>
      toGroup(row, row.slice(8)),
    );
  }

  /** Ids of messages with a matching recipient, window by window, so that no statement takes long. */
  async find(filter: QueueFilter, after: QueueId | undefined, limit: number): Promise<readonly QueueId[]> {
    const found: QueueId[] = [];
    let last: string = after ?? '';
    let end = AFTER_ALL_IDS;
    if (filter.id !== undefined) {
      if (filter.id <= last) return [];
      // Just before the one id: ids are longer than the empty rest.
      last = filter.id.slice(0, -1);
      end = filter.id;
    }
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- window after window
      const rows = await this.#window(filter, last, end);
      for (const row of rows) {
        const id = known(toQueueId(textAt(row, 0)));
        if (numberAt(row, 1) === 0 || (filter.id !== undefined && id !== filter.id)) continue;
        found.push(id);
        if (found.length >= limit) return found;
      }
      const final = rows.at(-1);
      if (rows.length < WINDOW_MESSAGES || final === undefined) return found;
      last = textAt(final, 0);
    }
  }

  #window(filter: QueueFilter, after: string, end: string): Promise<readonly Row[]> {
    return this.#postgres.rows('Searching the queue', QUEUE_SQL.window, after, end, ...filterValues(filter));
  }

  /** Those that are still there, in the order of the ids. */
  async #load(ids: readonly string[]): Promise<readonly QueuedMessage[]> {
    const messages: QueuedMessage[] = [];
    for (let at = 0; at < ids.length; at += LOAD_MESSAGES) {
      const some = ids.slice(at, at + LOAD_MESSAGES);
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const found = await this.#postgres.snapshot(READING, (transaction) => loadMessages(transaction, some));
      for (const id of some) {
        const message = found.get(id);
        if (message !== undefined) messages.push(message);
      }
    }
    return messages;
  }

  watch(listener: () => void): { close(): void } {
    // Each watcher is one of its own, though two may be the same function.
    const told = (): void => listener();
    this.#listeners.add(told);
    this.#pollSoon();
    return { close: () => void this.#listeners.delete(told) };
  }

  async placesBetween(from: BlobPlace, before: BlobPlace): Promise<readonly BlobPlace[]> {
    const rows = await this.#postgres.rows(READING, QUEUE_SQL.places, from, before);
    return rows.map((row) => known(toBlobPlace(numberAt(row, 0))));
  }

  async relocate(moves: readonly { readonly from: BlobPlace; readonly to: BlobPlace }[]): Promise<void> {
    if (moves.length === 0) return;
    const [before, after] = [moves.map(({ from }) => from), moves.map(({ to }) => to)];
    await this.#postgres.run('Moving blobs', QUEUE_SQL.relocate, before, after);
  }

  /** The database stays open: it is its owner's. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#subscription.close();
    this.#listeners.clear();
  }

  #tell(): void {
    this.#hints.publish(HINT_TOPIC, 0, 0);
  }

  #hear(): void {
    for (const listener of this.#listeners) listener();
  }

  /** What other processes put into the queue nobody hints at: as long as somebody watches, the next due time is asked for. */
  #pollSoon(): void {
    if (this.#timer !== undefined || this.#isClosed || this.#listeners.size === 0) return;
    this.#timer = this.#clock.after(POLL_MS, () => {
      void this.#poll();
    });
  }

  async #poll(): Promise<void> {
    try {
      const dueMs = await this.nextDueMs();
      if (dueMs !== undefined && dueMs !== this.#polledDueMs) this.#hear();
      this.#polledDueMs = dueMs;
    } catch {
      // The database is away: the watcher is told so when it asks. The next poll catches up.
    } finally {
      this.#timer = undefined;
      this.#pollSoon();
    }
  }
}

function acceptValues(message: EncodedMessage, lease: Lease | undefined, slot: number): readonly Value[] {
  const { id, first, recipients } = message;
  const untilMs = lease === undefined ? undefined : Math.trunc(lease.untilMs);
  return [
    id,
    first.dueAtMs,
    nextLookMs(first.dueAtMs ?? undefined, untilMs) ?? null,
    lease?.owner ?? null,
    untilMs ?? null,
    message.sender,
    message.place,
    message.octets,
    message.blobId,
    message.envelope,
    message.prefix,
    first.progress,
    recipients.map(({ address }) => address),
    recipients.map(({ domain }) => domain),
    recipients.map(({ recipient }) => recipient),
    recipients.length,
    slot,
    message.priority,
    first.state,
    message.releaseAtMs,
  ];
}

function isAdded(row: Row | undefined): boolean {
  return row !== undefined && numberAt(row, 0) > 0;
}

/** A repeated accept is passed over; another message of the same id is a bug. */
function checkRepeated({ id, blobId }: EncodedMessage, kept: Row | undefined): void {
  if (kept === undefined || textAt(kept, 0) !== blobId)
    throw new TypeError(`The queue id ${id} is that of another message`);
}

async function acceptAll(
  transaction: Transaction,
  messages: readonly EncodedMessage[],
  slot: number,
): Promise<void> {
  for (const message of messages) {
    // oxlint-disable-next-line no-await-in-loop -- mostly one or two
    const row = await transaction.row(QUEUE_SQL.accept, ...acceptValues(message, undefined, slot));
    // oxlint-disable-next-line no-await-in-loop -- the same
    if (!isAdded(row)) checkRepeated(message, await transaction.row(QUEUE_SQL.blobOf, message.id));
  }
}

function settledStates(
  message: LockedMessage,
  settlements: readonly Settlement[],
  nowMs: number,
  suspended: ReadonlySet<string>,
): ReadonlyMap<number, RecipientState> {
  const changes = new Map<number, RecipientState>();
  for (const settlement of settlements) {
    const recipient = message.recipients[settlement.recipient];
    if (recipient === undefined)
      throw new TypeError(`Message ${message.id} has no recipient ${settlement.recipient}`);
    const state = settled(recipient.state, settlement, nowMs, (scope) => suspended.has(scope));
    if (state !== undefined) changes.set(recipient.number, state);
  }
  return changes;
}

/** Which of the suspensions that the settlements name are there. They stay until the commit. */
async function lockSuspensions(
  transaction: Transaction,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<string>> {
  const scopes = settlements.flatMap((one) => (one.kind === 'suspended' ? [one.scope] : []));
  if (scopes.length === 0) return new Set();
  const rows = await transaction.rows(QUEUE_SQL.lockSuspensions, scopes);
  return new Set(rows.map((row) => textAt(row, 0)));
}

async function loadMessages(
  transaction: Pick<Transaction, 'rows'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, QueuedMessage>> {
  const [rows, recipients] = await Promise.all([
    transaction.rows(QUEUE_SQL.messages, ids),
    transaction.rows(QUEUE_SQL.recipients, ids),
  ]);
  const recipientsOf = Map.groupBy(recipients, (row) => textAt(row, 5));
  return new Map(
    rows.map((row) => [textAt(row, 0), decodeMessage(row, recipientsOf.get(textAt(row, 0)) ?? [])] as const),
  );
}
