/** `postrider queue retry|hold|freeze|release|expire|drop|requeue|reroute|suspend|resume` */
import type { Command } from 'commander';
import type { QueueFilterView } from '../control/queue-view.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOffice, PostOfficeOptions } from './post-office.ts';
import { addFilterOptions, toFilter } from './queue-filter.ts';
import type { FilterOptions } from './queue-filter.ts';
import { describeScope, formatGroups } from './queue-summary.ts';
import { printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type ActOptions = FilterOptions & { readonly all?: boolean; readonly dryRun?: boolean };
type RerouteOptions = ActOptions & { readonly toAddress?: string; readonly toHop?: string };
type Changed = {
  readonly messages: number;
  readonly recipients: number;
  readonly busy?: number;
  readonly unknown?: number;
};
type Run<Options> = (
  office: PostOffice,
  filter: QueueFilterView & { readonly dryRun: boolean },
  options: Options,
) => Promise<Changed>;

/** Groups that a dry run shows. */
const SHOWN_GROUPS = 20;

export function registerQueueActs(queue: Command, terminal: Terminal): void {
  register(queue, terminal, 'retry', 'try again now', (office, filter) => office.call('queue.retry', filter));
  register(queue, terminal, 'hold', 'keep back until released', (office, filter) =>
    office.call('queue.hold', filter),
  );
  register(queue, terminal, 'freeze', 'keep back messages with all their recipients', (office, filter) =>
    office.call('queue.hold', { ...filter, whole: true }),
  );
  register(queue, terminal, 'release', 'let held mail go on', (office, filter) =>
    office.call('queue.release', filter),
  );
  register(queue, terminal, 'expire', 'give up at once; who sent it is told', (office, filter) =>
    office.call('queue.expire', filter),
  );
  register(queue, terminal, 'drop', 'take out of the queue for good; nobody is told', (office, filter) =>
    office.call('queue.drop', filter),
  );
  register(
    queue,
    terminal,
    'requeue',
    'look each address up anew (aliases, accounts), and try again now',
    (office, filter) => office.call('queue.requeue', filter),
  );
  register<RerouteOptions>(
    queue,
    terminal,
    'reroute',
    'give another address (--to-address) or next hop (--to-hop), and try again now',
    (office, filter, { toAddress, toHop }) => {
      if ((toAddress === undefined) === (toHop === undefined))
        throw new CliError(EXIT.usage, 'usage', 'Say one of --to-address and --to-hop', 'See --help.');
      return office.call('queue.reroute', {
        ...filter,
        ...(toAddress === undefined ? {} : { toAddress }),
        ...(toHop === undefined ? {} : { toHop }),
      });
    },
  )
    .option('--to-address <address>', 'the recipient from now on')
    .option(
      '--to-hop <hop>',
      'whose hosts take the mail: a domain or an address in brackets; `:port` behind it, `lmtp:` or `smtps:` before it',
    );
  registerSuspension(queue, terminal);
}

function register<Options extends ActOptions = ActOptions>(
  queue: Command,
  terminal: Terminal,
  verb: string,
  description: string,
  run: Run<Options>,
): Command {
  return addFilterOptions(queue.command(`${verb} [id]`).description(description))
    .option('--all', 'every message in the queue')
    .option('--dry-run', 'only say how many, and what')
    .action(async (id: string | undefined, options: Options) => {
      const filter = { ...toFilter(options), ...(id === undefined ? {} : { id }) };
      if ((Object.keys(filter).length === 0) !== (options.all === true))
        throw new CliError(EXIT.usage, 'usage', 'Say which: an id, a filter, or --all', 'See --help.');
      const dryRun = options.dryRun === true;
      const { changed, groups } = await withPostOffice(`queue ${verb}`, options, async (office) => ({
        changed: await run(office, { ...filter, dryRun }, options),
        groups: dryRun
          ? (await office.call('queue.summary', { ...filter, limit: SHOWN_GROUPS })).groups
          : undefined,
      }));
      if (options.json === true)
        return printJson(terminal, { ...changed, ...(groups === undefined ? {} : { dryRun, groups }) });
      terminal.out(`${dryRun ? 'Would change: ' : ''}${describe(changed)}\n`);
      if (groups !== undefined && groups.length > 0)
        terminal.out(`\nWhat matches:\n${formatGroups(groups, Date.now())}`);
      return undefined;
    });
}

function describe({ messages, recipients, busy = 0, unknown = 0 }: Changed): string {
  const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`;
  const words = [`${count(recipients, 'recipient')} of ${count(messages, 'message')}.`];
  if (busy > 0)
    words.push(`Passed over, as they are being delivered at this moment: ${count(busy, 'message')}.`);
  if (unknown > 0)
    words.push(`Left as they are, as their address is nobody's: ${count(unknown, 'recipient')}.`);
  return words.join(' ');
}

type ScopeOptions = PostOfficeOptions & { readonly route?: string; readonly all?: boolean };

function registerSuspension(queue: Command, terminal: Terminal): void {
  const scoped = (verb: string, description: string): Command =>
    addPostOfficeOptions(queue.command(`${verb} [domain]`).description(description))
      .option('--route <key>', "a route, by the name that 'queue show' and 'route' give it")
      .option('--all', 'everything for other hosts');
  const scopeOf = (domain: string | undefined, { route, all }: ScopeOptions) => {
    if ([domain !== undefined, route !== undefined, all === true].filter(Boolean).length !== 1)
      throw new CliError(EXIT.usage, 'usage', 'Say which: a domain, --route, or --all', 'See --help.');
    return {
      ...(domain === undefined ? {} : { domain }),
      ...(route === undefined ? {} : { route }),
      ...(all === true ? { all } : {}),
    };
  };
  scoped('suspend', 'deliver nothing to a destination until it is resumed').action(
    async (domain: string | undefined, options: ScopeOptions) => {
      const scope = scopeOf(domain, options);
      const suspended = await withPostOffice('queue suspend', options, async (office) =>
        office.call('queue.suspend', scope),
      );
      if (options.json === true) return printJson(terminal, suspended);
      return terminal.out(`Suspended: ${describeScope(suspended.scope)}.\n`);
    },
  );
  scoped('resume', 'end a suspension; what it held goes on').action(
    async (domain: string | undefined, options: ScopeOptions) => {
      const scope = scopeOf(domain, options);
      const resumed = await withPostOffice('queue resume', options, async (office) =>
        office.call('queue.resume', scope),
      );
      if (options.json === true) return printJson(terminal, resumed);
      return terminal.out(`Resumed. Let go: ${describe(resumed)}\n`);
    },
  );
}
