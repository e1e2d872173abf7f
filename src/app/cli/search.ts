/** `postrider search status|reindex` */
import type { Command } from 'commander';
import type { SearchStatusView } from '../control/search-methods.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTable, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export function registerSearch(program: Command, terminal: Terminal): void {
  const search = program.command('search').description("the index of an account's words");
  const tell = (view: SearchStatusView, options: PostOfficeOptions): void => {
    if (options.json === true) return printJson(terminal, { search: view });
    const { address, indexed, pending, unread } = view;
    return terminal.out(
      formatTable(
        ['ACCOUNT', 'INDEXED', 'PENDING', 'READ WHEN SEARCHED'],
        [[address, String(indexed), String(pending), String(unread)]],
      ),
    );
  };
  addPostOfficeOptions(
    search.command('status <address>').description('show how far the index has come'),
  ).action(async (address: string, options: PostOfficeOptions) => {
    const { search: view } = await withPostOffice('search status', options, async (office) =>
      office.call('search.status', { address }),
    );
    return tell(view, options);
  });
  addPostOfficeOptions(
    search.command('reindex <address>').description('forget the index and make it again from the mail'),
  ).action(async (address: string, options: PostOfficeOptions) => {
    const { search: view } = await withPostOffice('search reindex', options, async (office) =>
      office.call('search.reindex', { address }),
    );
    return tell(view, options);
  });
}
