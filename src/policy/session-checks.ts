/**
 * The pipeline as one SMTP session sees it, in the shape of the session's `Policy` port: one object for each connection.
 * What a stage accepts with fields, tags, a hold or a discard is kept until the message is complete, and holds for every
 * message of the session where the stage was passed before MAIL; a stage that is passed again begins anew.
 */
import { Fault } from '../base/fault.ts';
import { isHeaderWhole } from '../message/header.ts';
import type { Hold } from '../queue/queue.ts';
import type { Reply } from '../smtp/wire/reply.ts';
import { reply } from '../smtp/wire/reply.ts';
import type { Check, CommandRefusal, ContentReader, MaybePromise, Stage } from './check.ts';
import type { RecipientFacts, SessionActivity, SessionFacts, TransactionFacts } from './facts.ts';
import { MessageFacts } from './facts.ts';
import type { Ask, Asked, Pipeline } from './pipeline.ts';
import type { Sum } from './verdict.ts';
import { ACCEPT, NOTHING, together } from './verdict.ts';

/** What the session hears of a stage. */
export type StageAnswer =
  | { readonly kind: 'accept'; readonly fields?: string; readonly hold?: Hold | undefined }
  | { readonly kind: 'discard'; readonly reason: string }
  | { readonly kind: 'refuse'; readonly reply: Reply; readonly reason: string };

/** The checks of each stage, found once for all sessions. */
type StageChecks = Readonly<Record<SessionStage | 'read' | 'refused' | 'disconnect', readonly Check[]>>;
type SessionStage = Exclude<Stage, 'before-delivery' | 'after-delivery' | 'disconnect'>;

/** A check that reads this message along; `problem` is what it threw. */
type Reading = { readonly reader: ContentReader; problem: Fault | undefined };

/** Gives each session its checks. */
export function sessionChecks(pipeline: Pipeline): () => SessionChecks {
  const checks: StageChecks = {
    connect: pipeline.having('connect'),
    hello: pipeline.having('hello'),
    auth: pipeline.having('auth'),
    mail: pipeline.having('mail'),
    recipient: pipeline.having('recipient'),
    data: pipeline.having('data'),
    message: pipeline.having('message', 'read'),
    commands: pipeline.having('commands'),
    read: pipeline.having('read'),
    refused: pipeline.having('refused'),
    disconnect: pipeline.having('disconnect'),
  };
  return () => new SessionChecks(pipeline, checks);
}

export class SessionChecks {
  readonly #pipeline: Pipeline;
  readonly #checks: StageChecks;
  /** What was accepted at each stage. Of recipients it is of all that will get the message. */
  readonly #sums = new Map<SessionStage, Sum>();
  #readings: ReadonlyMap<Check, Reading> = new Map();

  constructor(pipeline: Pipeline, checks: StageChecks) {
    this.#pipeline = pipeline;
    this.#checks = checks;
  }

  connect(session: SessionFacts): MaybePromise<StageAnswer> {
    return this.#pass('connect', session, undefined, (check) => check.connect?.(session));
  }

  hello(session: SessionFacts): MaybePromise<StageAnswer> {
    return this.#pass('hello', session, undefined, (check) => check.hello?.(session));
  }

  auth(session: SessionFacts): MaybePromise<StageAnswer> {
    return this.#pass('auth', session, undefined, (check) => check.auth?.(session));
  }

  mail(transaction: TransactionFacts, session: SessionFacts): MaybePromise<StageAnswer> {
    for (const stage of ['recipient', 'data', 'message'] as const) this.#sums.delete(stage);
    return this.#pass('mail', session, transaction, (check) => check.mail?.(transaction, session));
  }

  recipient(
    recipient: RecipientFacts,
    transaction: TransactionFacts,
    session: SessionFacts,
  ): MaybePromise<StageAnswer> {
    return after(
      this.#consult('recipient', session, transaction, (check) =>
        check.recipient?.(recipient, transaction, session),
      ),
      (sum) => {
        if (sum.refusal !== undefined) return refused(sum.refusal);
        if (sum.discard !== undefined) return { kind: 'discard', reason: sum.discard };
        this.#keep('recipient', together([this.#sums.get('recipient') ?? NOTHING, sum]));
        return GO_ON;
      },
    );
  }

  data(transaction: TransactionFacts, session: SessionFacts): MaybePromise<StageAnswer> {
    return this.#pass('data', session, transaction, (check) => check.data?.(transaction, session));
  }

  /** Takes the content as it comes, for the checks that read it; undefined: none does. */
  reader(transaction: TransactionFacts, session: SessionFacts): ((octets: Uint8Array) => void) | undefined {
    const readings = new Map<Check, Reading>();
    for (const check of this.#checks.read) {
      try {
        const reader = check.read?.(transaction, session);
        if (reader !== undefined) readings.set(check, { reader, problem: undefined });
      } catch (cause) {
        readings.set(check, { reader: NO_READER, problem: new Fault(READING, cause) });
      }
    }
    this.#readings = readings;
    if (readings.size === 0) return undefined;
    return (octets) => {
      for (const reading of readings.values()) {
        if (reading.problem !== undefined) continue;
        try {
          reading.reader.push(octets);
        } catch (cause) {
          reading.problem = new Fault(READING, cause);
        }
      }
    };
  }

  message(
    header: Uint8Array,
    octets: number,
    transaction: TransactionFacts,
    session: SessionFacts,
  ): MaybePromise<StageAnswer> {
    // What no check can look into passes none.
    if (!isHeaderWhole(header, octets)) return HEADER_TOO_LARGE;
    const tags = new Set(together([...this.#sums.values()]).tags);
    const message = new MessageFacts(header, octets, tags);
    const ask: Ask = (check, before) => {
      for (const tag of before.tags) tags.add(tag);
      const reading = this.#readings.get(check);
      if (reading === undefined) return check.message?.(message, transaction, session);
      if (reading.problem !== undefined) throw reading.problem;
      return reading.reader.end(message, transaction, session);
    };
    return after(this.#consult('message', session, transaction, ask), (sum) => {
      if (sum.refusal !== undefined) return refused(sum.refusal);
      this.#keep('message', sum);
      const { discard, fields, hold } = together([...this.#sums.values()]);
      if (discard !== undefined) return { kind: 'discard', reason: discard };
      return { kind: 'accept', fields, hold };
    });
  }

  commands(count: number, session: SessionFacts): MaybePromise<StageAnswer> {
    return after(
      this.#consult('commands', session, undefined, (check) => check.commands?.(count, session)),
      ({ refusal }) => (refusal === undefined ? GO_ON : refused(refusal)),
    );
  }

  /** A command was refused: how long the answer is kept back. The longest wish counts. */
  refused(refusal: CommandRefusal, session: SessionFacts): number {
    let delayMs = 0;
    for (const check of this.#checks.refused)
      delayMs = Math.max(delayMs, check.refused?.(refusal, session) ?? 0);
    return delayMs;
  }

  disconnect(session: SessionFacts, activity: SessionActivity): void {
    for (const check of this.#checks.disconnect)
      try {
        check.disconnect?.(session, activity);
      } catch (cause) {
        const asked: Asked = { stage: 'disconnect', sessionId: session.sessionId, traceId: undefined };
        this.#pipeline.failed(check, asked, cause);
      }
  }

  #consult(
    stage: SessionStage,
    session: SessionFacts,
    transaction: TransactionFacts | undefined,
    ask: Ask,
  ): MaybePromise<Sum> {
    const checks = this.#checks[stage];
    if (checks.length === 0) return NOTHING;
    const { sessionId } = session;
    return this.#pipeline.consult(checks, { stage, sessionId, traceId: transaction?.traceId }, ask);
  }

  #pass(
    stage: SessionStage,
    session: SessionFacts,
    transaction: TransactionFacts | undefined,
    ask: Ask,
  ): MaybePromise<StageAnswer> {
    return after(this.#consult(stage, session, transaction, ask), (sum) => {
      if (sum.refusal !== undefined) return refused(sum.refusal);
      this.#keep(stage, sum);
      return GO_ON;
    });
  }

  #keep(stage: SessionStage, sum: Sum): void {
    if (sum !== NOTHING) this.#sums.set(stage, sum);
    else if (this.#sums.size > 0) this.#sums.delete(stage);
  }
}

/** RFC 3463 §3.4. */
const HEADER_TOO_LARGE: StageAnswer = {
  kind: 'refuse',
  reason: 'policy.header-too-large',
  reply: reply(552, '5.3.4', 'The header of the message is too large'),
};
const GO_ON = { kind: 'accept' } as const;
const READING = 'Reading the content';
/** In the place of one that could not be made. */
const NO_READER: ContentReader = { push: () => undefined, end: () => ACCEPT };

function refused({ reply: said, reason }: NonNullable<Sum['refusal']>): StageAnswer {
  return { kind: 'refuse', reply: said, reason };
}

function after<From, To>(value: MaybePromise<From>, then: (settled: From) => To): MaybePromise<To> {
  return value instanceof Promise ? value.then(then) : then(value);
}
