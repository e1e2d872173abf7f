/**
 * The MTA-STS policies of other domains: found by DNS, fetched, kept over restarts, fetched again each day and when their id
 * changes. A policy that was fetched holds until it expires, whatever becomes of the ways to it. Source: RFC 8461 §3, §5.1.
 */
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Resolver } from '../../dns/resolver.ts';
import type { PolicyFetch, PolicyFetchProblem } from '../../tls-policy/policy-fetch.ts';
import type { KeptStsPolicy, StsPolicyPlace, TlsRecords } from '../../tls-policy/tls-records.ts';
import { formatStsPolicy, parseStsPolicy, type StsPolicy } from '../../tls-policy/wire/sts-policy.ts';
import { parseStsRecords } from '../../tls-policy/wire/sts-record.ts';
import type { ReportedPolicy, ResultType } from '../../tls-policy/wire/tls-report.ts';
import type { DeliveryEventSink } from '../event.ts';
import type { TlsTallies } from './tls-tallies.ts';

export type StsPoliciesPorts = {
  readonly resolver: Resolver;
  readonly fetch: PolicyFetch;
  readonly records: TlsRecords;
  readonly tallies: TlsTallies;
  readonly clock: Clock;
  readonly events: DeliveryEventSink;
};

type Known = { readonly kept: KeptStsPolicy | undefined; readonly untilMs: number };

/** How long a thread goes by what it has read: another may have fetched something newer. */
const KNOWN_MS = 60_000;

export class StsPolicies {
  readonly #ports: StsPoliciesPorts;
  /** In the order in which they were read. */
  readonly #known = new Map<string, Known>();
  readonly #fetching = new Map<string, Promise<KeptStsPolicy | undefined>>();
  /** When a fetch failed, by domain and id. */
  readonly #failed = new Map<string, number>();
  /** How far they have been refreshed. Those that fail stay old: the next pass must not begin with them again. */
  #refreshed: StsPolicyPlace | undefined;

  constructor(ports: StsPoliciesPorts) {
    this.#ports = ports;
  }

  /**
   * The policy that mail for the domain is sent by now; undefined where there is none that asks for anything. Throws `Fault` where
   * what is kept cannot be read.
   */
  async of(domain: string): Promise<StsPolicy | undefined> {
    const kept = await this.#valid(domain);
    const answer = await this.#ports.resolver.txt(`_mta-sts.${domain}`);
    const id = answer.kind === 'found' ? parseStsRecords(answer.records) : undefined;
    // RFC 8461 §3.1: no record takes away what was fetched before; §3.3: nor does a record without a document.
    if (id === undefined) return usable(kept);
    if (kept?.id !== id) return usable((await this.#fetch(domain, id, kept)) ?? kept);
    if (this.#isOld(kept)) void this.#fetch(domain, id, kept);
    return usable(kept);
  }

  /**
   * RFC 8461 §3.3: fetches what is older than a day again, so that nobody who keeps us from it for a while gets rid of it.
   * Throws `Fault`.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const { records, clock, resolver } = this.#ports;
    const nowMs = clock.nowMs();
    const old = await records.stsPoliciesToRefresh(
      nowMs - LIMITS.stsRefreshMs,
      nowMs,
      LIMITS.stsRefreshesMax,
      this.#refreshed,
    );
    if (old.length < LIMITS.stsRefreshesMax) this.#refreshed = undefined;
    for (const kept of old) {
      if (signal.aborted) return;
      if (old.length === LIMITS.stsRefreshesMax) this.#refreshed = kept;
      // oxlint-disable-next-line no-await-in-loop -- nobody waits for these, and one at a time is kind
      const answer = await resolver.txt(`_mta-sts.${kept.domain}`);
      const id = answer.kind === 'found' ? parseStsRecords(answer.records) : undefined;
      // oxlint-disable-next-line no-await-in-loop -- the same
      if (id !== undefined) await this.#fetch(kept.domain, id, kept);
    }
  }

  async #valid(domain: string): Promise<KeptStsPolicy | undefined> {
    const { records, clock } = this.#ports;
    const known = this.#known.get(domain);
    const kept =
      known !== undefined && known.untilMs > clock.monotonicMs()
        ? known.kept
        : this.#know(domain, await records.stsPolicy(domain));
    return kept !== undefined && kept.expiresAtMs > clock.nowMs() ? kept : undefined;
  }

  #know(domain: string, kept: KeptStsPolicy | undefined): KeptStsPolicy | undefined {
    this.#known.delete(domain);
    this.#known.set(domain, { kept, untilMs: this.#ports.clock.monotonicMs() + KNOWN_MS });
    const [oldest] = this.#known.keys();
    if (this.#known.size > LIMITS.stsPoliciesMax && oldest !== undefined) this.#known.delete(oldest);
    return kept;
  }

  #isOld({ fetchedAtMs }: KeptStsPolicy): boolean {
    return this.#ports.clock.nowMs() - fetchedAtMs > LIMITS.stsRefreshMs;
  }

  /** Undefined where it failed, now or a short while ago. Never rejects. */
  async #fetch(
    domain: string,
    id: string,
    kept: KeptStsPolicy | undefined,
  ): Promise<KeptStsPolicy | undefined> {
    const key = `${domain} ${id}`;
    const failedMs = this.#failed.get(key);
    // RFC 8461 §3.3: a host that fails is left alone for five minutes.
    if (failedMs !== undefined && this.#ports.clock.monotonicMs() - failedMs < LIMITS.stsFetchRetryMs)
      return undefined;
    const running = this.#fetching.get(key) ?? this.#fetchNow(domain, id, kept);
    this.#fetching.set(key, running);
    const fetched = await running;
    this.#fetching.delete(key);
    this.#failed.delete(key);
    if (fetched === undefined) this.#failed.set(key, this.#ports.clock.monotonicMs());
    const [first] = this.#failed.keys();
    if (this.#failed.size > LIMITS.stsPoliciesMax && first !== undefined) this.#failed.delete(first);
    return fetched;
  }

  async #fetchNow(
    domain: string,
    id: string,
    kept: KeptStsPolicy | undefined,
  ): Promise<KeptStsPolicy | undefined> {
    const { fetch, records, clock, events } = this.#ports;
    const fetched = await fetch(`mta-sts.${domain}`);
    if (!fetched.ok)
      return this.#tellFailed(domain, FETCH_RESULT[fetched.error.kind], fetched.error.text, kept);
    const policy = parseStsPolicy(fetched.value);
    if (!policy.ok) return this.#tellFailed(domain, 'sts-policy-invalid', policy.error, kept);
    const fetchedAtMs = clock.nowMs();
    const expiresAtMs = fetchedAtMs + policy.value.maxAgeS * 1000;
    const fresh: KeptStsPolicy = { domain, id, text: fetched.value, fetchedAtMs, expiresAtMs };
    this.#know(domain, fresh);
    try {
      await records.keepStsPolicy(fresh);
    } catch (cause) {
      // It holds for this thread; the next one fetches it again.
      events({ name: 'delivery.fault', queueId: undefined, doing: 'keeping an MTA-STS policy', cause });
    }
    events({ name: 'delivery.sts-fetched', domain, mode: policy.value.mode, expiresAtMs });
    return fresh;
  }

  #tellFailed(domain: string, type: ResultType, text: string, kept: KeptStsPolicy | undefined): undefined {
    const { tallies, events } = this.#ports;
    events({ name: 'delivery.sts-fetch-failed', domain, reason: type, text });
    const policy = kept === undefined ? undefined : usable(kept);
    // RFC 8461 §6: what a policy of mode none is about is nobody's concern.
    if (kept !== undefined && policy === undefined) return undefined;
    tallies.add(domain, reportedSts(policy), { ...NOWHERE, type, reason: text });
    return undefined;
  }
}

const FETCH_RESULT = {
  unreachable: 'sts-policy-fetch-error',
  refused: 'sts-policy-fetch-error',
  certificate: 'sts-webpki-invalid',
} as const satisfies Record<PolicyFetchProblem['kind'], ResultType>;

const NOWHERE = { sendingIp: '', mxHost: '', mxIp: '' } as const;

/** RFC 8461 §5: mode none is no policy. */
function usable(kept: KeptStsPolicy | undefined): StsPolicy | undefined {
  const policy = kept === undefined ? undefined : parseStsPolicy(kept.text);
  return policy?.ok === true && policy.value.mode !== 'none' ? policy.value : undefined;
}

export function reportedSts(policy: StsPolicy | undefined): ReportedPolicy {
  return policy === undefined
    ? { type: 'sts', strings: [], mxPatterns: [] }
    : { type: 'sts', strings: formatStsPolicy(policy), mxPatterns: policy.mx };
}
