/**
 * Sessions with next hops between two messages. A session that was given back is kept for a few seconds for the next
 * message of the same key, then ended. Which key a target has is {@link sessionKey}'s to say: whatever could make two
 * sessions differ is in it.
 *
 * Units: milliseconds of the clock that never goes back. Bounded: beyond `idleMax` the one that has been idle longest ends.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { SmtpClient } from '../../smtp/client/client.ts';
import type { HopTarget, OpenedSession } from './hop.ts';

export type HopSession = {
  readonly client: Pick<SmtpClient, 'send' | 'quit' | 'destroy' | 'features'>;
  readonly tls: OpenedSession['tls'];
  readonly localAddress: string;
  readonly openedMs: number;
  /** Messages that went, or tried to go, over it. */
  readonly messages: number;
};

export type SessionPoolOptions = {
  /** How long a session waits for its next message; 0 ends each after one. */
  readonly idleMs: number;
  /** Waiting at once, over all keys. */
  readonly idleMax: number;
  /** Of one session. */
  readonly messagesMax: number;
  /** From its opening to its last message. */
  readonly ageMs: number;
};

type Idle = { readonly key: string; readonly session: HopSession; readonly timer: Timer };

export class SessionPool {
  readonly #clock: Clock;
  readonly #options: SessionPoolOptions;
  /** Of each key the one given back last stands last. */
  readonly #idle = new Map<string, Idle[]>();
  /** All of them, the longest idle first. */
  readonly #order = new Set<Idle>();
  #isClosed = false;

  constructor(clock: Clock, options: SessionPoolOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#order.size;
  }

  /** The session that was used last: the others may go idle and end. It is the caller's now. */
  take(key: string): HopSession | undefined {
    const idle = this.#idle.get(key)?.at(-1);
    if (idle === undefined) return undefined;
    this.#remove(idle);
    return idle.session;
  }

  /** Takes a session that can carry another message; ends it where it has carried enough. */
  give(key: string, session: HopSession): void {
    const { idleMs, idleMax, messagesMax, ageMs } = this.#options;
    const isSpent = session.messages >= messagesMax || this.#clock.monotonicMs() - session.openedMs >= ageMs;
    if (this.#isClosed || isSpent || idleMs <= 0) return end(session);
    const timer = this.#clock.after(idleMs, () => this.#end(idle));
    const idle: Idle = { key, session, timer };
    const those = this.#idle.get(key);
    if (those === undefined) this.#idle.set(key, [idle]);
    else those.push(idle);
    this.#order.add(idle);
    const [longest] = this.#order;
    if (this.#order.size > idleMax && longest !== undefined) this.#end(longest);
    return undefined;
  }

  /** Ends what is idle, and from now on whatever is given back. */
  close(): void {
    this.#isClosed = true;
    for (const idle of this.#order) this.#end(idle);
  }

  #end(idle: Idle): void {
    this.#remove(idle);
    end(idle.session);
  }

  #remove(idle: Idle): void {
    idle.timer.cancel();
    this.#order.delete(idle);
    const those = this.#idle.get(idle.key) ?? [];
    those.splice(those.indexOf(idle), 1);
    if (those.length === 0) this.#idle.delete(idle.key);
  }
}

/** The goodbye is nobody's to wait for. */
function end({ client }: HopSession): void {
  void client.quit();
}

/** Targets with one key are spoken with in the same way, as the same, from the same address. */
export function sessionKey(target: HopTarget): string {
  const { protocol, host, address, port, implicitTls, tls, credentials, localAddress, helloName, proxy } =
    target;
  return JSON.stringify([
    protocol,
    host,
    address,
    port,
    implicitTls,
    tls,
    credentials,
    localAddress,
    helloName,
    proxy,
  ]);
}
