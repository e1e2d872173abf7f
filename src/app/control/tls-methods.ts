/** What can be asked about TLS with other hosts from outside the protocols. */
import { ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Config } from '../../config/config.ts';
import type { TlsRecords } from '../../tls-policy/tls-records.ts';
import { toTlsReport } from '../../tls-policy/wire/tls-report.ts';
import type { ReportKey, Reporter, TlsReport } from '../../tls-policy/wire/tls-report.ts';
import { BadRequest } from './fields.ts';
import type { Fields } from './fields.ts';
import type { ControlProblem } from './problem.ts';

/** One day of one domain. */
export type TlsReportView = ReportKey & { readonly report: TlsReport };

export type TlsMethods = {
  /** In order of day and domain. `after`: day and domain of the last one seen, with a space between them. */
  'tls-report.show': {
    params: {
      readonly day?: string;
      readonly domain?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    result: { readonly reports: readonly TlsReportView[] };
  };
};

/** What reports are made of, and in whose name. */
export type TlsReports = { readonly records: TlsRecords; readonly reporter: Reporter };

export type TlsControlPorts = { tlsReports(): Promise<TlsReports> };

export function reporterOf({ hostname, postmaster }: Pick<Config, 'hostname' | 'postmaster'>): Reporter {
  return { organization: hostname, contact: postmaster ?? `postmaster@${hostname}` };
}

type Shown = Result<TlsMethods['tls-report.show']['result'], ControlProblem>;

export const TLS_METHODS: {
  readonly 'tls-report.show': (fields: Fields, ports: TlsControlPorts) => Promise<Shown>;
} = {
  'tls-report.show': async (fields, ports) => {
    const day = fields.optionalText('day');
    const domain = fields.optionalText('domain')?.toLowerCase();
    const { after, limit } = fields.page();
    fields.end();
    if (day !== undefined && !DAY.test(day)) throw new BadRequest('day is not of the form 2026-11-29');
    const filter = { ...(day === undefined ? {} : { day }), ...(domain === undefined ? {} : { domain }) };
    const { records, reporter } = await ports.tlsReports();
    const keys = await records.reportKeys(filter, toKey(after), limit);
    const reports: TlsReportView[] = [];
    for (const key of keys)
      reports.push({ ...key, report: toTlsReport(key, await records.results(key), reporter) });
    return ok({ reports });
  },
};

const DAY = /^\d{4}-\d\d-\d\d$/;

function toKey(after: string | undefined): ReportKey | undefined {
  if (after === undefined) return undefined;
  const [day = '', domain = '', ...more] = after.split(' ');
  if (!DAY.test(day) || more.length > 0) throw new BadRequest('after is no day and domain');
  return { day, domain };
}
