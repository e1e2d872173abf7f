/** Puts routes and pools together from the configuration, with the passwords and accounts that they name. */
import { readFile } from 'node:fs/promises';
import type { Directory } from '../auth/directory.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { parseIpNetwork } from '../base/ip-network.ts';
import type { Config } from '../config/config.ts';
import type { RouteRule } from '../delivery/remote/route-rule.ts';
import type { HopSpeech, RouteHost } from '../delivery/remote/router.ts';
import { DIRECT, RuleRouter } from '../delivery/remote/rule-router.ts';
import type { AccountId } from '../store/ids.ts';

type RouteConfig = Config['routes'][number];

/** What the files hold, by their names. */
export type RoutePasswords = ReadonlyMap<string, string>;

/** The first line of each file. Throws `Fault`. */
export async function readRoutePasswords({ routes }: Pick<Config, 'routes'>): Promise<RoutePasswords> {
  const passwords = new Map<string, string>();
  for (const file of passwordFilesOf(routes)) {
    try {
      const [first = ''] = (await readFile(file, 'utf8')).split(/\r?\n/);
      passwords.set(file, first);
    } catch (cause) {
      throw new Fault(`Reading ${file}`, cause);
    }
  }
  return passwords;
}

export function passwordFilesOf(routes: Config['routes']): ReadonlySet<string> {
  const files = routes.flatMap(({ passwordFile, proxyPasswordFile }) => [passwordFile, proxyPasswordFile]);
  return new Set(files.filter((file) => file !== undefined));
}

const REFRESH_MS = 30_000;

/** The ids of the accounts that routes and pools name, looked up again from time to time. */
export class RouteAccounts {
  readonly #directory: Pick<Directory, 'accountByAddress'>;
  readonly #clock: Clock;
  readonly #config: Pick<Config, 'routes' | 'pools'>;
  readonly #onFault: (cause: unknown) => void;
  #ids: ReadonlyMap<string, AccountId> = new Map();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    config: Pick<Config, 'routes' | 'pools'>,
    directory: Pick<Directory, 'accountByAddress'>,
    clock: Clock,
    onFault: (cause: unknown) => void,
  ) {
    this.#directory = directory;
    this.#clock = clock;
    this.#config = config;
    this.#onFault = onFault;
  }

  idOf(address: string): AccountId | undefined {
    return this.#ids.get(address);
  }

  /** Resolves once they are known for the first time: before that, mail would go another way. */
  async start(): Promise<void> {
    while (!this.#stopped && !(await this.#refresh()))
      await new Promise<void>((resolve) => {
        this.#timer = this.#clock.after(REFRESH_MS, resolve);
      });
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#stopped || namesOf(this.#config).size === 0) return;
    this.#timer = this.#clock.after(REFRESH_MS, () => {
      void this.#refresh().then(() => this.#schedule());
    });
  }

  /** What was known stays where the directory cannot be asked. */
  async #refresh(): Promise<boolean> {
    try {
      this.#ids = await accountIds(this.#config, this.#directory);
      return true;
    } catch (cause) {
      this.#onFault(cause);
      return false;
    }
  }
}

/** Of the accounts that routes and pools name; those that are not there are left out. */
export async function accountIds(
  config: Pick<Config, 'routes' | 'pools'>,
  directory: Pick<Directory, 'accountByAddress'>,
): Promise<ReadonlyMap<string, AccountId>> {
  const ids = new Map<string, AccountId>();
  for (const address of namesOf(config)) {
    const account = await directory.accountByAddress(address);
    if (account !== undefined) ids.set(address, account.id);
  }
  return ids;
}

function namesOf({ routes, pools }: Pick<Config, 'routes' | 'pools'>): ReadonlySet<string> {
  return new Set([...routes, ...pools].flatMap(({ accounts }) => accounts));
}

export function createRouter(
  config: Pick<Config, 'routes' | 'pools' | 'outgoing' | 'hostname'>,
  passwords: RoutePasswords,
  accountId: (address: string) => AccountId | undefined,
): RuleRouter {
  const { routes, pools, outgoing, hostname } = config;
  return new RuleRouter({
    rules: routes.map((route) => toRule(route, passwords)),
    pools: pools.map(({ name, sources, senders, accounts }) => ({
      pool: {
        name,
        sources: sources.map(({ address, helloName }) => ({ address, helloName: helloName ?? hostname })),
      },
      senders,
      accounts,
    })),
    defaultPool: { name: undefined, sources: [{ address: undefined, helloName: hostname }] },
    port: outgoing.port,
    accountId,
  });
}

function toRule(route: RouteConfig, passwords: RoutePasswords): RouteRule {
  const { name, recipients, senders, accounts, pools, pool, fallback, fallbackAfterSeconds } = route;
  const networks = route.networks
    .map((text) => parseIpNetwork(text))
    .filter((network) => network !== undefined);
  return {
    name,
    match: { recipients, senders, accounts, networks, pools },
    action:
      route.action === 'deliver'
        ? { kind: 'deliver', hosts: hostsOf(route), speech: speechOf(route, passwords) }
        : { kind: route.action, text: route.text },
    pool,
    ...(route.retryAfterSeconds.length === 0
      ? {}
      : { retryMs: route.retryAfterSeconds.map((seconds) => seconds * 1000) }),
    fallback:
      fallback === undefined
        ? undefined
        : {
            rule: fallback,
            afterMs: fallbackAfterSeconds === 0 ? Number.POSITIVE_INFINITY : fallbackAfterSeconds * 1000,
          },
  };
}

function speechOf(route: RouteConfig, passwords: RoutePasswords): HopSpeech {
  const { protocol, implicitTls, tls, username, passwordFile = '', hosts } = route;
  const password = passwords.get(passwordFile);
  const credentials =
    username === undefined || password === undefined ? undefined : { authenticationId: username, password };
  const proxy = proxyOf(route, passwords);
  if (hosts.length === 0) return { ...DIRECT, tls: tls === 'auto' ? 'policy' : tls, proxy };
  const auto = username === undefined ? 'policy' : 'authenticated';
  return { protocol, implicitTls, tls: tls === 'auto' ? auto : tls, credentials, proxy };
}

const SOCKS_PORT = 1080;

function proxyOf(
  { proxy, proxyUsername: username, proxyPasswordFile = '' }: RouteConfig,
  passwords: RoutePasswords,
): HopSpeech['proxy'] {
  if (proxy === undefined) return undefined;
  const password = passwords.get(proxyPasswordFile);
  const login = username === undefined || password === undefined ? undefined : { username, password };
  const { host: address, port = SOCKS_PORT } = toHostPort(proxy);
  return { address, port, login };
}

function hostsOf({ hosts, protocol, implicitTls, username }: RouteConfig): readonly RouteHost[] {
  const usual = protocol === 'lmtp' ? 24 : implicitTls ? 465 : username === undefined ? 25 : 587;
  return hosts.map((text) => {
    const { host, port = usual } = toHostPort(text);
    return { host, port };
  });
}

/** `relay.example`, `192.0.2.1:25`, `[2001:db8::1]:25`, `2001:db8::1`. */
function toHostPort(text: string): { readonly host: string; readonly port?: number } {
  const found = /^(?:\[(?<six>[^\]]+)\]|(?<name>[^:]+)):(?<port>\d+)$/.exec(text)?.groups;
  return found === undefined
    ? { host: text }
    : { host: found['six'] ?? found['name'] ?? '', port: Number(found['port']) };
}
