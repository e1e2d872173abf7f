/**
 * Counts how sessions with other hosts went, for the reports of RFC 8460, and writes the counts down every few seconds: a crash
 * loses the last of them, and no delivery waits for them.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import type { TlsRecords } from '../../tls-policy/tls-records.ts';
import { encodeResult } from '../../tls-policy/tls-records.ts';
import type { FailedSession, ReportedPolicy, TlsTally } from '../../tls-policy/wire/tls-report.ts';
import type { DeliveryEventSink } from '../event.ts';

const FLUSH_MS = 2000;
const DAY_MS = 86_400_000;

export type TlsTalliesPorts = {
  readonly records: TlsRecords;
  readonly clock: Clock;
  readonly events: DeliveryEventSink;
};

export class TlsTallies {
  readonly #ports: TlsTalliesPorts;
  #held = new Map<string, TlsTally>();
  #timer: Timer | undefined;
  #flushing: Promise<void> = Promise.resolve();
  /** The day whose predecessors were forgotten. */
  #day = '';

  constructor(ports: TlsTalliesPorts) {
    this.#ports = ports;
  }

  /** @param failure undefined: the session was as the policy asks */
  add(domain: string, policy: ReportedPolicy, failure: FailedSession | undefined): void {
    const day = dayOf(this.#ports.clock.nowMs());
    this.#hold({ day, domain, policy: bounded(policy), failure: cut(failure), sessions: 1 });
    this.#timer ??= this.#ports.clock.after(FLUSH_MS, () => {
      this.#timer = undefined;
      this.#flushing = this.#flushing.then(() => this.#flush());
    });
  }

  /** Writes down what is there. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#flushing;
    await this.#flush();
  }

  #hold(tally: TlsTally): void {
    const key = `${tally.day} ${tally.domain} ${encodeResult(tally)}`;
    const known = this.#held.get(key);
    if (known === undefined && this.#held.size >= LIMITS.tlsResultsHeldMax) this.#lost(tally.sessions);
    else this.#held.set(key, { ...tally, sessions: tally.sessions + (known?.sessions ?? 0) });
  }

  async #flush(): Promise<void> {
    const { records, clock, events } = this.#ports;
    const held = this.#held;
    if (held.size === 0) return;
    this.#held = new Map();
    try {
      const lost = await records.addResults([...held.values()]);
      if (lost > 0) this.#lost(lost);
      const day = dayOf(clock.nowMs());
      if (day === this.#day) return;
      this.#day = day;
      await records.forget(clock.nowMs(), dayOf(clock.nowMs() - (LIMITS.tlsResultDaysMax - 1) * DAY_MS));
    } catch (cause) {
      events({ name: 'delivery.fault', queueId: undefined, doing: 'counting TLS results', cause });
      for (const tally of held.values()) this.#hold(tally);
    }
  }

  #lost(sessions: number): void {
    this.#ports.events({ name: 'delivery.tls-results-lost', sessions });
  }
}

/** UTC: `2026-11-29`. */
function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

function bounded(policy: ReportedPolicy): ReportedPolicy {
  let left = LIMITS.tlsReportPolicyCharactersMax;
  const strings = policy.strings.filter((text) => (left -= text.length) >= 0);
  return strings.length === policy.strings.length ? policy : { ...policy, strings, mxPatterns: [] };
}

function cut(failure: FailedSession | undefined): FailedSession | undefined {
  return failure === undefined
    ? undefined
    : { ...failure, reason: failure.reason.slice(0, LIMITS.tlsReportReasonCharactersMax) };
}
