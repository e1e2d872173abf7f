/** `postrider account sending|limit|suspend|resume|grant|revoke`: what an account may send, and in whose name. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { SendingLimitsView, SendingView } from '../control/sending-methods.ts';
import { readWhole } from './argument.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTime, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** `default` is what all accounts may; Commander takes `null` from a reader for an option without a value. */
type Figure = number | 'default';
type LimitOptions = PostOfficeOptions & Partial<Record<keyof SendingLimitsView, Figure>>;

const LIMITS = [
  ['messages-per-hour', 'messagesPerHour'],
  ['messages-per-day', 'messagesPerDay'],
  ['recipients-per-hour', 'recipientsPerHour'],
  ['recipients-per-day', 'recipientsPerDay'],
] as const;

export function registerAccountSending(account: Command, terminal: Terminal): void {
  const show = (options: PostOfficeOptions, shown: { readonly sending: SendingView }): void => {
    if (options.json === true) printJson(terminal, shown);
    else terminal.out(formatSending(shown.sending));
  };

  addPostOfficeOptions(
    account.command('sending <address>').description('show what one may send, and in whose name'),
  ).action(async (address: string, options: PostOfficeOptions) => {
    show(
      options,
      await withPostOffice('account sending', options, async (office) =>
        office.call('sending.show', { address }),
      ),
    );
  });

  const limit = addPostOfficeOptions(
    account.command('limit <address>').description('let one send more or less than the others'),
  );
  for (const [option] of LIMITS)
    limit.option(`--${option} <count>`, "0: no limit; 'default': as all others", readFigure);
  limit.action(async (address: string, options: LimitOptions) => {
    const limits: { -readonly [Key in keyof SendingLimitsView]?: number | null } = {};
    for (const [, key] of LIMITS) {
      const figure = options[key];
      if (figure !== undefined) limits[key] = figure === 'default' ? null : figure;
    }
    if (Object.keys(limits).length === 0)
      throw new CliError(EXIT.usage, 'usage', 'There is nothing to change', 'See --help.');
    show(
      options,
      await withPostOffice('account limit', options, async (office) =>
        office.call('sending.limit', { address, ...limits }),
      ),
    );
  });

  addPostOfficeOptions(
    account
      .command('suspend <address>')
      .description('let it send nothing, and hold what it has in the queue'),
  )
    .option('--reason <text>', 'why, for whoever looks at it later')
    .action(async (address: string, options: PostOfficeOptions & { readonly reason?: string }) => {
      const { reason } = options;
      const done = await withPostOffice('account suspend', options, async (office) =>
        office.call('sending.suspend', { address, ...(reason === undefined ? {} : { reason }) }),
      );
      if (options.json === true) return printJson(terminal, done);
      return terminal.out(`Suspended. Held: ${done.messages} messages, ${done.recipients} recipients.\n`);
    });

  addPostOfficeOptions(account.command('resume <address>').description('let it send again'))
    .option('--release', 'let go, too, what is held of it in the queue')
    .action(async (address: string, options: PostOfficeOptions & { readonly release?: boolean }) => {
      const done = await withPostOffice('account resume', options, async (office) =>
        office.call('sending.resume', { address, ...(options.release === true ? { release: true } : {}) }),
      );
      if (options.json === true) return printJson(terminal, done);
      return terminal.out(`Resumed. Released: ${done.messages} messages, ${done.recipients} recipients.\n`);
    });

  const grants = [
    ['grant', 'sending.grant', 'let it write in the name of another address'],
    ['revoke', 'sending.revoke', 'take that back'],
  ] as const;
  for (const [verb, method, description] of grants)
    addPostOfficeOptions(account.command(`${verb} <address> <as>`).description(description)).action(
      async (address: string, as: string, options: PostOfficeOptions) => {
        show(
          options,
          await withPostOffice(`account ${verb}`, options, async (office) =>
            office.call(method, { address, as }),
          ),
        );
      },
    );
}

function readFigure(text: string): Figure {
  if (text === 'default') return text;
  try {
    return readWhole(text);
  } catch {
    throw new InvalidArgumentError("It is a whole number, or 'default'.");
  }
}

function formatSending({ suspended, limits, grants }: SendingView): string {
  const lines =
    suspended === null
      ? ['sending    allowed']
      : [`sending    suspended since ${formatTime(suspended.atMs)}: ${plainText(suspended.reason)}`];
  for (const [option, key] of LIMITS) {
    const figure = limits[key];
    const text = figure === null ? 'as all others' : figure === 0 ? 'no limit' : String(figure);
    lines.push(`${option.replaceAll('-', ' ')}: ${text}`);
  }
  for (const grant of grants) lines.push(`may write as ${plainText(grant)}`);
  return `${lines.join('\n')}\n`;
}
