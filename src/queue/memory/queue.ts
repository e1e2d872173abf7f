/** The queue in memory: for tests of everything that stands around it. The contract is all that it promises. */
import type { Clock } from '../../base/clock.ts';
import type { BlobPlace } from '../../store/blob-store.ts';
import type { BlobUser } from '../../store/blob-use.ts';
import type { AccountId } from '../../store/ids.ts';
import {
  PRIORITY_STEP_MS,
  acted,
  domainOf,
  dueAtMs,
  firstState,
  isInBacklog,
  matchesMessage,
  matchesRecipient,
  nextLookMs,
  readdressed,
  settled,
} from '../progress.ts';
import type {
  Acted,
  NewQueuedMessage,
  OperatorAct,
  Queue,
  QueueFilter,
  QueueGroup,
  QueueId,
  QueuedMessage,
  QueuedRecipient,
  Replacement,
  Scheduled,
  Settlement,
  Suspension,
  SuspensionScope,
} from '../queue.ts';

type Lease = { readonly owner: string; readonly untilMs: number };

function nextOf({ recipients, lease }: QueuedMessage): number | undefined {
  return nextLookMs(dueAtMs(recipients.map(({ state }) => state)), lease?.untilMs);
}

function compareIds(one: QueuedMessage, other: QueuedMessage): number {
  if (one.id === other.id) return 0;
  return one.id < other.id ? -1 : 1;
}

export class MemoryQueue implements Queue, BlobUser {
  readonly #clock: Clock;
  readonly #messages = new Map<QueueId, QueuedMessage>();
  readonly #suspensions = new Map<SuspensionScope, Suspension>();
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async accept(message: NewQueuedMessage, lease?: Lease): Promise<void> {
    this.#refuseUnfit(message);
    this.#insert(message, lease);
    if (lease === undefined) this.#tell();
  }

  async acceptAll(messages: readonly NewQueuedMessage[]): Promise<void> {
    for (const message of messages) this.#refuseUnfit(message);
    for (const message of messages) this.#insert(message, undefined);
    this.#tell();
  }

  #refuseUnfit({ id, blob, recipients }: NewQueuedMessage): void {
    if (recipients.length === 0) throw new TypeError('A queued message has at least one recipient');
    const other = this.#messages.get(id);
    if (other !== undefined && other.blob.id !== blob.id)
      throw new TypeError(`The queue id ${id} is that of another message`);
  }

  #insert(message: NewQueuedMessage, lease: Lease | undefined): void {
    if (this.#messages.has(message.id)) return;
    const { hold: _hold, ...kept } = message;
    const state = firstState(message);
    const recipients = message.recipients.map((recipient, number) => ({ ...recipient, number, state }));
    this.#messages.set(message.id, {
      ...kept,
      prefix: Uint8Array.from(message.prefix),
      recipients,
      lease,
    });
  }

  async lease(
    owner: string,
    nowMs: number,
    untilMs: number,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    const due = [...this.#messages.values()]
      .flatMap((message) => {
        const nextMs = nextOf(message);
        if (nextMs === undefined || nextMs > nowMs) return [];
        return [{ message, rankMs: nextMs - message.priority * PRIORITY_STEP_MS }];
      })
      .toSorted((one, other) => one.rankMs - other.rankMs || compareIds(one.message, other.message))
      .slice(0, limit)
      .map(({ message }) => ({ ...message, lease: { owner, untilMs } }));
    for (const message of due) this.#messages.set(message.id, message);
    return due;
  }

  async renew(owner: string, ids: readonly QueueId[], untilMs: number): Promise<readonly QueueId[]> {
    return ids.filter((id) => {
      const message = this.#messages.get(id);
      if (message?.lease?.owner !== owner) return true;
      this.#messages.set(id, { ...message, lease: { owner, untilMs } });
      return false;
    });
  }

  async settle(
    id: QueueId,
    owner: string,
    settlements: readonly Settlement[],
    follow: readonly NewQueuedMessage[],
    lease: 'ended' | 'kept' = 'ended',
  ): Promise<'settled' | 'stale'> {
    const message = this.#messages.get(id);
    if (message?.lease?.owner !== owner) return 'stale';
    const states = new Map<number, QueuedRecipient['state']>();
    for (const settlement of settlements) {
      const recipient = message.recipients[settlement.recipient];
      if (recipient === undefined)
        throw new TypeError(`Message ${id} has no recipient ${settlement.recipient}`);
      const state = settled(recipient.state, settlement, this.#clock.nowMs(), (scope) =>
        this.#suspensions.has(scope),
      );
      if (state !== undefined) states.set(recipient.number, state);
    }
    const isStale = settlements.length > 0 && states.size === 0;
    if (!isStale) for (const next of follow) this.#refuseUnfit(next);
    this.#put(lease === 'kept' ? message : { ...message, lease: undefined }, states);
    if (!isStale) for (const next of follow) this.#insert(next, undefined);
    if ((lease === 'ended' && this.#messages.has(id)) || follow.length > 0) this.#tell();
    return isStale ? 'stale' : 'settled';
  }

  #put(message: QueuedMessage, states: ReadonlyMap<number, QueuedRecipient['state']>): void {
    const recipients = message.recipients.map((recipient) => ({
      ...recipient,
      state: states.get(recipient.number) ?? recipient.state,
    }));
    if (recipients.every(({ state }) => state.kind === 'settled')) this.#messages.delete(message.id);
    else this.#messages.set(message.id, { ...message, recipients });
  }

  async endLeases(exceptOwners: readonly string[]): Promise<void> {
    for (const message of this.#messages.values())
      if (message.lease !== undefined && !exceptOwners.includes(message.lease.owner))
        this.#messages.set(message.id, { ...message, lease: undefined });
    this.#tell();
  }

  async nextDueMs(): Promise<number | undefined> {
    let next: number | undefined;
    for (const message of this.#messages.values()) {
      const nextMs = nextOf(message);
      if (nextMs !== undefined) next = Math.min(next ?? nextMs, nextMs);
    }
    return next;
  }

  async list(
    filter: QueueFilter,
    after: QueueId | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    return [...this.#messages.values()]
      .filter((message) => after === undefined || message.id > after)
      .filter((message) => matching(filter, message).length > 0)
      .toSorted(compareIds)
      .slice(0, limit);
  }

  async find(filter: QueueFilter, after: QueueId | undefined, limit: number): Promise<readonly QueueId[]> {
    return (await this.list(filter, after, limit)).map(({ id }) => id);
  }

  async backlog(
    domain: string | undefined,
    nowMs: number,
    after: Pick<QueuedMessage, 'id' | 'priority'> | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    return [...this.#messages.values()]
      .filter(({ recipients }) =>
        recipients.some(
          ({ forwardPath, route, state }) =>
            isInBacklog(state, nowMs) && (domain === undefined || domainOf(forwardPath, route) === domain),
        ),
      )
      .filter(
        ({ id, priority }) =>
          after === undefined || priority < after.priority || (priority === after.priority && id > after.id),
      )
      .toSorted((one, other) => other.priority - one.priority || compareIds(one, other))
      .slice(0, limit);
  }

  async summary(filter: QueueFilter, limit: number): Promise<readonly QueueGroup[]> {
    const groups = new Map<string, QueueGroup>();
    for (const message of [...this.#messages.values()].toSorted(compareIds))
      for (const { forwardPath, route, state } of matching(filter, message)) {
        if (state.kind === 'settled') continue;
        const domain = domainOf(forwardPath, route);
        const hold = state.kind === 'held' ? state.reason : undefined;
        const { lastAnswer } = state;
        const key = JSON.stringify([domain, state.kind, hold, lastAnswer?.reason, lastAnswer?.status]);
        const group = groups.get(key);
        groups.set(key, {
          domain,
          state: state.kind,
          hold,
          recipients: (group?.recipients ?? 0) + 1,
          oldestAtMs: group?.oldestAtMs ?? message.arrivedAtMs,
          dueAtMs: earliest(group?.dueAtMs, state.kind === 'waiting' ? state.dueAtMs : undefined),
          lastAnswer,
        });
      }
    return [...groups.values()]
      .toSorted((one, other) => other.recipients - one.recipients || (one.domain < other.domain ? -1 : 1))
      .slice(0, limit);
  }

  async count(): Promise<{ readonly messages: number; readonly recipients: number; readonly held: number }> {
    let recipients = 0;
    let held = 0;
    for (const message of this.#messages.values())
      for (const { state } of message.recipients) {
        if (state.kind !== 'settled') recipients += 1;
        if (state.kind === 'held') held += 1;
      }
    return { messages: this.#messages.size, recipients, held };
  }

  async scheduled(account: AccountId, nowMs: number): Promise<Scheduled> {
    const ahead = [...this.#messages.values()].filter(
      ({ source, releaseAtMs }) =>
        source.account === account && releaseAtMs !== undefined && releaseAtMs > nowMs,
    );
    return { messages: ahead.length, octets: ahead.reduce((sum, { blob }) => sum + blob.octets, 0) };
  }

  async act(
    ids: readonly QueueId[],
    filter: QueueFilter,
    act: OperatorAct,
    nowMs: number,
  ): Promise<readonly Acted[]> {
    const touched: Acted[] = [];
    for (const id of ids) {
      const message = this.#messages.get(id);
      if (message === undefined) continue;
      const states = new Map<number, QueuedRecipient['state']>();
      for (const { number, state } of matching(filter, message)) {
        const next = acted(state, act, nowMs);
        if (next !== undefined) states.set(number, next);
      }
      if (states.size === 0) continue;
      this.#put(message, states);
      touched.push({ id, recipients: [...states.keys()] });
    }
    if (touched.length > 0) this.#tell();
    return touched;
  }

  async readdress(
    id: QueueId,
    replacements: readonly Replacement[],
    nowMs: number,
  ): Promise<'readdressed' | 'leased' | 'gone'> {
    const message = this.#messages.get(id);
    if (message === undefined) return 'gone';
    if ((message.lease?.untilMs ?? nowMs) > nowMs) return 'leased';
    const states = new Map<number, QueuedRecipient['state']>();
    const recipients = [...message.recipients];
    for (const { recipient, by } of replacements) {
      const state = message.recipients[recipient]?.state;
      const next = state === undefined ? undefined : readdressed(state, nowMs);
      if (next === undefined) continue;
      states.set(recipient, next.replaced);
      for (const one of by) recipients.push({ ...one, number: recipients.length, state: next.first });
    }
    if (states.size === 0) return 'gone';
    this.#put({ ...message, recipients, lease: undefined }, states);
    this.#tell();
    return 'readdressed';
  }

  async suspend(scope: SuspensionScope, nowMs: number): Promise<void> {
    if (!this.#suspensions.has(scope)) this.#suspensions.set(scope, { scope, sinceMs: nowMs });
    this.#tell();
  }

  async resume(scope: SuspensionScope): Promise<boolean> {
    return this.#suspensions.delete(scope);
  }

  async suspensions(): Promise<readonly Suspension[]> {
    return [...this.#suspensions.values()].toSorted((one, other) => (one.scope < other.scope ? -1 : 1));
  }

  watch(listener: () => void): { close(): void } {
    const own = (): void => listener();
    this.#listeners.add(own);
    return { close: () => void this.#listeners.delete(own) };
  }

  #tell(): void {
    queueMicrotask(() => {
      for (const listener of this.#listeners) listener();
    });
  }

  async placesBetween(from: BlobPlace, before: BlobPlace): Promise<readonly BlobPlace[]> {
    const places = new Set<BlobPlace>();
    for (const { blob } of this.#messages.values())
      if (blob.place >= from && blob.place < before) places.add(blob.place);
    return [...places].toSorted((one, other) => one - other);
  }

  async relocate(moves: readonly { readonly from: BlobPlace; readonly to: BlobPlace }[]): Promise<void> {
    const to = new Map(moves.map((move) => [move.from, move.to]));
    for (const message of this.#messages.values()) {
      const place = to.get(message.blob.place);
      if (place !== undefined)
        this.#messages.set(message.id, { ...message, blob: { ...message.blob, place } });
    }
  }
}

function matching(filter: QueueFilter, message: QueuedMessage): readonly QueuedRecipient[] {
  if (!matchesMessage(filter, message)) return [];
  return message.recipients.filter((recipient) => matchesRecipient(filter, recipient, recipient.state));
}

function earliest(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
