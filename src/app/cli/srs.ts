/** `postrider srs show|rotate` */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Fault } from '../../base/fault.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type RotateOptions = PostOfficeOptions & { readonly secretFile?: string; readonly only?: boolean };

export function registerSrs(program: Command, terminal: Terminal): void {
  const srs = program
    .command('srs')
    .description('the rewritten addresses that forwarded mail leaves with (SRS)');

  addPostOfficeOptions(srs.command('show <address>').description('whom one of ours stands for')).action(
    async (address: string, options: PostOfficeOptions) => {
      const shown = await withPostOffice('srs show', options, async (office) =>
        office.call('srs.show', { address }),
      );
      if (options.json === true) return printJson(terminal, shown);
      const { state, original } = shown.srs;
      return terminal.out(`${SAID[state]}${original === null ? '' : ` ${plainText(original)}`}\n`);
    },
  );

  addPostOfficeOptions(
    srs
      .command('rotate')
      .description('make new addresses with a new secret; those of the old ones stay good'),
  )
    .option('--secret-file <file>', "the new secret is this file's first line, as of PostSRSd")
    .option('--only', 'forget the old ones: what was made with them is refused from now on')
    .action(async (options: RotateOptions) => {
      const secret = options.secretFile === undefined ? undefined : await firstLine(options.secretFile);
      const rotated = await withPostOffice('srs rotate', options, async (office) =>
        office.call('srs.rotate', {
          ...(secret === undefined ? {} : { secret }),
          ...(options.only === true ? { only: true } : {}),
        }),
      );
      if (options.json === true) return printJson(terminal, rotated);
      const { secrets } = rotated;
      return terminal.out(`Done. ${secrets === 1 ? 'One secret is' : `${secrets} secrets are`} good.\n`);
    });
}

const SAID = {
  valid: 'It stands for',
  expired: 'It is too old: reports to it are refused.',
  'bad-hash': 'It was not made here, or was changed since: it is refused.',
} as const;

async function firstLine(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new Fault(`Reading ${file}`, cause);
  }
  const [line = ''] = text.split(/\r?\n/);
  if (line === '') throw new CliError(EXIT.usage, 'usage', `The first line of ${file} is empty`);
  return line;
}
