/** `postrider alias list|add|set|remove` */
import type { Command } from 'commander';
import { allPages } from './page.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTable, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

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
      const rows = aliases.map((one) => [one.address, one.targets.join(' ')]);
      return terminal.out(formatTable(['ALIAS', 'LEADS TO'], rows));
    },
  );

  for (const verb of ['add', 'set'] as const) {
    const description =
      verb === 'add' ? 'make a new one, with one target or several' : 'make one, or replace its targets';
    addPostOfficeOptions(alias.command(`${verb} <address> <targets...>`).description(description)).action(
      async (address: string, targets: string[], options: PostOfficeOptions) => {
        const made = await withPostOffice(`alias ${verb}`, options, async (office) =>
          office.call(`alias.${verb}`, { address, targets }),
        );
        if (options.json === true) return printJson(terminal, made);
        return terminal.out(`${made.alias.address} leads to ${plainText(made.alias.targets.join(', '))}.\n`);
      },
    );
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
