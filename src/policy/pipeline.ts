/**
 * Asks the checks of a stage, in their order, and says what comes of it. While checks answer at once, so does the pipeline.
 * What a check does wrong (it throws, is late, or gives a verdict that contradicts itself) is an event, and counts as the
 * check's `onFault` says; nothing here throws. Precedence: verdict.ts; all rules: docs/policy.md.
 */
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { LIMITS } from '../base/limits.ts';
import type { Check, MaybePromise, Stage } from './check.ts';
import type { CheckEvent } from './event.ts';
import type { Sum, Verdict } from './verdict.ts';
import { ACCEPT, defer, isPlain, isSound, NOTHING, withVerdict } from './verdict.ts';

export type PipelinePorts = { readonly clock: Clock; readonly events: (event: CheckEvent) => void };

/** What a consultation is about, for its events. */
export type Asked = {
  readonly stage: Stage;
  readonly sessionId: string | undefined;
  readonly traceId: string | undefined;
};

/** @param before what the checks of this stage have said so far */
export type Ask = (check: Check, before: Sum) => MaybePromise<Verdict> | undefined;

export class Pipeline {
  readonly #checks: readonly Check[];
  readonly #ports: PipelinePorts;

  constructor(checks: readonly Check[], ports: PipelinePorts) {
    this.#checks = checks;
    this.#ports = ports;
  }

  /** The checks that take part in one of these, in their order. */
  having(...parts: readonly (keyof Check)[]): readonly Check[] {
    return this.#checks.filter((check) => parts.some((part) => check[part] !== undefined));
  }

  /** One check after the other; a final refusal ends it. */
  consult(checks: readonly Check[], asked: Asked, ask: Ask): MaybePromise<Sum> {
    return checks.length === 0 ? NOTHING : this.#consultFrom(0, NOTHING, checks, asked, ask);
  }

  #consultFrom(
    first: number,
    before: Sum,
    checks: readonly Check[],
    asked: Asked,
    ask: Ask,
  ): MaybePromise<Sum> {
    let sum = before;
    for (let at = first; at < checks.length; at += 1) {
      const check = checks[at];
      if (check === undefined || sum.refusal?.kind === 'refuse') break;
      const verdict = this.#askOne(check, asked, ask, sum);
      if (verdict instanceof Promise) {
        const soFar = sum;
        return verdict.then((settled) =>
          this.#consultFrom(at + 1, withVerdict(soFar, settled), checks, asked, ask),
        );
      }
      sum = withVerdict(sum, verdict);
    }
    return sum;
  }

  #askOne(check: Check, asked: Asked, ask: Ask, before: Sum): MaybePromise<Verdict> {
    let answer: MaybePromise<Verdict> | undefined;
    try {
      answer = ask(check, before);
    } catch (cause) {
      return this.failed(check, asked, cause);
    }
    if (!(answer instanceof Promise)) return this.#told(check, asked, answer ?? ACCEPT);
    return this.#inTime(check, answer).then(
      (verdict) => this.#told(check, asked, verdict),
      (cause: unknown) => this.failed(check, asked, cause),
    );
  }

  #inTime(check: Check, answer: Promise<Verdict>): Promise<Verdict> {
    const deadlineMs = check.deadlineMs ?? LIMITS.policyCheckMs;
    return new Promise((resolve, reject) => {
      const timer = this.#ports.clock.after(deadlineMs, () =>
        reject(new Fault(`Waiting ${deadlineMs} ms for the check`)),
      );
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #told(check: Check, asked: Asked, verdict: Verdict): Verdict {
    if (!isSound(verdict))
      return this.failed(check, asked, new TypeError(`A reply of the wrong class to ${verdict.kind}`));
    if (isPlain(verdict)) return verdict;
    const reply = 'reply' in verdict ? verdict.reply : undefined;
    this.#ports.events({
      name: 'policy.verdict',
      check: check.name,
      ...asked,
      verdict: verdict.kind,
      reason: verdict.reason ?? `${check.name}.noted`,
      code: reply?.code,
      status: reply?.status,
      tags: verdict.kind === 'accept' ? verdict.tags?.join(' ') : undefined,
    });
    return verdict;
  }

  /** A check that did not do its work. */
  failed(check: Check, asked: Asked, cause: unknown): Verdict {
    const isOpen = check.onFault === 'open';
    this.#ports.events({
      name: 'policy.check-failed',
      check: check.name,
      ...asked,
      outcome: isOpen ? 'passed' : 'deferred',
      cause,
    });
    return isOpen ? ACCEPT : UNCHECKED;
  }
}

const UNCHECKED: Verdict = defer('policy.unchecked', 451, '4.3.0', 'Temporary failure here, try again later');
