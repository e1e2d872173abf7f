/** The servers that the machine is told to ask: resolv.conf(5). Pure: the text comes in. */
import { isIP } from 'node:net';
import type { DnsServer } from './exchange.ts';

export type ResolvConf = { readonly servers: readonly DnsServer[] };

/** As the C library: at most three. */
const SERVERS_MAX = 3;

/**
 * Reads `nameserver` lines and `options trust-ad`; the rest concerns search lists, which mail never uses. Without a
 * server it is this machine's own, as the C library has it.
 */
export function parseResolvConf(text: string): ResolvConf {
  const addresses: string[] = [];
  let trustAd = false;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = (line.split(/[#;]/, 1)[0] ?? '').trim().split(/\s+/);
    if (keyword === 'options') trustAd ||= values.includes('trust-ad');
    const [address = ''] = values;
    if (keyword === 'nameserver' && isIP(address.split('%', 1)[0] ?? '') !== 0) addresses.push(address);
  }
  const chosen = addresses.length === 0 ? ['127.0.0.1'] : addresses.slice(0, SERVERS_MAX);
  return {
    servers: chosen.map((address) => ({ address, port: 53, trusted: trustAd || isLoopback(address) })),
  };
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
