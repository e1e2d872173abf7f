/**
 * The writer's side of the embedded queue: each operation runs inside one transaction of a group commit, in the thread
 * that owns `queue.sqlite`. What each one means: docs/queue.md.
 */
import { numberAt, optionalNumberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import type { Database, Row, Statement } from '../../sqlite/database.ts';
import type { FileKind } from '../../sqlite/migrate.ts';
import { acted, dueAtMs, nextLookMs, settled } from '../progress.ts';
import type { OperatorAction } from '../progress.ts';
import type { QueueFilter, RecipientState, Settlement } from '../queue.ts';
import { QUEUE_FILE, STATE, decodeState, encodeState } from './queue-schema.ts';
import type { EncodedMessage } from './queue-schema.ts';

export const kind: FileKind = QUEUE_FILE;

export type EncodedLease = { readonly owner: string; readonly untilMs: number };

/** What came of settling; `waits`: something may be due by it sooner than a worker knows. */
export type SettleAnswer = { readonly outcome: 'settled' | 'stale'; readonly waits: boolean };

export type QueueOperations = {
  accept(args: { readonly message: EncodedMessage; readonly lease: EncodedLease | undefined }): void;
  lease(args: {
    readonly owner: string;
    readonly nowMs: number;
    readonly untilMs: number;
    readonly limit: number;
  }): readonly string[];
  renew(args: {
    readonly owner: string;
    readonly ids: readonly string[];
    readonly untilMs: number;
  }): readonly string[];
  settle(args: {
    readonly id: string;
    readonly owner: string;
    readonly nowMs: number;
    readonly settlements: readonly Settlement[];
    readonly follow: readonly EncodedMessage[];
    readonly lease: 'ended' | 'kept';
  }): SettleAnswer;
  endLeases(args: { readonly exceptOwners: readonly string[] }): void;
  act(args: {
    readonly ids: readonly string[];
    readonly filter: QueueFilter;
    readonly action: OperatorAction;
    readonly nowMs: number;
  }): number;
  relocate(args: { readonly moves: readonly { readonly from: number; readonly to: number }[] }): void;
};

type Recipient = { readonly number: number; readonly state: RecipientState; readonly isMeant: boolean };

class QueueWriter {
  readonly #insertMessage: Statement;
  readonly #insertEnvelope: Statement;
  readonly #insertRecipient: Statement;
  readonly #blobOf: Statement;
  readonly #count: Statement;
  readonly #due: Statement;
  readonly #setLease: Statement;
  readonly #leaseOf: Statement;
  readonly #recipients: Statement;
  readonly #setRecipient: Statement;
  readonly #setMessage: Statement;
  readonly #removals: readonly Statement[];
  readonly #senderOf: Statement;
  readonly #owners: Statement;
  readonly #freeOwner: Statement;
  readonly #relocate: Statement;

  constructor(database: Database) {
    this.#insertMessage = database.prepare('INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?)');
    this.#insertEnvelope = database.prepare('INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#insertRecipient = database.prepare('INSERT INTO recipient VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#blobOf = database.prepare('SELECT blob_id FROM envelope WHERE id = ?');
    this.#count = database.prepare(
      'UPDATE counter SET messages = messages + ?, recipients = recipients + ?, held = held + ?',
    );
    this.#due = database.prepare(
      'SELECT id, due_at FROM message WHERE next_at <= ? ORDER BY next_at, id LIMIT ?',
    );
    this.#setLease = database.prepare(
      'UPDATE message SET lease_owner = ?, lease_until = ?, next_at = ? WHERE id = ?',
    );
    this.#leaseOf = database.prepare('SELECT lease_owner, lease_until, due_at FROM message WHERE id = ?');
    this.#recipients = database.prepare(
      'SELECT number, address, domain, state, due_at, progress FROM recipient WHERE id = ? ORDER BY number',
    );
    this.#setRecipient = database.prepare(
      'UPDATE recipient SET state = ?, due_at = ?, progress = ? WHERE id = ? AND number = ?',
    );
    this.#setMessage = database.prepare(
      'UPDATE message SET due_at = ?, next_at = ?, lease_owner = ?, lease_until = ? WHERE id = ?',
    );
    this.#removals = ['message', 'envelope', 'recipient'].map((table) =>
      database.prepare(`DELETE FROM ${table} WHERE id = ?`),
    );
    this.#senderOf = database.prepare('SELECT sender FROM envelope WHERE id = ?');
    this.#owners = database.prepare('SELECT DISTINCT lease_owner FROM message WHERE lease_owner IS NOT NULL');
    this.#freeOwner = database.prepare(
      'UPDATE message SET lease_owner = NULL, lease_until = NULL, next_at = due_at WHERE lease_owner = ?',
    );
    this.#relocate = database.prepare('UPDATE envelope SET place = ? WHERE place = ?');
  }

  accept({ message, lease }: Parameters<QueueOperations['accept']>[0]): void {
    const { id, first, recipients } = message;
    const nextMs = nextLookMs(first.dueAtMs ?? undefined, lease?.untilMs) ?? null;
    const isNew = this.#insertMessage.run(
      id,
      first.dueAtMs,
      nextMs,
      lease?.owner ?? null,
      lease?.untilMs ?? null,
    );
    if (isNew === 0) {
      const row = this.#blobOf.row(id);
      if (row === undefined || textAt(row, 0) !== message.blobId)
        throw new TypeError(`The queue id ${id} is that of another message`);
      return;
    }
    this.#insertEnvelope.run(
      id,
      message.sender,
      message.place,
      message.octets,
      message.blobId,
      message.envelope,
      message.prefix,
    );
    for (const [number, { address, domain, recipient }] of recipients.entries())
      this.#insertRecipient.run(
        id,
        number,
        first.state,
        first.dueAtMs,
        address,
        domain,
        recipient,
        first.progress,
      );
    this.#count.run(1, recipients.length, first.state === STATE.held ? recipients.length : 0);
  }

  lease({ owner, nowMs, untilMs, limit }: Parameters<QueueOperations['lease']>[0]): readonly string[] {
    const ids: string[] = [];
    for (const row of this.#due.rows(nowMs, limit)) {
      const id = textAt(row, 0);
      this.#setLease.run(owner, untilMs, Math.max(numberAt(row, 1), untilMs), id);
      ids.push(id);
    }
    return ids;
  }

  renew({ owner, ids, untilMs }: Parameters<QueueOperations['renew']>[0]): readonly string[] {
    return ids.filter((id) => {
      const row = this.#leaseOf.row(id);
      if (row === undefined || optionalTextAt(row, 0) !== owner) return true;
      this.#setLease.run(owner, untilMs, nextLookMs(optionalNumberAt(row, 2), untilMs) ?? null, id);
      return false;
    });
  }

  settle(args: Parameters<QueueOperations['settle']>[0]): SettleAnswer {
    const { id, owner, nowMs, settlements, follow } = args;
    const row = this.#leaseOf.row(id);
    if (row === undefined || optionalTextAt(row, 0) !== owner) return { outcome: 'stale', waits: false };
    const kept = args.lease === 'kept' ? leaseIn(row) : undefined;
    const recipients = this.#readRecipients(id, {});
    const changes = new Map<number, RecipientState>();
    for (const settlement of settlements) {
      const recipient = recipients[settlement.recipient];
      if (recipient === undefined)
        throw new TypeError(`Message ${id} has no recipient ${settlement.recipient}`);
      const state = settled(recipient.state, settlement, nowMs);
      if (state !== undefined) changes.set(recipient.number, state);
    }
    const isStale = settlements.length > 0 && changes.size === 0;
    const stays = this.#change(id, recipients, changes, kept);
    if (!isStale) for (const message of follow) this.accept({ message, lease: undefined });
    return {
      outcome: isStale ? 'stale' : 'settled',
      waits: (stays && kept === undefined) || (!isStale && follow.length > 0),
    };
  }

  #readRecipients(id: string, filter: QueueFilter): readonly Recipient[] {
    const domain = filter.domain?.toLowerCase();
    const address = filter.recipient?.toLowerCase();
    return this.#recipients.rows(id).map((row) => {
      const state = decodeState(row, 3);
      const isMeant =
        (filter.state === undefined || filter.state === state.kind) &&
        (address === undefined || address === textAt(row, 1)) &&
        (domain === undefined || domain === textAt(row, 2));
      return { number: numberAt(row, 0), state, isMeant };
    });
  }

  /** Writes new states and what follows from them for the message; false: it has left the queue. */
  #change(
    id: string,
    recipients: readonly Recipient[],
    changes: ReadonlyMap<number, RecipientState>,
    lease: EncodedLease | undefined,
  ): boolean {
    const states = recipients.map(({ number, state }) => changes.get(number) ?? state);
    const unsettled = (list: readonly RecipientState[]): number =>
      list.filter(({ kind: one }) => one !== 'settled').length;
    const held = (list: readonly RecipientState[]): number =>
      list.filter(({ kind: one }) => one === 'held').length;
    const before = recipients.map(({ state }) => state);
    const opened = unsettled(states) - unsettled(before);
    const heldMore = held(states) - held(before);
    if (unsettled(states) === 0) {
      for (const removal of this.#removals) removal.run(id);
      this.#count.run(-1, opened, heldMore);
      return false;
    }
    for (const [number, state] of changes) {
      const encoded = encodeState(state);
      this.#setRecipient.run(encoded.state, encoded.dueAtMs, encoded.progress, id, number);
    }
    if (opened !== 0 || heldMore !== 0) this.#count.run(0, opened, heldMore);
    const due = dueAtMs(states);
    const nextMs = nextLookMs(due, lease?.untilMs);
    this.#setMessage.run(due ?? null, nextMs ?? null, lease?.owner ?? null, lease?.untilMs ?? null, id);
    return true;
  }

  endLeases({ exceptOwners }: Parameters<QueueOperations['endLeases']>[0]): void {
    for (const row of this.#owners.rows()) {
      const owner = textAt(row, 0);
      if (!exceptOwners.includes(owner)) this.#freeOwner.run(owner);
    }
  }

  act({ ids, filter, action, nowMs }: Parameters<QueueOperations['act']>[0]): number {
    let count = 0;
    for (const id of ids) {
      const lease = this.#leaseOf.row(id);
      if (lease === undefined || !this.#isFrom(id, filter.sender)) continue;
      const recipients = this.#readRecipients(id, filter);
      const changes = new Map<number, RecipientState>();
      for (const { number, state, isMeant } of recipients) {
        const next = isMeant ? acted(state, action, nowMs) : undefined;
        if (next !== undefined) changes.set(number, next);
      }
      if (changes.size === 0) continue;
      this.#change(id, recipients, changes, leaseIn(lease));
      count += changes.size;
    }
    return count;
  }

  #isFrom(id: string, sender: string | undefined): boolean {
    if (sender === undefined) return true;
    const row = this.#senderOf.row(id);
    return row !== undefined && textAt(row, 0) === sender.toLowerCase();
  }

  relocate({ moves }: Parameters<QueueOperations['relocate']>[0]): void {
    for (const { from, to } of moves) this.#relocate.run(to, from);
  }
}

/** @param row lease_owner, lease_until, … */
function leaseIn(row: Row): EncodedLease | undefined {
  const owner = optionalTextAt(row, 0);
  const untilMs = optionalNumberAt(row, 1);
  return owner === undefined || untilMs === undefined ? undefined : { owner, untilMs };
}

export function open(database: Database): QueueOperations {
  const writer = new QueueWriter(database);
  return {
    accept: (args) => writer.accept(args),
    lease: (args) => writer.lease(args),
    renew: (args) => writer.renew(args),
    settle: (args) => writer.settle(args),
    endLeases: (args) => writer.endLeases(args),
    act: (args) => writer.act(args),
    relocate: (args) => writer.relocate(args),
  };
}
