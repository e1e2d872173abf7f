/** What is remembered of other domains' TLS, for as long as the process lives. */
import { LIMITS } from '../../base/limits.ts';
import {
  encodeResult,
  FIRST_STS_POLICY,
  withoutDetails,
  type KeptStsPolicy,
  type StsPolicyPlace,
  type TlsRecords,
  type TlsResultFilter,
} from '../tls-records.ts';
import type { ReportKey, TlsTally } from '../wire/tls-report.ts';

export class MemoryTlsRecords implements TlsRecords {
  readonly #policies = new Map<string, KeptStsPolicy>();
  /** By day, then domain, then the text of the result. */
  readonly #days = new Map<string, Map<string, Map<string, TlsTally>>>();

  async stsPolicy(domain: string): Promise<KeptStsPolicy | undefined> {
    return this.#policies.get(domain);
  }

  async keepStsPolicy(policy: KeptStsPolicy): Promise<void> {
    this.#policies.set(policy.domain, policy);
  }

  async stsPoliciesToRefresh(
    fetchedBeforeMs: number,
    nowMs: number,
    count: number,
    after: StsPolicyPlace = FIRST_STS_POLICY,
  ): Promise<readonly KeptStsPolicy[]> {
    const order = (one: StsPolicyPlace, other: StsPolicyPlace): number =>
      one.fetchedAtMs - other.fetchedAtMs || (one.domain < other.domain ? -1 : 1);
    return [...this.#policies.values()]
      .filter(({ fetchedAtMs, expiresAtMs }) => fetchedAtMs < fetchedBeforeMs && expiresAtMs > nowMs)
      .filter((one) => one.domain !== after.domain && order(one, after) > 0)
      .toSorted(order)
      .slice(0, count);
  }

  async addResults(tallies: readonly TlsTally[]): Promise<number> {
    let lost = 0;
    for (const tally of tallies) {
      const domains = this.#days.get(tally.day) ?? new Map<string, Map<string, TlsTally>>();
      const results = domains.get(tally.domain) ?? new Map<string, TlsTally>();
      const isFull = results.size >= LIMITS.tlsResultsPerDomainMax && !results.has(encodeResult(tally));
      const kept = isFull ? withoutDetails(tally) : tally;
      const key = encodeResult(kept);
      const ofDay = [...domains.values()].reduce((sum, { size }) => sum + size, 0);
      if (!results.has(key) && ofDay >= LIMITS.tlsResultsPerDayMax) {
        lost += tally.sessions;
        continue;
      }
      results.set(key, { ...kept, sessions: kept.sessions + (results.get(key)?.sessions ?? 0) });
      domains.set(tally.domain, results);
      this.#days.set(tally.day, domains);
    }
    return lost;
  }

  async reportKeys(
    filter: TlsResultFilter,
    after: ReportKey | undefined,
    count: number,
  ): Promise<readonly ReportKey[]> {
    const keys = [...this.#days].flatMap(([day, domains]) =>
      [...domains.keys()].map((domain) => ({ day, domain })),
    );
    return keys
      .filter(({ day, domain }) => (filter.day ?? day) === day && (filter.domain ?? domain) === domain)
      .filter((key) => after === undefined || compare(key, after) > 0)
      .toSorted(compare)
      .slice(0, count);
  }

  async results({ day, domain }: ReportKey): Promise<readonly TlsTally[]> {
    return [...(this.#days.get(day)?.get(domain)?.values() ?? [])];
  }

  async forget(expiredBeforeMs: number, firstDay: string): Promise<void> {
    for (const { domain, expiresAtMs } of this.#policies.values())
      if (expiresAtMs < expiredBeforeMs) this.#policies.delete(domain);
    for (const day of this.#days.keys()) if (day < firstDay) this.#days.delete(day);
  }
}

function compare(one: ReportKey, other: ReportKey): number {
  const [left, right] = [`${one.day} ${one.domain}`, `${other.day} ${other.domain}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
