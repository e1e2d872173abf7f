/**
 * The next hop that an operator names: `example.org`, `example.org:2525`, `[192.0.2.1]:2525`, `[IPv6:2001:db8::1]`,
 * `smtps:example.org`, `lmtp:[127.0.0.1]:2424`. A domain has its hosts by MX, as always; brackets are an address.
 *
 * Ports that are left out: 465 of `smtps` (RFC 8314 §3.3), 24 of `lmtp`, else those of all mail.
 */
import { isIpv4, isIpv6 } from '../smtp/wire/domain.ts';
import { toDnsName } from '../dns/wire/question.ts';
import type { Route } from '../queue/queue.ts';

export type RemoteHop = Extract<Route, { kind: 'remote' }>;

const NAMED = /^(?:(smtp|smtps|lmtp):)?(\[[^\]]{1,60}\]|[^:[\]]{1,255})(?::([1-9][0-9]{0,4}))?$/i;
const PORTS = { smtps: 465, lmtp: 24 } as const;
const PORT_MAX = 65_535;

export function parseNamedHop(text: string): RemoteHop | undefined {
  const [, speech, name = '', digits] = NAMED.exec(text)?.map((part) => part?.toLowerCase()) ?? [];
  const domain = name.startsWith('[') ? toLiteral(name.slice(1, -1)) : toDnsName(name) && name;
  if (domain === undefined) return undefined;
  const named = speech === 'smtps' || speech === 'lmtp' ? speech : undefined;
  const port = digits === undefined ? named && PORTS[named] : Number(digits);
  if (port === undefined) return { kind: 'remote', domain };
  if (port > PORT_MAX) return undefined;
  return { kind: 'remote', domain, port, ...(named === undefined ? {} : { speech: named }) };
}

/** RFC 5321 §4.1.3. Of IPv6 the tag may be left out by a person. */
function toLiteral(inner: string): string | undefined {
  if (isIpv4(inner)) return `[${inner}]`;
  const address = inner.replace(/^ipv6:/, '');
  return isIpv6(address) ? `[ipv6:${address}]` : undefined;
}

/** The address in such a literal; undefined: it is a name. */
export function literalAddressOf(domain: string): string | undefined {
  return domain.startsWith('[') ? domain.slice(1, -1).replace(/^ipv6:/, '') : undefined;
}
