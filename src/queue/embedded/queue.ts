/**
 * The queue of one thread over `queue.sqlite`: what changes goes to the writer, what is only read comes over a connection
 * of this thread's own, so that a long list never holds up an `accept`. Memory: one page of messages.
 */
import { extname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../../base/clock.ts';
import { numberAt, reading, textAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import type { Hints } from '../../sqlite/hint.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { Writer } from '../../sqlite/writer.ts';
import { toBlobPlace } from '../../store/blob-store.ts';
import type { BlobPlace } from '../../store/blob-store.ts';
import type { BlobUser } from '../../store/blob-use.ts';
import { known } from '../../store/ids.ts';
import type { AccountId } from '../../store/ids.ts';
import { PRIORITIES, isRepeatable } from '../progress.ts';
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
  Replacement,
  Scheduled,
  Settlement,
  Suspension,
  SuspensionScope,
} from '../queue.ts';
import {
  QUEUE_FILE,
  SELECT_MESSAGE,
  SELECT_RECIPIENTS,
  decodeMessage,
  encodeMessage,
  encodeRecipient,
} from './queue-schema.ts';
import {
  SELECT_BACKLOG,
  SELECT_WINDOW,
  WINDOW_MESSAGES,
  filterValues,
  readGroups,
  toSuspension,
} from './queue-search.ts';
import type { QueueOperations } from './queue-writer.ts';

export type EmbeddedQueueOptions = {
  /** The file; the writer has opened (and so migrated) it before. */
  readonly file: string;
  readonly writer: Writer<QueueOperations>;
  readonly hints: Hints;
  readonly clock: Clock;
};

/** The module that the writer thread loads for this file. */
export const QUEUE_WRITER_URL: string = new URL(
  `./queue-writer${extname(new URL(import.meta.url).pathname)}`,
  import.meta.url,
).href;

const HINT_TOPIC = 'queue';
/** Between two hints of this thread: each one wakes every other thread, and a worker does not look more often than this. */
const HINT_PAUSE_MS = 20;
const SELECT_NEXT = 'SELECT min(next_at) FROM message WHERE priority = ? AND next_at IS NOT NULL';
const SELECT_COUNTER = 'SELECT messages, recipients, held FROM counter';
const SELECT_SCHEDULED =
  'SELECT count(*), coalesce(sum(octets), 0) FROM envelope WHERE account = ? AND release_at > ?';
const SELECT_PLACES = 'SELECT DISTINCT place FROM envelope WHERE place >= ? AND place < ? ORDER BY place';
const SELECT_SUSPENSIONS = 'SELECT scope, since FROM suspension ORDER BY scope';
/** Above every id: ids are letters and digits. */
const AFTER_ALL_IDS = '~';

function isId(id: QueueId | undefined): id is QueueId {
  return id !== undefined;
}

export class EmbeddedQueue implements Queue, BlobUser, Disposable {
  /** By owner: what was leased and could not be read then. */
  readonly #unread = new Map<string, readonly string[]>();
  readonly #writer: Writer<QueueOperations>;
  readonly #reader: Database;
  readonly #hints: Hints;
  readonly #clock: Clock;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #telling: Timer | undefined;

  constructor({ file, writer, hints, clock }: EmbeddedQueueOptions) {
    this.#writer = writer;
    this.#hints = hints;
    this.#clock = clock;
    this.#reader = openDatabase(file, QUEUE_FILE, { readOnly: true });
  }

  async accept(
    message: NewQueuedMessage,
    lease?: { readonly owner: string; readonly untilMs: number },
  ): Promise<void> {
    const whole =
      lease === undefined ? undefined : { owner: lease.owner, untilMs: Math.trunc(lease.untilMs) };
    await this.#writer.call('accept', { message: encodeMessage(message), lease: whole });
    if (lease === undefined) this.#tellSoon();
  }

  async acceptAll(messages: readonly NewQueuedMessage[]): Promise<void> {
    await this.#writer.call('acceptAll', { messages: messages.map(encodeMessage) });
    this.#tell();
  }

  async lease(
    owner: string,
    nowMs: number,
    untilMs: number,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    const args = { owner, nowMs, untilMs: Math.trunc(untilMs), limit };
    const unread = this.#unread.get(owner);
    this.#unread.delete(owner);
    const ids = unread ?? (await this.#writer.lazy('lease', args));
    try {
      const messages = await this.#load(ids);
      return messages.filter(({ lease }) => lease?.owner === owner);
    } catch (cause) {
      // They are the owner's, and nobody else would work on them before their leases have run out.
      this.#unread.set(owner, ids);
      throw cause;
    }
  }

  async renew(owner: string, ids: readonly QueueId[], untilMs: number): Promise<readonly QueueId[]> {
    const lost = await this.#writer.lazy('renew', { owner, ids, untilMs: Math.trunc(untilMs) });
    return lost.map(toQueueId).filter(isId);
  }

  async settle(
    id: QueueId,
    owner: string,
    settlements: readonly Settlement[],
    follow: readonly NewQueuedMessage[],
    lease: 'ended' | 'kept' = 'ended',
  ): Promise<'settled' | 'stale'> {
    const nowMs = this.#clock.nowMs();
    const args = { id, owner, nowMs, settlements, follow: follow.map(encodeMessage), lease };
    const { outcome, waits } = isRepeatable(settlements, follow)
      ? await this.#writer.lazy('settle', args)
      : await this.#writer.call('settle', args);
    if (waits) this.#tell();
    return outcome;
  }

  async endLeases(exceptOwners: readonly string[]): Promise<void> {
    await this.#writer.call('endLeases', { exceptOwners });
    this.#tell();
  }

  async nextDueMs(): Promise<number | undefined> {
    return reading('Reading the queue', () => {
      const next = this.#reader.prepare(SELECT_NEXT);
      const times = PRIORITIES.map((priority) => next.row(priority)?.[0]).filter(
        (at) => typeof at === 'number',
      );
      return times.length === 0 ? undefined : Math.min(...times);
    });
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
    const found: string[] = [];
    for (const priority of PRIORITIES) {
      if (priority > (after?.priority ?? priority) || !this.#hasWaiting(priority)) continue;
      const from = priority === after?.priority ? after.id : '';
      // oxlint-disable-next-line no-await-in-loop -- the most urgent first
      await this.#backlogOf(domain, Math.trunc(nowMs), priority, from, limit, found);
      if (found.length >= limit) break;
    }
    return this.#load(found);
  }

  /** Window by window, as `find`; adds to `found` up to `limit`. */
  async #backlogOf(
    domain: string | undefined,
    nowMs: number,
    priority: number,
    from: string,
    limit: number,
    found: string[],
  ): Promise<void> {
    const select = SELECT_BACKLOG[domain === undefined ? 'all' : 'domain'];
    for (let last = from; ;) {
      const rows = reading('Reading the queue', () =>
        this.#reader.prepare(select).rows(domain ?? null, last, nowMs, priority),
      );
      for (const row of rows) {
        if (numberAt(row, 1) === 1) found.push(textAt(row, 0));
        if (found.length >= limit) return;
      }
      const [final] = rows.at(-1) ?? [];
      if (rows.length < WINDOW_MESSAGES || typeof final !== 'string') return;
      last = final;
      // oxlint-disable-next-line no-await-in-loop -- no other work waits for a long search
      await nextTurn();
    }
  }

  #hasWaiting(priority: number): boolean {
    const [next] = reading('Reading the queue', () => this.#reader.prepare(SELECT_NEXT).row(priority)) ?? [];
    return typeof next === 'number';
  }

  async count(): Promise<{ readonly messages: number; readonly recipients: number; readonly held: number }> {
    const row = reading('Reading the queue', () => this.#reader.prepare(SELECT_COUNTER).row()) ?? [];
    return { messages: numberAt(row, 0), recipients: numberAt(row, 1), held: numberAt(row, 2) };
  }

  async scheduled(account: AccountId, nowMs: number): Promise<Scheduled> {
    const row = reading('Reading the queue', () =>
      this.#reader.prepare(SELECT_SCHEDULED).row(account, Math.trunc(nowMs)),
    );
    return { messages: numberAt(row ?? [], 0), octets: numberAt(row ?? [], 1) };
  }

  async act(
    ids: readonly QueueId[],
    filter: QueueFilter,
    act: OperatorAct,
    nowMs: number,
  ): Promise<readonly Acted[]> {
    const touched = await this.#writer.call('act', { ids, filter, act, nowMs: Math.trunc(nowMs) });
    if (touched.length > 0) this.#tell();
    return touched.map(({ id, recipients }) => ({ id: known(toQueueId(id)), recipients }));
  }

  async readdress(
    id: QueueId,
    replacements: readonly Replacement[],
    nowMs: number,
  ): Promise<'readdressed' | 'leased' | 'gone'> {
    const encoded = replacements.map(({ recipient, by }) => ({ recipient, by: by.map(encodeRecipient) }));
    const came = await this.#writer.call('readdress', {
      id,
      replacements: encoded,
      nowMs: Math.trunc(nowMs),
    });
    if (came === 'readdressed') this.#tell();
    return came;
  }

  async suspend(scope: SuspensionScope, nowMs: number): Promise<void> {
    await this.#writer.call('suspend', { scope, nowMs: Math.trunc(nowMs) });
    this.#tell();
  }

  async resume(scope: SuspensionScope): Promise<boolean> {
    return this.#writer.call('resume', { scope });
  }

  async suspensions(): Promise<readonly Suspension[]> {
    return reading('Reading the queue', () => this.#reader.prepare(SELECT_SUSPENSIONS).rows()).map(
      toSuspension,
    );
  }

  async summary(filter: QueueFilter, limit: number): Promise<readonly QueueGroup[]> {
    return reading('Reading the queue', () =>
      this.#reader.snapshot(() => readGroups(this.#reader, filter, limit)),
    );
  }

  /** Ids of messages with a matching recipient, window by window, so that no other work waits for a long search. */
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
      const rows = this.#window(filter, last, end);
      for (const row of rows) {
        const id = known(toQueueId(textAt(row, 0)));
        if (numberAt(row, 1) === 0 || (filter.id !== undefined && id !== filter.id)) continue;
        found.push(id);
        if (found.length >= limit) return found;
      }
      const [final] = rows.at(-1) ?? [];
      if (rows.length < WINDOW_MESSAGES || typeof final !== 'string') return found;
      last = final;
      await nextTurn();
    }
  }

  #window(filter: QueueFilter, after: string, end: string): readonly Row[] {
    return reading('Searching the queue', () =>
      this.#reader.prepare(SELECT_WINDOW).rows(after, end, ...filterValues(filter)),
    );
  }

  /** Those that are still there, in the order of the ids. */
  async #load(ids: readonly string[]): Promise<readonly QueuedMessage[]> {
    const messages: (QueuedMessage | undefined)[] = [];
    for (let from = 0; from < ids.length; from += WINDOW_MESSAGES) {
      if (from > 0) await nextTurn();
      const some = ids.slice(from, from + WINDOW_MESSAGES);
      messages.push(
        ...reading('Reading the queue', () => this.#reader.snapshot(() => some.map((id) => this.#read(id)))),
      );
    }
    return messages.filter((message) => message !== undefined);
  }

  #read(id: string): QueuedMessage | undefined {
    const row = this.#reader.prepare(SELECT_MESSAGE).row(id);
    if (row === undefined) return undefined;
    return decodeMessage(row, this.#reader.prepare(SELECT_RECIPIENTS).rows(id));
  }

  watch(listener: () => void): { close(): void } {
    return this.#hints.subscribe(HINT_TOPIC, () => listener());
  }

  /** At once, or where one message comes upon the other, a moment after the last time. */
  #tellSoon(): void {
    if (this.#telling !== undefined) return;
    const restMs = this.#toldAtMs + HINT_PAUSE_MS - this.#clock.monotonicMs();
    if (restMs > 0) this.#telling = this.#clock.after(restMs, () => this.#tell());
    else this.#tell();
  }

  #tell(): void {
    this.#telling?.cancel();
    this.#telling = undefined;
    this.#toldAtMs = this.#clock.monotonicMs();
    this.#hints.publish(HINT_TOPIC, 0, 0);
  }

  async placesBetween(from: BlobPlace, before: BlobPlace): Promise<readonly BlobPlace[]> {
    const rows = reading('Reading the queue', () => this.#reader.prepare(SELECT_PLACES).rows(from, before));
    return rows.map((row) => known(toBlobPlace(numberAt(row, 0))));
  }

  async relocate(moves: readonly { readonly from: BlobPlace; readonly to: BlobPlace }[]): Promise<void> {
    await this.#writer.call('relocate', { moves });
  }

  /** Closes this thread's reading connection; the writer is its owner's. */
  close(): void {
    if (this.#telling !== undefined) this.#tell();
    this.#reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
