/** `postrider domain list|add|remove` */
import type { Command } from 'commander';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTable, formatTime, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export function registerDomain(program: Command, terminal: Terminal): void {
  const domain = program.command('domain').description('the domains whose mail this post office takes');

  addPostOfficeOptions(domain.command('list').description('show them')).action(
    async (options: PostOfficeOptions) => {
      const { domains } = await withPostOffice('domain list', options, async (office) =>
        office.call('domain.list', {}),
      );
      if (options.json === true) return printJson(terminal, { domains });
      if (domains.length === 0)
        return terminal.out("No domains yet. Add one: 'postrider domain add DOMAIN'.\n");
      const rows = domains.map((one) => [one.displayName, one.name, formatTime(one.createdAtMs)]);
      return terminal.out(formatTable(['DOMAIN', 'IN DNS', 'ADDED'], rows));
    },
  );

  addPostOfficeOptions(domain.command('add <domain>').description('take mail for a domain')).action(
    async (name: string, options: PostOfficeOptions) => {
      const added = await withPostOffice('domain add', options, async (office) =>
        office.call('domain.add', { name }),
      );
      if (options.json === true) return printJson(terminal, added);
      return terminal.out(`Added ${added.domain.displayName}.\n`);
    },
  );

  addPostOfficeOptions(
    domain
      .command('remove <domain>')
      .description('take no more mail for a domain without accounts and aliases'),
  ).action(async (name: string, options: PostOfficeOptions) => {
    await withPostOffice('domain remove', options, async (office) => office.call('domain.remove', { name }));
    if (options.json === true) return printJson(terminal, {});
    return terminal.out(`Removed ${name}.\n`);
  });
}
