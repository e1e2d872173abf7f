/** Which post office a command speaks of (`--config`, `--dir`), and the way to it, running or stopped. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Option } from 'commander';
import type { Command } from 'commander';
import { Fault } from '../../base/fault.ts';
import type { Config } from '../../config/config.ts';
import { makeFolder } from '../../disk/folder.ts';
import { ControlLost, connectControl } from '../control/client.ts';
import type { ControlClient } from '../control/client.ts';
import type { ControlMethod, ControlParams, ControlResult } from '../control/methods.ts';
import type { ControlProblem } from '../control/problem.ts';
import { defaultDirectory } from '../default-directory.ts';
import { CliError, EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';

/** Options that every command on a post office has. */
export type PostOfficeOptions = {
  readonly config?: string;
  readonly dir?: string;
  readonly json?: boolean;
};

/** A client whose refusals have become errors of the command line. */
export type PostOffice = {
  call<Method extends ControlMethod>(
    method: Method,
    params: ControlParams<Method>,
  ): Promise<ControlResult<Method>>;
};

/** How long a server is given that has the lock but does not listen yet, or not any more. */
const IN_USE_PATIENCE_MS = 10_000;
const IN_USE_RETRY_MS = 100;

export function addPostOfficeOptions(command: Command): Command {
  return command
    .addOption(new Option('--config <file>', 'the configuration of the post office').conflicts('dir'))
    .option('--dir <dir>', "its data directory (default: that of 'postrider localserve')")
    .option('--json', 'print JSON, for programs');
}

/** Opens the post office, runs, and closes it again. */
export async function withPostOffice<Answer>(
  what: string,
  options: PostOfficeOptions,
  run: (office: PostOffice) => Promise<Answer>,
): Promise<Answer> {
  const client = await openClient(`postrider ${what}`, options);
  try {
    return await run({
      call: async (method, params) => {
        const answered = await client.call(method, params);
        if (!answered.ok) throw toCliError(answered.error, method);
        return answered.value;
      },
    });
  } catch (cause) {
    if (cause instanceof ControlLost)
      throw new CliError(
        EXIT.notReachable,
        'not-reachable',
        cause.message,
        'Look at its log, and ask again.',
      );
    throw cause;
  } finally {
    await client.close();
  }
}

async function openClient(what: string, options: PostOfficeOptions): Promise<ControlClient> {
  const { dataDirectory, config } = await findData(options);
  const { describeDirectoryProblem, findDataDirectory } = await import('../data-directory.ts');
  const found = await findDataDirectory(dataDirectory);
  if (!found.ok)
    throw new CliError(EXIT.refused, 'refused-data', describeDirectoryProblem(dataDirectory, found.error));
  const givesUpAtMs = performance.now() + IN_USE_PATIENCE_MS;
  for (;;) {
    const running = await connectControl(dataDirectory);
    if (running !== undefined) return running;
    // Loaded only now: a running server needs none of this.
    const { openStopped } = await import('../control/stopped.ts');
    const { returnPathOptions } = await import('../return-paths.ts');
    const stopped = await openStopped({
      dataDirectory,
      what,
      settings: {
        postmasterAddress: config?.postmaster,
        ...(config === undefined
          ? {}
          : {
              detailSeparator: config.subaddressSeparator,
              makesScramKeys: config.signIn.scram !== 'never',
            }),
      },
      returnPaths: returnPathOptions(config),
      openStores: async () => (await import('../open-stores.ts')).openStores(dataDirectory, config),
      explainerFor: (directory) => async (question) => {
        const { localConfig } = await import('../open-stores.ts');
        const { routeExplainer } = await import('../route-explainer.ts');
        // As `localserve` and `serve` send.
        const loopbackAllowed = config === undefined || config.outgoing.port !== 25;
        return routeExplainer(config ?? localConfig(dataDirectory), directory, loopbackAllowed)(question);
      },
      simulation: async () => (await import('../open-stores.ts')).openSimulation(dataDirectory, config),
      openTraces: async () => (await import('../open-stores.ts')).openTraces(dataDirectory, config),
      openNotes: async () => (await import('../open-stores.ts')).openNotes(dataDirectory, config),
      onNotesLost: (cause) =>
        void process.stderr.write(
          `postrider: what was done is not in the traces: ${cause instanceof Error ? cause.message : String(cause)}\n`,
        ),
      ...(config?.store.backend !== 'postgres'
        ? {}
        : {
            openDirectory: async (settings) =>
              (await import('../postgres-backends.ts')).openPostgresDirectory(config, settings),
          }),
    });
    if (stopped.ok) return stopped.value;
    if (performance.now() > givesUpAtMs) {
      const { describeInUse } = await import('../data-lock.ts');
      const message = `${describeInUse(dataDirectory, stopped.error)}, which does not answer`;
      throw new CliError(
        EXIT.notReachable,
        'not-reachable',
        message,
        'Wait for it, or stop it, and try again.',
      );
    }
    await pause(IN_USE_RETRY_MS);
  }
}

async function findData(
  options: PostOfficeOptions,
): Promise<{ readonly dataDirectory: string; readonly config: Config | undefined }> {
  if (options.config === undefined) {
    const dataDirectory = resolve(options.dir ?? defaultDirectory());
    if (existsSync(dataDirectory)) return { dataDirectory, config: undefined };
    // A misspelt --dir must not look like an empty post office.
    throw new CliError(
      EXIT.failed,
      'not-found',
      `There is no data directory ${JSON.stringify(dataDirectory)}`,
      "Start 'postrider localserve' once, or name another with --dir or --config.",
    );
  }
  const { readConfig } = await import('../read-config.ts');
  const read = await readConfig(options.config);
  if (!read.ok) {
    const message = ['The configuration is not valid:', ...read.error].join('\n  ');
    throw new CliError(
      EXIT.invalidConfig,
      'invalid-config',
      message,
      `See 'postrider check --config ${options.config}'.`,
    );
  }
  const dataDirectory = resolve(read.value.dataDirectory);
  try {
    await makeFolder(dataDirectory);
  } catch (cause) {
    throw new Fault(`Making the data directory ${dataDirectory}`, cause);
  }
  return { dataDirectory, config: read.value };
}

function toCliError({ kind, message }: ControlProblem, method: ControlMethod): CliError {
  return new CliError(exitCodeOf(kind), kind, message, hintFor(kind, method));
}

function exitCodeOf(kind: ControlProblem['kind']): ExitCode {
  switch (kind) {
    case 'not-running':
      return EXIT.notReachable;
    case 'fault':
    case 'not-found':
    case 'ambiguous':
    case 'bad-request':
    case 'unknown-method':
      return EXIT.failed;
    case 'exists':
    case 'bad-address':
    case 'no-such-domain':
    case 'in-use':
    case 'bad-owner':
    case 'bad-secret':
    case 'loop':
    case 'too-many':
    case 'bad-name':
    case 'bad-password':
    case 'bad-fingerprint':
      return EXIT.refused;
  }
}

/** Commands that stand behind `account`. */
const OF_ACCOUNTS: ReadonlySet<string> = new Set(['app-password', 'certificate']);

function hintFor(kind: ControlProblem['kind'], method: ControlMethod): string | undefined {
  if (kind === 'not-found') {
    const [subject = ''] = method === 'route.explain' ? ['account'] : method.split('.');
    if (subject === 'share')
      return "See what there is: 'postrider account list', 'postrider alias list', 'postrider share list OWNER'.";
    if (subject === 'trace') return 'It may be too old to be kept, or be of another post office.';
    const list =
      subject === 'sending' ? 'account' : OF_ACCOUNTS.has(subject) ? `account ${subject}` : subject;
    return `See what there is: 'postrider ${list} list'.`;
  }
  // Nothing has to go first: an owner is never shared with.
  if (kind === 'in-use' && method === 'share.add') return undefined;
  if (kind === 'exists' && method === 'alias.add') return "To replace its targets: 'postrider alias set'.";
  return HINTS[kind];
}

/** What to do next, where there is something to do. */
const HINTS: Readonly<Partial<Record<ControlProblem['kind'], string>>> = {
  'no-such-domain': "Add the domain first: 'postrider domain add DOMAIN'.",
  'in-use': "Remove them first: 'postrider account remove', 'postrider alias remove'.",
  'not-running': "Start it: 'postrider serve --config FILE' or 'postrider localserve'.",
  'bad-address':
    'An address looks like alice@example.org, a catch-all like @example.org, a domain like example.org.',
  ambiguous: 'Give more of it.',
  'unknown-method': 'The running server is of another version: restart it.',
};
