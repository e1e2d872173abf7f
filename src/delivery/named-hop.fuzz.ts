/** Any text as the next hop that an operator names: nothing throws, and what is read can be written down and read again. */
import { literalAddressOf, parseNamedHop } from './named-hop.ts';

export const covers: RegExp = /\/src\/delivery\/named-hop\.ts$/;

export const seeds: readonly Uint8Array[] = [
  'example.org',
  'smtp:example.org:2525',
  'lmtp:[127.0.0.1]:2424',
  'smtps:[IPv6:2001:db8::1]',
  'jörg.example:65536',
].map((text) => Buffer.from(text));

export function fuzz(octets: Uint8Array): void {
  const hop = parseNamedHop(Buffer.from(octets).toString('utf8'));
  if (hop === undefined) return;
  const { domain, port, speech } = hop;
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535))
    throw new Error('no port');
  if (literalAddressOf(domain)?.includes(']') === true) throw new Error('no address');
  const again = parseNamedHop(`${speech ?? 'smtp'}:${domain}${port === undefined ? '' : `:${port}`}`);
  if (JSON.stringify(again) !== JSON.stringify(hop)) throw new Error('another hop came back');
}
