/** `postrider localserve|serve|status|stop`: a post office that runs. */
import type { Command } from 'commander';
import { readAccount, readBasePort } from './argument.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { toExitCode } from './run.ts';
import { formatTime, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

const BASE_PORT_DEFAULT = 10_000;

export function registerServer(program: Command, terminal: Terminal): void {
  program
    .command('localserve')
    .description('run a whole post office on this machine alone, for trying and testing')
    .option('--dir <dir>', "where it keeps its data (default: a folder in the user's state directory)")
    .option(
      '--base-port <port>',
      'each service listens at this plus its standard port',
      readBasePort,
      BASE_PORT_DEFAULT,
    )
    .option('--account <address:password>', 'an account to have, may be repeated', readAccount, [])
    .option('--hostname <name>', 'what it calls itself')
    .action(
      async (options: {
        readonly dir?: string;
        readonly basePort: number;
        readonly account: ReturnType<typeof readAccount>;
        readonly hostname?: string;
      }) => {
        const { runLocalserve } = await import('../localserve.ts');
        const { dir, basePort, account, hostname } = options;
        terminal.exitCode = toExitCode(await runLocalserve({ dir, basePort, accounts: account, hostname }));
      },
    );

  program
    .command('serve')
    .description('run the post office of a configuration file')
    .requiredOption('--config <file>', 'the configuration')
    .action(async ({ config }: { readonly config: string }) => {
      const { runServe } = await import('../serve.ts');
      terminal.exitCode = toExitCode(await runServe({ config }));
    });

  addPostOfficeOptions(program.command('status').description('say how the running server is')).action(
    async (options: PostOfficeOptions) => {
      const status = await withPostOffice('status', options, async (office) => office.call('status', {}));
      if (options.json === true) return printJson(terminal, status);
      const { server, queue } = status;
      const listeners = server.listeners.map(
        ({ service, address, port }) => `  ${service} ${address} ${port}`,
      );
      return terminal.out(
        [
          `${server.hostname}: Postrider ${server.version}, process ${server.pid}, since ${formatTime(server.startedAtMs)}`,
          `queue: ${queue.messages} messages, ${queue.recipients} recipients, ${queue.held} held`,
          ...listeners,
          '',
        ].join('\n'),
      );
    },
  );

  addPostOfficeOptions(program.command('stop').description('stop the running server in good order')).action(
    async (options: PostOfficeOptions) => {
      await withPostOffice('stop', options, async (office) => office.call('stop', {}));
      if (options.json === true) return printJson(terminal, {});
      return terminal.out('It stops.\n');
    },
  );
}
