/**
 * Mail that waits for destinations which have come back. It is due by its own schedule in hours; here it is made due at once, the
 * most urgent first and of those the oldest, a few messages at a time: as many as the destination has places for by then, so that
 * one that has just come back is not run over.
 *
 * Held in memory: which destinations those are, and at most {@link LIMITS.backlogMessagesMax} messages' envelopes. What is forgotten
 * comes when it is due.
 */
import { LIMITS } from '../base/limits.ts';
import type { Queue, QueuedMessage, QueuedRecipient } from '../queue/queue.ts';
import type { Return } from './destination.ts';
import { retryDecision } from './remote/reply-class.ts';
import { wishOf } from './remote/remote-delivery.ts';
import type { RemoteRoute } from './remote/router.ts';
import type { TlsWish } from './remote/tls-policy.ts';

type Returned = {
  readonly route: Pick<RemoteRoute, 'key' | 'next'>;
  readonly wish: TlsWish;
  readonly came: Return;
  /** Looked at, and not made due yet. */
  page: readonly QueuedMessage[];
  /** The last one that was looked at. */
  after: QueuedMessage | undefined;
  /** Nothing is behind the page. */
  isRead: boolean;
};

export type BacklogPorts = {
  readonly queue: Pick<Queue, 'backlog' | 'act'>;
  /** How many more of its messages a destination has use for just now. */
  readonly roomAt: (key: string) => number;
  /** The key of the route that the recipient goes by now. */
  readonly keyOf: (message: QueuedMessage, recipient: QueuedRecipient, domain: string) => string;
};

/** Destinations that are seen to in one look. */
const STEPS_MAX = 8;
/** Messages of one destination that are looked at together. */
const PAGE_MIN = 10;
const PAGE_MAX = 200;
const WISHES: readonly TlsWish[] = [undefined, 'require', 'optional'];

export class Backlog {
  readonly #ports: BacklogPorts;
  /** Those next to be seen to first. */
  readonly #returned = new Map<string, Returned>();

  constructor(ports: BacklogPorts) {
    this.#ports = ports;
  }

  /** A visit under this wish has shown that a destination takes mail again. */
  add(route: Pick<RemoteRoute, 'key' | 'next'>, wish: TlsWish, came: Return): void {
    const name = nameOf(route.key, wish);
    this.#returned.delete(name);
    this.#returned.set(name, { route, wish, came, page: [], after: undefined, isRead: false });
    const [longest] = this.#returned.keys();
    if (this.#returned.size > LIMITS.destinationsMax && longest !== undefined) this.#returned.delete(longest);
  }

  /** It is down again: for all mail, or for that with this wish. */
  remove(key: string, to: 'all' | 'wish', wish: TlsWish): void {
    for (const one of to === 'all' ? WISHES : [wish]) this.#returned.delete(nameOf(key, one));
  }

  /**
   * Makes due what there is room for.
   *
   * @returns whether there may be more of it soon
   */
  async wake(nowMs: number): Promise<boolean> {
    const roomy = this.#returned
      .entries()
      .map(([name, one]) => ({ name, one, room: this.#ports.roomAt(one.route.key) }))
      .filter(({ room }) => room > 0)
      .take(STEPS_MAX)
      .toArray();
    for (const { name, one, room } of roomy) {
      // oxlint-disable-next-line no-await-in-loop -- one commit after the other
      const isOver = await this.#step(one, room, nowMs);
      // Down again meanwhile, or back once more: then it is another's.
      if (this.#returned.get(name) !== one) continue;
      this.#returned.delete(name);
      if (!isOver) this.#returned.set(name, one);
    }
    return roomy.length > 0 && this.#returned.size > 0;
  }

  /** True: nothing is left of it. */
  async #step(one: Returned, room: number, nowMs: number): Promise<boolean> {
    const { queue } = this.#ports;
    const { next } = one.route;
    const domain = next.kind === 'domain' ? next.domain : undefined;
    if (one.page.length === 0 && !one.isRead) {
      const share = Math.floor(LIMITS.backlogMessagesMax / this.#returned.size);
      const limit = Math.min(Math.max(PAGE_MIN, share), PAGE_MAX);
      const page = await queue.backlog(domain, nowMs, one.after, limit);
      one.after = page.at(-1);
      one.isRead = page.length < limit;
      one.page = page.filter((message) => this.#reasonsOf(one, message).length > 0);
    }
    const batch = one.page.slice(0, room);
    const reasons = [...new Set(batch.flatMap((message) => this.#reasonsOf(one, message)))];
    const ids = batch.map(({ id }) => id);
    if (ids.length > 0)
      await queue.act(ids, domain === undefined ? {} : { domain }, { kind: 'wake', reasons }, nowMs);
    one.page = one.page.slice(room);
    return one.isRead && one.page.length === 0;
  }

  /** Of the recipients that go this way, what they last met, where that is over now. */
  #reasonsOf({ route, wish, came }: Returned, message: QueuedMessage): readonly string[] {
    return message.recipients.flatMap((recipient) => {
      const { state } = recipient;
      if (state.kind !== 'waiting' || recipient.route.kind !== 'remote') return [];
      const reason = state.lastAnswer?.reason ?? '';
      const isOver =
        came.tls && reason.startsWith('tls.') ? wishOf(message) === wish : came.all && isOfAll(reason);
      return isOver && this.#ports.keyOf(message, recipient, recipient.route.domain) === route.key
        ? [reason]
        : [];
    });
  }
}

function nameOf(key: string, wish: TlsWish): string {
  return `${wish ?? ''} ${key}`;
}

/** Met of nobody's answering, or because of who we are, and not because of the message or its recipient. */
function isOfAll(reason: string): boolean {
  return OF_CONNECTION.test(reason) || retryDecision(reason).backsOff;
}

const OF_CONNECTION = /^connect\.(?!source$)|^smtp\.(?:timeout|reset|garbage)$/;
