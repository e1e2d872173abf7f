/** Reads a peer's replies in order, each with a deadline for the whole of it, so that a drip of octets gains no time. */
import type { Clock } from '../../base/clock.ts';
import type { Connection } from '../../base/connection.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Result } from '../../base/result.ts';
import { err, ok } from '../../base/result.ts';
import { unreachable } from '../../base/unreachable.ts';
import type { PeerReply } from '../wire/reply.ts';
import { ReplyReader } from '../wire/reply.ts';
import type { ClientProblem, Stage } from './problem.ts';

export class ReplyStream {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #reader: ReplyReader = new ReplyReader({
    lineOctetsMax: LIMITS.smtpReplyLineOctetsMax,
    linesMax: LIMITS.smtpReplyLinesMax,
  });

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** The peer has said more than it was asked. */
  get unasked(): boolean {
    for (let chunk = this.#connection.tryRead(); chunk !== undefined; chunk = this.#connection.tryRead())
      this.#reader.push(chunk);
    return this.#reader.pending;
  }

  async next(stage: Stage, timeoutMs: number): Promise<Result<PeerReply, ClientProblem>> {
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs;
    for (;;) {
      const scan = this.#reader.next();
      switch (scan.kind) {
        case 'reply':
          return ok(scan.reply);
        case 'garbage':
          return err({ kind: 'garbage', stage, detail: scan.problem, line: scan.line });
        case 'need-more':
          break;
        default:
          return unreachable(scan);
      }
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      if (leftMs <= 0) return err({ kind: 'timeout', stage });
      const read = this.#connection.tryRead() ?? (await this.#connection.read(leftMs));
      if (typeof read !== 'string') this.#reader.push(read);
      else if (read === 'timeout') return err({ kind: 'timeout', stage });
      else if (read !== 'woken') return err({ kind: 'closed', stage });
    }
  }
}
