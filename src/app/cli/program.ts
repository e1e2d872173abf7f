/** The command line: `postrider COMMAND …`. Each command loads what it needs when it runs. */
import { Command, CommanderError } from 'commander';
import { Fault } from '../../base/fault.ts';
import { registerAccount } from './account.ts';
import { registerAlias } from './alias.ts';
import { registerDomain } from './domain.ts';
import { CliError, EXIT } from './exit-code.ts';
import { registerQueue } from './queue.ts';
import { registerRoute } from './route.ts';
import { registerSearch } from './search.ts';
import { registerServer } from './server.ts';
import { registerShare } from './share.ts';
import { registerSrs } from './srs.ts';
import { registerTrace } from './trace.ts';
import { registerSimulate } from './simulate.ts';
import { plainText } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { registerTlsReport } from './tls-report.ts';
import { VERSION } from '../version.ts';
import { registerVerify } from './verify.ts';

const EXAMPLES = `
Examples:
  postrider localserve                         a whole post office on this machine, to try
  postrider localserve --account me@x.test:pw  the same with an account of yours
  postrider serve --config postrider.toml      a configured host
  postrider domain add example.org --config postrider.toml
  postrider account add alice@example.org --config postrider.toml
  postrider queue list --json
  postrider trace alice@example.org --since 2h

Without --config and --dir, commands are about the post office of 'postrider localserve'.
Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid configuration, 4 checks found problems,
5 server not reachable, 6 refused.
`;

/** Runs one command line; what it ends with is in `terminal.exitCode`. Throws only what is a bug. */
export async function runCommandLine(words: readonly string[], terminal: Terminal): Promise<void> {
  const program = createProgram(terminal);
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (cause) {
    if (cause instanceof CommanderError) {
      // Help and version end this way too, with 0.
      terminal.exitCode = cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    const error = toCliError(cause);
    terminal.exitCode = error.exitCode;
    report(terminal, error, words.includes('--json'));
  }
}

function createProgram(terminal: Terminal): Command {
  const program = new Command('postrider')
    .description('A complete mail server: takes mail in, keeps it, serves it, sends it.')
    .version(VERSION, '--version', 'print the version')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError("See 'postrider --help'.")
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.error(text) });
  registerServer(program, terminal);
  registerVerify(program, terminal);
  registerDomain(program, terminal);
  registerAccount(program, terminal);
  registerAlias(program, terminal);
  registerShare(program, terminal);
  registerSrs(program, terminal);
  registerQueue(program, terminal);
  registerRoute(program, terminal);
  registerSimulate(program, terminal);
  registerSearch(program, terminal);
  registerTlsReport(program, terminal);
  registerTrace(program, terminal);
  return program;
}

const REFUSALS: ReadonlySet<string> = new Set(['DatabaseRefused', 'PostgresRefused', 'ShardCountRefused']);

function toCliError(cause: unknown): CliError {
  if (cause instanceof CliError) return cause;
  if (cause instanceof Fault) {
    const why = cause.cause instanceof Error ? `: ${cause.cause.message}` : '';
    return new CliError(EXIT.failed, 'fault', `${cause.message} failed${why}`, 'Nothing was changed.');
  }
  // A file that is not ours or of a newer version; told by its name, so that the engine is not loaded for it.
  if (cause instanceof Error && REFUSALS.has(cause.name))
    return new CliError(EXIT.refused, 'refused-data', cause.message, 'Nothing was changed.');
  throw cause;
}

function report(terminal: Terminal, error: CliError, isJson: boolean): void {
  const { kind, message, hint } = error;
  if (isJson) {
    const shown = { error: { kind, message, ...(hint === undefined ? {} : { hint }) } };
    terminal.error(`${JSON.stringify(shown)}\n`);
    return;
  }
  const text = message.split('\n').map(plainText).join('\n');
  terminal.error(`postrider: ${text}\n${hint === undefined ? '' : `${hint}\n`}`);
}
