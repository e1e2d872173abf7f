/**
 * The port to what is remembered of other domains' TLS: their MTA-STS policies (RFC 8461 §3.3), and how sessions with their
 * hosts went, for the reports of RFC 8460. Shared by all threads; what is put is there after a restart.
 *
 * Errors: `Fault` when the disk or the database refuses, with nothing changed.
 */
import type { ReportKey, ReportedPolicy, ResultType, TlsResult, TlsTally } from './wire/tls-report.ts';

/** A policy as it was fetched; good until `expiresAtMs`, whatever the domain says meanwhile. */
export type KeptStsPolicy = {
  /** A-labels, lower case. */
  readonly domain: string;
  /** Of the TXT record that led to it. */
  readonly id: string;
  /** The document. */
  readonly text: string;
  readonly fetchedAtMs: number;
  readonly expiresAtMs: number;
};

/** Where a policy stands among those to refresh. */
export type StsPolicyPlace = Pick<KeptStsPolicy, 'fetchedAtMs' | 'domain'>;

/** Before all of them. */
export const FIRST_STS_POLICY: StsPolicyPlace = { fetchedAtMs: Number.MIN_SAFE_INTEGER, domain: '' };

export type TlsResultFilter = { readonly day?: string; readonly domain?: string };

export interface TlsRecords {
  /** Expired ones too. */
  stsPolicy(domain: string): Promise<KeptStsPolicy | undefined>;
  /** In the place of the one there is. */
  keepStsPolicy(policy: KeptStsPolicy): Promise<void>;
  /**
   * Those fetched before `fetchedBeforeMs` and good at `nowMs`, the oldest first: those behind `after`, at most `count`.
   */
  stsPoliciesToRefresh(
    fetchedBeforeMs: number,
    nowMs: number,
    count: number,
    after?: StsPolicyPlace,
  ): Promise<readonly KeptStsPolicy[]>;

  /**
   * Adds to what there is. Beyond LIMITS.tlsResultsPerDomainMax of a domain's day details are left out; beyond
   * LIMITS.tlsResultsPerDayMax of a day nothing new is taken up: gives how many sessions were not.
   */
  addResults(tallies: readonly TlsTally[]): Promise<number>;
  /** By day and domain, those after `after`, at most `count`. */
  reportKeys(
    filter: TlsResultFilter,
    after: ReportKey | undefined,
    count: number,
  ): Promise<readonly ReportKey[]>;
  results(key: ReportKey): Promise<readonly TlsTally[]>;

  /** Policies that expired before `expiredBeforeMs`, results of days before `firstDay`. */
  forget(expiredBeforeMs: number, firstDay: string): Promise<void>;
}

/** What is counted where details are too many to be told apart. */
export function withoutDetails({ failure, policy, ...rest }: TlsTally): TlsTally {
  return {
    ...rest,
    policy: { type: policy.type, strings: [], mxPatterns: [] },
    failure:
      failure === undefined
        ? undefined
        : { type: failure.type, sendingIp: '', mxHost: '', mxIp: '', reason: '' },
  };
}

/** The part of a result that is kept as one text; equal results have equal texts. */
export function encodeResult({ policy, failure }: Pick<TlsResult, 'policy' | 'failure'>): string {
  const { type, strings, mxPatterns } = policy;
  const of = failure;
  return JSON.stringify([
    [type, strings, mxPatterns],
    of === undefined ? null : [of.type, of.sendingIp, of.mxHost, of.mxIp, of.reason],
  ]);
}

/** Of a text of {@link encodeResult}. Throws `TypeError` for any other. */
export function decodeResult(text: string): Pick<TlsResult, 'policy' | 'failure'> {
  const value: unknown = JSON.parse(text);
  if (!isEncoded(value)) throw new TypeError('A kept TLS result has a form that was never written');
  const [[type, strings, mxPatterns], failed] = value;
  const policy = { type, strings, mxPatterns };
  if (failed === null) return { policy, failure: undefined };
  const [failureType, sendingIp, mxHost, mxIp, reason] = failed;
  return { policy, failure: { type: failureType, sendingIp, mxHost, mxIp, reason } };
}

type Encoded = readonly [
  policy: readonly [ReportedPolicy['type'], readonly string[], readonly string[]],
  failure: null | readonly [ResultType, string, string, string, string],
];

/** What `encodeResult` wrote; nobody else writes here. */
function isEncoded(value: unknown): value is Encoded {
  if (!Array.isArray(value) || value.length !== 2 || !Array.isArray(value[0])) return false;
  return value[0].length === 3 && (value[1] === null || (Array.isArray(value[1]) && value[1].length === 5));
}
