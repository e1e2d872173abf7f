/** `postrider account list|show|add|remove|set` and `postrider account app-password list|add|remove` */
import type { Command } from 'commander';
import { registerAccountSending } from './account-sending.ts';
import { readQuota, readScopes } from './argument.ts';
import type { Quota } from './argument.ts';
import { registerCertificate } from './certificate.ts';
import { CliError, EXIT } from './exit-code.ts';
import { allPages } from './page.ts';
import { readPassword } from './password.ts';
import type { PasswordOptions } from './password.ts';
import type { SignInView } from '../control/view.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { formatOctets, formatTable, formatTime, plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type AddOptions = PostOfficeOptions &
  PasswordOptions & {
    readonly appPasswordsOnly?: boolean;
    readonly displayName?: string;
    readonly quota?: Quota;
  };

type SetOptions = PostOfficeOptions &
  PasswordOptions & {
    readonly askPassword?: boolean;
    readonly displayName?: string;
    readonly quota?: Quota;
    readonly enable?: boolean;
    readonly disable?: boolean;
  };

export function registerAccount(program: Command, terminal: Terminal): void {
  const account = program.command('account').description('the people who have mail here');
  registerReading(account, terminal);
  registerAdd(account, terminal);
  registerSet(account, terminal);
  registerRemove(account, terminal);
  registerAppPassword(account, terminal);
  registerCertificate(account, terminal);
  registerAccountSending(account, terminal);
}

function registerReading(account: Command, terminal: Terminal): void {
  addPostOfficeOptions(account.command('list').description('show them'))
    .option('--without-scram', 'only those whose password, or an app password, SCRAM does not know yet')
    .action(async (options: PostOfficeOptions & { readonly withoutScram?: boolean }) => {
      const which = options.withoutScram === true ? { withoutScram: true } : {};
      const accounts = await withPostOffice('account list', options, async (office) =>
        allPages(
          async (page) => (await office.call('account.list', { ...page, ...which })).accounts,
          (one) => one.address,
        ),
      );
      if (options.json === true) return printJson(terminal, { accounts });
      if (accounts.length === 0 && options.withoutScram === true)
        return terminal.out('SCRAM waits for nobody.\n');
      if (accounts.length === 0)
        return terminal.out("No accounts yet. Add one: 'postrider account add ADDRESS'.\n");
      const rows = accounts.map((one) => [
        one.address,
        one.disabled ? 'disabled' : 'active',
        one.quotaOctets === null ? 'none' : formatOctets(one.quotaOctets),
        one.displayName,
      ]);
      return terminal.out(formatTable(['ADDRESS', 'STATE', 'QUOTA', 'NAME'], rows));
    });

  addPostOfficeOptions(account.command('show <address>').description('show one, and what it holds')).action(
    async (address: string, options: PostOfficeOptions) => {
      const shown = await withPostOffice('account show', options, async (office) =>
        office.call('account.show', { address }),
      );
      if (options.json === true) return printJson(terminal, shown);
      const { account: one, octetsUsed, messagesUsed, signIn } = shown;
      const quota = one.quotaOctets === null ? 'no quota' : `of ${formatOctets(one.quotaOctets)}`;
      return terminal.out(
        [
          `address   ${one.address}`,
          `name      ${plainText(one.displayName)}`,
          `state     ${one.disabled ? 'disabled' : 'active'}`,
          `added     ${formatTime(one.createdAtMs)}`,
          `holds     ${messagesUsed} messages, ${formatOctets(octetsUsed)} (${quota})`,
          `signs in  ${signsInBy(signIn)}`,
          '',
        ].join('\n'),
      );
    },
  );
}

/** What the account has to sign in with, and the mechanisms that take it. */
function signsInBy({ hasPassword, hasScramKeys, appPasswords, certificates }: SignInView): string {
  const ways = [
    ...(hasPassword ? [`password (${hasScramKeys ? 'PLAIN, LOGIN, SCRAM' : 'PLAIN, LOGIN'})`] : []),
    ...(appPasswords === 0 ? [] : [`${appPasswords} app passwords`]),
    ...(certificates === 0 ? [] : [`${certificates} certificates (EXTERNAL)`]),
  ];
  return ways.length === 0 ? 'not at all' : `by ${ways.join(', ')}`;
}

function addPasswordOptions(command: Command): Command {
  return addPostOfficeOptions(command)
    .option('--password <password>', 'the password (other users of this machine can see it while this runs)')
    .option('--password-stdin', 'read the password from the first line of standard input')
    .option('--display-name <name>', 'the name of the person')
    .option('--quota <octets>', 'the most that the mail may take: 500M, 2G, none', readQuota);
}

function registerAdd(account: Command, terminal: Terminal): void {
  addPasswordOptions(
    account.command('add <address>').description('add one; asks for the password on a terminal'),
  )
    .option('--app-passwords-only', 'set no password: only app passwords will let in')
    .action(async (address: string, options: AddOptions) => {
      const password = options.appPasswordsOnly === true ? undefined : await readPassword(terminal, options);
      if (password === undefined && options.appPasswordsOnly !== true)
        throw new CliError(
          EXIT.usage,
          'usage',
          'There is no password',
          'Give it with --password-stdin or --password, or say --app-passwords-only.',
        );
      const added = await withPostOffice('account add', options, async (office) =>
        office.call('account.add', {
          address,
          ...(password === undefined ? {} : { password }),
          ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
          ...(typeof options.quota === 'number' ? { quotaOctets: options.quota } : {}),
        }),
      );
      if (options.json === true) return printJson(terminal, added);
      return terminal.out(`Added ${added.account.address}.\n`);
    });
}

function registerSet(account: Command, terminal: Terminal): void {
  addPasswordOptions(account.command('set <address>').description('change one'))
    .option('--ask-password', 'ask for a new password on the terminal')
    .option('--disable', 'let it neither log in nor get mail; what it holds stays')
    .option('--enable', 'end that')
    .action(async (address: string, options: SetOptions) => {
      const asks = options.askPassword === true || options.passwordStdin === true;
      const password = asks ? await readPassword(terminal, options) : options.password;
      const change = {
        ...(password === undefined ? {} : { password }),
        ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
        ...(options.quota === undefined
          ? {}
          : { quotaOctets: options.quota === 'none' ? null : options.quota }),
        ...(options.disable === true ? { disabled: true } : {}),
        ...(options.enable === true ? { disabled: false } : {}),
      };
      if (Object.keys(change).length === 0 || (options.enable === true && options.disable === true))
        throw new CliError(EXIT.usage, 'usage', 'There is nothing to change, or too much', 'See --help.');
      const changed = await withPostOffice('account set', options, async (office) =>
        office.call('account.set', { address, ...change }),
      );
      if (options.json === true) return printJson(terminal, changed);
      return terminal.out(`Changed ${changed.account.address}.\n`);
    });
}

function registerRemove(account: Command, terminal: Terminal): void {
  addPostOfficeOptions(account.command('remove <address>').description('remove one and all its mail'))
    .option('--yes', 'do it: the mail cannot be brought back')
    .action(async (address: string, options: PostOfficeOptions & { readonly yes?: boolean }) => {
      if (options.yes !== true)
        throw new CliError(
          EXIT.refused,
          'unconfirmed',
          `All mail of ${plainText(address)} would be gone for good`,
          "Say --yes if you mean it, or keep the mail with 'postrider account set ADDRESS --disable'.",
        );
      await withPostOffice('account remove', options, async (office) =>
        office.call('account.remove', { address }),
      );
      if (options.json === true) return printJson(terminal, {});
      return terminal.out(`Removed ${plainText(address)} and its mail.\n`);
    });
}

function registerAppPassword(account: Command, terminal: Terminal): void {
  const appPassword = account
    .command('app-password')
    .description('passwords for one program each, which may do only some things');

  addPostOfficeOptions(
    appPassword.command('list <address>').description('show them, without their secrets'),
  ).action(async (address: string, options: PostOfficeOptions) => {
    const { appPasswords } = await withPostOffice('account app-password list', options, async (office) =>
      office.call('app-password.list', { address }),
    );
    if (options.json === true) return printJson(terminal, { appPasswords });
    const rows = appPasswords.map((one) => [one.name, one.scopes.join(','), formatTime(one.createdAtMs)]);
    return terminal.out(formatTable(['NAME', 'SCOPES', 'ADDED'], rows));
  });

  addPostOfficeOptions(
    appPassword.command('add <address> <name>').description('make one; its secret is shown once'),
  )
    .option('--scope <scopes>', 'what it is for: imap, pop3, smtp, managesieve, http', readScopes, [
      'imap' as const,
      'smtp' as const,
    ])
    .action(
      async (
        address: string,
        name: string,
        options: PostOfficeOptions & { readonly scope: ReturnType<typeof readScopes> },
      ) => {
        const made = await withPostOffice('account app-password add', options, async (office) =>
          office.call('app-password.add', { address, name, scopes: options.scope }),
        );
        if (options.json === true) return printJson(terminal, made);
        return terminal.out(`${made.secret}\n`);
      },
    );

  addPostOfficeOptions(
    appPassword.command('remove <address> <name>').description('let it in no more'),
  ).action(async (address: string, name: string, options: PostOfficeOptions) => {
    await withPostOffice('account app-password remove', options, async (office) =>
      office.call('app-password.remove', { address, name }),
    );
    if (options.json === true) return printJson(terminal, {});
    return terminal.out(`Removed ${plainText(name)}.\n`);
  });
}
