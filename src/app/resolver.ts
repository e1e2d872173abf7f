/** The resolver of one thread: the configured servers, else those of the system. */
import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Config } from '../config/config.ts';
import type { Resolver } from '../dns/resolver.ts';
import { SystemResolver, systemServers } from '../dns/system/resolver.ts';
import type { DnsServer } from '../dns/system/exchange.ts';
import { isLoopback } from '../net/listener.ts';

const DNS_PORT = 53;

export async function createResolver({ resolver }: Config, clock: Clock, random: Random): Promise<Resolver> {
  const { servers, timeoutMs, attempts } = resolver;
  const configured = servers.map(parseServer).filter((one) => one !== undefined);
  return new SystemResolver({
    clock,
    random,
    servers: configured.length > 0 ? configured : await systemServers(),
    timeoutMs,
    rounds: attempts,
  });
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:53`: the schema has checked the form. */
function parseServer(text: string): DnsServer | undefined {
  const [, bracketed, port = ''] = /^\[(.+)\](?::(\d+))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return server(bracketed, port);
  if (isIP(text) !== 0) return server(text, '');
  const [, address, afterColon = ''] = /^([^:]+):(\d+)$/.exec(text) ?? [];
  return address === undefined ? undefined : server(address, afterColon);
}

/** RFC 6840 §5.8: the AD bit means something only where the way to the resolver is trusted. */
function server(address: string, port: string): DnsServer {
  return { address, port: port === '' ? DNS_PORT : Number(port), trusted: isLoopback(address) };
}
