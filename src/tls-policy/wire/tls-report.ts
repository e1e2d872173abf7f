/** How sessions with other hosts went, and the report of RFC 8460 §4.4 as a value that `JSON.stringify` writes. Pure. */
/** RFC 8460 §4.3. */
export const RESULT_TYPES = [
  'starttls-not-supported',
  'certificate-host-mismatch',
  'certificate-expired',
  'certificate-not-trusted',
  'validation-failure',
  'tlsa-invalid',
  'dnssec-invalid',
  'dane-required',
  'sts-policy-fetch-error',
  'sts-policy-invalid',
  'sts-webpki-invalid',
] as const;
export type ResultType = (typeof RESULT_TYPES)[number];

/** The policy of a domain that a session was held to, as reports have it (RFC 8460 §4.4). */
export type ReportedPolicy = {
  readonly type: 'tlsa' | 'sts' | 'no-policy-found';
  readonly strings: readonly string[];
  /** Of an MTA-STS policy. */
  readonly mxPatterns: readonly string[];
};

/** RFC 8460 §4.4: 'failure-details' but for the count; texts are empty where they are not known. */
export type FailedSession = {
  readonly type: ResultType;
  readonly sendingIp: string;
  readonly mxHost: string;
  readonly mxIp: string;
  readonly reason: string;
};

export type TlsResult = {
  /** UTC: `2026-11-29`. */
  readonly day: string;
  readonly domain: string;
  readonly policy: ReportedPolicy;
  /** Undefined: it went as the policy asks. */
  readonly failure: FailedSession | undefined;
};

export type TlsTally = TlsResult & { readonly sessions: number };

/** A day of a domain: what one report is about. */
export type ReportKey = { readonly day: string; readonly domain: string };

export type TlsReport = {
  readonly 'organization-name': string;
  readonly 'date-range': { readonly 'start-datetime': string; readonly 'end-datetime': string };
  readonly 'contact-info': string;
  readonly 'report-id': string;
  readonly policies: readonly {
    readonly policy: {
      readonly 'policy-type': ReportedPolicy['type'];
      readonly 'policy-string'?: readonly string[];
      readonly 'policy-domain': string;
      readonly 'mx-host'?: readonly string[];
    };
    readonly summary: {
      readonly 'total-successful-session-count': number;
      readonly 'total-failure-session-count': number;
    };
    readonly 'failure-details'?: readonly FailureDetails[];
  }[];
};

type FailureDetails = {
  readonly 'result-type': ResultType;
  readonly 'sending-mta-ip'?: string;
  readonly 'receiving-mx-hostname'?: string;
  readonly 'receiving-ip'?: string;
  readonly 'failed-session-count': number;
  readonly 'failure-reason-code'?: string;
};

export type Reporter = { readonly organization: string; readonly contact: string };

/** @param tallies all of the key */
export function toTlsReport(
  { day, domain }: ReportKey,
  tallies: readonly TlsTally[],
  { organization, contact }: Reporter,
): TlsReport {
  const groups = Map.groupBy(tallies, ({ policy }) => JSON.stringify([policy.type, policy.strings]));
  return {
    'organization-name': organization,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': contact,
    'report-id': `${day}_${domain}@${organization}`,
    policies: [...groups.values()].map((group) => toPolicy(domain, group)),
  };
}

function toPolicy(domain: string, group: readonly TlsTally[]): TlsReport['policies'][number] {
  const { type = 'no-policy-found', strings = [], mxPatterns = [] } = group[0]?.policy ?? {};
  const failed = group.filter(({ failure }) => failure !== undefined);
  const sum = (some: readonly TlsTally[]): number => some.reduce((total, one) => total + one.sessions, 0);
  const details = failed.flatMap(({ failure, sessions }) =>
    failure === undefined
      ? []
      : [
          {
            'result-type': failure.type,
            ...(failure.sendingIp === '' ? {} : { 'sending-mta-ip': failure.sendingIp }),
            ...(failure.mxHost === '' ? {} : { 'receiving-mx-hostname': failure.mxHost }),
            ...(failure.mxIp === '' ? {} : { 'receiving-ip': failure.mxIp }),
            'failed-session-count': sessions,
            ...(failure.reason === '' ? {} : { 'failure-reason-code': failure.reason }),
          },
        ],
  );
  return {
    policy: {
      'policy-type': type,
      ...(strings.length === 0 ? {} : { 'policy-string': strings }),
      'policy-domain': domain,
      ...(mxPatterns.length === 0 ? {} : { 'mx-host': mxPatterns }),
    },
    summary: {
      'total-successful-session-count': sum(group) - sum(failed),
      'total-failure-session-count': sum(failed),
    },
    ...(details.length === 0 ? {} : { 'failure-details': details }),
  };
}
