/**
 * The two directions of a session: octets in hand, replies held back for one write. Whoever reads sends first what is held
 * (RFC 2920 §3.2: replies may wait only while there is input). Timers of the session end a pending read through `wake`.
 *
 * Three times are kept: of silence, of one command (so that an octet now and then does not hold a session for ever), and of a
 * session that brings no message.
 */
import { fromUtf8 } from '../../base/bytes.ts';
import type { Timer } from '../../base/clock.ts';
import { sleep } from '../../base/clock.ts';
import type { Connection } from '../../base/connection.ts';
import { unreachable } from '../../base/unreachable.ts';
import type { Reply } from '../wire/reply.ts';
import { formatReply, reply } from '../wire/reply.ts';
import type { SmtpServerDeps } from './deps.ts';
import type { CloseCause } from './event.ts';
import { Input } from './input.ts';

export class Channel {
  readonly input: Input;
  closed: CloseCause | undefined;
  octetsReceived = 0;
  readonly #connection: Connection;
  readonly #deps: SmtpServerDeps;
  #held = '';
  #isFlushing = false;
  /** Since when the next command is waited for; undefined while none is. */
  #commandSinceMs: number | undefined;
  /** The beginning, or the last message that was taken. */
  #messageSinceMs: number;
  #expired: 'unauthenticated' | 'shutdown' | undefined;
  #unauthenticated: Timer | undefined;
  #shutdown: Timer | undefined;
  readonly #onShutdown = (): void => this.#beginShutdown();

  constructor(connection: Connection, deps: SmtpServerDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.input = new Input(deps.limits.skipLineOctetsMax);
    const { shutdown, role, limits, clock } = deps;
    this.#messageSinceMs = clock.monotonicMs();
    if (shutdown.aborted) this.#beginShutdown();
    else shutdown.addEventListener('abort', this.#onShutdown, { once: true });
    if (role.auth === 'required')
      this.#unauthenticated = clock.after(limits.unauthenticatedMs, () => this.#expire('unauthenticated'));
  }

  /** After this the session may take as long as it likes. */
  authenticated(): void {
    this.#unauthenticated?.cancel();
    if (this.#expired === 'unauthenticated') this.#expired = undefined;
  }

  /** A whole command line was taken. */
  commandCame(): void {
    this.#commandSinceMs = undefined;
  }

  /** A message was accepted: the session is of use. */
  messageCame(): void {
    this.#messageSinceMs = this.#deps.clock.monotonicMs();
  }

  get shuttingDown(): boolean {
    return this.#deps.shutdown.aborted;
  }

  say(answer: Reply): void {
    this.#held += formatReply(answer);
  }

  /** The last reply; the session ends once it is sent. The first cause counts. */
  end(cause: CloseCause, answer: Reply): void {
    if (this.closed !== undefined) return;
    this.closed = cause;
    this.say(answer);
  }

  /** Sends what is held, where it has become too much to hold. */
  relieve(): Promise<void> | undefined {
    return this.#held.length > HELD_CHARACTERS_MAX ? this.flush() : undefined;
  }

  /** Keeps what is held back for a while, unless the session is told to end. */
  async pause(delayMs: number): Promise<void> {
    await sleep(this.#deps.clock, delayMs, this.#deps.shutdown);
  }

  async flush(): Promise<void> {
    if (this.#held === '') return;
    const octets = fromUtf8(this.#held);
    this.#held = '';
    const pending = this.#connection.write(octets);
    if (pending === undefined) return;
    this.#isFlushing = true;
    await pending;
    this.#isFlushing = false;
  }

  /** Octets that came before anyone asked, or undefined. They join the input. */
  takeWaiting(): boolean {
    const chunk = this.#connection.tryRead();
    if (chunk === undefined) return false;
    this.#take(chunk);
    return true;
  }

  /**
   * More input, or the end of the session.
   *
   * @param where content in flight may be finished in a shutdown, the wait for a command may not; `unwanted` is content
   *   that is read past
   */
  async more(where: 'command' | 'content' | 'unwanted'): Promise<'go-on' | 'over'> {
    if (this.#expired === undefined && this.takeWaiting()) return 'go-on';
    await this.flush();
    while (this.closed === undefined) {
      if (this.#expired !== undefined) this.#endExpired(this.#expired);
      else if (this.shuttingDown && where === 'command') this.end('shutdown', this.#shuttingDownReply());
      else {
        const patienceMs = this.#patienceMs(where);
        const read = patienceMs <= 0 ? 'timeout' : await this.#connection.read(patienceMs);
        if (typeof read !== 'string') {
          this.#take(read);
          return 'go-on';
        }
        this.#stopped(read);
      }
    }
    return 'over';
  }

  #patienceMs(where: 'command' | 'content' | 'unwanted'): number {
    const { limits, clock } = this.#deps;
    // How long a message may take is its receiver's business.
    if (where === 'content') return limits.idleMs;
    const nowMs = clock.monotonicMs();
    const withoutMessageMs = this.#messageSinceMs + limits.withoutMessageMs - nowMs;
    if (where === 'unwanted') return Math.min(limits.idleMs, withoutMessageMs);
    this.#commandSinceMs ??= nowMs;
    return Math.min(this.#commandSinceMs + limits.idleMs - nowMs, withoutMessageMs);
  }

  async close(): Promise<void> {
    this.dispose();
    await this.flush();
    await this.#connection.close();
  }

  dispose(): void {
    this.#deps.shutdown.removeEventListener('abort', this.#onShutdown);
    this.#unauthenticated?.cancel();
    this.#shutdown?.cancel();
  }

  #stopped(stop: 'end' | 'reset' | 'timeout' | 'woken'): void {
    switch (stop) {
      case 'end':
        this.closed ??= 'client-closed';
        return;
      case 'reset':
        this.closed ??= 'reset';
        return;
      case 'timeout':
        // RFC 5321 §4.5.3.2.7; RFC 3463 §3.5: X.4.2 bad connection.
        this.end('timeout', reply(421, '4.4.2', `${this.#deps.hostname} Timeout, closing`));
        return;
      case 'woken':
        return;
      default:
        unreachable(stop);
    }
  }

  #endExpired(expired: 'unauthenticated' | 'shutdown'): void {
    if (expired === 'shutdown') this.end('shutdown', this.#shuttingDownReply());
    else this.end('timeout', reply(421, '4.7.0', `${this.#deps.hostname} Too long without AUTH, closing`));
  }

  #shuttingDownReply(): Reply {
    // RFC 5321 §3.8; RFC 3463 §3.4: X.3.2 system not accepting network messages.
    return reply(421, '4.3.2', `${this.#deps.hostname} Shutting down, try again later`);
  }

  #take(chunk: Uint8Array): void {
    this.octetsReceived += chunk.length;
    this.input.add(chunk);
  }

  #beginShutdown(): void {
    this.#shutdown = this.#deps.clock.after(this.#deps.limits.shutdownMs, () => this.#expire('shutdown'));
    this.#connection.wake();
  }

  #expire(what: 'unauthenticated' | 'shutdown'): void {
    this.#expired = what;
    // Who does not read what was said will not read that it is over.
    if (this.#isFlushing) this.#connection.destroy();
    else this.#connection.wake();
  }
}

/** Replies that a client does not read are not gathered beyond this. */
const HELD_CHARACTERS_MAX = 16_384;
