/** What happens to messages of the queue in one transaction, gathered and then written by a few statements. */
import type { Transaction } from '../../postgres/postgres.ts';
import { numberAt, optionalNumberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import type { Row } from '../../sqlite/database.ts';
import { decodeState, encodeState } from '../embedded/queue-schema.ts';
import { dueAtMs, nextLookMs } from '../progress.ts';
import type { RecipientState } from '../queue.ts';
import { COUNTER_SLOTS, QUEUE_SQL } from './queue-tables.ts';

export type Lease = { readonly owner: string; readonly untilMs: number };

export type LockedRecipient = { readonly number: number; readonly state: RecipientState };

/** A message whose row is locked, with all its recipients. */
export type LockedMessage = {
  readonly id: string;
  readonly lease: Lease | undefined;
  readonly recipients: readonly LockedRecipient[];
};

/** Locks the messages that are there, in the order of their ids. */
export async function lockMessages(
  transaction: Transaction,
  ids: readonly string[],
): Promise<readonly LockedMessage[]> {
  const [messages, recipients] = await Promise.all([
    transaction.rows(QUEUE_SQL.lockMessages, ids),
    transaction.rows(QUEUE_SQL.recipientStates, ids),
  ]);
  const recipientsOf = Map.groupBy(recipients, (row) => textAt(row, 0));
  return messages.map((row) => {
    const id = textAt(row, 0);
    return { id, lease: toLease(row), recipients: (recipientsOf.get(id) ?? []).map(toRecipient) };
  });
}

function toLease(row: Row): Lease | undefined {
  const owner = optionalTextAt(row, 1);
  const untilMs = optionalNumberAt(row, 2);
  return owner === undefined || untilMs === undefined ? undefined : { owner, untilMs };
}

function toRecipient(row: Row): LockedRecipient {
  return { number: numberAt(row, 1), state: decodeState(row, 2) };
}

/** The counter that a transaction over this message adds to: one, so that no two wait for each other's. */
export function counterSlot(id: string): number {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65_521;
  return sum % COUNTER_SLOTS;
}

export class QueueChanges {
  readonly #removed: string[] = [];
  readonly #messages: {
    readonly id: string;
    readonly due: number | undefined;
    readonly next: number | undefined;
    readonly lease: Lease | undefined;
  }[] = [];
  readonly #recipients: { readonly id: string; readonly number: number; readonly state: RecipientState }[] =
    [];
  #opened = 0;
  #held = 0;

  /** New states of some recipients, and the lease from now on. Gives whether the message stays in the queue. */
  change(
    { id, recipients }: LockedMessage,
    changes: ReadonlyMap<number, RecipientState>,
    lease: Lease | undefined,
  ): boolean {
    const before = recipients.map(({ state }) => state);
    const states = recipients.map(({ number, state }) => changes.get(number) ?? state);
    const count = (list: readonly RecipientState[], isMeant: (state: RecipientState) => boolean): number =>
      list.filter(isMeant).length;
    const isOpen = ({ kind }: RecipientState): boolean => kind !== 'settled';
    const isHeld = ({ kind }: RecipientState): boolean => kind === 'held';
    this.#opened += count(states, isOpen) - count(before, isOpen);
    this.#held += count(states, isHeld) - count(before, isHeld);
    if (!states.some(isOpen)) {
      this.#removed.push(id);
      return false;
    }
    for (const [number, state] of changes) this.#recipients.push({ id, number, state });
    const due = dueAtMs(states);
    this.#messages.push({ id, due, next: nextLookMs(due, lease?.untilMs), lease });
    return true;
  }

  /** Recipients that the message did not have before. */
  open(count: number): void {
    this.#opened += count;
  }

  write(transaction: Transaction, slot: number): void {
    const [messages, recipients, removed] = [this.#messages, this.#recipients, this.#removed];
    if (recipients.length > 0) {
      const encoded = recipients.map(({ state }) => encodeState(state));
      transaction.write(
        QUEUE_SQL.setRecipients,
        recipients.map(({ id }) => id),
        recipients.map(({ number }) => number),
        encoded.map(({ state }) => state),
        encoded.map((one) => one.dueAtMs),
        encoded.map(({ progress }) => progress),
      );
    }
    if (messages.length > 0)
      transaction.write(
        QUEUE_SQL.setMessages,
        messages.map(({ id }) => id),
        messages.map(({ due }) => due ?? null),
        messages.map(({ next }) => next ?? null),
        messages.map(({ lease }) => lease?.owner ?? null),
        messages.map(({ lease }) => lease?.untilMs ?? null),
      );
    if (removed.length > 0)
      for (const sql of [QUEUE_SQL.removeMessages, QUEUE_SQL.removeEnvelopes, QUEUE_SQL.removeRecipients])
        transaction.write(sql, removed);
    if (removed.length > 0 || this.#opened !== 0 || this.#held !== 0)
      transaction.write(QUEUE_SQL.count, slot, -removed.length, this.#opened, this.#held);
  }
}
