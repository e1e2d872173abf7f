/** `postrider tls-report show` */
import type { Command } from 'commander';
import type { TlsReportView } from '../control/tls-methods.ts';
import { readWhole } from './argument.ts';
import { allPages } from './page.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTable, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type ShowOptions = PostOfficeOptions & {
  readonly day?: string;
  readonly domain?: string;
  readonly limit: number;
};

const LIMIT_DEFAULT = 1000;

export function registerTlsReport(program: Command, terminal: Terminal): void {
  const report = program.command('tls-report').description('how sessions with other hosts went under TLS');
  addPostOfficeOptions(
    report
      .command('show')
      .description('show the outcomes of each domain and day; with --json, reports of RFC 8460')
      .option('--domain <domain>', 'of this domain alone')
      .option('--day <day>', 'of this day alone (UTC), as 2026-11-29')
      .option('--limit <count>', 'show at most so many days of domains', readWhole, LIMIT_DEFAULT),
  ).action(async ({ day, domain, limit, ...options }: ShowOptions) => {
    const filter = { ...(day === undefined ? {} : { day }), ...(domain === undefined ? {} : { domain }) };
    const views = await withPostOffice('tls-report show', options, async (office) =>
      allPages(
        async (page) => (await office.call('tls-report.show', { ...filter, ...page })).reports,
        (one) => `${one.day} ${one.domain}`,
        limit,
      ),
    );
    if (options.json === true) return printJson(terminal, { reports: views.map((view) => view.report) });
    return terminal.out(formatReports(views));
  });
}

function formatReports(views: readonly TlsReportView[]): string {
  if (views.length === 0) return 'Nothing was counted.\n';
  const rows = views.flatMap(({ day, domain, report }) =>
    report.policies.flatMap(({ policy, summary, 'failure-details': details = [] }) => [
      [day, domain, policy['policy-type'], String(summary['total-successful-session-count']), '', '', ''],
      ...details.map((one) => [
        day,
        domain,
        policy['policy-type'],
        '',
        String(one['failed-session-count']),
        one['result-type'],
        [one['receiving-mx-hostname'], one['failure-reason-code']].filter(Boolean).join(': '),
      ]),
    ]),
  );
  return formatTable(['DAY', 'DOMAIN', 'POLICY', 'GOOD', 'FAILED', 'RESULT', 'DETAILS'], rows);
}
