/** `postrider alias list|add|set|remove` */
import type { Command } from 'commander';
import type { AliasChange } from '../../auth/directory.ts';
import { allPages } from './page.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTable, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type AliasOptions = PostOfficeOptions & {
  /** `false`: --no-owner. Left out: as it was. */
  readonly owner?: string | false;
  readonly verp?: boolean;
};

export function registerAlias(program: Command, terminal: Terminal): void {
  const alias = program
    .command('alias')
    .description('addresses that stand for others; @DOMAIN catches what nobody else has');

  addPostOfficeOptions(alias.command('list').description('show them')).action(
    async (options: PostOfficeOptions) => {
      const aliases = await withPostOffice('alias list', options, async (office) =>
        allPages(
          async (page) => (await office.call('alias.list', page)).aliases,
          (one) => one.address,
        ),
      );
      if (options.json === true) return printJson(terminal, { aliases });
      if (aliases.length === 0)
        return terminal.out("No aliases yet. Add one: 'postrider alias add ADDRESS TARGET...'.\n");
      const rows = aliases.map((one) => [
        one.address,
        one.owner === undefined ? '' : `${one.owner}${one.verp === true ? ' (VERP)' : ''}`,
        one.targets.join(' '),
      ]);
      return terminal.out(formatTable(['ALIAS', 'OWNER', 'LEADS TO'], rows));
    },
  );

  for (const verb of ['add', 'set'] as const) {
    const description =
      verb === 'add' ? 'make a new one, with one target or several' : 'make one, or replace its targets';
    addPostOfficeOptions(alias.command(`${verb} <address> <targets...>`).description(description))
      .option('--owner <address>', 'make it a list: its copies come from this address, and so do its bounces')
      .option('--no-owner', 'make it an alias again; the reverse-path stays what it was')
      .option('--verp', "tag each copy's reverse-path with its recipient: owner+user=domain@")
      .option('--no-verp', 'do not')
      .action(async (address: string, targets: string[], options: AliasOptions) => {
        const made = await withPostOffice(`alias ${verb}`, options, async (office) =>
          office.call(`alias.${verb}`, { address, targets, ...toChange(options) }),
        );
        if (options.json === true) return printJson(terminal, made);
        const { owner, verp } = made.alias;
        const list =
          owner === undefined
            ? ''
            : `, as a list of ${plainText(owner)}${verp === true ? ', with VERP' : ''}`;
        return terminal.out(
          `${made.alias.address} leads to ${plainText(made.alias.targets.join(', '))}${list}.\n`,
        );
      });
  }

  addPostOfficeOptions(alias.command('remove <address>').description('take one away')).action(
    async (address: string, options: PostOfficeOptions) => {
      await withPostOffice('alias remove', options, async (office) =>
        office.call('alias.remove', { address }),
      );
      if (options.json === true) return printJson(terminal, {});
      return terminal.out(`Removed ${plainText(address)}.\n`);
    },
  );
}

function toChange({ owner, verp }: AliasOptions): AliasChange {
  return {
    ...(owner === undefined ? {} : { owner: owner === false ? null : owner }),
    ...(verp === undefined ? {} : { verp }),
  };
}
