/** `postrider route ADDRESS`: which way mail would go, and why. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { HostExplanation, RouteExplanation, WayExplanation } from '../../delivery/remote/explain.ts';
import { addPostOfficeOptions, withPostOffice } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';
import { plainText, printJson } from './terminal.ts';
import type { Terminal } from './terminal.ts';

type RouteOptions = PostOfficeOptions & { readonly from?: string; readonly account?: string };

export function registerRoute(program: Command, terminal: Terminal): void {
  addPostOfficeOptions(
    program
      .command('route <address>')
      .description('show which way mail for an address would go, and why; nothing is sent')
      .addOption(new Option('--from <address>', 'whose mail it is; <> is the null reverse-path'))
      .option('--account <address>', 'the account that hands it in'),
  ).action(async (address: string, { from, account, ...options }: RouteOptions) => {
    const found = await withPostOffice('route', options, async (office) =>
      office.call('route.explain', {
        address,
        ...(from === undefined ? {} : { from: from === '<>' || from === '' ? null : from }),
        ...(account === undefined ? {} : { account }),
      }),
    );
    if (options.json === true) return printJson(terminal, found);
    return terminal.out(formatExplanation(found));
  });
}

export function formatExplanation({ address, resolution, mailboxes, remote }: RouteExplanation): string {
  const lines = [plainText(`${address} ${RESOLUTIONS[resolution]}`)];
  for (const mailbox of mailboxes) lines.push(plainText(`  mailbox   ${mailbox}`));
  for (const one of remote) {
    if (one.address !== address) lines.push(plainText(`  forwarded ${one.address}`));
    for (const [index, way] of one.ways.entries()) lines.push(...formatWay(way, index));
  }
  return `${lines.join('\n')}\n`;
}

const RESOLUTIONS = {
  local: 'is ours',
  unknown: 'is nobody here: refused',
  disabled: 'is closed: refused',
  remote: 'is at another host',
} as const satisfies Record<RouteExplanation['resolution'], string>;

function formatWay(way: WayExplanation, index: number): readonly string[] {
  const { key, route, pool, protocol, proxy, hostsBy, isSecure, hosts, ending } = way;
  const about = [
    route === undefined ? 'no route matches' : `route ${route}`,
    ...(hostsBy === undefined ? [] : [HOSTS_BY[hostsBy]]),
    ...(hostsBy === 'mx' || hostsBy === 'implicit' ? [isSecure ? 'DNSSEC' : 'no DNSSEC'] : []),
    ...(protocol === 'lmtp' ? ['LMTP'] : []),
    ...(proxy === undefined ? [] : [`through the proxy ${proxy}`]),
    ...(pool === undefined ? [] : [`pool ${pool}`]),
  ];
  return [
    plainText(`  ${index === 0 ? 'next hop ' : 'fallback '} ${key}  (${about.join(', ')})${told(ending)}`),
    ...hosts.flatMap(formatHost),
  ];
}

const HOSTS_BY = {
  mx: 'by MX',
  implicit: 'no MX: the domain itself',
  literal: 'an address',
  route: 'hosts of the route',
} as const satisfies Record<NonNullable<WayExplanation['hostsBy']>, string>;

function formatHost({ host, port, addresses, isSecure, tls, ending }: HostExplanation): readonly string[] {
  const facts = tls === undefined ? '' : `  TLS ${tls.level}: ${tls.why}${isSecure ? '; DNSSEC' : ''}`;
  return [
    plainText(`    ${host.includes(':') ? `[${host}]` : host}:${port}${facts}${told(ending)}`),
    ...addresses.map(({ address, sources }) => {
      const from = sources.map((one) => `${one.address ?? 'any'} as ${one.helloName}`);
      return plainText(
        `      ${address}  from ${from.length === 0 ? 'no source of the pool' : from.join(', ')}`,
      );
    }),
  ];
}

function told(ending: WayExplanation['ending']): string {
  return ending === undefined ? '' : `  ${ending.outcome}: ${ending.status} ${ending.reason}: ${ending.text}`;
}
