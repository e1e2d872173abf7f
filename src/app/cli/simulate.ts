/** `postrider simulate`: what would become of a session, by each stage, without sending anything. */
import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { Fault } from '../../base/fault.ts';
import type { Simulation } from '../simulate/simulate.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type SimulateOptions = PostOfficeOptions & {
  readonly client?: string;
  readonly user?: string;
  readonly helo?: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly message?: string;
  readonly account?: string;
  readonly service?: 'smtp' | 'submission' | 'lmtp';
  readonly tls?: boolean;
};

/** What one request to a server may hold, with room for the rest of it and for JSON. */
const MESSAGE_OCTETS_MAX = 400_000;
const EXAMPLE = `
Examples:
  postrider simulate --client 192.0.2.1 --helo mx.example.net --from ann@example.net --to bob@example.org
  postrider simulate --user www-data --from web@example.org --to bob@example.org

Exit code 0: the message would be taken (or held, or discarded); 6: it would be refused or deferred.
`;

export function registerSimulate(program: Command, terminal: Terminal): void {
  addPostOfficeOptions(
    program
      .command('simulate')
      .description('run a session on given facts and show what each stage says; nothing is sent or counted'),
  )
    .option('--client <address>', 'the IP address of the client')
    .option('--user <login>', 'instead: the user of this machine whose program pipes it into sendmail')
    .option('--helo <name>', 'what the client calls itself, else client.invalid')
    .requiredOption('--from <address>', "the reverse-path; '<>' is the empty one")
    .requiredOption('--to <address...>', 'the recipients')
    .option('--message <file>', 'the message; without it a short one is made up')
    .option('--account <address>', 'the account that signs in to submit it')
    .addOption(new Option('--service <service>', 'where it comes in').choices(['smtp', 'submission', 'lmtp']))
    .option('--tls', 'as if under TLS; who signs in is')
    .addHelpText('after', EXAMPLE)
    .action(async (options: SimulateOptions) => {
      const { client, user, helo, to, account, service } = options;
      if ((client === undefined) === (user === undefined))
        throw new CliError(EXIT.usage, 'usage', 'Say one of --client and --user', 'See --help.');
      if (options.message !== undefined && options.message === '')
        throw new InvalidArgumentError('It is the name of a file.');
      const message = options.message === undefined ? undefined : await readMessage(options.message);
      const { simulation } = await withPostOffice('simulate', options, async (office) =>
        office.call('simulate', {
          ...(client === undefined ? {} : { client }),
          ...(user === undefined ? {} : { user }),
          ...(helo === undefined ? {} : { helo }),
          from: options.from === '<>' ? '' : options.from,
          to,
          ...(message === undefined ? {} : { message }),
          ...(account === undefined ? {} : { account }),
          ...(service === undefined ? {} : { service }),
          ...(options.tls === true ? { tls: true } : {}),
        }),
      );
      if (options.json === true) printJson(terminal, { simulation });
      else terminal.out(formatSimulation(simulation));
      if (simulation.outcome === 'refused' || simulation.outcome === 'deferred')
        terminal.exitCode = EXIT.refused;
    });
}

/** Octets as characters; lines end with CRLF, as a program that pipes mail would have them end. */
async function readMessage(file: string): Promise<string> {
  let octets: Buffer;
  try {
    octets = await readFile(file);
  } catch (cause) {
    throw new Fault(`Reading ${file}`, cause);
  }
  if (octets.length > MESSAGE_OCTETS_MAX)
    throw new CliError(
      EXIT.usage,
      'usage',
      `The message has more than ${MESSAGE_OCTETS_MAX} octets`,
      'Take its header and a part of its body.',
    );
  return octets.toString('latin1').replace(/\r?\n/g, '\r\n');
}

function formatSimulation({ steps, outcome, hold, recipients, fields }: Simulation): string {
  const lines = steps.flatMap(({ stage, command, code, text, reason, verdicts }) => [
    `${stage.padEnd(10)}${plainText(command)}`.trimEnd(),
    `${' '.repeat(10)}${code} ${plainText(text)}${reason === null ? '' : ` (${plainText(reason)})`}`,
    ...verdicts.map(
      (one) =>
        `${' '.repeat(10)}check ${plainText(one.check)}: ${one.verdict}, ${plainText(one.reason)}${
          one.tags.length === 0 ? '' : `, tags ${plainText(one.tags.join(' '))}`
        }`,
    ),
  ]);
  lines.push(
    `outcome   ${outcome}${hold === null ? '' : `: ${plainText(hold.text)} (${plainText(hold.reason)})`}`,
  );
  for (const recipient of recipients) lines.push(`for       ${plainText(recipient)}`);
  for (const line of fields.split('\r\n')) if (line !== '') lines.push(`field     ${plainText(line)}`);
  return `${lines.join('\n')}\n`;
}
