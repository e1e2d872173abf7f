/** The resolver of one thread: the configured servers, else those of the system. */
import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Config } from '../config/config.ts';
import { SystemResolver, systemServers } from '../dns/system/resolver.ts';
import type { DnsServer } from '../dns/system/exchange.ts';
import { isLoopback } from '../net/listener.ts';

const DNS_PORT = 53;

export async function createResolver(config: Config, clock: Clock, random: Random): Promise<SystemResolver> {
  const { timeoutMs, attempts } = config.resolver;
  return new SystemResolver({
    clock,
    random,
    servers: await dnsServers(config),
    timeoutMs,
    rounds: attempts,
  });
}

export async function dnsServers({ resolver: { servers, trusted } }: Config): Promise<readonly DnsServer[]> {
  const configured = servers.map((text) => parseServer(text, trusted)).filter((one) => one !== undefined);
  return configured.length > 0 ? configured : systemServers();
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:53`: the schema has checked the form. */
function parseServer(text: string, trusted: boolean): DnsServer | undefined {
  const [, bracketed, port = ''] = /^\[(.+)\](?::(\d+))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return server(bracketed, port, trusted);
  if (isIP(text) !== 0) return server(text, '', trusted);
  const [, address, afterColon = ''] = /^([^:]+):(\d+)$/.exec(text) ?? [];
  return address === undefined ? undefined : server(address, afterColon, trusted);
}

/** RFC 6840 §5.8: the AD bit means something only where the way to the resolver is trusted. */
function server(address: string, port: string, trusted: boolean): DnsServer {
  return { address, port: port === '' ? DNS_PORT : Number(port), trusted: trusted || isLoopback(address) };
}
