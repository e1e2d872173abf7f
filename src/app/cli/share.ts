/** `postrider share list|add|remove`: who may do what with the mailboxes of an account. docs/sharing.md */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { changeRights } from '../../auth/rights.ts';
import type { ShareView } from '../control/share-methods.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatTable, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type ShareOptions = PostOfficeOptions & { readonly mailbox?: string };

const RIGHTS = `
Rights (RFC 4314): l see, r read, s seen, w other flags, i insert, p post, k create below, x delete the
mailbox, t delete messages, e expunge, a give rights. +RIGHTS adds to what was given, -RIGHTS takes away.
GRANTEE is an account, an alias or group, or 'anyone'; '-' before it takes rights away from whoever has them.
`;

export function registerShare(program: Command, terminal: Terminal): void {
  const share = program.command('share').description('mailboxes that an account lets others use');
  const tell = (shares: readonly ShareView[], options: PostOfficeOptions): void => {
    if (options.json === true) return printJson(terminal, { shares });
    if (shares.length === 0) return terminal.out('Nothing is shared.\n');
    const rows = shares.map(({ mailbox, identifier, rights }) => [
      mailbox === null ? '(all mail)' : plainText(mailbox),
      identifier,
      rights,
    ]);
    return terminal.out(formatTable(['MAILBOX', 'WITH', 'RIGHTS'], rows));
  };

  addPostOfficeOptions(share.command('list <owner>').description('show what an account shares')).action(
    async (address: string, options: PostOfficeOptions) => {
      const { shares } = await withPostOffice('share list', options, async (office) =>
        office.call('share.list', { address }),
      );
      return tell(shares, options);
    },
  );

  addPostOfficeOptions(
    share
      .command('add')
      .description('give rights on all mail of an account, or on one mailbox')
      .argument('<owner>', 'the account whose mail it is')
      .argument('<grantee>', 'who may use it')
      .argument('<rights>', 'letters, see below', readRights),
  )
    .option('--mailbox <path>', 'only this one')
    .addHelpText('after', RIGHTS)
    .action(async (address: string, identifier: string, rights: string, options: ShareOptions) => {
      const { shares } = await withPostOffice('share add', options, async (office) =>
        office.call('share.add', { address, identifier, rights, ...mailboxOf(options) }),
      );
      return tell(shares, options);
    });

  addPostOfficeOptions(
    share.command('remove <owner> <grantee>').description('take back what was given to one'),
  )
    .option('--mailbox <path>', 'what was given on this one; else what was given on all mail')
    .action(async (address: string, identifier: string, options: ShareOptions) => {
      const { shares } = await withPostOffice('share remove', options, async (office) =>
        office.call('share.remove', { address, identifier, ...mailboxOf(options) }),
      );
      return tell(shares, options);
    });
}

function mailboxOf({ mailbox }: ShareOptions): { readonly mailbox?: string } {
  return mailbox === undefined ? {} : { mailbox };
}

function readRights(text: string): string {
  if (changeRights('', text) === undefined)
    throw new InvalidArgumentError('Letters of lrswipkxtea, or c and d.');
  return text;
}
