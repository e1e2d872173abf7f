/**
 * The client's side of SOCKS 5, for connections by TCP: what it sends, and what comes back, without a connection. Scans give
 * 'need-more' for what is not whole yet, and the octets behind a whole reply. Limits: names, user names and passwords of 1 to 255
 * octets. Sources: RFC 1928 §3, §4, §6; RFC 1929 §2.
 */
import { fromLatin1, fromUtf8 } from '../../base/bytes.ts';
import { parseIp } from '../../base/ip-network.ts';

export type SocksLogin = { readonly username: string; readonly password: string };

export type SocksScan<Value> =
  | { readonly kind: 'reply'; readonly value: Value; readonly rest: Uint8Array }
  | { readonly kind: 'need-more' }
  /** This is no SOCKS 5. */
  | { readonly kind: 'malformed' };

const VERSION = 5;
const NO_LOGIN = 0;
const BY_PASSWORD = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** RFC 1928 §3: the methods that we can do. */
export function encodeMethods(withLogin: boolean): Uint8Array {
  const methods = withLogin ? [NO_LOGIN, BY_PASSWORD] : [NO_LOGIN];
  return Uint8Array.of(VERSION, methods.length, ...methods);
}

export function scanMethod(octets: Uint8Array): SocksScan<'none' | 'password' | 'refused'> {
  if (octets.length > 0 && octets[0] !== VERSION) return { kind: 'malformed' };
  if (octets.length < 2) return { kind: 'need-more' };
  const method = METHODS.get(octets[1] ?? 0);
  return method === undefined ? { kind: 'malformed' } : found(method, octets, 2);
}

const METHODS: ReadonlyMap<number, 'none' | 'password' | 'refused'> = new Map([
  [NO_LOGIN, 'none'],
  [BY_PASSWORD, 'password'],
  [0xff, 'refused'],
]);

/** RFC 1929 §2. Undefined for what is empty or too long. */
export function encodeLogin({ username, password }: SocksLogin): Uint8Array | undefined {
  const name = counted(fromUtf8(username));
  const secret = counted(fromUtf8(password));
  return name === undefined || secret === undefined
    ? undefined
    : Buffer.concat([Uint8Array.of(1), name, secret]);
}

export function scanLogin(octets: Uint8Array): SocksScan<'accepted' | 'refused'> {
  // Some servers say the version of SOCKS there instead of their own.
  if (octets.length > 0 && octets[0] !== 1 && octets[0] !== VERSION) return { kind: 'malformed' };
  if (octets.length < 2) return { kind: 'need-more' };
  return found(octets[1] === 0 ? 'accepted' : 'refused', octets, 2);
}

/** RFC 1928 §4. @param host an IP literal, or a name that the proxy looks up; undefined for what is neither */
export function encodeConnect(host: string, port: number): Uint8Array | undefined {
  const address = destination(host);
  return address === undefined
    ? undefined
    : Buffer.concat([Uint8Array.of(VERSION, CONNECT, 0), address, Uint8Array.of(port >> 8, port & 255)]);
}

function destination(host: string): Uint8Array | undefined {
  const octets = parseIp(host);
  if (octets !== undefined) return Buffer.concat([Uint8Array.of(octets.length === 4 ? IPV4 : IPV6), octets]);
  const name = HOST.test(host) ? counted(fromLatin1(host)) : undefined;
  return name === undefined ? undefined : Buffer.concat([Uint8Array.of(NAME), name]);
}

const HOST = /^[0-9A-Za-z._-]+$/;

/** RFC 1928 §6. */
export type SocksReply =
  | 'succeeded'
  | 'general-failure'
  | 'not-allowed'
  | 'network-unreachable'
  | 'host-unreachable'
  | 'refused'
  | 'ttl-expired'
  | 'command-not-supported'
  | 'address-type-not-supported';

const REPLIES: readonly SocksReply[] = [
  'succeeded',
  'general-failure',
  'not-allowed',
  'network-unreachable',
  'host-unreachable',
  'refused',
  'ttl-expired',
  'command-not-supported',
  'address-type-not-supported',
];

export function scanReply(octets: Uint8Array): SocksScan<SocksReply> {
  const [version, code, , type, nameOctets] = octets;
  if (version !== undefined && version !== VERSION) return { kind: 'malformed' };
  if (code === undefined) return { kind: 'need-more' };
  const reply = REPLIES[code] ?? 'general-failure';
  // RFC 1928 §6: a server that refuses closes soon; what it says of an address then is of no interest.
  if (reply !== 'succeeded') return found(reply, octets, octets.length);
  if (type === undefined) return { kind: 'need-more' };
  if (type !== IPV4 && type !== IPV6 && type !== NAME) return { kind: 'malformed' };
  if (type === NAME && nameOctets === undefined) return { kind: 'need-more' };
  const size = 4 + (type === IPV4 ? 4 : type === IPV6 ? 16 : 1 + (nameOctets ?? 0)) + 2;
  return octets.length < size ? { kind: 'need-more' } : found(reply, octets, size);
}

function found<Value>(value: Value, octets: Uint8Array, size: number): SocksScan<Value> {
  return { kind: 'reply', value, rest: octets.subarray(size) };
}

function counted(octets: Uint8Array): Uint8Array | undefined {
  return octets.length < 1 || octets.length > 255
    ? undefined
    : Buffer.concat([Uint8Array.of(octets.length), octets]);
}
