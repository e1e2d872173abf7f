/**
 * The writer's side of the embedded queue: each operation runs inside one transaction of a group commit, in the thread
 * that owns `queue.sqlite`. What each one means: docs/queue.md.
 */
import { numberAt, optionalNumberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import type { Database, Row, Statement } from '../../sqlite/database.ts';
import type { FileKind } from '../../sqlite/migrate.ts';
import {
  PRIORITIES,
  PRIORITY_STEP_MS,
  acted,
  dueAtMs,
  matchesMessage,
  matchesRecipient,
  nextLookMs,
  readdressed,
  settled,
} from '../progress.ts';
import type {
  OperatorAct,
  QueueFilter,
  QueuedMessage,
  RecipientState,
  Settlement,
  SuspensionScope,
} from '../queue.ts';
import {
  QUEUE_FILE,
  SELECT_MESSAGE,
  SELECT_RECIPIENTS,
  STATE,
  decodeMessage,
  decodeState,
  encodeState,
} from './queue-schema.ts';
import type { EncodedMessage, EncodedRecipient, EncodedState } from './queue-schema.ts';

export const kind: FileKind = QUEUE_FILE;

export type EncodedLease = { readonly owner: string; readonly untilMs: number };

/** What came of settling; `waits`: something may be due by it sooner than a worker knows. */
export type SettleAnswer = { readonly outcome: 'settled' | 'stale'; readonly waits: boolean };

export type QueueOperations = {
  accept(args: { readonly message: EncodedMessage; readonly lease: EncodedLease | undefined }): void;
  acceptAll(args: { readonly messages: readonly EncodedMessage[] }): void;
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
    readonly act: OperatorAct;
    readonly nowMs: number;
  }): readonly EncodedActed[];
  readdress(args: {
    readonly id: string;
    readonly replacements: readonly EncodedReplacement[];
    readonly nowMs: number;
  }): 'readdressed' | 'leased' | 'gone';
  suspend(args: { readonly scope: SuspensionScope; readonly nowMs: number }): void;
  resume(args: { readonly scope: SuspensionScope }): boolean;
  relocate(args: { readonly moves: readonly { readonly from: number; readonly to: number }[] }): void;
};

export type EncodedActed = { readonly id: string; readonly recipients: readonly number[] };
export type EncodedReplacement = { readonly recipient: number; readonly by: readonly EncodedRecipient[] };

type Recipient = { readonly number: number; readonly state: RecipientState };

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
  readonly #message: Statement;
  readonly #messageRecipients: Statement;
  readonly #suspension: Statement;
  readonly #suspend: Statement;
  readonly #resume: Statement;
  readonly #owners: Statement;
  readonly #freeOwner: Statement;
  readonly #relocate: Statement;

  constructor(database: Database) {
    this.#insertMessage = database.prepare('INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?)');
    this.#insertEnvelope = database.prepare('INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#insertRecipient = database.prepare('INSERT INTO recipient VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#blobOf = database.prepare('SELECT blob_id FROM envelope WHERE id = ?');
    this.#count = database.prepare(
      'UPDATE counter SET messages = messages + ?, recipients = recipients + ?, held = held + ?',
    );
    this.#due = database.prepare(
      'SELECT id, due_at, next_at FROM message WHERE priority = ? AND next_at <= ? ORDER BY next_at, id LIMIT ?',
    );
    this.#setLease = database.prepare(
      'UPDATE message SET lease_owner = ?, lease_until = ?, next_at = ? WHERE id = ?',
    );
    this.#leaseOf = database.prepare('SELECT lease_owner, lease_until, due_at FROM message WHERE id = ?');
    this.#recipients = database.prepare(
      'SELECT number, state, due_at, progress FROM recipient WHERE id = ? ORDER BY number',
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
    this.#message = database.prepare(SELECT_MESSAGE);
    this.#messageRecipients = database.prepare(SELECT_RECIPIENTS);
    this.#suspension = database.prepare('SELECT 1 FROM suspension WHERE scope = ?');
    this.#suspend = database.prepare('INSERT OR IGNORE INTO suspension VALUES (?, ?)');
    this.#resume = database.prepare('DELETE FROM suspension WHERE scope = ?');
    this.#owners = database.prepare('SELECT DISTINCT lease_owner FROM message WHERE lease_owner IS NOT NULL');
    this.#freeOwner = database.prepare(
      'UPDATE message SET lease_owner = NULL, lease_until = NULL, next_at = due_at WHERE lease_owner = ?',
    );
    this.#relocate = database.prepare('UPDATE envelope SET place = ? WHERE place = ?');
  }

  accept({ message, lease }: Parameters<QueueOperations['accept']>[0]): void {
    const { id, priority, first, recipients } = message;
    const nextMs = nextLookMs(first.dueAtMs ?? undefined, lease?.untilMs) ?? null;
    const isNew = this.#insertMessage.run(
      id,
      first.dueAtMs,
      nextMs,
      lease?.owner ?? null,
      lease?.untilMs ?? null,
      priority,
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
      message.releaseAtMs,
    );
    for (const [number, recipient] of recipients.entries()) this.#insert(id, number, recipient, first);
    this.#count.run(1, recipients.length, first.state === STATE.held ? recipients.length : 0);
  }

  acceptAll({ messages }: Parameters<QueueOperations['acceptAll']>[0]): void {
    for (const message of messages) this.accept({ message, lease: undefined });
  }

  #insert(id: string, number: number, recipient: EncodedRecipient, state: EncodedState): void {
    this.#insertRecipient.run(
      id,
      number,
      state.state,
      state.dueAtMs,
      recipient.address,
      recipient.domain,
      recipient.recipient,
      state.progress,
    );
  }

  lease({ owner, nowMs, untilMs, limit }: Parameters<QueueOperations['lease']>[0]): readonly string[] {
    const due = PRIORITIES.flatMap((priority) =>
      this.#due.rows(priority, nowMs, limit).map((row) => ({
        id: textAt(row, 0),
        dueAtMs: numberAt(row, 1),
        rankMs: numberAt(row, 2) - priority * PRIORITY_STEP_MS,
      })),
    )
      .toSorted((one, other) => one.rankMs - other.rankMs || (one.id < other.id ? -1 : 1))
      .slice(0, limit);
    for (const { id, dueAtMs: at } of due) this.#setLease.run(owner, untilMs, Math.max(at, untilMs), id);
    return due.map(({ id }) => id);
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
    const recipients = this.#readRecipients(id);
    const changes = new Map<number, RecipientState>();
    for (const settlement of settlements) {
      const recipient = recipients[settlement.recipient];
      if (recipient === undefined)
        throw new TypeError(`Message ${id} has no recipient ${settlement.recipient}`);
      const state = settled(recipient.state, settlement, nowMs, (scope) => this.#isSuspended(scope));
      if (state !== undefined) changes.set(recipient.number, state);
    }
    const isStale = settlements.length > 0 && changes.size === 0;
    const stays = this.#change(id, recipients, changes, kept);
    if (!isStale) this.acceptAll({ messages: follow });
    return {
      outcome: isStale ? 'stale' : 'settled',
      waits: (stays && kept === undefined) || (!isStale && follow.length > 0),
    };
  }

  #isSuspended(scope: SuspensionScope): boolean {
    return this.#suspension.row(scope) !== undefined;
  }

  #readRecipients(id: string): readonly Recipient[] {
    return this.#recipients.rows(id).map((row) => ({ number: numberAt(row, 0), state: decodeState(row, 1) }));
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

  act({ ids, filter, act, nowMs }: Parameters<QueueOperations['act']>[0]): readonly EncodedActed[] {
    const touched: EncodedActed[] = [];
    for (const id of ids) {
      const message = this.#read(id);
      if (message === undefined || !matchesMessage(filter, message)) continue;
      const changes = new Map<number, RecipientState>();
      for (const recipient of message.recipients) {
        if (!matchesRecipient(filter, recipient, recipient.state)) continue;
        const next = acted(recipient.state, act, nowMs);
        if (next !== undefined) changes.set(recipient.number, next);
      }
      if (changes.size === 0) continue;
      this.#change(id, message.recipients, changes, message.lease);
      touched.push({ id, recipients: [...changes.keys()] });
    }
    return touched;
  }

  #read(id: string): QueuedMessage | undefined {
    const row = this.#message.row(id);
    return row === undefined ? undefined : decodeMessage(row, this.#messageRecipients.rows(id));
  }

  readdress({
    id,
    replacements,
    nowMs,
  }: Parameters<QueueOperations['readdress']>[0]): 'readdressed' | 'leased' | 'gone' {
    const row = this.#leaseOf.row(id);
    if (row === undefined) return 'gone';
    if ((leaseIn(row)?.untilMs ?? nowMs) > nowMs) return 'leased';
    const recipients = this.#readRecipients(id);
    const changes = new Map<number, RecipientState>();
    const added: Recipient[] = [];
    for (const { recipient, by } of replacements) {
      const state = recipients[recipient]?.state;
      const next = state === undefined ? undefined : readdressed(state, nowMs);
      if (next === undefined) continue;
      changes.set(recipient, next.replaced);
      for (const one of by) {
        const number = recipients.length + added.length;
        this.#insert(id, number, one, encodeState(next.first));
        added.push({ number, state: next.first });
      }
    }
    if (changes.size === 0) return 'gone';
    this.#count.run(0, added.length, 0);
    this.#change(id, [...recipients, ...added], changes, undefined);
    return 'readdressed';
  }

  suspend({ scope, nowMs }: Parameters<QueueOperations['suspend']>[0]): void {
    this.#suspend.run(scope, nowMs);
  }

  resume({ scope }: Parameters<QueueOperations['resume']>[0]): boolean {
    return this.#resume.run(scope) > 0;
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
    acceptAll: (args) => writer.acceptAll(args),
    lease: (args) => writer.lease(args),
    renew: (args) => writer.renew(args),
    settle: (args) => writer.settle(args),
    endLeases: (args) => writer.endLeases(args),
    act: (args) => writer.act(args),
    readdress: (args) => writer.readdress(args),
    suspend: (args) => writer.suspend(args),
    resume: (args) => writer.resume(args),
    relocate: (args) => writer.relocate(args),
  };
}
