/** The checks that a schema names by `format`, each with what it asks for in words. */
import { isIP } from 'node:net';
import { parseIpNetwork } from '../base/ip-network.ts';
import type { FormatName } from './schema-node.ts';

const HOSTNAME_OCTETS_MAX = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const PORT_MAX = 65_535;

/** RFC 1123 §2.1: letters, digits and hyphens; A-labels (RFC 5890 §2.3.2.1) are such. */
function isHostname(text: string): boolean {
  return (
    text.length <= HOSTNAME_OCTETS_MAX &&
    text.split('.').every((label) => LABEL.test(label)) &&
    isIP(text) === 0
  );
}

function isAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  return /^[^\s"(),:;<>[\\\]]{1,64}$/.test(text.slice(0, Math.max(at, 0))) && isHostname(text.slice(at + 1));
}

function isPort(text: string): boolean {
  return /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= PORT_MAX;
}

function isIpPort(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, Math.max(colon, 0));
  if (!isPort(text.slice(colon + 1))) return false;
  if (host.startsWith('[') && host.endsWith(']')) return isIP(host.slice(1, -1)) === 6;
  return isIP(host) === 4;
}

/** A host, with a port if it is not the usual one; an IPv6 address with a port stands in brackets. */
function isHostPort(text: string): boolean {
  if (isIP(text) !== 0 || isHostname(text)) return true;
  const colon = text.lastIndexOf(':');
  return isPort(text.slice(colon + 1)) && (isIpPort(text) || isHostname(text.slice(0, Math.max(colon, 0))));
}

function isRecipientPattern(text: string): boolean {
  return (
    text === '*' ||
    isAddress(text) ||
    isHostname(text.startsWith('.') ? text.slice(1) : text) ||
    (text.startsWith('[') && text.endsWith(']') && isIP(text.slice(1, -1).replace(/^ipv6:/i, '')) !== 0)
  );
}

function isTimestamp(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) && !Number.isNaN(Date.parse(text));
}

function isPostgresUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text);
}

/** In plain only where nobody else hears it. */
function isHttpsUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username } = new URL(text);
  const isHere = hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]';
  return username === '' && (protocol === 'https:' || (protocol === 'http:' && isHere));
}

export const FORMATS: Readonly<
  Record<
    FormatName,
    {
      readonly test: (text: string) => boolean;
      readonly wanted: string;
      /** What is written there is not told again, well formed or not. */
      readonly holdsSecret?: boolean;
    }
  >
> = {
  hostname: { test: isHostname, wanted: 'a host name such as "mail.example.org"' },
  host: { test: (text) => isHostname(text) || isIP(text) !== 0, wanted: 'a host name or an IP address' },
  address: { test: isAddress, wanted: 'an address such as "someone@example.org"' },
  ip: { test: (text) => isIP(text) !== 0, wanted: 'an IP address' },
  'ip-port': { test: isIpPort, wanted: 'an IP address, with a port if it is not 53' },
  network: {
    test: (text) => parseIpNetwork(text) !== undefined && !text.includes('%'),
    wanted: 'an IP address or a network such as "192.0.2.0/24"',
  },
  proxy: { test: isIpPort, wanted: 'an IP address, with a port if it is not 1080' },
  name: {
    test: (text) => /^[A-Za-z0-9-]{1,63}$/.test(text),
    wanted: 'a name of letters, digits and hyphens',
  },
  'host-port': { test: isHostPort, wanted: 'a host such as "relay.example.net" or "relay.example.net:587"' },
  'recipient-pattern': {
    test: isRecipientPattern,
    wanted: '"example.org", ".example.org", "someone@example.org" or "*"',
  },
  'sender-pattern': {
    test: (text) => text === '<>' || isRecipientPattern(text),
    wanted: '"example.org", ".example.org", "someone@example.org", "<>" or "*"',
  },
  'domain-pattern': {
    test: (text) => text === '*' || isHostname(text.startsWith('.') ? text.slice(1) : text),
    wanted: '"example.org", ".example.org" or "*"',
  },
  fingerprint: {
    test: (text) => /^(?:[0-9a-f]{64}|[0-9a-f]{2}(?::[0-9a-f]{2}){31})$/i.test(text),
    wanted: 'a SHA-256 sum of 64 hexadecimal digits',
  },
  // RFC 6710 §7.
  'priority-policy': {
    test: (text) => /^[A-Za-z0-9._-]{1,20}$/.test(text),
    wanted: 'at most 20 letters, digits, dots, hyphens and underscores',
  },
  timestamp: { test: isTimestamp, wanted: 'a date and time in UTC such as "2030-01-01T00:00:00Z"' },
  'https-url': {
    test: isHttpsUrl,
    wanted: 'a URL such as "https://login.example.org/introspect"',
    holdsSecret: true,
  },
  'postgres-url': {
    test: isPostgresUrl,
    wanted: 'a URL such as "postgres://user@host/database"',
    holdsSecret: true,
  },
};
