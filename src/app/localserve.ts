/** `postrider localserve`: a whole post office on loopback, for trying and testing, kept between runs. */
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import type { Directory } from '../auth/directory.ts';
import { Fault } from '../base/fault.ts';
import { formatProblem, parseConfig, type Config, type ServiceName } from '../config/config.ts';
import { defaultDirectory } from './default-directory.ts';
import { runUntilStopped } from './run-server.ts';
import { startServer } from './server.ts';
import { VERSION } from './version.ts';

export type LocalserveOptions = {
  /** Undefined: a folder in the user's state directory. */
  readonly dir: string | undefined;
  readonly basePort: number;
  /** None: alice and bob. */
  readonly accounts: readonly LocalAccount[];
  readonly hostname: string | undefined;
};

const DEFAULT_ACCOUNTS: readonly LocalAccount[] = [
  { address: 'alice@example.test', password: 'alice-secret' },
  { address: 'bob@example.test', password: 'bob-secret' },
];

/** Each service listens at the base and its standard port. */
const STANDARD_PORTS: Readonly<Record<ServiceName, number>> = {
  smtp: 25,
  submission: 587,
  submissions: 465,
  lmtp: 24,
  imap: 143,
  imaps: 993,
  pop3: 110,
  pop3s: 995,
};

type LocalAccount = { readonly address: string; readonly password: string };

export async function runLocalserve(options: LocalserveOptions): Promise<number> {
  const { basePort, hostname = 'localhost' } = options;
  const directory = resolve(options.dir ?? defaultDirectory());
  const accounts = options.accounts.length > 0 ? options.accounts : DEFAULT_ACCOUNTS;
  const addresses = hasIpv6Loopback() ? ['127.0.0.1', '::1'] : ['127.0.0.1'];
  const config = parseConfig(localConfig(directory, basePort, hostname, addresses));
  if (!config.ok) {
    for (const problem of config.error) console.error(`postrider: ${formatProblem(problem)}`);
    return 2;
  }
  const started = await startServer({
    config: config.value,
    what: 'postrider localserve',
    version: VERSION,
    loopbackAllowed: true,
    prepare: (accountsOf) => addAccounts(accountsOf, accounts),
  });
  if (!started.ok) {
    console.error(`postrider: ${started.error.text}`);
    return started.error.kind === 'failed' ? 1 : 6;
  }
  console.log(describe(config.value, basePort, addresses, accounts));
  return runUntilStopped(started.value);
}

function hasIpv6Loopback(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === '::1'),
  );
}

/** The same settings that a file would hold: one way in for all of them. */
function localConfig(
  directory: string,
  basePort: number,
  hostname: string,
  addresses: readonly string[],
): string {
  const listeners = Object.entries(STANDARD_PORTS).map(([service, port]) =>
    [
      `[listeners.${service}]`,
      'enabled = true',
      `addresses = ${JSON.stringify(addresses)}`,
      `port = ${basePort + port}`,
    ].join('\n'),
  );
  return [
    `hostname = ${JSON.stringify(hostname)}`,
    `dataDirectory = ${JSON.stringify(directory)}`,
    '[tls]',
    'selfSigned = true',
    '[store]',
    'shards = 1',
    '[log]',
    'level = "warn"',
    ...listeners,
  ].join('\n');
}

/** Adds what is missing, and sets the passwords that are about to be printed. */
async function addAccounts(directory: Directory, accounts: readonly LocalAccount[]): Promise<void> {
  for (const { address, password } of accounts) {
    await directory.addDomain(address.slice(address.lastIndexOf('@') + 1));
    const added = await directory.addAccount({ address, password });
    if (added.ok) continue;
    const found = await directory.accountByAddress(address);
    if (found === undefined) throw new Fault(`Adding the account ${address}`, new Error(added.error.kind));
    const known = await directory.authenticate(address, password, 'imap');
    if (!known.ok) await directory.setAccount(found.id, { password, disabled: false });
  }
}

function describe(
  { dataDirectory }: Config,
  basePort: number,
  addresses: readonly string[],
  accounts: readonly LocalAccount[],
): string {
  const at = (port: number): string => String(basePort + port);
  const [first] = accounts;
  const login = first === undefined ? 'USER:PASSWORD' : `${first.address}:${first.password}`;
  return [
    `Postrider ${VERSION} on ${addresses.join(' and ')}; data in ${dataDirectory}`,
    '',
    `  receive  SMTP ${at(25)}   LMTP ${at(24)}`,
    `  submit   ${at(587)} (STARTTLS)   ${at(465)} (TLS)`,
    `  read     IMAP ${at(143)} (STARTTLS)   ${at(993)} (TLS)`,
    `  fetch    POP3 ${at(110)} (STLS)   ${at(995)} (TLS)`,
    '',
    ...accounts.map(({ address, password }) => `  account  ${address}   password ${password}`),
    '',
    'Try:',
    `  swaks --server 127.0.0.1:${at(25)} --to ${first?.address ?? 'USER'}`,
    `  curl --insecure --user ${login} 'imaps://127.0.0.1:${at(993)}/INBOX;MAILINDEX=1'`,
    '',
  ].join('\n');
}
