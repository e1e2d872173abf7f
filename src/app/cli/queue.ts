/** `postrider queue list|show|retry|hold|release|drop` */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { QueueFilterView, QueuedMessageView, RecipientView } from '../control/view.ts';
import { readWhole } from './argument.ts';
import { CliError, EXIT } from './exit-code.ts';
import { allPages } from './page.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatOctets, formatTable, formatTime, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type FilterOptions = PostOfficeOptions & {
  readonly state?: 'waiting' | 'held';
  readonly domain?: string;
  readonly recipient?: string;
  readonly sender?: string;
};

const LIST_DEFAULT = 1000;

export function registerQueue(program: Command, terminal: Terminal): void {
  const queue = program.command('queue').description('the mail that waits to be delivered');
  registerList(queue, terminal);

  addPostOfficeOptions(
    queue.command('show <id>').description('show one message and each of its recipients'),
  ).action(async (id: string, options: PostOfficeOptions) => {
    const shown = await withPostOffice('queue show', options, async (office) =>
      office.call('queue.show', { id }),
    );
    if (options.json === true) return printJson(terminal, shown);
    return terminal.out(formatMessage(shown.message));
  });

  const acts = [
    ['retry', 'try again now'],
    ['hold', 'keep back until released'],
    ['release', 'let held mail go on'],
    ['drop', 'take out of the queue for good; nobody is told'],
  ] as const;
  for (const [verb, description] of acts) {
    addFilterOptions(queue.command(`${verb} [id]`).description(description))
      .option('--all', 'every message in the queue')
      .action(async (id: string | undefined, options: FilterOptions & { readonly all?: boolean }) => {
        const filter = { ...toFilter(options), ...(id === undefined ? {} : { id }) };
        if ((Object.keys(filter).length === 0) !== (options.all === true))
          throw new CliError(EXIT.usage, 'usage', 'Say which: an id, a filter, or --all', 'See --help.');
        const changed = await withPostOffice(`queue ${verb}`, options, async (office) =>
          office.call(`queue.${verb}`, filter),
        );
        if (options.json === true) return printJson(terminal, changed);
        return terminal.out(
          `${changed.recipients} ${changed.recipients === 1 ? 'recipient' : 'recipients'}.\n`,
        );
      });
  }
}

function registerList(queue: Command, terminal: Terminal): void {
  addFilterOptions(queue.command('list').description('show the messages, oldest first'))
    .option('--limit <count>', 'show at most so many', readWhole, LIST_DEFAULT)
    .action(async (options: FilterOptions & { readonly limit: number }) => {
      const messages = await withPostOffice('queue list', options, async (office) =>
        allPages(
          async (page) => (await office.call('queue.list', { ...toFilter(options), ...page })).messages,
          (one) => one.id,
          options.limit,
        ),
      );
      if (options.json === true) return printJson(terminal, { messages });
      if (messages.length === 0) return terminal.out('The queue is empty, or nothing in it matches.\n');
      const rows = messages.flatMap((message) => message.recipients.map((one) => rowOf(message, one)));
      terminal.out(
        formatTable(['ID', 'ARRIVED', 'SIZE', 'SENDER', 'RECIPIENT', 'STATE', 'LAST ANSWER'], rows),
      );
      if (messages.length === options.limit)
        terminal.error(`These are the first ${options.limit}; there may be more (--limit).\n`);
    });
}

function addFilterOptions(command: Command): Command {
  return addPostOfficeOptions(command)
    .addOption(new Option('--state <state>', 'of a recipient').choices(['waiting', 'held']))
    .option('--domain <domain>', 'where a recipient is')
    .option('--recipient <address>', 'one recipient')
    .option('--sender <address>', "the reverse-path; '<>' is the empty one");
}

function toFilter({ state, domain, recipient, sender }: FilterOptions): QueueFilterView {
  return {
    ...(state === undefined ? {} : { state }),
    ...(domain === undefined ? {} : { domain }),
    ...(recipient === undefined ? {} : { recipient }),
    ...(sender === undefined ? {} : { sender: sender === '<>' ? '' : sender }),
  };
}

function rowOf(message: QueuedMessageView, recipient: RecipientView): readonly string[] {
  const { lastAnswer } = recipient;
  return [
    message.id,
    formatTime(message.arrivedAtMs),
    formatOctets(message.octets),
    message.sender ?? '<>',
    recipient.address,
    formatState(message, recipient),
    lastAnswer === null ? '' : `${lastAnswer.status} ${lastAnswer.text}`,
  ];
}

function formatState(message: QueuedMessageView, { state, dueAtMs }: RecipientView): string {
  if (state !== 'waiting' || dueAtMs === null) return state;
  return message.leased ? 'being delivered' : `waiting until ${formatTime(dueAtMs)}`;
}

function formatMessage(message: QueuedMessageView): string {
  const head = [
    `id        ${message.id}`,
    `sender    ${plainText(message.sender ?? '<>')}`,
    `size      ${formatOctets(message.octets)}`,
    `arrived   ${formatTime(message.arrivedAtMs)}, by ${message.source.kind}${
      message.source.remote === null ? '' : ` from ${plainText(message.source.remote)}`
    }`,
    `expires   ${formatTime(message.expiresAtMs)}`,
  ];
  const recipients = message.recipients.flatMap((recipient) => {
    const { lastAnswer } = recipient;
    const lines = [
      '',
      `recipient ${plainText(recipient.address)}`,
      `state     ${formatState(message, recipient)}`,
    ];
    if (recipient.attempts !== null) lines.push(`attempts  ${recipient.attempts}`);
    if (lastAnswer !== null)
      lines.push(
        `answer    ${lastAnswer.status} ${plainText(lastAnswer.text)} (${lastAnswer.reason}, ` +
          `${lastAnswer.host === null ? 'ours' : plainText(lastAnswer.host)}, ${formatTime(lastAnswer.atMs)})`,
      );
    return lines;
  });
  return `${[...head, ...recipients].join('\n')}\n`;
}
