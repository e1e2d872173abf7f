/** `postrider trace ID|ADDRESS`: the story of a message, or the messages of an address. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { TRACE_OUTCOMES, type TraceDirection, type TraceOutcome } from '../../trace/story.ts';
import type { TraceEntryView, TraceFilterView, TraceSummaryView, TraceView } from '../control/trace-view.ts';
import { readWhole } from './argument.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOffice, PostOfficeOptions } from './post-office.ts';
import { formatOctets, formatTable, formatTime, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type TraceOptions = PostOfficeOptions & {
  readonly client?: string;
  readonly messageId?: string;
  readonly since?: number;
  readonly until?: number;
  readonly direction?: TraceDirection;
  readonly outcome?: TraceOutcome;
  readonly before?: string;
  readonly limit: number;
};

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 1000;
/** Requests for one list: each looks through some thousand traces. */
const REQUESTS_MAX = 200;

export function registerTrace(program: Command, terminal: Terminal): void {
  addPostOfficeOptions(
    program
      .command('trace [what]')
      .description('tell the story of a message by its id, or list those of an address; refused ones too')
      .option('--client <address>', 'that came from this IP address')
      .option('--message-id <id>', 'with this Message-ID')
      .option('--since <time>', 'begun after: 2h, 3d, 2026-01-31, or 2026-01-31T12:00Z', readTime)
      .option('--until <time>', 'begun before', readTime)
      .addOption(
        new Option('--direction <direction>', 'from other hosts, or from our own').choices(['in', 'out']),
      )
      .addOption(
        new Option('--outcome <outcome>', 'of the message or one of its recipients').choices(TRACE_OUTCOMES),
      )
      .option('--before <id>', 'go on below this id')
      .option('--limit <count>', `show at most so many (up to ${LIMIT_MAX})`, readWhole, LIMIT_DEFAULT),
  ).action(async (what: string | undefined, options: TraceOptions) => {
    const isList = what === undefined || what === '<>' || what.includes('@');
    if (!isList) return show(what, options, terminal);
    return list(what, options, terminal);
  });
}

async function show(id: string, options: TraceOptions, terminal: Terminal): Promise<void> {
  // Commander has no word for what goes with an argument of one kind only.
  if (Object.keys(toFilter(undefined, options)).length > 0)
    throw new CliError(EXIT.usage, 'usage', 'An id needs no filter', 'See --help.');
  const { trace } = await withPostOffice('trace', options, (office) =>
    office.call('trace.show', { id: id.toUpperCase() }),
  );
  if (options.json === true) return printJson(terminal, { trace });
  return terminal.out(formatTrace(trace));
}

async function list(address: string | undefined, options: TraceOptions, terminal: Terminal): Promise<void> {
  const limit = Math.min(options.limit, LIMIT_MAX);
  const filter = toFilter(address, options);
  const found = await withPostOffice('trace', options, (office) =>
    pages(office, filter, options.before, limit),
  );
  if (options.json === true) return printJson(terminal, found);
  const { traces, next } = found;
  if (traces.length === 0 && next === null)
    return terminal.out('Nothing matches, or it is no longer kept.\n');
  terminal.out(
    formatTable(['ID', 'BEGAN', 'FROM', 'SENDER', 'RECIPIENT', 'OUTCOME', 'LAST WORD'], traces.map(rowOf)),
  );
  if (next !== null) terminal.error(`There may be more: --before ${next}\n`);
}

/** A request may find nothing among what it looks through, and say where to go on. */
async function pages(
  office: PostOffice,
  filter: TraceFilterView,
  from: string | undefined,
  limit: number,
): Promise<{ readonly traces: readonly TraceSummaryView[]; readonly next: string | null }> {
  const traces: TraceSummaryView[] = [];
  let before = from;
  for (let request = 0; request < REQUESTS_MAX; request += 1) {
    const page = await office.call('trace.find', {
      ...filter,
      ...(before === undefined ? {} : { before }),
      limit: limit - traces.length,
    });
    traces.push(...page.traces);
    if (page.next === null || traces.length >= limit) return { traces, next: page.next };
    before = page.next;
  }
  return { traces, next: before ?? null };
}

function toFilter(address: string | undefined, options: TraceOptions): TraceFilterView {
  const { client, messageId, since, until, direction, outcome } = options;
  return {
    ...(address === undefined ? {} : { address: address === '<>' ? '' : address.replace(/^<(.*)>$/, '$1') }),
    ...(client === undefined ? {} : { client: plainIp(client) }),
    ...(messageId === undefined ? {} : { messageId: messageId.replace(/^<(.*)>$/, '$1') }),
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(direction === undefined ? {} : { direction }),
    ...(outcome === undefined ? {} : { outcome }),
  };
}

/** As the sockets tell it: `2001:db8::1`, however it was written. */
function plainIp(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  return bare.includes(':') ? (URL.parse(`http://[${bare}]/`)?.hostname.slice(1, -1) ?? bare) : bare;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`: so long ago; else a date, with or without a time. */
export function readTime(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return Date.now() - Number(count) * (UNITS_MS[unit] ?? 0);
  const at = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at) || at < 0)
    throw new InvalidArgumentError('It is written like 90m, 2h, 3d, 2026-01-31 or 2026-01-31T12:00Z.');
  return at;
}

function rowOf(trace: TraceSummaryView): readonly string[] {
  const [first, ...others] = trace.recipients;
  return [
    trace.id,
    formatTime(trace.atMs),
    trace.client ?? 'here',
    trace.sender === '' ? '<>' : (trace.sender ?? '-'),
    `${first?.address ?? '-'}${others.length === 0 ? '' : ` and ${others.length} more`}`,
    trace.outcome,
    trace.lastText ?? '',
  ];
}

function formatTrace(trace: TraceView): string {
  const head = [
    `id         ${trace.id}`,
    `began      ${formatTime(trace.atMs)}`,
    `outcome    ${trace.outcome}`,
    ...(trace.sender === null ? [] : [`sender     ${plainText(trace.sender === '' ? '<>' : trace.sender)}`]),
    ...trace.recipients.map(({ address, fate }) => `recipient  ${plainText(address)}: ${fate}`),
    ...(trace.octets === null ? [] : [`size       ${formatOctets(trace.octets)}`]),
    ...(trace.messageId === null ? [] : [`message-id ${plainText(trace.messageId)}`]),
    ...(trace.subject === null ? [] : [`subject    ${plainText(trace.subject)}`]),
  ];
  const session = trace.session.length === 0 ? [] : ['', 'In its session:', ...lines(trace.session)];
  return `${[...head, ...session, '', ...lines(trace.entries)].join('\n')}\n`;
}

/** `2026-01-31 12:00:00.123 RCPT TO:<bob@example.org>: accepted` */
function lines(entries: readonly TraceEntryView[]): readonly string[] {
  return entries.map(({ atMs, text }) => `${formatInstant(atMs)} ${plainText(text)}`);
}

function formatInstant(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace(/Z$/, '');
}
