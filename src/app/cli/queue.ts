/** `postrider queue …`: what waits, why, and what an operator does about it. */
import type { Command } from 'commander';
import type { QueuedMessageView, RecipientView } from '../control/queue-view.ts';
import { readWhole } from './argument.ts';
import { allPages } from './page.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOffice, PostOfficeOptions } from './post-office.ts';
import { registerQueueActs } from './queue-act.ts';
import { addFilterOptions, toFilter } from './queue-filter.ts';
import type { FilterOptions } from './queue-filter.ts';
import { formatSummary } from './queue-summary.ts';
import { formatOctets, formatTable, formatTime, plainLines, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

const LIST_DEFAULT = 1000;
const SUMMARY_DEFAULT = 100;

export function registerQueue(program: Command, terminal: Terminal): void {
  const queue = program.command('queue').description('the mail that waits to be delivered');
  registerList(queue, terminal);
  registerSummary(queue, terminal);

  addPostOfficeOptions(queue.command('show <id>').description('show one message and each of its recipients'))
    .option('--content', 'its header and body too, as they are; with --json as base64')
    .action(async (id: string, options: PostOfficeOptions & { readonly content?: true }) => {
      const shown = await withPostOffice('queue show', options, async (office) => ({
        ...(await office.call('queue.show', { id })),
        ...(options.content === true ? { content: await contentOf(office, id) } : {}),
      }));
      const { content } = shown;
      if (options.json === true)
        return printJson(
          terminal,
          content === undefined ? shown : { ...shown, content: content.toString('base64') },
        );
      terminal.out(formatMessage(shown.message));
      if (content !== undefined) terminal.out(`\n${plainLines(content.toString('utf8'))}\n`);
      return undefined;
    });
  registerQueueActs(queue, terminal);
}

/** All of it: an operator looks at few messages, and at no two of them at once. */
async function contentOf(office: PostOffice, id: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let from = 0; ;) {
    // oxlint-disable-next-line no-await-in-loop -- piece after piece
    const { octets, total } = await office.call('queue.content', { id, from });
    const piece = Buffer.from(octets, 'base64');
    pieces.push(piece);
    from += piece.length;
    if (piece.length === 0 || from >= total) return Buffer.concat(pieces);
  }
}

function registerList(queue: Command, terminal: Terminal): void {
  addFilterOptions(queue.command('list').description('show the messages, oldest first'))
    .option('--limit <count>', 'show at most so many', readWhole, LIST_DEFAULT)
    .option('--after <id>', 'go on behind this message')
    .action(async (options: FilterOptions & { readonly limit: number; readonly after?: string }) => {
      const messages = await withPostOffice('queue list', options, async (office) =>
        allPages(
          async (page) => (await office.call('queue.list', { ...toFilter(options), ...page })).messages,
          (one) => one.id,
          options.limit,
          options.after,
        ),
      );
      if (options.json === true) return printJson(terminal, { messages });
      if (messages.length === 0) return terminal.out('The queue is empty, or nothing in it matches.\n');
      const rows = messages.flatMap((message) => message.recipients.map((one) => rowOf(message, one)));
      terminal.out(
        formatTable(['ID', 'ARRIVED', 'SIZE', 'SENDER', 'RECIPIENT', 'STATE', 'LAST ANSWER'], rows),
      );
      if (messages.length === options.limit)
        terminal.error(
          `These are the first ${options.limit}; there may be more (--limit, --after ${messages.at(-1)?.id ?? ''}).\n`,
        );
    });
}

function registerSummary(queue: Command, terminal: Terminal): void {
  addFilterOptions(
    queue.command('summary').description('count the recipients by domain and last reply, most first'),
  )
    .option('--limit <count>', 'show at most so many groups', readWhole, SUMMARY_DEFAULT)
    .action(async (options: FilterOptions & { readonly limit: number }) => {
      const summary = await withPostOffice('queue summary', options, async (office) =>
        office.call('queue.summary', { ...toFilter(options), limit: options.limit }),
      );
      if (options.json === true) return printJson(terminal, summary);
      return terminal.out(formatSummary(summary, Date.now()));
    });
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

function formatState(message: QueuedMessageView, { state, hold, dueAtMs }: RecipientView): string {
  if (state === 'held') return `held (${plainText(hold ?? '')})`;
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
    if (lastAnswer !== null && lastAnswer.tls !== null) lines.push(`tls       ${plainText(lastAnswer.tls)}`);
    return lines;
  });
  return `${[...head, ...recipients].join('\n')}\n`;
}
