/** `postrider check|fsck`: look whether all is as it should be. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { toExitCode } from './run.ts';
import type { Terminal } from './terminal.ts';

export function registerVerify(program: Command, terminal: Terminal): void {
  program
    .command('check')
    .description('look through a configuration without doing anything')
    .requiredOption('--config <file>', 'the configuration')
    .option('--json', 'print JSON, for programs')
    .action(async ({ config, json }: { readonly config: string; readonly json?: boolean }) => {
      const { runCheck } = await import('../check.ts');
      terminal.exitCode = toExitCode(await runCheck({ config, json: json === true }));
    });

  program
    .command('fsck')
    .description('look through all stored mail and every index of it, with the server stopped')
    .addOption(new Option('--config <file>', 'the configuration of the post office').conflicts('dir'))
    .option('--dir <dir>', "its data directory (default: that of 'postrider localserve')")
    .option('--repair', 'mend what can be mended; nothing is lost that can be kept')
    .option('--json', 'print JSON, for programs')
    .action(
      async (options: {
        readonly config?: string;
        readonly dir?: string;
        readonly repair?: boolean;
        readonly json?: boolean;
      }) => {
        const { runFsck } = await import('../fsck.ts');
        const { config, dir, repair, json } = options;
        terminal.exitCode = toExitCode(
          await runFsck({ config, dir, repair: repair === true, json: json === true }),
        );
      },
    );
}
